//! What becomes of envelopes.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::directory::{Permission, Status};
use dmr_core::envelope::Envelope;
use dmr_core::frame::{ServerFrame, Settlement};
use dmr_core::reason::{FailureReason, RejectReason};

use super::harness::{TestServer, eventually};
use super::network::{Network, name};

#[tokio::test]
async fn an_envelope_is_confirmed_delivered_and_settled() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(8).await;
    for _ in 0..3 {
        let envelope = network.seal("tax", &["police"]);
        tax.publish_confirmed(&envelope).await;
        police.take(&envelope).await;
    }
    eventually("everything is settled", || async {
        server.metric("dmr_queue_ready_messages").await + server.metric("dmr_queue_unsettled_messages").await == 0.0
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_was_away_gets_its_messages_in_order() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut tax = server.log_in(&network, "tax").await;
    let envelopes: Vec<Envelope> = (0..20).map(|_| network.seal("tax", &["police"])).collect();
    for envelope in &envelopes {
        tax.publish_confirmed(envelope).await;
    }
    let mut police = server.log_in(&network, "police").await;
    police.subscribe(4).await;
    for envelope in &envelopes {
        police.take(envelope).await;
    }
}

#[tokio::test]
async fn every_recipient_gets_the_envelope() {
    let network = Network::of(&["tax", "police", "rescue"]);
    let server = TestServer::start(&network).await;
    let mut tax = server.log_in(&network, "tax").await;
    let envelope = network.seal("tax", &["police", "rescue"]);
    tax.publish_confirmed(&envelope).await;
    for member in ["police", "rescue"] {
        let mut agent = server.log_in(&network, member).await;
        agent.subscribe(1).await;
        agent.take(&envelope).await;
    }
}

#[tokio::test]
async fn a_retry_comes_again_and_a_reject_is_told_to_the_sender() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(8).await;
    let envelope = network.seal("tax", &["police"]);
    tax.publish_confirmed(&envelope).await;
    let (tag, attempt, _) = police.delivery().await;
    assert_eq!(attempt, 1);
    police.settle(tag, Settlement::Retry { after_ms: 100 }).await;
    let (tag, attempt, again) = police.delivery().await;
    assert_eq!((attempt, &again), (2, envelope.bytes()));
    police.settle(tag, Settlement::Reject { reason: FailureReason::Refused }).await;
    match tax.frame().await {
        ServerFrame::Notice { id, reason } => assert_eq!((id, reason), (envelope.header().id, FailureReason::Refused)),
        frame => panic!("{frame:?} in place of a notice"),
    }
}

#[tokio::test]
async fn what_a_lost_link_had_not_settled_goes_to_the_next_one() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(8).await;
    let envelope = network.seal("tax", &["police"]);
    tax.publish_confirmed(&envelope).await;
    police.delivery().await;
    drop(police);
    let mut police = server.log_in(&network, "police").await;
    police.subscribe(8).await;
    let (_, attempt, again) = police.delivery().await;
    assert_eq!((attempt, &again), (2, envelope.bytes()));
}

/// The same envelope with one byte of its body changed.
fn tampered(envelope: &Envelope) -> Envelope {
    let mut body = envelope.body().to_vec();
    body[0] ^= 1;
    Envelope::encode(envelope.header_bytes(), envelope.wraps(), &body, envelope.signature()).unwrap()
}

#[tokio::test]
async fn an_envelope_that_may_not_pass_is_rejected_with_its_reason_and_the_link_goes_on() {
    let mut network = Network::of(&["tax", "police", "rescue", "gone"]);
    let (to_gone, of_police) = (network.seal("tax", &["gone"]), network.seal("police", &["tax"]));
    let to_rescue = network.seal("tax", &["rescue"]);
    let elsewhere = Network::of(&["tax", "police", "rescue", "gone"]);
    network.set_status("gone", Status::Removed);
    let permission = Permission { from: vec![name("tax")], to: vec![name("police")] };
    network.amend(|directory| directory.policy.push(permission));
    network.publish();
    let server = TestServer::start(&network).await;
    let mut tax = server.log_in(&network, "tax").await;
    let good = network.seal("tax", &["police"]);
    let cases = [
        (of_police, RejectReason::SenderMismatch),
        (tampered(&good), RejectReason::BadSignature),
        (elsewhere.seal("tax", &["police"]), RejectReason::UnknownSenderKey),
        (to_rescue, RejectReason::PolicyRefused),
        (to_gone, RejectReason::RecipientInactive),
    ];
    for (envelope, expected) in cases {
        let (reason, _) = tax.publish_rejected(&envelope).await;
        assert_eq!(reason, expected);
    }
    tax.publish_confirmed(&good).await;
    for reason in ["sender-mismatch", "bad-signature", "policy-refused"] {
        let counted = server.metric(&format!("dmr_messages_rejected_total{{reason=\"{reason}\"}}")).await;
        assert_eq!(counted, 1.0, "{reason}");
    }
}

#[tokio::test]
async fn a_recipient_the_server_does_not_know_is_rejected_and_one_of_a_newer_directory_is_to_be_tried_again() {
    let mut network = Network::of(&["tax", "police", "rescue"]);
    let id = network.id("rescue");
    let with_rescue = network.seal("tax", &["rescue"]);
    network.amend(|directory| directory.participants.retain(|entry| entry.id != id));
    network.publish();
    let server = TestServer::start(&network).await;
    let mut tax = server.log_in(&network, "tax").await;
    assert_eq!(tax.publish_rejected(&with_rescue).await.0, RejectReason::UnknownRecipient);
    network.amend(|_| ());
    let ahead = network.seal("tax", &["police"]);
    let (reason, retry_after_ms) = tax.publish_rejected(&ahead).await;
    assert_eq!(reason, RejectReason::StaleDirectory);
    assert!(retry_after_ms > 0);
    network.publish();
    match tax.frame().await {
        ServerFrame::Directory { revision, .. } => assert_eq!(revision, network.directory.revision()),
        frame => panic!("{frame:?} in place of the directory"),
    }
    tax.publish_confirmed(&ahead).await;
}

#[tokio::test]
async fn a_message_that_expires_in_the_mailbox_is_never_delivered_and_its_sender_is_told() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut tax = server.log_in(&network, "tax").await;
    let envelope = network.seal_text("tax", &["police"], "soon stale", Duration::from_millis(300));
    tax.publish_confirmed(&envelope).await;
    match tax.frame().await {
        ServerFrame::Notice { id, reason } => assert_eq!((id, reason), (envelope.header().id, FailureReason::Expired)),
        frame => panic!("{frame:?} in place of a notice"),
    }
    let mut police = server.log_in(&network, "police").await;
    police.subscribe(8).await;
    let fresh = network.seal("tax", &["police"]);
    tax.publish_confirmed(&fresh).await;
    police.take(&fresh).await;
    assert_eq!(server.metric("dmr_messages_expired_total").await, 1.0);
}

#[tokio::test]
async fn a_waiting_message_of_a_removed_sender_is_not_delivered() {
    let mut network = Network::of(&["tax", "police", "rescue"]);
    let server = TestServer::start(&network).await;
    let mut tax = server.log_in(&network, "tax").await;
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    let mut rescue = server.log_in(&network, "rescue").await;
    let good = network.seal("rescue", &["police"]);
    rescue.publish_confirmed(&good).await;
    network.set_status("tax", Status::Removed);
    network.publish();
    tax.close_reason().await;
    let mut police = server.log_in(&network, "police").await;
    police.subscribe(8).await;
    police.take(&good).await;
    server.metric_reaches("dmr_messages_dead_lettered_total{reason=\"revoked\"}", 1.0).await;
}

#[tokio::test]
async fn a_participant_that_sends_too_much_is_told_to_wait_over_all_its_links() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start_with(&network, &["--rate-messages", "1"]).await;
    let (mut one, mut two) = (server.log_in(&network, "tax").await, server.log_in(&network, "tax").await);
    let mut police = server.log_in(&network, "police").await;
    let (first, second) = (network.seal("tax", &["police"]), network.seal("tax", &["police"]));
    let of_another = network.seal("police", &["tax"]);
    one.publish(&first).await;
    two.publish(&second).await;
    police.publish_confirmed(&of_another).await;
    let (told_one, told_two) = (one.frame().await, two.frame().await);
    let rejected = match (&told_one, &told_two) {
        (ServerFrame::Confirm { .. }, rejected) | (rejected, ServerFrame::Confirm { .. }) => rejected,
        both => panic!("{both:?}"),
    };
    let ServerFrame::Reject { reason, retry_after_ms, .. } = rejected else { panic!("{rejected:?}") };
    assert_eq!(*reason, RejectReason::RateLimited);
    assert!((1..=1_000).contains(retry_after_ms), "{retry_after_ms}");
}

#[tokio::test]
async fn the_largest_message_passes() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(1).await;
    let text = "x".repeat(dmr_core::limit::MESSAGE - 64);
    let envelope = network.seal_text("tax", &["police"], &text, Duration::from_secs(60));
    tax.publish_confirmed(&envelope).await;
    let (_, _, delivered): (_, _, Bytes) = police.delivery().await;
    assert_eq!(&delivered, envelope.bytes());
}
