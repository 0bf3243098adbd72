//! The broker: one durable mailbox for each participant, confirms, prefetch, dead letters.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::{InstanceId, MessageId, ParticipantId, SessionId, StoreId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An envelope on its way into one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Whose mailbox.
    pub mailbox: ParticipantId,
    /// Who sent it: told when it dies.
    pub sender: ParticipantId,
    /// Its id. A hint: mailboxes do not deduplicate.
    pub id: MessageId,
    /// It is dead-lettered as expired after this.
    pub expires: Timestamp,
    /// The envelope.
    pub envelope: Bytes,
}

/// Why a publication is not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// No such mailbox. Nothing was stored.
    #[error("no mailbox {0}")]
    Unroutable(ParticipantId),
    /// The mailbox is at its bound. Nothing was stored.
    #[error("mailbox {0} is full")]
    Full(ParticipantId),
    /// The broker cannot take anything now. Nothing was stored.
    #[error("the broker is unavailable")]
    Unavailable,
    /// The broker did not say in time: it may or may not be stored.
    #[error("the broker did not confirm in time")]
    Undecided,
}

/// Why the broker could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The broker cannot be reached, or refused.
    #[error("the broker is unavailable: {0}")]
    Unavailable(Box<str>),
    /// No such mailbox.
    #[error("no mailbox {0}")]
    UnknownMailbox(ParticipantId),
    /// The subscription ended: its mailbox was deleted or its connection lost. Subscribe again.
    #[error("the subscription ended")]
    SubscriptionEnded,
}

/// Names one delivery of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// An envelope out of a mailbox, to be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To settle it by, on the subscription it came from.
    pub tag: Tag,
    /// 1 for the first attempt. A hint: a broker may forget.
    pub attempt: u32,
    /// The envelope.
    pub envelope: Bytes,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It is done: forget it.
    Ack,
    /// Give it to whoever asks next, at the place it had.
    Requeue,
    /// Never deliver it again.
    DeadLetter(FailureReason),
}

/// A message that died, for the servers that tell its sender and for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Whose mailbox it was in.
    pub mailbox: ParticipantId,
    /// Who sent it.
    pub sender: ParticipantId,
    /// Its id.
    pub id: MessageId,
    /// Why it died.
    pub reason: FailureReason,
}

/// What one server tells every server on the same broker, itself included. A hint: it may be lost or forged, so nothing
/// but speed may rest on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Announcement {
    /// An instance of a participant has logged in: older sessions of it are superseded, wherever they are.
    LoggedIn {
        /// Whose agent.
        participant: ParticipantId,
        /// Which of its processes.
        instance: InstanceId,
        /// Its session.
        session: SessionId,
        /// When, by the clock of the server that holds the session.
        since: Timestamp,
    },
    /// A message died: whoever holds a session of its sender tells it.
    Died(DeadLetter),
}

/// How full a broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages waiting in all of them.
    pub ready: u64,
    /// Deliveries not settled yet.
    pub unsettled: u64,
    /// Bytes of both. An estimate where the broker counts messages only.
    pub bytes: u64,
    /// Age of the oldest message, zero when there is none.
    pub oldest: Duration,
}

/// A broker, shared by all links of a server. Clones are handles to the same broker.
pub trait Broker: Clone + Send + Sync + 'static {
    /// A subscription to one mailbox. Dropping it requeues what it has not settled.
    type Subscription: Subscription;
    /// The dead letters.
    type DeadLetters: DeadLetters;
    /// What servers tell each other.
    type Announcements: Announcements;

    /// Names the broker's memory: another value means that what was confirmed before may be gone.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    fn store(&self) -> impl Future<Output = Result<StoreId, BrokerError>> + Send;

    /// Makes sure that these mailboxes exist. Never deletes one.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    fn declare(&self, mailboxes: &[ParticipantId]) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Stores an envelope; returns when the broker has confirmed it, and only then. Takes at most 10 s.
    ///
    /// # Errors
    /// [`PublishError`], which says whether anything may have been stored.
    ///
    /// # Cancel safety
    /// Dropped, the outcome is undecided.
    fn publish(&self, publication: Publication) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// Subscribes to a mailbox, in competition with its other subscriptions. At most `prefetch` (at least 1) of its
    /// deliveries are unsettled at once.
    ///
    /// # Errors
    /// [`BrokerError`].
    fn subscribe(
        &self,
        mailbox: ParticipantId,
        prefetch: u16,
    ) -> impl Future<Output = Result<Self::Subscription, BrokerError>> + Send;

    /// The dead letters, in competition with other servers.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    fn dead_letters(&self) -> impl Future<Output = Result<Self::DeadLetters, BrokerError>> + Send;

    /// Tells every server on this broker, this one included. Best effort: returns whether it is on its way, in at most 5 s.
    ///
    /// # Cancel safety
    /// Dropped, it may or may not be told.
    fn announce(&self, announcement: Announcement) -> impl Future<Output = bool> + Send;

    /// What servers tell each other from now on, each listener for itself.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    fn announcements(&self) -> impl Future<Output = Result<Self::Announcements, BrokerError>> + Send;

    /// Proves that publishing and consuming work now, by doing both.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    fn probe(&self) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// How full the broker is.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    fn depth(&self) -> impl Future<Output = Result<Depth, BrokerError>> + Send;

    /// Waits until what subscriptions that were dropped had settled is settled at the broker, at most 2 s. Before a process
    /// ends: what is not settled by then comes again.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// One subscription.
pub trait Subscription: Send + 'static {
    /// The next delivery, waiting for one. Ordered as published while nothing is requeued.
    ///
    /// # Errors
    /// [`BrokerError::SubscriptionEnded`]: settle no more, subscribe again.
    ///
    /// # Cancel safety
    /// Safe: a delivery is either returned or still in the mailbox.
    fn next(&mut self) -> impl Future<Output = Result<Delivery, BrokerError>> + Send;

    /// Settles a delivery. A tag that is unknown or settled before changes nothing.
    ///
    /// # Errors
    /// [`BrokerError::SubscriptionEnded`]: the broker will deliver it again.
    fn settle(&mut self, tag: Tag, disposition: Disposition) -> impl Future<Output = Result<(), BrokerError>> + Send;
}

/// The stream of dead letters.
pub trait DeadLetters: Send + 'static {
    /// The next dead letter, waiting for one.
    ///
    /// # Errors
    /// [`BrokerError::SubscriptionEnded`].
    ///
    /// # Cancel safety
    /// Safe: a letter is either returned or still there.
    fn next(&mut self) -> impl Future<Output = Result<DeadLetter, BrokerError>> + Send;
}

/// The stream of announcements.
pub trait Announcements: Send + 'static {
    /// The next announcement, waiting for one. A listener that is slow misses some.
    ///
    /// # Errors
    /// [`BrokerError::SubscriptionEnded`]: listen again; what was announced in between is missed.
    ///
    /// # Cancel safety
    /// Safe.
    fn next(&mut self) -> impl Future<Output = Result<Announcement, BrokerError>> + Send;
}
