//! A message dies at the broker, and its sender is connected to another server than the one that finds it dead.

use dmr_tests::drill::{count, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::{Event, Fate, History};
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;
use dmr_tests::patience::until;

use crate::cast::{PARTICIPANTS, Party, Posted, SETTLING, lanes};
use crate::stage::{Relay, single};

/// Who is in the directory and never there.
const AWAY: &str = "library";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_learns_what_died_whichever_server_finds_the_letter() -> Outcome {
    let _turn = turn().await;
    let (messages, dying) = (count(200, 10_000), count(20, 500));
    let node = single().await?;
    let history = History::begin("dead-letters")?;
    let [tax, police] = PARTICIPANTS;
    let network = Network::new("demo", &[tax, police, AWAY])?;
    let relays = [Relay::start(&network, "relay-1", &[node]).await?, Relay::start(&network, "relay-2", &[node]).await?];
    // The sender knows one server only, and both of them look for dead letters.
    let tax = Party::start(&network, tax, &[&relays[1]], &history).await?;
    let parties = [tax, Party::start(&network, police, &relays.each_ref(), &history).await?];
    let load = Load::start(LoadPlan { per_second: 50, ..LoadPlan::new(messages) }, lanes(&parties), &history);

    let api = &parties[0].agent.api;
    let mut ids = Vec::new();
    for number in 0..dying {
        let Posted { id, answer } = parties[0].post(AWAY, number, 2, &history).await?;
        answer.well()?;
        history.note(Event::Accepted { id: id.clone() });
        ids.push(id);
    }
    for id in ids {
        // The agent's own finding that the time is over has no notice beside it.
        until(&format!("the sender of {id} is told"), async || {
            Ok(api.get(&format!("/v1/messages/{id}")).await?.json()["notice"] == "expired")
        })
        .await?;
        history.note(Event::Receipt { id, fate: Fate::Failed, why: "expired".to_owned() });
    }
    load.settle(SETTLING).await?;

    let expired = ["reason=\"expired\""];
    for relay in &relays {
        let found = relay.metric("dmr_messages_dead_lettered_total", &expired).await?;
        assert!(found >= 1.0, "a server found no dead letter: the drill shows nothing");
    }
    let verdict = history.conclude()?;
    assert_eq!((verdict.acknowledged, verdict.failed), (messages + dying, dying), "{verdict}");
    Ok(())
}
