//! A second agent of a participant comes and goes: in good order, and as by a crash.

use dmr_tests::agent::AgentPlan;
use dmr_tests::drill::{count, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::History;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;
use dmr_tests::patience::until;

use crate::cast::{PARTICIPANTS, Party, SETTLING, lanes};
use crate::stage::{Relay, single};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_join_and_leave_lose_nothing() -> Outcome {
    let _turn = turn().await;
    let (rounds, messages) = (count(1, 20), count(600, 10_000));
    let node = single().await?;
    let history = History::begin("replicas")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let relays = [Relay::start(&network, "relay-1", &[node]).await?, Relay::start(&network, "relay-2", &[node]).await?];
    let parties = Party::both(&network, &relays.each_ref(), &history).await?;
    let load = Load::start(LoadPlan { per_second: 60, ..LoadPlan::new(messages) }, lanes(&parties), &history);

    let urls: Vec<_> = relays.iter().map(|relay| relay.server.url()).collect();
    let plan = AgentPlan::new(&network, PARTICIPANTS[1], urls.join(","))?;
    let plan = plan.deliver_to(parties[1].service.url()).with("--log", "warn");
    for step in 0..2 * rounds {
        let mut replica = plan.start(&network).await?;
        until("the replica has its share", async || {
            let handled = replica.api.metric("dmr_socket_events_received_total", &["event=\"deliver\""]).await?;
            Ok(handled.unwrap_or_default() >= 10.0)
        })
        .await?;
        if step % 2 == 0 {
            history.fault("replica told to end");
            replica.process.signal("TERM")?;
            let status = replica.process.wait().await?;
            assert!(status.success(), "{status}: {}", replica.process.last_lines(20));
        } else {
            history.fault("replica killed");
            replica.process.kill()?;
        }
    }
    load.settle(SETTLING).await?;

    let verdict = history.conclude()?;
    assert_eq!((verdict.acknowledged, verdict.refused, verdict.failed), (messages, 0, 0), "{verdict}");
    verdict.recovered_within(std::time::Duration::from_secs(5))
}
