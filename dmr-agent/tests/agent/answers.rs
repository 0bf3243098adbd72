//! Answers: who may give them, and that a question has one.

use std::time::Duration;

use dmr_agent::{Answer, MessageStatus, OutgoingMessage, SendError};
use dmr_core::content::Reference;
use dmr_core::directory::Permission;
use dmr_core::header::Kind;
use dmr_core::id::{Digest, MessageId};
use dmr_core::reason::{FailureReason, RejectReason};
use dmr_transport::Disposition;

use crate::network::{Network, next, question};
use crate::receipts::{plain, sealed};
use crate::relay::{Relay, dead};
use crate::wait::{until_true, within};

fn network() -> (Network, Relay) {
    let network = Network::of(&["tax", "police", "mallory"]);
    let relay = Relay::new(network.directory());
    (network, relay)
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_somebody_who_was_not_asked_is_refused_and_told() {
    let (network, relay) = network();
    let (tax, mut inbox) = network.receiver("tax", &relay).await;
    let mallory = network.agent("mallory", &relay).await;
    let asked = tax.send(question(network.id("police"), "police only")).await.unwrap().message;
    let answer = OutgoingMessage::answer(tax.participant(), asked, "text/plain", "I am the police");
    let sent = mallory.send(answer).await.unwrap().message;
    let refused = MessageStatus::Failed { reason: FailureReason::Unsolicited, signed: true };
    until_true("refused", || mallory.message(sent.id) == Some(refused)).await;
    assert_eq!(tax.message(asked.id), Some(MessageStatus::Accepted));
    assert!(tokio::time::timeout(Duration::from_secs(60), inbox.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_another_text_under_the_questions_id_is_refused() {
    let (network, relay) = network();
    let (tax, mut inbox) = network.receiver("tax", &relay).await;
    let police = network.agent("police", &relay).await;
    let asked = tax.send(question(police.participant(), "this text")).await.unwrap().message;
    let other = Reference { digest: Digest([1; 32]), ..asked };
    let answer = OutgoingMessage::answer(tax.participant(), other, "text/plain", "to that text");
    let sent = police.send(answer).await.unwrap().message;
    let refused = MessageStatus::Failed { reason: FailureReason::Unsolicited, signed: true };
    until_true("refused", || police.message(sent.id) == Some(refused)).await;
    assert!(tokio::time::timeout(Duration::from_secs(60), inbox.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_names_no_question_is_malformed() {
    let (network, relay) = network();
    let (tax, _inbox) = network.receiver("tax", &relay).await;
    let to = (tax.participant(), MessageId::from_custom_bytes([8; 16]), Kind::ANSWER);
    let content = plain("text/plain", "to what?", None);
    let (bytes, _) = sealed(&network.keyring("police"), &network.directory(), to, content);
    relay.inject(tax.participant(), bytes).await;
    until_true("refused", || relay.settled().contains(&dead(FailureReason::Malformed))).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_is_settled_only_once_its_answer_is_confirmed() {
    let (network, relay) = network();
    let (tax, mut tax_inbox) = network.receiver("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let asked = tax.send(question(police.participant(), "confirmed?")).await.unwrap().message;
    let delivery = next(&mut inbox).await;
    relay.hold_confirms(true);
    let answering = tokio::spawn(delivery.answer(Answer::new("text/plain", "not yet")));
    until_true("the answer is published", || !relay.published(Kind::ANSWER).is_empty()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!answering.is_finished());
    assert!(relay.settled().is_empty());
    relay.hold_confirms(false);
    within("the confirm", answering).await.unwrap().unwrap();
    let answer = next(&mut tax_inbox).await;
    assert_eq!(answer.message.content.in_reply_to, Some(asked));
    assert!(answer.message.solicited);
}

#[tokio::test(start_paused = true)]
async fn a_question_delivered_twice_is_answered_once_with_the_same_bytes() {
    let (network, relay) = network();
    let (tax, mut tax_inbox) = network.receiver("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    tax.send(question(police.participant(), "twice")).await.unwrap();
    let answer = next(&mut inbox).await.answer(Answer::new("text/plain", "once")).await.unwrap();
    relay.inject(police.participant(), relay.published(Kind::QUESTION)[0].bytes().clone()).await;
    relay.lose_memory();
    next(&mut tax_inbox).await.ack();
    let copy = tokio::time::timeout(Duration::from_secs(60), inbox.next()).await;
    assert!(copy.is_err());
    let answers = relay.published(Kind::ANSWER);
    assert!(answers.iter().all(|envelope| envelope.bytes() == answers[0].bytes()));
    assert_eq!(answers[0].header().id, answer.message.id);
    assert_eq!(answers[0].header().id.as_bytes()[6] >> 4, 8, "a version 8 UUID");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_server_cannot_take_now_is_tried_again_with_the_same_bytes() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let asking = tokio::spawn({
        let (tax, question) = (tax.clone(), question(police.participant(), "busy?"));
        async move { tax.ask(question, Duration::from_secs(60)).await }
    });
    let delivery = next(&mut inbox).await;
    relay.refuse_next(&[RejectReason::MailboxFull, RejectReason::Unavailable]);
    delivery.answer(Answer::new("text/plain", "a little")).await.unwrap();
    assert_eq!(within("the answer", asking).await.unwrap().unwrap().content.body, "a little");
    let answers = relay.published(Kind::ANSWER);
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|envelope| envelope.bytes() == answers[0].bytes()));
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_answer_is_refused_for_good_counts_as_delivered() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let asked = tax.send(question(police.participant(), "may you answer?")).await.unwrap().message;
    let delivery = next(&mut inbox).await;
    relay.refuse_next(&[RejectReason::PolicyRefused]);
    let answered = delivery.answer(Answer::new("text/plain", "no")).await;
    assert!(matches!(answered, Err(SendError::Rejected { reason: RejectReason::PolicyRefused, .. })), "{answered:?}");
    until_true("delivered", || tax.message(asked.id) == Some(MessageStatus::Delivered)).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_asker_may_not_be_written_to_is_not_asked_again_and_again() {
    let network = Network::of(&["tax", "police"]);
    let (from, to) = (vec![crate::network::name("tax")], vec![crate::network::name("police")]);
    let relay = Relay::new(network.amend(|directory| directory.policy = vec![Permission { from, to }]));
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    tax.send(question(police.participant(), "one way?")).await.unwrap();
    let answered = next(&mut inbox).await.answer(Answer::new("text/plain", "no way back")).await;
    assert_eq!(answered, Err(SendError::PolicyRefused(tax.participant())));
    until_true("settled", || relay.settled_by(police.participant()) == [Disposition::Ack]).await;
    assert!(tokio::time::timeout(Duration::from_secs(120), inbox.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_leaves_the_question_unsettled() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    tax.send(question(police.participant(), "how much?")).await.unwrap();
    let answered = next(&mut inbox).await.answer(Answer::new("text/plain", vec![0; 2 << 20])).await;
    assert!(matches!(answered, Err(SendError::TooLarge { .. })), "{answered:?}");
    tokio::time::sleep(Duration::from_secs(30)).await;
    next(&mut inbox).await.ack();
}

#[tokio::test(start_paused = true)]
async fn an_event_has_no_answer() {
    let (network, relay) = network();
    let (tax, _tax_inbox) = network.receiver("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let event = OutgoingMessage::event(police.participant(), "text/plain", "just so you know");
    let told = tax.send(event).await.unwrap().message;
    let answered = next(&mut inbox).await.answer(Answer::new("text/plain", "thanks")).await;
    assert_eq!(answered, Err(SendError::NotAQuestion));
    // One that is sent all the same is refused at the other end.
    let reply = OutgoingMessage::answer(tax.participant(), told, "text/plain", "thanks");
    let sent = police.send(reply).await.unwrap().message;
    let refused = MessageStatus::Failed { reason: FailureReason::Unsolicited, signed: true };
    until_true("refused", || police.message(sent.id) == Some(refused)).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_come_after_the_question_was_acknowledged() {
    let (network, relay) = network();
    let (tax, mut tax_inbox) = network.receiver("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let asked = tax.send(question(police.participant(), "when you have time")).await.unwrap().message;
    let delivery = next(&mut inbox).await;
    let reference = delivery.message.reference;
    delivery.ack();
    until_true("delivered", || tax.message(asked.id) == Some(MessageStatus::Delivered)).await;
    let answer = OutgoingMessage::answer(tax.participant(), reference, "text/plain", "now");
    let sent = police.send(answer).await.unwrap().message;
    let answer = next(&mut tax_inbox).await;
    assert_eq!(answer.message.content.body, "now");
    answer.ack();
    assert_eq!(tax.message(asked.id), Some(MessageStatus::Answered { answer: sent.id }));
    until_true("the answer is delivered", || police.message(sent.id) == Some(MessageStatus::Delivered)).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_deadline_comes_as_a_delivery() {
    let (network, relay) = network();
    let (tax, mut tax_inbox) = network.receiver("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let asked = tax.ask(question(police.participant(), "quick?"), Duration::from_secs(5)).await;
    let Err(dmr_agent::AskError::Deadline { question }) = asked else { panic!("{asked:?}") };
    next(&mut inbox).await.answer(Answer::new("text/plain", "slow")).await.unwrap();
    let late = next(&mut tax_inbox).await;
    assert_eq!(late.message.content.in_reply_to.unwrap().id, question);
    assert!(late.message.solicited);
    late.ack();
}
