//! The line of JSON that a load ends with.

use std::time::Duration;

use dmr_tests::failure::{Doing as _, Outcome};
use serde_json::{Map, Value, json};

use super::cost::{Cost, round};
use super::options::{Options, Receipts};
use super::senders::Sent;
use super::spread::Spread;

/// Everything that was measured.
#[derive(Debug)]
pub struct Measured {
    /// How long was sent, with the wait for what was in flight at the end.
    pub took: Duration,
    /// What the senders know.
    pub sent: Sent,
    /// What the recipients say.
    pub received: Value,
    /// The bare round trip.
    pub echo: Spread,
    /// Each process by name, with its cost before and after; `None` for one on another machine.
    pub costs: Vec<(&'static str, Option<(Cost, Cost)>)>,
}

impl Measured {
    /// The report. All latencies are in milliseconds and begin when a message is handed to the sender's agent.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the recipients leave something out.
    pub fn report(mut self, options: &Options) -> Outcome<Value> {
        let said = |name: &str| self.received.get(name).cloned().doing(format_args!("{name} of the recipients"));
        let (received, duplicated, deliver) = (said("received")?, said("duplicated")?, said("deliver")?);
        let settled = match options.receipts {
            Receipts::On => self.sent.settled.to_json(),
            Receipts::Off => said("settled")?,
        };
        let received = received.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        let accepted = self.sent.accepted;
        let median = deliver.get("p50").and_then(Value::as_f64);
        let beyond_echo = median.zip(self.echo.per_mille(500)).map(|(deliver, echo)| round(deliver - echo));
        let processes = self.costs.iter().map(|(name, cost)| {
            let cost = cost.map(|(before, after)| after.since(&before, accepted));
            ((*name).to_owned(), cost.unwrap_or_default())
        });
        let seconds = self.took.as_secs_f64();
        Ok(json!({
            "agents": options.agents,
            "in_flight": options.in_flight,
            "size": options.size,
            "seconds": round(seconds),
            "receipts": options.receipts.as_str(),
            "accepted": accepted,
            "failed": self.sent.failed,
            "retried": self.sent.retried,
            "lost": accepted.saturating_sub(received),
            "duplicated": duplicated,
            "messages_per_second": round(f64::from(u32::try_from(accepted).unwrap_or(u32::MAX)) / seconds),
            "publish_confirm_ms": self.sent.confirm.to_json(),
            "publish_deliver_ms": deliver,
            "publish_settled_ms": settled,
            "echo_ms": self.echo.to_json(),
            "deliver_beyond_echo_p50_ms": beyond_echo,
            "processes": processes.collect::<Map<_, _>>(),
        }))
    }
}
