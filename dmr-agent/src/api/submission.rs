//! One message's way from a request to a confirm, and to an answer. It goes on when its caller hangs up.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use dmr_core::content::Reference;
use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::ledger::{Entry, Ledger, Progress};
use super::problem::Problem;
use super::request::{MessageRequest, RecipientName};
use super::{ApiState, Patience};
use crate::agent::Agent;
use crate::delivery::Delivery;
use crate::exchange_driver::Reply;
use crate::json_message::MESSAGE_TYPE;
use crate::message_view;
use crate::sealing::fresh_id;
use dmr_core::exchange::{Accepted, OutgoingMessage};
use dmr_core::exchange::{SendError, Unsealable};

/// The id under which a request's message travels, and its progress.
pub(super) struct Submission {
    pub(super) id: MessageId,
    pub(super) progress: watch::Receiver<Progress>,
}

/// Sends the message of `request`, or joins the one that is on its way under its id. Until `answer_by` its answer comes
/// here; a later one, and that of a message without such a deadline, goes to the webhook where there is one.
///
/// # Errors
/// [`Problem`] for what no server needs to be asked about.
pub(super) fn submit(
    state: &Arc<ApiState>,
    request: MessageRequest,
    answer_by: Option<Instant>,
) -> Result<Submission, Problem> {
    let id = request.id.unwrap_or_else(fresh_id);
    match state.ledger.begin(id, request.fingerprint) {
        Entry::Same(progress) => Ok(Submission { id, progress }),
        Entry::Other => Err(Problem::conflict()),
        Entry::Full => Err(SendError::Full { retry_after: Duration::from_secs(1) }.into()),
        Entry::New(progress) => {
            let state = Arc::clone(state);
            tokio::spawn(async move {
                if let Err(problem) = carry(&state, id, request, answer_by).await {
                    let is_over = problem.is_expired();
                    state
                        .ledger
                        .advance(id, if is_over { Progress::Over(problem) } else { Progress::Refused(problem) });
                }
            });
            Ok(Submission { id, progress })
        }
    }
}

/// Carries one message to its end: refused, or confirmed and, for a question, answered or not.
async fn carry(
    state: &ApiState,
    id: MessageId,
    request: MessageRequest,
    answer_by: Option<Instant>,
) -> Result<(), Problem> {
    let (agent, ledger) = (&state.agent, &state.ledger);
    let Patience { no_link, unknown } = state.patience;
    await_directory(agent, no_link).await?;
    let to = recipient(agent, &request.recipient)?;
    let mut message = match request.in_reply_to {
        None => OutgoingMessage::question(to, MESSAGE_TYPE, request.message.encode()),
        Some(question) => {
            let question = find_question(state, to, question)?;
            OutgoingMessage::answer(to, question, MESSAGE_TYPE, request.message.encode())
        }
    };
    message.id = Some(id);
    message.expires_in = request.expires_in;
    let (mut confirmed, reply) = agent.begin(message, answer_by.is_some()).await?;
    let reply = reply.zip(answer_by);

    let started = Instant::now();
    for wait in [no_link, unknown] {
        tokio::select! {
            outcome = &mut confirmed => return confirmed_as(ledger, id, outcome, reply, agent).await,
            () = sleep_until(started + wait) => {
                let stuck = wait == unknown || !agent.is_connected();
                if stuck && agent.withdraw(id).await {
                    return Err(Problem::unavailable("no server is connected"));
                }
            }
        }
    }
    let outcome = confirmed.await;
    confirmed_as(ledger, id, outcome, reply, agent).await
}

type Outcome = Result<Result<Accepted, SendError>, oneshot::error::RecvError>;

async fn confirmed_as(
    ledger: &Ledger,
    id: MessageId,
    outcome: Outcome,
    reply: Option<(oneshot::Receiver<Reply>, Instant)>,
    agent: &Agent,
) -> Result<(), Problem> {
    // The agent stopped without a word: the message may be at a server.
    outcome.map_err(|_| Problem::unknown())??;
    ledger.advance(id, Progress::Accepted);
    let Some((reply, answer_by)) = reply else { return Ok(()) };
    match timeout_at(answer_by, reply).await {
        Ok(Ok(Reply::Answer(delivery))) => note_answer(ledger, *delivery, agent.participant()),
        Ok(Ok(Reply::Failed(reason))) => ledger.advance(id, Progress::Failed(reason)),
        // It expired without an answer, as the agent's own status says; or its caller has gone.
        Ok(Err(_)) | Err(_) => {}
    }
    Ok(())
}

/// Puts an answer where callers find it, and acknowledges it: this is the program that takes it.
pub(crate) fn note_answer(ledger: &Ledger, delivery: Delivery, me: ParticipantId) {
    let message = &delivery.message;
    let Some(question) = message.content.in_reply_to else { return delivery.ack() };
    if message.kind == Kind::DECLINE {
        ledger.advance(question.id, Progress::Declined);
        return delivery.ack();
    }
    match message_view::body(message) {
        Some(body) => {
            ledger.advance(question.id, Progress::Answered(message_view::render(message, &body, me)));
            delivery.ack();
        }
        None => delivery.reject(FailureReason::Malformed),
    }
}

/// At the start of the process a directory is on its way: worth a short wait.
async fn await_directory(agent: &Agent, patience: Duration) -> Result<(), Problem> {
    if agent.unsealable() == Some(Unsealable::NoDirectory) && timeout(patience, agent.ready()).await.is_err() {
        return Err(SendError::Unsealable(Unsealable::NoDirectory).into());
    }
    Ok(())
}

/// Who is called so, by the directory in use.
///
/// # Errors
/// [`Problem`] when nobody is.
pub(crate) fn recipient(agent: &Agent, name: &RecipientName) -> Result<ParticipantId, Problem> {
    match name {
        RecipientName::Id(id) => Ok(*id),
        RecipientName::Name(name) => {
            let directory = agent.directory();
            let listed = directory.as_ref().and_then(|directory| directory.participant_by_name(name));
            listed.map(|participant| participant.id).ok_or_else(|| {
                Problem::new(StatusCode::NOT_FOUND, "unknown-recipient", "the directory does not list the recipient")
                    .detail(format!("nobody is called {name}"))
            })
        }
    }
}

fn find_question(state: &ApiState, asker: ParticipantId, id: MessageId) -> Result<Reference, Problem> {
    state.questions.find(asker, id).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "unknown-question", "no such question of the recipient's came in")
            .detail("inReplyTo must name a question that this process was given, and recipientId its sender")
            .member("pointer", "/inReplyTo")
    })
}
