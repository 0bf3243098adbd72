//! What the library counts: the `dmr_agent_*` metrics.
//!
//! Counting costs nothing where the program installs no recorder.

use std::time::Duration;

use dmr_core::exchange::{LoginRefusal, Note};
use dmr_core::session::OutboxDepth;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Gauge: 1 while logged in to a server.
pub(crate) const CONNECTED: &str = "dmr_agent_socket_connection_active";
const MESSAGES: &str = "dmr_agent_messages_total";
const DELIVERIES: &str = "dmr_agent_deliveries_total";
const REFUSED: &str = "dmr_agent_refused_total";
const REJECTED: &str = "dmr_agent_rejected_total";
const RECEIPTS: &str = "dmr_agent_receipts_total";
const REPLAYS: &str = "dmr_agent_replays_total";
const OUTBOX_MESSAGES: &str = "dmr_agent_outbox_messages";
const OUTBOX_BYTES: &str = "dmr_agent_outbox_bytes";
const DIRECTORY_REVISION: &str = "dmr_directory_revision";
const DIRECTORY_AGE: &str = "dmr_directory_age_seconds";
const DIRECTORY_LEFT: &str = "dmr_directory_expires_in_seconds";
const DIRECTORY_ALARM: &str = "dmr_directory_alarm";
const FORK_CLAIMS: &str = "dmr_directory_fork_claims_total";
const PROCESSING: &str = dmr_transport::service::socket_metrics::PROCESSING_DURATION;

/// Says what each metric means; call it once, after a recorder is installed.
pub(crate) fn describe() {
    describe_gauge!(CONNECTED, "1 while the agent is logged in to a server");
    describe_counter!(MESSAGES, "Messages sent, by what became of them");
    describe_counter!(DELIVERIES, "Deliveries settled by the program, by how");
    describe_counter!(REFUSED, "Envelopes refused without asking the program, by reason");
    describe_counter!(REJECTED, "Messages that a server rejected, by reason");
    describe_counter!(RECEIPTS, "Receipts, by what was done with them");
    describe_counter!(REPLAYS, "Copies of messages that were handled before");
    describe_gauge!(OUTBOX_MESSAGES, "Messages kept until their receipt");
    describe_gauge!(OUTBOX_BYTES, Unit::Bytes, "Bytes of the messages kept until their receipt");
    describe_gauge!(DIRECTORY_REVISION, "Revision of the directory in use; 0 for none");
    describe_gauge!(DIRECTORY_AGE, Unit::Seconds, "Time since the directory in use was signed");
    describe_gauge!(DIRECTORY_LEFT, Unit::Seconds, "Time until the directory in use expires; below 0 when it has");
    describe_gauge!(DIRECTORY_ALARM, "1 while nothing is sealed, by reason");
    describe_counter!(FORK_CLAIMS, "Envelopes sealed under another directory of the revision in use");
    describe_histogram!(PROCESSING, Unit::Seconds, "From handing a message to the program to its settling");
}

pub(crate) fn connected(ready: bool) {
    gauge!(CONNECTED).set(f64::from(u8::from(ready)));
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; the bounds are far below 2^52")]
pub(crate) fn outbox(depth: OutboxDepth) {
    gauge!(OUTBOX_MESSAGES).set(depth.messages as f64);
    gauge!(OUTBOX_BYTES).set(depth.bytes as f64);
}

/// The directory in use: revision, age, time left (negative when it has expired).
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; revisions past 2^52 lose only their last digits")]
pub(crate) fn directory(revision: u64, age: Duration, left: f64) {
    gauge!(DIRECTORY_REVISION).set(revision as f64);
    gauge!(DIRECTORY_AGE).set(age.as_secs_f64());
    gauge!(DIRECTORY_LEFT).set(left);
}

/// Whether nothing is sealed for this reason.
pub(crate) fn alarm(reason: &'static str, on: bool) {
    gauge!(DIRECTORY_ALARM, "reason" => reason).set(f64::from(u8::from(on)));
}

/// Counts and logs what the exchange notes.
pub(crate) fn note(note: &Note) {
    match note {
        Note::LoginNotTried { server, refusal } => {
            let server = server.as_ref().map(tracing::field::display);
            let hint = if *refusal == LoginRefusal::NoChannelBinding { " (see --allow-unbound)" } else { "" };
            tracing::error!(server, "no login is tried at this server: {refusal}{hint}");
        }
        Note::Opened { id, sender, kind, attempt } => tracing::debug!(%id, %sender, %kind, attempt, "opened"),
        Note::NotOpened { id, sender, error } => tracing::warn!(%id, %sender, %error, "an envelope was not opened"),
        Note::ForkClaimed { sender } => {
            tracing::error!(%sender, "ALARM: a sender was shown another directory of our revision, or lies");
            counter!(FORK_CLAIMS).increment(1);
        }
        Note::Refused { reason } => counter!(REFUSED, "reason" => reason.as_str()).increment(1),
        Note::Repeated => counter!(REPLAYS).increment(1),
        Note::UnaskedAnswer { id, sender } => {
            tracing::warn!(%id, %sender, "an answer by someone who was not asked, or to another text");
        }
        Note::ForeignReceipt { id, sender } => {
            tracing::warn!(%id, from = %sender, "a receipt by someone who has not the message it names");
            receipts("foreign", 1);
        }
        Note::ReceiptNoted => receipts("noted", 1),
        Note::ReceiptUnknown => receipts("unknown", 1),
        Note::Answered => message("answered"),
        Note::Failed => message("failed"),
        Note::Accepted => message("accepted"),
        Note::Rejected { id, reason } => {
            tracing::warn!(%id, %reason, "the server rejected a message");
            counter!(REJECTED, "reason" => reason.as_str()).increment(1);
        }
        Note::Expired { id } => {
            tracing::warn!(%id, "a message expired without a receipt");
            message("expired");
        }
        Note::Noticed { id, reason } => tracing::warn!(%id, %reason, "the server says that a message failed"),
        Note::Settled { how, took } => {
            histogram!(PROCESSING).record(took.as_secs_f64());
            counter!(DELIVERIES, "settled" => *how).increment(1);
        }
        Note::ReceiptsSent { count } => receipts("sent", *count),
        Note::ReceiptsUnsent { to, count, error, later } => {
            tracing::warn!(%to, %error, receipts = count, later, "receipts cannot be sent");
            receipts("unsent", *count);
        }
        Note::ReceiptsStuck { to, count } => {
            tracing::warn!(%to, receipts = count, "no server takes the receipts for this sender; they are tried later");
            receipts("stuck", *count);
        }
        _ => {}
    }
}

fn message(event: &'static str) {
    counter!(MESSAGES, "event" => event).increment(1);
}

fn receipts(event: &'static str, count: usize) {
    counter!(RECEIPTS, "event" => event).increment(u64::try_from(count).unwrap_or(u64::MAX));
}
