//! Receipts: who may give them, when they go, what they say.

use std::time::Duration;

use bytes::Bytes;
use dmr_agent::{Agent, MessageStatus, OutgoingMessage};
use dmr_core::codec;
use dmr_core::content::{Content, Message, RECEIPTS_TYPE, Receipt, Receipts, Reference, Verdict};
use dmr_core::header::Kind;
use dmr_core::id::{Digest, MessageId};
use dmr_core::reason::{FailureReason, RejectReason};
use dmr_crypto::{Keyring, SealRequest, VerifiedDirectory};

use crate::network::{Network, next, now, question};
use crate::relay::{Relay, dead};
use crate::wait::until_true;

fn network() -> (Network, Relay) {
    let network = Network::of(&["tax", "police", "mallory"]);
    let relay = Relay::new(network.directory());
    (network, relay)
}

/// An envelope of any kind by any participant, outside any agent.
pub(crate) fn sealed(
    by: &Keyring,
    directory: &VerifiedDirectory,
    (to, id, kind): (dmr_core::id::ParticipantId, MessageId, Kind),
    content: Message,
) -> (Bytes, Digest) {
    let content = Content::V1(content);
    let (created, expires) = (now(), now().plus(Duration::from_secs(3_600)));
    let request = SealRequest { id, kind, recipients: &[to], created, expires, content: &content };
    let sealed = dmr_crypto::seal(by, directory, request).unwrap();
    (sealed.envelope.bytes().clone(), sealed.digest)
}

/// A message without anything optional.
pub(crate) fn plain(content_type: &str, body: impl Into<Bytes>, in_reply_to: Option<Reference>) -> Message {
    Message {
        content_type: content_type.into(),
        conversation: None,
        sequence: None,
        room: None,
        in_reply_to,
        body: body.into(),
    }
}

async fn receipt(network: &Network, relay: &Relay, by: &str, envelope: Reference, verdict: Verdict) {
    let receipts = Receipts::V1(vec![Receipt { envelope, verdict, at: now() }]);
    let content = plain(RECEIPTS_TYPE, codec::encode(&receipts).unwrap(), None);
    let mut id = [0; 16];
    getrandom::fill(&mut id).unwrap();
    let to = (network.id("tax"), MessageId::from_custom_bytes(id), Kind::RECEIPT);
    let (bytes, _) = sealed(&network.keyring(by), &network.directory(), to, content);
    relay.inject(network.id("tax"), bytes).await;
}

async fn sent(network: &Network, relay: &Relay) -> (Agent, Reference) {
    let tax = network.agent("tax", relay).await;
    let accepted = tax.send(question(network.id("police"), "anyone?")).await.unwrap();
    (tax, accepted.message)
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_the_recipient_with_the_right_digest_is_believed() {
    let (network, relay) = network();
    let (tax, message) = sent(&network, &relay).await;
    receipt(&network, &relay, "police", message, Verdict::Delivered).await;
    until_true("delivered", || tax.message(message.id) == Some(MessageStatus::Delivered)).await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_a_participant_who_has_not_the_message_is_not_believed() {
    let (network, relay) = network();
    let (tax, message) = sent(&network, &relay).await;
    receipt(&network, &relay, "mallory", message, Verdict::Delivered).await;
    receipt(&network, &relay, "mallory", message, Verdict::Failed(FailureReason::Refused)).await;
    until_true("both were looked at", || relay.settled().len() == 2).await;
    assert_eq!(tax.message(message.id), Some(MessageStatus::Accepted));
}

#[tokio::test(start_paused = true)]
async fn a_receipt_with_another_digest_is_not_believed() {
    let (network, relay) = network();
    let (tax, message) = sent(&network, &relay).await;
    let other = Reference { digest: Digest([9; 32]), ..message };
    receipt(&network, &relay, "police", other, Verdict::Delivered).await;
    until_true("it was looked at", || relay.settled().len() == 1).await;
    assert_eq!(tax.message(message.id), Some(MessageStatus::Accepted));
}

#[tokio::test(start_paused = true)]
async fn a_signed_receipt_that_says_delivered_beats_one_that_says_failed() {
    let (network, relay) = network();
    let (tax, message) = sent(&network, &relay).await;
    receipt(&network, &relay, "police", message, Verdict::Failed(FailureReason::Refused)).await;
    let failed = MessageStatus::Failed { reason: FailureReason::Refused, signed: true };
    until_true("failed", || tax.message(message.id) == Some(failed)).await;
    receipt(&network, &relay, "police", message, Verdict::Delivered).await;
    until_true("delivered", || tax.message(message.id) == Some(MessageStatus::Delivered)).await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_message_that_holds_no_receipts_is_refused_without_a_receipt() {
    let (network, relay) = network();
    let (_tax, _) = sent(&network, &relay).await;
    for (content_type, body) in [(RECEIPTS_TYPE, &b"garbage"[..]), ("text/plain", b"hello")] {
        let mut id = [0; 16];
        getrandom::fill(&mut id).unwrap();
        let to = (network.id("tax"), MessageId::from_custom_bytes(id), Kind::RECEIPT);
        let content = plain(content_type, Bytes::from_static(body), None);
        let (bytes, _) = sealed(&network.keyring("police"), &network.directory(), to, content);
        relay.inject(network.id("tax"), bytes).await;
    }
    until_true("both refused", || relay.settled() == [dead(FailureReason::Malformed); 2]).await;
    assert!(relay.published(Kind::RECEIPT).is_empty());
}

#[tokio::test(start_paused = true)]
async fn receipts_are_gathered_while_one_is_on_its_way_and_cause_none_themselves() {
    let (network, relay) = network();
    let (tax, _) = sent(&network, &relay).await;
    for _ in 0..63 {
        tax.send(question(network.id("police"), "one of many")).await.unwrap();
    }
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    let mut in_hand = Vec::new();
    for _ in 0..64 {
        in_hand.push(next(&mut inbox).await);
    }
    in_hand.into_iter().for_each(dmr_agent::Delivery::ack);
    until_true("all settled", || relay.settled().len() >= 64).await;
    let messages = relay.published(Kind::RECEIPT).len();
    assert!((1..=4).contains(&messages), "{messages} receipt messages");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(relay.published(Kind::RECEIPT).len(), messages);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_acknowledged_only_after_its_receipt_was_confirmed() {
    let (network, relay) = network();
    let (_tax, _) = sent(&network, &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let delivery = next(&mut inbox).await;
    relay.hold_confirms(true);
    delivery.ack();
    until_true("the receipt is published", || !relay.published(Kind::RECEIPT).is_empty()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(relay.settled_by(police.participant()), []);
    relay.hold_confirms(false);
    until_true("settled", || relay.settled_by(police.participant()) == [dmr_transport::Disposition::Ack]).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_to_several_is_delivered_when_each_has_said_so() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let both = OutgoingMessage::event(network.id("police"), "text/plain", "to both").and_to(network.id("mallory"));
    let sent = tax.send(both).await.unwrap().message;
    let (_police, mut police_inbox) = network.receiver("police", &relay).await;
    let (_mallory, mut mallory_inbox) = network.receiver("mallory", &relay).await;
    next(&mut police_inbox).await.ack();
    until_true("police's receipt", || relay.settled().len() == 2).await;
    assert_eq!(tax.message(sent.id), Some(MessageStatus::Accepted));
    next(&mut mallory_inbox).await.ack();
    until_true("delivered", || tax.message(sent.id) == Some(MessageStatus::Delivered)).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_handled_message_gets_its_receipt_again_and_not_the_program() {
    let (network, relay) = network();
    let (tax, message) = sent(&network, &relay).await;
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    next(&mut inbox).await.ack();
    until_true("delivered", || tax.message(message.id) == Some(MessageStatus::Delivered)).await;
    let copy = relay.published(Kind::QUESTION)[0].bytes().clone();
    relay.inject(network.id("police"), copy).await;
    until_true("a second receipt", || relay.published(Kind::RECEIPT).len() == 2).await;
    let again = tokio::time::timeout(Duration::from_secs(60), inbox.next()).await;
    assert!(again.is_err());
}

#[tokio::test(start_paused = true)]
async fn another_message_under_a_used_id_is_refused_and_told() {
    let (network, relay) = network();
    let (tax, message) = sent(&network, &relay).await;
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    next(&mut inbox).await.ack();
    until_true("delivered", || tax.message(message.id) == Some(MessageStatus::Delivered)).await;
    let to = (network.id("police"), message.id, Kind::QUESTION);
    let (bytes, _) = sealed(&network.keyring("tax"), &network.directory(), to, plain("text/plain", "other", None));
    relay.inject(network.id("police"), bytes).await;
    until_true("refused", || relay.settled().contains(&dead(FailureReason::Replayed))).await;
    // Its receipt names another digest than the message that was sent, so it changes nothing.
    assert_eq!(tax.message(message.id), Some(MessageStatus::Delivered));
}

#[tokio::test(start_paused = true)]
async fn an_envelope_whose_signature_does_not_verify_is_refused_without_a_receipt() {
    let (network, relay) = network();
    let (_tax, message) = sent(&network, &relay).await;
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    next(&mut inbox).await.ack();
    let genuine = relay.published(Kind::QUESTION)[0].bytes().clone();
    let mut forged = genuine.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    relay.inject(network.id("police"), forged.into()).await;
    relay.inject(network.id("police"), Bytes::from_static(b"garbage")).await;
    until_true("both refused", || {
        let settled = relay.settled();
        settled.contains(&dead(FailureReason::Rejected)) && settled.contains(&dead(FailureReason::Malformed))
    })
    .await;
    assert_eq!(relay.published(Kind::RECEIPT).len(), 1, "only for {}", message.id);
}

#[tokio::test(start_paused = true)]
async fn a_sender_whose_receipts_nobody_takes_does_not_keep_others_out() {
    let network = Network::of(&["tax", "police", "mallory"]);
    let relay = Relay::new(network.directory());
    let (tax, mallory) = (network.agent("tax", &relay).await, network.agent("mallory", &relay).await);
    let mut config = network.config("police");
    config.prefetch = Some(1);
    let police = crate::network::start(config, &relay).await;
    let mut inbox = police.deliveries().unwrap();
    let first = mallory.send(question(police.participant(), "my mailbox is full")).await.unwrap().message;
    let delivery = next(&mut inbox).await;
    tax.send(question(police.participant(), "and I?")).await.unwrap();
    relay.refuse_next(&[RejectReason::MailboxFull; 35]);
    delivery.ack();
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.message.sender, tax.participant());
    delivery.ack();
    // The program is not asked again, and the receipt comes once there is room.
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(mallory.message(first.id), Some(MessageStatus::Delivered));
    assert_eq!(relay.held().await, 0);
    assert!(tokio::time::timeout(Duration::from_secs(120), inbox.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn agents_without_receipts_are_done_with_the_confirm() {
    let (network, relay) = network();
    let mut config = network.config("tax");
    config.receipts = false;
    let tax = crate::network::start(config, &relay).await;
    let mut config = network.config("police");
    config.receipts = false;
    let police = crate::network::start(config, &relay).await;
    let mut inbox = police.deliveries().unwrap();
    tax.send(question(police.participant(), "measured")).await.unwrap();
    next(&mut inbox).await.ack();
    until_true("settled", || relay.settled().len() == 1).await;
    assert!(relay.published(Kind::RECEIPT).is_empty());
}
