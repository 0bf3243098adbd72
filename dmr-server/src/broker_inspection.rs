//! Whether the broker is set up as this server needs it: asked before serving, and again while serving.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dmr_transport::amqp::inspection::{self, Report};
use dmr_transport::amqp::management::{Management, ManagementError};
use tokio::time::sleep;

use crate::readiness::Readiness;

/// Time between two looks until the broker has been found fit.
const UNTIL_FIT: Duration = Duration::from_secs(5);
/// Time between two looks after that.
const AFTERWARDS: Duration = Duration::from_secs(300);

/// Looks at a broker through its management API, asking one node after the other.
#[derive(Debug, Clone)]
pub struct Inspector {
    first: Management,
    others: Vec<Management>,
    required: bool,
}

impl Inspector {
    /// An inspector that asks these nodes in turn. Where it is `required`, a server is not ready before the broker has
    /// been found fit.
    pub fn new(first: Management, others: Vec<Management>, required: bool) -> Self {
        Self { first, others, required }
    }

    /// Whether the broker must be fit.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The nodes' clients, in the order in which they are asked.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Management> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// What the first node that answers has to say, waiting so long for figures of queues that are new.
    ///
    /// # Errors
    /// What the first node did instead of answering, when none does.
    pub async fn inspect(&self, patience: Duration) -> Result<Report, ManagementError> {
        let outcome = inspection::inspect(&self.first, patience).await;
        if outcome.is_err() {
            for node in &self.others {
                if let Ok(report) = inspection::inspect(node, patience).await {
                    return Ok(report);
                }
            }
        }
        outcome
    }
}

/// Looks for ever. A broker that was fit once and is no more is an alarm and no reason to stop: messages would stay where they
/// are with nobody to serve them.
pub(crate) async fn run(inspector: Inspector, readiness: Arc<Readiness>) {
    let mut fit = false;
    loop {
        match inspector.inspect(Duration::ZERO).await {
            Ok(report) if report.is_fit() => {
                if !std::mem::replace(&mut fit, true) {
                    tracing::info!(broker = %OneLine(&report), "the broker is set up as it must be");
                }
                readiness.note_unfit(None);
            }
            Ok(report) => {
                tracing::error!(broker = %OneLine(&report), "the broker is not set up as it must be: dmr-server check says more");
                if inspector.required && !fit {
                    readiness.note_unfit(Some("the broker is not set up as it must be: see dmr-server check".into()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the broker's settings could not be looked at");
                if inspector.required && !fit {
                    readiness.note_unfit(Some(format!("the broker's settings could not be looked at: {error}").into()));
                }
            }
        }
        sleep(if fit { AFTERWARDS } else { UNTIL_FIT }).await;
    }
}

/// A report in one line of a log.
struct OneLine<'a>(&'a Report);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RabbitMQ {} at {}", self.0.overview.version, self.0.vhost)?;
        self.0.findings.iter().try_for_each(|finding| write!(f, "; {} {}", finding.subject, finding.problem))
    }
}
