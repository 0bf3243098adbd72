//! The cast of every drill: two participants that write to each other, with their agents and services.

use std::time::Duration;

use dmr_tests::agent::{Agent, AgentPlan};
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::Outcome;
use dmr_tests::history::{Event, History, Verdict, judge};
use dmr_tests::load::{Lane, service};
use dmr_tests::network::Network;
use serde_json::Value;

use crate::stage::Relay;

pub(crate) const PARTICIPANTS: [&str; 2] = ["tax-authority", "police"];

/// How long a load may take to settle after its last message.
pub(crate) const SETTLING: Duration = Duration::from_secs(120);

/// A participant's agent, and the service behind it.
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) agent: Agent,
    pub(crate) service: Chatbot,
}

impl Party {
    /// Both, with a service that takes everything and answers nothing.
    pub(crate) async fn start(network: &Network, name: &str, relays: &[&Relay], history: &History) -> Outcome<Self> {
        Self::start_saying(network, name, relays, history, |_| Reply::Taken).await
    }

    /// Both, with a service that says what `reply` decides.
    pub(crate) async fn start_saying(
        network: &Network,
        name: &str,
        relays: &[&Relay],
        history: &History,
        reply: impl Fn(&Value) -> Reply + Send + Sync + 'static,
    ) -> Outcome<Self> {
        let service = service(history, network, &PARTICIPANTS, name, reply).await?;
        let servers: Vec<_> = relays.iter().map(|relay| relay.server.url()).collect();
        let plan = AgentPlan::new(network, name, servers.join(","))?;
        // A call that is not answered is made again before long.
        let plan = plan.with("--deliver-timeout", "2s").with("--deliver-attempts", "8");
        let plan = plan.deliver_to(service.url()).with("--log", "info");
        let agent = plan.start(network).await?;
        Ok(Self { name: name.to_owned(), agent, service })
    }

    /// Both participants, each connected to one of these servers.
    pub(crate) async fn both(network: &Network, relays: &[&Relay], history: &History) -> Outcome<[Self; 2]> {
        let [tax, police] = PARTICIPANTS;
        let tax = Self::start(network, tax, relays, history).await?;
        Ok([tax, Self::start(network, police, relays, history).await?])
    }

    /// The way from this party to another.
    pub(crate) fn lane_to(&self, other: &Self) -> Lane {
        Lane { from: self.name.clone(), api: self.agent.api.clone(), to: other.name.clone() }
    }
}

/// Both ways between two parties.
pub(crate) fn lanes([one, other]: &[Party; 2]) -> Vec<Lane> {
    vec![one.lane_to(other), other.lane_to(one)]
}

/// The verdict over those messages alone that went to this participant: its mailbox is the one that was harmed.
pub(crate) fn verdict_over(history: &History, recipient: &str) -> Verdict {
    let mut entries = history.entries();
    let to_it = |event: &Event| match event {
        Event::Send { id, to, .. } if to == recipient => Some(id.clone()),
        _ => None,
    };
    let ids: std::collections::BTreeSet<_> = entries.iter().filter_map(|entry| to_it(&entry.event)).collect();
    entries.retain(|entry| match &entry.event {
        Event::Fault { .. } => true,
        Event::Send { id, .. }
        | Event::Accepted { id }
        | Event::Refused { id, .. }
        | Event::Unknown { id, .. }
        | Event::Sink { id, .. }
        | Event::Receipt { id, .. } => ids.contains(id),
    });
    judge(&entries)
}
