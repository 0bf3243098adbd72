//! The broker ends consumers: by an error of their channel, with all connections, with their queue. Each comes back, and
//! its agent notices nothing.

use std::time::Duration;

use dmr_tests::drill::{count, seed, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::load::{Load, LoadPlan};

use crate::cast::PARTICIPANTS;
use crate::stage::{Ensemble, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_whose_channel_or_connection_the_broker_ends_are_back_at_once() -> Outcome {
    let _turn = turn().await;
    let rounds = count(2, 20);
    let stage = Stage::open("consumer-ended").await?;
    let ensemble = Ensemble::start(&stage).await?;
    ensemble.consume(&stage).await?;

    // Slow: each of the operator's commands takes its second or two, and the load must outlast them.
    let plan = LoadPlan { per_second: 60, ..LoadPlan::new(rounds * 500) };
    let messages = plan.messages;
    let load = Load::start(plan, ensemble.lanes(), &stage.history);
    for round in 0..rounds {
        load.accepted(round * 400 + 50).await?;
        let mailbox = stage.mailbox(PARTICIPANTS[round % 2])?;
        stage.history.fault_begins("channel ended");
        stage.node.kill_channels_of_consumers(&mailbox).await?;
        ensemble.consume(&stage).await?;
        stage.history.fault_ends("channel ended");
        stage.history.fault_begins("all connections closed");
        stage.node.close_all_connections().await?;
        ensemble.consume(&stage).await?;
        stage.history.fault_ends("all connections closed");
    }
    load.settle(Duration::from_secs(120)).await?;

    let ended = ensemble.server.admin.metric("dmr_broker_consumers_ended_total", &[]).await?;
    assert!(ended.is_some_and(|ended| ended >= 2.0), "{ended:?} consumers were ended");
    ensemble.assert_no_agent_reconnected().await?;
    let verdict = stage.history.conclude()?;
    assert_eq!((verdict.attempts, verdict.acknowledged), (messages, messages), "{verdict}");
    verdict.recovered_within(Duration::from_secs(5))
}

/// What is in a mailbox goes with it, by the operator's will. So both are empty when they are deleted, and the next
/// messages come while nobody has made them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_deleted_under_their_consumers_are_made_again() -> Outcome {
    let _turn = turn().await;
    let (rounds, messages) = (count(3, 20), count(100, 500));
    let stage = Stage::open("mailbox-deleted").await?;
    let ensemble = Ensemble::start(&stage).await?;
    let seed = seed();
    for round in 0..rounds {
        let seed = seed.wrapping_add(u64::try_from(round).unwrap_or_default());
        let load = Load::start(LoadPlan { seed, ..LoadPlan::new(messages) }, ensemble.lanes(), &stage.history);
        load.settle(Duration::from_secs(60)).await?;
        for participant in PARTICIPANTS {
            let mailbox = stage.mailbox(participant)?;
            stage.node.queue_when(&mailbox, "is empty", |facts| facts.ready + facts.unacknowledged == 0).await?;
            stage.node.delete_queue(&mailbox).await?;
        }
        stage.history.fault("mailboxes deleted");
    }
    let last = LoadPlan { seed: seed.wrapping_sub(1), ..LoadPlan::new(messages) };
    Load::start(last, ensemble.lanes(), &stage.history).settle(Duration::from_secs(60)).await?;

    ensemble.consume(&stage).await?;
    ensemble.assert_no_agent_reconnected().await?;
    let verdict = stage.history.conclude()?;
    let messages = (rounds + 1) * messages;
    assert_eq!((verdict.attempts, verdict.acknowledged), (messages, messages), "{verdict}");
    verdict.recovered_within(Duration::from_secs(5))
}
