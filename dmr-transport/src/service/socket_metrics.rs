//! The `dmr_socket_*` metrics, under the names that operators' dashboards know.

use std::time::Duration;

use dmr_core::id::Name;
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Gauge: links open now.
pub const CONNECTIONS_ACTIVE: &str = "dmr_socket_connections_active";
/// Counter: links opened.
pub const CONNECTIONS: &str = "dmr_socket_connections_total";
/// Counter: links ended.
pub const DISCONNECTIONS: &str = "dmr_socket_disconnections_total";
/// Histogram: how long links lasted, in seconds.
pub const CONNECTION_DURATION: &str = "dmr_socket_connection_duration_seconds";
/// Counter: links that could not be opened or broke.
pub const ERRORS: &str = "dmr_socket_errors_total";
/// Counter: frames received, by `event` and `namespace`.
pub const EVENTS_RECEIVED: &str = "dmr_socket_events_received_total";
/// Counter: frames sent, by `event` and `namespace`.
pub const EVENTS_SENT: &str = "dmr_socket_events_sent_total";
/// Histogram: from receiving a message to having dealt with it, in seconds.
pub const PROCESSING_DURATION: &str = "dmr_message_processing_duration_seconds";

/// The label `event` of a frame that this version does not name.
const OTHER: &str = "other";
/// Names of the frames that agents send; see [`dmr_core::frame::AgentFrame::name`].
const AGENT_EVENTS: &[&str] = &["authenticate", "subscribe", "publish", "settle", "fetch-directory", "heartbeat"];
/// Names of the frames that servers send; see [`dmr_core::frame::ServerFrame::name`].
const SERVER_EVENTS: &[&str] =
    &["challenge", "welcome", "refused", "confirm", "reject", "deliver", "directory", "notice", "drain", "heartbeat"];

/// Handles to these metrics, looked up once: counting costs an atomic addition and no hash.
#[derive(Clone)]
pub struct SocketMetrics {
    active: Gauge,
    opened: Counter,
    ended: Counter,
    duration: Histogram,
    errors: Counter,
    processing: Histogram,
    received: Vec<(&'static str, Counter)>,
    sent: Vec<(&'static str, Counter)>,
}

impl std::fmt::Debug for SocketMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketMetrics").finish_non_exhaustive()
    }
}

impl SocketMetrics {
    /// The metrics of a server, which receives what agents send. The label `namespace` is the network's name.
    ///
    /// Call it after [`Metrics::install`](super::metrics::Metrics::install): handles made before count nowhere.
    pub fn of_server(network: &Name) -> Self {
        Self::new(AGENT_EVENTS, SERVER_EVENTS, network.as_str())
    }

    /// The metrics of an agent, which receives what servers send. The label `namespace` is the network's name.
    pub fn of_agent(network: &Name) -> Self {
        Self::new(SERVER_EVENTS, AGENT_EVENTS, network.as_str())
    }

    fn new(received: &[&'static str], sent: &[&'static str], namespace: &str) -> Self {
        describe_gauge!(CONNECTIONS_ACTIVE, "Links open now");
        describe_counter!(CONNECTIONS, "Links opened");
        describe_counter!(DISCONNECTIONS, "Links ended");
        describe_histogram!(CONNECTION_DURATION, Unit::Seconds, "How long links lasted");
        describe_counter!(ERRORS, "Links that could not be opened or broke");
        describe_counter!(EVENTS_RECEIVED, "Frames received");
        describe_counter!(EVENTS_SENT, "Frames sent");
        describe_histogram!(PROCESSING_DURATION, Unit::Seconds, "From receiving a message to having dealt with it");
        let events = |metric: &'static str, names: &[&'static str]| {
            let counter = |event| counter!(metric, "event" => event, "namespace" => namespace.to_owned());
            names.iter().copied().chain([OTHER]).map(|event| (event, counter(event))).collect()
        };
        Self {
            active: gauge!(CONNECTIONS_ACTIVE),
            opened: counter!(CONNECTIONS),
            ended: counter!(DISCONNECTIONS),
            duration: histogram!(CONNECTION_DURATION),
            errors: counter!(ERRORS),
            processing: histogram!(PROCESSING_DURATION),
            received: events(EVENTS_RECEIVED, received),
            sent: events(EVENTS_SENT, sent),
        }
    }

    /// A link opened.
    pub fn connection_opened(&self) {
        self.opened.increment(1);
        self.active.increment(1.0);
    }

    /// A link that had opened ended, after this time.
    pub fn connection_ended(&self, lasted: Duration) {
        self.ended.increment(1);
        self.active.decrement(1.0);
        self.duration.record(lasted.as_secs_f64());
    }

    /// A link could not be opened, or broke.
    pub fn error(&self) {
        self.errors.increment(1);
    }

    /// A frame of this name was received.
    pub fn received(&self, event: &str) {
        count(&self.received, event);
    }

    /// A frame of this name was sent.
    pub fn sent(&self, event: &str) {
        count(&self.sent, event);
    }

    /// A message was dealt with, after this time.
    pub fn processed(&self, took: Duration) {
        self.processing.record(took.as_secs_f64());
    }
}

/// Counts under the event's name, or under the last entry, [`OTHER`].
fn count(events: &[(&'static str, Counter)], event: &str) {
    if let Some((_, counter)) = events.iter().find(|(name, _)| *name == event).or(events.last()) {
        counter.increment(1);
    }
}
