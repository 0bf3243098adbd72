//! Links over TLS.

use dmr_tests::agent::AgentPlan;
use dmr_tests::certificate::certificates;
use dmr_tests::chatbot::Chatbot;
use dmr_tests::failure::Outcome;
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::process::run;
use dmr_tests::programs::{dmr_agent, dmr_server};
use dmr_tests::server::{Server, ServerPlan};

use crate::pair::{POLICE, TAX, takes};

async fn secure_server(network: &Network) -> Outcome<(Server, String)> {
    let files = certificates(network)?;
    let plan = ServerPlan::new(network, "relay-1")?;
    let plan = plan.with("--tls-cert", files.certificate.to_string_lossy());
    let server = plan.with("--tls-key", files.key.to_string_lossy()).start(network).await?;
    let url = format!("wss://localhost:{}", server.address().port());
    Ok((server, url))
}

#[tokio::test]
async fn a_message_goes_over_wss_with_a_given_root() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let (_server, url) = secure_server(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let root = network.text("ca.pem");
    let police = AgentPlan::new(&network, POLICE, url.as_str())?.with("--tls-ca", root.as_str());
    let _police = police.deliver_to(chatbot.url()).start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, url)?.with("--tls-ca", root).start(&network).await?;
    let id = tax.send_well(POLICE, "In a tunnel.").await?;
    tax.api.message(&id, "delivered").await?;
    Ok(())
}

#[tokio::test]
async fn a_server_whose_certificate_chains_to_no_known_root_is_not_talked_to() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let (_server, url) = secure_server(&network).await?;
    let agent = AgentPlan::new(&network, TAX, url)?.launch(&network)?;
    until("the agent's log says why", async || Ok(agent.process.log()?.to_lowercase().contains("certificate"))).await?;
    assert_eq!(agent.api.readiness(503).await?.status, 503);
    Ok(())
}

#[tokio::test]
async fn a_plain_agent_gets_nothing_from_a_tls_port() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let (server, _) = secure_server(&network).await?;
    let agent = AgentPlan::new(&network, TAX, server.url())?.launch(&network)?;
    until("the agent has tried", async || Ok(agent.process.log()?.contains("handshake"))).await?;
    assert_eq!(agent.api.readiness(503).await?.status, 503);
    Ok(())
}

#[tokio::test]
async fn plain_links_beyond_this_machine_need_a_word_on_both_sides() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    // An address for documentation (RFC 5737), which is nobody's.
    let agent = AgentPlan::new(&network, TAX, "ws://192.0.2.1:8075")?;
    let mut args = agent.args().to_vec();
    args[0] = "check".to_owned();
    let refused = run(dmr_agent()?, &args)?;
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    assert!(refused.stderr.contains("plain") && refused.stderr.contains("192.0.2.1"), "{}", refused.stderr);
    args.push("--allow-plain".to_owned());
    let allowed = run(dmr_agent()?, &args)?;
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);

    let mut args = ServerPlan::new(&network, "relay-1")?.with("--listen", "0.0.0.0:18075").args().to_vec();
    args[0] = "check".to_owned();
    let refused = run(dmr_server()?, &args)?;
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    assert!(refused.stderr.contains("plain"), "{}", refused.stderr);
    args.push("--allow-plain".to_owned());
    let allowed = run(dmr_server()?, &args)?;
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);
    Ok(())
}
