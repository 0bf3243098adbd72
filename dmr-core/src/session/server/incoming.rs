//! What a server session does with each frame, by state.

use std::time::Duration;

use bytes::Bytes;

use super::{Disposed, MAX_PARKED, Refusal, ServerOutput, ServerSession, ServerState, Ticket};
use crate::codec::DecodeError;
use crate::envelope::Envelope;
use crate::frame::{AgentFrame, AuthFields, DeliveryTag, Settlement, VERSION};
use crate::limit;
use crate::reason::{CloseReason, RejectReason};
use crate::time::Now;

/// Shortest time between two directory fetches that are answered.
const FETCH_INTERVAL: Duration = Duration::from_secs(1);

impl ServerSession {
    /// A frame came in.
    pub fn receive(&mut self, frame: &Bytes, now: Now) {
        match self.state {
            ServerState::Closing | ServerState::Ended => return,
            ServerState::Greeting | ServerState::CheckingLogin => self.begin_close(CloseReason::ProtocolViolation),
            ServerState::AwaitingLogin => self.receive_login(frame),
            ServerState::Ready | ServerState::Draining => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.heard(now.elapsed);
                }
                match AgentFrame::decode_shared(frame) {
                    Ok(frame) => self.receive_frame(frame, now),
                    Err(error) => self.begin_close(close_reason(&error)),
                }
            }
        }
        self.check_invariants();
    }

    /// Nothing but the login frame is parsed before the login, and nothing longer than it may be.
    fn receive_login(&mut self, frame: &Bytes) {
        if frame.len() > limit::LOGIN_FRAME {
            return self.begin_close(CloseReason::FrameTooLarge);
        }
        let (fields, proof) = match AgentFrame::decode_shared(frame) {
            Ok(AgentFrame::Authenticate { fields, proof }) => (fields, proof),
            Ok(_) => return self.begin_close(CloseReason::ProtocolViolation),
            Err(error) => return self.begin_close(close_reason(&error)),
        };
        match AuthFields::decode(&fields) {
            Err(error) => self.begin_close(close_reason(&error)),
            Ok(parsed) if parsed.version != VERSION => self.refuse(CloseReason::UnsupportedVersion),
            Ok(parsed) if parsed.network != self.config.network => self.refuse(CloseReason::WrongNetwork),
            Ok(_) => {
                self.state = ServerState::CheckingLogin;
                self.outputs.push_back(ServerOutput::CheckLogin { challenge: self.challenge.clone(), fields, proof });
            }
        }
    }

    fn receive_frame(&mut self, frame: AgentFrame, now: Now) {
        match frame {
            AgentFrame::Authenticate { .. } => self.begin_close(CloseReason::ProtocolViolation),
            AgentFrame::Subscribe { prefetch } => self.receive_subscribe(prefetch),
            AgentFrame::Publish { envelope } => self.receive_publish(envelope),
            AgentFrame::Settle { tag, settlement } => {
                let known = match settlement {
                    Settlement::Ack => self.settle(tag, Disposed::Ack),
                    Settlement::Reject { reason } => self.settle(tag, Disposed::DeadLetter(reason)),
                    Settlement::Retry { after_ms } => {
                        self.deliveries.park(tag, Duration::from_millis(after_ms.into()), now.elapsed)
                    }
                };
                if known {
                    self.finish_drain();
                } else {
                    self.begin_close(CloseReason::ProtocolViolation);
                }
            }
            AgentFrame::FetchDirectory { revision } => {
                let newer = revision < self.config.directory_revision;
                if newer && now.elapsed >= self.next_fetch && !self.replies.sends_directory() {
                    self.next_fetch = now.elapsed.saturating_add(FETCH_INTERVAL);
                    if let Some(login) = &mut self.login {
                        login.directory_revision = revision;
                    }
                    self.outputs.push_back(ServerOutput::SendDirectory);
                }
            }
            AgentFrame::Heartbeat => {}
        }
    }

    fn receive_subscribe(&mut self, prefetch: u16) {
        let Some(login) = self.login else { return };
        let prefetch = prefetch.min(self.config.max_prefetch);
        if prefetch == 0 || !self.deliveries.subscribe(prefetch) {
            return self.begin_close(CloseReason::ProtocolViolation);
        }
        let room = u16::try_from(MAX_PARKED).unwrap_or(u16::MAX);
        let prefetch = prefetch.saturating_add(room);
        self.outputs.push_back(ServerOutput::Subscribe { mailbox: login.participant, prefetch });
    }

    fn settle(&mut self, tag: DeliveryTag, disposition: Disposed) -> bool {
        let Some(tag) = self.deliveries.settle(tag) else { return false };
        self.outputs.push_back(ServerOutput::Settle { tag, disposition });
        true
    }

    fn receive_publish(&mut self, envelope: Bytes) {
        if self.publishes.len() + self.replies.answers() >= usize::from(self.config.credit) {
            return self.begin_close(CloseReason::CreditExceeded);
        }
        let too_large = envelope.len() > self.config.max_envelope;
        let envelope = match Envelope::decode(envelope) {
            Ok(envelope) => envelope,
            Err(error) => return self.begin_close(close_reason(&error)),
        };
        let header = envelope.header();
        let sender = self.login.map(|login| login.participant);
        let refused = if sender != Some(header.sender) {
            Some(RejectReason::SenderMismatch)
        } else if header.network != self.config.network {
            Some(RejectReason::WrongNetwork)
        } else if too_large {
            Some(RejectReason::TooLarge)
        } else if self.state == ServerState::Draining {
            Some(RejectReason::Draining)
        } else {
            None
        };
        if let Some(reason) = refused {
            let id = header.id;
            return self.replies.reject(id, Refusal { reason, retry_after: Duration::ZERO }, Vec::new());
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.publishes.insert(ticket, header.id);
        self.outputs.push_back(ServerOutput::CheckEnvelope { ticket, envelope });
    }
}

/// An over-long frame is told apart from a malformed one.
fn close_reason(error: &DecodeError) -> CloseReason {
    match error {
        DecodeError::TooLong { .. } => CloseReason::FrameTooLarge,
        _ => CloseReason::Malformed,
    }
}
