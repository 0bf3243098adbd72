//! What is wrong with a broker: one sentence each for the fault, what it does, and how to mend it.

use std::fmt;

use serde_json::{Value, json};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Different from what is shipped, and harmless.
    Note,
    /// It works now; it may stop to, or hides something.
    Risky,
    /// Confirmed messages can be lost, or senders not told. A server must not run on it.
    Wrong,
}

impl Severity {
    /// In JSON: `note`, `risky` or `wrong`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Risky => "risky",
            Self::Wrong => "wrong",
        }
    }
}

/// What a finding is about, for machines. The set grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// A setting of a queue is missing, wrong or different.
    Setting,
    /// A setting that must not be there is.
    HarmfulSetting,
    /// Another policy stands before ours, or may.
    Shadowed,
    /// A policy is missing, or its pattern is another.
    PolicyMissing,
    /// An operator's policy changes what ours says.
    OperatorPolicy,
    /// A queue is of the wrong type.
    QueueType,
    /// A queue has fewer members than it could, or lost some.
    Replicas,
    /// A queue does not run.
    QueueDown,
    /// An exchange is of the wrong kind or leads nowhere.
    Exchange,
    /// Dead letters cannot leave the mailboxes.
    DeadLettersWaiting,
    /// RabbitMQ's version.
    Version,
    /// An alarm: the broker takes no messages.
    Alarm,
    /// A node is down, or nodes do not see each other.
    Node,
    /// The number of nodes.
    ClusterSize,
    /// Something could not be seen.
    Unseen,
}

impl Topic {
    /// In JSON, such as `harmful-setting`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setting => "setting",
            Self::HarmfulSetting => "harmful-setting",
            Self::Shadowed => "shadowed",
            Self::PolicyMissing => "policy-missing",
            Self::OperatorPolicy => "operator-policy",
            Self::QueueType => "queue-type",
            Self::Replicas => "replicas",
            Self::QueueDown => "queue-down",
            Self::Exchange => "exchange",
            Self::DeadLettersWaiting => "dead-letters-waiting",
            Self::Version => "version",
            Self::Alarm => "alarm",
            Self::Node => "node",
            Self::ClusterSize => "cluster-size",
            Self::Unseen => "unseen",
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub topic: Topic,
    /// The queue, exchange, policy or node it was found on first.
    pub subject: Box<str>,
    /// How many more have the very same.
    pub others: usize,
    /// What is wrong.
    pub problem: Box<str>,
    /// What it does, or would do. Empty in a note that has no consequence.
    pub consequence: Box<str>,
    /// How to mend it, where possible the exact command. Empty where nothing need be done.
    pub remedy: Box<str>,
}

impl Finding {
    pub(super) fn new(severity: Severity, topic: Topic, subject: &str, problem: impl Into<Box<str>>) -> Self {
        Self {
            severity,
            topic,
            subject: subject.into(),
            others: 0,
            problem: problem.into(),
            consequence: "".into(),
            remedy: "".into(),
        }
    }

    pub(super) fn so(mut self, consequence: impl Into<Box<str>>) -> Self {
        self.consequence = consequence.into();
        self
    }

    pub(super) fn mend(mut self, remedy: impl Into<Box<str>>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// As JSON: `severity`, `topic`, `subject`, `others`, `problem`, `consequence`, `remedy`.
    pub fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.as_str(),
            "topic": self.topic.as_str(),
            "subject": self.subject,
            "others": self.others,
            "problem": self.problem,
            "consequence": self.consequence,
            "remedy": self.remedy,
        })
    }

    fn same_but_for_subject(&self, other: &Self) -> bool {
        (self.severity, self.topic) == (other.severity, other.topic)
            && (&self.problem, &self.consequence, &self.remedy) == (&other.problem, &other.consequence, &other.remedy)
    }
}

/// All findings for people: what is mended by the same commands stands together above them.
pub(super) fn write_all(findings: &[Finding], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let same = |one: &Finding, other: &Finding| one.severity == other.severity && one.remedy == other.remedy;
    for (at, finding) in findings.iter().enumerate() {
        let before = findings.get(..at).unwrap_or_default();
        if finding.remedy.is_empty() {
            writeln!(f, "{finding}")?;
        } else if !before.iter().any(|earlier| same(earlier, finding)) {
            for together in findings.iter().filter(|other| same(other, finding)) {
                together.write_sentence(f)?;
                writeln!(f)?;
            }
            writeln!(f, "       to mend it: {}", finding.remedy)?;
        }
    }
    Ok(())
}

impl Finding {
    fn write_sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<5}  {}", self.severity.as_str(), self.subject)?;
        match self.others {
            0 => {}
            1 => f.write_str(" and 1 other")?,
            more => write!(f, " and {more} others")?,
        }
        write!(f, ": {}", self.problem)?;
        if self.consequence.is_empty() { Ok(()) } else { write!(f, ", so {}", self.consequence) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_sentence(f)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "\n       to mend it: {}", self.remedy) }
    }
}

/// Worst first; what five thousand mailboxes have in common is said once.
pub(super) fn gathered(findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    let mut gathered: Vec<Finding> = Vec::new();
    for finding in findings {
        match gathered.iter_mut().find(|known| known.same_but_for_subject(&finding)) {
            Some(known) => known.others += 1 + finding.others,
            None => gathered.push(finding),
        }
    }
    gathered.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_queues_have_in_common_is_said_once_and_the_worst_comes_first() {
        let note = |subject| Finding::new(Severity::Note, Topic::Setting, subject, "larger");
        let wrong = Finding::new(Severity::Wrong, Topic::QueueType, "dmr.a.3", "it is classic").so("x").mend("y");
        let gathered = gathered([note("dmr.a.1"), wrong.clone(), note("dmr.a.2")]);
        assert_eq!(gathered, [wrong.clone(), Finding { others: 1, ..note("dmr.a.1") }]);
        assert_eq!(wrong.to_string(), "wrong  dmr.a.3: it is classic, so x\n       to mend it: y");
        assert_eq!(gathered[1].to_string(), "note   dmr.a.1 and 1 other: larger");
    }
}
