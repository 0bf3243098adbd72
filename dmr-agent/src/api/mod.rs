//! The local HTTP API: how an institution's own services send messages, ask questions and see what became of them.
//!
//! ```text
//! POST /v1/messages          202 once a server confirmed
//! POST /v1/questions         200 with the answer, or 504
//! GET  /v1/messages/{id}     what became of it
//! GET  /v1/participants      who can be written to
//! GET  /livez /readyz /metrics
//! ```

mod chat;
mod field;
mod fingerprint;
mod ledger;
mod messages;
mod participants;
mod problem;
mod request;
mod submission;
mod timestamp;
mod token;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use dmr_core::limit;
use dmr_crypto::Freshness;
use dmr_transport::service::health::{self, Health};
use dmr_transport::service::metrics::Metrics;

pub(crate) use field::FieldError;
pub(crate) use ledger::{Ledger, Progress};
pub(crate) use problem::Problem;
pub(crate) use request::{MessageRequest, RecipientName, check_payload, recipient_name, type_name};
pub(crate) use submission::{note_answer, recipient};
pub(crate) use timestamp::{is_rfc3339, now as timestamp_now};
pub use token::BearerToken;
pub(crate) use traffic::describe as describe_traffic;

use crate::agent::Agent;
use crate::questions::Questions;

/// Longest request body: the largest message, and room for what is around it.
pub(crate) const BODY: usize = limit::MESSAGE + (16 << 10);

/// Messages whose outcome is remembered.
const LEDGER: usize = 10_000;
/// Bytes of answers that are kept for `GET /v1/messages/{id}`.
const ANSWERS: usize = 64 << 20;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct ApiState {
    pub(crate) agent: Agent,
    pub(crate) ledger: Ledger,
    pub(crate) questions: Questions,
    token: Option<BearerToken>,
    patience: Patience,
}

/// How long callers wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a link to a server, before 503.
    pub(crate) no_link: Duration,
    /// For the confirm, before 504; and for a request's body.
    pub(crate) unknown: Duration,
}

impl ApiState {
    pub(crate) fn new(agent: Agent, token: Option<BearerToken>, patience: Patience) -> Arc<Self> {
        let (ledger, questions) = (Ledger::new(LEDGER, ANSWERS), Questions::default());
        Arc::new(Self { agent, ledger, questions, token, patience })
    }
}

/// Every route of the API.
pub(crate) fn router(state: &Arc<ApiState>, metrics: Metrics) -> Router {
    let agent = state.agent.clone();
    let api = Router::new()
        .route("/v1/messages", post(messages::send))
        .route("/v1/messages/{id}", get(messages::status))
        .route("/v1/questions", post(messages::ask))
        .route("/v1/participants", get(participants::list))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(Arc::clone(state));
    api.merge(health::router_of(metrics, move || health_of(&agent)))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no-such-route", "there is no such route") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "the route does not take this method")
        })
        .layer(from_fn_with_state(Arc::clone(state), admit))
        .layer(from_fn(traffic::count))
}

/// What stands in the way of sending, and what soon will, in words for an operator.
fn health_of(agent: &Agent) -> Health {
    let mut health = Health::default();
    if !agent.is_connected() {
        health.problems.push("no server is connected".to_owned());
    }
    if let Some(reason) = agent.unsealable() {
        health.problems.push(format!("nothing can be sealed: {reason}"));
    }
    match agent.freshness() {
        Some(Freshness::Ageing) => health.warnings.push("the directory is past half of its life".to_owned()),
        Some(Freshness::Grace) => {
            health.warnings.push("the directory has expired; within a day of that nothing more is sealed".to_owned());
        }
        Some(Freshness::Fresh | Freshness::Expired) | None => {}
    }
    health
}

/// Lets callers in that may come in: with the token where there is one, and never from a web page.
async fn admit(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) {
        // Browsers say where a page is from; this API is for services, so no page has business here.
        return Problem::new(StatusCode::FORBIDDEN, "browser-origin", "requests from web pages are refused")
            .into_response();
    }
    let is_probe = matches!(request.uri().path(), "/livez" | "/readyz");
    if !is_probe && state.token.as_ref().is_some_and(|token| !token.is_in(headers)) {
        return Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "the bearer token is missing or wrong")
            .into_response();
    }
    next.run(request).await
}
