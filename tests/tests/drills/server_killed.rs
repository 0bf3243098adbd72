//! The server is killed and started again: with a broker in its memory, everything that it had accepted is gone with it.

use std::time::Duration;

use dmr_tests::drill::{count, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::History;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;
use dmr_tests::server::ServerPlan;

use crate::cast::{PARTICIPANTS, Party};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_when_the_server_dies_with_a_broker_in_memory() -> Outcome {
    let _turn = turn().await;
    let messages = count(600, 10_000);
    let history = History::begin("server-killed-memory")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let plan = ServerPlan::new(&network, "relay-1")?.with("--log", "warn");
    let mut server = plan.start(&network).await?;
    let tax = Party::start(&network, PARTICIPANTS[0], &server, &history).await?;
    let police = Party::start(&network, PARTICIPANTS[1], &server, &history).await?;

    let lanes = vec![tax.lane_to(&police), police.lane_to(&tax)];
    let load = Load::start(LoadPlan::new(messages), lanes, &history);
    load.accepted(messages / 3).await?;
    history.fault_begins("server killed");
    server.process.kill()?;
    let _server = plan.start(&network).await?;
    history.fault_ends("server killed");
    load.settle(Duration::from_secs(120)).await?;

    let verdict = history.conclude()?;
    assert_eq!((verdict.attempts, verdict.acknowledged), (messages, messages), "{verdict}");
    verdict.recovered_within(Duration::from_secs(30))
}
