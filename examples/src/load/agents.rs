//! The whole way: agents that seal and sign, agents that verify and open.

use dmr_agent::Agent;
use dmr_core::id::ParticipantId;
use dmr_tests::failure::Outcome;
use serde_json::Value;

use super::budget::Budget;
use super::counterpart::Counterpart;
use super::options::{Options, Receipts};
use super::party::{Party, participant};
use super::senders::{self, Plan, Sent};

/// The sending agents with their recipients' ids, and the recipients' process.
#[derive(Debug)]
pub struct Agents {
    agents: Vec<(Agent, ParticipantId)>,
    /// The receiving process.
    pub recipients: Counterpart,
    len: usize,
    in_flight: u32,
    receipts: Receipts,
}

impl Agents {
    /// Starts the recipients and connects the senders.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when one cannot log in.
    pub async fn start(options: &Options) -> Outcome<Self> {
        let party = Party::new(options)?;
        let recipients = Counterpart::start(options, &[]).await?;
        let mut agents = Vec::new();
        let connected = party.connect(party.pairs.iter().map(|(sender, _)| sender)).await?;
        for (agent, (_, recipient)) in connected.into_iter().zip(&party.pairs) {
            agents.push((agent, participant(recipient)?));
        }
        let (len, in_flight, receipts) = (options.message_len(), options.in_flight, options.receipts);
        Ok(Self { agents, recipients, len, in_flight, receipts })
    }

    /// Sends until the budget is used up, and says what came of it.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the system gives no randomness.
    pub async fn send(&self, run: u64, budget: Budget) -> Outcome<Sent> {
        let plan = Plan { run, len: self.len, budget, receipts: self.receipts };
        senders::send(&self.agents, self.in_flight, &plan).await
    }

    /// What the recipients say of a run of which so many were accepted.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when their process has ended.
    pub async fn conclude(&mut self, run: u64, accepted: usize) -> Outcome<Value> {
        self.recipients.conclude(run, accepted).await
    }

    /// Ends the agents.
    pub async fn end(self) {
        for (agent, _) in &self.agents {
            agent.shutdown().await;
        }
    }
}
