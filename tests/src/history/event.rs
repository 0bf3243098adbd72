//! One line of a history.

use serde::{Deserialize, Serialize};

/// An event and when it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since the history began.
    pub time: u64,
    /// What it was.
    #[serde(flatten)]
    pub event: Event,
}

/// What may happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A caller is about to post a message for the first time.
    Send {
        /// The message's id, the same in every event about it.
        id: String,
        /// The sender's name.
        from: String,
        /// The recipient's name.
        to: String,
        /// Its place among those of this sender to this recipient.
        sequence: u64,
        /// A digest of its payload.
        hash: String,
    },
    /// The caller was told that it is accepted.
    Accepted {
        /// Which.
        id: String,
    },
    /// The caller was told that it is not sent, and nothing before that leaves a doubt.
    Refused {
        /// Which.
        id: String,
        /// What it was told.
        why: String,
    },
    /// The caller gave up without knowing.
    Unknown {
        /// Which.
        id: String,
        /// What it saw last.
        why: String,
    },
    /// A recipient's service was called.
    Sink {
        /// The message's id, as the body says.
        id: String,
        /// The recipient whose service it is.
        at: String,
        /// The sender's name, as the body says.
        from: String,
        /// The idempotency key.
        key: String,
        /// A digest of the payload that came.
        hash: String,
        /// Whether the service took it: it has had its effect, now or at an earlier call with this key.
        taken: bool,
    },
    /// The sender's agent says what became of it.
    Receipt {
        /// Which.
        id: String,
        /// What became of it.
        fate: Fate,
        /// Why it failed; empty otherwise.
        #[serde(default)]
        why: String,
    },
    /// The drill does harm, or repairs it.
    Fault {
        /// Which harm.
        name: String,
        /// Beginning or end.
        phase: Phase,
    },
}

/// An end that the sender sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// The recipient signed that its service has it.
    Delivered,
    /// It will not be delivered.
    Failed,
}

/// Which side of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It begins.
    Begin,
    /// It ends: recovery is counted from here.
    End,
    /// It has no length, such as the death of one leader among three: recovery is counted from here as well.
    Moment,
}
