//! Carries out what the exchange tells: whoever waits is told, deliveries go to the program, documents to the keeper of
//! directories, notes to logs and metrics. Decides nothing.
//!
//! ```text
//!  program ── Command, Settling ──▶┌────────────────┐── Delivery, confirms ──▶ program
//!                                  │ ExchangeDriver │
//!  link driver ── frames, time ──▶ │   (Exchange)   │── frames, Connect ─────▶ link driver
//!  directory keeper ── changed ──▶ └────────────────┘── documents ───────────▶ directory keeper
//! ```
//!
//! One task owns it (see [`link_driver`](crate::link_driver)).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::exchange::{
    Accepted, Exchange, ExchangeConfig, ExchangeOutput, InHand, IncomingMessage, Outcome, SealedMessage, SendError,
};
use dmr_core::frame::ChannelBinding;
use dmr_core::id::MessageId;
use dmr_core::reason::{CloseReason, FailureReason};
use dmr_core::session::Transmit;
use dmr_core::time::Now;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::delivery::{DROPPED_RETRY, Decision, Delivery, Handle, Settling};
use crate::observe;
use crate::outcomes::Outcomes;
use crate::sealing::Sealer;

/// When a message comes again that no program takes.
const NO_PROGRAM_RETRY: Duration = Duration::from_secs(30);

/// What an agent's handles ask for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Publish a message.
    Publish {
        message: SealedMessage,
        confirmed: Confirmed,
        /// Where its answer goes, when somebody waits for one.
        answer: Option<oneshot::Sender<Reply>>,
    },
    /// Take a message back that was never on any link.
    Withdraw { id: MessageId, done: oneshot::Sender<bool> },
    /// Finish what is in flight and stop.
    Shutdown,
}

/// Who waits for the confirm of a message.
pub(crate) type Confirmed = oneshot::Sender<Result<Accepted, SendError>>;

/// What comes back to whoever asked a question.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer, or that there will be none, to be settled by the asker.
    Answer(Box<Delivery>),
    /// Every recipient spoke, and one at least refused the question, signed.
    Failed(FailureReason),
}

/// What is told to the rest of the process without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LinkStatus {
    /// The server that the agent is logged in to, by its place in the configuration.
    pub(crate) server: Option<usize>,
    /// The session has stopped; nothing follows.
    pub(crate) stopped: bool,
}

/// The ways out.
#[derive(Debug)]
pub(crate) struct Outlets {
    /// Messages nobody waits for.
    pub(crate) program: mpsc::Sender<Delivery>,
    /// Where deliveries are settled: every delivery takes a permit along. It has room for as many as the exchange hands
    /// over at once.
    pub(crate) settlings: mpsc::Sender<Settling>,
    /// Directory documents to verify.
    pub(crate) documents: mpsc::Sender<Bytes>,
    /// Whether the agent is logged in.
    pub(crate) status: watch::Sender<LinkStatus>,
    /// Whoever waits for a message's end.
    pub(crate) outcomes: Arc<Outcomes>,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct ExchangeDriver {
    exchange: Exchange<dmr_crypto::Sealer>,
    sealer: Sealer,
    outlets: Outlets,
    /// Who waits for a confirm; each entry goes with it, and there are as many as messages on their way.
    confirms: HashMap<MessageId, Confirmed>,
    /// Who waits for an answer; bounded by the exchange.
    asks: HashMap<MessageId, oneshot::Sender<Reply>>,
}

impl ExchangeDriver {
    pub(crate) fn new(config: ExchangeConfig, sealer: Sealer, outlets: Outlets) -> Self {
        let exchange = Exchange::new(config, sealer.inner().clone(), sealer.clock().now());
        Self { exchange, sealer, outlets, confirms: HashMap::new(), asks: HashMap::new() }
    }

    fn now(&self) -> Now {
        self.sealer.clock().now()
    }

    /// The link that was asked for is open.
    pub(crate) fn link_up(&mut self, binding: ChannelBinding) {
        self.exchange.link_up(binding, self.now());
    }

    /// The link is gone, or could not be opened.
    pub(crate) fn link_down(&mut self, reason: CloseReason) {
        self.exchange.link_down(reason, self.now());
    }

    /// A frame came in.
    pub(crate) fn receive(&mut self, frame: &Bytes) {
        self.exchange.receive(frame, self.now());
    }

    /// A handle asks for something.
    pub(crate) fn command(&mut self, command: Command) {
        match command {
            Command::Publish { message, confirmed, answer } => self.publish(message, confirmed, answer),
            Command::Withdraw { id, done } => {
                let withdrawn = self.exchange.withdraw(id, self.now());
                // A handle that no longer waits needs no word; the same for all replies here.
                let _ = done.send(withdrawn);
            }
            Command::Shutdown => self.shutdown(),
        }
    }

    fn publish(&mut self, message: SealedMessage, confirmed: Confirmed, answer: Option<oneshot::Sender<Reply>>) {
        let id = message.reference.id;
        if answer.is_some() && self.exchange.is_full_of_asks() {
            self.forget_askers_who_left();
        }
        match self.exchange.publish(message, answer.is_some(), self.now()) {
            Err(error) => {
                let _ = confirmed.send(Err(error));
            }
            Ok(()) => {
                self.confirms.insert(id, confirmed);
                self.asks.extend(answer.map(|answer| (id, answer)));
            }
        }
    }

    fn forget_askers_who_left(&mut self) {
        for (question, _) in self.asks.extract_if(|_, asker| asker.is_closed()) {
            self.exchange.stop_asking(question);
        }
    }

    /// The program has settled a delivery.
    pub(crate) fn settled(&mut self, settling: Settling) {
        let Settling { in_hand, decision } = settling;
        let now = self.now();
        let outcome = match decision {
            Decision::Ack => Outcome::Ack,
            Decision::Reject(reason) => Outcome::Reject(reason),
            Decision::Retry(after) => Outcome::Retry(after),
            Decision::Answer { answer, confirmed } => {
                let id = answer.reference.id;
                match self.exchange.settle(in_hand, Outcome::Answer(answer), now) {
                    Ok(()) => drop(self.confirms.insert(id, confirmed)),
                    Err(error) => drop(confirmed.send(Err(error))),
                }
                return;
            }
        };
        if let Err(error) = self.exchange.settle(in_hand, outcome, now) {
            tracing::error!(%error, "only answers can fail to settle");
        }
    }

    /// Finishes what is in flight within the session's grace period, and stops.
    pub(crate) fn shutdown(&mut self) {
        self.exchange.shutdown(self.now());
    }

    /// Another directory is in use.
    pub(crate) fn directory_changed(&mut self) {
        self.exchange.directory_changed(self.now());
    }

    /// Looks at the time.
    pub(crate) fn handle_timeout(&mut self) {
        self.exchange.handle_timeout(self.now());
    }

    /// Does what the exchange tells; returns the server to dial, if it asks for one.
    pub(crate) fn turn(&mut self) -> Option<usize> {
        let mut dial = None;
        while let Some(output) = self.exchange.poll_output() {
            match output {
                ExchangeOutput::Connect { server } => dial = Some(server),
                ExchangeOutput::LoggedIn { server, session, store } => {
                    tracing::info!(server, %session, %store, "logged in");
                    self.set_status(LinkStatus { server: Some(server), stopped: false });
                }
                ExchangeOutput::LoggedOut { reason, retry_in } => {
                    tracing::warn!(%reason, retry_in_ms = retry_in.as_millis(), "no link to a server");
                    self.set_status(LinkStatus::default());
                }
                ExchangeOutput::Stopped => self.set_status(LinkStatus { server: None, stopped: true }),
                ExchangeOutput::Published { id, outcome } => {
                    if let Some(confirmed) = self.confirms.remove(&id) {
                        // A caller that no longer waits can ask for the message by its id; an asker gets a delivery.
                        let _ = confirmed.send(outcome);
                    }
                }
                ExchangeOutput::Answer { question, message, in_hand } => self.answered(question, *message, in_hand),
                ExchangeOutput::AskFailed { question, reason } => {
                    if let Some(asker) = self.asks.remove(&question) {
                        let _ = asker.send(Reply::Failed(reason));
                    }
                }
                ExchangeOutput::AskEnded { question } => drop(self.asks.remove(&question)),
                ExchangeOutput::Delivery { message, in_hand } => {
                    if let Some(delivery) = self.delivery(*message, in_hand) {
                        self.hand_over(delivery);
                    }
                }
                ExchangeOutput::Document { document } => self.offer(document),
                ExchangeOutput::StatusChanged { id } => self.outlets.outcomes.changed(id),
                ExchangeOutput::Note(note) => observe::note(&note),
                _ => {}
            }
        }
        observe::outbox(self.exchange.outbox());
        dial
    }

    /// The answer to a question goes to whoever asked; where nobody waits any more it is late, and comes as any other
    /// message.
    fn answered(&mut self, question: MessageId, message: IncomingMessage, in_hand: InHand) {
        let Some(delivery) = self.delivery(message, in_hand) else { return };
        let Some(asker) = self.asks.remove(&question) else { return self.hand_over(delivery) };
        match asker.send(Reply::Answer(Box::new(delivery))) {
            Ok(()) | Err(Reply::Failed(_)) => {}
            Err(Reply::Answer(late)) => self.hand_over(*late),
        }
    }

    fn hand_over(&mut self, delivery: Delivery) {
        match self.outlets.program.try_send(delivery) {
            Ok(()) => {}
            Err(TrySendError::Full(delivery)) => delivery.retry(DROPPED_RETRY),
            Err(TrySendError::Closed(delivery)) => delivery.retry(NO_PROGRAM_RETRY),
        }
    }

    fn delivery(&mut self, message: IncomingMessage, in_hand: InHand) -> Option<Delivery> {
        match self.outlets.settlings.clone().try_reserve_owned() {
            Ok(permit) => Some(Delivery::new(message, Handle { permit, in_hand, sealer: self.sealer.clone() })),
            Err(_) => {
                // There is room for as many as the exchange hands over; were there not, nothing is lost.
                self.settled(Settling { in_hand, decision: Decision::Retry(DROPPED_RETRY) });
                None
            }
        }
    }

    fn offer(&self, document: Bytes) {
        // Full: the keeper is busy with a newer one, and asks again when it is not.
        if self.outlets.documents.try_send(document).is_err() {
            tracing::debug!("a directory document came while others wait to be verified");
        }
    }

    /// Whether the session has stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.exchange.is_stopped()
    }

    fn set_status(&mut self, status: LinkStatus) {
        observe::connected(status.server.is_some());
        self.outlets.status.send_replace(status);
    }

    /// The next frame for the link, or the close.
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.exchange.poll_transmit()
    }

    /// Whether [`Self::poll_transmit`] may have something.
    pub(crate) fn wants_transmit(&self) -> bool {
        self.exchange.wants_transmit()
    }

    /// When [`Self::handle_timeout`] wants to be called, on the clock's `elapsed`.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.exchange.poll_timeout()
    }
}
