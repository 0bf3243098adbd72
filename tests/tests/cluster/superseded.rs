//! The same instance has a link at one server, and then another one at another server.

use dmr_core::frame::AgentFrame;
use dmr_core::id::InstanceId;
use dmr_core::reason::CloseReason;
use dmr_tests::drill::{count, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::History;
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;

use crate::cast::{PARTICIPANTS, Party, SETTLING, lanes};
use crate::link::BareLink;
use crate::stage::{Relay, single};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_link_of_an_instance_supersedes_the_older_one_at_another_server_and_nothing_is_lost() -> Outcome {
    let _turn = turn().await;
    let (rounds, messages) = (count(2, 20), count(400, 10_000));
    let node = single().await?;
    let history = History::begin("link-superseded")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let relays = [Relay::start(&network, "relay-1", &[node]).await?, Relay::start(&network, "relay-2", &[node]).await?];
    let parties = Party::both(&network, &relays.each_ref(), &history).await?;
    let load = Load::start(LoadPlan { per_second: 50, ..LoadPlan::new(messages) }, lanes(&parties), &history);
    load.accepted(messages / 8).await?;

    // A replica beside the agent, which takes its share of deliveries and settles none of them.
    let police = PARTICIPANTS[1];
    let instance = InstanceId::from_random_bytes([9; 16]);
    let mut older = BareLink::log_in(&network, police, &relays[0].server.url(), instance).await?;
    older.put(&AgentFrame::Subscribe { prefetch: 8 }).await?;
    older.holds_a_delivery().await?;
    history.fault("first link superseded");
    for round in 0..rounds {
        let next = &relays[usize::from(round % 2 == 0)];
        let mut newer = BareLink::log_in(&network, police, &next.server.url(), instance).await?;
        newer.put(&AgentFrame::Subscribe { prefetch: 8 }).await?;
        assert_eq!(older.closed().await?, Some(CloseReason::Superseded));
        newer.holds_a_delivery().await?;
        older = newer;
    }
    // What the last one holds comes to the agent once it is gone.
    drop(older);
    load.settle(SETTLING).await?;

    let verdict = history.conclude()?;
    assert_eq!((verdict.acknowledged, verdict.refused, verdict.failed), (messages, 0, 0), "{verdict}");
    Ok(())
}
