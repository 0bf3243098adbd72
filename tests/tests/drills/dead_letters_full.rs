//! Nobody takes the dead letters, and their queue is full: what dies meanwhile stays where it died, and comes out when
//! there is room.

use std::time::Duration;

use dmr_tests::agent::chat_message;
use dmr_tests::drill::{count, seed, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::history::Event;
use dmr_tests::load::{Lane, Load, LoadPlan};
use dmr_tests::patience::until;
use dmr_tests::rabbitmq::shipped::bounded_for;
use serde_json::json;

use crate::cast::{PARTICIPANTS, Party};
use crate::stage::{Ensemble, Stage};

/// What the full queue is bounded to. The bound is soft: it takes what is on its way when it is reached.
const ROOM: u64 = 2;
/// Messages that die first, and fill it.
const FIRST: u16 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_that_find_no_room_stay_where_they_died_and_are_told_later() -> Outcome {
    let _turn = turn().await;
    let letters = count(20, 200);
    let stage = Stage::open("dead-letters-full").await?;
    // The broker tries again in these steps; the default is three minutes. It is read when a mailbox is made. Long
    // enough for the sender's agent to be there again when the letters come out: nobody waits to be told.
    let step = "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 12000).";
    stage.node.eval(step).await?;
    stage.node.put_policy("%2F", "small", &bounded_for("dmr-dead", r"^dmr\.dead$", ROOM)?).await?;
    let mut server = stage.plan.start(&stage.network).await?;
    let tax = Party::start(&stage.network, PARTICIPANTS[0], &server, &stage.history).await?;
    for _ in 0..FIRST {
        let mut message = chat_message(PARTICIPANTS[1], "Is anybody there?");
        message["expiresInSeconds"] = json!(2);
        tax.agent.api.post("/v1/messages", &message).await?.well()?;
    }
    let lane = Lane { to: PARTICIPANTS[1].to_owned(), ..tax.lane_to(&tax) };
    let plan = LoadPlan { expires_in: Some(4), ..LoadPlan::new(letters) };
    let mut dying = Load::start(plan, vec![lane], &stage.history);
    dying.finish().await?;
    server.process.kill()?;

    stage.history.fault_begins("dead letters full");
    let all = u64::from(FIRST) + u64::try_from(letters).unwrap_or_default();
    stage.node.queue_when("dmr.dead.kept", "has them all", |facts| facts.ready == all).await?;
    let full = stage.node.queue_when("dmr.dead", "is full", |facts| facts.ready >= ROOM).await?;
    assert!(full.ready <= u64::from(FIRST), "{full:?}");

    let server = stage.plan.start(&stage.network).await?;
    tax.agent.ready().await?;
    let expired = server.admin.metric("dmr_messages_dead_lettered_total", &["\"expired\""]).await?;
    assert!(expired.is_some_and(|expired| expired <= f64::from(FIRST)), "{expired:?} came out, and there was no room");
    let told = async || {
        let mut told = 0;
        for entry in stage.history.entries() {
            let Event::Accepted { id } = entry.event else { continue };
            let message = tax.agent.api.get(&format!("/v1/messages/{id}")).await?.json();
            told += usize::from(message["notice"] == "expired" && message["status"] == "failed");
        }
        Ok(told == letters)
    };
    until("the sender was told of each", told).await?;
    stage.history.fault_ends("dead letters full");

    let police = Party::start(&stage.network, PARTICIPANTS[1], &server, &stage.history).await?;
    let ensemble = Ensemble { server, tax, police };
    let messages = count(100, 10_000);
    let load = LoadPlan { seed: seed().wrapping_add(1), ..LoadPlan::new(messages) };
    Load::start(load, ensemble.lanes(), &stage.history).settle(Duration::from_secs(120)).await?;
    dying.settle(Duration::from_secs(60)).await?;
    let verdict = stage.history.conclude()?;
    assert_eq!(
        (verdict.acknowledged, verdict.failed, verdict.ok),
        (letters + messages, letters, messages),
        "{verdict}"
    );
    verdict.recovered_within(Duration::from_secs(30))
}
