//! What a server session has to send: bounded, confirms gathered, the directory in parts.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Refusal;
use crate::frame::{RecipientResult, ServerFrame};
use crate::id::MessageId;
use crate::limit;
use crate::reason::{CloseReason, FailureReason};
use crate::session::Transmit;
use crate::time::millis;

/// Bytes of queued deliveries past which no more are taken from the mailbox.
const CONGESTED: usize = 2 * limit::FRAME;
/// Confirms in one frame.
const CONFIRMS: usize = 1024;
/// Notices that may wait.
const NOTICES: usize = 256;

/// The frames that wait for the link.
///
/// Deliveries are bounded by [`CONGESTED`] and one frame, answers to publishes by the agent's credit, notices by
/// [`NOTICES`]; of everything else there is at most one each.
#[derive(Debug, Default)]
pub(super) struct Replies {
    frames: VecDeque<Queued>,
    confirms: Vec<MessageId>,
    directory: Option<DirectoryParts>,
    answers: usize,
    notices: usize,
    delivery_bytes: usize,
    close: Option<CloseReason>,
    closed: bool,
}

#[derive(Debug)]
enum Queued {
    Plain(Bytes),
    Answer(Bytes),
    Notice(Bytes),
    Delivery(Bytes),
}

#[derive(Debug)]
struct DirectoryParts {
    revision: u64,
    document: Bytes,
    offset: usize,
}

impl Replies {
    /// Queues a frame of which there is one at a time.
    pub(super) fn push(&mut self, frame: &ServerFrame) {
        if let Some(frame) = self.encode(frame) {
            self.frames.push_back(Queued::Plain(frame));
        }
    }

    /// Queues the answer that a publish is stored.
    pub(super) fn confirm(&mut self, id: MessageId) {
        self.answers += 1;
        self.confirms.push(id);
    }

    /// Queues the answer that a publish was not taken.
    pub(super) fn reject(&mut self, id: MessageId, refusal: Refusal, recipients: Vec<RecipientResult>) {
        let retry_after_ms = u32::try_from(millis(refusal.retry_after)).unwrap_or(u32::MAX);
        let frame = ServerFrame::Reject { id, reason: refusal.reason, retry_after_ms, recipients };
        if let Some(frame) = self.encode(&frame) {
            self.answers += 1;
            self.frames.push_back(Queued::Answer(frame));
        }
    }

    /// Queues a delivery.
    pub(super) fn deliver(&mut self, frame: &ServerFrame) {
        if let Some(frame) = self.encode(frame) {
            self.delivery_bytes += frame.len();
            self.frames.push_back(Queued::Delivery(frame));
        }
    }

    /// Queues a notice, unless too many wait.
    pub(super) fn notice(&mut self, id: MessageId, reason: FailureReason) {
        if self.notices < NOTICES
            && let Some(frame) = self.encode(&ServerFrame::Notice { id, reason })
        {
            self.notices += 1;
            self.frames.push_back(Queued::Notice(frame));
        }
    }

    /// Sends the directory, part by part, in place of one that is being sent.
    pub(super) fn send_directory(&mut self, revision: u64, document: Bytes) {
        self.directory = Some(DirectoryParts { revision, document, offset: 0 });
    }

    /// Whether a directory is being sent.
    pub(super) fn sends_directory(&self) -> bool {
        self.directory.is_some()
    }

    /// Closes after the answers. Deliveries and the directory are not worth sending any more.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.directory = None;
        self.frames.retain(|queued| !matches!(queued, Queued::Delivery(_)));
        self.delivery_bytes = 0;
        self.close = Some(reason);
    }

    /// A frame that cannot be encoded is this program's own mistake: the link cannot go on.
    fn encode(&mut self, frame: &ServerFrame) -> Option<Bytes> {
        frame.encode().map_err(|_| self.close = Some(CloseReason::ProtocolViolation)).ok()
    }

    /// The next frame: confirms first, then the directory, then the rest in order, then the close, once. The directory
    /// does not overtake the welcome, nor a drain that is next.
    pub(super) fn next(&mut self) -> Option<Transmit> {
        if self.closed {
            return None;
        }
        if !self.confirms.is_empty() {
            let ids: Vec<_> = self.confirms.drain(..self.confirms.len().min(CONFIRMS)).collect();
            self.answers -= ids.len();
            if let Some(frame) = self.encode(&ServerFrame::Confirm { ids }) {
                return Some(Transmit::Frame(frame));
            }
        }
        if !matches!(self.frames.front(), Some(Queued::Plain(_)))
            && let Some(frame) = self.next_part()
        {
            return Some(Transmit::Frame(frame));
        }
        if let Some(queued) = self.frames.pop_front() {
            return Some(Transmit::Frame(self.release(queued)));
        }
        self.close.map(|reason| {
            self.closed = true;
            Transmit::Close(reason)
        })
    }

    fn next_part(&mut self) -> Option<Bytes> {
        let mut parts = self.directory.take()?;
        let end = (parts.offset + limit::DIRECTORY_PART).min(parts.document.len());
        let frame = ServerFrame::Directory {
            revision: parts.revision,
            total: u32::try_from(parts.document.len()).unwrap_or(u32::MAX),
            offset: u32::try_from(parts.offset).unwrap_or(u32::MAX),
            part: parts.document.slice(parts.offset..end),
        };
        if end < parts.document.len() {
            parts.offset = end;
            self.directory = Some(parts);
        }
        self.encode(&frame)
    }

    fn release(&mut self, queued: Queued) -> Bytes {
        match queued {
            Queued::Plain(frame) => frame,
            Queued::Answer(frame) => {
                self.answers -= 1;
                frame
            }
            Queued::Notice(frame) => {
                self.notices -= 1;
                frame
            }
            Queued::Delivery(frame) => {
                self.delivery_bytes -= frame.len();
                frame
            }
        }
    }

    /// Answers to publishes that wait: they still take the agent's credit.
    pub(super) fn answers(&self) -> usize {
        self.answers
    }

    /// Whether the link is too slow for what is queued.
    pub(super) fn is_congested(&self) -> bool {
        self.delivery_bytes >= CONGESTED
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        let frames = self.confirms.is_empty() && self.directory.is_none() && self.frames.is_empty();
        self.closed || (frames && self.close.is_none())
    }

    pub(super) fn check_invariants(&self) {
        debug_assert!(self.notices <= NOTICES, "notices past their bound");
        debug_assert!(self.delivery_bytes < CONGESTED + limit::FRAME, "deliveries past their bound");
    }
}
