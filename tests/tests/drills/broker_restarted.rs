//! The only node of the broker dies, or is not there yet: servers wait for it, and agents notice nothing.

use std::time::Duration;

use dmr_tests::drill::{count, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::rabbitmq::NodePlan;

use crate::cast::{PARTICIPANTS, Party};
use crate::stage::{Ensemble, Stage, import_policies};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_waits_for_a_broker_that_starts_later() -> Outcome {
    let _turn = turn().await;
    let messages = count(300, 10_000);
    let mut stage = Stage::prepare("broker-later", &NodePlan::default()).await?;
    let server = stage.plan.launch(&stage.network)?;
    let tax = Party::launch(&stage.network, PARTICIPANTS[0], &server, &stage.history).await?;
    let police = Party::launch(&stage.network, PARTICIPANTS[1], &server, &stage.history).await?;
    let unready = server.admin.readiness(503).await?;
    assert!(unready.text.contains("the broker does not work"), "{}", unready.text);

    stage.history.fault_begins("no broker yet");
    let ensemble = Ensemble { server, tax, police };
    let load = Load::start(LoadPlan::new(messages), ensemble.lanes(), &stage.history);
    stage.boot().await?;
    assert_eq!(stage.history.accepted(), 0, "there was nobody who could have stored anything");
    import_policies(&stage.node).await?;
    stage.history.fault_ends("no broker yet");
    load.settle(Duration::from_secs(120)).await?;

    ensemble.server.admin.ready().await?;
    ensemble.consume(&stage).await?;
    let verdict = stage.history.conclude()?;
    assert_eq!((verdict.attempts, verdict.acknowledged), (messages, messages), "{verdict}");
    verdict.recovered_within(Duration::from_secs(30))
}
