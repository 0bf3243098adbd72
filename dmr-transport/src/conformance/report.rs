//! What a run of the rules found.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use crate::broker::{BrokerError, PublishError};
use crate::link::LinkError;

/// Longest time for one rule.
const RULE: Duration = Duration::from_secs(30);
/// How long a rule waits for what must happen.
pub(super) const SOON: Duration = Duration::from_secs(5);
/// How long a rule waits to be sure that something does not happen.
pub(super) const QUIET: Duration = Duration::from_millis(200);

/// How a rule was breached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// Something that must happen did not, in time.
    #[error("not within {within:?}: {what}")]
    Late {
        /// What.
        what: &'static str,
        /// The time it had.
        within: Duration,
    },
    /// Something happened that must not.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A value is not the one that must be.
    #[error("{what}: {got} instead of {expected}")]
    Differs {
        /// What was looked at.
        what: &'static str,
        /// What it must be.
        expected: Box<str>,
        /// What it is.
        got: Box<str>,
    },
    /// A link failed where it must not.
    #[error("link: {0}")]
    Link(#[from] LinkError),
    /// A broker failed where it must not.
    #[error("broker: {0}")]
    Broker(#[from] BrokerError),
    /// A publish failed where it must not.
    #[error("publish: {0}")]
    Publish(#[from] PublishError),
}

/// A rule that did not hold.
#[derive(Debug)]
pub struct Violation {
    /// The rule: the name of its function.
    pub rule: &'static str,
    /// How it was breached.
    pub breach: Breach,
}

/// Which rules held and which did not.
#[derive(Debug, Default)]
pub struct Report {
    held: Vec<&'static str>,
    violations: Vec<Violation>,
}

impl Report {
    /// Whether every rule held, and there were any.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && !self.held.is_empty()
    }

    /// How many rules held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The breaches, in the order of the rules.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The names of the rules that were breached, each once.
    pub fn breached(&self) -> Vec<&'static str> {
        let mut rules: Vec<_> = self.violations.iter().map(|violation| violation.rule).collect();
        rules.dedup();
        rules
    }

    /// Waits for a rule's verdict and notes it.
    pub(super) async fn judge(&mut self, rule: &'static str, verdict: impl Future<Output = Result<(), Breach>>) {
        let late = Breach::Late { what: "the end of the rule", within: RULE };
        match timeout(RULE, verdict).await.unwrap_or(Err(late)) {
            Ok(()) => self.held.push(rule),
            Err(breach) => self.violations.push(Violation { rule, breach }),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rules held", self.held.len())?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n{}: {}", violation.rule, violation.breach))
    }
}

/// What comes of `future`, which must come soon.
pub(super) async fn soon<T>(what: &'static str, future: impl Future<Output = T>) -> Result<T, Breach> {
    timeout(SOON, future).await.map_err(|_| Breach::Late { what, within: SOON })
}

/// Checks that `future` does not complete by itself.
pub(super) async fn never<T>(what: &'static str, future: impl Future<Output = T>) -> Result<(), Breach> {
    timeout(QUIET, future).await.map_or(Ok(()), |_| Err(Breach::Forbidden(what)))
}

/// Checks that `got` is `expected`. Long values are told by their beginning.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &'static str, expected: &T, got: &T) -> Result<(), Breach> {
    let text = |value: &T| format!("{value:?}").chars().take(200).collect::<String>().into();
    if expected == got { Ok(()) } else { Err(Breach::Differs { what, expected: text(expected), got: text(got) }) }
}

/// Checks that `holds`.
pub(super) fn must(holds: bool, otherwise: &'static str) -> Result<(), Breach> {
    if holds { Ok(()) } else { Err(Breach::Forbidden(otherwise)) }
}

/// Polls a future once, then drops it.
pub(super) async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
