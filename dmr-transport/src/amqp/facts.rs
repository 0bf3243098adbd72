//! What the broker is told of a message beside its bytes, and what it tells when a message dies. All of it hints: whoever
//! can write to the broker can write them.

use dmr_core::envelope::Envelope;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};

use super::topology::mailbox_of;
use crate::broker::DeadLetter;

/// Delivery mode of messages that survive the broker's restart.
pub(super) const PERSISTENT: u8 = 2;
/// Header: who sent the message.
pub(super) const SENDER: &str = "dmr-sender";
/// Header of a dead letter that a server made: why, as a number of [`FailureReason`].
pub(super) const REASON: &str = "dmr-reason";
/// Header of a dead letter that a server made: the queue it was in.
pub(super) const QUEUE: &str = "dmr-queue";
/// Header of a dead letter that a server made: when, in milliseconds since 1970.
pub(super) const DIED: &str = "dmr-died";

/// The per-message time to live, in milliseconds as a text. The broker takes the smaller of it and its policy's.
pub(super) fn expiration(expires: Timestamp, now: Timestamp) -> String {
    // A policy that is longer than this is an operator's business; the broker refuses values past 32 bits.
    let left = expires.0.saturating_sub(now.0).min(u64::from(u32::MAX));
    left.to_string()
}

/// How often the message was handed out before, as far as the broker tells.
pub(super) fn attempt(delivery: &Delivery) -> u32 {
    let headers = delivery.properties.headers().as_ref();
    match headers.and_then(|headers| number(headers, "x-delivery-count")) {
        Some(count) => u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1),
        None if delivery.redelivered => 2,
        None => 1,
    }
}

/// When a message was stored, as its server told the broker.
pub(super) fn stored(properties: &BasicProperties) -> Option<Timestamp> {
    properties.timestamp().map(|seconds| Timestamp(seconds.saturating_mul(1_000)))
}

/// What a dead letter says; `None` where it is not one of ours.
///
/// Who sent it comes from the envelope, where the body is one: its signature was verified when it was stored.
pub(super) fn dead_letter(delivery: &Delivery) -> Option<DeadLetter> {
    let properties = &delivery.properties;
    let headers = properties.headers().as_ref()?;
    let queue = text(headers, QUEUE).or_else(|| text(headers, "x-first-death-queue"))?;
    let mailbox = mailbox_of(queue)?;
    let reason = match number(headers, REASON) {
        Some(reason) => FailureReason::from_number(u16::try_from(reason).ok()?),
        None => reason_of(text(headers, "x-first-death-reason")?),
    };
    let (sender, id) = parties(&delivery.data).or_else(|| {
        let id = properties.message_id().as_ref()?.as_str().parse().ok()?;
        Some((text(headers, SENDER)?.parse().ok()?, id))
    })?;
    Some(DeadLetter { mailbox, sender, id, reason })
}

/// When a message died, as far as the broker or the server that gave it up told.
pub(super) fn died(headers: &FieldTable) -> Option<Timestamp> {
    let by_server = number(headers, DIED).and_then(|millis| u64::try_from(millis).ok()).map(Timestamp);
    by_server.or_else(|| {
        let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else { return None };
        let Some(AMQPValue::FieldTable(death)) = deaths.as_slice().first() else { return None };
        let Some(AMQPValue::Timestamp(seconds)) = death.inner().get("time") else { return None };
        Some(Timestamp(seconds.saturating_mul(1_000)))
    })
}

fn parties(body: &[u8]) -> Option<(ParticipantId, MessageId)> {
    let envelope = Envelope::decode(body.to_vec().into()).ok()?;
    Some((envelope.header().sender, envelope.header().id))
}

/// Why the broker gave a message up.
fn reason_of(death: &str) -> FailureReason {
    match death {
        "expired" => FailureReason::Expired,
        "delivery_limit" => FailureReason::Undeliverable,
        "maxlen" => FailureReason::MailboxOverflow,
        _ => FailureReason::Rejected,
    }
}

/// A header's text.
pub(super) fn text<'a>(headers: &'a FieldTable, name: &str) -> Option<&'a str> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}

/// A header's number, of whatever width.
pub(super) fn number(headers: &FieldTable, name: &str) -> Option<i64> {
    match headers.inner().get(name)? {
        AMQPValue::ShortShortInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortShortUInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortUInt(value) => Some(i64::from(*value)),
        AMQPValue::LongInt(value) => Some(i64::from(*value)),
        AMQPValue::LongUInt(value) => Some(i64::from(*value)),
        AMQPValue::LongLongInt(value) => Some(*value),
        _ => None,
    }
}
