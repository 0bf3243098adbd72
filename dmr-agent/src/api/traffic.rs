//! The `dmr_http_*` metrics.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

const REQUESTS: &str = "dmr_http_requests_total";
const DURATION: &str = "dmr_http_request_duration_seconds";
const ERRORS: &str = "dmr_http_errors_total";
const SUCCESS: &str = "dmr_http_success_total";

/// Says what each metric means; call it once, after a recorder is installed.
pub(crate) fn describe() {
    describe_counter!(REQUESTS, "HTTP requests received");
    describe_histogram!(DURATION, Unit::Seconds, "From an HTTP request's headers to its response's");
    describe_counter!(ERRORS, "HTTP requests answered with 4xx or 5xx");
    describe_counter!(SUCCESS, "HTTP requests answered with less than 400");
}

/// Counts a request and its outcome. Labels are bounded: known methods, matched routes.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    counter!(REQUESTS, "method" => method, "route" => route.clone()).increment(1);
    let started = Instant::now();
    let response = next.run(request).await;
    histogram!(DURATION, "method" => method, "route" => route.clone()).record(started.elapsed().as_secs_f64());
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    let outcome = if failed { ERRORS } else { SUCCESS };
    counter!(outcome, "method" => method, "route" => route, "status" => status.as_u16().to_string()).increment(1);
    response
}
