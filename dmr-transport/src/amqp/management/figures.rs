//! What the management API says, as checked types.

use serde_json::{Map, Value};

/// The broker and its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// RabbitMQ's version, such as `3.10.8`.
    pub version: Box<str>,
    /// The cluster's name.
    pub cluster: Box<str>,
    /// The node that answered.
    pub node: Box<str>,
    /// Whether the broker collects figures. Without them no queue has any, nor an effective policy.
    pub statistics: bool,
    /// All nodes that belong to the cluster, those that are down too.
    pub nodes: Vec<Node>,
}

/// One node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name, such as `rabbit@one`.
    pub name: Box<str>,
    /// Whether it runs.
    pub running: bool,
    /// Its memory is above the watermark: the whole cluster takes no messages.
    pub memory_alarm: bool,
    /// Its disk has too little left: the whole cluster takes no messages.
    pub disk_alarm: bool,
    /// Nodes that it lost sight of.
    pub partitions: Vec<Box<str>>,
}

/// One queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Its name.
    pub name: Box<str>,
    /// `quorum`, `classic` or `stream`.
    pub kind: Box<str>,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// The arguments it was declared with.
    pub arguments: Map<String, Value>,
    /// The nodes that hold a copy.
    pub members: Vec<Box<str>>,
    /// Those of them that are up.
    pub online: Vec<Box<str>>,
    /// The node that leads, of a quorum queue that has a leader.
    pub leader: Option<Box<str>>,
    /// The policy that applies, as of the last figures.
    pub policy: Option<Box<str>>,
    /// The operator policy that applies, as of the last figures.
    pub operator_policy: Option<Box<str>>,
    /// What both together set, without the arguments. `None` until the broker has figures of the queue.
    pub effective: Option<Map<String, Value>>,
    /// Its figures. `None` until the broker has any.
    pub figures: Option<QueueFigures>,
}

/// What a queue holds and how fast it moves, at most 5 s old by default.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueFigures {
    /// `running`, `idle` and `flow` are good; others, such as `minority` and `down`, are not.
    pub state: Box<str>,
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Messages at a consumer that has not settled them.
    pub unacknowledged: u64,
    /// Dead messages that wait until their dead letter is confirmed.
    pub dead_lettering: u64,
    /// Bytes of message bodies.
    pub bytes: u64,
    /// Consumers.
    pub consumers: u64,
    /// Messages published to it each second.
    pub publish_rate: f64,
    /// Messages delivered each second, again those delivered before.
    pub deliver_rate: f64,
    /// Messages acknowledged each second.
    pub ack_rate: f64,
}

/// One exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Its name; empty for the default exchange.
    pub name: Box<str>,
    /// `direct`, `fanout`, …
    pub kind: Box<str>,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// The arguments it was declared with, `alternate-exchange` among them.
    pub arguments: Map<String, Value>,
}

/// One binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The exchange.
    pub source: Box<str>,
    /// The queue, or the exchange, that it leads to.
    pub destination: Box<str>,
    /// The routing key.
    pub routing_key: Box<str>,
}

/// A policy, or an operator policy, as the broker has it.
#[derive(Debug, Clone, PartialEq)]
pub struct VhostPolicy {
    /// Its name.
    pub name: Box<str>,
    /// Regular expression over names.
    pub pattern: Box<str>,
    /// `all`, `queues`, `exchanges`, and from 3.12 on `quorum_queues` and others.
    pub apply_to: Box<str>,
    /// Of several that match, the highest applies.
    pub priority: i64,
    /// What it sets.
    pub definition: Map<String, Value>,
}

impl Overview {
    pub(super) fn parse(about: &Value, nodes: &Value) -> Option<Self> {
        Some(Self {
            version: text(about, "rabbitmq_version")?,
            cluster: text(about, "cluster_name")?,
            node: text(about, "node")?,
            statistics: !flag(about, "disable_stats"),
            nodes: nodes.as_array()?.iter().map(Node::parse).collect::<Option<_>>()?,
        })
    }
}

impl Node {
    fn parse(value: &Value) -> Option<Self> {
        Some(Self {
            name: text(value, "name")?,
            running: flag(value, "running"),
            memory_alarm: flag(value, "mem_alarm"),
            disk_alarm: flag(value, "disk_free_alarm"),
            partitions: texts(value, "partitions"),
        })
    }
}

impl Queue {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        Some(Self {
            name: text(value, "name")?,
            // Classic queues do not say so before they have figures.
            kind: text(value, "type").unwrap_or("classic".into()),
            durable: flag(value, "durable"),
            arguments: object(value, "arguments").unwrap_or_default(),
            members: texts(value, "members"),
            online: texts(value, "online"),
            leader: text(value, "leader").filter(|leader| !leader.is_empty() && &**leader != "none"),
            policy: text(value, "policy"),
            operator_policy: text(value, "operator_policy"),
            effective: effective(value),
            figures: QueueFigures::parse(value),
        })
    }
}

/// An empty definition is written as an empty list by some versions.
fn effective(value: &Value) -> Option<Map<String, Value>> {
    match value.get("effective_policy_definition")? {
        Value::Object(definition) => Some(definition.clone()),
        Value::Array(empty) if empty.is_empty() => Some(Map::new()),
        _ => None,
    }
}

impl QueueFigures {
    fn parse(value: &Value) -> Option<Self> {
        let number = |key| value.get(key).and_then(Value::as_u64);
        let rate = |key| {
            let rate = value.get("message_stats").and_then(|stats| stats.get(key)?.get("rate")?.as_f64());
            rate.unwrap_or_default()
        };
        Some(Self {
            state: text(value, "state").unwrap_or_default(),
            ready: number("messages_ready")?,
            unacknowledged: number("messages_unacknowledged")?,
            dead_lettering: number("messages_dlx").unwrap_or_default(),
            bytes: number("message_bytes").unwrap_or_default(),
            consumers: number("consumers").unwrap_or_default(),
            publish_rate: rate("publish_details"),
            deliver_rate: rate("deliver_get_details"),
            ack_rate: rate("ack_details"),
        })
    }
}

impl Exchange {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        Some(Self {
            name: text(value, "name")?,
            kind: text(value, "type")?,
            durable: flag(value, "durable"),
            arguments: object(value, "arguments").unwrap_or_default(),
        })
    }
}

impl Binding {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let (source, destination) = (text(value, "source")?, text(value, "destination")?);
        Some(Self { source, destination, routing_key: text(value, "routing_key")? })
    }
}

impl VhostPolicy {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        Some(Self {
            name: text(value, "name")?,
            pattern: text(value, "pattern")?,
            apply_to: text(value, "apply-to")?,
            priority: value.get("priority")?.as_i64()?,
            definition: object(value, "definition").unwrap_or_default(),
        })
    }
}

fn text(value: &Value, key: &str) -> Option<Box<str>> {
    value.get(key)?.as_str().map(Into::into)
}

fn texts(value: &Value, key: &str) -> Vec<Box<str>> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|item| item.as_str().map(Into::into)).collect()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn object(value: &Value, key: &str) -> Option<Map<String, Value>> {
    value.get(key)?.as_object().cloned()
}
