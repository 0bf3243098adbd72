//! Brokers that break one promise each, to prove that the rules notice.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use dmr_core::id::{ParticipantId, StoreId};
use dmr_core::time::Timestamp;

use crate::broker::{
    Announcement, Broker, BrokerError, Delivery, Depth, Disposition, Publication, PublishError, Subscription, Tag,
};

/// What is wrong with a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerFault {
    /// A publish is confirmed before it is stored, and whether or not it can be.
    ConfirmsEarly,
    /// What a lost subscription had not settled is lost too.
    DropsOnDisconnect,
    /// Deliveries come as if the prefetch had no end.
    IgnoresPrefetch,
    /// A delivery is overtaken by the one behind it.
    Reorders,
    /// A requeued message goes to the end of its mailbox.
    RequeuesAtTheEnd,
    /// A dead-lettered message is acknowledged instead.
    ForgetsDeadLetters,
    /// Messages do not expire.
    NeverExpires,
    /// Acknowledging has no effect.
    ForgetsAcks,
}

/// A broker with a fault.
#[derive(Debug, Clone)]
pub struct FaultyBroker<B> {
    broker: B,
    fault: BrokerFault,
    ledger: Arc<Mutex<Ledger>>,
}

/// What the faults need to remember.
#[derive(Debug, Default)]
struct Ledger {
    /// What was confirmed early and is stored at the next occasion.
    late: Vec<Publication>,
    /// What was published, by its envelope.
    published: HashMap<Bytes, Publication>,
}

impl<B: Broker> FaultyBroker<B> {
    /// The broker, made worse.
    pub fn new(broker: B, fault: BrokerFault) -> Self {
        Self { broker, fault, ledger: Arc::default() }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what was confirmed early, as far as that goes.
    async fn catch_up(&self) {
        let late = std::mem::take(&mut self.ledger().late);
        for publication in late {
            let _ = self.broker.publish(publication).await;
        }
    }
}

impl<B: Broker> Broker for FaultyBroker<B> {
    type Subscription = FaultySubscription<B>;
    type DeadLetters = B::DeadLetters;
    type Announcements = B::Announcements;

    async fn store(&self) -> Result<StoreId, BrokerError> {
        self.broker.store().await
    }

    async fn declare(&self, mailboxes: &[ParticipantId]) -> Result<(), BrokerError> {
        self.broker.declare(mailboxes).await
    }

    async fn publish(&self, mut publication: Publication) -> Result<(), PublishError> {
        self.ledger().published.insert(publication.envelope.clone(), publication.clone());
        match self.fault {
            BrokerFault::ConfirmsEarly => {
                self.catch_up().await;
                self.ledger().late.push(publication);
                return Ok(());
            }
            BrokerFault::NeverExpires => publication.expires = Timestamp(u64::MAX),
            _ => {}
        }
        self.broker.publish(publication).await
    }

    async fn subscribe(&self, mailbox: ParticipantId, prefetch: u16) -> Result<FaultySubscription<B>, BrokerError> {
        self.catch_up().await;
        let granted = if self.fault == BrokerFault::IgnoresPrefetch { u16::MAX } else { prefetch };
        let subscription = self.broker.subscribe(mailbox, granted).await?;
        Ok(FaultySubscription { subscription, broker: self.clone(), overtaken: None, unsettled: HashMap::new() })
    }

    async fn dead_letters(&self) -> Result<B::DeadLetters, BrokerError> {
        self.broker.dead_letters().await
    }

    async fn announce(&self, announcement: Announcement) -> bool {
        self.broker.announce(announcement).await
    }

    async fn announcements(&self) -> Result<B::Announcements, BrokerError> {
        self.broker.announcements().await
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.broker.probe().await
    }

    async fn close(&self) {
        self.broker.close().await;
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        self.catch_up().await;
        self.broker.depth().await
    }
}

/// A subscription of a [`FaultyBroker`].
#[derive(Debug)]
pub struct FaultySubscription<B: Broker> {
    subscription: B::Subscription,
    broker: FaultyBroker<B>,
    /// A delivery that the one behind it came before.
    overtaken: Option<Delivery>,
    unsettled: HashMap<Tag, Bytes>,
}

impl<B: Broker> FaultySubscription<B> {
    async fn take(&mut self) -> Result<Delivery, BrokerError> {
        if let Some(overtaken) = self.overtaken.take() {
            return Ok(overtaken);
        }
        let delivery = self.subscription.next().await?;
        if self.broker.fault == BrokerFault::Reorders
            && let Some(Ok(behind)) = at_once(self.subscription.next())
        {
            self.overtaken = Some(delivery);
            return Ok(behind);
        }
        Ok(delivery)
    }
}

impl<B: Broker> Subscription for FaultySubscription<B> {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        let delivery = self.take().await?;
        self.unsettled.insert(delivery.tag, delivery.envelope.clone());
        Ok(delivery)
    }

    async fn settle(&mut self, tag: Tag, disposition: Disposition) -> Result<(), BrokerError> {
        let Some(envelope) = self.unsettled.remove(&tag) else { return Ok(()) };
        match (self.broker.fault, disposition) {
            (BrokerFault::ForgetsAcks, Disposition::Ack) => Ok(()),
            (BrokerFault::ForgetsDeadLetters, Disposition::DeadLetter(_)) => {
                self.subscription.settle(tag, Disposition::Ack).await
            }
            (BrokerFault::RequeuesAtTheEnd, Disposition::Requeue) => {
                self.subscription.settle(tag, Disposition::Ack).await?;
                let again = self.broker.ledger().published.get(&envelope).cloned();
                if let Some(publication) = again {
                    let _ = self.broker.broker.publish(publication).await;
                }
                Ok(())
            }
            _ => self.subscription.settle(tag, disposition).await,
        }
    }
}

impl<B: Broker> Drop for FaultySubscription<B> {
    fn drop(&mut self) {
        if self.broker.fault == BrokerFault::DropsOnDisconnect {
            for tag in std::mem::take(&mut self.unsettled).into_keys() {
                let _ = at_once(self.subscription.settle(tag, Disposition::Ack));
            }
        }
    }
}

/// What a future gives when it is polled once.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
