//! The metrics of a server, registered at once so that each is there from the start, at zero.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::ServerFrame;
use dmr_core::id::Name;
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_crypto::VerifiedDirectory;
use dmr_transport::Depth;
use dmr_transport::service::socket_metrics::SocketMetrics;
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::gate::Shed;

/// Handles to every metric. Clones count into the same.
#[derive(Clone)]
pub(crate) struct ServerMetrics {
    /// Links and frames, by the names that operators know.
    pub(crate) socket: SocketMetrics,
    rejected: Vec<(u16, Counter)>,
    closed: Vec<(u16, Counter)>,
    dead_lettered: Vec<(u16, Counter)>,
    shed: Vec<(Shed, Counter)>,
    expired: Counter,
    redelivered: Counter,
    logins_refused: Counter,
    sessions: Gauge,
    queue: QueueGauges,
    directory: DirectoryGauges,
}

#[derive(Clone)]
struct QueueGauges {
    mailboxes: Gauge,
    ready: Gauge,
    unsettled: Gauge,
    bytes: Gauge,
    oldest: Gauge,
}

#[derive(Clone)]
struct DirectoryGauges {
    revision: Gauge,
    age: Gauge,
    expires: Gauge,
    renewal_due: Gauge,
    refused: Counter,
}

impl std::fmt::Debug for ServerMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerMetrics").finish_non_exhaustive()
    }
}

/// The number under which a reason without a name is counted.
const OTHER: u16 = 0;

impl ServerMetrics {
    /// Registers and describes every metric with the recorder of this process; without one, nothing is counted.
    pub(crate) fn register(network: &Name) -> Self {
        describe();
        let rejected = RejectReason::ALL.iter().map(|reason| (reason.number(), reason.as_str()));
        let closed = CloseReason::ALL.iter().map(|reason| (reason.number(), reason.as_str()));
        let dead = FailureReason::ALL.iter().map(|reason| (reason.number(), reason.as_str()));
        Self {
            socket: SocketMetrics::of_server(network),
            rejected: by_reason(rejected, |reason| counter!("dmr_messages_rejected_total", "reason" => reason)),
            closed: by_reason(closed, |reason| counter!("dmr_links_closed_total", "reason" => reason)),
            dead_lettered: by_reason(dead, |reason| counter!("dmr_messages_dead_lettered_total", "reason" => reason)),
            shed: Shed::ALL.map(|shed| (shed, counter!("dmr_links_shed_total", "reason" => shed.as_str()))).into(),
            expired: counter!("dmr_messages_expired_total"),
            redelivered: counter!("dmr_messages_redelivered_total"),
            logins_refused: counter!("dmr_logins_refused_total"),
            sessions: gauge!("dmr_sessions_active"),
            queue: QueueGauges {
                mailboxes: gauge!("dmr_queue_mailboxes"),
                ready: gauge!("dmr_queue_ready_messages"),
                unsettled: gauge!("dmr_queue_unsettled_messages"),
                bytes: gauge!("dmr_queue_bytes"),
                oldest: gauge!("dmr_queue_oldest_seconds"),
            },
            directory: DirectoryGauges {
                revision: gauge!("dmr_directory_revision"),
                age: gauge!("dmr_directory_age_seconds"),
                expires: gauge!("dmr_directory_expires_timestamp_seconds"),
                renewal_due: gauge!("dmr_directory_renewal_due"),
                refused: counter!("dmr_directory_refused_total"),
            },
        }
    }

    /// A frame is sent. What was not taken is counted here, as it is told: some of it the session refuses by itself.
    pub(crate) fn sent(&self, frame: &Bytes) {
        let name = ServerFrame::name_of(frame);
        self.socket.sent(name);
        if name == "reject"
            && let Ok(ServerFrame::Reject { id, reason, .. }) = ServerFrame::decode(frame)
        {
            count(&self.rejected, reason.number());
            tracing::debug!(%id, %reason, "not taken");
        }
    }

    pub(crate) fn closed(&self, reason: CloseReason) {
        count(&self.closed, reason.number());
    }

    /// A message died. Expired ones are counted by themselves too.
    pub(crate) fn dead_lettered(&self, reason: FailureReason) {
        count(&self.dead_lettered, reason.number());
        if reason == FailureReason::Expired {
            self.expired.increment(1);
        }
    }

    pub(crate) fn shed(&self, shed: Shed) {
        if let Some((_, counter)) = self.shed.iter().find(|(known, _)| *known == shed) {
            counter.increment(1);
        }
    }

    pub(crate) fn redelivered(&self) {
        self.redelivered.increment(1);
    }

    pub(crate) fn login_refused(&self) {
        self.logins_refused.increment(1);
    }

    pub(crate) fn session_opened(&self) {
        self.sessions.increment(1.0);
    }

    pub(crate) fn session_ended(&self) {
        self.sessions.decrement(1.0);
    }

    pub(crate) fn directory_refused(&self) {
        self.directory.refused.increment(1);
    }

    /// What the directory in use says of itself.
    pub(crate) fn directory(&self, directory: &VerifiedDirectory, age: Duration, renewal_due: bool) {
        self.directory.revision.set(number(directory.revision()));
        self.directory.age.set(age.as_secs_f64());
        self.directory.expires.set(number(directory.expires().0 / 1_000));
        self.directory.renewal_due.set(if renewal_due { 1.0 } else { 0.0 });
    }

    pub(crate) fn depth(&self, depth: Depth) {
        self.queue.mailboxes.set(number(depth.mailboxes));
        self.queue.ready.set(number(depth.ready));
        self.queue.unsettled.set(number(depth.unsettled));
        self.queue.bytes.set(number(depth.bytes));
        self.queue.oldest.set(depth.oldest.as_secs_f64());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 of anything is far off")]
fn number(value: u64) -> f64 {
    value as f64
}

fn by_reason(
    reasons: impl Iterator<Item = (u16, &'static str)>,
    counter: impl Fn(&'static str) -> Counter,
) -> Vec<(u16, Counter)> {
    reasons.chain([(OTHER, "other")]).map(|(number, reason)| (number, counter(reason))).collect()
}

fn count(counters: &[(u16, Counter)], number: u16) {
    let named = counters.iter().find(|(known, _)| *known == number);
    if let Some((_, counter)) = named.or_else(|| counters.iter().find(|(known, _)| *known == OTHER)) {
        counter.increment(1);
    }
}

fn describe() {
    describe_counter!("dmr_messages_rejected_total", "Publishes that were not taken, by reason.");
    describe_counter!("dmr_messages_expired_total", "Messages that nobody took before they expired.");
    describe_counter!("dmr_messages_dead_lettered_total", "Messages that will never be delivered, by reason.");
    describe_counter!("dmr_messages_redelivered_total", "Deliveries that were not the first attempt.");
    describe_counter!("dmr_links_closed_total", "Links that ended, by reason.");
    describe_counter!("dmr_links_shed_total", "Connections that were turned away at a bound, by the bound.");
    describe_counter!("dmr_logins_refused_total", "Logins that did not hold; the log says why.");
    describe_gauge!("dmr_sessions_active", "Sessions that are logged in.");
    describe_gauge!("dmr_queue_mailboxes", "Mailboxes of the broker.");
    describe_gauge!("dmr_queue_ready_messages", "Messages that wait in mailboxes.");
    describe_gauge!("dmr_queue_unsettled_messages", "Deliveries that are not settled yet.");
    describe_gauge!("dmr_queue_bytes", Unit::Bytes, "Bytes of waiting and unsettled messages.");
    describe_gauge!("dmr_queue_oldest_seconds", Unit::Seconds, "Age of the oldest message.");
    describe_gauge!("dmr_directory_revision", "Revision of the directory in use.");
    describe_gauge!("dmr_directory_age_seconds", Unit::Seconds, "Time since the directory in use was signed.");
    describe_gauge!(
        "dmr_directory_expires_timestamp_seconds",
        Unit::Seconds,
        "When the directory in use expires, in seconds since 1970."
    );
    describe_gauge!("dmr_directory_renewal_due", "1 from half of the directory's life on: renew it.");
    describe_counter!(
        "dmr_directory_refused_total",
        "Directory files that were refused; the last good one stays in use."
    );
}
