//! `/livez`, `/readyz` and `/metrics`.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::metrics::Metrics;

/// The stable `type` of the problem that `/readyz` answers with (RFC 9457).
pub const NOT_READY: &str = "urn:dmr:problem:not-ready";

/// What a program says of its own health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// What stands in the way of serving. None: it is ready.
    pub problems: Vec<String>,
    /// What will stand in the way if nobody does anything, such as a directory past half of its life.
    pub warnings: Vec<String>,
}

/// The routes of health and metrics, for a program that has no warnings: see [`router_of`].
pub fn router(metrics: Metrics, ready: impl Fn() -> Vec<String> + Clone + Send + Sync + 'static) -> Router {
    router_of(metrics, move || Health { problems: ready(), warnings: Vec::new() })
}

/// The routes of health and metrics.
///
/// - `GET /livez`: 200 while the process runs.
/// - `GET /readyz`: 200, with the warnings if there are any, while there is no problem; otherwise 503 with a problem
///   document that lists both.
/// - `GET /metrics`: Prometheus' text format.
///
/// `health` is asked at each request and must not block: let a task probe, and ask here for what it found.
pub fn router_of(metrics: Metrics, health: impl Fn() -> Health + Clone + Send + Sync + 'static) -> Router {
    Router::new()
        .route(
            "/livez",
            get(|| async { json(StatusCode::OK, "application/json", &serde_json::json!({"status": "live"})) }),
        )
        .route("/readyz", get(move || async move { readiness(&health()) }))
        .route("/metrics", get(move || async move { exposition(&metrics) }))
}

fn readiness(health: &Health) -> Response {
    let Health { problems, warnings } = health;
    if problems.is_empty() {
        let ready = with_warnings(serde_json::json!({"status": "ready"}), warnings);
        return json(StatusCode::OK, "application/json", &ready);
    }
    let problem = serde_json::json!({
        "type": NOT_READY,
        "title": "not ready",
        "status": 503,
        "reasons": problems,
    });
    json(StatusCode::SERVICE_UNAVAILABLE, "application/problem+json", &with_warnings(problem, warnings))
}

/// The document, with a list of warnings if there are any.
fn with_warnings(mut document: serde_json::Value, warnings: &[String]) -> serde_json::Value {
    if let Some(members) = document.as_object_mut().filter(|_| !warnings.is_empty()) {
        members.insert("warnings".into(), warnings.into());
    }
    document
}

fn exposition(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

fn json(status: StatusCode, content_type: &'static str, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, content_type)], body.to_string()).into_response()
}
