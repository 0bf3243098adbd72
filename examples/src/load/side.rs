//! One side of the comparison: whole agents, the bare relay, or the broker by itself. Each is measured in the same way.

use std::time::Duration;

use dmr_tests::failure::{Doing as _, Failure, Outcome};
use serde_json::Value;
use tokio::time::Instant;

use super::agents::Agents;
use super::baseline::Baseline;
use super::budget::Budget;
use super::cost::Cost;
use super::counterpart::Counterpart;
use super::growth::Growth;
use super::options::Options;
use super::relay::Relay;
use super::report::Measured;
use super::senders::Sent;
use super::stamp::now;

/// Time for warming up: allocators, branch predictors, congestion windows. It does not count.
const WARM_UP: Duration = Duration::from_secs(1);

/// What carries the messages.
#[derive(Debug)]
pub enum Side {
    /// Whole agents.
    Agents(Agents),
    /// Ready-sealed envelopes over bare links.
    Relay(Relay),
    /// The broker by itself.
    Baseline(Box<Baseline>),
}

impl Side {
    /// The receiving process.
    pub fn counterpart(&self) -> &Counterpart {
        match self {
            Self::Agents(agents) => &agents.recipients,
            Self::Relay(relay) => &relay.recipients,
            Self::Baseline(baseline) => &baseline.consumer,
        }
    }

    /// Warms up, then measures one round.
    ///
    /// # Errors
    /// [`Failure`] when something breaks off.
    pub async fn round(&mut self, options: &Options) -> Outcome<Measured> {
        self.pass(0, Budget::lasting(WARM_UP)).await?;
        let mut run = [0; 8];
        getrandom::fill(&mut run).doing("randomness for a run")?;
        // Odd, so never that of the warm-up.
        let run = u64::from_be_bytes(run) | 1;

        let processes = self.processes(options)?;
        let costs =
            || processes.iter().map(|(_, process)| process.map(Cost::of).transpose()).collect::<Outcome<Vec<_>>>();
        let growth = match self {
            Self::Baseline(_) => None,
            _ => options.server_process.map(Growth::of),
        };
        let before = costs()?;
        let (took, sent, received) = self.pass(run, options.budget()).await?;
        let costs = before.into_iter().zip(costs()?).map(|(before, after)| before.zip(after));
        let costs = processes.iter().map(|(name, _)| *name).zip(costs).collect();
        Ok(Measured { took, sent, received, costs, growth: growth.map(|growth| growth.to_json()) })
    }

    fn processes(&self, options: &Options) -> Outcome<[(&'static str, Option<u32>); 4]> {
        let (own, counterpart) = (Some(std::process::id()), Some(self.counterpart().process()?));
        let broker = ("broker", options.broker_process);
        Ok(match self {
            Self::Baseline(_) => [("server", None), ("publisher", own), ("consumer", counterpart), broker],
            _ => [("server", options.server_process), ("senders", own), ("recipients", counterpart), broker],
        })
    }

    /// Sends until the budget is used up and everything has arrived.
    async fn pass(&mut self, run: u64, budget: Budget) -> Outcome<(Duration, Sent, Value)> {
        let (began, clock) = (now(), Instant::now());
        let (sent, received) = match self {
            Self::Agents(agents) => {
                let sent = agents.send(run, budget).await?;
                // A message is over with its confirm or receipt.
                let took = clock.elapsed();
                let received = agents.conclude(run, sent.accepted).await?;
                return Ok((took, sent, received));
            }
            Self::Relay(relay) => relay.send(&budget).await?,
            Self::Baseline(baseline) => baseline.send(run, &budget).await?,
        };
        // A message is over when its recipient has settled it: what gathers in the mailbox has yet to be carried.
        let last = received.get("last").and_then(Value::as_u64).filter(|last| *last > began);
        let last = last.ok_or_else(|| Failure::new("nothing arrived"))?;
        Ok((Duration::from_nanos(last - began), sent, received))
    }

    /// Ends it, and removes what it made on the broker.
    ///
    /// # Errors
    /// [`Failure`] when the broker refuses.
    pub async fn end(self) -> Outcome {
        match self {
            Self::Agents(agents) => agents.end().await,
            Self::Relay(_) => {}
            Self::Baseline(baseline) => baseline.end().await?,
        }
        Ok(())
    }
}
