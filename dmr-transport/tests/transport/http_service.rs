//! The HTTP listener's bounds, health, and the metrics' names and types.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use dmr_core::id::Name;
use dmr_transport::service::health::{self, Health};
use dmr_transport::service::http::{HttpLimits, serve};
use dmr_transport::service::metrics::Metrics;
use dmr_transport::service::socket_metrics::SocketMetrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

struct Service {
    address: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Service {
    async fn start(router: Router, limits: HttpLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, router, limits, async move {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The whole answer to one request.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        all(&mut stream).await
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

/// Everything that still comes.
async fn all(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // A reset is an end too.
    let _ = timeout(SOON, stream.read_to_end(&mut heard)).await.unwrap();
    String::from_utf8(heard).unwrap()
}

fn request(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{more}\r\n")
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn headers_are_bounded_in_time_number_and_bytes() {
    let limits = HttpLimits { header_timeout: Duration::from_millis(300), ..HttpLimits::default() };
    let service = Service::start(hello(), limits).await;
    assert!(service.ask(&request("/", "")).await.ends_with("hello"));

    let many: String = (0..70).map(|number| format!("X-{number}: y\r\n")).collect();
    assert!(service.ask(&request("/", &many)).await.starts_with("HTTP/1.1 431"));
    let long = format!("X-Long: {}\r\n", "x".repeat(20 << 10));
    assert!(service.ask(&request("/", &long)).await.starts_with("HTTP/1.1 431"));

    let mut slow = service.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let heard = all(&mut slow).await;
    assert!(!heard.contains("200"), "{heard}");
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_one_to_end() {
    let limits = HttpLimits { connections: 1, header_timeout: Duration::from_secs(60), ..HttpLimits::default() };
    let service = Service::start(hello(), limits).await;
    let mut first = service.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    first.read_u8().await.unwrap();
    let mut second = service.connect().await;
    second.write_all(request("/", "").as_bytes()).await.unwrap();
    let early = timeout(Duration::from_millis(200), second.read_u8()).await;
    assert!(early.is_err(), "a second connection was served");
    drop(first);
    assert!(all(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn a_caller_that_does_not_read_its_answer_loses_the_connection() {
    const LONG: usize = 32 << 20;
    let router = Router::new().route("/", get(|| async { vec![b'x'; LONG] }));
    let limits = HttpLimits { connections: 1, write_timeout: Duration::from_millis(300), ..HttpLimits::default() };
    let service = Service::start(router, limits).await;
    let mut deaf = service.connect().await;
    deaf.write_all(request("/", "").as_bytes()).await.unwrap();
    // The one place is free again only when the first caller has lost it.
    assert!(service.ask(&request("/", "")).await.len() > LONG);
    drop(deaf);
}

#[tokio::test]
async fn a_request_in_progress_is_finished_at_shutdown_and_an_idle_connection_is_not_waited_for() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, awaited) = (Arc::clone(&begun), Arc::clone(&go));
    let slow = get(move || async move {
        told.notify_one();
        awaited.notified().await;
        "done"
    });
    let mut service = Service::start(Router::new().route("/slow", slow), HttpLimits::default()).await;
    let mut idle = service.connect().await;
    let mut busy = service.connect().await;
    busy.write_all(request("/slow", "").as_bytes()).await.unwrap();
    begun.notified().await;
    service.stop();
    assert_eq!(all(&mut idle).await, "");
    go.notify_one();
    assert!(all(&mut busy).await.ends_with("done"));
    timeout(SOON, service.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_end_of_the_grace_period() {
    let begun = Arc::new(Notify::new());
    let told = Arc::clone(&begun);
    let stuck = get(move || async move {
        told.notify_one();
        std::future::pending::<&str>().await
    });
    let limits = HttpLimits { grace: Duration::from_millis(200), ..HttpLimits::default() };
    let mut service = Service::start(Router::new().route("/stuck", stuck), limits).await;
    let mut stream = service.connect().await;
    stream.write_all(request("/stuck", "").as_bytes()).await.unwrap();
    begun.notified().await;
    service.stop();
    assert_eq!(all(&mut stream).await, "");
    timeout(SOON, service.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn readiness_lists_what_stands_against_it() {
    let reasons: Arc<Mutex<Vec<String>>> = Arc::default();
    let asked = Arc::clone(&reasons);
    let router = health::router(Metrics::install().unwrap(), move || asked.lock().unwrap().clone());
    let service = Service::start(router, HttpLimits::default()).await;
    assert!(service.ask(&request("/livez", "")).await.starts_with("HTTP/1.1 200"));
    let ready = service.ask(&request("/readyz", "")).await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.ends_with(r#"{"status":"ready"}"#), "{ready}");
    reasons.lock().unwrap().push("the directory has expired".into());
    let refused = service.ask(&request("/readyz", "")).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("application/problem+json"), "{refused}");
    let body: serde_json::Value = serde_json::from_str(refused.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["type"], health::NOT_READY);
    assert_eq!(body["reasons"], serde_json::json!(["the directory has expired"]));
    assert!(service.ask(&request("/livez", "")).await.starts_with("HTTP/1.1 200"), "alive, though not ready");
}

#[tokio::test]
async fn warnings_are_told_whether_or_not_the_program_is_ready() {
    let state: Arc<Mutex<Health>> = Arc::default();
    let asked = Arc::clone(&state);
    let router = health::router_of(Metrics::install().unwrap(), move || asked.lock().unwrap().clone());
    let service = Service::start(router, HttpLimits::default()).await;
    state.lock().unwrap().warnings.push("the directory is past half of its life".into());
    for (problems, status) in [(vec![], "200"), (vec!["no broker".to_owned()], "503")] {
        state.lock().unwrap().problems = problems;
        let answer = service.ask(&request("/readyz", "")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let body: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(body["warnings"], serde_json::json!(["the directory is past half of its life"]));
    }
}

#[tokio::test]
async fn the_socket_metrics_have_exactly_the_names_and_types_that_dashboards_know() {
    let metrics = Metrics::install().unwrap();
    let network: Name = "test".parse().unwrap();
    let socket = SocketMetrics::of_server(&network);
    socket.connection_opened();
    socket.connection_opened();
    socket.connection_ended(Duration::from_secs(90));
    socket.error();
    socket.received("publish");
    socket.received("of a newer version");
    socket.sent("deliver");
    socket.processed(Duration::from_micros(300));
    let service = Service::start(health::router(metrics.clone(), Vec::new), HttpLimits::default()).await;
    let text = service.ask(&request("/metrics", "")).await;
    for line in [
        "# TYPE dmr_socket_connections_active gauge",
        "dmr_socket_connections_active 1",
        "# TYPE dmr_socket_connections_total counter",
        "dmr_socket_connections_total 2",
        "# TYPE dmr_socket_disconnections_total counter",
        "dmr_socket_disconnections_total 1",
        "# TYPE dmr_socket_connection_duration_seconds histogram",
        r#"dmr_socket_connection_duration_seconds_bucket{le="60"} 0"#,
        r#"dmr_socket_connection_duration_seconds_bucket{le="300"} 1"#,
        "# TYPE dmr_socket_errors_total counter",
        "dmr_socket_errors_total 1",
        "# TYPE dmr_socket_events_received_total counter",
        r#"dmr_socket_events_received_total{event="publish",namespace="test"} 1"#,
        r#"dmr_socket_events_received_total{event="other",namespace="test"} 1"#,
        "# TYPE dmr_socket_events_sent_total counter",
        r#"dmr_socket_events_sent_total{event="deliver",namespace="test"} 1"#,
        "# TYPE dmr_message_processing_duration_seconds histogram",
        r#"dmr_message_processing_duration_seconds_bucket{le="0.00025"} 0"#,
        r#"dmr_message_processing_duration_seconds_bucket{le="0.0005"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
    for described in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = described.split(' ').next().unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
}

#[test]
fn every_frame_that_the_protocol_names_has_its_own_event() {
    let source = include_str!("../../../dmr-core/src/frame.rs");
    let metrics = include_str!("../../src/service/socket_metrics.rs");
    let names: Vec<_> = source
        .lines()
        .filter(|line| line.trim_start().starts_with("Self::") && line.contains("=> \""))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert!(names.len() >= 16, "{names:?}");
    for name in names {
        assert!(metrics.contains(&format!("\"{name}\"")), "{name} is counted as other");
    }
}
