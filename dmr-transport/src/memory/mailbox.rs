//! One mailbox of the queue model: messages at rest, in the order they were published.

use std::collections::BTreeMap;

use bytes::Bytes;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::time::Timestamp;

use crate::broker::Publication;

/// What a stored message counts beyond its envelope: the model's own bookkeeping, in bytes.
pub(super) const OVERHEAD: u64 = 256;

/// The place of a message among all that were ever published. It keeps it when it is requeued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(pub(super) u64);

/// A stored message.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) sender: ParticipantId,
    pub(super) id: MessageId,
    pub(super) stored: Timestamp,
    pub(super) expires: Timestamp,
    /// How often it was delivered.
    pub(super) deliveries: u32,
    pub(super) envelope: Bytes,
}

impl Entry {
    pub(super) fn new(publication: Publication, place: Place, now: Timestamp) -> Self {
        let Publication { sender, id, expires, envelope, .. } = publication;
        Self { place, sender, id, stored: now, expires, deliveries: 0, envelope }
    }

    /// What it counts towards the bounds.
    pub(super) fn bytes(&self) -> u64 {
        cost(&self.envelope)
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires < now
    }
}

/// What a message with this envelope counts towards the bounds.
pub(super) fn cost(envelope: &Bytes) -> u64 {
    OVERHEAD.saturating_add(u64::try_from(envelope.len()).unwrap_or(u64::MAX))
}

/// A mailbox. Its counts cover what is ready and what is delivered and unsettled.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub(super) ready: BTreeMap<Place, Entry>,
    pub(super) messages: usize,
    pub(super) bytes: u64,
}
