//! Takes deliveries from the agent and settles each: by the webhook, or by whoever asked.

use std::sync::Arc;
use std::time::Duration;

use dmr_core::header::Kind;
use dmr_core::reason::FailureReason;
use dmr_core::retry::{RetryConfig, RetrySchedule};
use metrics::counter;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::caller::{Called, Caller};
use super::rules::{Meaning, Response, meaning};
use crate::api::{ApiState, Progress, note_answer};
use crate::delivery::{Deliveries, Delivery};
use crate::json_message::{JsonMessage, MESSAGE_TYPE};
use crate::message_view;
use dmr_core::exchange::{Answer, IncomingMessage};

/// Counter: calls of the webhook, by outcome.
const CALLS: &str = "dmr_agent_webhook_calls_total";
/// When a message comes again that no program takes, or that could not be answered now. It waits at the server.
const PARKED: Duration = Duration::from_secs(30);

/// The program's end of the stream of deliveries.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) state: Arc<ApiState>,
    /// `None`: nothing unsolicited is acknowledged.
    pub(crate) webhook: Option<Webhook>,
}

/// How the webhook is called, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) caller: Caller,
    pub(crate) retry: RetryConfig,
}

impl Intake {
    /// Settles deliveries until the stream ends or `stop` is cancelled; then finishes those in hand. Calls of the
    /// webhook run at once, as many as the prefetch allows deliveries, so they do not keep the order of messages.
    pub(crate) async fn run(self, mut deliveries: Deliveries, stop: CancellationToken) {
        metrics::describe_counter!(CALLS, "Calls of the webhook, by outcome");
        let mut calls = JoinSet::new();
        loop {
            let delivery = tokio::select! {
                delivery = deliveries.next() => delivery,
                () = stop.cancelled() => None,
            };
            let Some(delivery) = delivery else { break };
            while calls.try_join_next().is_some() {}
            match &self.webhook {
                Some(webhook) => {
                    calls.spawn(deliver(webhook.clone(), Arc::clone(&self.state), delivery));
                }
                None if delivery.message.solicited => {
                    note_answer(&self.state.ledger, delivery, self.state.agent.participant());
                }
                None => delivery.retry(PARKED),
            }
        }
        while calls.join_next().await.is_some() {}
    }
}

/// Calls the webhook until the message is settled.
async fn deliver(webhook: Webhook, state: Arc<ApiState>, delivery: Delivery) {
    let message = &delivery.message;
    let Some(body) = message_view::body(message) else {
        tracing::warn!(id = %message.reference.id, "refused: not a message of an agent program");
        return delivery.reject(FailureReason::Malformed);
    };
    if message.kind == Kind::QUESTION {
        if let Some(reason) = state.agent.unsealable() {
            tracing::warn!(id = %message.reference.id, %reason, "a question waits: its answer could not be sealed");
            return delivery.retry(PARKED);
        }
        // Before the call: the service may answer by itself while it is being called.
        state.questions.remember(message.sender, message.reference);
    }
    note_solicited(&state, message, &body);
    match call_until_settled(&webhook, &state, message, &body).await {
        Settled::Taken => delivery.ack(),
        Settled::Answered(answer) => {
            let answer = Answer::new(MESSAGE_TYPE, answer.encode());
            let id = message.reference.id;
            if let Err(error) = delivery.answer(answer).await {
                tracing::error!(%id, %error, "the service's answer was not accepted");
            }
        }
        Settled::Refused(reason) => delivery.reject(reason),
    }
}

/// What the calls came to.
enum Settled {
    Taken,
    Answered(JsonMessage),
    Refused(FailureReason),
}

async fn call_until_settled(
    webhook: &Webhook,
    state: &ApiState,
    message: &IncomingMessage,
    body: &JsonMessage,
) -> Settled {
    let id = message.reference.id;
    let view = message_view::render(message, body, state.agent.participant());
    let mut schedule = RetrySchedule::new(webhook.retry, seed(message));
    loop {
        let called = webhook.caller.call(id, view.clone(), message.kind == Kind::QUESTION).await;
        let outcome = match &called {
            Ok(Called { status, retry_after, body: answer }) => {
                let response =
                    Response { status: *status, retry_after: retry_after.as_deref(), body: answer.as_deref() };
                meaning(message.kind, &body.type_name, response)
            }
            Err(_) => Meaning::Later(Duration::ZERO),
        };
        let status = called.as_ref().map_or(0, |called| called.status);
        let later = match outcome {
            Meaning::Taken => return counted("taken", Settled::Taken),
            Meaning::Answered(answer) => return counted("answered", Settled::Answered(answer)),
            Meaning::BadAnswer(why) => {
                tracing::error!(%id, why, "the service took a question, and its answer cannot be sent");
                return counted("bad-answer", Settled::Taken);
            }
            Meaning::Refused => {
                tracing::warn!(%id, status, "the service refused a message");
                return counted("refused", Settled::Refused(FailureReason::Refused));
            }
            Meaning::Later(later) => later,
        };
        counter!(CALLS, "outcome" => "failed").increment(1);
        let (attempt, error) = (schedule.attempt(), called.err().map(|error| root_cause(&error)));
        tracing::warn!(%id, status, attempt, error, "the service did not take a message");
        match schedule.next_delay() {
            Some(delay) => tokio::time::sleep(delay.max(later)).await,
            None => return Settled::Refused(FailureReason::Undeliverable),
        }
    }
}

fn counted(outcome: &'static str, settled: Settled) -> Settled {
    counter!(CALLS, "outcome" => outcome).increment(1);
    settled
}

/// The innermost error, such as a refused connection: the outer ones say only that a request failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// An answer is at `GET /v1/messages/{id}` too, whatever the webhook says to it.
fn note_solicited(state: &ApiState, message: &IncomingMessage, body: &JsonMessage) {
    if let (true, Some(question)) = (message.solicited, message.content.in_reply_to) {
        let progress = if message.kind == Kind::DECLINE {
            Progress::Declined
        } else {
            Progress::Answered(message_view::render(message, body, state.agent.participant()))
        };
        state.ledger.advance(question.id, progress);
    }
}

/// Jitter differs between messages; it need not be secret.
fn seed(message: &IncomingMessage) -> u64 {
    let bytes = message.reference.digest.as_bytes();
    bytes.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}
