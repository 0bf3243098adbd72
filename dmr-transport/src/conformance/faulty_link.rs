//! Links that break one promise each, to prove that the rules notice.

use std::future::pending;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use dmr_core::frame::ChannelBinding;
use dmr_core::reason::CloseReason;

use super::report::poll_once;
use crate::link::{Link, LinkError, LinkReceiver, LinkSender, Received};

/// Frames below this length are merged or reordered, so that what comes of it is no longer than a frame may be.
const MERGED: usize = 256 << 10;

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkFault {
    /// Every fifth frame is not sent.
    LosesFrames,
    /// Every fifth frame, unless it is long, is sent after the one that follows it.
    Reorders,
    /// Every fifth frame, unless it is long, is sent together with the one that follows it.
    Merges,
    /// Every fifth frame is sent twice.
    Duplicates,
    /// A close never ends, and nobody is told.
    HangsOnClose,
    /// A close gives another reason.
    ForgetsTheReason,
    /// A receive that is dropped takes its frame with it.
    LosesOnCancel,
    /// Frames are taken whether or not there is room.
    NeverWaits,
}

/// A link with a fault in both of its halves.
#[derive(Debug)]
pub struct FaultyLink<L> {
    link: L,
    fault: LinkFault,
}

impl<L: Link> FaultyLink<L> {
    /// The link, made worse.
    pub fn new(link: L, fault: LinkFault) -> Self {
        Self { link, fault }
    }
}

impl<L: Link> Link for FaultyLink<L> {
    type Sender = FaultySender<L::Sender>;
    type Receiver = FaultyReceiver<L::Receiver>;

    fn channel_binding(&self) -> ChannelBinding {
        self.link.channel_binding()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.link.peer()
    }

    fn split(self) -> (Self::Sender, Self::Receiver) {
        let fault = self.fault;
        let (sender, receiver) = self.link.split();
        let sender = FaultySender { sender, fault, count: 0, kept: None, waiting: Vec::new(), asked: false };
        (sender, FaultyReceiver { receiver, fault, count: 0 })
    }
}

/// The sending half of a [`FaultyLink`].
#[derive(Debug)]
pub struct FaultySender<S> {
    sender: S,
    fault: LinkFault,
    count: usize,
    /// A frame that waits for the one that follows it.
    kept: Option<Bytes>,
    /// Frames taken without room, the latest first.
    waiting: Vec<Bytes>,
    asked: bool,
}

impl<S: LinkSender> FaultySender<S> {
    /// Sends what was kept back.
    async fn catch_up(&mut self) -> Result<(), LinkError> {
        let kept = self.kept.take().into_iter();
        for frame in std::mem::take(&mut self.waiting).into_iter().rev().chain(kept) {
            self.sender.ready().await?;
            self.sender.queue(frame)?;
        }
        Ok(())
    }
}

impl<S: LinkSender> LinkSender for FaultySender<S> {
    async fn ready(&mut self) -> Result<(), LinkError> {
        if self.fault == LinkFault::NeverWaits {
            self.asked = true;
            return poll_once(self.sender.ready()).await.unwrap_or(Ok(()));
        }
        if let Some(extra) = (self.fault == LinkFault::Duplicates).then(|| self.kept.take()).flatten() {
            self.sender.ready().await?;
            self.sender.queue(extra)?;
        }
        if self.fault == LinkFault::Reorders && !self.waiting.is_empty() {
            self.catch_up().await?;
        }
        self.sender.ready().await
    }

    fn queue(&mut self, frame: Bytes) -> Result<(), LinkError> {
        self.count += 1;
        let fifth = self.count.is_multiple_of(5);
        match self.fault {
            // Bounds and readiness are kept: only what the fault names goes wrong.
            _ if frame.len() > dmr_core::limit::FRAME => self.sender.queue(frame),
            LinkFault::LosesFrames if fifth => Ok(()),
            LinkFault::Reorders | LinkFault::Merges if fifth && frame.len() < MERGED => {
                self.kept = Some(frame);
                Ok(())
            }
            LinkFault::Reorders => {
                self.waiting.extend(self.kept.take());
                self.sender.queue(frame)
            }
            LinkFault::Merges => {
                let mut merged = BytesMut::from(self.kept.take().unwrap_or_default());
                merged.extend_from_slice(&frame);
                self.sender.queue(merged.freeze())
            }
            LinkFault::Duplicates => {
                self.kept = fifth.then(|| frame.clone());
                self.sender.queue(frame)
            }
            LinkFault::NeverWaits if std::mem::take(&mut self.asked) => {
                self.waiting.insert(0, frame);
                Ok(())
            }
            LinkFault::NeverWaits => Err(LinkError::NotReady),
            LinkFault::LosesFrames
            | LinkFault::HangsOnClose
            | LinkFault::ForgetsTheReason
            | LinkFault::LosesOnCancel => self.sender.queue(frame),
        }
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        self.catch_up().await?;
        self.sender.flush().await
    }

    async fn close(&mut self, reason: CloseReason) -> Result<(), LinkError> {
        match self.fault {
            LinkFault::HangsOnClose => pending().await,
            LinkFault::ForgetsTheReason => self.sender.close(CloseReason::LinkLost).await,
            _ => {
                self.catch_up().await?;
                self.sender.close(reason).await
            }
        }
    }
}

/// The receiving half of a [`FaultyLink`].
#[derive(Debug)]
pub struct FaultyReceiver<R> {
    receiver: R,
    fault: LinkFault,
    count: usize,
}

impl<R: LinkReceiver> LinkReceiver for FaultyReceiver<R> {
    async fn receive(&mut self) -> Result<Received, LinkError> {
        let received = self.receiver.receive().await?;
        self.count += 1;
        if self.fault == LinkFault::LosesOnCancel && self.count.is_multiple_of(5) {
            tokio::task::yield_now().await;
        }
        Ok(received)
    }

    fn limit_input(&mut self, bytes: Option<u64>) {
        self.receiver.limit_input(bytes);
    }
}
