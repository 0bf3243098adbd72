//! The broker on RabbitMQ: the handle that servers hold.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_core::id::{ParticipantId, StoreId};
use lapin::options::BasicGetOptions;
use lapin::{BasicProperties, Channel};
use tokio::time::timeout;

use super::announcing::{self, AmqpAnnouncements};
use super::config::AmqpConfig;
use super::connection::{KeptConnection, Open, Purpose};
use super::consuming::Consuming;
use super::depth::{MailboxDepth, Mailboxes};
use super::errors::unavailable;
use super::graveyard::Graveyard;
use super::kept::KeptLetters;
use super::letters::AmqpDeadLetters;
use super::metrics::{self, ConsumerMetrics};
use super::publisher::{Outcome, Outgoing, Publisher};
use super::subscription::{AmqpSubscription, Subscriptions, Terms};
use super::topology::{self, EXCHANGE, PROBE, short};
use super::{depth, kept, store};
use crate::broker::{Announcement, Broker, BrokerError, Depth, Publication, PublishError};

/// Time that a subscription leaves earlier ones of the same mailbox to give back what they had.
const HAND_OVER: Duration = Duration::from_secs(1);

/// A broker on a RabbitMQ cluster. Clones are handles to the same connections, which end with the last of them.
///
/// Connections come back by themselves, tried on one node after the other. What was under way when one ended is told as it
/// is known: publishes as [`PublishError::Undecided`], subscriptions as [`BrokerError::SubscriptionEnded`].
#[derive(Debug, Clone)]
pub struct AmqpBroker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Arc<AmqpConfig>,
    publishing: Arc<KeptConnection>,
    consuming: Consuming,
    publisher: Arc<Publisher>,
    graveyard: Arc<Graveyard>,
    subscriptions: Subscriptions,
    consumers: ConsumerMetrics,
    mailboxes: Mailboxes,
    store: tokio::sync::Mutex<Option<Named>>,
    /// A store's name for a broker that has none.
    fresh: StoreId,
    control: Mutex<Option<Channel>>,
    listeners: AtomicU64,
}

/// The store's name, and the connection on which it was read.
#[derive(Debug, Clone, Copy)]
struct Named {
    store: StoreId,
    generation: u64,
}

impl AmqpBroker {
    /// A broker that begins to connect, and returns at once. Call it inside a tokio runtime.
    ///
    /// `fresh` names the store if it has no name yet: a random id.
    pub fn start(config: AmqpConfig, fresh: StoreId) -> Self {
        metrics::describe();
        let config = Arc::new(config);
        let publishing = Arc::new(KeptConnection::start(Arc::clone(&config), Purpose::Publish));
        let publisher = Arc::new(Publisher::new(&config, Arc::clone(&publishing)));
        Self {
            inner: Arc::new(Inner {
                consuming: Consuming::start(Arc::clone(&config)),
                graveyard: Arc::new(Graveyard::new(Arc::clone(&config), Arc::clone(&publisher))),
                publishing,
                publisher,
                subscriptions: Subscriptions::default(),
                consumers: ConsumerMetrics::register(),
                mailboxes: Mailboxes::default(),
                store: tokio::sync::Mutex::default(),
                fresh,
                control: Mutex::default(),
                listeners: AtomicU64::new(0),
                config,
            }),
        }
    }

    /// A look through the dead letters that are kept for the operator.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub async fn kept_letters(&self) -> Result<KeptLetters, BrokerError> {
        let open = self.inner.consuming.first().soon().await?;
        self.inner.publishing.soon().await?;
        let (config, publisher) = (Arc::clone(&self.inner.config), Arc::clone(&self.inner.publisher));
        KeptLetters::open(self.clone(), config, &self.inner.publishing, publisher, &open).await
    }

    /// Throws away every dead letter that is kept for the operator, and says how many there were.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub async fn purge_kept_letters(&self) -> Result<u32, BrokerError> {
        kept::purge(&*self.inner.consuming.first().soon().await?).await
    }

    /// What waits in one mailbox: messages, consumers, and when the oldest message was stored; `None` where there is no
    /// such mailbox.
    ///
    /// Takes the first message and gives it back: the broker counts that as a delivery, and whoever consumes at that
    /// moment gets the next message first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub async fn look_into(&self, mailbox: ParticipantId) -> Result<Option<MailboxDepth>, BrokerError> {
        let open = self.inner.consuming.first().soon().await?;
        let (queue, mut channel) = (topology::mailbox_name(mailbox), None);
        let Some(waiting) = depth::look(&open, &mut channel, &queue).await? else { return Ok(None) };
        let oldest = if waiting.ready > 0 { depth::peek(&open, &mut channel, &queue).await? } else { None };
        if let Some(channel) = channel {
            let _ = channel.close(200, "looked".into()).await;
        }
        Ok(Some(MailboxDepth { ready: waiting.ready, consumers: waiting.consumers, oldest }))
    }

    /// A channel for announcements, kept from one to the next.
    async fn control(&self) -> Result<Channel, BrokerError> {
        let kept = self.inner.control.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(channel) = kept.filter(|channel| channel.status().connected()) {
            return Ok(channel);
        }
        let open = self.inner.publishing.now()?;
        if open.is_blocked() {
            return Err(BrokerError::Unavailable("it takes no messages".into()));
        }
        let channel = open.channel().await.map_err(|error| unavailable(&error))?;
        *self.inner.control.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel.clone());
        Ok(channel)
    }

    /// Declares mailboxes on one channel.
    async fn declare_on(&self, open: &Open, mailboxes: &[ParticipantId]) -> Result<(), BrokerError> {
        let failed = |error: lapin::Error| unavailable(&error);
        let channel = open.channel().await.map_err(failed)?;
        for mailbox in mailboxes {
            // For each by itself: making a queue on every node takes its time, and a network may have thousands.
            let declared = timeout(self.inner.config.answer_timeout, topology::declare_mailbox(&channel, *mailbox));
            let late = |_| BrokerError::Unavailable(format!("mailbox {mailbox} was not made in time").into());
            declared.await.map_err(late)?.map_err(failed)?;
            self.inner.mailboxes.insert(*mailbox);
        }
        let _ = channel.close(200, "declared".into()).await;
        Ok(())
    }

    /// Takes one message out of the probe's queue.
    async fn take_probe(&self) -> Result<(), BrokerError> {
        let failed = |error: lapin::Error| unavailable(&error);
        let channel = self.inner.consuming.any()?.channel().await.map_err(failed)?;
        let taken = channel.basic_get(short(PROBE), BasicGetOptions { no_ack: true }).await.map_err(failed)?;
        let _ = channel.close(200, "probed".into()).await;
        // Whoever's it is: each takes one for each that it stored, so there is one for everybody.
        taken.map(drop).ok_or_else(|| BrokerError::Unavailable("a message that was stored did not come back".into()))
    }
}

impl Broker for AmqpBroker {
    type Subscription = AmqpSubscription;
    type DeadLetters = AmqpDeadLetters;
    type Announcements = AmqpAnnouncements;

    async fn store(&self) -> Result<StoreId, BrokerError> {
        let mut named = self.inner.store.lock().await;
        let open = match (self.inner.consuming.any(), *named) {
            (Ok(open), Some(named)) if named.generation == open.generation() => return Ok(named.store),
            (Ok(open), _) => open,
            // The name does not change with the connection; whether it still stands is asked when there is one again.
            (Err(_), Some(named)) => return Ok(named.store),
            (Err(_), None) => self.inner.consuming.first().soon().await?,
        };
        self.inner.publishing.soon().await?;
        let read = store::name(&self.inner.publishing, &self.inner.publisher, &open, self.inner.fresh).await;
        match (read, *named) {
            (Ok(store), _) => {
                *named = Some(Named { store, generation: open.generation() });
                Ok(store)
            }
            (Err(error), Some(named)) => {
                tracing::debug!(%error, "the store's name could not be read again");
                Ok(named.store)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn declare(&self, mailboxes: &[ParticipantId]) -> Result<(), BrokerError> {
        let open = self.inner.publishing.soon().await?;
        self.declare_on(&open, mailboxes).await
    }

    async fn publish(&self, publication: Publication) -> Result<(), PublishError> {
        let stored = self.inner.publisher.store(&publication, self.inner.config.now()).await;
        if let Err(PublishError::Unroutable(mailbox)) = stored {
            self.inner.subscriptions.orphan(mailbox);
        }
        stored?;
        self.inner.mailboxes.passed(publication.envelope.len());
        Ok(())
    }

    async fn subscribe(&self, mailbox: ParticipantId, prefetch: u16) -> Result<AmqpSubscription, BrokerError> {
        self.inner.subscriptions.settle_down(mailbox, HAND_OVER).await;
        let subscriptions = &self.inner.subscriptions;
        let open = self.inner.consuming.for_subscription(subscriptions.count()).soon().await?;
        let (graveyard, metrics) = (Arc::clone(&self.inner.graveyard), self.inner.consumers.clone());
        let terms = Terms { subscriptions, graveyard, metrics };
        let opening = AmqpSubscription::open(&open, mailbox, prefetch, terms);
        let late = |_| BrokerError::Unavailable("it did not answer in time".into());
        timeout(self.inner.config.answer_timeout, opening).await.map_err(late)?
    }

    async fn dead_letters(&self) -> Result<AmqpDeadLetters, BrokerError> {
        let open = self.inner.consuming.first().soon().await?;
        AmqpDeadLetters::open(&open).await
    }

    async fn announce(&self, announcement: Announcement) {
        let told = async {
            let channel = self.control().await?;
            announcing::announce(&channel, &announcement).await.map_err(|error| unavailable(&error))
        };
        match timeout(self.inner.config.answer_timeout, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "not announced"),
            Err(_) => tracing::debug!("not announced in time"),
        }
    }

    async fn announcements(&self) -> Result<AmqpAnnouncements, BrokerError> {
        let open = self.inner.consuming.first().soon().await?;
        let number = self.inner.listeners.fetch_add(1, Ordering::Relaxed);
        AmqpAnnouncements::open(&open, &format!("{:016x}.{number}", self.inner.config.seed)).await
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        let outgoing = Outgoing {
            exchange: EXCHANGE,
            routing_key: PROBE,
            properties: BasicProperties::default().with_delivery_mode(2),
            body: b"probe",
        };
        self.inner.publishing.tried().await;
        let open = self.inner.publishing.now()?;
        if open.is_blocked() {
            return Err(BrokerError::Unavailable("it takes no messages: it is short of memory or disk".into()));
        }
        match self.inner.publisher.publish(&outgoing).await {
            Outcome::Confirmed => self.take_probe().await,
            Outcome::Returned => Err(BrokerError::Unavailable("the queue of the probe is gone".into())),
            Outcome::Nacked => Err(BrokerError::Unavailable("it refuses to store a message".into())),
            Outcome::NotSent => Err(BrokerError::Unavailable("it takes no messages now".into())),
            Outcome::Undecided => Err(BrokerError::Unavailable("it does not confirm".into())),
        }
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        let open = self.inner.consuming.any()?;
        let (mut depth, oldest_ready) = self.inner.mailboxes.depth(&open).await?;
        let (unsettled, bytes, oldest_unsettled) = self.inner.subscriptions.unsettled();
        depth.ready = depth.ready.saturating_add(self.inner.subscriptions.waiting());
        depth.unsettled = unsettled;
        depth.bytes = depth.ready.saturating_mul(self.inner.mailboxes.mean_size()).saturating_add(bytes);
        let oldest = oldest_ready.into_iter().chain(oldest_unsettled).min();
        depth.oldest = oldest.map_or(Duration::ZERO, |stored| self.inner.config.now().since(stored));
        Ok(depth)
    }
}
