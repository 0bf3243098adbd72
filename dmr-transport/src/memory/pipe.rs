//! One direction of a memory link: a bounded queue of frames with an end.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use dmr_core::reason::CloseReason;

use crate::link::{LinkError, Received};

/// Frames that may wait in one direction.
pub(super) const FRAMES: usize = 16;

/// How a direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a close, and its reason. Frames sent before it are still received.
    Closed(CloseReason),
    /// Without one.
    Broken,
    /// The receiving side ended the link itself: what waits is of no use.
    Abandoned,
}

#[derive(Debug, Default)]
pub(super) struct Pipe(Mutex<Flow>);

#[derive(Debug, Default)]
struct Flow {
    frames: VecDeque<Bytes>,
    end: Option<End>,
    end_seen: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when a frame fits.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        let mut flow = self.lock();
        if flow.end.is_some() {
            return Poll::Ready(Err(LinkError::Closed));
        }
        if flow.frames.len() < FRAMES {
            return Poll::Ready(Ok(()));
        }
        flow.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Adds a frame; one writer that waited for `poll_ready` always finds room.
    pub(super) fn push(&self, frame: Bytes) -> Result<(), LinkError> {
        let mut flow = self.lock();
        if flow.end.is_some() {
            return Err(LinkError::Closed);
        }
        if flow.frames.len() >= FRAMES {
            return Err(LinkError::NotReady);
        }
        flow.frames.push_back(frame);
        wake(&mut flow.reader);
        Ok(())
    }

    /// The next frame, then the end, once.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Received, LinkError>> {
        let mut flow = self.lock();
        if flow.end != Some(End::Abandoned)
            && let Some(frame) = flow.frames.pop_front()
        {
            wake(&mut flow.writer);
            return Poll::Ready(Ok(Received::Frame(frame)));
        }
        let Some(end) = flow.end else {
            flow.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(match (std::mem::replace(&mut flow.end_seen, true), end) {
            (false, End::Closed(reason)) => Ok(Received::Closed(Some(reason))),
            (false, End::Broken) => {
                Err(LinkError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "ended without a close")))
            }
            _ => Err(LinkError::Closed),
        })
    }

    /// Ends this direction. The first end counts, but a reader that gave up itself reads no more.
    pub(super) fn end(&self, end: End) {
        let mut flow = self.lock();
        if flow.end.is_none() || end == End::Abandoned {
            flow.end = Some(end);
        }
        if end == End::Abandoned {
            flow.frames.clear();
        }
        wake(&mut flow.reader);
        wake(&mut flow.writer);
    }

    /// Whether this direction has ended.
    pub(super) fn is_ended(&self) -> bool {
        self.lock().end.is_some()
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
