//! Both servers are restarted, one after the other, as for a new version of them.

use std::time::Duration;

use dmr_tests::drill::{count, seed, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::History;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;

use crate::cast::{PARTICIPANTS, Party, SETTLING, lanes};
use crate::stage::{Relay, cluster, nodes};

/// From the order to end until the other server has the agents and messages are accepted. An agent goes at once, or after
/// its grace period of 5 s, where it has deliveries whose receipts the draining server does not take any more.
const MOVE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_all_servers_loses_and_refuses_nothing() -> Outcome {
    let _turn = turn().await;
    let (rounds, messages) = (count(1, 10), count(800, 1_000));
    let cluster = cluster().await?;
    let history = History::begin("servers-restarted")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let first = Relay::start(&network, "relay-1", &nodes(&cluster)?).await?;
    let mut relays = [first, Relay::start(&network, "relay-2", &nodes(&cluster)?).await?];
    let parties = Party::both(&network, &relays.each_ref(), &history).await?;

    let seed = seed();
    for round in 0..rounds {
        let plan = LoadPlan { seed: seed + round, per_second: 100, ..LoadPlan::new(messages) };
        let load = Load::start(plan, lanes(&parties), &history);
        for relay in &mut relays {
            load.accepted(history.accepted() + messages / 6).await?;
            history.fault("server restarted");
            relay.server.process.signal("TERM")?;
            let status = relay.server.process.wait().await?;
            assert!(status.success(), "{status}: {}", relay.server.process.last_lines(20));
            relay.start_again(&network).await?;
        }
        load.settle(SETTLING).await?;
    }

    let (verdict, sent) = (history.conclude()?, messages * usize::try_from(rounds).unwrap_or_default());
    assert_eq!((verdict.acknowledged, verdict.refused, verdict.failed), (sent, 0, 0), "{verdict}");
    verdict.recovered_within(MOVE)
}
