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

#[tokio::test(start_paused = true)]
async fn a_receipt_finds_the_replica_that_sent_the_message() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let (one, _one_inbox) = network.receiver("tax", &relay).await;
    let (two, _two_inbox) = network.receiver("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let mut sent = Vec::new();
    for _ in 0..20 {
        for sender in [&one, &two] {
            let id = sender.send(question(police.participant(), "who learns of it?")).await.unwrap().message.id;
            next(&mut inbox).await.ack();
            sent.push((sender.clone(), id));
        }
    }
    for (sender, id) in sent {
        until_true("delivered", || sender.message(id) == Some(MessageStatus::Delivered)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_nobody_waits_for_is_taken_in_the_end() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let gone = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    gone.send(question(police.participant(), "I shall not hear of it")).await.unwrap();
    gone.shutdown().await;
    next(&mut inbox).await.ack();
    let (_next, _deliveries) = network.receiver("tax", &relay).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(relay.held().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_guest_takes_what_is_said_of_its_own_messages_and_leaves_the_rest() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let mut config = network.config("tax");
    config.guest = true;
    let guest = crate::network::start(config, &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;

    // Of others: a question to the participant, an answer and a receipt for a process that has ended.
    let asker = network.agent("tax", &relay).await;
    for _ in 0..2 {
        asker.send(question(police.participant(), "whose answer is this?")).await.unwrap();
    }
    asker.shutdown().await;
    next(&mut inbox).await.answer(Answer::new("text/plain", "not the guest's")).await.unwrap();
    next(&mut inbox).await.ack();
    police.send(question(guest.participant(), "is anybody in?")).await.unwrap();
    relay.inject(guest.participant(), bytes::Bytes::from_static(b"garbage")).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let given_back = |settled: &dmr_transport::Disposition| matches!(settled, dmr_transport::Disposition::Requeue);
    let settled = relay.settled_by(guest.participant());
    assert!(settled.len() > 4 && settled.iter().all(given_back), "{settled:?}");
    assert_eq!(relay.held().await, 4);

    // Of its own: a receipt and an answer.
    let told = guest.send(question(police.participant(), "a receipt, please")).await.unwrap().message.id;
    next(&mut inbox).await.ack();
    until_true("delivered", || guest.message(told) == Some(MessageStatus::Delivered)).await;
    let asked = tokio::spawn({
        let (guest, question) = (guest.clone(), question(police.participant(), "an answer, please"));
        async move { guest.ask(question, Duration::from_secs(10)).await }
    });
    next(&mut inbox).await.answer(Answer::new("text/plain", "the guest's")).await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap().content.body, "the guest's");
    guest.shutdown().await;

    // The one who serves the participant finds everything that was left.
    let (_tax, mut tax_inbox) = network.receiver("tax", &relay).await;
    let mut left = Vec::new();
    for _ in 0..2 {
        let delivery = next(&mut tax_inbox).await;
        left.push(delivery.message.content.body.clone());
        delivery.ack();
    }
    left.sort();
    assert_eq!(left, ["is anybody in?", "not the guest's"]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(relay.held().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_replica_beside_a_guest_misses_nothing_that_concerns_it() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let (tax, mut tax_inbox) = network.receiver("tax", &relay).await;
    let mut config = network.config("tax");
    config.guest = true;
    let _guest = crate::network::start(config, &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    for _ in 0..20 {
        let sent = tax.send(question(police.participant(), "how is it?")).await.unwrap().message.id;
        next(&mut inbox).await.ack();
        let asked = police.send(question(tax.participant(), "and with you?")).await.unwrap().message.id;
        let delivery = next(&mut tax_inbox).await;
        assert_eq!(delivery.message.reference.id, asked);
        delivery.ack();
        until_true("delivered", || tax.message(sent) == Some(MessageStatus::Delivered)).await;
        until_true("delivered", || police.message(asked) == Some(MessageStatus::Delivered)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_reads_the_kept_directory_and_writes_nothing() {
    let network = Network::of(&["tax"]);
    let relay = Relay::new(network.directory());
    let state = tempfile::tempdir().unwrap();
    let start = async |guest: bool, dir: &std::path::Path| {
        let mut config = network.config("tax");
        (config.guest, config.state) = (guest, Some(dir.to_owned()));
        crate::network::start(config, &relay).await.shutdown().await;
    };
    let absent = state.path().join("absent");
    start(true, &absent).await;
    assert!(!absent.exists());
    let kept = state.path().join("kept");
    start(false, &kept).await;
    let before = std::fs::read(kept.join("directory.jws")).unwrap();
    relay.set_directory(network.amend(|_| {}));
    start(true, &kept).await;
    assert_eq!(std::fs::read(kept.join("directory.jws")).unwrap(), before);
}
