//! The exchange: what an agent does with what its session tells and its program asks for. No IO, no waiting.
//!
//! ```text
//!  program ── Command, Settling ──▶┌──────────┐── Delivery, confirms ──▶ program
//!                                  │ Exchange │
//!  link driver ── frames, time ──▶ │ (session)│── frames, Connect ─────▶ link driver
//!  directory keeper ── changed ──▶ └──────────┘── documents ───────────▶ directory keeper
//! ```
//!
//! One task owns it (see [`link_driver`](crate::link_driver)). Opening an envelope and sealing receipts happen here,
//! about 0.1 ms each; sealing what the program sends happens in the program's task.

mod guest;
mod inbound;
mod login;
mod outbound;
mod parked;
mod receipt_desk;
mod replay;
mod settling;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::{ChannelBinding, Settlement};
use dmr_core::id::{InstanceId, MessageId};
use dmr_core::reason::{CloseReason, FailureReason};
use dmr_core::replay::ReplayGuard;
use dmr_core::session::{AgentOutput, AgentSession, AgentSessionConfig, AgentState, DeliveryId, Transmit};
use tokio::sync::{mpsc, oneshot, watch};

use self::outbound::Outgoing;
use self::parked::ParkingLot;
use self::receipt_desk::ReceiptDesk;
use self::replay::Remembered;
use self::settling::ReceiptMessage;
use crate::delivery::{Delivery, Settling};
use crate::error::SendError;
use crate::limits::Limits;
use crate::message::Accepted;
use crate::observe;
use crate::records::Records;
use crate::sealing::{SealedMessage, Sealer};

/// What an agent's handles ask for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Publish a message.
    Publish {
        message: SealedMessage,
        confirmed: oneshot::Sender<Result<Accepted, SendError>>,
        /// Where its answer goes, when somebody waits for one.
        answer: Option<oneshot::Sender<Reply>>,
    },
    /// Take a message back that was never on any link.
    Withdraw { id: MessageId, done: oneshot::Sender<bool> },
    /// Finish what is in flight and stop.
    Shutdown,
}

/// What comes back to whoever asked a question.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer, or that there will be none, to be settled by the asker.
    Answer(Box<Delivery>),
    /// Every recipient spoke, and one at least refused the question, signed.
    Failed(FailureReason),
}

/// What the exchange tells the rest of the process without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LinkStatus {
    /// The server that the agent is logged in to, by its place in the configuration.
    pub(crate) server: Option<usize>,
    /// The session has stopped; nothing follows.
    pub(crate) stopped: bool,
}

/// What an agent is told once, at its start: see [`AgentConfig`](crate::AgentConfig).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Switches {
    pub(crate) receipts: bool,
    pub(crate) allow_unbound: bool,
    pub(crate) guest: bool,
}

/// The ways out of the exchange.
#[derive(Debug)]
pub(crate) struct Outlets {
    /// Messages nobody waits for.
    pub(crate) program: mpsc::Sender<Delivery>,
    /// Where deliveries are settled: every delivery takes a permit along.
    pub(crate) settlings: mpsc::Sender<Settling>,
    /// Directory documents to verify.
    pub(crate) documents: mpsc::Sender<Bytes>,
    /// Whether the agent is logged in.
    pub(crate) status: watch::Sender<LinkStatus>,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Exchange {
    session: AgentSession,
    sealer: Sealer,
    limits: Limits,
    switches: Switches,
    instance: InstanceId,
    records: Arc<Mutex<Records>>,
    outlets: Outlets,
    /// Who waits for an answer. At most [`Limits::asks`].
    asks: HashMap<MessageId, oneshot::Sender<Reply>>,
    /// What is published and neither confirmed nor given up.
    outgoing: HashMap<MessageId, Outgoing>,
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

impl Exchange {
    pub(crate) fn new(
        mut session: AgentSessionConfig,
        sealer: Sealer,
        limits: Limits,
        switches: Switches,
        records: Arc<Mutex<Records>>,
        outlets: Outlets,
    ) -> Self {
        let now = sealer.clock().now();
        let instance = session.instance;
        // Without a directory nothing can be opened, and a replica that has one could.
        session.subscribes_at_once = sealer.directory().is_some();
        let mut session = AgentSession::new(session, now);
        if let Some(directory) = sealer.directory() {
            session.directory_changed(directory.revision());
        }
        Self {
            session,
            switches,
            instance,
            records,
            outlets,
            asks: HashMap::new(),
            outgoing: HashMap::new(),
            resend: BTreeSet::new(),
            resend_bytes: 0,
            guard: ReplayGuard::new(limits.replay_guard),
            desk: ReceiptDesk::new(limits.receipts),
            receipt_messages: BTreeMap::new(),
            parked: ParkingLot::default(),
            binding: ChannelBinding::None,
            challenge: None,
            refused_logins: 0,
            sealer,
            limits,
        }
    }

    /// The link that was asked for is open.
    pub(crate) fn link_up(&mut self, binding: ChannelBinding) {
        self.binding = binding;
        self.session.link_up(self.sealer.clock().now());
    }

    /// The link is gone, or could not be opened.
    pub(crate) fn link_down(&mut self, reason: CloseReason) {
        self.challenge = None;
        // The server gives them to the next link.
        self.parked.take_all();
        self.session.link_down(reason, self.sealer.clock().now());
    }

    /// A frame came in.
    pub(crate) fn receive(&mut self, frame: &Bytes) {
        self.session.receive(frame, self.sealer.clock().now());
    }

    /// A handle asks for something.
    pub(crate) fn command(&mut self, command: Command) {
        match command {
            Command::Publish { message, confirmed, answer } => self.publish(message, confirmed, answer),
            Command::Withdraw { id, done } => {
                let withdrawn = self.withdraw(id);
                // A handle that no longer waits needs no word.
                let _ = done.send(withdrawn);
            }
            Command::Shutdown => self.shutdown(),
        }
    }

    /// Finishes what is in flight within the session's grace period, and stops.
    pub(crate) fn shutdown(&mut self) {
        self.send_every_receipt();
        self.session.shutdown(self.sealer.clock().now());
    }

    /// Another directory is in use.
    pub(crate) fn directory_changed(&mut self) {
        let Some(directory) = self.sealer.directory() else { return };
        self.session.directory_changed(directory.revision());
        self.session.accept_deliveries();
        self.check_server_again(&directory);
        self.open_parked();
    }

    /// Looks at the time.
    pub(crate) fn handle_timeout(&mut self) {
        let now = self.sealer.clock().now();
        self.session.handle_timeout(now);
        self.send_again(now.elapsed);
        self.return_parked(now.elapsed);
        self.return_unreceipted(now.elapsed);
        self.send_receipts();
    }

    /// Does what the session asks for; returns the server to dial, if it asks for one.
    pub(crate) fn turn(&mut self) -> Option<usize> {
        let mut dial = None;
        while let Some(output) = self.session.poll_output() {
            match output {
                AgentOutput::Connect { server } => dial = Some(server),
                AgentOutput::Sign { challenge, challenge_bytes, signature } => {
                    self.log_in(&challenge, challenge_bytes, signature);
                }
                AgentOutput::Ready { server, session, store } => {
                    tracing::info!(server, %session, %store, "logged in");
                    self.refused_logins = 0;
                    self.receipts_go_on();
                    self.set_status(LinkStatus { server: Some(server), stopped: false });
                }
                AgentOutput::Down { reason, retry_in } => {
                    tracing::warn!(%reason, retry_in_ms = retry_in.as_millis(), "no link to a server");
                    if reason == CloseReason::LoginRefused {
                        self.refused_logins = self.refused_logins.wrapping_add(1);
                    }
                    if self.outlets.status.borrow().server.is_some() {
                        self.link_was_lost();
                    }
                    self.set_status(LinkStatus::default());
                }
                AgentOutput::Confirmed { id } => self.confirmed(id),
                AgentOutput::Rejected { id, reason, retry_after, recipients } => {
                    self.rejected(id, reason, retry_after, recipients);
                }
                AgentOutput::Delivered { delivery, attempt, envelope } => self.delivered(delivery, attempt, envelope),
                AgentOutput::Expired { id } => self.expired(id),
                AgentOutput::Directory { document } => {
                    // Full: the keeper is busy with a newer one, and asks again when it is not.
                    if self.outlets.documents.try_send(document).is_err() {
                        tracing::debug!("a directory document came while others wait to be verified");
                    }
                }
                AgentOutput::Notice { id, reason } => self.noticed(id, reason),
                AgentOutput::Stopped => self.set_status(LinkStatus { server: None, stopped: true }),
            }
        }
        self.send_receipts();
        observe::outbox(self.session.outbox());
        dial
    }

    /// Whether the session has stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.session.state() == AgentState::Stopped
    }

    fn set_status(&mut self, status: LinkStatus) {
        observe::connected(status.server.is_some());
        self.outlets.status.send_replace(status);
    }

    /// The next frame for the link, or the close.
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.session.poll_transmit()
    }

    /// Whether [`Self::poll_transmit`] may have something.
    pub(crate) fn wants_transmit(&self) -> bool {
        self.session.wants_transmit()
    }

    /// When [`Self::handle_timeout`] wants to be called, on the clock's `elapsed`.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
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

    fn settle(&mut self, delivery: DeliveryId, settlement: Settlement) {
        self.session.settle(delivery, settlement);
    }

    fn retry(&mut self, delivery: DeliveryId, after: Duration) {
        /// Longest wait that a settlement may ask for.
        const LONGEST: Duration = Duration::from_secs(600);
        let after_ms = u32::try_from(after.min(LONGEST).as_millis()).unwrap_or(u32::MAX);
        self.settle(delivery, Settlement::Retry { after_ms });
    }

    fn with_records<T>(&self, look: impl FnOnce(&mut Records) -> T) -> T {
        // The table is whole after every call, so a panic elsewhere while it was locked harms nothing.
        look(&mut self.records.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
