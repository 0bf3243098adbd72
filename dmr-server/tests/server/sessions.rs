//! Links of one participant, and their end.

use dmr_core::frame::{AgentFrame, ServerFrame, Settlement};
use dmr_core::reason::CloseReason;
use dmr_transport::{LinkSender, Received};

use super::harness::{TestServer, dial, eventually};
use super::network::Network;

#[tokio::test]
async fn a_newer_link_of_the_same_instance_supersedes_and_the_old_ones_late_end_changes_nothing() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut old = server.dial().await;
    let mut parts = old.login_parts(&network, network.keys("tax")).await;
    let instance = parts.fields.instance;
    old.log_in_with(&parts, network.keys("tax")).await;
    let mut new = server.dial().await;
    parts = new.login_parts(&network, network.keys("tax")).await;
    parts.fields.instance = instance;
    new.log_in_with(&parts, network.keys("tax")).await;
    assert_eq!(old.close_reason().await, Some(CloseReason::Superseded));
    drop(old);
    let mut police = server.log_in(&network, "police").await;
    police.subscribe(8).await;
    let envelope = network.seal("tax", &["police"]);
    new.publish_confirmed(&envelope).await;
    let (tag, _, _) = police.delivery().await;
    // The notice finds the new session: the old one's end did not take it out of the registry.
    police.settle(tag, Settlement::Reject { reason: dmr_core::reason::FailureReason::Refused }).await;
    assert!(matches!(new.frame().await, ServerFrame::Notice { .. }));
}

#[tokio::test]
async fn replicas_share_a_mailbox_and_are_bounded() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start_with(&network, &["--max-links-per-participant", "2"]).await;
    let (mut one, mut two) = (server.log_in(&network, "police").await, server.log_in(&network, "police").await);
    let mut three = server.dial().await;
    let parts = three.login_parts(&network, network.keys("police")).await;
    three.authenticate(&parts, network.keys("police")).await;
    assert_eq!(three.close_reason().await, Some(CloseReason::TooManyConnections));
    one.subscribe(1).await;
    two.subscribe(1).await;
    let mut tax = server.log_in(&network, "tax").await;
    let (first, second) = (network.seal("tax", &["police"]), network.seal("tax", &["police"]));
    tax.publish_confirmed(&first).await;
    tax.publish_confirmed(&second).await;
    let (_, _, at_one) = one.delivery().await;
    let (_, _, at_two) = two.delivery().await;
    assert_ne!(at_one, at_two);
}

#[tokio::test]
async fn a_drain_is_announced_finishes_what_is_in_flight_and_refuses_new_links() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(8).await;
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    let (tag, _, _) = police.delivery().await;
    server.terminate().await;
    assert!(matches!(tax.frame().await, ServerFrame::Drain { retry_after_ms } if retry_after_ms > 0));
    assert_eq!(tax.close_reason().await, Some(CloseReason::Draining));
    assert!(matches!(police.frame().await, ServerFrame::Drain { .. }));
    assert!(dial(server.address).await.is_err());
    let (status, body) = server.page("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("draining"), "{body}");
    police.settle(tag, Settlement::Ack).await;
    assert_eq!(police.close_reason().await, Some(CloseReason::Draining));
    assert!(server.ended().await.0.success());
}

#[tokio::test]
async fn a_drain_ends_with_the_grace_period_whatever_is_in_flight() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start_with(&network, &["--grace", "300ms"]).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(8).await;
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    police.delivery().await;
    server.terminate().await;
    assert_eq!(police.close_reason().await, Some(CloseReason::Draining));
    assert!(server.ended().await.0.success());
}

#[tokio::test]
async fn an_agent_that_falls_silent_is_closed_and_one_that_beats_is_not() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start_with(&network, &["--heartbeat", "200ms"]).await;
    let mut silent = server.log_in(&network, "tax").await;
    let mut alive = server.log_in(&network, "police").await;
    let beats = tokio::spawn(async move {
        for _ in 0..12 {
            alive.send(&AgentFrame::Heartbeat).await;
            assert!(matches!(alive.receive().await, Received::Frame(_)));
        }
        alive.sender.close(CloseReason::Shutdown).await.unwrap();
    });
    assert_eq!(silent.close_reason().await, Some(CloseReason::HeartbeatMissed));
    beats.await.unwrap();
    eventually("the links are gone", || async { server.metric("dmr_sessions_active").await == 0.0 }).await;
}
