//! What operators see.

use std::collections::BTreeMap;

use dmr_core::reason::RejectReason;

use super::harness::TestServer;
use super::network::Network;

/// The names with their types, and those of this server's own.
const METRICS: [(&str, &str); 26] = [
    ("dmr_socket_connections_active", "gauge"),
    ("dmr_socket_connections_total", "counter"),
    ("dmr_socket_disconnections_total", "counter"),
    ("dmr_socket_connection_duration_seconds", "histogram"),
    ("dmr_socket_errors_total", "counter"),
    ("dmr_socket_events_received_total", "counter"),
    ("dmr_socket_events_sent_total", "counter"),
    ("dmr_message_processing_duration_seconds", "histogram"),
    ("dmr_messages_rejected_total", "counter"),
    ("dmr_messages_expired_total", "counter"),
    ("dmr_messages_dead_lettered_total", "counter"),
    ("dmr_messages_redelivered_total", "counter"),
    ("dmr_links_closed_total", "counter"),
    ("dmr_links_shed_total", "counter"),
    ("dmr_logins_refused_total", "counter"),
    ("dmr_sessions_active", "gauge"),
    ("dmr_queue_mailboxes", "gauge"),
    ("dmr_queue_ready_messages", "gauge"),
    ("dmr_queue_unsettled_messages", "gauge"),
    ("dmr_queue_bytes", "gauge"),
    ("dmr_queue_oldest_seconds", "gauge"),
    ("dmr_directory_revision", "gauge"),
    ("dmr_directory_age_seconds", "gauge"),
    ("dmr_directory_expires_timestamp_seconds", "gauge"),
    ("dmr_directory_renewal_due", "gauge"),
    ("dmr_directory_refused_total", "counter"),
];

#[tokio::test]
async fn every_metric_has_its_name_its_type_and_a_description() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(8).await;
    let envelope = network.seal("tax", &["police"]);
    tax.publish_confirmed(&envelope).await;
    police.take(&envelope).await;
    drop((tax, police));
    server.metric_reaches("dmr_socket_disconnections_total", 2.0).await;
    let (status, text) = server.page("/metrics").await;
    assert_eq!(status, 200);
    let lines = |prefix: &str| {
        let found = text.lines().filter_map(|line| line.strip_prefix(prefix)?.split_once(' '));
        found.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect::<BTreeMap<_, _>>()
    };
    let (types, help) = (lines("# TYPE "), lines("# HELP "));
    for (name, kind) in METRICS {
        assert_eq!(types.get(name).map(String::as_str), Some(kind), "{name}");
        assert!(help.get(name).is_some_and(|help| help.len() > 5), "{name} is not described");
    }
    let unknown: Vec<_> = types.keys().filter(|name| METRICS.iter().all(|(known, _)| known != name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for event in ["authenticate", "publish", "settle"] {
        let line = format!("dmr_socket_events_received_total{{event=\"{event}\",namespace=\"testnet\"}}");
        assert!(server.metric(&line).await >= 1.0, "{event}");
    }
    let sent = server.metric("dmr_socket_events_sent_total{event=\"deliver\",namespace=\"testnet\"}").await;
    assert!(sent >= 1.0);
    assert_eq!(server.metric("dmr_directory_revision").await, network.directory.revision() as f64);
}

#[tokio::test]
async fn health_is_served_to_anyone_who_asks_right() {
    let network = Network::of(&["tax"]);
    let server = TestServer::start(&network).await;
    assert_eq!(server.page("/livez").await.0, 200);
    assert_eq!(server.page("/readyz").await.0, 200);
    assert_eq!(server.page("/elsewhere").await.0, 404);
}

#[tokio::test]
async fn a_server_whose_broker_takes_no_message_is_not_ready() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start_with(&network, &["--max-queued-bytes", "2KiB"]).await;
    let mut tax = server.log_in(&network, "tax").await;
    assert_eq!(server.page("/readyz").await.0, 200);
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    let (reason, _) = tax.publish_rejected(&network.seal("tax", &["police"])).await;
    assert_eq!(reason, RejectReason::Unavailable);
    // Too full for a message, though not for a probe; and then for that too.
    drop(server);
    let full = TestServer::start_with(&network, &["--max-queued-bytes", "200"]).await;
    let (status, body) = full.page("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("no room for a message"), "{body}");
    assert_eq!(full.page("/livez").await.0, 200);
}
