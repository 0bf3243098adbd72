//! What an agent promises a program that uses it.

use std::time::Duration;

use dmr_agent::{Answer, Limits, MessageStatus, OutgoingMessage, SendError};
use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::{FailureReason, RejectReason};
use dmr_transport::Disposition;

use crate::network::{Network, next, question, start};
use crate::relay::{Relay, dead};
use crate::wait::{until, until_true, within};

fn network() -> (Network, Relay) {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    (network, relay)
}

#[tokio::test(start_paused = true)]
async fn a_question_crosses_and_its_answer_comes_back() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let service = tokio::spawn(async move {
        let delivery = next(&mut inbox).await;
        assert_eq!(delivery.message.kind, Kind::QUESTION);
        let text = format!("yes to {}", String::from_utf8_lossy(&delivery.message.content.body));
        delivery.answer(Answer::new("text/plain", text)).await.unwrap()
    });
    let answer = tax.ask(question(police.participant(), "may I?"), Duration::from_secs(9)).await.unwrap();
    let accepted = service.await.unwrap();
    assert_eq!(answer.content.body, "yes to may I?");
    assert_eq!(answer.reference, accepted.message);
    assert_eq!((answer.sender, answer.solicited), (police.participant(), true));
    let asked = answer.content.in_reply_to.unwrap().id;
    assert_eq!(tax.message(asked), Some(MessageStatus::Answered { answer: answer.reference.id }));
    until_true("everything is settled", || relay.settled().len() == 2 + 1).await;
    assert_eq!(relay.settled(), [Disposition::Ack; 3]);
}

#[tokio::test(start_paused = true)]
async fn send_resolves_only_when_the_server_has_confirmed() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    relay.hold_confirms(true);
    let id = MessageId::from_custom_bytes([7; 16]);
    let message = question(network.id("police"), "held").with_id(id);
    let sending = tokio::spawn({
        let tax = tax.clone();
        async move { tax.send(message).await }
    });
    until_true("the relay has it", || !relay.published(Kind::QUESTION).is_empty()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!sending.is_finished());
    assert_eq!(tax.message(id), Some(MessageStatus::Pending));
    relay.hold_confirms(false);
    let accepted = within("the confirm", sending).await.unwrap().unwrap();
    assert_eq!(accepted.message.id, id);
    assert_eq!(tax.message(id), Some(MessageStatus::Accepted));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_before_the_program_has_settled_it() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let sent = tax.send(question(police.participant(), "wait")).await.unwrap();
    let delivery = next(&mut inbox).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(relay.settled().is_empty());
    assert_eq!(tax.message(sent.message.id), Some(MessageStatus::Accepted));
    delivery.ack();
    until_true("delivered", || tax.message(sent.message.id) == Some(MessageStatus::Delivered)).await;
    until_true("settled", || relay.settled().len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_the_program_drops_comes_again() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let sent = tax.send(question(police.participant(), "again")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(next(&mut inbox).await.message.reference, sent.message);
    }
    next(&mut inbox).await.ack();
    until_true("delivered", || tax.message(sent.message.id) == Some(MessageStatus::Delivered)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_again_after_the_wait_that_the_program_asked_for() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    tax.send(question(police.participant(), "later")).await.unwrap();
    let asked = tokio::time::Instant::now();
    next(&mut inbox).await.retry(Duration::from_secs(10));
    next(&mut inbox).await.ack();
    assert!(asked.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_to_the_sender_and_dead_letters_the_message() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let sent = tax.send(question(police.participant(), "no")).await.unwrap();
    next(&mut inbox).await.reject(FailureReason::Refused);
    let refused = MessageStatus::Failed { reason: FailureReason::Refused, signed: true };
    until_true("failed", || tax.message(sent.message.id) == Some(refused)).await;
    until_true("dead-lettered", || relay.settled().contains(&dead(FailureReason::Refused))).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_question_ends_the_ask_at_once() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    tokio::spawn(async move { next(&mut inbox).await.reject(FailureReason::Refused) });
    let asked = tax.ask(question(police.participant(), "no"), Duration::from_secs(600)).await;
    assert!(matches!(asked, Err(dmr_agent::AskError::Failed { reason: FailureReason::Refused, .. })), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_deliveries_are_in_hand_than_the_prefetch() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let mut config = network.config("police");
    config.prefetch = Some(3);
    let police = start(config, &relay).await;
    let mut inbox = police.deliveries().unwrap();
    for _ in 0..10 {
        tax.send(question(police.participant(), "one of ten")).await.unwrap();
    }
    let mut in_hand = Vec::new();
    for _ in 0..3 {
        in_hand.push(next(&mut inbox).await);
    }
    let fourth = tokio::time::timeout(Duration::from_secs(60), inbox.next()).await;
    assert!(fourth.is_err());
    in_hand.pop().unwrap().ack();
    next(&mut inbox).await.ack();
}

#[tokio::test(start_paused = true)]
async fn what_the_server_refuses_is_told_to_the_caller_and_may_be_sent_again() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let id = MessageId::from_custom_bytes([9; 16]);
    relay.refuse_next(&[RejectReason::PolicyRefused, RejectReason::Unavailable]);
    for reason in [RejectReason::PolicyRefused, RejectReason::Unavailable] {
        let refused = tax.send(question(network.id("police"), "try").with_id(id)).await.unwrap_err();
        assert!(matches!(&refused, SendError::Rejected { reason: why, .. } if *why == reason), "{refused:?}");
        assert_eq!(refused.is_retryable(), reason == RejectReason::Unavailable);
        assert_eq!(tax.message(id), None);
    }
    tax.send(question(network.id("police"), "try").with_id(id)).await.unwrap();
    let again = tax.send(question(network.id("police"), "try").with_id(id)).await;
    assert_eq!(again, Err(SendError::Duplicate(id)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sealed_is_refused_before_anything_is_sent() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let stranger = ParticipantId::from_custom_bytes([0x77; 16]);
    let police = network.id("police");
    let mut nobody = question(police, "x");
    nobody.to.clear();
    for (message, expected) in [
        (question(stranger, "x"), SendError::UnknownRecipient(stranger)),
        (nobody, SendError::Recipients),
        (question(police, "x").and_to(police), SendError::Recipients),
    ] {
        assert_eq!(tax.send(message).await, Err(expected));
    }
    let too_long = question(police, "x").expiring_in(Duration::from_secs(25 * 3_600));
    assert!(matches!(tax.send(too_long).await, Err(SendError::Lifetime { .. })));
    let too_large = OutgoingMessage::event(police, "text/plain", vec![0; 2 << 20]);
    assert!(matches!(tax.send(too_large).await, Err(SendError::TooLarge { .. })));
    assert!(relay.published(Kind::QUESTION).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_refuses_with_a_hint_and_takes_messages_again_after_receipts() {
    let (network, relay) = network();
    let mut config = network.config("tax");
    config.limits = Limits { outbox_messages: 2, ..Limits::default() };
    let tax = start(config, &relay).await;
    let police = network.id("police");
    for _ in 0..2 {
        tax.send(question(police, "kept")).await.unwrap();
    }
    assert!(matches!(tax.send(question(police, "too many")).await, Err(SendError::Full { .. })));
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    next(&mut inbox).await.ack();
    next(&mut inbox).await.ack();
    let room = async {
        while tax.send(question(police, "room again")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("room in the outbox", room).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_never_on_a_link_can_be_taken_back_and_one_that_was_cannot() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let police = network.id("police");
    relay.go_down();
    until_true("no link", || !tax.is_connected()).await;
    let id = MessageId::from_custom_bytes([3; 16]);
    let sending = tokio::spawn({
        let (tax, message) = (tax.clone(), question(police, "taken back").with_id(id));
        async move { tax.send(message).await }
    });
    until("in the outbox", || tax.message(id)).await;
    assert!(tax.withdraw(id).await);
    assert_eq!(sending.await.unwrap(), Err(SendError::Withdrawn));
    relay.come_up();
    let sent = tax.send(question(police, "sent").with_id(id)).await.unwrap();
    assert!(!tax.withdraw(sent.message.id).await);
    assert_eq!(relay.published(Kind::QUESTION).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_receipt_fails_when_it_expires() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let message = question(network.id("police"), "short-lived").expiring_in(Duration::from_secs(60));
    let sent = tax.send(message).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60) + dmr_core::limit::CLOCK_SKEW).await;
    let expired = MessageStatus::Failed { reason: FailureReason::Expired, signed: false };
    until_true("expired", || tax.message(sent.message.id) == Some(expired)).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_its_stream_taken_acknowledges_nothing() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let police = network.agent("police", &relay).await;
    let sent = tax.send(question(police.participant(), "hello?")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(relay.settled().is_empty());
    assert_eq!(tax.message(sent.message.id), Some(MessageStatus::Accepted));
    assert!(police.deliveries().is_some());
    assert!(police.deliveries().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_sends_the_receipts_that_are_owed() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(tax.send(question(police.participant(), "bye")).await.unwrap().message.id);
    }
    for _ in 0..5 {
        next(&mut inbox).await.ack();
    }
    within("the shutdown", police.shutdown()).await;
    until_true("all delivered", || sent.iter().all(|id| tax.message(*id) == Some(MessageStatus::Delivered))).await;
    assert!(inbox.next().await.is_none());
    assert_eq!(police.send(question(tax.participant(), "too late")).await, Err(SendError::Stopped));
}
