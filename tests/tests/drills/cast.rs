//! The cast of every drill: a network, two participants that write to each other, their services and agents.

use dmr_tests::agent::{Agent, AgentPlan};
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::Outcome;
use dmr_tests::history::History;
use dmr_tests::load::{Lane, service};
use dmr_tests::network::Network;
use dmr_tests::server::Server;

pub(crate) const PARTICIPANTS: [&str; 2] = ["tax-authority", "police"];

/// A participant's agent, and the service behind it.
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) agent: Agent,
    pub(crate) _service: Chatbot,
}

impl Party {
    /// Both, with a service that takes everything and answers nothing.
    pub(crate) async fn start(network: &Network, name: &str, server: &Server, history: &History) -> Outcome<Self> {
        let party = Self::launch(network, name, server, history).await?;
        party.agent.ready().await?;
        Ok(party)
    }

    /// The same without waiting until the agent is ready.
    pub(crate) async fn launch(network: &Network, name: &str, server: &Server, history: &History) -> Outcome<Self> {
        let service = service(history, network, &PARTICIPANTS, name, |_| Reply::Taken).await?;
        let plan = AgentPlan::new(network, name, server.url())?.deliver_to(service.url()).with("--log", "warn");
        let agent = plan.launch(network)?;
        Ok(Self { name: name.to_owned(), agent, _service: service })
    }

    /// The way from this party to another.
    pub(crate) fn lane_to(&self, other: &Self) -> Lane {
        Lane { from: self.name.clone(), api: self.agent.api.clone(), to: other.name.clone() }
    }
}
