//! `/livez`, `/readyz` and `/metrics`.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::metrics::Metrics;

/// The stable `type` of the problem that `/readyz` answers with (RFC 9457).
pub const NOT_READY: &str = "urn:dmr:problem:not-ready";

/// The routes of health and metrics.
///
/// - `GET /livez`: 200 while the process runs.
/// - `GET /readyz`: 200 when `ready` gives no reason against it; otherwise 503 with a problem that lists the reasons.
/// - `GET /metrics`: Prometheus' text format.
///
/// `ready` is asked at each request and must not block: let a task probe, and ask here for what it found.
pub fn router(metrics: Metrics, ready: impl Fn() -> Vec<String> + Clone + Send + Sync + 'static) -> Router {
    Router::new()
        .route(
            "/livez",
            get(|| async { json(StatusCode::OK, "application/json", &serde_json::json!({"status": "live"})) }),
        )
        .route("/readyz", get(move || async move { readiness(&ready()) }))
        .route("/metrics", get(move || async move { exposition(&metrics) }))
}

fn readiness(reasons: &[String]) -> Response {
    if reasons.is_empty() {
        return json(StatusCode::OK, "application/json", &serde_json::json!({"status": "ready"}));
    }
    let problem = serde_json::json!({
        "type": NOT_READY,
        "title": "not ready",
        "status": 503,
        "reasons": reasons,
    });
    json(StatusCode::SERVICE_UNAVAILABLE, "application/problem+json", &problem)
}

fn exposition(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

fn json(status: StatusCode, content_type: &'static str, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, content_type)], body.to_string()).into_response()
}
