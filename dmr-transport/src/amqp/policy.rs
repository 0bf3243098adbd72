//! What the queues need beyond their type, as data: one policy for each kind of queue.
//!
//! A queue's arguments cannot change after it is declared, and a second declaration with others fails. A policy can
//! change at any time and takes effect on queues that exist. So a queue is declared with its type alone, and everything
//! else stands here. `deploy/rabbitmq/definitions.json` and `deploy/rabbitmq/policies.sh` say the same; a test holds the
//! three equal.
//!
//! Each combination was put on quorum queues of RabbitMQ 3.10.8 and seen to take effect: expiry, delivery limit, both
//! overflows, and at-least-once dead-lettering of expired, rejected and too often delivered messages into a fanout.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value};

use super::finding::Severity;

/// Priority of the policies. Of several whose patterns match a queue only the one of highest priority applies, whole.
/// Default 10, so that an operator has room on both sides; a catch-all policy usually has 0.
pub const PRIORITY: i64 = 10;

const HOUR: u64 = 60 * 60 * 1_000;
const DAY: u64 = 24 * HOUR;
const MIB: u64 = 1 << 20;

/// The most time a message waits in a mailbox: 24 h. A server must not accept a longer one.
pub const MAILBOX_TTL: Duration = Duration::from_millis(DAY);

/// Below this a delivery limit counts as missing: it would kill healthy messages.
const FEWEST_DELIVERIES: u64 = 1_000;

/// One policy: what every queue whose name matches must have.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Its name in the virtual host.
    pub name: &'static str,
    /// Regular expression over queue names.
    pub pattern: &'static str,
    /// What the pattern is held against: always `queues`. `quorum_queues` would be exact, and exists from 3.12 only.
    pub apply_to: &'static str,
    /// What it sets.
    pub definition: &'static [Setting],
    /// What another policy must not set on these queues. `expires` is among them for all.
    pub harmful: &'static [Harmful],
    /// Whether a queue of this name is covered. The same as `pattern`, which is for the broker.
    covers: Covers,
}

#[derive(Debug, Clone, Copy)]
enum Covers {
    Name(&'static str),
    Prefix(&'static str),
}

/// One key of a policy, and what may stand there instead.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// RabbitMQ's name of it.
    pub key: &'static str,
    /// What is shipped. Times in milliseconds, sizes in bytes.
    pub value: Shipped,
    /// What else will do.
    pub rule: Rule,
    /// What happens where it is missing or wrong: the end of the sentence "… , so …".
    pub otherwise: &'static str,
}

/// A shipped value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shipped {
    /// A count, milliseconds or bytes.
    Number(u64),
    /// A word or a name.
    Text(&'static str),
}

/// What a setting tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Anything but the shipped value is wrong.
    Exactly,
    /// Missing or less than `wrong` is wrong, less than shipped is risky, more is the operator's choice.
    AtLeast {
        /// Less than this is wrong.
        wrong: u64,
        /// What too small a number does, in the place of [`Setting::otherwise`].
        then: &'static str,
    },
    /// A bound must be there: none, or one less than `tight`, is risky; any other is the operator's choice.
    Bounded {
        /// Less than this is risky.
        tight: u64,
        /// What too small a number does, in the place of [`Setting::otherwise`].
        then: &'static str,
    },
    /// Anything will do; a difference is worth a note.
    Preferred,
}

/// A key that must not be set.
#[derive(Debug, Clone, Copy)]
pub struct Harmful {
    /// RabbitMQ's name of it.
    pub key: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it does: the end of the sentence "… , so …".
    pub otherwise: &'static str,
}

/// Every policy needed, in the order in which a message may meet the queues.
pub static POLICIES: [Policy; 4] = [MAILBOXES, DEAD, DEAD_KEPT, PROBE];

/// The mailboxes, one for each participant.
///
/// - `message-ttl` 24 h: a mailbox that nobody reads any more does not keep messages for ever. A message's own expiry
///   is shorter or equal; the broker takes the smaller of the two.
/// - `delivery-limit` 10,000: the broker counts lost connections as deliveries, so a low limit kills healthy messages
///   of an agent with a bad line; and without any limit 3.10 puts a returned message at the queue's end. From 4.0 on
///   the default is 20.
/// - `dead-letter-exchange` `dmr.dlx`: from there the servers learn what died, and tell the sender.
/// - `dead-letter-strategy` `at-least-once`: the message stays in the mailbox until every queue behind the exchange has
///   confirmed it. The default, `at-most-once`, drops it when one cannot take it.
/// - `overflow` `reject-publish`: a full mailbox refuses the next message, and its sender is told so. The default,
///   `drop-head`, throws away the oldest one, which was confirmed. It also turns at-least-once into at-most-once: the
///   broker goes on showing the strategy it was told, and says otherwise in its log alone.
/// - `max-length-bytes` 256 MiB: one mailbox cannot fill the disk of all. Messages waiting for their dead-lettering
///   count. The bound is soft: what is in flight when it is reached still enters.
/// - `queue-leader-locator` `balanced`: else the leaders of all queues sit on the node that the servers connect to.
const MAILBOXES: Policy = Policy {
    name: "dmr-mailboxes",
    pattern: r"^dmr\.a\.",
    apply_to: "queues",
    definition: &[
        Setting {
            key: "message-ttl",
            value: Shipped::Number(DAY),
            rule: Rule::AtLeast {
                wrong: DAY,
                then: "accepted messages die before the time that their sender was promised",
            },
            otherwise: "messages in a mailbox that nobody reads any more lie there for ever",
        },
        Setting {
            key: "delivery-limit",
            value: Shipped::Number(10_000),
            rule: Rule::AtLeast {
                wrong: FEWEST_DELIVERIES,
                then: "lost connections, which count as deliveries, kill healthy messages",
            },
            otherwise: "returned messages lose their place on 3.x, and die after 20 deliveries from 4.0 on",
        },
        Setting {
            key: "dead-letter-exchange",
            value: Shipped::Text("dmr.dlx"),
            rule: Rule::Exactly,
            otherwise: "expired and refused messages vanish and no sender is told",
        },
        Setting {
            key: "dead-letter-strategy",
            value: Shipped::Text("at-least-once"),
            rule: Rule::Exactly,
            otherwise: "dead-lettering is at-most-once and a dead message can vanish without notice to its sender",
        },
        REJECT_PUBLISH,
        BYTES,
        BALANCED,
    ],
    harmful: &[EXPIRES, COUNT],
    covers: Covers::Prefix("dmr.a."),
};

/// Dead letters that no server has told the sender about yet.
///
/// - `overflow` `reject-publish` and `max-length-bytes` 256 MiB: when it is full the letters stay where they died and
///   are tried again (every 180 s, unless `advanced.config` says otherwise); none is lost.
/// - `delivery-limit` 10,000: as for the mailboxes; this queue has nowhere to send what exceeds it, so it is dropped.
/// - `queue-leader-locator`: as for the mailboxes.
const DEAD: Policy = Policy {
    name: "dmr-dead",
    pattern: r"^dmr\.dead$",
    apply_to: "queues",
    definition: &[
        Setting {
            key: "delivery-limit",
            value: Shipped::Number(10_000),
            rule: Rule::AtLeast {
                wrong: FEWEST_DELIVERIES,
                then: "dead letters are dropped when servers lose their connections, and no sender is told",
            },
            otherwise: "dead letters are dropped after 20 deliveries from 4.0 on, and no sender is told",
        },
        REJECT_PUBLISH,
        BYTES,
        BALANCED,
    ],
    harmful: &[
        EXPIRES,
        COUNT,
        Harmful {
            key: "message-ttl",
            severity: Severity::Wrong,
            otherwise: "dead letters expire while no server runs, and no sender is told",
        },
        Harmful {
            key: "dead-letter-exchange",
            severity: Severity::Risky,
            otherwise: "dead letters that die again can go in circles",
        },
    ],
    covers: Covers::Name("dmr.dead"),
};

/// A copy of every dead letter, for the operator.
///
/// - `delivery-limit` 10,000: each look through the letters counts as a delivery, and from 4.0 on the default is 20.
/// - `message-ttl` 14 days, `max-length` 100,000, `max-length-bytes` 1 GiB: what nobody looks at goes away.
/// - `overflow` `drop-head`: the oldest copy makes room. `reject-publish` would be wrong here: dead-lettering waits for
///   every queue behind `dmr.dlx`, so a full one would hold up the notices.
/// - `queue-leader-locator`: as for the mailboxes.
const DEAD_KEPT: Policy = Policy {
    name: "dmr-dead-kept",
    pattern: r"^dmr\.dead\.kept$",
    apply_to: "queues",
    definition: &[
        Setting {
            key: "delivery-limit",
            value: Shipped::Number(10_000),
            rule: Rule::Bounded { tight: 1_000, then: "dead letters are gone after having been looked at a few times" },
            otherwise: "dead letters are gone after having been looked at 20 times from 4.0 on",
        },
        Setting {
            key: "message-ttl",
            value: Shipped::Number(14 * DAY),
            rule: Rule::Bounded { tight: HOUR, then: "dead letters are gone before anybody looks at them" },
            otherwise: "dead letters are kept for ever",
        },
        Setting {
            key: "max-length",
            value: Shipped::Number(100_000),
            rule: Rule::Preferred,
            otherwise: "another number of dead letters is kept than shipped",
        },
        Setting {
            key: "max-length-bytes",
            value: Shipped::Number(1_024 * MIB),
            rule: Rule::Bounded { tight: 16 * MIB, then: "dead letters are dropped before anybody looks at them" },
            otherwise: "dead letters can fill the disk",
        },
        Setting { otherwise: "a full queue of old copies holds up every notice of a dead message", ..DROP_HEAD },
        BALANCED,
    ],
    harmful: &[EXPIRES],
    covers: Covers::Name("dmr.dead.kept"),
};

/// The canaries of readiness probes. They are worth nothing a minute later.
///
/// - `message-ttl` 1 min, `max-length` 1,000, `overflow` `drop-head`: canaries of servers that died go away, and never
///   keep a living server's from being stored.
/// - `queue-leader-locator`: as for the mailboxes.
const PROBE: Policy = Policy {
    name: "dmr-probe",
    pattern: r"^dmr\.probe$",
    apply_to: "queues",
    definition: &[
        Setting {
            key: "message-ttl",
            value: Shipped::Number(60_000),
            rule: Rule::Bounded { tight: 15_000, then: "canaries of readiness probes expire before they are read" },
            otherwise: "canaries of servers that died stay for ever",
        },
        Setting {
            key: "max-length",
            value: Shipped::Number(1_000),
            rule: Rule::Bounded { tight: 100, then: "canaries of readiness probes push each other out" },
            otherwise: "canaries of readiness probes pile up",
        },
        Setting { otherwise: "canaries that nobody reads make every server unready", ..DROP_HEAD },
        BALANCED,
    ],
    harmful: &[EXPIRES],
    covers: Covers::Name("dmr.probe"),
};

const REJECT_PUBLISH: Setting = Setting {
    key: "overflow",
    value: Shipped::Text("reject-publish"),
    rule: Rule::Exactly,
    otherwise: "a full queue drops its oldest messages, which were confirmed, and at-least-once dead-lettering silently \
                becomes at-most-once",
};

const DROP_HEAD: Setting =
    Setting { key: "overflow", value: Shipped::Text("drop-head"), rule: Rule::Exactly, otherwise: "" };

const BYTES: Setting = Setting {
    key: "max-length-bytes",
    value: Shipped::Number(256 * MIB),
    rule: Rule::Bounded { tight: 16 * MIB, then: "it is full after a few messages" },
    otherwise: "it can fill the disk of every other queue",
};

const BALANCED: Setting = Setting {
    key: "queue-leader-locator",
    value: Shipped::Text("balanced"),
    rule: Rule::Preferred,
    otherwise: "the leaders of new queues gather on the nodes that servers connect to",
};

const EXPIRES: Harmful = Harmful {
    key: "expires",
    severity: Severity::Wrong,
    otherwise: "the broker deletes the queue with everything in it after a time without consumers",
};

const COUNT: Harmful = Harmful {
    key: "max-length",
    severity: Severity::Note,
    otherwise: "the queue is full at that number of messages, however small they are",
};

impl Policy {
    /// The policy that a queue of this name needs.
    pub fn for_queue(queue: &str) -> Option<&'static Self> {
        POLICIES.iter().find(|policy| match policy.covers {
            Covers::Name(name) => queue == name,
            Covers::Prefix(prefix) => queue.starts_with(prefix),
        })
    }

    /// The definition as RabbitMQ's JSON, keys in alphabetical order.
    pub fn definition_json(&self) -> Map<String, Value> {
        self.definition.iter().map(|setting| (setting.key.to_owned(), setting.value.to_json())).collect()
    }

    /// The command that sets it, for a POSIX shell. Setting a policy again changes nothing.
    pub fn command(&self, vhost: &str) -> String {
        let mut command = String::from("rabbitmqctl set_policy");
        // Writing to a string does not fail.
        let _ = write!(
            command,
            " --vhost {} --priority {PRIORITY} --apply-to {} {} '{}' '{}'",
            quoted(vhost),
            self.apply_to,
            self.name,
            self.pattern,
            Value::Object(self.definition_json()),
        );
        command
    }
}

impl Shipped {
    /// As RabbitMQ's JSON.
    pub fn to_json(self) -> Value {
        match self {
            Self::Number(number) => number.into(),
            Self::Text(text) => text.into(),
        }
    }
}

/// A word for a POSIX shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-@:".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
