//! Ends that were asked for: drains, second servers, signals.

use dmr_tests::agent::AgentPlan;
use dmr_tests::chatbot::Chatbot;
use dmr_tests::failure::Outcome;
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::server::ServerPlan;

use crate::pair::{POLICE, Pair, TAX, takes};

#[tokio::test]
async fn a_server_that_is_told_to_end_sends_its_agents_to_the_next() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let (first, second) = (ServerPlan::new(&network, "relay-1")?, ServerPlan::new(&network, "relay-2")?);
    let mut server = first.start(&network).await?;
    let urls = format!("ws://{},ws://{}", first.address(), second.address());
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, urls.as_str())?.deliver_to(chatbot.url()).start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, urls)?.start(&network).await?;
    let before = tax.send_well(POLICE, "Through the first.").await?;
    tax.api.message(&before, "delivered").await?;

    let next = second.start(&network).await?;
    server.process.signal("TERM")?;
    assert_eq!(server.process.wait().await?.code(), Some(0), "{}", server.process.last_lines(20));
    until("both have moved", async || Ok(next.admin.metric("dmr_sessions_active", &[]).await? == Some(2.0))).await?;
    let after = tax.send_well(POLICE, "Through the second.").await?;
    tax.api.message(&after, "delivered").await?;
    assert_eq!(chatbot.calls().len(), 2);
    for agent in [&tax, &police] {
        assert!(agent.process.log()?.contains("draining"), "its log says why it moved");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_server_takes_over_when_the_first_dies() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let (first, second) = (ServerPlan::new(&network, "relay-1")?, ServerPlan::new(&network, "relay-2")?);
    let mut server = first.start(&network).await?;
    let urls = format!("ws://{},ws://{}", first.address(), second.address());
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, urls.as_str())?.deliver_to(chatbot.url());
    let tax = AgentPlan::new(&network, TAX, urls)?.start(&network).await?;
    // Stored in the first server alone, for somebody who is away.
    let id = tax.send_well(POLICE, "Stored in the first.").await?;
    server.process.kill()?;
    let _next = second.start(&network).await?;
    let _police = police.start(&network).await?;
    tax.api.message(&id, "delivered").await?;
    assert_eq!(chatbot.effects().keys().collect::<Vec<_>>(), [&id], "the sender published it again");
    Ok(())
}

#[tokio::test]
async fn an_agent_that_is_told_to_end_ends_well() -> Outcome {
    let mut pair = Pair::start(takes).await?;
    pair.exchange("Before the end.").await?;
    pair.tax.process.signal("TERM")?;
    assert_eq!(pair.tax.process.wait().await?.code(), Some(0), "{}", pair.tax.process.last_lines(20));
    pair.server.process.signal("INT")?;
    assert_eq!(pair.server.process.wait().await?.code(), Some(0), "{}", pair.server.process.last_lines(20));
    Ok(())
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_the_grace_period() -> Outcome {
    let mut pair = Pair::start(takes).await?;
    pair.police.process.pause().await?;
    // A delivery that nobody settles keeps the drain waiting.
    pair.tax.send_well(POLICE, "Held.").await?;
    until("the delivery is out", async || {
        Ok(pair.server.admin.metric("dmr_queue_unsettled_messages", &[]).await? == Some(1.0))
    })
    .await?;
    pair.server.process.signal("TERM")?;
    until("it drains", async || Ok(pair.server.process.log()?.contains("drain"))).await?;
    assert!(pair.server.process.ended()?.is_none(), "it waits for the delivery");
    pair.server.process.signal("TERM")?;
    assert_eq!(pair.server.process.wait().await?.code(), Some(130));
    pair.police.process.resume()
}
