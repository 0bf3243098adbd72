//! What a broker on RabbitMQ counts, under the names that `docs/operating.md` explains.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use super::connection::Purpose;

/// Publishing: one count for each attempt, so that a retried message counts twice.
#[derive(Clone)]
pub(super) struct PublishMetrics {
    pub(super) confirmed: Counter,
    pub(super) nacked: Counter,
    pub(super) returned: Counter,
    pub(super) undecided: Counter,
    pub(super) refused: Counter,
    pub(super) channels_replaced: Counter,
}

impl PublishMetrics {
    pub(super) fn register() -> Self {
        let outcome = |outcome| counter!("dmr_broker_publishes_total", "outcome" => outcome);
        Self {
            confirmed: outcome("confirmed"),
            nacked: outcome("nacked"),
            returned: outcome("returned"),
            undecided: outcome("undecided"),
            refused: outcome("refused"),
            channels_replaced: counter!("dmr_broker_channels_replaced_total"),
        }
    }
}

/// Connections.
#[derive(Clone)]
pub(super) struct ConnectionMetrics {
    reconnects: Counter,
    blocked_seconds: Counter,
    /// What `blocked_seconds` rounds down.
    blocked_millis: Arc<AtomicU64>,
    blocked: Gauge,
}

impl ConnectionMetrics {
    pub(super) fn of(purpose: Purpose) -> Self {
        let purpose = purpose.as_str();
        Self {
            reconnects: counter!("dmr_broker_reconnects_total", "purpose" => purpose),
            blocked_seconds: counter!("dmr_broker_blocked_seconds_total", "purpose" => purpose),
            blocked_millis: Arc::default(),
            blocked: gauge!("dmr_broker_blocked", "purpose" => purpose),
        }
    }

    pub(super) fn reconnected(&self) {
        self.reconnects.increment(1);
    }

    pub(super) fn blocked(&self, blocked: bool) {
        self.blocked.set(if blocked { 1.0 } else { 0.0 });
    }

    pub(super) fn blocked_for(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let before = self.blocked_millis.fetch_add(millis, Ordering::Relaxed);
        self.blocked_seconds.absolute(before.saturating_add(millis) / 1_000);
    }
}

/// Consumers of mailboxes.
#[derive(Clone)]
pub(super) struct ConsumerMetrics {
    pub(super) active: Gauge,
    pub(super) ended: Counter,
}

impl ConsumerMetrics {
    pub(super) fn register() -> Self {
        Self { active: gauge!("dmr_broker_consumers_active"), ended: counter!("dmr_broker_consumers_ended_total") }
    }
}

macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
opaque!(PublishMetrics, ConnectionMetrics, ConsumerMetrics);

/// Describes every metric to the recorder of this process.
pub(super) fn describe() {
    describe_counter!("dmr_broker_publishes_total", "Attempts to store a message at the broker, by outcome.");
    describe_counter!(
        "dmr_broker_channels_replaced_total",
        "Channels that were given up after a nack, an error or a missing confirm."
    );
    describe_counter!("dmr_broker_reconnects_total", "Connections to the broker that were opened again, by purpose.");
    describe_counter!(
        "dmr_broker_blocked_seconds_total",
        Unit::Seconds,
        "Time for which the broker took no messages because it was short of memory or disk, by purpose."
    );
    describe_gauge!("dmr_broker_blocked", "1 while the broker takes no messages, by purpose of the connection.");
    describe_gauge!(
        "dmr_broker_consumers_active",
        Unit::Count,
        "Subscriptions to mailboxes that the broker serves; fewer than dmr_sessions_active for long is a fault."
    );
    describe_counter!(
        "dmr_broker_consumers_ended_total",
        "Subscriptions that the broker or its connection ended; each is made again."
    );
}
