//! Whether the broker is set up as this server needs it: asked before serving, and again while serving.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dmr_transport::Broker;
use dmr_transport::amqp::finding::{Finding, Topic};
use dmr_transport::amqp::inspection::{self, Report};
use dmr_transport::amqp::management::{Management, ManagementError};
use tokio::time::sleep;

use crate::readiness::Readiness;
use crate::registry::Registry;
use crate::shared::Shared;

/// Time between two looks until the broker has been found fit.
const UNTIL_FIT: Duration = Duration::from_secs(5);
/// Time between two looks after that.
const AFTERWARDS: Duration = Duration::from_secs(300);
/// Looks in a row that queues without figures are looked at again after [`UNTIL_FIT`]. A new queue has its figures within
/// [`inspection::PATIENCE`]; what has none after that, as of a queue that is down, is not hastened for.
const HASTY: u32 = 3;

/// Looks at a broker through its management API, asking one node after the other.
#[derive(Debug, Clone)]
pub struct Inspector {
    first: Management,
    others: Vec<Management>,
    required: bool,
    /// The broker was found fit before the server began.
    found_fit: bool,
}

impl Inspector {
    /// An inspector that asks these nodes in turn. Where it is `required`, a server is not ready, and gives nobody a
    /// session, before the broker has been found fit.
    pub fn new(first: Management, others: Vec<Management>, required: bool) -> Self {
        Self { first, others, required, found_fit: false }
    }

    /// The broker was just found fit: a server that begins now need not wait for the next look.
    pub(crate) fn note_fit(&mut self) {
        self.found_fit = true;
    }

    /// Whether nothing may be done before the broker has been looked at.
    pub(crate) fn is_awaited(&self) -> bool {
        self.required && !self.found_fit
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

/// What one look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    /// Nothing is wrong with what was seen.
    Fit {
        /// The broker, in one line.
        broker: String,
        /// Some queues could not be judged yet.
        unseen: bool,
    },
    /// Something is wrong.
    Unfit {
        /// The broker and what is wrong with it, in one line.
        broker: String,
    },
    /// Nothing was seen.
    Failed {
        /// Why.
        error: String,
    },
}

impl Look {
    fn of(outcome: Result<Report, ManagementError>) -> Self {
        match outcome {
            Ok(report) => {
                let broker = OneLine(&report).to_string();
                // A virtual host or a whole broker may be unseen for good; only queues get figures by waiting.
                let waits = |finding: &Finding| {
                    finding.topic == Topic::Unseen
                        && finding.subject.starts_with("dmr.")
                        && finding.subject != report.vhost
                };
                if report.is_fit() {
                    Self::Fit { broker, unseen: report.findings.iter().any(waits) }
                } else {
                    Self::Unfit { broker }
                }
            }
            Err(error) => Self::Failed { error: error.to_string() },
        }
    }
}

/// What a look means for agents, where the broker must be fit.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// They may have sessions.
    Serve,
    /// They may not.
    Refuse(Box<str>),
    /// Nothing new is known; this is why.
    Unknown(Box<str>),
}

/// What all looks together have come to.
#[derive(Debug, Default)]
struct Known {
    /// All of the broker was found fit once.
    fit: bool,
    /// Looks in a row at which some queues could not be judged.
    unseen: u32,
    last: Option<Look>,
}

impl Known {
    /// Takes a look into account. A broker that was fit once and is no more is an alarm and no reason to stop: messages
    /// would stay where they are with nobody to serve them.
    fn judge(&mut self, look: Look) -> Verdict {
        self.unseen = if matches!(look, Look::Fit { unseen: true, .. }) { self.unseen.saturating_add(1) } else { 0 };
        let verdict = match &look {
            Look::Fit { unseen, .. } => {
                self.fit |= !unseen || self.unseen > HASTY;
                Verdict::Serve
            }
            Look::Unfit { .. } if self.fit => Verdict::Serve,
            Look::Unfit { .. } => {
                Verdict::Refuse("the broker is not set up as it must be: see dmr-server check".into())
            }
            Look::Failed { error } => {
                Verdict::Unknown(format!("the broker's settings could not be looked at: {error}").into())
            }
        };
        self.last = Some(look);
        verdict
    }

    /// Whether the log should have it. An alarm is repeated as long as looks are far apart.
    fn is_news(&self, look: &Look) -> bool {
        match look {
            Look::Fit { .. } => !matches!(self.last, Some(Look::Fit { .. })),
            Look::Unfit { .. } => self.fit || self.last.as_ref() != Some(look),
            Look::Failed { .. } => self.last.as_ref() != Some(look),
        }
    }

    /// Time until the next look.
    fn pause(&self) -> Duration {
        if self.fit && !(1..=HASTY).contains(&self.unseen) { AFTERWARDS } else { UNTIL_FIT }
    }
}

/// Looks for ever.
pub(crate) async fn run<B: Broker>(inspector: Inspector, shared: Arc<Shared<B>>) {
    let look = || async { Look::of(inspector.inspect(Duration::ZERO).await) };
    watch(look, inspector.required, &shared.readiness, &shared.registry).await;
}

async fn watch<F>(mut look: impl FnMut() -> F + Send, required: bool, readiness: &Readiness, registry: &Registry)
where
    F: Future<Output = Look> + Send,
{
    let mut known = Known::default();
    loop {
        let seen = look().await;
        say(&seen, known.is_news(&seen));
        match known.judge(seen) {
            Verdict::Serve => readiness.note_unfit(None),
            Verdict::Refuse(problem) if required => {
                let served = !readiness.is_unfit();
                readiness.note_unfit(Some(problem));
                if served {
                    // It was taken for fit before all of it was seen: whoever came meanwhile goes to another server.
                    registry.renew();
                }
            }
            Verdict::Unknown(problem) if required && readiness.is_unfit() => readiness.note_unfit(Some(problem)),
            Verdict::Refuse(_) | Verdict::Unknown(_) => {}
        }
        sleep(known.pause()).await;
    }
}

fn say(look: &Look, is_news: bool) {
    match look {
        Look::Fit { broker, .. } if is_news => tracing::info!(broker, "the broker is set up as it must be"),
        Look::Unfit { broker } if is_news => {
            tracing::error!(broker, "the broker is not set up as it must be: dmr-server check says more");
        }
        Look::Failed { error } if is_news => tracing::warn!(error, "the broker's settings could not be looked at"),
        known => tracing::debug!(?known, "the broker's settings: nothing new"),
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

#[cfg(test)]
mod tests;
