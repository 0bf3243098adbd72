//! What crashes and absences do to messages that are on their way: nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dmr_tests::agent::{Agent, AgentPlan, chat_message};
use dmr_tests::caller::Caller;
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::proxy::Proxy;
use dmr_tests::server::ServerPlan;
use serde_json::json;
use tokio::task::JoinSet;

use crate::pair::{POLICE, TAX, takes};

/// Messages in flight when the server is killed.
const IN_FLIGHT: usize = 200;

/// Posts a message until it is accepted, always with the same id, as a caller should. Gives up on a final answer.
async fn post_until_accepted(api: Caller, number: usize, accepted: Arc<AtomicUsize>) -> Outcome<String> {
    let id = format!("0193a5c8-7e1d-7cc2-8f4e-{number:012x}");
    let mut message = chat_message(POLICE, &format!("Message {number}"));
    message["id"] = json!(id);
    loop {
        let answer = api.post("/v1/messages", &message).await?;
        match answer.status {
            202 => {
                accepted.fetch_add(1, Ordering::SeqCst);
                return Ok(id);
            }
            429 | 503 | 504 => tokio::time::sleep(Duration::from_millis(100)).await,
            status => return Err(Failure::new(format!("message {number}: {status} {}", answer.text))),
        }
    }
}

fn post_all(tax: &Agent, numbers: std::ops::Range<usize>, accepted: &Arc<AtomicUsize>) -> JoinSet<Outcome<String>> {
    numbers.map(|number| post_until_accepted(tax.api.clone(), number, Arc::clone(accepted))).collect()
}

async fn all_accepted(mut posts: JoinSet<Outcome<String>>) -> Outcome<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    while let Some(joined) = posts.join_next().await {
        ids.insert(joined.doing("a caller")??);
    }
    Ok(ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_202_survives_the_kill_of_the_server_as_one_effect_with_a_receipt() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let plan = ServerPlan::new(&network, "relay-1")?;
    let mut server = plan.start(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url()).start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;

    // Half of them are stored in the server and delivered to an agent that handles none of them; the other half are
    // on their way when the server dies.
    police.process.pause().await?;
    let accepted = Arc::new(AtomicUsize::new(0));
    let stored = all_accepted(post_all(&tax, 0..IN_FLIGHT / 2, &accepted)).await?;
    assert_eq!((stored.len(), chatbot.calls().len()), (IN_FLIGHT / 2, 0));
    let underway = post_all(&tax, IN_FLIGHT / 2..IN_FLIGHT, &accepted);
    until("some of the second half are accepted", async || Ok(accepted.load(Ordering::SeqCst) > IN_FLIGHT / 2)).await?;
    server.process.kill()?;
    police.process.resume()?;
    let _server = plan.start(&network).await?;

    let mut ids = all_accepted(underway).await?;
    ids.extend(stored);
    assert_eq!(ids.len(), IN_FLIGHT);
    for id in &ids {
        // Only a receipt that the Police signed makes a message "delivered".
        tax.api.message(id, "delivered").await?;
    }
    assert_eq!(chatbot.effects().into_keys().collect::<BTreeSet<_>>(), ids);
    Ok(())
}

#[tokio::test]
async fn an_agent_that_was_away_gets_its_messages_on_its_return() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
    drop(police.start(&network).await?);

    let mut ids = BTreeSet::new();
    for number in 0..5 {
        ids.insert(tax.send_well(POLICE, &format!("While you were away, {number}")).await?);
    }
    assert!(chatbot.calls().is_empty());
    let _police = police.start(&network).await?;
    for id in &ids {
        tax.api.message(id, "delivered").await?;
    }
    assert_eq!(chatbot.effects().into_keys().collect::<BTreeSet<_>>(), ids);
    Ok(())
}

#[tokio::test]
async fn an_agent_killed_over_a_message_is_given_it_again_under_the_same_key() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let silent = Arc::new(AtomicBool::new(true));
    let is_silent = Arc::clone(&silent);
    let reply = move |_: &_| if is_silent.load(Ordering::SeqCst) { Reply::Silence } else { Reply::Taken };
    let chatbot = Chatbot::start(reply).await?;
    let plan = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let mut police = plan.start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;

    let id = tax.send_well(POLICE, "Do not drop this.").await?;
    until("the chatbot is called", async || Ok(chatbot.calls().len() == 1)).await?;
    police.process.kill()?;
    silent.store(false, Ordering::SeqCst);
    let _police = plan.start(&network).await?;
    tax.api.message(&id, "delivered").await?;
    let keys: Vec<_> = chatbot.calls().into_iter().map(|call| call.key).collect();
    assert_eq!(keys, [id.clone(), id]);
    Ok(())
}

#[tokio::test]
async fn an_agent_connected_for_longer_than_any_proof_lives_reconnects() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    // A proof serves one challenge, and a challenge lives as long as a login may take.
    let plan = ServerPlan::new(&network, "relay-1")?.with("--login-timeout", "1s").with("--heartbeat", "1s");
    let server = plan.start(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let _police = police.start(&network).await?;
    let wire = Proxy::start(server.address()).await?;
    let tax = AgentPlan::new(&network, TAX, format!("ws://{}", wire.address()))?.start(&network).await?;

    until("more heartbeats have gone by than the life of a proof", async || {
        let labels = ["event=\"heartbeat\""];
        Ok(server.admin.metric("dmr_socket_events_received_total", &labels).await?.unwrap_or_default() >= 8.0)
    })
    .await?;
    assert_eq!(wire.links(), 1, "the first login is still in use");
    wire.cut();
    until("it has connected again", async || Ok(wire.links() >= 2)).await?;
    tax.api.ready().await?;
    let id = tax.send_well(POLICE, "I am back.").await?;
    tax.api.message(&id, "delivered").await.map(drop)
}

#[tokio::test]
async fn without_a_server_a_caller_keeps_its_message_and_may_send_it_again() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let plan = ServerPlan::new(&network, "relay-1")?;
    let mut server = plan.start(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let _police = police.start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;

    server.process.kill()?;
    tax.api.readiness(503).await?;
    let mut message = chat_message(POLICE, "Later, then.");
    message["id"] = json!("0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f");
    let refused = tax.api.post("/v1/messages", &message).await?;
    assert_eq!(refused.status, 503, "{}", refused.text);

    let _server = plan.start(&network).await?;
    tax.api.ready().await?;
    let accepted = tax.api.post("/v1/messages", &message).await?;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    tax.api.message("0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f", "delivered").await?;
    assert_eq!(chatbot.effects().len(), 1);
    Ok(())
}
