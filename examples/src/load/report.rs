//! The line of JSON that a load ends with. All latencies are in milliseconds.

use std::time::Duration;

use dmr_tests::failure::{Doing as _, Outcome};
use serde_json::{Map, Value, json};

use super::cost::{Cost, round};
use super::options::Options;
use super::senders::Sent;
use super::spread::Spread;

/// One round of one side.
#[derive(Debug)]
pub struct Measured {
    /// Until the last message was over.
    pub took: Duration,
    /// What the senders know.
    pub sent: Sent,
    /// What the recipients say.
    pub received: Value,
    /// Each process by name, with its cost before and after; `None` for one on another machine.
    pub costs: Vec<(&'static str, Option<(Cost, Cost)>)>,
    /// The server's memory meanwhile.
    pub growth: Option<Value>,
}

impl Measured {
    /// What was measured, in the same words for each side.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the recipients leave something out.
    pub fn report(mut self) -> Outcome<Map<String, Value>> {
        let said = |name: &str| self.received.get(name).cloned().doing(format_args!("{name} of the recipients"));
        let (received, duplicated, deliver) = (said("received")?, said("duplicated")?, said("deliver")?);
        // With receipts the sender knows; without, the recipient.
        let settled = if self.sent.settled.count() > 0 { self.sent.settled.to_json() } else { said("settled")? };
        let received = received.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        let accepted = self.sent.accepted;
        let processes = self.costs.iter().map(|(name, cost)| {
            let cost = cost.map(|(before, after)| after.since(&before, accepted));
            ((*name).to_owned(), cost.unwrap_or_default())
        });
        let seconds = self.took.as_secs_f64();
        let mut report = Map::new();
        let mut put = |name: &str, value: Value| report.insert(name.to_owned(), value);
        put("seconds", json!(round(seconds)));
        put("accepted", json!(accepted));
        put("failed", json!(self.sent.failed));
        put("retried", json!(self.sent.retried));
        put("lost", json!(accepted.saturating_sub(received)));
        put("duplicated", duplicated);
        let rate = f64::from(u32::try_from(accepted).unwrap_or(u32::MAX)) / seconds;
        put("messages_per_second", json!(round(rate)));
        put("publish_confirm_ms", self.sent.confirm.to_json());
        put("publish_deliver_ms", deliver);
        put("publish_settled_ms", settled);
        put("processes", Value::Object(processes.collect()));
        if let Some(growth) = self.growth {
            put("server_rss_kib", growth);
        }
        Ok(report)
    }
}

/// What is said beside the measurement: what was run, and the bare round trip.
pub fn add_setting(report: &mut Map<String, Value>, options: &Options, envelope: Option<usize>, echo: &mut Spread) {
    let median = report.get("publish_deliver_ms").and_then(|deliver| deliver.get("p50")).and_then(Value::as_f64);
    let beyond_echo = median.zip(echo.per_mille(500)).map(|(deliver, echo)| round(deliver - echo));
    let mut put = |name: &str, value: Value| report.insert(name.to_owned(), value);
    put("carries", json!(if options.relay { "sealed envelopes" } else { "messages" }));
    put("broker", json!(options.broker_name()));
    put("agents", json!(options.agents));
    put("in_flight", json!(options.in_flight));
    put("size", json!(options.size));
    put("envelope_size", json!(envelope));
    put("receipts", json!(if options.relay { "off" } else { options.receipts.as_str() }));
    put("echo_ms", echo.to_json());
    put("deliver_beyond_echo_p50_ms", json!(beyond_echo));
}

/// DMR's figures divided by the baseline's: throughput, and the medians of latencies.
pub fn ratios(dmr: &Map<String, Value>, bare: &Map<String, Value>) -> Value {
    let p50 = |side: &Map<String, Value>, name: &str| side.get(name)?.get("p50")?.as_f64();
    let rate = |side: &Map<String, Value>| side.get("messages_per_second")?.as_f64();
    let ratio = |dmr: Option<f64>, bare: Option<f64>| {
        dmr.zip(bare).filter(|(_, bare)| *bare > 0.0).map(|(dmr, bare)| round(dmr / bare))
    };
    let confirm = p50(bare, "publish_confirm_ms");
    let deliver = p50(bare, "publish_deliver_ms");
    json!({
        "messages_per_second": ratio(rate(dmr), rate(bare)),
        "confirm_p50_to_bare_confirm_p50": ratio(p50(dmr, "publish_confirm_ms"), confirm),
        "deliver_p50_to_bare_deliver_p50": ratio(p50(dmr, "publish_deliver_ms"), deliver),
        "settled_p50_to_bare_deliver_p50": ratio(p50(dmr, "publish_settled_ms"), deliver),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_divide_what_there_is() {
        let side = |rate: f64, confirm: Value, deliver: f64, settled: f64| {
            let side = json!({
                "messages_per_second": rate,
                "publish_confirm_ms": { "p50": confirm },
                "publish_deliver_ms": { "p50": deliver },
                "publish_settled_ms": { "p50": settled },
            });
            side.as_object().cloned().unwrap()
        };
        let (dmr, bare) = (side(450.0, json!(1.5), 3.0, 3.2), side(1000.0, json!(null), 2.0, 9.0));
        let expected = json!({
            "messages_per_second": 0.45,
            "confirm_p50_to_bare_confirm_p50": null,
            "deliver_p50_to_bare_deliver_p50": 1.5,
            "settled_p50_to_bare_deliver_p50": 1.6,
        });
        assert_eq!(ratios(&dmr, &bare), expected);
    }
}
