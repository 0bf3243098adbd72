//! The server of the recipient is killed while it has deliveries that nobody has settled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dmr_tests::chatbot::Reply;
use dmr_tests::drill::{count, turn};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::history::{Event, History};
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;
use dmr_tests::patience::until;

use crate::cast::{PARTICIPANTS, Party, SETTLING, lanes};
use crate::stage::{Relay, single};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_server_had_delivered_comes_again_through_the_other_as_one_effect() -> Outcome {
    let _turn = turn().await;
    let messages = count(400, 10_000);
    let node = single().await?;
    let history = History::begin("recipients-server-killed")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let mut relays =
        [Relay::start(&network, "relay-1", &[node]).await?, Relay::start(&network, "relay-2", &[node]).await?];
    let silent = Arc::new(AtomicBool::new(false));
    let is_silent = Arc::clone(&silent);
    let reply = move |_: &_| if is_silent.load(Ordering::SeqCst) { Reply::Silence } else { Reply::Taken };
    let [tax, police] = PARTICIPANTS;
    let police = Party::start_saying(&network, police, &relays.each_ref(), &history, reply).await?;
    let mut place = None;
    until("the recipient's server is known", async || {
        let mut sessions = Vec::new();
        for relay in &relays {
            sessions.push(relay.metric("dmr_sessions_active", &[]).await?);
        }
        place = sessions.iter().position(|count| *count == 1.0);
        Ok(place.is_some())
    })
    .await?;
    let place = place.doing("the recipient's server")?;
    let tax = Party::start(&network, tax, &relays.each_ref(), &history).await?;
    let parties = [tax, police];

    let plan = LoadPlan { per_second: 100, ..LoadPlan::new(messages) };
    let load = Load::start(plan, lanes(&parties), &history);
    load.accepted(messages / 4).await?;
    silent.store(true, Ordering::SeqCst);
    let offered = |event: &Event| matches!(event, Event::Sink { taken: false, .. });
    until("deliveries wait for the service", async || Ok(history.count(offered) >= 16)).await?;
    relays[place].server.process.kill()?;
    history.fault("recipient's server killed");
    let other = &relays[1 - place];
    until("the other server has redelivered", async || {
        Ok(other.metric("dmr_messages_redelivered_total", &[]).await? >= 16.0)
    })
    .await?;
    silent.store(false, Ordering::SeqCst);
    load.settle(SETTLING).await?;
    relays[place].start_again(&network).await?;

    let verdict = history.conclude()?;
    assert_eq!((verdict.acknowledged, verdict.refused, verdict.failed), (messages, 0, 0), "{verdict}");
    verdict.recovered_within(Duration::from_secs(30))
}
