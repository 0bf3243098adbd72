//! Everyone in the demo: a network, a server, two institutions with an agent each, and the wires between them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use dmr_tests::agent::{Agent, AgentPlan};
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::Outcome;
use dmr_tests::network::Network;
use dmr_tests::proxy::Proxy;
use dmr_tests::server::{Server, ServerPlan};

use super::screen::Screen;
use crate::police;

/// Who asks.
pub const TAX: &str = "tax-authority";
/// Who answers.
pub const POLICE: &str = "police";

/// An institution's agent, and the wire between it and the server.
#[derive(Debug)]
pub struct Office {
    /// The agent's process.
    pub agent: Agent,
    /// Everything between the agent and the server goes through here.
    pub wire: Proxy,
}

/// Everyone, running. Dropping it ends every process.
#[derive(Debug)]
pub struct Stage {
    /// The Tax Authority.
    pub tax: Office,
    /// The Police.
    pub police: Office,
    /// The Police's chatbot.
    pub chatbot: Chatbot,
    /// The relay.
    pub server: Server,
    /// Keys and directory, in a temporary directory.
    pub network: Network,
    calls: Arc<Mutex<Vec<(Instant, Instant)>>>,
}

impl Stage {
    /// Makes keys and a directory with the commands an operator would use, and starts everyone.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) with the words of the program that did not do its part.
    pub async fn set(screen: &Screen) -> Outcome<Self> {
        screen.title("Keys and directory")?;
        screen.command("dmr-agent directory new --out directory --network demo")?;
        for name in [TAX, POLICE] {
            screen.command(format_args!("dmr-agent keys new --out {name}.keys --name {name}"))?;
        }
        screen.command(format_args!(
            "dmr-agent directory add --dir directory {TAX}.keys.card.json {POLICE}.keys.card.json"
        ))?;
        let network = Network::new("demo", &[TAX, POLICE])?;
        screen.note(
            "Secret keys never leave their owner. The directory lists public keys, signed by the network's keeper.",
        )?;

        screen.title("Processes")?;
        let plan = ServerPlan::new(&network, "relay")?.with("--broker", "memory").with("--log", "info");
        let server = plan.start(&network).await?;
        screen.field(
            "dmr-server",
            format_args!("process {:>7}   {}   memory broker", server.process.id(), server.url()),
        )?;

        let calls = Arc::new(Mutex::new(Vec::new()));
        let diary = Arc::clone(&calls);
        let chatbot = Chatbot::start(move |delivery| {
            let asked = Instant::now();
            let reply = police::answer(delivery).map_or(Reply::Status(422), Reply::Answer);
            diary.lock().unwrap_or_else(PoisonError::into_inner).push((asked, Instant::now()));
            reply
        })
        .await?;

        let tax = Office::open(&network, &server, TAX, None).await?;
        let police = Office::open(&network, &server, POLICE, Some(chatbot.url())).await?;
        for (name, office) in [(TAX, &tax), (POLICE, &police)] {
            let process = office.agent.process.id();
            screen
                .field("dmr-agent", format_args!("process {process:>7}   ws://{}   {name}", office.wire.address()))?;
        }
        screen.field("chatbot", format_args!("in this process   {}   {POLICE}'s webhook", chatbot.url()))?;
        screen
            .note("Each agent's link goes through a recording proxy: what it records is what the server is given.")?;
        Ok(Self { tax, police, chatbot, server, network, calls })
    }

    /// When the chatbot was last asked, and when it had its answer.
    pub fn last_call(&self) -> Option<(Instant, Instant)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).last().copied()
    }

    /// Ends every process the way an operator does, with SIGTERM, and waits until it has gone.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when one does not end.
    pub async fn strike(mut self) -> Outcome {
        for process in [&mut self.tax.agent.process, &mut self.police.agent.process, &mut self.server.process] {
            process.signal("TERM")?;
            process.wait().await?;
        }
        Ok(())
    }
}

impl Office {
    async fn open(network: &Network, server: &Server, name: &str, webhook: Option<String>) -> Outcome<Self> {
        let wire = Proxy::start(server.address()).await?;
        let plan = AgentPlan::new(network, name, format!("ws://{}", wire.address()))?.with("--log", "info");
        let plan = match webhook {
            Some(url) => plan.deliver_to(url),
            None => plan,
        };
        Ok(Self { agent: plan.start(network).await?, wire })
    }
}
