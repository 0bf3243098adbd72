//! The node that leads a mailbox is killed, and comes back: again and again.

use std::time::Duration;

use dmr_tests::drill::{count, seed, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::History;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;

use crate::cast::{PARTICIPANTS, Party, SETTLING, lanes, verdict_over};
use crate::stage::{Relay, cluster, nodes};

/// From the death of a leader to the first message that is accepted after it.
const ELECTION: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_goes_on_within_seconds_of_its_leaders_death() -> Outcome {
    let _turn = turn().await;
    let (rounds, messages) = (count(2, 20), count(300, 500));
    let mut cluster = cluster().await?;
    let history = History::begin("leader-killed")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let relay = Relay::start(&network, "relay-1", &nodes(&cluster)?).await?;
    let parties = Party::both(&network, &[&relay], &history).await?;
    let links = relay.links().await?;
    let mailbox = format!("dmr.a.{}", network.id(PARTICIPANTS[1])?);

    let first = seed();
    for round in 0..rounds {
        let plan = LoadPlan { seed: first + round, per_second: 100, ..LoadPlan::new(messages) };
        let load = Load::start(plan, lanes(&parties), &history);
        let before = history.accepted();
        load.accepted(before + messages / 4).await?;
        cluster.kill_leader_of(&mailbox).await?;
        history.fault("leader killed");
        cluster.mend().await?;
        load.settle(SETTLING).await?;
        let whole = |facts: &dmr_tests::rabbitmq::QueueFacts| facts.online.len() == 3;
        cluster.any()?.queue_when(&mailbox, "has all its members", whole).await?;
    }

    let verdict = history.conclude()?;
    assert_eq!((verdict.refused, verdict.unknown, verdict.failed), (0, 0, 0), "{verdict}");
    assert_eq!(relay.links().await?, links, "an agent connected again");
    verdict_over(&history, PARTICIPANTS[1]).recovered_within(ELECTION)
}
