//! A subscription: one channel and one consumer on a mailbox.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::time::Timestamp;
use lapin::message::Delivery as Message;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::channel_driver::{ChannelDriver, Held, Settlement};
use super::connection::Open;
use super::errors::{is_not_found, unavailable};
use super::facts::{self, SENDER};
use super::graveyard::Graveyard;
use super::metrics::ConsumerMetrics;
use super::topology::{mailbox_name, short};
use crate::broker::{BrokerError, Delivery, Disposition, Subscription, Tag};

/// What subscriptions of a broker have and have not settled; their places end with them.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    places: Mutex<Vec<Arc<Place>>>,
}

/// One subscription, as the broker's handle sees it.
#[derive(Debug)]
struct Place {
    mailbox: ParticipantId,
    unsettled: Mutex<BTreeMap<u64, Unsettled>>,
    /// Carries deliveries that came from the broker to whoever takes them. Weak, so that it ends with the channel.
    deliveries: mpsc::WeakSender<Message>,
    /// Cancelled when the mailbox was seen to be gone.
    orphaned: CancellationToken,
    /// Cancelled once the broker has back what this subscription had not settled.
    closed: CancellationToken,
}

#[derive(Debug)]
struct Unsettled {
    held: Held,
    stored: Option<Timestamp>,
}

impl Place {
    fn unsettled(&self) -> MutexGuard<'_, BTreeMap<u64, Unsettled>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriptions {
    fn places(&self) -> MutexGuard<'_, Vec<Arc<Place>>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| !place.closed.is_cancelled());
        places
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.places().len()
    }

    /// Waits until subscriptions to this mailbox that were dropped have given back what they had, so that whoever
    /// subscribes now is given it in order. At most so long.
    pub(super) async fn settle_down(&self, mailbox: ParticipantId, patience: Duration) {
        let ending: Vec<_> = self
            .places()
            .iter()
            // A place that only this list holds belongs to a subscription that was dropped.
            .filter(|place| place.mailbox == mailbox && Arc::strong_count(place) == 1)
            .map(|place| place.closed.clone())
            .collect();
        let all = futures_util::future::join_all(ending.iter().map(CancellationToken::cancelled));
        // Late is only out of order.
        let _ = timeout(patience, all).await;
    }

    /// Ends the subscriptions to a mailbox that was seen to be gone. The broker tells its consumers, unless the mailbox
    /// is made again at once: then it may take a consumer for one of the new mailbox whose deliveries nobody gets.
    pub(super) fn orphan(&self, mailbox: ParticipantId) {
        let places = self.places();
        places.iter().filter(|place| place.mailbox == mailbox).for_each(|place| place.orphaned.cancel());
    }

    /// How many deliveries wait here to be taken.
    pub(super) fn waiting(&self) -> u64 {
        let deliveries = self.places().iter().filter_map(|place| place.deliveries.upgrade()).collect::<Vec<_>>();
        let waiting = deliveries.iter().map(|sender| sender.max_capacity() - sender.capacity()).sum::<usize>();
        u64::try_from(waiting).unwrap_or(u64::MAX)
    }

    /// How many deliveries are unsettled, their bytes, and when the oldest of them was stored.
    pub(super) fn unsettled(&self) -> (u64, u64, Option<Timestamp>) {
        self.places().iter().fold((0, 0, None), |so_far, place| {
            place.unsettled().values().fold(so_far, |(count, bytes, oldest), unsettled| {
                let bytes = bytes + u64::try_from(unsettled.held.envelope.len()).unwrap_or(u64::MAX);
                let oldest = oldest.into_iter().chain(unsettled.stored).min();
                (count + 1, bytes, oldest)
            })
        })
    }
}

/// A subscription to one mailbox of an [`AmqpBroker`](super::AmqpBroker). Dropped, it gives back what it has not
/// settled, in the order it had.
#[derive(Debug)]
pub struct AmqpSubscription {
    deliveries: mpsc::Receiver<Message>,
    settlements: mpsc::Sender<Settlement>,
    place: Arc<Place>,
    metrics: ConsumerMetrics,
    ended: bool,
}

/// What a subscription needs of the broker's handle.
pub(super) struct Terms<'a> {
    pub(super) subscriptions: &'a Subscriptions,
    pub(super) graveyard: Arc<Graveyard>,
    pub(super) metrics: ConsumerMetrics,
}

impl AmqpSubscription {
    /// Subscribes on a channel of its own.
    pub(super) async fn open(
        open: &Open,
        mailbox: ParticipantId,
        prefetch: u16,
        terms: Terms<'_>,
    ) -> Result<Self, BrokerError> {
        let prefetch = prefetch.max(1);
        let channel = open.channel().await.map_err(|error| unavailable(&error))?;
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(|error| unavailable(&error))?;
        let queue = mailbox_name(mailbox);
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(short(&queue), short(""), options, FieldTable::default()).await;
        let consumer = consumer.map_err(|error| {
            if is_not_found(&error) { BrokerError::UnknownMailbox(mailbox) } else { unavailable(&error) }
        })?;
        // Each delivery is settled once and at most as many as the prefetch are unsettled: neither ever fills.
        let (settlements, taken) = mpsc::channel(usize::from(prefetch));
        let (sender, deliveries) = mpsc::channel(usize::from(prefetch));
        let (orphaned, closed) = (CancellationToken::new(), CancellationToken::new());
        let place = Arc::new(Place {
            mailbox,
            unsettled: Mutex::default(),
            deliveries: sender.downgrade(),
            orphaned: orphaned.clone(),
            closed: closed.clone(),
        });
        terms.subscriptions.places().push(Arc::clone(&place));
        let graveyard = terms.graveyard;
        let driver = ChannelDriver {
            channel,
            consumer,
            mailbox,
            graveyard,
            deliveries: sender,
            settlements: taken,
            orphaned,
            closed,
        };
        tokio::spawn(driver.run());
        terms.metrics.active.increment(1.0);
        Ok(Self { deliveries, settlements, place, metrics: terms.metrics, ended: false })
    }

    fn take(&self, message: Message) -> Delivery {
        let (tag, attempt) = (message.delivery_tag, facts::attempt(&message));
        let stored = facts::stored(&message.properties);
        let (sender, id) = labels(&message);
        let envelope = Bytes::from(message.data);
        let held = Held { sender, id, envelope: envelope.clone() };
        self.place.unsettled().insert(tag, Unsettled { held, stored });
        Delivery { tag: Tag(tag), attempt, envelope }
    }

    fn end(&mut self) -> BrokerError {
        if !std::mem::replace(&mut self.ended, true) {
            self.metrics.active.decrement(1.0);
            self.metrics.ended.increment(1);
            self.place.unsettled().clear();
        }
        BrokerError::SubscriptionEnded
    }
}

/// Who sent a message and its id, by the broker's word: only dead letters repeat it, as a hint. A message without them
/// was not stored by a server and is passed on all the same, to be judged by what is in it.
fn labels(message: &Message) -> (ParticipantId, MessageId) {
    let properties = &message.properties;
    let id = properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
    let headers = properties.headers().as_ref();
    let sender = headers.and_then(|headers| facts::text(headers, SENDER)?.parse().ok());
    let unknown = *b"unknown to dmr\0\0";
    (sender.unwrap_or(ParticipantId::from_custom_bytes(unknown)), id.unwrap_or(MessageId::from_custom_bytes(unknown)))
}

impl Subscription for AmqpSubscription {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        // What came before the channel ended could not be settled any more; it comes again.
        if self.ended || self.settlements.is_closed() {
            return Err(self.end());
        }
        match self.deliveries.recv().await {
            Some(message) => Ok(self.take(message)),
            None => Err(self.end()),
        }
    }

    async fn settle(&mut self, tag: Tag, disposition: Disposition) -> Result<(), BrokerError> {
        if self.ended {
            return Err(BrokerError::SubscriptionEnded);
        }
        let Some(Unsettled { held, .. }) = self.place.unsettled().remove(&tag.0) else { return Ok(()) };
        let held = matches!(disposition, Disposition::DeadLetter(_)).then_some(held);
        match self.settlements.try_send(Settlement { tag: tag.0, disposition, held }) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.end()),
        }
    }
}

impl Drop for AmqpSubscription {
    fn drop(&mut self) {
        if !self.ended {
            self.metrics.active.decrement(1.0);
        }
        self.place.unsettled().clear();
    }
}
