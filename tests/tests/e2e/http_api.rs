//! The agent's local HTTP API: what it refuses, how it says so, and what it tells.

use dmr_tests::agent::{AgentPlan, chat_message};
use dmr_tests::caller::{Answer, Caller};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::Network;
use dmr_tests::port::free_address;
use dmr_tests::programs::workspace;
use dmr_tests::server::ServerPlan;
use serde_json::{Value, json};

use crate::pair::{POLICE, Pair, TAX, takes};

/// Checks that it is a problem of RFC 9457 with a stable type, and that its text names `mention`.
fn assert_problem(answer: &Answer, status: u16, mention: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.content_type.starts_with("application/problem+json"), "{}", answer.content_type);
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{problem}");
    assert!(problem["type"].as_str().is_some_and(|kind| !kind.is_empty()), "{problem}");
    assert!(answer.text.contains(mention), "{mention} is not in {problem}");
}

#[tokio::test]
async fn a_malformed_message_is_told_which_field_is_wrong() -> Outcome {
    let pair = Pair::start(takes).await?;
    let wrong: [(&str, Value, &str); 12] = [
        ("/id", json!("not-a-uuid"), "id"),
        ("/id", json!("00000000-0000-0000-0000-000000000000"), "id"),
        ("/recipientId", json!(7), "recipientId"),
        ("/recipientId", Value::Null, "recipientId"),
        ("/timestamp", json!("yesterday"), "timestamp"),
        ("/timestamp", json!("2026-02-30T00:00:00Z"), "timestamp"),
        ("/type", json!(""), "type"),
        ("/payload", json!("a text"), "payload"),
        ("/payload/messages", json!([]), "messages"),
        ("/payload/chat/created", json!(5), "created"),
        ("/payload/messages/0/authorRole", Value::Null, "authorRole"),
        ("/inReplyTo", json!("no"), "inReplyTo"),
    ];
    for (pointer, value, field) in wrong {
        let mut message = chat_message(POLICE, "Hello");
        message["id"] = json!("0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f");
        message["inReplyTo"] = Value::Null;
        *message.pointer_mut(pointer).doing(pointer)? = value;
        if pointer != "/inReplyTo" {
            message.as_object_mut().doing("an object")?.remove("inReplyTo");
        }
        assert_problem(&pair.tax.api.post("/v1/messages", &message).await?, 400, field);
    }
    for bytes in [b"".as_slice(), b"{", b"[]", b"null", &[0xff, 0xfe], b"{\"id\":1,\"id\":2}"] {
        let answer = pair.tax.api.post_bytes("/v1/messages", bytes.to_vec()).await?;
        assert_problem(&answer, 400, "");
    }
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert_problem(&pair.tax.api.post_bytes("/v1/messages", deep).await?, 400, "");
    pair.exchange("Still there?").await
}

#[tokio::test]
async fn an_unknown_recipient_is_404_and_an_unknown_message_too() -> Outcome {
    let pair = Pair::start(takes).await?;
    assert_problem(&pair.tax.send("nobody", "Hello?").await?, 404, "nobody");
    let unknown = "0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f";
    assert_problem(&pair.tax.send(unknown, "Hello?").await?, 404, unknown);
    assert_problem(&pair.tax.api.get(&format!("/v1/messages/{unknown}")).await?, 404, "");
    assert_problem(&pair.tax.api.get("/v1/nothing").await?, 404, "");
    Ok(())
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_413_and_one_within_it_arrives() -> Outcome {
    let pair = Pair::start(takes).await?;
    assert_problem(&pair.tax.send(POLICE, &"x".repeat((1 << 20) + 1)).await?, 413, "");
    let id = pair.tax.send_well(POLICE, &"x".repeat(1_000_000)).await?;
    pair.tax.api.message(&id, "delivered").await?;
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_to_live_too_long_is_refused() -> Outcome {
    let pair = Pair::start(takes).await?;
    let mut message = chat_message(POLICE, "For ever.");
    message["expiresInSeconds"] = json!(86_401);
    assert_problem(&pair.tax.api.post("/v1/messages", &message).await?, 400, "expiresInSeconds");
    message["expiresInSeconds"] = json!(0);
    assert_problem(&pair.tax.api.post("/v1/messages", &message).await?, 400, "expiresInSeconds");
    Ok(())
}

#[tokio::test]
async fn a_caller_that_is_too_fast_is_told_when_to_come_back() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.with("--rate-messages", "1").start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
    let mut refused = None;
    for number in 0..20 {
        let answer = tax.send(POLICE, &format!("Message {number}")).await?;
        if answer.status != 202 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.doing("a refusal of one of twenty messages in a second")?;
    assert_problem(&refused, 429, "");
    let seconds = refused.retry_after.as_deref().and_then(|text| text.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "Retry-After: {:?}", refused.retry_after);
    Ok(())
}

#[tokio::test]
async fn any_json_travels_under_another_type() -> Outcome {
    let pair = Pair::start(takes).await?;
    let mut message = chat_message(POLICE, "");
    message["type"] = json!("VehicleReport");
    message["timestamp"] = json!("2026-11-21T09:30:00Z");
    message["payload"] = json!([1, null, { "deep": ["ü", 1.5e3, -0.25] }]);
    let posted = pair.tax.api.post("/v1/messages", &message).await?;
    assert_eq!(posted.status, 202, "{}", posted.text);
    let id = posted.json()["id"].as_str().doing("an id")?.to_owned();
    pair.tax.api.message(&id, "delivered").await?;
    let body = pair.chatbot.effects().remove(&id).doing("the effect")?;
    assert_eq!((&body["payload"], &body["type"]), (&message["payload"], &message["type"]));
    assert_eq!(body["timestamp"], "2026-11-21T09:30:00Z", "a timestamp without a fraction stays without");
    Ok(())
}

#[tokio::test]
async fn the_participants_are_listed() -> Outcome {
    let pair = Pair::start(takes).await?;
    let listed = pair.tax.api.get("/v1/participants").await?;
    assert_eq!(listed.status, 200);
    for name in [TAX, POLICE] {
        assert!(listed.text.contains(name) && listed.text.contains(&pair.network.id(name)?), "{}", listed.text);
    }
    Ok(())
}

#[tokio::test]
async fn metrics_have_the_names_that_operators_know() -> Outcome {
    let pair = Pair::start(takes).await?;
    pair.exchange("Count this.").await?;
    assert_eq!(pair.tax.send("nobody", "And this.").await?.status, 404);
    let route = "route=\"/v1/messages\"";
    let requests = pair.tax.api.metric("dmr_http_requests_total", &["method=\"POST\"", route]).await?;
    assert_eq!(requests, Some(2.0));
    assert_eq!(pair.tax.api.metric("dmr_http_success_total", &[route, "status=\"202\""]).await?, Some(1.0));
    assert_eq!(pair.tax.api.metric("dmr_http_errors_total", &[route, "status=\"404\""]).await?, Some(1.0));
    assert_eq!(pair.tax.api.metric("dmr_agent_socket_connection_active", &[]).await?, Some(1.0));

    let operating = std::fs::read_to_string(workspace().join("docs/operating.md")).doing("docs/operating.md")?;
    for (api, names) in [(&pair.tax.api, AGENT_TYPES), (&pair.server.admin, SERVER_TYPES)] {
        let metrics = api.get("/metrics").await?.text;
        for (name, kind) in names {
            let line = format!("# TYPE {name} {kind}");
            assert!(metrics.lines().any(|found| found == line), "{line} is missing in:\n{metrics}");
            assert!(metrics.contains(&format!("# HELP {name} ")), "{name} is not described");
        }
        assert!(!metrics.contains("quantile="), "a histogram is a summary");
        for name in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
            assert!(operating.contains(name), "docs/operating.md says nothing about {name}");
        }
    }
    let publishes = ["event=\"publish\"", "namespace="];
    assert_eq!(pair.server.admin.metric("dmr_socket_events_received_total", &publishes).await?, Some(2.0));
    Ok(())
}

const AGENT_TYPES: &[(&str, &str)] = &[
    ("dmr_http_requests_total", "counter"),
    ("dmr_http_request_duration_seconds", "histogram"),
    ("dmr_http_errors_total", "counter"),
    ("dmr_http_success_total", "counter"),
    ("dmr_agent_socket_connection_active", "gauge"),
    ("dmr_socket_connections_total", "counter"),
    ("dmr_message_processing_duration_seconds", "histogram"),
];

const SERVER_TYPES: &[(&str, &str)] = &[
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
    ("dmr_queue_ready_messages", "gauge"),
    ("dmr_directory_age_seconds", "gauge"),
    ("dmr_directory_revision", "gauge"),
];

#[tokio::test]
async fn beyond_loopback_a_caller_needs_the_token() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let token = network.path("token");
    write_secret(&token, "correct-horse-battery-staple\n")?;
    let port = free_address()?.port();
    let plan = AgentPlan::new(&network, TAX, server.url())?.with("--listen", format!("0.0.0.0:{port}"));
    let agent = plan.with("--token-file", token.to_string_lossy()).launch(&network)?;

    let stranger = Caller::new(format!("http://127.0.0.1:{port}"))?;
    let caller = stranger.clone().with_token("correct-horse-battery-staple");
    dmr_tests::patience::until("it serves", async || Ok(stranger.get("/livez").await?.status == 200)).await?;
    caller.ready().await?;
    let message = chat_message(POLICE, "With a token.");
    assert_problem(&stranger.post("/v1/messages", &message).await?, 401, "");
    assert_problem(&stranger.clone().with_token("guess").get("/v1/participants").await?, 401, "");
    assert_eq!(caller.post("/v1/messages", &message).await?.status, 202);
    drop(agent);
    Ok(())
}

fn write_secret(path: &std::path::Path, text: &str) -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).doing(path.display())?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).doing(path.display())
}
