//! Sending, asking, and what became of it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use dmr_core::id::MessageId;
use dmr_core::reason::FailureReason;
use dmr_transport::service::units;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::ApiState;
use super::field::FieldError;
use super::ledger::Progress;
use super::problem::Problem;
use super::request::MessageRequest;
use super::submission::{Submission, submit};
use dmr_core::exchange::MessageStatus;

/// How long a question waits for its answer where the caller does not say.
const ANSWER: Duration = Duration::from_secs(30);
/// Longest wait that a caller may ask for.
const LONGEST: Duration = Duration::from_secs(600);

/// A message that never left is taken back when the caller's patience ends; time for that word to get here.
const LAST_WORD: Duration = Duration::from_millis(250);

/// `POST /v1/messages`
pub(super) async fn send(State(state): State<Arc<ApiState>>, WholeBody(body): WholeBody) -> Result<Response, Problem> {
    let request = MessageRequest::parse(&body)?;
    let Submission { id, mut progress } = submit(&state, request, None)?;
    let settled = progress.wait_for(|progress| *progress != Progress::Sending);
    let settled =
        tokio::time::timeout(state.patience.unknown + LAST_WORD, settled).await.map_err(|_| Problem::unknown())?;
    match settled.as_deref() {
        Ok(Progress::Refused(problem) | Progress::Over(problem)) => Err(problem.clone()),
        Ok(_) => Ok(json_response(StatusCode::ACCEPTED, &json!({"id": id, "status": "accepted"}))),
        // The line was forgotten before it was looked at; its message had come to its end by then.
        Err(_) => Err(Problem::unknown()),
    }
}

/// `POST /v1/questions?timeout=30s`
pub(super) async fn ask(
    State(state): State<Arc<ApiState>>,
    wait: Result<Query<Wait>, QueryRejection>,
    WholeBody(body): WholeBody,
) -> Result<Response, Problem> {
    let deadline = Instant::now() + wait.map_err(|_| Wait::problem())?.span()?;
    let request = MessageRequest::parse(&body)?;
    if request.in_reply_to.is_some() {
        return Err(FieldError::new("/inReplyTo", "an answer is no question: use POST /v1/messages").into());
    }
    let Submission { id, mut progress } = submit(&state, request, Some(deadline))?;
    let over = |progress: &Progress| !matches!(progress, Progress::Sending | Progress::Accepted);
    let outcome = match timeout_at(deadline, progress.wait_for(over)).await {
        Ok(Ok(outcome)) => outcome.clone(),
        Ok(Err(_)) | Err(_) => state.ledger.progress(id).unwrap_or(Progress::Sending),
    };
    match outcome {
        Progress::Answered(answer) if !answer.is_empty() => {
            Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], answer).into_response())
        }
        Progress::Refused(problem) | Progress::Over(problem) => Err(problem),
        Progress::Failed(reason) => {
            Err(unanswered(id, "question-failed", "the recipient refused the question", "failed")
                .member("reason", reason.as_str()))
        }
        Progress::Declined => Err(unanswered(id, "question-declined", "the recipient declined to answer", "delivered")),
        Progress::Sending | Progress::Accepted | Progress::Answered(_) => {
            let status = state.agent.message(id).map_or("pending", |status| status.as_str());
            Err(unanswered(id, "no-answer-yet", "no answer has come in time", status)
                .detail(format!("a late answer is at /v1/messages/{id}")))
        }
    }
}

/// A question without an answer, and what is known of it.
fn unanswered(id: MessageId, name: &'static str, title: &'static str, status: &str) -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, name, title).member("id", id.to_string()).member("questionStatus", status)
}

/// `GET /v1/messages/{id}`
pub(super) async fn status(
    State(state): State<Arc<ApiState>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let not_found = || Problem::new(StatusCode::NOT_FOUND, "unknown-message", "this process knows no such message");
    let id: MessageId = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(not_found)?;
    let status = state.agent.message(id).ok_or_else(not_found)?;
    let body = known(id, status, state.agent.notice(id));
    let answer = match state.ledger.progress(id) {
        Some(Progress::Answered(answer)) if !answer.is_empty() => answer,
        _ => return Ok(json_response(StatusCode::OK, &body)),
    };
    // The answer's text goes out as it is kept: its payload is its writer's to the letter.
    let head = body.to_string();
    let head = head.strip_suffix('}').unwrap_or(&head);
    let whole = [head.as_bytes(), b",\"answer\":", &answer, b"}"].concat();
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], whole).into_response())
}

/// What is known of a message; a server's notice beside it, for what that is worth.
fn known(id: MessageId, status: MessageStatus, notice: Option<FailureReason>) -> Value {
    let mut known = Map::new();
    known.insert("id".to_owned(), json!(id));
    known.insert("status".to_owned(), json!(status.as_str()));
    if let MessageStatus::Failed { reason, signed } = status {
        known.insert("reason".to_owned(), json!(reason.as_str()));
        known.insert("signed".to_owned(), json!(signed));
    }
    if let Some(reason) = notice {
        known.insert("notice".to_owned(), json!(reason.as_str()));
    }
    known.into()
}

/// `?timeout=`: a duration such as `30s`, or a number of seconds.
#[derive(Debug, Deserialize)]
pub(super) struct Wait {
    timeout: Option<String>,
}

impl Wait {
    fn span(&self) -> Result<Duration, Problem> {
        let Some(text) = &self.timeout else { return Ok(ANSWER) };
        let span = text.parse().map(Duration::from_secs).ok().or_else(|| units::duration(text).ok());
        match span {
            Some(span) if span <= LONGEST => Ok(span),
            _ => Err(Self::problem()),
        }
    }

    fn problem() -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "malformed", "the request is malformed")
            .detail("timeout must be seconds or a duration such as 30s or 500ms, at most 10m, given once")
            .member("parameter", "timeout")
    }
}

/// A request's body, whole and within the router's bound. It has the time that its caller would wait for a confirm: one
/// that does not send it would hold a connection for ever.
pub(super) struct WholeBody(Bytes);

impl FromRequest<Arc<ApiState>> for WholeBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<ApiState>) -> Result<Self, Problem> {
        match tokio::time::timeout(state.patience.unknown, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::too_large()),
            Ok(Err(_)) => Err(FieldError::new("", "could not be read to its end").into()),
            Err(_) => Err(FieldError::new("", "did not come in time").into()),
        }
    }
}

pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
