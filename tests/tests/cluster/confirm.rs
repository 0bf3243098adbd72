//! The server is killed while it waits for the broker's confirms, and when it has them and has not passed them on.

use std::time::Duration;

use dmr_tests::drill::{count, seed, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::{Event, History};
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;
use dmr_tests::patience::until;

use crate::cast::{PARTICIPANTS, Party, SETTLING, lanes};
use crate::stage::{Relay, single};

/// Messages that wait for an answer when the server dies; there are 32 callers.
const UNDER_WAY: usize = 24;

/// Messages that were sent and have no answer yet.
fn waiting(history: &History) -> usize {
    let sent = history.count(|event| matches!(event, Event::Send { .. }));
    sent.saturating_sub(history.accepted())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_before_and_after_confirms_loses_nothing() -> Outcome {
    let _turn = turn().await;
    let (rounds, messages) = (count(1, 20), count(300, 500));
    let node = single().await?;
    let history = History::begin("server-killed-at-confirm")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let mut relay = Relay::start(&network, "relay-1", &[node]).await?;
    let parties = Party::both(&network, &[&relay], &history).await?;

    let first = seed();
    for round in 0..rounds {
        let plan = |step| LoadPlan { seed: first + 2 * round + step, per_second: 200, ..LoadPlan::new(messages) };
        // The broker stands still: what is published lies in its sockets, and it takes it in after the server's death.
        let load = Load::start(plan(0), lanes(&parties), &history);
        load.accepted(history.accepted() + messages / 4).await?;
        node.pause().await?;
        until("publishes wait for confirms", async || Ok(waiting(&history) >= UNDER_WAY)).await?;
        relay.server.process.kill()?;
        history.fault_begins("server killed before confirms");
        node.resume()?;
        relay.start_again(&network).await?;
        history.fault_ends("server killed before confirms");
        load.settle(SETTLING).await?;

        // The server stands still: what it has published is confirmed, and nobody is told.
        let load = Load::start(plan(1), lanes(&parties), &history);
        load.accepted(history.accepted() + messages / 4).await?;
        relay.server.process.pause().await?;
        until("messages wait for an answer", async || Ok(waiting(&history) >= UNDER_WAY)).await?;
        relay.server.process.kill()?;
        history.fault_begins("server killed after confirms");
        relay.start_again(&network).await?;
        history.fault_ends("server killed after confirms");
        load.settle(SETTLING).await?;
    }

    let (verdict, sent) = (history.conclude()?, 2 * messages * usize::try_from(rounds).unwrap_or_default());
    assert_eq!((verdict.acknowledged, verdict.refused, verdict.failed), (sent, 0, 0), "{verdict}");
    verdict.recovered_within(Duration::from_secs(30))
}
