//! What an agent session does with each frame, by state.

use std::time::Duration;

use bytes::Bytes;

use super::{AgentOutput, AgentSession, AgentState, DeliveryId};
use crate::codec::DecodeError;
use crate::frame::{AgentFrame, Challenge, RecipientResult, ServerFrame, VERSION, Welcome};
use crate::id::MessageId;
use crate::limit;
use crate::reason::{CloseReason, RejectReason};
use crate::session::agent::outbox::Rejection;
use crate::session::heartbeat::Heartbeat;
use crate::time::Now;

/// Shortest hold of a message that a server could not take.
const HOLD: Duration = Duration::from_secs(1);
/// Longest wait that a server's hint may ask for: no server can hold a message back until it expires.
const LONGEST_HINT: Duration = Duration::from_secs(600);
/// Heartbeats that a server may ask for.
const HEARTBEAT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(600));

impl AgentSession {
    /// A frame came in.
    pub fn receive(&mut self, frame: &Bytes, now: Now) {
        self.clock = now;
        if matches!(
            self.state,
            AgentState::Closing | AgentState::Stopped | AgentState::Waiting | AgentState::Connecting
        ) {
            return;
        }
        let ready = matches!(self.state, AgentState::Ready | AgentState::Draining);
        let frame = if !ready && frame.len() > limit::LOGIN_FRAME {
            Err(CloseReason::FrameTooLarge)
        } else {
            ServerFrame::decode_shared(frame).map_err(|error| close_reason(&error))
        };
        match frame {
            Err(reason) => self.begin_close(reason),
            Ok(frame) if ready => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.heard(now.elapsed);
                }
                self.receive_frame(frame);
            }
            Ok(frame) => self.receive_login(frame),
        }
        self.check_invariants();
    }

    fn receive_login(&mut self, frame: ServerFrame) {
        match (self.state, frame) {
            (AgentState::AwaitingChallenge, ServerFrame::Challenge { challenge, signature }) => {
                self.receive_challenge(challenge, signature);
            }
            (AgentState::AwaitingWelcome, ServerFrame::Welcome(welcome)) => self.receive_welcome(&welcome),
            // The reason becomes the code of a close: any other number is none.
            (_, ServerFrame::Refused { reason }) if (3000..4000).contains(&reason.number()) => self.begin_close(reason),
            _ => self.begin_close(CloseReason::ProtocolViolation),
        }
    }

    fn receive_challenge(&mut self, bytes: Bytes, signature: Bytes) {
        let challenge = match Challenge::decode(&bytes) {
            Ok(challenge) => challenge,
            Err(error) => return self.begin_close(close_reason(&error)),
        };
        let expected = self.config.server_names.get(self.server).and_then(Option::as_ref);
        if challenge.network != self.config.network {
            self.begin_close(CloseReason::WrongNetwork);
        } else if expected.is_some_and(|name| *name != challenge.server) {
            self.begin_close(CloseReason::WrongServer);
        } else if !(challenge.version_min..=challenge.version_max).contains(&VERSION) {
            self.begin_close(CloseReason::UnsupportedVersion);
        } else {
            self.state = AgentState::Signing;
            self.server_revision = challenge.directory_revision;
            self.outputs.push_back(AgentOutput::Sign { challenge, challenge_bytes: bytes, signature });
        }
    }

    fn receive_welcome(&mut self, welcome: &Welcome) {
        let period = Duration::from_millis(welcome.heartbeat_ms.into());
        let (shortest, longest) = HEARTBEAT;
        if welcome.credit == 0 || !(shortest..=longest).contains(&period) {
            return self.begin_close(CloseReason::ProtocolViolation);
        }
        self.enter(AgentState::Ready, None);
        self.ready_since = Some(self.clock.elapsed);
        self.refusals = 0;
        self.credit = usize::from(welcome.credit);
        self.max_envelope = usize::try_from(welcome.max_envelope).unwrap_or(usize::MAX).min(limit::ENVELOPE);
        self.heartbeat = Some(Heartbeat::new(period, self.clock.elapsed));
        if self.store.replace(welcome.store).is_some_and(|store| store != welcome.store) {
            self.outbox.store_changed();
        }
        if self.accepts_deliveries {
            self.subscribe();
        }
        self.wants_directory |= self.is_ahead();
        if self.wants_directory {
            self.request_directory();
        }
        self.outputs.push_back(AgentOutput::Ready {
            server: self.server,
            session: welcome.session,
            store: welcome.store,
        });
        if self.shutting_down {
            self.start_finishing();
        }
    }

    fn receive_frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Confirm { ids } => ids.into_iter().for_each(|id| self.receive_confirm(id)),
            ServerFrame::Reject { id, reason, retry_after_ms, recipients } => {
                let retry_after = Duration::from_millis(retry_after_ms.into()).min(LONGEST_HINT);
                self.receive_reject(id, reason, retry_after, recipients);
            }
            ServerFrame::Deliver { tag, attempt, envelope } => {
                // The server cannot know of a settle that has not gone out: it gives no credit back yet.
                let settling = self.frames.iter().filter(|frame| matches!(frame, AgentFrame::Settle { .. })).count();
                let within = self.unsettled.len() + settling < usize::from(self.config.prefetch.unwrap_or(0));
                if within && self.unsettled.insert(tag) {
                    let delivery = DeliveryId { link: self.link, tag };
                    self.outputs.push_back(AgentOutput::Delivered { delivery, attempt, envelope });
                } else {
                    self.begin_close(CloseReason::CreditExceeded);
                }
            }
            ServerFrame::Directory { revision, total, offset, part } => {
                match self.directory_parts.add(revision, total, offset, &part) {
                    Ok(Some(document)) => {
                        self.server_revision = revision;
                        self.outputs.push_back(AgentOutput::Directory { document });
                    }
                    Ok(None) => {}
                    Err(_) => self.begin_close(CloseReason::ProtocolViolation),
                }
            }
            ServerFrame::Notice { id, reason } => self.outputs.push_back(AgentOutput::Notice { id, reason }),
            ServerFrame::Drain { retry_after_ms } => {
                let until = self.clock.elapsed.saturating_add(Duration::from_millis(retry_after_ms.into()));
                self.choice.avoid(self.server, until);
                self.server_drains = true;
                self.start_finishing();
            }
            ServerFrame::Heartbeat => {}
            ServerFrame::Challenge { .. } | ServerFrame::Welcome(_) | ServerFrame::Refused { .. } => {
                self.begin_close(CloseReason::ProtocolViolation);
            }
        }
    }

    fn receive_confirm(&mut self, id: MessageId) {
        if self.outbox.confirm(id) {
            self.outputs.push_back(AgentOutput::Confirmed { id });
            self.finish();
        } else {
            self.begin_close(CloseReason::ProtocolViolation);
        }
    }

    fn receive_reject(
        &mut self,
        id: MessageId,
        reason: RejectReason,
        retry_after: Duration,
        recipients: Vec<RecipientResult>,
    ) {
        if reason == RejectReason::Draining {
            if !self.outbox.return_unsent(id) {
                self.begin_close(CloseReason::ProtocolViolation);
            }
            self.server_drains = true;
            return self.start_finishing();
        }
        let hold_until = self.clock.elapsed.saturating_add(retry_after.max(HOLD));
        match self.outbox.reject(id, reason, hold_until) {
            None => self.begin_close(CloseReason::ProtocolViolation),
            Some(Rejection::Kept | Rejection::Unknown) => self.finish(),
            Some(Rejection::Forgotten) => {
                self.outputs.push_back(AgentOutput::Rejected { id, reason, retry_after, recipients });
                self.finish();
            }
        }
    }
}

/// An over-long frame is told apart from a malformed one.
fn close_reason(error: &DecodeError) -> CloseReason {
    match error {
        DecodeError::TooLong { .. } => CloseReason::FrameTooLarge,
        _ => CloseReason::Malformed,
    }
}
