//! The cast of every drill: two participants that write to each other, with their agents and services.

use std::time::Duration;

use dmr_tests::agent::{Agent, AgentPlan, chat_message};
use dmr_tests::caller::Answer;
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::Outcome;
use dmr_tests::history::{Event, History, Verdict, digest, judge};
use dmr_tests::load::{Lane, service};
use dmr_tests::network::Network;
use serde_json::{Value, json};

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

    /// Posts one message by hand, under an id made of this number, that lives so many seconds. It is noted as sent; the
    /// answer is for the drill to note.
    #[expect(clippy::indexing_slicing, reason = "indexing a JSON object adds what is not there; it never panics")]
    pub(crate) async fn post(&self, to: &str, number: usize, seconds: u32, history: &History) -> Outcome<Posted> {
        let id = format!("0193a5c8-7e1d-7cc2-8f4e-{number:012x}");
        let mut body = chat_message(to, &format!("Is anybody there? {number}"));
        body["id"] = json!(id);
        body["expiresInSeconds"] = json!(seconds);
        let (from, to, hash) = (self.name.clone(), to.to_owned(), digest(&body["payload"]));
        history.note(Event::Send { id: id.clone(), from, to, sequence: 0, hash });
        let answer = self.agent.api.post("/v1/messages", &body).await?;
        Ok(Posted { id, answer })
    }

    /// The way from this party to another.
    pub(crate) fn lane_to(&self, other: &Self) -> Lane {
        Lane { from: self.name.clone(), api: self.agent.api.clone(), to: other.name.clone() }
    }
}

/// A message that was posted by hand.
pub(crate) struct Posted {
    pub(crate) id: String,
    pub(crate) answer: Answer,
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
