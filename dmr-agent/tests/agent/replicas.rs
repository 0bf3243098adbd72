//! Several agents of one participant.

use std::time::Duration;

use dmr_agent::{Answer, AskError, MessageStatus};

use crate::network::{Network, next, question};
use crate::relay::Relay;
use crate::wait::until_true;

#[tokio::test(start_paused = true)]
async fn an_answer_that_reaches_another_replica_is_a_timeout_and_never_a_loss() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    // The asking replica does not subscribe, so that every delivery reaches the other.
    let mut config = network.config("tax");
    config.prefetch = None;
    let asking = crate::network::start(config, &relay).await;
    let (_other, mut other_inbox) = network.receiver("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;

    let asked = tokio::spawn({
        let (asking, question) = (asking.clone(), question(police.participant(), "who hears this?"));
        async move { asking.ask(question, Duration::from_secs(10)).await }
    });
    let answer = next(&mut inbox).await.answer(Answer::new("text/plain", "the other one")).await.unwrap();
    let elsewhere = next(&mut other_inbox).await;
    assert_eq!(elsewhere.message.content.body, "the other one");
    assert!(!elsewhere.message.solicited);
    elsewhere.ack();
    assert!(matches!(asked.await.unwrap(), Err(AskError::Deadline { .. })));
    until_true("the answer is delivered", || police.message(answer.message.id) == Some(MessageStatus::Delivered)).await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_has_no_directory_takes_nothing_from_the_mailbox() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let other_root = Network::of(&["police"]);
    let mut config = network.config("police");
    config.pin = other_root.pin;
    let blind = dmr_agent::Agent::connect_with(config, relay.dialer(), vec![None]).await.unwrap();
    until_true("logged in", || blind.is_connected()).await;
    let tax = network.agent("tax", &relay).await;
    let sent = tax.send(question(network.id("police"), "who sees this?")).await.unwrap().message;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(relay.settled().is_empty());
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    let delivery = tokio::time::timeout(Duration::from_secs(1), inbox.next()).await.unwrap().unwrap();
    assert_eq!((delivery.message.reference, delivery.message.attempt), (sent, 1));
    assert!(blind.directory().is_none());
}

#[tokio::test(start_paused = true)]
async fn replicas_share_a_mailbox_and_each_message_goes_to_one() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let tax = network.agent("tax", &relay).await;
    let (one, mut one_inbox) = network.receiver("police", &relay).await;
    let (_two, mut two_inbox) = network.receiver("police", &relay).await;
    let mut sent = Vec::new();
    for _ in 0..40 {
        sent.push(tax.send(question(one.participant(), "to either")).await.unwrap().message.id);
    }
    let mut seen = Vec::new();
    while seen.len() < 40 {
        let delivery = tokio::select! {
            delivery = one_inbox.next() => delivery,
            delivery = two_inbox.next() => delivery,
        };
        let delivery = delivery.unwrap();
        seen.push(delivery.message.reference.id);
        delivery.ack();
    }
    seen.sort();
    sent.sort();
    assert_eq!(seen, sent);
}
