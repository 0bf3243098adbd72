//! The broker on RabbitMQ: the handle that servers hold.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::{ParticipantId, StoreId};
use futures_util::future::join_all;
use lapin::BasicProperties;
use lapin::options::BasicGetOptions;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::announcing::{self, AmqpAnnouncements};
use super::channel_pool::blocked;
use super::config::AmqpConfig;
use super::connection::{KeptConnection, Open, Purpose};
use super::consuming::Consuming;
use super::depth::{self, MailboxDepth, Mailboxes};
use super::errors::unavailable;
use super::facts::PERSISTENT;
use super::graveyard::Graveyard;
use super::kept::{self, KeptLetters};
use super::letters::AmqpDeadLetters;
use super::metrics::{self, ConsumerMetrics};
use super::owned_channel::OwnedChannel;
use super::passive::Looks;
use super::publisher::{Outcome, Outgoing, Publisher};
use super::store;
use super::subscription::{AmqpSubscription, Subscriptions, Terms};
use super::topology::{self, EXCHANGE, PROBE, short};
use crate::broker::{Announcement, Broker, BrokerError, Depth, Publication, PublishError};

/// Time that a subscription leaves earlier ones of the same mailbox to give back what they had.
const HAND_OVER: Duration = Duration::from_secs(1);
/// How long the store's name is believed on one connection: an operator may delete it.
const BELIEVED: Duration = Duration::from_secs(30);
/// Time for subscriptions to end when the broker is let go of.
const CLOSING: Duration = Duration::from_secs(2);

/// A broker on a RabbitMQ cluster. Clones are handles to the same connections, which end with the last of them.
///
/// Connections come back by themselves, tried on one node after the other. What was under way when one ended is told as it
/// is known: publishes as [`PublishError::Undecided`], subscriptions as [`BrokerError::SubscriptionEnded`].
#[derive(Clone)]
pub struct AmqpBroker {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for AmqpBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AmqpBroker").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

struct Inner {
    config: Arc<AmqpConfig>,
    publishing: Arc<KeptConnection>,
    consuming: Consuming,
    publisher: Arc<Publisher>,
    graveyard: Arc<Graveyard>,
    subscriptions: Subscriptions,
    consumers: ConsumerMetrics,
    mailboxes: Mailboxes,
    store: Mutex<Option<Named>>,
    /// Held by whoever reads the store's name.
    naming: tokio::sync::Mutex<()>,
    /// A store's name for a broker that has none.
    fresh: Box<dyn Fn() -> Option<StoreId> + Send + Sync>,
    control: tokio::sync::Mutex<Option<OwnedChannel>>,
    probe: tokio::sync::Mutex<Option<OwnedChannel>>,
    listeners: AtomicU64,
}

/// The store's name, and when and on which connection it was read.
#[derive(Debug, Clone, Copy)]
struct Named {
    store: StoreId,
    generation: u64,
    at: Instant,
}

impl AmqpBroker {
    /// A broker that begins to connect, and returns at once. Call it inside a tokio runtime.
    ///
    /// `fresh` names a store that has no name yet: a random id, another at each call, or `None` without randomness.
    pub fn start(config: AmqpConfig, fresh: impl Fn() -> Option<StoreId> + Send + Sync + 'static) -> Self {
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
                store: Mutex::default(),
                naming: tokio::sync::Mutex::default(),
                fresh: Box::new(fresh),
                control: tokio::sync::Mutex::default(),
                probe: tokio::sync::Mutex::default(),
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
        let (config, publisher) = (Arc::clone(&self.inner.config), Arc::clone(&self.inner.publisher));
        KeptLetters::open(self.clone(), config, publisher, &open).await
    }

    /// Throws away every dead letter that is kept for the operator, and says how many there were.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub async fn purge_kept_letters(&self) -> Result<u32, BrokerError> {
        let open = self.inner.consuming.first().soon().await?;
        self.in_time(kept::purge(&open)).await
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
        let queue = topology::mailbox_name(mailbox);
        let mut looks = self.looks(&open);
        let Some(waiting) = looks.at(&queue).await? else { return Ok(None) };
        let oldest = match waiting.ready {
            0 => None,
            _ => self.in_time(depth::peek(&mut looks, &queue)).await?,
        };
        Ok(Some(MailboxDepth { ready: waiting.ready, consumers: waiting.consumers, oldest }))
    }

    /// Waits until there is a connection to publish on, at most the answer timeout.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub(super) async fn until_publishing(&self) -> Result<(), BrokerError> {
        self.inner.publishing.soon().await.map(drop)
    }

    fn looks<'a>(&self, open: &'a Open) -> Looks<'a> {
        Looks::new(open, self.inner.config.answer_timeout)
    }

    /// What the broker answers, if it does in time.
    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
        let answer = timeout(self.inner.config.answer_timeout, asked).await;
        answer.map_err(|_| BrokerError::Unavailable("it did not answer in time".into()))?
    }

    /// The connection for publishing, if the broker takes what is written to it.
    fn writable(&self) -> Result<Arc<Open>, BrokerError> {
        let open = self.inner.publishing.now()?;
        if open.is_blocked() { Err(blocked()) } else { Ok(open) }
    }

    /// Declares what an operator may have deleted.
    async fn mend(&self) -> Result<(), BrokerError> {
        let open = self.writable()?;
        self.in_time(async {
            let channel = open.channel().await?;
            topology::declare(&channel).await.map_err(|error| unavailable(&error))
        })
        .await
    }

    /// Makes sure that there is a stream for the store's name.
    async fn declare_store(&self) -> Result<(), BrokerError> {
        let open = self.writable()?;
        self.in_time(async {
            let channel = open.channel().await?;
            topology::declare_store(&channel).await.map_err(|error| unavailable(&error))
        })
        .await
    }

    /// Passes on what was found of one of our own queues or exchanges, and mends it where it was not found.
    async fn or_mend<T>(&self, found: Result<T, BrokerError>) -> Result<T, BrokerError> {
        if found.is_err()
            && let Err(error) = self.mend().await
        {
            tracing::debug!(%error, "exchanges and queues could not be declared again");
        }
        found
    }

    /// Reads the store's name anew.
    async fn read_store(&self) -> Result<Named, BrokerError> {
        let open = self.inner.consuming.first().soon().await?;
        self.inner.publishing.soon().await?;
        let answer_timeout = self.inner.config.answer_timeout;
        let read = || store::name(&self.inner.publisher, &open, answer_timeout, &*self.inner.fresh);
        let mut named = read().await?;
        if named.is_none() {
            self.declare_store().await?;
            named = read().await?;
        }
        let store = named.ok_or_else(|| BrokerError::Unavailable("the store has no name".into()))?;
        Ok(Named { store, generation: open.generation(), at: Instant::now() })
    }

    fn named(&self) -> Option<Named> {
        *self.inner.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one message out of the probe's queue.
    async fn take_probe(&self) -> Result<(), BrokerError> {
        let open = self.inner.consuming.any()?;
        let mut kept = self.inner.probe.lock().await;
        let channel = match kept.take().filter(OwnedChannel::is_open) {
            Some(channel) => channel,
            None => open.channel().await?,
        };
        let taken = channel.basic_get(short(PROBE), BasicGetOptions { no_ack: true }).await;
        let taken = taken.map_err(|error| unavailable(&error))?;
        *kept = Some(channel);
        // Whoever's it is: each takes one for each that it stored, so there is one for everybody.
        taken.map(drop).ok_or_else(|| BrokerError::Unavailable("a message that was stored did not come back".into()))
    }

    async fn tell(&self, announcement: &Announcement) -> Result<(), BrokerError> {
        let open = self.writable()?;
        let mut kept = self.inner.control.lock().await;
        let channel = match kept.take().filter(OwnedChannel::is_open) {
            Some(channel) => channel,
            None => open.channel().await?,
        };
        announcing::announce(&channel, announcement).await.map_err(|error| unavailable(&error))?;
        *kept = Some(channel);
        Ok(())
    }
}

impl Broker for AmqpBroker {
    type Subscription = AmqpSubscription;
    type DeadLetters = AmqpDeadLetters;
    type Announcements = AmqpAnnouncements;

    async fn store(&self) -> Result<StoreId, BrokerError> {
        // While there is a name, nobody waits for another: it is read again by one of those who ask.
        if let Some(named) = self.named() {
            let current = match self.inner.consuming.any() {
                Ok(open) => open.generation() == named.generation && named.at.elapsed() < BELIEVED,
                Err(_) => true,
            };
            let naming = self.inner.naming.try_lock();
            let (false, Ok(_naming)) = (current, naming) else { return Ok(named.store) };
            return match self.in_time(self.read_store()).await {
                Ok(read) => {
                    *self.inner.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
                    Ok(read.store)
                }
                Err(error) => {
                    tracing::debug!(%error, "the store's name could not be read again");
                    Ok(named.store)
                }
            };
        }
        self.in_time(async {
            let _naming = self.inner.naming.lock().await;
            if let Some(named) = self.named() {
                return Ok(named.store);
            }
            let read = self.read_store().await?;
            *self.inner.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
            Ok(read.store)
        })
        .await
    }

    async fn declare(&self, mailboxes: &[ParticipantId]) -> Result<(), BrokerError> {
        self.inner.publishing.soon().await?;
        let open = self.writable()?;
        let channel = self.in_time(open.channel()).await?;
        for mailbox in mailboxes {
            // For each by itself: making a queue on every node takes its time, and a network may have thousands.
            let declared =
                async { topology::declare_mailbox(&channel, *mailbox).await.map_err(|error| unavailable(&error)) };
            self.in_time(declared).await?;
            self.inner.mailboxes.insert(*mailbox);
        }
        Ok(())
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
        let carrier = self.inner.consuming.carrier();
        let open = carrier.connection().soon().await?;
        let terms = Terms {
            subscriptions: &self.inner.subscriptions,
            carrier,
            graveyard: Arc::clone(&self.inner.graveyard),
            metrics: self.inner.consumers.clone(),
        };
        self.in_time(AmqpSubscription::open(&open, mailbox, prefetch, terms)).await
    }

    async fn dead_letters(&self) -> Result<AmqpDeadLetters, BrokerError> {
        let open = self.inner.consuming.first().soon().await?;
        let letters = self.in_time(AmqpDeadLetters::open(&open)).await;
        self.or_mend(letters).await
    }

    async fn announce(&self, announcement: Announcement) -> bool {
        let told = self.in_time(self.tell(&announcement)).await;
        if let Err(error) = &told {
            tracing::debug!(%error, "not announced");
        }
        told.is_ok()
    }

    async fn announcements(&self) -> Result<AmqpAnnouncements, BrokerError> {
        let open = self.inner.consuming.first().soon().await?;
        let number = self.inner.listeners.fetch_add(1, Ordering::Relaxed);
        let listener = format!("{:016x}.{number}", self.inner.config.seed);
        let announcements = self.in_time(AmqpAnnouncements::open(&open, &listener)).await;
        self.or_mend(announcements).await
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.inner.publishing.tried().await;
        self.writable()?;
        let outgoing = Outgoing {
            exchange: EXCHANGE,
            routing_key: short(PROBE),
            properties: BasicProperties::default().with_delivery_mode(PERSISTENT),
            body: Bytes::from_static(b"probe"),
        };
        let problem = match self.inner.publisher.publish(&outgoing).await {
            Outcome::Confirmed => return self.take_probe().await,
            Outcome::Returned => "the queue of the probe was gone",
            Outcome::Nacked => "it refuses to store a message",
            Outcome::NotSent => "it takes no messages now",
            Outcome::Undecided => "it does not confirm",
        };
        let problem = Err(BrokerError::Unavailable(problem.into()));
        self.or_mend(problem).await
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        let open = self.inner.consuming.any()?;
        let (mut depth, oldest_ready) = self.inner.mailboxes.depth(self.looks(&open)).await?;
        let (unsettled, bytes, oldest_unsettled) = self.inner.subscriptions.unsettled();
        depth.ready = depth.ready.saturating_add(self.inner.subscriptions.waiting());
        depth.unsettled = unsettled;
        depth.bytes = depth.ready.saturating_mul(self.inner.mailboxes.mean_size()).saturating_add(bytes);
        let oldest = oldest_ready.into_iter().chain(oldest_unsettled).min();
        depth.oldest = oldest.map_or(Duration::ZERO, |stored| self.inner.config.now().since(stored));
        Ok(depth)
    }

    async fn close(&self) {
        let closing = self.inner.subscriptions.closing();
        // What is not settled by then comes again.
        let _ = timeout(CLOSING, join_all(closing.iter().map(CancellationToken::cancelled))).await;
    }
}
