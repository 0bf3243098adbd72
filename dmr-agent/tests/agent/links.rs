//! Links that are lost, servers that forget.

use std::time::Duration;

use dmr_agent::{Answer, MessageStatus};
use dmr_core::header::Kind;
use dmr_core::id::MessageId;
use dmr_core::reason::RejectReason;

use crate::network::{Network, next, question};
use crate::relay::Relay;
use crate::wait::{until_true, within};

fn network() -> (Network, Relay) {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    (network, relay)
}

#[tokio::test(start_paused = true)]
async fn an_agent_connects_again_and_what_was_sent_meanwhile_goes_out() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    relay.go_down();
    until_true("no link", || !tax.is_connected()).await;
    let message = question(network.id("police"), "while away");
    let sending = tokio::spawn({
        let tax = tax.clone();
        async move { tax.send(message).await }
    });
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(!sending.is_finished());
    relay.come_up();
    within("the confirm", sending).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_publish_without_its_confirm_is_sent_again_with_the_same_bytes() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    relay.hold_confirms(true);
    let message = question(network.id("police"), "confirm lost");
    let sending = tokio::spawn({
        let tax = tax.clone();
        async move { tax.send(message).await }
    });
    until_true("stored", || relay.published(Kind::QUESTION).len() == 1).await;
    relay.hold_confirms(false);
    relay.cut_links();
    within("the confirm", sending).await.unwrap().unwrap();
    let published = relay.published(Kind::QUESTION);
    assert!(published.iter().all(|envelope| envelope.bytes() == published[0].bytes()));

    // Both copies are in the mailbox; the recipient's program sees one.
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    next(&mut inbox).await.ack();
    let second = tokio::time::timeout(Duration::from_secs(120), inbox.next()).await;
    assert!(second.is_err());
    assert_eq!(relay.held().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_stored_is_published_again_with_the_same_bytes_although_the_server_refuses_it_for_now() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    relay.hold_confirms(true);
    let message = question(network.id("police"), "stored, and then refused");
    let sending = tokio::spawn({
        let tax = tax.clone();
        async move { tax.send(message).await }
    });
    until_true("stored", || relay.published(Kind::QUESTION).len() == 1).await;
    relay.refuse_next(&[RejectReason::RateLimited, RejectReason::Undecided]);
    relay.cut_links();
    until_true("refused", || relay.published(Kind::QUESTION).len() == 2).await;
    relay.hold_confirms(false);
    let accepted = within("the confirm", sending).await.unwrap().unwrap();
    let published = relay.published(Kind::QUESTION);
    assert_eq!(published.len(), 4);
    assert!(published.iter().all(|envelope| envelope.bytes() == published[0].bytes()));

    let (_police, mut inbox) = network.receiver("police", &relay).await;
    next(&mut inbox).await.ack();
    until_true("delivered", || tax.message(accepted.message.id) == Some(MessageStatus::Delivered)).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_did_not_decide_on_is_neither_given_back_nor_taken_back() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    relay.refuse_next(&[RejectReason::Undecided]);
    let id = MessageId::from_custom_bytes([5; 16]);
    let mut sending = Box::pin(tax.send(question(network.id("police"), "stored or not").with_id(id)));
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut sending).await.is_err());
    assert!(!tax.withdraw(id).await, "it may be stored");
    within("the confirm", sending).await.unwrap();
    let published = relay.published(Kind::QUESTION);
    assert_eq!(published.len(), 2);
    assert_eq!(published[0].bytes(), published[1].bytes());
}

#[tokio::test(start_paused = true)]
async fn what_a_server_forgot_is_published_again_until_its_receipt() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(tax.send(question(network.id("police"), "kept by the sender")).await.unwrap().message.id);
    }
    relay.lose_memory();
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    for _ in 0..20 {
        next(&mut inbox).await.ack();
    }
    until_true("all delivered", || sent.iter().all(|id| tax.message(*id) == Some(MessageStatus::Delivered))).await;
    // Receipted messages are not kept: another loss brings nothing back.
    let before = relay.published(Kind::QUESTION).len();
    relay.lose_memory();
    until_true("back", || tax.is_connected()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(relay.published(Kind::QUESTION).len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_settled_after_its_link_was_lost_is_handled_once() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let sent = tax.send(question(police.participant(), "over two links")).await.unwrap();
    let delivery = next(&mut inbox).await;
    relay.cut_links();
    until_true("links back", || police.is_connected() && tax.is_connected()).await;
    delivery.ack();
    until_true("delivered", || tax.message(sent.message.id) == Some(MessageStatus::Delivered)).await;
    let copy = tokio::time::timeout(Duration::from_secs(60), inbox.next()).await;
    assert!(copy.is_err());
    assert_eq!(relay.held().await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_ask_survives_a_server_that_forgets_everything() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let id = MessageId::from_custom_bytes([5; 16]);
    let asking = tokio::spawn({
        let (tax, question) = (tax.clone(), question(police.participant(), "still there?").with_id(id));
        async move { tax.ask(question, Duration::from_secs(120)).await }
    });
    let delivery = next(&mut inbox).await;
    relay.lose_memory();
    delivery.answer(Answer::new("text/plain", "yes")).await.unwrap();
    let answer = within("the answer", asking).await.unwrap().unwrap();
    assert_eq!(answer.content.body, "yes");
}

#[tokio::test(start_paused = true)]
async fn messages_in_flight_through_many_cuts_take_effect_once_each() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let service = tokio::spawn(async move {
        let mut effects = std::collections::BTreeMap::new();
        while let Some(delivery) = inbox.next().await {
            *effects.entry(delivery.message.reference.id).or_insert(0) += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
            delivery.ack();
        }
        effects
    });
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (tax, message) = (tax.clone(), question(police.participant(), "once"));
        sending.spawn(async move { tax.send(message).await.unwrap().message.id });
    }
    for round in 0..6 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        if round % 2 == 0 { relay.cut_links() } else { relay.lose_memory() }
    }
    let sent = within("all accepted", sending.join_all()).await;
    until_true("all delivered", || sent.iter().all(|id| tax.message(*id) == Some(MessageStatus::Delivered))).await;
    police.shutdown().await;
    let effects = service.await.unwrap();
    assert_eq!(effects.len(), 100);
    assert!(effects.values().all(|count| *count == 1), "{effects:?}");
}
