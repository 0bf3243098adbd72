//! The directory: taken up, kept, refused, and what its end means.

use std::time::Duration;

use dmr_agent::{Agent, ConnectError, SendError, Unsealable};
use dmr_core::directory::{Card, KeyUse, Status, Validity};
use dmr_core::header::Kind;
use dmr_core::id::MessageId;
use dmr_crypto::{IdentitySecret, ServerKeys};

use crate::network::{Network, keyring, name, next, now, question, start};
use crate::receipts::{plain, sealed};
use crate::relay::{Relay, RelayDialer};
use crate::wait::{until_true, within};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn network() -> (Network, Relay) {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    (network, relay)
}

fn revision(agent: &Agent) -> u64 {
    agent.directory().map_or(0, |directory| directory.revision())
}

#[tokio::test(start_paused = true)]
async fn a_newer_directory_reaches_a_connected_agent() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let newcomer = keyring(9, "customs", now());
    let unknown = tax.send(question(newcomer.participant(), "hello")).await;
    assert_eq!(unknown, Err(SendError::UnknownRecipient(newcomer.participant())));
    let Card::Participant(card) = newcomer.card() else { panic!("another card") };
    relay.set_directory(network.amend(|directory| directory.participants.push(card)));
    until_true("the newer directory", || revision(&tax) == 3).await;
    tax.send(question(newcomer.participant(), "hello")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_sealed_under_a_newer_directory_waits_for_it() {
    let (network, relay) = network();
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let newer = network.amend(|_| {});
    let to = (police.participant(), MessageId::from_custom_bytes([4; 16]), Kind::QUESTION);
    let (bytes, _) = sealed(&network.keyring("tax"), &newer, to, plain("text/plain", "from the future", None));
    relay.inject(police.participant(), bytes).await;
    assert!(tokio::time::timeout(Duration::from_secs(2), inbox.next()).await.is_err());
    relay.set_directory(newer);
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.message.content.body, "from the future");
    delivery.ack();
}

#[tokio::test(start_paused = true)]
async fn an_older_directory_is_refused_after_a_restart_where_a_state_directory_is_kept() {
    let (network, relay) = network();
    let state = tempfile::tempdir().unwrap();
    let config = || {
        let mut config = network.config("tax");
        config.state = Some(state.path().join("tax"));
        config
    };
    let older = network.directory();
    relay.set_directory(network.amend(|_| {}));
    let tax = start(config(), &relay).await;
    assert_eq!(revision(&tax), 3);
    tax.shutdown().await;

    let liar = Relay::new(older);
    let tax = Agent::connect_with(config(), liar.dialer(), RelayDialer::names()).await.unwrap();
    assert_eq!(revision(&tax), 3, "known before any server was asked");
    within("a link", async {
        while !tax.is_connected() {
            tokio::time::sleep(Duration::from_millis(5)).await
        }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(revision(&tax), 3);
}

#[tokio::test(start_paused = true)]
async fn a_kept_directory_that_does_not_verify_stops_the_start() {
    let (network, relay) = network();
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("directory.jws"), "garbage\n").unwrap();
    let mut config = network.config("tax");
    config.state = Some(state.path().to_owned());
    let refused = Agent::connect_with(config, relay.dialer(), RelayDialer::names()).await;
    assert!(matches!(refused, Err(ConnectError::State { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn two_directories_of_one_revision_stop_sealing_and_both_are_kept() {
    let (network, relay) = network();
    let state = tempfile::tempdir().unwrap();
    let mut config = network.config("police");
    config.state = Some(state.path().to_owned());
    let before = network.directory();
    let honest = network.amend(|_| {});
    relay.set_directory(honest.clone());
    let police = start(config, &relay).await;
    let mut inbox = police.deliveries().unwrap();
    until_true("the honest one", || revision(&police) == 3).await;

    // The fork reaches the agent with the next login, which says revision 3: a server that lies says 4.
    let fork = network.fork_of(&before);
    assert_eq!(fork.revision(), honest.revision());
    relay.lie_about_revision(fork.clone());
    until_true("the alarm", || police.unsealable() == Some(Unsealable::Forked)).await;
    assert!(!police.is_ready());
    let refused = police.send(question(network.id("tax"), "no more")).await;
    assert_eq!(refused, Err(SendError::Unsealable(Unsealable::Forked)));
    let kept = |name: &str| std::fs::read(state.path().join(name)).unwrap();
    assert_eq!(kept("fork-3-ours.jws"), honest.bundle()[..]);
    assert_eq!(kept("fork-3-other.jws"), fork.bundle()[..]);

    let to = (police.participant(), MessageId::from_custom_bytes([4; 16]), Kind::QUESTION);
    let (bytes, _) = sealed(&network.keyring("tax"), &honest, to, plain("text/plain", "still opened", None));
    relay.inject(police.participant(), bytes).await;
    assert_eq!(next(&mut inbox).await.message.content.body, "still opened");

    // A restart does not forget it, and a newer directory resolves it.
    police.shutdown().await;
    let mut config = network.config("police");
    config.state = Some(state.path().to_owned());
    let police = Agent::connect_with(config, relay.dialer(), RelayDialer::names()).await.unwrap();
    assert_eq!((revision(&police), police.unsealable()), (3, Some(Unsealable::Forked)));
    relay.set_directory(network.amend(|_| {}));
    until_true("resolved", || revision(&police) == 4 && police.unsealable().is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_could_not_be_written_is_written_later() {
    let (network, relay) = network();
    let state = tempfile::tempdir().unwrap();
    let mut config = network.config("tax");
    config.state = Some(state.path().to_owned());
    let kept = state.path().join("directory.jws");
    std::fs::create_dir(state.path().join(".directory.jws.new")).unwrap();
    let tax = start(config, &relay).await;
    assert!(tax.is_ready() && !kept.exists());
    std::fs::remove_dir(state.path().join(".directory.jws.new")).unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    until_true("written", || std::fs::read(&kept).is_ok_and(|bytes| bytes == network.directory().bundle()[..])).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_whose_entry_was_removed_stops_sealing() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    relay.set_directory(network.amend(|directory| {
        let entry = directory.participants.iter_mut().find(|entry| entry.name == name("tax")).unwrap();
        entry.status = Status::Removed;
    }));
    until_true("the alarm", || tax.unsealable() == Some(Unsealable::OwnEntry)).await;
    let refused = tax.send(question(network.id("police"), "may I still?")).await;
    assert_eq!(refused, Err(SendError::Unsealable(Unsealable::OwnEntry)));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_server_knows_and_the_agent_is_not_yet_told_of_still_logs_in() {
    let (network, relay) = network();
    let mut config = network.config("tax");
    let (usage, validity) =
        (KeyUse { sign: true, login: true }, Validity { not_before: now().minus(DAY), not_after: now().plus(DAY) });
    let next_key = IdentitySecret::from_seed(&[7; 32]);
    let identity = next_key.entry(usage, validity);
    let sealing = config.keyring.sealing()[0].entry(config.keyring.participant(), &next_key);
    assert!(config.keyring.add_identity_key(next_key, usage, validity));
    let state = tempfile::tempdir().unwrap();
    config.state = Some(state.path().to_owned());
    let tax = start(config, &relay).await;
    relay.go_down();
    until_true("no link", || !tax.is_connected()).await;
    // The server takes the rotation up while the agent is away: the only key it knows now is the next one.
    relay.set_directory(network.amend(move |directory| {
        let entry = directory.participants.iter_mut().find(|entry| entry.name == name("tax")).unwrap();
        (entry.identity_keys, entry.sealing_keys) = (vec![identity], vec![sealing]);
    }));
    relay.come_up();
    within("ready under the next key", async {
        while revision(&tax) < 3 || !tax.is_ready() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    tax.send(question(network.id("police"), "signed by the next key")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_the_server_does_not_know_yet_gets_in_soon_after_it_does() {
    let (network, relay) = network();
    let known = network.directory();
    let newcomer = keyring(9, "customs", now());
    let Card::Participant(card) = newcomer.card() else { panic!("another card") };
    let mut config = network.config("tax");
    config.keyring = newcomer;
    config.backoff = dmr_core::backoff::BackoffConfig::default();
    let customs = Agent::connect_with(config, relay.dialer(), RelayDialer::names()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(known.revision(), 2);
    relay.set_directory(network.amend(|directory| directory.participants.push(card)));
    within("ready", customs.ready()).await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_directory_stops_sealing_after_the_grace_and_opening_goes_on() {
    let (network, relay) = network();
    relay.set_directory(network.amend_for(Duration::from_secs(60), now(), |_| {}));
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(tax.unsealable(), None, "in the grace");
    let sent = tax.send(question(police.participant(), "in the grace")).await.unwrap();
    tokio::time::sleep(DAY).await;
    assert_eq!(tax.unsealable(), Some(Unsealable::Expired));
    let refused = tax.send(question(police.participant(), "too late")).await;
    assert_eq!(refused, Err(SendError::Unsealable(Unsealable::Expired)));
    // What was sealed before is still opened; its receipt waits for a directory under which it can be sealed.
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.message.reference, sent.message);
    drop(delivery);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_cannot_be_sealed_waits_and_the_program_is_not_asked_again() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let sent = tax.send(question(police.participant(), "receipt later")).await.unwrap().message;
    let delivery = next(&mut inbox).await;
    let suspend = |status: Status| {
        network.amend(move |directory| {
            let entry = directory.participants.iter_mut().find(|entry| entry.name == name("police")).unwrap();
            entry.status = status;
        })
    };
    relay.set_directory(suspend(Status::Suspended));
    until_true("the alarm", || police.unsealable() == Some(Unsealable::OwnEntry)).await;
    delivery.ack();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(relay.published(Kind::RECEIPT).is_empty());
    relay.set_directory(suspend(Status::Active));
    until_true("sealing again", || police.unsealable().is_none()).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(tax.message(sent.id), Some(dmr_agent::MessageStatus::Delivered));
    assert!(tokio::time::timeout(Duration::from_secs(60), inbox.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn where_the_directory_lists_servers_one_that_does_not_prove_its_name_is_left() {
    let (network, relay) = network();
    let tax = network.agent("tax", &relay).await;
    let validity = Validity { not_before: now().minus(DAY), not_after: now().plus(DAY) };
    let Card::Server(card) = ServerKeys::generate(name("relay"), validity).unwrap().card() else { panic!("a card") };
    relay.set_directory(network.amend(|directory| directory.servers.push(card)));
    until_true("the link is closed", || revision(&tax) == 3 && !tax.is_connected()).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!tax.is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_name_than_the_configured_is_left() {
    let (network, relay) = network();
    let tax = Agent::connect_with(network.config("tax"), relay.dialer(), vec![Some(name("other"))]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(!tax.is_connected());
    let tax = Agent::connect_with(network.config("tax"), relay.dialer(), vec![Some(name("relay"))]).await.unwrap();
    within("ready", tax.ready()).await;
}

#[tokio::test]
async fn a_configuration_that_contradicts_itself_is_refused() {
    let (network, relay) = network();
    let none = Agent::connect_with(network.config("tax"), relay.dialer(), Vec::new()).await;
    assert!(matches!(none, Err(ConnectError::NoServer)));
    let mut config = network.config("tax");
    config.network = name("othernet");
    let other = Agent::connect_with(config, relay.dialer(), RelayDialer::names()).await;
    assert!(matches!(other, Err(ConnectError::OtherNetwork { .. })));
}
