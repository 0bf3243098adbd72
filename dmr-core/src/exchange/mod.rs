//! The exchange: an agent without its IO. What becomes of a message between the program that writes or handles it and
//! the session that carries it: sealed answers and receipts, replays, what is tried again, and who is told what.
//!
//! ```text
//!  program ── publish, settle ───▶┌──────────┐── Delivery, Answer, Confirmed ──▶ program
//!                                 │ Exchange │
//!  link ───── frames, time ──────▶│ (session)│── Connect; frames ─────────────▶ link
//!  directory ─ changed ──────────▶│          │── Document ────────────────────▶ whoever verifies directories
//!                                 └──────────┘
//!                                      │ open, seal, log in
//!                                      ▼
//!                                   Sealing (dmr-crypto)
//! ```
//!
//! Like the session in it, the exchange reads no clock and does no IO: a driver hands in what happens and then takes
//! [`Exchange::poll_output`] until it is empty. Opening an envelope and sealing receipts happen in its calls, about
//! 0.1 ms each; what the program sends is sealed before it is handed in.
//!
//! Reading order: [`Sealing`], what it needs of cryptography; [`ExchangeOutput`], what it tells; `inbound` and `settling`,
//! what happens to a delivery; `outbound`, what happens to a message; [`Records`], what is known of it afterwards.

mod config;
mod error;
mod guest;
mod inbound;
mod limits;
mod login;
mod message;
mod message_status;
mod outbound;
mod output;
mod parked;
mod receipt_desk;
mod records;
mod replay;
mod sealing;
mod settling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

pub use self::config::ExchangeConfig;
pub use self::error::{SendError, Unsealable};
pub use self::limits::Limits;
pub use self::message::{Accepted, Answer, IncomingMessage, OutgoingMessage};
pub use self::message_status::MessageStatus;
pub use self::output::{ExchangeOutput, InHand, Note, Outcome};
pub use self::records::Records;
pub use self::sealing::{LoginRefusal, LoginRequest, NotOpened, Opened, SealedMessage, Sealing, SignedLogin};

use self::outbound::Outgoing;
use self::parked::ParkingLot;
use self::receipt_desk::ReceiptDesk;
use self::records::Table;
use self::replay::Remembered;
use self::settling::ReceiptMessage;
use crate::frame::{ChannelBinding, Settlement};
use crate::id::{InstanceId, MessageId};
use crate::reason::CloseReason;
use crate::replay::ReplayGuard;
use crate::session::{AgentOutput, AgentSession, AgentState, DeliveryId, OutboxDepth, Transmit};
use crate::time::Now;

/// See the [module](self).
#[derive(Debug)]
pub struct Exchange<S> {
    session: AgentSession,
    sealing: S,
    clock: Now,
    limits: Limits,
    receipts: bool,
    guest: bool,
    allow_unbound: bool,
    instance: InstanceId,
    records: Records,
    outputs: VecDeque<ExchangeOutput>,
    /// The server that the session is logged in to.
    server: Option<usize>,
    /// Messages that the program has and has not settled, and the most of them.
    in_hand: usize,
    most_in_hand: usize,
    /// Questions whose answer somebody waits for. At most [`Limits::asks`].
    asks: BTreeSet<MessageId>,
    /// What is published and neither confirmed nor given up.
    outgoing: BTreeMap<MessageId, Outgoing>,
    /// Those that a server could not take, by the time of the next attempt.
    resend: BTreeSet<(Duration, MessageId)>,
    /// Bytes of their envelopes.
    resend_bytes: usize,
    guard: ReplayGuard<Remembered>,
    desk: ReceiptDesk<DeliveryId>,
    /// Receipt messages without a confirm.
    receipt_messages: BTreeMap<MessageId, ReceiptMessage>,
    /// Envelopes that wait for a newer directory.
    parked: ParkingLot,
    binding: ChannelBinding,
    /// The challenge of the link in use: checked again when the directory changes.
    challenge: Option<(Bytes, Bytes)>,
    /// Logins refused in a row.
    refused_logins: usize,
}

impl<S: Sealing> Exchange<S> {
    /// An exchange that begins to connect at once. What is known of its messages can be read in `config`'s
    /// [`records`](ExchangeConfig::records) from anywhere.
    pub fn new(config: ExchangeConfig, sealing: S, now: Now) -> Self {
        let ExchangeConfig { mut session, limits, receipts, guest, allow_unbound, records } = config;
        let instance = session.instance;
        session.outbox_messages = limits.outbox_messages.saturating_add(Limits::RESERVED_MESSAGES);
        session.outbox_bytes = limits.outbox_bytes.saturating_add(Limits::RESERVED_BYTES);
        // Without a directory nothing can be opened, and a replica that has one could.
        session.subscribes_at_once = sealing.directory_revision().is_some();
        let most_in_hand = ExchangeConfig::most_in_hand(session.prefetch);
        let mut session = AgentSession::new(session, now);
        if let Some(revision) = sealing.directory_revision() {
            session.directory_changed(revision);
        }
        Self {
            session,
            sealing,
            clock: now,
            limits,
            receipts,
            guest,
            allow_unbound,
            instance,
            records,
            outputs: VecDeque::new(),
            server: None,
            in_hand: 0,
            most_in_hand,
            asks: BTreeSet::new(),
            outgoing: BTreeMap::new(),
            resend: BTreeSet::new(),
            resend_bytes: 0,
            guard: ReplayGuard::new(limits.replay_guard),
            desk: ReceiptDesk::new(limits.receipts),
            receipt_messages: BTreeMap::new(),
            parked: ParkingLot::default(),
            binding: ChannelBinding::None,
            challenge: None,
            refused_logins: 0,
        }
    }

    /// The link that was asked for is open.
    pub fn link_up(&mut self, binding: ChannelBinding, now: Now) {
        self.clock = now;
        self.binding = binding;
        self.session.link_up(now);
    }

    /// The link is gone, or could not be opened.
    pub fn link_down(&mut self, reason: CloseReason, now: Now) {
        self.clock = now;
        self.challenge = None;
        // The server gives them to the next link.
        self.parked.take_all();
        self.session.link_down(reason, now);
    }

    /// A frame came in.
    pub fn receive(&mut self, frame: &Bytes, now: Now) {
        self.clock = now;
        self.session.receive(frame, now);
    }

    /// Finishes what is in flight within the session's grace period, and stops.
    pub fn shutdown(&mut self, now: Now) {
        self.clock = now;
        self.send_every_receipt();
        self.session.shutdown(now);
    }

    /// Another directory is in use.
    pub fn directory_changed(&mut self, now: Now) {
        self.clock = now;
        let Some(revision) = self.sealing.directory_revision() else { return };
        self.session.directory_changed(revision);
        self.session.accept_deliveries();
        self.check_server_again();
        self.open_parked();
    }

    /// Looks at the time.
    pub fn handle_timeout(&mut self, now: Now) {
        self.clock = now;
        self.session.handle_timeout(now);
        self.send_again(now.elapsed);
        self.return_parked(now.elapsed);
        self.return_unreceipted(now.elapsed);
        self.send_receipts();
    }

    /// The next thing for the driver to do or to tell. To be asked after every call until it returns `None`.
    pub fn poll_output(&mut self) -> Option<ExchangeOutput> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let Some(output) = self.session.poll_output() else {
                self.send_receipts();
                return self.outputs.pop_front();
            };
            self.take(output);
        }
    }

    /// Does what the session asks for.
    fn take(&mut self, output: AgentOutput) {
        match output {
            AgentOutput::Connect { server } => self.tell(ExchangeOutput::Connect { server }),
            AgentOutput::Sign { challenge, challenge_bytes, signature } => {
                self.log_in(challenge, challenge_bytes, signature);
            }
            AgentOutput::Ready { server, session, store } => {
                self.refused_logins = 0;
                self.server = Some(server);
                self.receipts_go_on();
                self.tell(ExchangeOutput::LoggedIn { server, session, store });
            }
            AgentOutput::Down { reason, retry_in } => {
                if reason == CloseReason::LoginRefused {
                    self.refused_logins = self.refused_logins.wrapping_add(1);
                }
                if self.server.take().is_some() {
                    self.link_was_lost();
                }
                self.tell(ExchangeOutput::LoggedOut { reason, retry_in });
            }
            AgentOutput::Confirmed { id } => self.confirmed(id),
            AgentOutput::Rejected { id, reason, retry_after, recipients } => {
                self.rejected(id, reason, retry_after, recipients);
            }
            AgentOutput::Delivered { delivery, attempt, envelope } => self.delivered(delivery, attempt, envelope),
            AgentOutput::Expired { id } => self.expired(id),
            AgentOutput::Directory { document } => self.tell(ExchangeOutput::Document { document }),
            AgentOutput::Notice { id, reason } => self.noticed(id, reason),
            AgentOutput::Stopped => {
                self.server = None;
                self.tell(ExchangeOutput::Stopped);
            }
        }
    }

    fn tell(&mut self, output: ExchangeOutput) {
        self.outputs.push_back(output);
    }

    fn note(&mut self, note: Note) {
        self.outputs.push_back(ExchangeOutput::Note(note));
    }

    /// Whether the session has stopped.
    pub fn is_stopped(&self) -> bool {
        self.session.state() == AgentState::Stopped
    }

    /// The server that the session is logged in to, by its place in the configuration.
    pub fn server(&self) -> Option<usize> {
        self.server
    }

    /// What the exchange seals and opens with.
    pub fn sealing(&self) -> &S {
        &self.sealing
    }

    /// How full the outbox is.
    pub fn outbox(&self) -> OutboxDepth {
        self.session.outbox()
    }

    /// Messages that the program has and has not settled.
    pub fn in_hand(&self) -> usize {
        self.in_hand
    }

    /// The next frame for the link, or the close.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.session.poll_transmit()
    }

    /// Whether [`Self::poll_transmit`] may have something.
    pub fn wants_transmit(&self) -> bool {
        self.session.wants_transmit()
    }

    /// When [`Self::handle_timeout`] wants to be called, on the clock's `elapsed`.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let resend = self.resend.first().map(|(at, _)| *at);
        let timers = [
            self.session.poll_timeout(),
            self.desk.next_due(),
            self.parked.next_overdue(),
            self.next_unreceipted(),
            resend,
        ];
        timers.into_iter().flatten().min()
    }

    /// Looks something up in the records, or notes something there, and tells what that changed.
    fn noted<T>(&mut self, look: impl FnOnce(&mut Table) -> T) -> T {
        let (found, changed) = {
            let mut table = self.records.table();
            (look(&mut table), table.take_changed())
        };
        for id in changed {
            self.tell(ExchangeOutput::StatusChanged { id });
        }
        found
    }

    fn settle_at_server(&mut self, delivery: DeliveryId, settlement: Settlement) {
        self.session.settle(delivery, settlement);
    }

    fn retry(&mut self, delivery: DeliveryId, after: Duration) {
        /// Longest wait that a settlement may ask for.
        const LONGEST: Duration = Duration::from_secs(600);
        let after_ms = u32::try_from(after.min(LONGEST).as_millis()).unwrap_or(u32::MAX);
        self.settle_at_server(delivery, Settlement::Retry { after_ms });
    }
}
