//! Whether a broker is fit to carry messages: what it is and has, against what is needed.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::diagnosis::diagnose;
use super::finding::{Finding, Severity, write_all};
use super::management::{Binding, Exchange, Management, ManagementError, Overview, Queue, VhostPolicy};

/// How long [`inspect`] waits for figures that a new queue does not have yet: 12 s. They took up to 10 s on 3.10.8.
pub const PATIENCE: Duration = Duration::from_secs(12);
/// Time between two looks while it waits.
const PAUSE: Duration = Duration::from_secs(1);
/// The queues that matter.
const OURS: &str = r"^dmr\.";

/// Everything that a broker says about itself and about what is ours in one virtual host.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The virtual host.
    pub vhost: Box<str>,
    /// The broker and its nodes.
    pub overview: Overview,
    /// The queues whose names begin with `dmr.`.
    pub queues: Vec<Queue>,
    /// All exchanges.
    pub exchanges: Vec<Exchange>,
    /// All bindings of exchanges that have a name.
    pub bindings: Vec<Binding>,
    /// All policies, unless the user may not see them.
    pub policies: Option<Vec<VhostPolicy>>,
    /// All operator policies, unless the user may not see them.
    pub operator_policies: Option<Vec<VhostPolicy>>,
}

/// What an inspection found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The virtual host.
    pub vhost: Box<str>,
    /// The broker and its nodes.
    pub overview: Overview,
    /// How many queues of ours there are, mailboxes included.
    pub queues: usize,
    /// How many of them are mailboxes.
    pub mailboxes: usize,
    /// The worst first.
    pub findings: Vec<Finding>,
}

/// Looks at a broker and says what is wrong with it.
///
/// Returns at once when all queues have figures; while one has none it waits up to `patience`, such as [`PATIENCE`],
/// and then says so in a note. With thousands of queues each look takes the broker a second or more.
///
/// # Errors
/// [`ManagementError`]: nothing can be said about this broker.
///
/// # Cancel safety
/// Only reads.
pub async fn inspect(management: &Management, patience: Duration) -> Result<Report, ManagementError> {
    observe(management, patience).await.map(Report::new)
}

/// What [`inspect`] looks at.
///
/// # Errors
/// [`ManagementError`].
///
/// # Cancel safety
/// Only reads.
pub async fn observe(management: &Management, patience: Duration) -> Result<Observation, ManagementError> {
    let deadline = Instant::now() + patience;
    let overview = management.overview().await?;
    let mut queues = management.queues(OURS).await?;
    while overview.statistics && queues.iter().any(|queue| queue.effective.is_none()) && Instant::now() < deadline {
        sleep(PAUSE).await;
        queues = management.queues(OURS).await?;
    }
    Ok(Observation {
        vhost: management.vhost().into(),
        overview,
        queues,
        exchanges: management.exchanges().await?,
        bindings: management.bindings().await?,
        policies: if_allowed(management.policies(false).await)?,
        operator_policies: if_allowed(management.policies(true).await)?,
    })
}

/// Policies may be shown to this user or not; the rest has shown by now that the password is right.
fn if_allowed<T>(answer: Result<T, ManagementError>) -> Result<Option<T>, ManagementError> {
    match answer {
        Ok(policies) => Ok(Some(policies)),
        Err(ManagementError::Unauthorized { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Report {
    /// What there is to say about an observation.
    pub fn new(observation: Observation) -> Self {
        let findings = diagnose(&observation);
        let mailboxes = observation.queues.iter().filter(|queue| queue.name.starts_with("dmr.a.")).count();
        Self {
            vhost: observation.vhost,
            overview: observation.overview,
            queues: observation.queues.len(),
            mailboxes,
            findings,
        }
    }

    /// Whether nothing is wrong: a server may run on this broker. Risks and notes do not count.
    pub fn is_fit(&self) -> bool {
        self.worst() != Some(Severity::Wrong)
    }

    /// The worst that was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// As JSON: `fit`, `version`, `cluster`, `vhost`, `nodes`, `queues`, `mailboxes`, `findings`.
    pub fn to_json(&self) -> Value {
        let nodes = self.overview.nodes.iter().map(|node| {
            json!({
                "name": node.name,
                "running": node.running,
                "memoryAlarm": node.memory_alarm,
                "diskAlarm": node.disk_alarm,
            })
        });
        json!({
            "fit": self.is_fit(),
            "version": self.overview.version,
            "cluster": self.overview.cluster,
            "vhost": self.vhost,
            "nodes": nodes.collect::<Vec<_>>(),
            "queues": self.queues,
            "mailboxes": self.mailboxes,
            "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        })
    }
}

/// For people: one line about the broker, one paragraph for each finding, one line of judgement.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.overview.nodes.iter().filter(|node| node.running).count();
        writeln!(
            f,
            "RabbitMQ {} · cluster {} · {running} of {} nodes run · virtual host {} · {} queues, {} of them mailboxes",
            self.overview.version,
            self.overview.cluster,
            self.overview.nodes.len(),
            self.vhost,
            self.queues,
            self.mailboxes,
        )?;
        write_all(&self.findings, f)?;
        f.write_str(match self.worst() {
            Some(Severity::Wrong) => "not fit: confirmed messages could be lost",
            Some(Severity::Risky) => "fit, with risks",
            Some(Severity::Note) | None => "fit",
        })
    }
}
