//! What an operator sees of an agent: participants, readiness and its warnings, metrics.

use std::time::Duration;

use serde_json::json;

use crate::api::{network, running};
use crate::network::{name, now};
use crate::relay::Relay;
use crate::service::{config, launch, note};
use crate::wait::{until_true, within};

#[tokio::test]
async fn participants_and_health_are_shown() {
    let (network, relay, tax) = running().await;
    relay.set_directory(network.amend(|directory| {
        let entry = directory.participants.iter_mut().find(|entry| entry.name == name("police")).unwrap();
        entry.status = dmr_core::directory::Status::Suspended;
    }));
    until_true("the newer directory", || tax.agent.directory().is_some_and(|one| one.revision() == 3)).await;
    let listed = tax.get("/v1/participants").await;
    assert_eq!(
        listed.body,
        json!({"network": "testnet", "revision": 3, "participants": [
            {"id": network.id("police"), "name": "police", "status": "suspended"},
            {"id": network.id("tax"), "name": "tax", "status": "active"},
        ]})
    );
    assert_eq!(tax.get("/readyz").await.status, 200);
    let refused = tax.post("/v1/messages", &note("police", "x")).await;
    assert_eq!((refused.status, refused.problem()), (403, "recipient-inactive"));
}

#[tokio::test]
async fn an_ageing_directory_is_a_warning_and_an_expired_one_is_until_the_grace_is_over() {
    for (age, warned, status) in [(20, 0, 200), (40, 1, 200), (3_600, 1, 200), (25 * 3_600, 0, 503)] {
        let (network, _) = network();
        let issued = now().minus(Duration::from_secs(age));
        let directory = network.amend_for(Duration::from_secs(60), issued, |_| {});
        let tax = launch(config(&network, "tax"), &Relay::new(directory)).await;
        let connected = async {
            while !tax.agent.is_connected() || tax.agent.directory().is_none() && age < 25 * 3_600 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        within("a directory", connected).await;
        let ready = tax.get("/readyz").await;
        let warnings = ready.body["warnings"].as_array().map_or(0, Vec::len);
        assert_eq!((ready.status, warnings), (status, warned), "{age} s old: {}", ready.text);
    }
}

#[tokio::test]
async fn metrics_have_the_names_that_dashboards_know() {
    let (_network, _relay, tax) = running().await;
    tax.post("/v1/messages", &note("police", "counted")).await;
    tax.post("/v1/messages", &json!({})).await;
    let metrics = tax.get("/metrics").await.text;
    for expected in [
        r#"dmr_http_requests_total{method="POST",route="/v1/messages"}"#,
        r#"dmr_http_success_total{method="POST",route="/v1/messages",status="202"}"#,
        r#"dmr_http_errors_total{method="POST",route="/v1/messages",status="400"}"#,
        "dmr_http_request_duration_seconds_bucket{",
        "dmr_agent_socket_connection_active ",
        "dmr_socket_connections_active ",
        "dmr_socket_connections_total ",
        "dmr_socket_disconnections_total ",
        "dmr_socket_errors_total ",
        r#"dmr_socket_events_received_total{event="confirm",namespace="testnet"}"#,
        r#"dmr_socket_events_sent_total{event="publish",namespace="testnet"}"#,
        "# TYPE dmr_socket_connection_duration_seconds histogram",
        "# TYPE dmr_message_processing_duration_seconds histogram",
        "dmr_directory_revision ",
    ] {
        assert!(metrics.contains(expected), "{expected} in\n{metrics}");
    }
}
