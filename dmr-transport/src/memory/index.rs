//! What expires next, over all mailboxes.

use std::collections::BTreeSet;

use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;

use super::mailbox::Place;

/// The ready messages in the order they expire.
#[derive(Debug, Default)]
pub(super) struct ExpiryIndex(BTreeSet<(Timestamp, Place, ParticipantId)>);

impl ExpiryIndex {
    pub(super) fn insert(&mut self, expires: Timestamp, place: Place, mailbox: ParticipantId) {
        self.0.insert((expires, place, mailbox));
    }

    pub(super) fn remove(&mut self, expires: Timestamp, place: Place, mailbox: ParticipantId) {
        self.0.remove(&(expires, place, mailbox));
    }

    /// Takes the next message that has expired.
    pub(super) fn pop_expired(&mut self, now: Timestamp) -> Option<(Place, ParticipantId)> {
        let (expires, ..) = self.0.first()?;
        if *expires >= now {
            return None;
        }
        self.0.pop_first().map(|(_, place, mailbox)| (place, mailbox))
    }

    /// When the next ready message expires.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(expires, ..)| *expires)
    }
}
