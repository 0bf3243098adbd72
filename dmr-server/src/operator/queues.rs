//! `queues`: how full each mailbox is, how old what waits there, who consumes it, and how fast it moves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};

use clap::Args;
use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use dmr_transport::amqp::management::{ManagementError, Queue, QueueFigures};
use dmr_transport::amqp::{AmqpBroker, MailboxDepth, topology};
use dmr_transport::service::settings::ConfigFile;
use serde_json::{Value, json};

use super::names::{NameSettings, Names};
use super::progress::Progress;
use super::{OperatorError, start};
use crate::broker_inspection::Inspector;
use crate::broker_settings::{AmqpPlan, BrokerPlan, BrokerSettings};
use crate::clock::Clock;
use crate::program::Failure;

/// The options of `queues`.
#[derive(Debug, Args)]
pub struct QueuesCommand {
    /// Print a JSON object for each queue instead of a table
    #[arg(long, env = "DMR_JSON")]
    json: bool,
    #[command(flatten)]
    config_file: ConfigFile,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    names: NameSettings,
}

/// One line: a mailbox, or another queue of ours.
struct Row {
    name: String,
    depth: Option<MailboxDepth>,
    figures: Option<QueueFigures>,
}

impl QueuesCommand {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let names = self.names.names()?;
        let BrokerPlan::Amqp(plan) = self.broker.plan()? else { return Err(OperatorError::InMemory.into()) };
        let AmqpPlan { config, inspector } = *plan;
        let figures = match &inspector {
            Some(inspector) => figures(inspector).await?,
            None => BTreeMap::new(),
        };
        let broker = start(config);
        let mut mailboxes: BTreeSet<_> = names.participants().collect();
        mailboxes.extend(figures.keys().filter_map(|queue| topology::mailbox_of(queue)));
        if mailboxes.is_empty() && inspector.is_none() {
            return Err(OperatorError::WhichMailboxes.into());
        }
        let rows = rows(&broker, &names, mailboxes, figures).await?;
        let now = Clock::system().now().wall;
        let mut out = io::stdout().lock();
        if !self.json {
            writeln!(out, "{HEADINGS}")?;
        }
        for row in rows {
            if self.json { writeln!(out, "{}", row.json(now))? } else { writeln!(out, "{}", row.line(now))? }
        }
        if !self.json && inspector.is_some() {
            writeln!(out, "unsettled, bytes and rates are up to 5 s old")?;
        }
        Ok(())
    }
}

/// What the management API says of our queues, by name.
async fn figures(inspector: &Inspector) -> Result<BTreeMap<String, Queue>, ManagementError> {
    let mut outcome = Ok(Vec::new());
    for node in inspector.nodes() {
        outcome = node.queues(r"^dmr\.").await;
        if outcome.is_ok() {
            break;
        }
    }
    Ok(outcome?.into_iter().map(|queue| (queue.name.to_string(), queue)).collect())
}

async fn rows(
    broker: &AmqpBroker,
    names: &Names,
    mailboxes: BTreeSet<ParticipantId>,
    mut figures: BTreeMap<String, Queue>,
) -> Result<Vec<Row>, Failure> {
    let mut progress = Progress::begin("mailboxes", u32::try_from(mailboxes.len()).unwrap_or(u32::MAX));
    let mut rows = Vec::new();
    for (done, mailbox) in (1..).zip(mailboxes) {
        let depth = broker.look_into(mailbox).await?;
        let figures = figures.remove(&topology::mailbox_name(mailbox)).and_then(|queue| queue.figures);
        if depth.is_some() || figures.is_some() {
            rows.push(Row { name: names.of(mailbox), depth, figures });
        }
        progress.at(done);
    }
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    // Servers' own queues come and go with them.
    let others = figures.into_values().filter(|queue| !queue.name.starts_with("dmr.s."));
    rows.extend(others.map(|queue| Row { name: queue.name.to_string(), depth: None, figures: queue.figures }));
    Ok(rows)
}

const HEADINGS: &str = "READY     UNSETTLED  OLDEST      CONSUMERS  IN/s      OUT/s     ACK/s     BYTES        QUEUE";

impl Row {
    fn ready(&self) -> Option<u64> {
        self.depth.map(|depth| u64::from(depth.ready)).or_else(|| self.figures.as_ref().map(|figures| figures.ready))
    }

    fn consumers(&self) -> Option<u64> {
        let exact = self.depth.map(|depth| u64::from(depth.consumers));
        exact.or_else(|| self.figures.as_ref().map(|figures| figures.consumers))
    }

    fn oldest(&self, now: Timestamp) -> Option<u64> {
        Some(now.since(self.depth?.oldest?).as_secs())
    }

    fn line(&self, now: Timestamp) -> String {
        let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let figures = self.figures.as_ref();
        let rate =
            |rate: fn(&QueueFigures) -> f64| figures.map_or_else(|| "-".to_owned(), |it| format!("{:.1}", rate(it)));
        let oldest = self.oldest(now).map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s"));
        format!(
            "{:<8}  {:<9}  {oldest:<10}  {:<9}  {:<8}  {:<8}  {:<8}  {:<11}  {}",
            count(self.ready()),
            count(figures.map(|figures| figures.unacknowledged)),
            count(self.consumers()),
            rate(|figures| figures.publish_rate),
            rate(|figures| figures.deliver_rate),
            rate(|figures| figures.ack_rate),
            count(figures.map(|figures| figures.bytes)),
            self.name,
        )
    }

    fn json(&self, now: Timestamp) -> Value {
        let figures = self.figures.as_ref();
        json!({
            "queue": self.name,
            "ready": self.ready(),
            "unsettled": figures.map(|figures| figures.unacknowledged),
            "oldestSeconds": self.oldest(now),
            "consumers": self.consumers(),
            "publishRate": figures.map(|figures| figures.publish_rate),
            "deliverRate": figures.map(|figures| figures.deliver_rate),
            "ackRate": figures.map(|figures| figures.ack_rate),
            "bytes": figures.map(|figures| figures.bytes),
        })
    }
}
