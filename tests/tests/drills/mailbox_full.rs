//! A mailbox at its bound, and messages at theirs.

use std::time::Duration;

use dmr_tests::agent::chat_message;
use dmr_tests::drill::{count, seed, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::load::{Lane, Load, LoadPlan};
use dmr_tests::patience::until;
use dmr_tests::rabbitmq::shipped::bounded_for;

use crate::cast::{PARTICIPANTS, Party};
use crate::stage::{Ensemble, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_mailbox_refuses_for_now_and_everything_it_took_is_delivered() -> Outcome {
    let _turn = turn().await;
    let (bound, messages) = (count(50, 1_000), count(200, 10_000));
    let stage = Stage::open("mailbox-full").await?;
    let pattern = format!("^{}$", stage.mailbox(PARTICIPANTS[1])?.replace('.', r"\."));
    let small = bounded_for("dmr-mailboxes", &pattern, u64::try_from(bound).unwrap_or_default())?;
    stage.node.put_policy("%2F", "small", &small).await?;
    let plan = stage.plan.clone().with("--broker-check", "warn");
    let server = plan.start(&stage.network).await?;
    let tax = Party::start(&stage.network, PARTICIPANTS[0], &server, &stage.history).await?;

    let lane = Lane { to: PARTICIPANTS[1].to_owned(), ..tax.lane_to(&tax) };
    let load = Load::start(LoadPlan::new(messages), vec![lane], &stage.history);
    // The bound is soft: a mailbox takes one more, and what is on its way when it is reached.
    load.accepted(bound + 1).await?;
    // Once it has refused one it is full, and stays so.
    until("the mailbox has refused a message", async || {
        let nacked = server.admin.metric("dmr_broker_publishes_total", &["\"nacked\""]).await?;
        Ok(nacked.is_some_and(|nacked| nacked >= 2.0))
    })
    .await?;
    let refused = tax.agent.send(PARTICIPANTS[1], "Is there room?").await?;
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert_eq!(refused.json()["type"], "urn:dmr:problem:mailbox-full", "{}", refused.text);
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
    let accepted = stage.history.accepted();
    assert!(accepted <= bound + 65, "{accepted} were accepted by a mailbox for {bound}");

    let police = Party::start(&stage.network, PARTICIPANTS[1], &server, &stage.history).await?;
    let ensemble = Ensemble { server, tax, police };
    let back = LoadPlan { seed: seed().wrapping_add(1), ..LoadPlan::new(messages / 2) };
    let back = Load::start(back, vec![ensemble.police.lane_to(&ensemble.tax)], &stage.history);
    load.settle(Duration::from_secs(120)).await?;
    back.settle(Duration::from_secs(60)).await?;

    ensemble.assert_no_agent_reconnected().await?;
    let verdict = stage.history.conclude()?;
    let all = messages + messages / 2;
    assert_eq!((verdict.attempts, verdict.acknowledged), (all, all), "{verdict}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_up_to_a_mebibyte_pass_and_longer_ones_are_refused() -> Outcome {
    let _turn = turn().await;
    let stage = Stage::open("large-messages").await?;
    let ensemble = Ensemble::start(&stage).await?;
    let plan = LoadPlan { longest: 1_040_000, callers: 8, ..LoadPlan::new(count(40, 400)) };
    Load::start(plan, ensemble.lanes(), &stage.history).settle(Duration::from_secs(120)).await?;

    let post = async |letters| {
        let message = chat_message(PARTICIPANTS[1], &"a".repeat(letters));
        ensemble.tax.agent.api.post("/v1/messages", &message).await
    };
    let refused = post(1 << 20).await?;
    assert_eq!((refused.status, &refused.json()["type"]), (413, &"urn:dmr:problem:too-large".into()));
    ensemble.assert_no_agent_reconnected().await?;
    stage.history.conclude().map(drop)
}
