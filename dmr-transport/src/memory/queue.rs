//! The queue model: what a broker does, without a task, a clock or a lock.
//!
//! ```text
//!  publish ─▶ ready (in order) ──take──▶ unsettled ──ack──▶ gone
//!                ▲    │ expired              │ │
//!                │    ▼                      │ └─dead-letter─┐
//!                │  dead letters ◀───────────┼───────────────┘
//!                └──────── requeue ──────────┘   (at the place it had)
//! ```
//!
//! Every operation takes the time as an argument and does a bounded amount of work: at most 64 messages expire
//! in one call.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;

use super::index::ExpiryIndex;
use super::mailbox::{Entry, Mailbox, Place, cost};
use crate::broker::{BrokerError, DeadLetter, Delivery, Depth, Disposition, Publication, PublishError, Tag};

/// Messages that expire in one operation, at most.
pub(super) const BATCH: usize = 64;

/// The bounds of a queue model. A message counts as its envelope and 256 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages in one mailbox, ready or unsettled. Default 10,000. Past it, publishing answers
    /// [`PublishError::Full`]: too small refuses messages for an agent that is away, too large lets it take the memory
    /// of all.
    pub mailbox_messages: usize,
    /// Bytes in one mailbox. Default 256 MiB, with the same trade-off.
    pub mailbox_bytes: u64,
    /// Bytes in all mailboxes. Default 1 GiB. Past it, publishing answers [`PublishError::Unavailable`].
    pub total_bytes: u64,
    /// Mailboxes. Default 100,000.
    pub mailboxes: usize,
    /// Dead letters that wait to be told. Default 10,000. Past it the oldest is dropped and counted.
    pub dead_letters: usize,
    /// Deliveries of one message, after which it is dead-lettered as undeliverable. Default 10,000: high, because a
    /// lost link counts too.
    pub deliveries: u32,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            mailbox_messages: 10_000,
            mailbox_bytes: 256 << 20,
            total_bytes: 1 << 30,
            mailboxes: 100_000,
            dead_letters: 10_000,
            deliveries: 10_000,
        }
    }
}

/// Names one subscription of a queue model; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(u64);

/// What taking the next message gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A delivery, unsettled from now on.
    Delivery(Delivery),
    /// Nothing is ready, or the prefetch is used up.
    Nothing,
    /// Only expired messages came up, and as many as one operation may handle: take again.
    Again,
}

/// One subscription: what it has and has not settled.
#[derive(Debug)]
struct Held {
    mailbox: ParticipantId,
    prefetch: usize,
    last_tag: u64,
    unsettled: BTreeMap<Tag, Entry>,
}

/// Mailboxes, subscriptions and dead letters as plain data.
#[derive(Debug)]
pub struct QueueModel {
    limits: QueueLimits,
    mailboxes: HashMap<ParticipantId, Mailbox>,
    subscriptions: HashMap<SubscriptionId, Held>,
    expiries: ExpiryIndex,
    dead: VecDeque<DeadLetter>,
    dead_dropped: u64,
    bytes: u64,
    ready: u64,
    unsettled: u64,
    last_place: u64,
    last_subscription: u64,
}

impl QueueModel {
    /// An empty model.
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            mailboxes: HashMap::new(),
            subscriptions: HashMap::new(),
            expiries: ExpiryIndex::default(),
            dead: VecDeque::new(),
            dead_dropped: 0,
            bytes: 0,
            ready: 0,
            unsettled: 0,
            last_place: 0,
            last_subscription: 0,
        }
    }

    /// Makes sure that a mailbox exists.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] past the bound of mailboxes.
    pub fn declare(&mut self, mailbox: ParticipantId) -> Result<(), BrokerError> {
        if !self.mailboxes.contains_key(&mailbox) {
            if self.mailboxes.len() >= self.limits.mailboxes {
                let text = format!("{} mailboxes, no more are allowed", self.mailboxes.len());
                return Err(BrokerError::Unavailable(text.into()));
            }
            self.mailboxes.insert(mailbox, Mailbox::default());
        }
        Ok(())
    }

    /// Stores a message.
    ///
    /// # Errors
    /// [`PublishError`]; nothing is stored then.
    pub fn publish(&mut self, publication: Publication, now: Timestamp) -> Result<(), PublishError> {
        self.expire(now);
        let (owner, bytes) = (publication.mailbox, cost(&publication.envelope));
        let mailbox = self.mailboxes.get_mut(&owner).ok_or(PublishError::Unroutable(owner))?;
        let full = mailbox.messages >= self.limits.mailbox_messages
            || mailbox.bytes.saturating_add(bytes) > self.limits.mailbox_bytes;
        if full {
            return Err(PublishError::Full(owner));
        }
        if self.bytes.saturating_add(bytes) > self.limits.total_bytes {
            return Err(PublishError::Unavailable);
        }
        self.last_place += 1;
        let entry = Entry::new(publication, Place(self.last_place), now);
        mailbox.messages += 1;
        mailbox.bytes += bytes;
        self.bytes += bytes;
        self.make_ready(owner, entry);
        Ok(())
    }

    /// Begins a subscription of at most `prefetch` (at least 1) unsettled deliveries.
    ///
    /// # Errors
    /// [`BrokerError::UnknownMailbox`].
    pub fn subscribe(&mut self, mailbox: ParticipantId, prefetch: u16) -> Result<SubscriptionId, BrokerError> {
        if !self.mailboxes.contains_key(&mailbox) {
            return Err(BrokerError::UnknownMailbox(mailbox));
        }
        self.last_subscription += 1;
        let id = SubscriptionId(self.last_subscription);
        let held = Held { mailbox, prefetch: usize::from(prefetch.max(1)), last_tag: 0, unsettled: BTreeMap::new() };
        self.subscriptions.insert(id, held);
        Ok(id)
    }

    /// The mailbox of a subscription.
    pub fn mailbox_of(&self, subscription: SubscriptionId) -> Option<ParticipantId> {
        self.subscriptions.get(&subscription).map(|held| held.mailbox)
    }

    /// The next message for a subscription.
    ///
    /// # Errors
    /// [`BrokerError::SubscriptionEnded`].
    pub fn take(&mut self, subscription: SubscriptionId, now: Timestamp) -> Result<Taken, BrokerError> {
        let held = self.subscriptions.get(&subscription).ok_or(BrokerError::SubscriptionEnded)?;
        if held.unsettled.len() >= held.prefetch {
            return Ok(Taken::Nothing);
        }
        let owner = held.mailbox;
        for _ in 0..BATCH {
            let first = self.mailboxes.get_mut(&owner).and_then(|mailbox| mailbox.ready.pop_first());
            let Some((place, entry)) = first else { return Ok(Taken::Nothing) };
            self.ready -= 1;
            self.expiries.remove(entry.expires, place, owner);
            if entry.is_expired(now) {
                self.bury(owner, &entry, FailureReason::Expired);
            } else {
                return self.deliver(subscription, entry).map(Taken::Delivery);
            }
        }
        Ok(Taken::Again)
    }

    /// Hands a message to a subscription.
    fn deliver(&mut self, subscription: SubscriptionId, mut entry: Entry) -> Result<Delivery, BrokerError> {
        let held = self.subscriptions.get_mut(&subscription).ok_or(BrokerError::SubscriptionEnded)?;
        entry.deliveries = entry.deliveries.saturating_add(1);
        held.last_tag += 1;
        let tag = Tag(held.last_tag);
        let delivery = Delivery { tag, attempt: entry.deliveries, envelope: entry.envelope.clone() };
        held.unsettled.insert(tag, entry);
        self.unsettled += 1;
        Ok(delivery)
    }

    /// Settles a delivery; says whether a message became ready by it. Unknown tags change nothing.
    ///
    /// # Errors
    /// [`BrokerError::SubscriptionEnded`].
    pub fn settle(
        &mut self,
        subscription: SubscriptionId,
        tag: Tag,
        disposition: Disposition,
        now: Timestamp,
    ) -> Result<bool, BrokerError> {
        let held = self.subscriptions.get_mut(&subscription).ok_or(BrokerError::SubscriptionEnded)?;
        let owner = held.mailbox;
        let Some(entry) = held.unsettled.remove(&tag) else { return Ok(false) };
        self.unsettled -= 1;
        match disposition {
            Disposition::Ack => self.release(owner, &entry),
            Disposition::DeadLetter(reason) => self.bury(owner, &entry, reason),
            Disposition::Requeue => return Ok(self.requeue(owner, entry, now)),
        }
        Ok(false)
    }

    /// Ends a subscription and requeues what it has not settled; says whether a message became ready by it.
    pub fn unsubscribe(&mut self, subscription: SubscriptionId, now: Timestamp) -> bool {
        let Some(held) = self.subscriptions.remove(&subscription) else { return false };
        let mut any = false;
        for entry in held.unsettled.into_values() {
            self.unsettled -= 1;
            any |= self.requeue(held.mailbox, entry, now);
        }
        any
    }

    /// Dead-letters messages that have expired, at most 64 of them.
    pub fn expire(&mut self, now: Timestamp) {
        for _ in 0..BATCH {
            let Some((place, owner)) = self.expiries.pop_expired(now) else { return };
            let entry = self.mailboxes.get_mut(&owner).and_then(|mailbox| mailbox.ready.remove(&place));
            if let Some(entry) = entry {
                self.ready -= 1;
                self.bury(owner, &entry, FailureReason::Expired);
            }
        }
    }

    /// When the next ready message expires.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.next()
    }

    /// Takes the oldest dead letter.
    pub fn take_dead_letter(&mut self) -> Option<DeadLetter> {
        self.dead.pop_front()
    }

    /// Dead letters that wait.
    pub fn dead_letters(&self) -> usize {
        self.dead.len()
    }

    /// Dead letters dropped because nobody took them.
    pub fn dead_letters_dropped(&self) -> u64 {
        self.dead_dropped
    }

    /// How full it is. Looks at each mailbox once.
    pub fn depth(&self, now: Timestamp) -> Depth {
        let ready = self.mailboxes.values().filter_map(|mailbox| mailbox.ready.values().next());
        let unsettled = self.subscriptions.values().flat_map(|held| held.unsettled.values());
        let oldest = ready.chain(unsettled).map(|entry| entry.stored).min();
        Depth {
            mailboxes: u64::try_from(self.mailboxes.len()).unwrap_or(u64::MAX),
            ready: self.ready,
            unsettled: self.unsettled,
            bytes: self.bytes,
            oldest: oldest.map_or(Duration::ZERO, |stored| now.since(stored)),
        }
    }

    /// Takes a message of nobody through every step, within the bound on all bytes, and leaves nothing behind.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: publishing or consuming does not work now.
    pub fn probe(&mut self, now: Timestamp) -> Result<(), BrokerError> {
        let mailbox = ParticipantId::from_custom_bytes(*b"dmr broker probe");
        // Whoever has this id keeps what it has.
        let aside = self.mailboxes.insert(mailbox, Mailbox::default());
        let outcome = self.round_trip(mailbox, now);
        match aside {
            Some(kept) => self.mailboxes.insert(mailbox, kept),
            None => self.mailboxes.remove(&mailbox),
        };
        outcome
    }

    fn round_trip(&mut self, mailbox: ParticipantId, now: Timestamp) -> Result<(), BrokerError> {
        let id = MessageId::from_custom_bytes(*b"dmr broker probe");
        let probe = Publication { mailbox, sender: mailbox, id, expires: now, envelope: Bytes::from_static(b"probe") };
        self.publish(probe, now).map_err(|_| BrokerError::Unavailable("it has no room for a message".into()))?;
        let subscription = self.subscribe(mailbox, 1)?;
        let outcome = match self.take(subscription, now)? {
            Taken::Delivery(delivery) => self.settle(subscription, delivery.tag, Disposition::Ack, now).map(|_| ()),
            Taken::Nothing | Taken::Again => {
                Err(BrokerError::Unavailable("a message that was stored did not come back".into()))
            }
        };
        self.unsubscribe(subscription, now);
        outcome
    }

    fn make_ready(&mut self, owner: ParticipantId, entry: Entry) {
        if let Some(mailbox) = self.mailboxes.get_mut(&owner) {
            self.expiries.insert(entry.expires, entry.place, owner);
            mailbox.ready.insert(entry.place, entry);
            self.ready += 1;
        }
    }

    /// Puts a delivered message back, unless its time or its deliveries are used up; says whether it is ready again.
    fn requeue(&mut self, owner: ParticipantId, entry: Entry, now: Timestamp) -> bool {
        if entry.is_expired(now) {
            self.bury(owner, &entry, FailureReason::Expired);
        } else if entry.deliveries >= self.limits.deliveries {
            self.bury(owner, &entry, FailureReason::Undeliverable);
        } else {
            self.make_ready(owner, entry);
            return true;
        }
        false
    }

    /// Dead-letters a message that is in no queue any more.
    fn bury(&mut self, owner: ParticipantId, entry: &Entry, reason: FailureReason) {
        self.release(owner, entry);
        if self.dead.len() >= self.limits.dead_letters {
            self.dead.pop_front();
            self.dead_dropped += 1;
        }
        self.dead.push_back(DeadLetter { mailbox: owner, sender: entry.sender, id: entry.id, reason });
    }

    /// Gives back what a message counted.
    fn release(&mut self, owner: ParticipantId, entry: &Entry) {
        self.bytes -= entry.bytes();
        if let Some(mailbox) = self.mailboxes.get_mut(&owner) {
            mailbox.messages -= 1;
            mailbox.bytes -= entry.bytes();
        }
    }
}
