//! What is said of a history.

use std::fmt;
use std::time::Duration;

use crate::failure::{Failure, Outcome};

/// Messages named for each finding; the evidence has them all.
const NAMED: usize = 5;

/// What the judge found. Lists hold ids of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that were sent.
    pub attempts: usize,
    /// Those of them that were accepted.
    pub acknowledged: usize,
    /// Those of these that the recipient's service took.
    pub ok: usize,
    /// Messages that were refused for good.
    pub refused: usize,
    /// Messages of which the sender was told nothing certain.
    pub unknown: usize,
    /// Those of these that the recipient's service took.
    pub recovered: usize,
    /// Accepted messages that failed, and whose sender was told.
    pub failed: usize,
    /// Messages over which the service was called more than once.
    pub duplicated: usize,
    /// Messages that were taken before one that had been accepted before they were sent, which is no fault.
    pub out_of_order: Vec<String>,
    /// How long after each fault messages were accepted again.
    pub recoveries: Vec<Recovery>,

    /// Accepted, and neither taken nor failed.
    pub lost: Vec<String>,
    /// Taken or offered to a service, and never sent, or not like this, or after a refusal.
    pub unexpected: Vec<String>,
    /// At the service of another than its recipient, or under another's name.
    pub misrouted: Vec<String>,
    /// More than one effect.
    pub doubled: Vec<String>,
    /// Accepted without an end that the sender sees, or sent without an answer.
    pub undecided: Vec<String>,
    /// The sender was told what is not so.
    pub false_receipts: Vec<String>,
    /// The record contradicts itself.
    pub malformed: Vec<String>,
}

/// The time after a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Which fault.
    pub fault: String,
    /// From its end to the first acceptance of a message that was sent after that. `None`: there was none.
    pub after: Option<Duration>,
}

impl Verdict {
    /// Each way in which a history is not sound, with what was found.
    fn faults(&self) -> [(&'static str, &[String]); 7] {
        [
            ("lost", &self.lost),
            ("unexpected", &self.unexpected),
            ("misrouted", &self.misrouted),
            ("doubled", &self.doubled),
            ("undecided", &self.undecided),
            ("false receipts", &self.false_receipts),
            ("malformed", &self.malformed),
        ]
    }

    /// Nothing, when every promise was kept.
    ///
    /// # Errors
    /// [`Failure`] with the whole verdict. So it is when nothing was acknowledged at all: nothing was tested then.
    pub fn sound(&self) -> Outcome {
        let broken = self.faults().iter().any(|(_, found)| !found.is_empty());
        if broken || self.acknowledged == 0 { Err(Failure::new(format!("not sound:\n{self}"))) } else { Ok(()) }
    }

    /// Nothing, when after every fault messages were accepted again within `limit`.
    ///
    /// # Errors
    /// [`Failure`] with the faults after which they were not.
    pub fn recovered_within(&self, limit: Duration) -> Outcome {
        let in_time = |recovery: &&Recovery| recovery.after.is_none_or(|after| after > limit);
        let late: Vec<_> = self.recoveries.iter().filter(in_time).map(ToString::to_string).collect();
        if late.is_empty() { Ok(()) } else { Err(Failure::new(format!("not within {limit:?}: {}", late.join("; ")))) }
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(after) => write!(f, "{}: {} ms", self.fault, after.as_millis()),
            None => write!(f, "{}: nothing was accepted any more", self.fault),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, acknowledged, ok, refused, unknown, recovered, failed, duplicated, .. } = self;
        writeln!(f, "attempts {attempts}, acknowledged {acknowledged}, ok {ok}, failed {failed}, refused {refused}")?;
        write!(f, "unknown {unknown}, recovered {recovered}, duplicated {duplicated}")?;
        writeln!(f, ", out of order {}", self.out_of_order.len())?;
        for recovery in &self.recoveries {
            writeln!(f, "recovery after {recovery}")?;
        }
        for (name, found) in self.faults() {
            let named = found.get(..NAMED.min(found.len())).unwrap_or_default().join(", ");
            let more = if found.len() > NAMED { ", …" } else { "" };
            match found.len() {
                0 => writeln!(f, "{name} 0")?,
                count => writeln!(f, "{name} {count}: {named}{more}")?,
            }
        }
        Ok(())
    }
}
