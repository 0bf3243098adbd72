//! The only node of the broker dies, or is not there yet: servers wait for it, and agents notice nothing.

use std::time::Duration;

use dmr_tests::drill::{count, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::load::{Load, LoadPlan};

use crate::stage::{Ensemble, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_when_the_broker_is_killed_and_every_consumer_comes_back() -> Outcome {
    let _turn = turn().await;
    let (messages, rounds) = (count(600, 10_000), count(1, 20));
    let mut stage = Stage::open("broker-killed").await?;
    let ensemble = Ensemble::start(&stage).await?;

    ensemble.old(&stage).await?;

    let load = Load::start(LoadPlan::new(messages), ensemble.lanes(), &stage.history);
    for round in 1..=rounds {
        load.accepted(round * messages / (rounds + 2)).await?;
        stage.history.fault_begins("broker killed");
        stage.node.restart().await?;
        stage.history.fault_ends("broker killed");
    }
    load.settle(Duration::from_secs(120)).await?;

    ensemble.consume(&stage).await?;
    ensemble.assert_no_agent_reconnected().await?;
    let verdict = stage.history.conclude()?;
    assert_eq!((verdict.attempts, verdict.acknowledged), (messages, messages), "{verdict}");
    verdict.recovered_within(Duration::from_secs(30))
}
