//! A link inside one process.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use dmr_core::frame::ChannelBinding;
use dmr_core::limit;
use dmr_core::reason::CloseReason;

use super::pipe::{End, Pipe};
use crate::link::{Link, LinkError, LinkReceiver, LinkSender, Received};

/// One end of a link inside this process. Each direction holds at most 16 frames.
///
/// Dropping both halves of an end without a close breaks the link, as a lost connection would.
#[derive(Debug)]
pub struct MemoryLink {
    side: Arc<Side>,
    binding: ChannelBinding,
}

/// One end's view of the two pipes; when its last half is gone, the link is.
#[derive(Debug)]
struct Side {
    outgoing: Arc<Pipe>,
    incoming: Arc<Pipe>,
}

impl Side {
    /// Ends both directions, this one with `end`.
    fn finish(&self, end: End) {
        self.outgoing.end(end);
        self.incoming.end(End::Abandoned);
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.finish(End::Broken);
    }
}

impl MemoryLink {
    /// Two connected ends, with nothing to bind a login to.
    pub fn pair() -> (Self, Self) {
        Self::pair_bound(ChannelBinding::None)
    }

    /// Two connected ends that both see this channel binding.
    pub fn pair_bound(binding: ChannelBinding) -> (Self, Self) {
        let (there, back) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
        let one = Side { outgoing: Arc::clone(&there), incoming: Arc::clone(&back) };
        let other = Side { outgoing: back, incoming: there };
        (Self { side: Arc::new(one), binding }, Self { side: Arc::new(other), binding })
    }
}

impl Link for MemoryLink {
    type Sender = MemorySender;
    type Receiver = MemoryReceiver;

    fn channel_binding(&self) -> ChannelBinding {
        self.binding
    }

    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    fn split(self) -> (MemorySender, MemoryReceiver) {
        (MemorySender { side: Arc::clone(&self.side), ready: false }, MemoryReceiver { side: self.side })
    }
}

/// The sending half.
#[derive(Debug)]
pub struct MemorySender {
    side: Arc<Side>,
    ready: bool,
}

impl LinkSender for MemorySender {
    async fn ready(&mut self) -> Result<(), LinkError> {
        poll_fn(|cx| self.side.outgoing.poll_ready(cx)).await?;
        self.ready = true;
        Ok(())
    }

    fn queue(&mut self, frame: Bytes) -> Result<(), LinkError> {
        if frame.len() > limit::FRAME {
            return Err(LinkError::OwnFrameTooLarge { len: frame.len(), limit: limit::FRAME });
        }
        if self.side.outgoing.is_ended() {
            return Err(LinkError::Closed);
        }
        if !std::mem::take(&mut self.ready) {
            return Err(LinkError::NotReady);
        }
        self.side.outgoing.push(frame)
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        // What is queued has arrived: the other side only has to take it.
        if self.side.outgoing.is_ended() { Err(LinkError::Closed) } else { Ok(()) }
    }

    async fn close(&mut self, reason: CloseReason) -> Result<(), LinkError> {
        if self.side.outgoing.is_ended() {
            return Err(LinkError::Closed);
        }
        self.side.finish(End::Closed(reason));
        Ok(())
    }
}

/// The receiving half.
#[derive(Debug)]
pub struct MemoryReceiver {
    side: Arc<Side>,
}

impl LinkReceiver for MemoryReceiver {
    async fn receive(&mut self) -> Result<Received, LinkError> {
        let received = poll_fn(|cx| self.side.incoming.poll_next(cx)).await;
        if !matches!(received, Ok(Received::Frame(_))) {
            // Whatever the end was, nobody reads what this side might still send.
            self.side.outgoing.end(End::Abandoned);
        }
        received
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::super::pipe::FRAMES;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sender_waits_when_sixteen_frames_wait() {
        let (agent, server) = MemoryLink::pair();
        let ((mut sender, _keep), (_other, mut receiver)) = (agent.split(), server.split());
        for _ in 0..FRAMES {
            sender.ready().await.unwrap();
            sender.queue(Bytes::from_static(b"frame")).unwrap();
        }
        assert!(timeout(Duration::from_secs(1), sender.ready()).await.is_err());
        receiver.receive().await.unwrap();
        sender.ready().await.unwrap();
    }

    #[tokio::test]
    async fn a_dropped_link_breaks_after_its_last_frame() {
        let (agent, server) = MemoryLink::pair();
        let ((mut sender, keep), (_other, mut receiver)) = (agent.split(), server.split());
        sender.ready().await.unwrap();
        sender.queue(Bytes::from_static(b"last")).unwrap();
        drop((sender, keep));
        assert_eq!(receiver.receive().await.unwrap(), Received::Frame(Bytes::from_static(b"last")));
        assert!(matches!(receiver.receive().await, Err(LinkError::Io(_))));
        assert!(matches!(receiver.receive().await, Err(LinkError::Closed)));
    }
}
