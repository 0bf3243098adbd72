//! The agent's side: one session for the life of the agent, over one link after another.
//!
//! ```text
//!    ┌──────────────────────────── the link is lost, or closed ◀───────────┐
//!    ▼                                                                     │
//! Waiting ──▶ Connecting ──▶ AwaitingChallenge ──▶ Signing ──▶ AwaitingWelcome ──▶ Ready ──▶ Draining
//!    │             │                 │                │               │              │          │
//!    │             └─────────────────┴────────────────┴───────────────┴──────────────┴──▶ Closing
//!    └──▶ Stopped, after a shutdown
//! ```
//!
//! What is published is kept over all links until it is confirmed, and with `keep` until its receipt or its expiry.

mod config;
mod directory_parts;
mod incoming;
mod lifecycle;
mod outbox;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

pub use config::{AgentOutput, AgentPublication, AgentPublishError, AgentSessionConfig, DeliveryId, OutboxDepth};

use self::directory_parts::DirectoryParts;
use self::outbox::Outbox;
use super::Transmit;
use super::heartbeat::{Beat, Heartbeat};
use crate::backoff::Backoff;
use crate::frame::{AgentFrame, DeliveryTag, Settlement};
use crate::id::{MessageId, StoreId};
use crate::limit;
use crate::reason::{CloseReason, RejectReason};
use crate::server_choice::ServerChoice;
use crate::time::Now;

/// Shortest time between two requests for the directory.
const FETCH_INTERVAL: Duration = Duration::from_secs(5);
/// Expiry is by the wall clock, which may be set: look at least this often.
const EXPIRY_CHECK: Duration = Duration::from_secs(60);

/// Where an agent session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentState {
    /// Between two links.
    Waiting,
    /// The driver opens a link.
    Connecting,
    /// The link is open.
    AwaitingChallenge,
    /// The driver checks the challenge and signs the login.
    Signing,
    /// The login is out.
    AwaitingWelcome,
    /// Frames flow.
    Ready,
    /// The server or the program asked to finish.
    Draining,
    /// The close is to be sent.
    Closing,
    /// Over.
    Stopped,
}

/// The agent's side, without IO.
#[derive(Debug)]
pub struct AgentSession {
    config: AgentSessionConfig,
    state: AgentState,
    clock: Now,
    /// When the state ends by itself, if it does.
    deadline: Option<Duration>,
    server: usize,
    choice: ServerChoice,
    backoff: Backoff,
    refusals: usize,
    shutting_down: bool,
    accepts_deliveries: bool,
    /// The server of this link takes nothing new.
    server_drains: bool,
    /// Counts links: names deliveries apart.
    link: u64,
    ready_since: Option<Duration>,
    close_reason: CloseReason,
    credit: usize,
    max_envelope: usize,
    heartbeat: Option<Heartbeat>,
    store: Option<StoreId>,
    outbox: Outbox,
    unsettled: BTreeSet<DeliveryTag>,
    directory_revision: u64,
    /// What the server of this link says it has.
    server_revision: u64,
    directory_parts: DirectoryParts,
    next_fetch: Duration,
    wants_directory: bool,
    /// Settles, bounded by the prefetch, and at most one each of everything else.
    frames: VecDeque<AgentFrame>,
    close: Option<CloseReason>,
    outputs: VecDeque<AgentOutput>,
}

impl AgentSession {
    /// A session that begins to connect at once. `config.server_names` names at least one server; with none the
    /// session is stopped from the start.
    pub fn new(config: AgentSessionConfig, now: Now) -> Self {
        let mut session = Self {
            state: AgentState::Waiting,
            clock: now,
            deadline: Some(now.elapsed),
            server: 0,
            choice: ServerChoice::new(config.server_names.len().max(1), config.seed),
            backoff: Backoff::new(config.backoff, config.seed),
            refusals: 0,
            shutting_down: false,
            accepts_deliveries: config.subscribes_at_once,
            server_drains: false,
            link: 0,
            ready_since: None,
            close_reason: CloseReason::LinkLost,
            credit: 0,
            max_envelope: limit::ENVELOPE,
            heartbeat: None,
            store: None,
            outbox: Outbox::new(config.outbox_messages, config.outbox_bytes),
            unsettled: BTreeSet::new(),
            directory_revision: 0,
            server_revision: 0,
            directory_parts: DirectoryParts::default(),
            next_fetch: now.elapsed,
            wants_directory: false,
            frames: VecDeque::new(),
            close: None,
            outputs: VecDeque::new(),
            config,
        };
        if session.config.server_names.is_empty() {
            session.stop();
        } else {
            session.connect();
        }
        session
    }

    /// The driver's login for the challenge.
    pub fn challenge_signed(&mut self, fields: Bytes, proof: Bytes, now: Now) {
        self.clock = now;
        if self.state == AgentState::Signing {
            self.state = AgentState::AwaitingWelcome;
            self.frames.push_back(AgentFrame::Authenticate { fields, proof });
        }
        self.check_invariants();
    }

    /// The driver does not want to log in here.
    pub fn challenge_refused(&mut self, reason: CloseReason, now: Now) {
        self.clock = now;
        if self.state == AgentState::Signing {
            self.begin_close(reason);
        }
        self.check_invariants();
    }

    /// Takes an envelope for publishing.
    ///
    /// # Errors
    /// [`AgentPublishError`]; nothing was changed.
    pub fn publish(&mut self, publication: AgentPublication, now: Now) -> Result<(), AgentPublishError> {
        self.clock = now;
        if self.shutting_down || self.state == AgentState::Stopped {
            return Err(AgentPublishError::Stopped);
        }
        let len = publication.envelope.len();
        if len > self.max_envelope {
            return Err(AgentPublishError::TooLarge { len, limit: self.max_envelope });
        }
        let taken = self.outbox.add(publication);
        self.check_invariants();
        taken
    }

    /// Forgets a message that was never on any link: `true` means that nothing was or will be sent.
    pub fn withdraw(&mut self, id: MessageId) -> bool {
        self.outbox.withdraw(id)
    }

    /// Stops keeping a message: a signed receipt or a verified answer came.
    pub fn receipted(&mut self, id: MessageId) {
        self.outbox.forget(id);
        self.check_invariants();
    }

    /// Settles a delivery. One of an older link is left alone: the broker has given it to someone again.
    pub fn settle(&mut self, delivery: DeliveryId, settlement: Settlement) {
        let live = matches!(self.state, AgentState::Ready | AgentState::Draining) && delivery.link == self.link;
        if live && self.unsettled.remove(&delivery.tag) {
            self.frames.push_back(AgentFrame::Settle { tag: delivery.tag, settlement });
        }
        self.check_invariants();
    }

    /// Asks for the directory; at most every 5 s, and at once after the next login when there is no link.
    pub fn fetch_directory(&mut self, now: Now) {
        self.clock = now;
        self.wants_directory = true;
        self.request_directory();
        self.check_invariants();
    }

    fn request_directory(&mut self) {
        if self.state == AgentState::Ready && self.clock.elapsed >= self.next_fetch {
            self.wants_directory = false;
            self.next_fetch = self.clock.elapsed.saturating_add(FETCH_INTERVAL);
            let revision = if self.is_ahead() { 0 } else { self.directory_revision };
            self.frames.push_back(AgentFrame::FetchDirectory { revision });
        }
    }

    /// Whether the server has a lower revision: it is behind; or a newer root document dropped a key that signed a high
    /// one, and a directory of a lower revision is in force. Only who verifies it can tell, so it is asked for.
    fn is_ahead(&self) -> bool {
        self.server_revision < self.directory_revision
    }

    /// The directory in use has this revision.
    pub fn directory_changed(&mut self, revision: u64) {
        self.directory_revision = revision;
    }

    /// From now on deliveries can be handled: subscribes, on this link if it is ready and on those to come. For a session
    /// whose [`AgentSessionConfig::subscribes_at_once`] is off; for others nothing changes.
    pub fn accept_deliveries(&mut self) {
        let before = std::mem::replace(&mut self.accepts_deliveries, true);
        if !before && self.state == AgentState::Ready {
            self.subscribe();
        }
        self.check_invariants();
    }

    fn subscribe(&mut self) {
        if let Some(prefetch) = self.config.prefetch {
            self.frames.push_back(AgentFrame::Subscribe { prefetch });
        }
    }

    /// Looks at the time.
    pub fn handle_timeout(&mut self, now: Now) {
        self.clock = now;
        if self.state == AgentState::Stopped {
            return;
        }
        while let Some(id) = self.outbox.expire(now.wall) {
            self.outputs.push_back(AgentOutput::Expired { id });
        }
        self.outbox.release_held(now.elapsed);
        if self.deadline.is_some_and(|deadline| now.elapsed >= deadline) {
            self.deadline_passed();
        }
        let beat = self.heartbeat.as_mut().map_or(Beat::Quiet, |heartbeat| heartbeat.beat(now.elapsed));
        match beat {
            Beat::Missed => self.begin_close(CloseReason::HeartbeatMissed),
            Beat::Send if self.frames.is_empty() => self.frames.push_back(AgentFrame::Heartbeat),
            Beat::Send | Beat::Quiet => {}
        }
        if self.wants_directory {
            self.request_directory();
        }
        self.finish();
        self.check_invariants();
    }

    /// The next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<AgentOutput> {
        self.outputs.pop_front()
    }

    /// The next frame, or the close. Ask when the link can take one: publishes are framed only then.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(reason) = self.close.take() {
            return Some(Transmit::Close(reason));
        }
        let frame = match self.frames.pop_front() {
            Some(frame) => frame,
            None if self.may_publish() => AgentFrame::Publish { envelope: self.outbox.send_next()? },
            None => return None,
        };
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.sent();
        }
        self.finish();
        match frame.encode() {
            Ok(frame) => Some(Transmit::Frame(frame)),
            Err(_) => {
                self.begin_close(CloseReason::FrameTooLarge);
                self.close.take().map(Transmit::Close)
            }
        }
    }

    fn may_publish(&self) -> bool {
        let open = self.state == AgentState::Ready || (self.state == AgentState::Draining && self.shutting_down);
        open && !self.server_drains && self.outbox.unconfirmed() < self.credit
    }

    /// Whether [`Self::poll_transmit`] may have something.
    pub fn wants_transmit(&self) -> bool {
        self.close.is_some() || !self.frames.is_empty() || (self.may_publish() && self.outbox.has_queued())
    }

    /// When, on the `elapsed` clock, [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.state == AgentState::Stopped {
            return None;
        }
        let expiry = self.outbox.next_expiry().map(|at| {
            let wait = at.since(self.clock.wall) + Duration::from_millis(1);
            self.clock.elapsed.saturating_add(wait.min(EXPIRY_CHECK))
        });
        let fetch = (self.wants_directory && self.state == AgentState::Ready).then_some(self.next_fetch);
        let heartbeat = self.heartbeat.as_ref().map(Heartbeat::timeout);
        let timers = [self.deadline, expiry, self.outbox.next_release(), fetch, heartbeat];
        timers.into_iter().flatten().min()
    }

    /// Where the session stands.
    pub fn state(&self) -> AgentState {
        self.state
    }

    /// Whether envelopes can be published now.
    pub fn is_ready(&self) -> bool {
        self.state == AgentState::Ready
    }

    /// How full the outbox is.
    pub fn outbox(&self) -> OutboxDepth {
        self.outbox.depth()
    }

    /// Why the server of this link could not take a message when it was last sent there, and that it is kept for later.
    pub fn held_for(&self, id: MessageId) -> Option<RejectReason> {
        self.outbox.held_for(id)
    }

    /// Deliveries the program has not settled.
    pub fn unsettled(&self) -> usize {
        self.unsettled.len()
    }

    fn check_invariants(&self) {
        self.outbox.check_invariants();
        debug_assert!(self.unsettled.len() <= usize::from(self.config.prefetch.unwrap_or(0)), "past the prefetch");
        debug_assert!(self.directory_parts.held() <= limit::DIRECTORY, "directory past its bound");
        debug_assert!(self.state == AgentState::Closing || self.close.is_none(), "a close in another state");
        debug_assert!(
            self.frames.len() <= usize::from(self.config.prefetch.unwrap_or(0)) + 4,
            "frames past their bound"
        );
    }
}
