//! The replay guard beside one written without care for time or memory, over random sequences of calls.

use std::time::Duration;

use dmr_core::content::Reference;
use dmr_core::id::{Digest, MessageId, ParticipantId};
use dmr_core::limit;
use dmr_core::replay::{Admission, ReplayGuard};
use dmr_core::time::Timestamp;
use proptest::prelude::*;

const LEASE: Duration = Duration::from_secs(30);
const KEPT: Duration = Duration::from_secs(240);

struct Seen {
    sender: ParticipantId,
    envelope: Reference,
    over: Timestamp,
    leased_until: Timestamp,
    verdict: Option<u8>,
}

#[derive(Default)]
struct Naive {
    seen: Vec<Seen>,
}

impl Naive {
    fn admit(
        &mut self,
        sender: ParticipantId,
        envelope: Reference,
        expires: Timestamp,
        wall: Timestamp,
        capacity: usize,
    ) -> Admission<u8> {
        self.seen.retain(|entry| entry.over >= wall);
        if let Some(entry) = self.seen.iter_mut().find(|seen| seen.sender == sender && seen.envelope.id == envelope.id)
        {
            return match (entry.envelope.digest == envelope.digest, entry.verdict) {
                (false, _) => Admission::Conflict,
                (true, Some(verdict)) => Admission::Done(verdict),
                (true, None) if entry.leased_until > wall => {
                    Admission::InProgress { retry_after: entry.leased_until.since(wall) }
                }
                (true, None) => {
                    entry.leased_until = wall.plus(LEASE);
                    Admission::Process
                }
            };
        }
        if self.seen.len() == capacity {
            let first = self.seen.iter().map(|entry| entry.over).min().unwrap_or(wall);
            return Admission::Full { retry_after: first.plus(Duration::from_millis(1)).since(wall) };
        }
        let (over, leased_until) = (expires.plus(KEPT), wall.plus(LEASE));
        self.seen.push(Seen { sender, envelope, over, leased_until, verdict: None });
        Admission::Process
    }

    /// A verdict, or none: given back.
    fn end(&mut self, sender: ParticipantId, envelope: Reference, verdict: Option<u8>) {
        let open = |seen: &&mut Seen| seen.sender == sender && seen.envelope == envelope && seen.verdict.is_none();
        if let Some(entry) = self.seen.iter_mut().find(open) {
            entry.leased_until = Timestamp(0);
            entry.verdict = verdict;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_guard_agrees_with_a_naive_one(
        capacity in 1_usize..12,
        steps in prop::collection::vec((0_u8..6, 1_u8..3, 1_u8..12, 1_u8..4, 0_u64..60, 0_u64..300), 1..300),
    ) {
        let mut guard = ReplayGuard::new(capacity);
        let mut naive = Naive::default();
        let mut wall = Timestamp(1_000_000);
        for (operation, sender, id, digest, pause, lives) in steps {
            let sender = ParticipantId::from_custom_bytes([sender; 16]);
            let envelope = Reference { id: MessageId::from_custom_bytes([id; 16]), digest: Digest([digest; 32]) };
            match operation {
                0..=3 => {
                    wall = wall.plus(Duration::from_secs(pause));
                    let expires = wall.plus(Duration::from_secs(lives)).minus(limit::CLOCK_SKEW);
                    prop_assert_eq!(
                        guard.admit(sender, envelope, expires, LEASE, wall),
                        naive.admit(sender, envelope, expires, wall, capacity)
                    );
                }
                4 => {
                    guard.finish(sender, envelope, id);
                    naive.end(sender, envelope, Some(id));
                }
                _ => {
                    guard.release(sender, envelope);
                    naive.end(sender, envelope, None);
                }
            }
            // Entries that are over may be held a little longer, never past the bound.
            prop_assert!(naive.seen.len() <= guard.len() && guard.len() <= capacity);
        }
    }
}
