//! The broker runs out of memory and takes no messages: new ones are refused at once, and those it has are handed out.

use std::time::Duration;

use dmr_tests::drill::{count, seed, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::Event;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::patience::until;
use tokio::time::Instant;

use crate::cast::{PARTICIPANTS, Party};
use crate::stage::{Ensemble, Stage};

/// What an agent has at its service at once.
const PREFETCH: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_without_memory_refuses_at_once_hands_out_what_it_has_and_goes_on() -> Outcome {
    let _turn = turn().await;
    let (waiting, messages) = (2 * PREFETCH, count(300, 10_000));
    let stage = Stage::open("memory-alarm").await?;
    let server = stage.plan.start(&stage.network).await?;
    let tax = Party::start(&stage.network, PARTICIPANTS[0], &server, &stage.history).await?;
    // Its agent has not been started, and the service is not needed yet: the lane is what counts.
    let to_police = |tax: &Party| vec![dmr_tests::load::Lane { to: PARTICIPANTS[1].to_owned(), ..tax.lane_to(tax) }];
    let mut before = Load::start(LoadPlan::new(waiting), to_police(&tax), &stage.history);
    before.finish().await?;

    stage.history.fault_begins("memory alarm");
    stage.node.raise_memory_alarm().await?;
    until("the server is told", async || {
        Ok(server.admin.metric("dmr_broker_blocked", &["\"publish\""]).await? == Some(1.0))
    })
    .await?;

    let police = Party::start(&stage.network, PARTICIPANTS[1], &server, &stage.history).await?;
    let ensemble = Ensemble { server, tax, police };
    let seed = seed().wrapping_add(1);
    let load = Load::start(LoadPlan { seed, ..LoadPlan::new(messages) }, ensemble.lanes(), &stage.history);
    for _ in 0..count(10, 100) {
        let began = Instant::now();
        let refused = ensemble.tax.agent.send(PARTICIPANTS[1], "Is there room?").await?;
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert_eq!(refused.json()["type"], "urn:dmr:problem:unavailable", "{}", refused.text);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    // A message is settled after its receipt, which is a message too. So an agent gets as many as it has room for.
    until("messages are handed out meanwhile", async || {
        Ok(stage.history.count(|event| matches!(event, Event::Sink { taken: true, .. })) >= PREFETCH)
    })
    .await?;
    assert_eq!(stage.history.accepted(), waiting, "nothing was stored");
    until("the server says why", async || {
        let unready = ensemble.server.admin.readiness(503).await?;
        Ok(unready.text.contains("short of memory"))
    })
    .await?;

    stage.node.clear_memory_alarm().await?;
    stage.history.fault_ends("memory alarm");
    load.settle(Duration::from_secs(120)).await?;
    before.settle(Duration::from_secs(60)).await?;

    ensemble.consume(&stage).await?;
    ensemble.assert_no_agent_reconnected().await?;
    let verdict = stage.history.conclude()?;
    assert_eq!((verdict.attempts, verdict.acknowledged), (waiting + messages, waiting + messages), "{verdict}");
    verdict.recovered_within(Duration::from_secs(5))
}
