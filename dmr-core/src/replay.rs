//! The replay guard: which envelopes were handled before, and with what verdict.
//!
//! ```
//! use std::time::Duration;
//! use dmr_core::content::Reference;
//! use dmr_core::id::{Digest, MessageId, ParticipantId};
//! use dmr_core::replay::{Admission, ReplayGuard};
//! use dmr_core::time::Timestamp;
//!
//! let mut guard = ReplayGuard::new(ReplayGuard::<&str>::DEFAULT_CAPACITY);
//! let sender = ParticipantId::from_custom_bytes([1; 16]);
//! let envelope = Reference { id: MessageId::from_custom_bytes([2; 16]), digest: Digest([3; 32]) };
//! let (now, expires, lease) = (Timestamp(1_000), Timestamp(60_000), Duration::from_secs(30));
//!
//! assert_eq!(guard.admit(sender, envelope, expires, lease, now), Admission::Process);
//! guard.finish(sender, envelope, "delivered");
//! assert_eq!(guard.admit(sender, envelope, expires, lease, now), Admission::Done("delivered"));
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::content::Reference;
use crate::id::{Digest, MessageId, ParticipantId};
use crate::limit;
use crate::time::Timestamp;

/// Entries that one call removes at most. Each call adds at most one, so what is over always drains.
const PURGED_PER_CALL: usize = 8;

/// Longest hint of [`Admission::Full`]: a settlement's `Retry` may ask for no more.
const LONGEST_RETRY: Duration = Duration::from_secs(600);

/// What to do with an envelope that passed every other check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission<V> {
    /// Process it, within the lease, then [`finish`](ReplayGuard::finish) or [`release`](ReplayGuard::release) it.
    Process,
    /// It is being processed.
    InProgress {
        /// Until its lease is over.
        retry_after: Duration,
    },
    /// It was handled: repeat the verdict, do not handle it again.
    Done(V),
    /// The sender used this id for something else: reject it.
    Conflict,
    /// The guard is full of envelopes that have not expired: it cannot promise to recognise this one again.
    Full {
        /// Until an entry is over, at most ten minutes.
        retry_after: Duration,
    },
}

/// Maps (sender, message id) to the envelope's digest and what became of it.
///
/// Written only after every other check of an envelope, so strangers cannot fill it. An entry is kept until
/// `expires` + 2 × [`limit::CLOCK_SKEW`]; opening refuses the envelope one skew earlier. Setting the wall clock forward
/// and back again by more than that makes the guard forget early: the recipient's service then sees a copy under the
/// same idempotency key.
///
/// Bounds: `capacity` entries (about 200 bytes and a verdict each), and a constant number of map operations per call.
#[derive(Debug, Clone)]
pub struct ReplayGuard<V> {
    entries: BTreeMap<(ParticipantId, MessageId), Entry<V>>,
    /// The same keys by the time at which they are over.
    by_end: BTreeSet<(Timestamp, ParticipantId, MessageId)>,
    capacity: usize,
}

#[derive(Debug, Clone)]
struct Entry<V> {
    digest: Digest,
    end: Timestamp,
    state: State<V>,
}

#[derive(Debug, Clone)]
enum State<V> {
    Leased { until: Timestamp },
    Free,
    Done(V),
}

impl<V> ReplayGuard<V> {
    /// Entries of a guard whose owner has no reason for another number.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// Entries held; those that are over and not yet purged count.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn purge(&mut self, wall: Timestamp) {
        for _ in 0..PURGED_PER_CALL {
            match self.by_end.first() {
                Some(&(end, sender, id)) if end < wall => self.remove(end, sender, id),
                _ => return,
            }
        }
    }

    fn remove(&mut self, end: Timestamp, sender: ParticipantId, id: MessageId) {
        self.by_end.remove(&(end, sender, id));
        self.entries.remove(&(sender, id));
    }
}

impl<V: Clone> ReplayGuard<V> {
    /// An empty guard for at most `capacity` entries; 0 counts as 1. Too small: senders are told to retry while the
    /// guard is full. Too large: memory.
    pub fn new(capacity: usize) -> Self {
        Self { entries: BTreeMap::new(), by_end: BTreeSet::new(), capacity: capacity.max(1) }
    }

    /// Whether to process this envelope now. On [`Admission::Process`] it is leased to the caller: until `wall` +
    /// `lease` nobody else is told to process it.
    pub fn admit(
        &mut self,
        sender: ParticipantId,
        envelope: Reference,
        expires: Timestamp,
        lease: Duration,
        wall: Timestamp,
    ) -> Admission<V> {
        self.purge(wall);
        let key = (sender, envelope.id);
        if let Some(over) = self.entries.get(&key).map(|entry| entry.end).filter(|end| *end < wall) {
            self.remove(over, sender, envelope.id);
        }
        if let Some(entry) = self.entries.get_mut(&key) {
            if entry.digest != envelope.digest {
                return Admission::Conflict;
            }
            return match &entry.state {
                State::Done(verdict) => Admission::Done(verdict.clone()),
                State::Leased { until } if *until > wall => {
                    // After the wall clock was set back the lease seems longer than it is.
                    Admission::InProgress { retry_after: until.since(wall).min(lease) }
                }
                State::Leased { .. } | State::Free => {
                    entry.state = State::Leased { until: wall.plus(lease) };
                    Admission::Process
                }
            };
        }
        if self.entries.len() >= self.capacity {
            let first_end = self.by_end.first().map_or(wall, |(end, ..)| *end);
            let retry_after = first_end.plus(Duration::from_millis(1)).since(wall).min(LONGEST_RETRY);
            return Admission::Full { retry_after };
        }
        let end = expires.plus(2 * limit::CLOCK_SKEW);
        self.by_end.insert((end, sender, envelope.id));
        let state = State::Leased { until: wall.plus(lease) };
        self.entries.insert(key, Entry { digest: envelope.digest, end, state });
        Admission::Process
    }

    /// Remembers the verdict. The first one stays: its sender was told. Ignored for an envelope that is not held.
    pub fn finish(&mut self, sender: ParticipantId, envelope: Reference, verdict: V) {
        if let Some(entry) = self.unfinished(sender, envelope) {
            entry.state = State::Done(verdict);
        }
    }

    /// Gives the lease back: processing failed for now, and the next [`admit`](Self::admit) says
    /// [`Admission::Process`]. The digest stays, so another envelope under this id is still a conflict. Ignored for an
    /// envelope that is not held or is done.
    pub fn release(&mut self, sender: ParticipantId, envelope: Reference) {
        if let Some(entry) = self.unfinished(sender, envelope) {
            entry.state = State::Free;
        }
    }

    fn unfinished(&mut self, sender: ParticipantId, envelope: Reference) -> Option<&mut Entry<V>> {
        self.entries
            .get_mut(&(sender, envelope.id))
            .filter(|entry| entry.digest == envelope.digest && !matches!(entry.state, State::Done(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);
    const KEPT: Duration = Duration::from_secs(240);

    fn sender(number: u8) -> ParticipantId {
        ParticipantId::from_custom_bytes([number; 16])
    }

    fn envelope(id: u8, digest: u8) -> Reference {
        Reference { id: MessageId::from_custom_bytes([id; 16]), digest: Digest([digest; 32]) }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    #[test]
    fn an_envelope_is_processed_once_and_its_verdict_repeated() {
        let mut guard = ReplayGuard::new(10);
        let admit = |guard: &mut ReplayGuard<u8>| guard.admit(sender(1), envelope(1, 1), at(100), LEASE, at(0));
        assert_eq!(admit(&mut guard), Admission::Process);
        assert_eq!(admit(&mut guard), Admission::InProgress { retry_after: LEASE });
        guard.finish(sender(1), envelope(1, 1), 7);
        assert_eq!(admit(&mut guard), Admission::Done(7));
        guard.finish(sender(1), envelope(1, 1), 8);
        guard.release(sender(1), envelope(1, 1));
        assert_eq!(admit(&mut guard), Admission::Done(7));
    }

    #[test]
    fn a_lease_that_is_over_or_given_back_lets_the_next_one_process() {
        let mut guard = ReplayGuard::<u8>::new(10);
        let mut admit = |wall| guard.admit(sender(1), envelope(1, 1), at(100), LEASE, wall);
        assert_eq!(admit(at(0)), Admission::Process);
        assert_eq!(admit(Timestamp(29_999)), Admission::InProgress { retry_after: Duration::from_millis(1) });
        assert_eq!(admit(at(30)), Admission::Process);
        assert_eq!(admit(at(31)), Admission::InProgress { retry_after: Duration::from_secs(29) });
        guard.release(sender(1), envelope(1, 1));
        assert_eq!(guard.admit(sender(1), envelope(1, 1), at(100), LEASE, at(31)), Admission::Process);
    }

    #[test]
    fn another_digest_under_the_same_id_is_a_conflict_in_every_state() {
        let mut guard = ReplayGuard::new(10);
        let conflict = |guard: &mut ReplayGuard<u8>| guard.admit(sender(1), envelope(1, 2), at(100), LEASE, at(40));
        guard.admit(sender(1), envelope(1, 1), at(100), LEASE, at(40));
        assert_eq!(conflict(&mut guard), Admission::Conflict);
        guard.release(sender(1), envelope(1, 2));
        guard.finish(sender(1), envelope(1, 2), 9);
        assert_eq!(
            guard.admit(sender(1), envelope(1, 1), at(100), LEASE, at(40)),
            Admission::InProgress { retry_after: LEASE }
        );
        guard.release(sender(1), envelope(1, 1));
        assert_eq!(conflict(&mut guard), Admission::Conflict);
        guard.finish(sender(1), envelope(1, 1), 7);
        assert_eq!(conflict(&mut guard), Admission::Conflict);
    }

    #[test]
    fn senders_do_not_share_ids() {
        let mut guard = ReplayGuard::<u8>::new(10);
        assert_eq!(guard.admit(sender(1), envelope(1, 1), at(100), LEASE, at(0)), Admission::Process);
        assert_eq!(guard.admit(sender(2), envelope(1, 2), at(100), LEASE, at(0)), Admission::Process);
        assert_eq!(guard.len(), 2);
    }

    #[test]
    fn an_entry_outlives_its_envelope_by_twice_the_skew_and_no_longer() {
        let mut guard = ReplayGuard::new(10);
        guard.admit(sender(1), envelope(1, 1), at(100), LEASE, at(0));
        guard.finish(sender(1), envelope(1, 1), 7);
        let last = at(100).plus(KEPT);
        assert_eq!(guard.admit(sender(1), envelope(1, 1), at(100), LEASE, last), Admission::Done(7));
        assert_eq!(guard.admit(sender(1), envelope(2, 2), at(900), LEASE, Timestamp(last.0 + 1)), Admission::Process);
        assert_eq!(guard.len(), 1);
        guard.finish(sender(1), envelope(1, 1), 8);
        guard.release(sender(1), envelope(1, 1));
        assert_eq!(guard.len(), 1);
    }

    #[test]
    fn a_full_guard_knows_what_it_holds_and_says_when_to_come_back() {
        let mut guard = ReplayGuard::<u8>::new(2);
        guard.admit(sender(1), envelope(1, 1), at(10), LEASE, at(0));
        guard.admit(sender(1), envelope(2, 2), at(5), LEASE, at(0));
        let retry_after = Duration::from_millis(245_001);
        assert_eq!(guard.admit(sender(1), envelope(3, 3), at(10), LEASE, at(0)), Admission::Full { retry_after });
        assert_eq!(guard.admit(sender(1), envelope(1, 9), at(10), LEASE, at(0)), Admission::Conflict);
        let wall = at(0).plus(retry_after);
        assert_eq!(guard.admit(sender(1), envelope(3, 3), at(400), LEASE, wall), Admission::Process);
        assert_eq!(guard.len(), 2);
        let mut patient = ReplayGuard::<u8>::new(0);
        patient.admit(sender(1), envelope(1, 1), at(86_400), LEASE, at(0));
        let retry_after = LONGEST_RETRY;
        assert_eq!(patient.admit(sender(1), envelope(2, 2), at(9), LEASE, at(0)), Admission::Full { retry_after });
    }

    #[test]
    fn one_call_purges_a_bounded_number_of_entries() {
        let mut guard = ReplayGuard::<u8>::new(1_000);
        for id in 1..=100 {
            guard.admit(sender(1), envelope(id, 1), at(0), LEASE, at(0));
        }
        let later = at(100_000);
        guard.admit(sender(2), envelope(1, 1), later, LEASE, later);
        assert_eq!(guard.len(), 100 - PURGED_PER_CALL + 1);
        for id in 2..=20 {
            guard.admit(sender(2), envelope(id, 1), later, LEASE, later);
        }
        assert_eq!(guard.len(), 20);
    }

    #[test]
    fn the_longest_times_do_not_overflow() {
        let mut guard = ReplayGuard::<u8>::new(1);
        let end = Timestamp(u64::MAX);
        assert_eq!(guard.admit(sender(1), envelope(1, 1), end, Duration::MAX, end), Admission::Process);
        assert!(matches!(
            guard.admit(sender(1), envelope(2, 1), end, Duration::MAX, Timestamp(0)),
            Admission::Full { retry_after: LONGEST_RETRY }
        ));
    }
}
