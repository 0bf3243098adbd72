//! The outbox: sealed envelopes from the moment they are handed over until nobody can need them again.
//!
//! ```text
//!  add ──▶ queued ──▶ sent ──▶ confirmed ──▶ receipted or expired
//!            ▲          │           │
//!            ├──────────┘ link lost │
//!            └──────────────────────┘ the broker's memory changed
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;

use super::config::{AgentPublication, AgentPublishError, OutboxDepth};
use crate::id::MessageId;
use crate::limit;
use crate::reason::RejectReason;
use crate::time::Timestamp;

/// When a caller may look for room again.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// Position in the order of publishing.
type Sequence = u64;

/// Envelopes on their way. Bounded in messages and bytes.
#[derive(Debug)]
pub(super) struct Outbox {
    max_messages: usize,
    max_bytes: usize,
    bytes: usize,
    next: Sequence,
    entries: BTreeMap<Sequence, Entry>,
    by_id: HashMap<MessageId, Sequence>,
    /// To be sent, in the order of publishing.
    queue: BTreeSet<Sequence>,
    held: BTreeSet<(Duration, Sequence)>,
    expiries: BTreeSet<(Timestamp, Sequence)>,
    /// On the current link without an answer; an entry may be gone while its answer is still to come.
    sent: HashMap<MessageId, Sequence>,
}

#[derive(Debug)]
struct Entry {
    publication: AgentPublication,
    stage: Stage,
    /// It was on a link at least once: whether it arrived is not known.
    was_sent: bool,
    was_confirmed: bool,
    /// Why a server of this link could not take it.
    held_for: Option<RejectReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Queued,
    Held,
    Sent,
    Confirmed,
}

/// What a server's refusal means for an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// It is gone from the outbox; the caller is told.
    Forgotten,
    /// It will be sent again.
    Kept,
    /// It had gone before.
    Unknown,
}

impl Outbox {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            max_messages,
            max_bytes,
            bytes: 0,
            next: 0,
            entries: BTreeMap::new(),
            by_id: HashMap::new(),
            queue: BTreeSet::new(),
            held: BTreeSet::new(),
            expiries: BTreeSet::new(),
            sent: HashMap::new(),
        }
    }

    /// Takes an envelope.
    pub(super) fn add(&mut self, publication: AgentPublication) -> Result<(), AgentPublishError> {
        // Two of one id on a link could not be told apart by their answers.
        if self.by_id.contains_key(&publication.id) || self.sent.contains_key(&publication.id) {
            return Err(AgentPublishError::Duplicate);
        }
        let bytes = self.bytes + publication.envelope.len();
        if self.entries.len() >= self.max_messages || bytes > self.max_bytes {
            return Err(AgentPublishError::Full { retry_after: FULL_RETRY });
        }
        let sequence = self.next;
        self.next += 1;
        self.bytes = bytes;
        self.by_id.insert(publication.id, sequence);
        self.expiries.insert((publication.expires, sequence));
        self.queue.insert(sequence);
        let entry = Entry { publication, stage: Stage::Queued, was_sent: false, was_confirmed: false, held_for: None };
        self.entries.insert(sequence, entry);
        Ok(())
    }

    /// The next envelope to send; it is then on the link.
    pub(super) fn send_next(&mut self) -> Option<Bytes> {
        let sequence = self.queue.pop_first()?;
        let entry = self.entries.get_mut(&sequence)?;
        entry.stage = Stage::Sent;
        entry.was_sent = true;
        self.sent.insert(entry.publication.id, sequence);
        Some(entry.publication.envelope.clone())
    }

    /// Whether something waits to be sent.
    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Those on the link without an answer.
    pub(super) fn unconfirmed(&self) -> usize {
        self.sent.len()
    }

    /// The server has it. `false`: it was not on this link.
    pub(super) fn confirm(&mut self, id: MessageId) -> bool {
        let Some(sequence) = self.sent.remove(&id) else { return false };
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.stage = Stage::Confirmed;
            entry.was_confirmed = true;
            if !entry.publication.keep {
                self.remove(sequence);
            }
        }
        true
    }

    /// The server refused it. `None`: it was not on this link. What was confirmed once, and receipts, are held until
    /// `elapsed` and sent again unless the refusal is final.
    pub(super) fn reject(&mut self, id: MessageId, reason: RejectReason, hold_until: Duration) -> Option<Rejection> {
        let sequence = self.sent.remove(&id)?;
        let Some(entry) = self.entries.get_mut(&sequence) else { return Some(Rejection::Unknown) };
        if reason.is_retryable() && (entry.was_confirmed || !entry.publication.keep) {
            entry.stage = Stage::Held;
            entry.held_for = Some(reason);
            self.held.insert((hold_until, sequence));
            Some(Rejection::Kept)
        } else {
            self.remove(sequence);
            Some(Rejection::Forgotten)
        }
    }

    /// Why the server of this link could not take a message when it was last sent there.
    pub(super) fn held_for(&self, id: MessageId) -> Option<RejectReason> {
        let sequence = self.by_id.get(&id)?;
        self.entries.get(sequence)?.held_for
    }

    /// Puts one that this link's server will not take any more back in its place, for the next link.
    pub(super) fn return_unsent(&mut self, id: MessageId) -> bool {
        let Some(sequence) = self.sent.remove(&id) else { return false };
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.stage = Stage::Queued;
            self.queue.insert(sequence);
        }
        true
    }

    /// Lets those go on whose hold is over.
    pub(super) fn release_held(&mut self, elapsed: Duration) {
        while let Some(&(until, sequence)) = self.held.first() {
            if until > elapsed {
                break;
            }
            self.held.pop_first();
            if let Some(entry) = self.entries.get_mut(&sequence)
                && entry.stage == Stage::Held
            {
                entry.stage = Stage::Queued;
                self.queue.insert(sequence);
            }
        }
    }

    /// The link is gone: what had no answer, and what its server had put off, is sent again on the next, in the order
    /// of publishing.
    pub(super) fn link_lost(&mut self) {
        self.sent.clear();
        self.held.clear();
        self.entries.values_mut().for_each(|entry| entry.held_for = None);
        self.requeue(|entry| matches!(entry.stage, Stage::Sent | Stage::Held));
    }

    /// The broker's memory changed: what was confirmed is sent again.
    pub(super) fn store_changed(&mut self) {
        self.requeue(|entry| entry.stage == Stage::Confirmed);
    }

    fn requeue(&mut self, also: impl Fn(&Entry) -> bool) {
        for (&sequence, entry) in &mut self.entries {
            if also(entry) {
                entry.stage = Stage::Queued;
                self.queue.insert(sequence);
            }
        }
    }

    /// Forgets one that was never on any link. `false`: it was, or is not here.
    pub(super) fn withdraw(&mut self, id: MessageId) -> bool {
        let Some(&sequence) = self.by_id.get(&id) else { return false };
        let unsent = self.entries.get(&sequence).is_some_and(|entry| !entry.was_sent);
        if unsent {
            self.remove(sequence);
        }
        unsent
    }

    /// Forgets one whose end is known.
    pub(super) fn forget(&mut self, id: MessageId) {
        if let Some(&sequence) = self.by_id.get(&id) {
            self.remove(sequence);
        }
    }

    /// Forgets and names one that expired before `wall`.
    pub(super) fn expire(&mut self, wall: Timestamp) -> Option<MessageId> {
        let &(expires, sequence) = self.expiries.first()?;
        if expires.plus(limit::CLOCK_SKEW) >= wall {
            return None;
        }
        let id = self.entries.get(&sequence).map(|entry| entry.publication.id);
        self.remove(sequence);
        id
    }

    /// The first moment at which something expires.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(expires, _)| expires.plus(limit::CLOCK_SKEW))
    }

    /// When the first hold is over.
    pub(super) fn next_release(&self) -> Option<Duration> {
        self.held.first().map(|&(until, _)| until)
    }

    fn remove(&mut self, sequence: Sequence) {
        if let Some(entry) = self.entries.remove(&sequence) {
            self.bytes -= entry.publication.envelope.len();
            self.by_id.remove(&entry.publication.id);
            self.expiries.remove(&(entry.publication.expires, sequence));
            self.queue.remove(&sequence);
            if entry.stage == Stage::Held {
                self.held.retain(|&(_, held)| held != sequence);
            }
        }
    }

    /// How full it is.
    pub(super) fn depth(&self) -> OutboxDepth {
        OutboxDepth { messages: self.entries.len(), bytes: self.bytes, unconfirmed: self.sent.len() }
    }

    pub(super) fn check_invariants(&self) {
        debug_assert_eq!(self.entries.len(), self.by_id.len(), "index out of step");
        debug_assert_eq!(self.entries.len(), self.expiries.len(), "expiries out of step");
        debug_assert!(self.entries.len() <= self.max_messages && self.bytes <= self.max_bytes, "outbox past its bound");
        debug_assert!(self.held.len() + self.queue.len() <= self.entries.len(), "held or queued out of step");
    }
}
