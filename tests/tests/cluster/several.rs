//! A message to several recipients, of whom one has no room: it is not accepted before everybody has it, once.

use std::time::Duration;

use dmr_agent::{Agent, AgentConfig, Delivery, MessageStatus, OutgoingMessage};
use dmr_core::id::ParticipantId;
use dmr_crypto::{Keyring, RootPin};
use dmr_tests::drill::{count, turn};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::history::History;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;
use dmr_tests::patience::{PATIENCE, until};
use dmr_tests::rabbitmq::Node;
use tokio::time::timeout;

use crate::cast::{PARTICIPANTS, Party, SETTLING, lanes};
use crate::stage::{Relay, plan, set_up};

/// A sender and two recipients, besides those who write to each other.
const OTHERS: [&str; 3] = ["court", "library", "school"];

/// An agent in this process: its program says itself when it takes what is delivered.
async fn agent(network: &Network, name: &str, relay: &Relay) -> Outcome<Agent> {
    let read = |path: std::path::PathBuf| std::fs::read(&path).doing(path.display());
    let pin = RootPin::from_json(&read(network.root())?).doing("the root keys")?;
    let keyring = Keyring::from_key_file(&read(network.keys(name))?).doing("the keys")?;
    let url = relay.server.url();
    let config = AgentConfig::new(keyring, pin, vec![url.parse().doing(&url)?]);
    let agent = Agent::connect(config).await.doing("an agent")?;
    timeout(PATIENCE, agent.ready()).await.doing("an agent logs in")?;
    Ok(agent)
}

fn message(to: ParticipantId, text: &str) -> OutgoingMessage {
    OutgoingMessage::event(to, "text/plain", text.to_owned())
}

/// The next delivery, which is taken.
async fn take(deliveries: &mut dmr_agent::Deliveries) -> Outcome<String> {
    let next = timeout(PATIENCE, deliveries.next()).await.doing("a delivery in time")?;
    let delivery: Delivery = next.doing("a delivery")?;
    let text = String::from_utf8_lossy(&delivery.message.content.body).into_owned();
    delivery.ack();
    Ok(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_several_is_accepted_once_everybody_has_it_and_delivered_once_to_each() -> Outcome {
    let _turn = turn().await;
    let messages = count(200, 10_000);
    // One of its own: servers of other drills would rightly refuse to run beside such a policy.
    let node = &Node::start().await?;
    set_up(node).await?;
    let history = History::begin("several-recipients")?;
    let names: Vec<_> = PARTICIPANTS.iter().chain(&OTHERS).copied().collect();
    let network = Network::new("demo", &names)?;
    let [_, library, school] = OTHERS.map(|name| network.id(name));
    let (library_id, school_id) = (library?, school?);

    // Room for two. It stands above what is shipped, whose other words it repeats.
    let pattern = format!("^dmr\\.a\\.{library_id}$");
    let definition = r#"{"max-length": 2, "overflow": "reject-publish", "dead-letter-exchange": "dmr.dlx"}"#;
    let priority = ["--priority", "20", "--apply-to", "queues"];
    node.ctl(&[&["set_policy"], &priority[..], &["no-room", &pattern, definition]].concat()).await?;
    let warned = plan(&network, "relay-1", &[node])?.with("--broker-check", "warn");
    let relay = Relay::start_as(&network, warned).await?;
    let parties = Party::both(&network, &[&relay], &history).await?;
    let load = Load::start(LoadPlan { per_second: 50, ..LoadPlan::new(messages) }, lanes(&parties), &history);

    let (court, school) = (agent(&network, OTHERS[0], &relay).await?, agent(&network, OTHERS[2], &relay).await?);
    let (library, away): (ParticipantId, _) = (library_id.parse().doing("an id")?, "to one who is away");
    let both = message(library, "to both").and_to(school_id.parse().doing("an id")?);
    let mut at_school = school.deliveries().doing("deliveries")?;

    // The bound is soft: what is refused at last is the first that finds no room.
    let mut stored = 0;
    while court.send(message(library, away)).await.is_ok() {
        stored += 1;
    }
    assert!((2..10).contains(&stored), "{stored}");
    let id = dmr_core::id::MessageId::from_custom_bytes([3; 16]);
    let sending = tokio::spawn({
        let (court, both) = (court.clone(), both.with_id(id));
        async move { court.send(both).await }
    });
    // One has it, which may not be undone; so the same bytes are sent again until the other has it as well.
    assert_eq!(take(&mut at_school).await?, "to both");
    let full = ["reason=\"mailbox-full\""];
    until("it was refused again", async || Ok(relay.metric("dmr_messages_rejected_total", &full).await? >= 3.0))
        .await?;
    assert!(!sending.is_finished());
    assert_eq!(court.message(id), Some(MessageStatus::Pending));

    let library = agent(&network, OTHERS[1], &relay).await?;
    let mut at_library = library.deliveries().doing("deliveries")?;
    for _ in 0..stored {
        assert_eq!(take(&mut at_library).await?, away);
    }
    assert_eq!(take(&mut at_library).await?, "to both");
    timeout(PATIENCE, sending).await.doing("accepted")?.doing("sending")?.doing("sending")?;
    let outcome = timeout(PATIENCE, court.outcome(id)).await.doing("an outcome")?;
    assert_eq!(outcome, Some(MessageStatus::Delivered));

    // Copies of it are still on their way to the one that had it at once; none of them is a second delivery.
    let last = OutgoingMessage::event(school_id.parse().doing("an id")?, "text/plain", "the last");
    court.send(last).await.doing("the last")?;
    assert_eq!(take(&mut at_school).await?, "the last");
    load.settle(SETTLING).await?;
    let verdict = history.conclude()?;
    if verdict.acknowledged != messages {
        return Err(Failure::new(format!("not all accepted: {verdict}")));
    }
    for agent in [court, library, school] {
        timeout(Duration::from_secs(30), agent.shutdown()).await.doing("an agent's end")?;
    }
    Ok(())
}
