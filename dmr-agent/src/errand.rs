//! One message on its errand: sent by a process of its own, and waited for until its fate is known.
//!
//! ```text
//! ready ─▶ sealed ─▶ accepted ─▶ a signed word: delivered, answered, failed
//!   │         │          ├─────▶ a server's word, unsigned, and no signed one soon after
//!   └─────────┴──────────┴─────▶ the deadline or a signal: what is known then
//! ```

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::agent::Agent;
use crate::api::{self, FieldError, MessageRequest, Problem, RecipientName};
use crate::delivery::Delivery;
use crate::exchange_driver::Reply;
use crate::fate::{End, Fate};
use crate::json_message::MESSAGE_TYPE;
use crate::message_view;
use crate::sealing::fresh_id;
use dmr_core::exchange::MessageStatus;
use dmr_core::exchange::SendError;
use dmr_core::exchange::{Accepted, OutgoingMessage};

/// How long a signed word may take after an unsigned one: a server that buries a message tells of it before the recipient's
/// receipt is through.
const AFTER_NOTICE: Duration = Duration::from_secs(3);
/// How long an answer may take after the receipt that comes with it.
const WITH_RECEIPT: Duration = Duration::from_millis(250);

/// A message to send, and how long to wait for its fate.
#[derive(Debug)]
pub(crate) struct Errand {
    /// Whom it is for. The request may name the same participant in another way.
    pub(crate) to: RecipientName,
    pub(crate) request: MessageRequest,
    /// [`Kind::QUESTION`] or [`Kind::EVENT`].
    pub(crate) kind: Kind,
    /// A question is not over with its receipt.
    pub(crate) await_answer: bool,
    pub(crate) deadline: Instant,
}

/// What happens on the way, for a person who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Logged in to the server at this place, and able to seal.
    Ready(Option<usize>),
    /// A server has stored it.
    Accepted(Option<usize>),
    /// Its recipient has it, signed; its answer is waited for.
    Delivered,
    /// It failed, and no recipient signed that yet.
    Unsigned(FailureReason),
    /// Its answer was written by no agent program, and refused.
    Unreadable,
}

type Confirm = oneshot::Receiver<Result<Accepted, SendError>>;

impl Errand {
    /// Runs it to its end: its fate, the deadline, or `stop`, whichever comes first.
    ///
    /// # Errors
    /// [`FieldError`] when the request names another recipient than [`Errand::to`]. Nothing was sent.
    pub(crate) async fn run(
        self,
        agent: &Agent,
        stop: impl Future<Output = ()>,
        mut tell: impl FnMut(Step),
    ) -> Result<Fate, FieldError> {
        let mut stop = std::pin::pin!(stop);
        let id = self.request.id.unwrap_or_else(fresh_id);
        let mut fate = Fate::new(id, self.kind);
        if let Some(problem) = self.ready(agent, stop.as_mut()).await {
            return Ok(fate.ended(End::NotAccepted(problem)));
        }
        tell(Step::Ready(agent.server()));
        let recipient = match api::recipient(agent, &self.to) {
            Ok(recipient) => recipient,
            Err(problem) => return Ok(fate.ended(End::NotAccepted(problem))),
        };
        if api::recipient(agent, &self.request.recipient) != Ok(recipient) {
            return Err(FieldError::new("/recipientId", "names another recipient than --to"));
        }
        fate.recipient = Some(recipient);
        let (confirmed, reply) = match agent.begin(self.message(id, recipient), self.kind == Kind::QUESTION).await {
            Ok(begun) => begun,
            Err(error) => return Ok(fate.ended(End::NotAccepted(error.into()))),
        };
        let mut watch = Watch { agent, id, errand: &self, fate, tell: &mut tell };
        let end = watch.follow(confirmed, reply, stop).await;
        let fate = watch.fate;
        Ok(fate.noticed(agent.notice(id)).ended(end))
    }

    fn message(&self, id: MessageId, to: ParticipantId) -> OutgoingMessage {
        let body = self.request.message.encode();
        let mut message = match self.kind {
            Kind::QUESTION => OutgoingMessage::question(to, MESSAGE_TYPE, body),
            _ => OutgoingMessage::event(to, MESSAGE_TYPE, body),
        };
        message.id = Some(id);
        message.expires_in = self.request.expires_in;
        message
    }

    /// Waits for a server and a directory; otherwise says what is missing.
    async fn ready(&self, agent: &Agent, stop: Pin<&mut impl Future<Output = ()>>) -> Option<Problem> {
        let missing = || match agent.unsealable() {
            Some(reason) if agent.is_connected() => SendError::Unsealable(reason).into(),
            _ => Problem::unavailable("no server is connected"),
        };
        tokio::select! {
            () = agent.ready() => None,
            () = sleep_until(self.deadline) => Some(missing()),
            () = stop => Some(Problem::unavailable("a signal came before it was sent")),
        }
    }
}

/// A message that is on its way.
struct Watch<'a, F> {
    agent: &'a Agent,
    id: MessageId,
    errand: &'a Errand,
    fate: Fate,
    tell: &'a mut F,
}

impl<F: FnMut(Step)> Watch<'_, F> {
    async fn follow(
        &mut self,
        mut confirmed: Confirm,
        mut reply: Option<oneshot::Receiver<Reply>>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> End {
        let (agent, id) = (self.agent, self.id);
        let mut until = self.errand.deadline;
        let (mut unsigned, mut signed) = (false, false);
        loop {
            tokio::select! {
                biased;
                came = answer(&mut reply) => match came {
                    Some(Reply::Answer(delivery)) => return self.answered(*delivery),
                    Some(Reply::Failed(reason)) => return End::Failed { reason, signed: true },
                    None => reply = None,
                },
                outcome = &mut confirmed, if self.fate.accepted.is_none() => match outcome {
                    Ok(Ok(_)) => {
                        self.fate.accepted_now();
                        (self.tell)(Step::Accepted(agent.server()));
                    }
                    Ok(Err(error)) => return refused(agent.message(id), error),
                    Err(_) => return refused(agent.message(id), SendError::Stopped),
                },
                Some(_) = agent.signed_outcome(id), if !signed => {
                    signed = true;
                    match agent.message(id) {
                        Some(MessageStatus::Failed { reason, .. }) => return End::Failed { reason, signed: true },
                        // Its text follows.
                        Some(MessageStatus::Answered { .. }) => until = self.errand.deadline,
                        _ if self.errand.kind != Kind::QUESTION => return End::Delivered { declined: false },
                        _ if self.errand.await_answer => {
                            until = self.errand.deadline;
                            (self.tell)(Step::Delivered);
                        }
                        _ => until = self.errand.deadline.min(Instant::now() + WITH_RECEIPT),
                    }
                },
                Some(status) = agent.outcome(id), if !unsigned && !signed => {
                    unsigned = true;
                    if let MessageStatus::Failed { reason, signed: false } = status {
                        (self.tell)(Step::Unsigned(reason));
                        until = until.min(Instant::now() + AFTER_NOTICE);
                    }
                },
                () = sleep_until(until) => return self.undecided().await,
                () = &mut stop => return self.undecided().await,
            }
        }
    }

    /// The answer is here, to be acknowledged when it has been handed on.
    fn answered(&mut self, delivery: Delivery) -> End {
        if delivery.message.kind == Kind::DECLINE {
            delivery.ack();
            return End::Delivered { declined: true };
        }
        match message_view::body(&delivery.message) {
            Some(body) => {
                let view = message_view::render(&delivery.message, &body, self.agent.participant());
                End::Answered { view, delivery: Box::new(delivery) }
            }
            None => {
                (self.tell)(Step::Unreadable);
                delivery.reject(FailureReason::Malformed);
                End::Undecided("answered")
            }
        }
    }

    /// Nothing more is waited for: what is known now.
    async fn undecided(&self) -> End {
        match self.agent.message(self.id) {
            Some(MessageStatus::Failed { reason, signed }) => End::Failed { reason, signed },
            Some(MessageStatus::Delivered) if !self.errand.await_answer => End::Delivered { declined: false },
            Some(MessageStatus::Pending) | None if self.agent.withdraw(self.id).await => {
                End::NotAccepted(Problem::unavailable("no server is connected"))
            }
            Some(status) => End::Undecided(status.as_str()),
            None => End::Undecided(MessageStatus::Pending.as_str()),
        }
    }
}

/// A message that was not confirmed: never taken, or perhaps taken by somebody, and then it is remembered.
fn refused(remembered: Option<MessageStatus>, error: SendError) -> End {
    match remembered {
        None => End::NotAccepted(error.into()),
        Some(MessageStatus::Failed { reason, signed }) => End::Failed { reason, signed },
        Some(status) => End::Undecided(status.as_str()),
    }
}

/// What comes of a question; pending where nothing will.
async fn answer(reply: &mut Option<oneshot::Receiver<Reply>>) -> Option<Reply> {
    match reply {
        Some(reply) => reply.await.ok(),
        None => std::future::pending().await,
    }
}
