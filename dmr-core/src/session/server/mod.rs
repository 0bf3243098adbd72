//! The server's side of a link.
//!
//! ```text
//! Greeting ──▶ AwaitingLogin ──▶ CheckingLogin ──▶ Ready ──▶ Draining
//!     │              │                 │             │           │
//!     └──────────────┴─────────────────┴─────────────┴───────────┴──▶ Closing ──▶ Ended
//! ```
//!
//! From every state a lost link leads to Ended at once.

mod config;
mod deliveries;
mod incoming;
mod replies;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

pub use config::{Disposed, Login, Refusal, ServerOutput, ServerSessionConfig, Ticket};
pub use deliveries::MAX_PARKED;

use self::deliveries::Deliveries;
use self::replies::Replies;
use super::Transmit;
use super::heartbeat::{Beat, Heartbeat};
use crate::envelope::Envelope;
use crate::frame::{Challenge, RecipientResult, ServerFrame, VERSION, Welcome};
use crate::id::{MessageId, ParticipantId, SessionId};
use crate::reason::{CloseReason, FailureReason, RejectReason};
use crate::time::{Now, millis};

/// Where a server session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerState {
    /// The challenge waits for its signature.
    Greeting,
    /// The challenge is out.
    AwaitingLogin,
    /// The driver checks the login.
    CheckingLogin,
    /// Frames flow.
    Ready,
    /// Frames flow until everything is finished or the grace period ends.
    Draining,
    /// The close is to be sent.
    Closing,
    /// Over.
    Ended,
}

/// The server's side of one link, without IO.
#[derive(Debug)]
pub struct ServerSession {
    config: ServerSessionConfig,
    state: ServerState,
    challenge: Bytes,
    login: Option<Login>,
    login_deadline: Duration,
    grace_deadline: Option<Duration>,
    heartbeat: Option<Heartbeat>,
    close_reason: CloseReason,
    last_ticket: u64,
    publishes: BTreeMap<Ticket, MessageId>,
    deliveries: Deliveries,
    replies: Replies,
    next_fetch: Duration,
    outputs: VecDeque<ServerOutput>,
}

impl ServerSession {
    /// A session on a link that has just opened.
    pub fn new(config: ServerSessionConfig, now: Now) -> Self {
        let mut session = Self {
            state: ServerState::Greeting,
            challenge: Bytes::new(),
            login: None,
            login_deadline: now.elapsed.saturating_add(config.login_timeout),
            grace_deadline: None,
            heartbeat: None,
            close_reason: CloseReason::LinkLost,
            last_ticket: 0,
            publishes: BTreeMap::new(),
            deliveries: Deliveries::default(),
            replies: Replies::default(),
            next_fetch: now.elapsed,
            outputs: VecDeque::new(),
            config,
        };
        session.greet();
        session
    }

    fn greet(&mut self) {
        let challenge = Challenge {
            network: self.config.network.clone(),
            server: self.config.server.clone(),
            version_min: VERSION,
            version_max: VERSION,
            max_envelope: u32::try_from(self.config.max_envelope).unwrap_or(u32::MAX),
            nonce: self.config.nonce,
            binds_channel: self.config.binds_channel,
            directory_revision: self.config.directory_revision,
            server_key: self.config.server_key,
        };
        match challenge.encode() {
            Ok(challenge) => {
                self.challenge = challenge.clone();
                self.outputs.push_back(ServerOutput::SignChallenge { challenge });
            }
            Err(_) => self.begin_close(CloseReason::ProtocolViolation),
        }
    }

    /// The signature over the challenge; empty when this server has no key.
    pub fn challenge_signed(&mut self, signature: Bytes, _now: Now) {
        if self.state == ServerState::Greeting {
            self.replies.push(&ServerFrame::Challenge { challenge: self.challenge.clone(), signature });
            self.state = ServerState::AwaitingLogin;
        }
        self.check_invariants();
    }

    /// The driver's verdict on the login.
    pub fn login_checked(&mut self, verdict: Result<Login, CloseReason>, now: Now) {
        if self.state != ServerState::CheckingLogin {
            return;
        }
        match verdict {
            Err(reason) => self.refuse(reason),
            Ok(login) => {
                self.state = ServerState::Ready;
                self.login = Some(login);
                self.heartbeat = Some(Heartbeat::new(self.config.heartbeat, now.elapsed));
                self.replies.push(&ServerFrame::Welcome(Welcome {
                    session: self.config.session,
                    store: self.config.store,
                    credit: self.config.credit,
                    heartbeat_ms: u32::try_from(millis(self.config.heartbeat)).unwrap_or(u32::MAX),
                    max_envelope: u32::try_from(self.config.max_envelope).unwrap_or(u32::MAX),
                }));
                self.outputs.push_back(ServerOutput::LoggedIn(login));
                if login.directory_revision < self.config.directory_revision {
                    self.outputs.push_back(ServerOutput::SendDirectory);
                }
            }
        }
        self.check_invariants();
    }

    fn refuse(&mut self, reason: CloseReason) {
        self.replies.push(&ServerFrame::Refused { reason });
        self.begin_close(reason);
    }

    /// The driver's verdict on an envelope. After `Ok` it publishes the envelope and answers with [`Self::published`].
    pub fn envelope_checked(&mut self, ticket: Ticket, envelope: Envelope, verdict: Result<(), Refusal>) {
        match verdict {
            Ok(()) if self.publishes.contains_key(&ticket) => {
                self.outputs.push_back(ServerOutput::Publish { ticket, envelope });
            }
            Ok(()) => {}
            Err(refusal) => self.end_publish(ticket, |replies, id| replies.reject(id, refusal, Vec::new())),
        }
        self.check_invariants();
    }

    /// The broker's word on each recipient's mailbox. Confirmed only when every one has the envelope.
    pub fn published(&mut self, ticket: Ticket, results: Vec<RecipientResult>, retry_after: Duration) {
        let worst = results.iter().filter_map(|result| result.reason).max_by_key(|reason| gravity(*reason));
        self.end_publish(ticket, |replies, id| match worst {
            None => replies.confirm(id),
            Some(reason) => {
                let results = if results.len() > 1 { results } else { Vec::new() };
                replies.reject(id, Refusal { reason, retry_after }, results);
            }
        });
        self.check_invariants();
    }

    fn end_publish(&mut self, ticket: Ticket, reply: impl FnOnce(&mut Replies, MessageId)) {
        if let Some(id) = self.publishes.remove(&ticket)
            && self.is_open()
        {
            reply(&mut self.replies, id);
            self.finish_drain();
        }
    }

    /// The mailbox can be read from now on.
    pub fn subscribed(&mut self) {
        self.deliveries.subscribed();
    }

    /// An envelope from the mailbox. Only while [`Self::demand`] is above zero; otherwise it goes back at once.
    pub fn deliver(&mut self, tag: u64, attempt: u32, envelope: Bytes, now: Now) {
        if self.demand() == 0 {
            self.outputs.push_back(ServerOutput::Settle { tag, disposition: Disposed::Requeue });
        } else {
            let tag = self.deliveries.take(tag, now.elapsed.saturating_add(self.config.settle_timeout));
            self.replies.deliver(&ServerFrame::Deliver { tag, attempt, envelope });
        }
        self.check_invariants();
    }

    /// Deliveries that can be taken now: none before the agent subscribes, past its credit, while draining, or while
    /// the link is too slow for what is queued already.
    pub fn demand(&self) -> usize {
        if self.state == ServerState::Ready && !self.replies.is_congested() { self.deliveries.credit() } else { 0 }
    }

    /// Tells the agent what became of a message. Advice: dropped when 256 wait already.
    pub fn notice(&mut self, id: MessageId, reason: FailureReason) {
        if self.is_open() {
            self.replies.notice(id, reason);
        }
    }

    /// The directory in use. Sent when the agent's is older, and when the revision in use went back: only under a newer
    /// root document it does, and no agent has it then.
    pub fn directory_changed(&mut self, revision: u64, document: Bytes) {
        let went_back = revision < self.config.directory_revision;
        self.config.directory_revision = revision;
        let Some(login) = &mut self.login else { return };
        let is_wanted = went_back || login.directory_revision < revision;
        if is_wanted && matches!(self.state, ServerState::Ready | ServerState::Draining) {
            login.directory_revision = revision;
            self.replies.send_directory(revision, document);
        }
        self.check_invariants();
    }

    /// A newer link of the same instance has logged in.
    pub fn supersede(&mut self) {
        self.close(CloseReason::Superseded);
    }

    /// Closes the link.
    pub fn close(&mut self, reason: CloseReason) {
        self.begin_close(reason);
        self.check_invariants();
    }

    /// Tells the agent to go elsewhere, takes nothing new, and closes when everything is finished or the grace
    /// period is over.
    pub fn drain(&mut self, retry_after: Duration, now: Now) {
        match self.state {
            ServerState::Ready => {
                self.state = ServerState::Draining;
                self.grace_deadline = Some(now.elapsed.saturating_add(self.config.grace));
                let retry_after_ms = u32::try_from(millis(retry_after)).unwrap_or(u32::MAX);
                self.replies.push(&ServerFrame::Drain { retry_after_ms });
                self.finish_drain();
            }
            ServerState::Draining => {}
            _ => self.begin_close(CloseReason::Draining),
        }
        self.check_invariants();
    }

    /// Once nothing is in flight either way, a draining session closes.
    fn finish_drain(&mut self) {
        if self.state == ServerState::Draining && self.publishes.is_empty() && self.deliveries.unsettled() == 0 {
            self.begin_close(CloseReason::Draining);
        }
    }

    /// The link is gone. `reason` is kept unless the session closed it for one of its own.
    pub fn link_down(&mut self, reason: CloseReason) {
        if self.state == ServerState::Ended {
            return;
        }
        if self.state != ServerState::Closing {
            self.close_reason = reason;
        }
        self.state = ServerState::Ended;
        self.replies = Replies::default();
        self.publishes.clear();
        self.outputs.push_back(ServerOutput::Ended { reason: self.close_reason });
    }

    /// Looks at the time.
    pub fn handle_timeout(&mut self, now: Now) {
        match self.state {
            ServerState::Closing | ServerState::Ended => return,
            ServerState::Greeting | ServerState::AwaitingLogin | ServerState::CheckingLogin => {
                if now.elapsed >= self.login_deadline {
                    self.begin_close(CloseReason::LoginTimeout);
                }
                return;
            }
            ServerState::Ready | ServerState::Draining => {}
        }
        while let Some(tag) = self.deliveries.unpark(now.elapsed) {
            self.outputs.push_back(ServerOutput::Settle { tag, disposition: Disposed::Requeue });
        }
        let beat = self.heartbeat.as_mut().map_or(Beat::Quiet, |heartbeat| heartbeat.beat(now.elapsed));
        if self.deliveries.overdue(now.elapsed) {
            self.begin_close(CloseReason::SettleTimeout);
        } else if self.grace_deadline.is_some_and(|deadline| now.elapsed >= deadline) {
            self.begin_close(CloseReason::Draining);
        } else if beat == Beat::Missed {
            self.begin_close(CloseReason::HeartbeatMissed);
        } else if beat == Beat::Send && self.replies.is_empty() {
            self.replies.push(&ServerFrame::Heartbeat);
        }
        self.check_invariants();
    }

    fn begin_close(&mut self, reason: CloseReason) {
        if self.is_open() {
            self.state = ServerState::Closing;
            self.close_reason = reason;
            self.replies.close(reason);
        }
    }

    fn is_open(&self) -> bool {
        !matches!(self.state, ServerState::Closing | ServerState::Ended)
    }

    /// The next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<ServerOutput> {
        self.outputs.pop_front()
    }

    /// The next frame, or the close. Ask when the link can take one.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.replies.next()?;
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.sent();
        }
        Some(transmit)
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub fn wants_transmit(&self) -> bool {
        !self.replies.is_empty()
    }

    /// When, on the `elapsed` clock, [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            ServerState::Closing | ServerState::Ended => None,
            ServerState::Greeting | ServerState::AwaitingLogin | ServerState::CheckingLogin => {
                Some(self.login_deadline)
            }
            ServerState::Ready | ServerState::Draining => {
                let heartbeat = self.heartbeat.as_ref().map(Heartbeat::timeout);
                heartbeat.into_iter().chain(self.grace_deadline).chain(self.deliveries.timeout()).min()
            }
        }
    }

    /// Where the session stands.
    pub fn state(&self) -> ServerState {
        self.state
    }

    /// Who logged in.
    pub fn participant(&self) -> Option<ParticipantId> {
        self.login.map(|login| login.participant)
    }

    /// This session's id.
    pub fn session(&self) -> SessionId {
        self.config.session
    }

    /// Publishes between the agent and the broker.
    pub fn unconfirmed(&self) -> usize {
        self.publishes.len()
    }

    /// Deliveries the agent has not settled.
    pub fn unsettled(&self) -> usize {
        self.deliveries.unsettled()
    }

    fn check_invariants(&self) {
        debug_assert!(
            self.publishes.len() + self.replies.answers() <= usize::from(self.config.credit),
            "past the credit"
        );
        debug_assert!(self.login.is_some() || self.publishes.is_empty(), "a publish before the login");
        self.deliveries.check_invariants();
        self.replies.check_invariants();
    }
}

/// Final reasons outweigh passing ones: what cannot ever succeed must not be retried.
fn gravity(reason: RejectReason) -> (bool, u16) {
    (!reason.is_retryable(), reason.number())
}
