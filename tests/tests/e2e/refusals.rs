//! Agents that should not be let in, or should not let a server in: refused with a reason, while others go on.

use dmr_tests::agent::AgentPlan;
use dmr_tests::failure::Outcome;
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::process::run;
use dmr_tests::programs::dmr_agent;
use dmr_tests::proxy::{Direction, Proxy};
use dmr_tests::server::ServerPlan;
use serde_json::json;

use crate::pair::{POLICE, Pair, TAX, takes};

#[tokio::test]
async fn an_agent_with_another_root_of_the_same_name_does_not_trust_the_servers_directory() -> Outcome {
    let pair = Pair::start(takes).await?;
    pair.join("archive").await?;
    let impostor = Network::new("demo", &[])?;
    let plan = AgentPlan::new(&pair.network, "archive", pair.server.url())?;
    let plan = plan.with("--root", impostor.root().to_string_lossy());
    let agent = plan.launch(&impostor)?;
    until("the agent's log says that the root is another", async || {
        let log = agent.process.log()?;
        Ok(log.contains("signatures") || log.contains("root"))
    })
    .await?;
    let ready = agent.api.readiness(503).await?;
    assert!(ready.text.contains("directory"), "{}", ready.text);
    let refused = agent.send(POLICE, "Trust me.").await?;
    assert_eq!(refused.status, 503, "{}", refused.text);
    pair.exchange("Still there?").await
}

#[tokio::test]
async fn an_agent_of_another_network_is_told_so() -> Outcome {
    let pair = Pair::start(takes).await?;
    let other = Network::new("elsewhere", &[TAX])?;
    let agent = AgentPlan::new(&other, TAX, pair.server.url())?.launch(&other)?;
    until("the agent's log names the reason", async || Ok(agent.process.log()?.contains("wrong-network"))).await?;
    assert_eq!(agent.api.readiness(503).await?.status, 503);
    pair.exchange("Still there?").await
}

#[tokio::test]
async fn a_network_that_is_not_the_roots_is_bad_configuration() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    let plan = AgentPlan::new(&network, TAX, "ws://127.0.0.1:9")?.with("--network", "elsewhere");
    let ended = run(dmr_agent()?, plan.args())?;
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains("elsewhere") && ended.stderr.contains("root.pub"), "{}", ended.stderr);
    Ok(())
}

#[tokio::test]
async fn keys_that_are_not_in_the_directory_are_refused() -> Outcome {
    let pair = Pair::start(takes).await?;
    pair.network.keys_new("stranger", &[])?;
    let agent = AgentPlan::new(&pair.network, "stranger", pair.server.url())?.launch(&pair.network)?;
    until("the agent's log names the reason", async || Ok(agent.process.log()?.contains("login-refused"))).await?;
    let refused = pair.server.admin.metric("dmr_logins_refused_total", &[]).await?;
    assert!(refused.unwrap_or_default() >= 1.0);
    pair.exchange("Still there?").await
}

#[tokio::test]
async fn a_removed_participant_loses_its_link_and_does_not_come_back() -> Outcome {
    let pair = Pair::start(takes).await?;
    pair.join("archive").await?;
    let archive = AgentPlan::new(&pair.network, "archive", pair.server.url())?.start(&pair.network).await?;
    pair.network.remove("archive")?;
    archive.api.readiness(503).await?;
    until("it is refused when it comes back", async || Ok(archive.process.log()?.contains("login-refused"))).await?;
    until("nobody can write to it any more", async || {
        Ok(matches!(pair.tax.send("archive", "Are you there?").await?.status, 403 | 404))
    })
    .await?;
    pair.exchange("Still there?").await
}

#[tokio::test]
async fn an_envelope_changed_on_its_way_to_the_server_is_refused_with_its_reason() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let wire = Proxy::start(server.address()).await?;
    let tax = AgentPlan::new(&network, TAX, format!("ws://{}", wire.address()))?.start(&network).await?;
    wire.spoil_next(Direction::ToServer);
    let refused = tax.send(POLICE, "Something will happen to this.").await?;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("bad-signature"), "{}", refused.text);
    let rejected = server.admin.metric("dmr_messages_rejected_total", &["reason=\"bad-signature\""]).await?;
    assert_eq!(rejected, Some(1.0));
    assert_eq!(tax.send(POLICE, "And nothing to this.").await?.status, 202);
    Ok(())
}

#[tokio::test]
async fn an_envelope_changed_by_a_dishonest_server_is_refused_by_its_recipient() -> Outcome {
    let pair = Pair::start(takes).await?;
    let wire = Proxy::start(pair.server.address()).await?;
    pair.join("archive").await?;
    let archive = AgentPlan::new(&pair.network, "archive", format!("ws://{}", wire.address()))?;
    let archive = archive.deliver_to(pair.chatbot.url()).start(&pair.network).await?;
    wire.spoil_next(Direction::ToAgent);
    let id = pair.tax.send_well("archive", "Something will happen to this.").await?;
    let status = pair.tax.api.message(&id, "failed").await?;
    assert_eq!(status["reason"], json!("rejected"), "{status}");
    assert!(pair.chatbot.calls().is_empty(), "the service is not told a changed word");
    until("the recipient's log says why", async || Ok(archive.process.log()?.contains("signature"))).await
}

#[tokio::test]
async fn an_agent_that_insists_on_a_servers_name_does_not_log_in_to_another() -> Outcome {
    let pair = Pair::start(takes).await?;
    let server = format!("relay-2={}", pair.server.url());
    let agent = AgentPlan::new(&pair.network, TAX, server)?.launch(&pair.network)?;
    until("the agent's log names the reason", async || Ok(agent.process.log()?.contains("wrong-server"))).await
}
