//! The feed over brokers that end subscriptions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dmr_core::id::{MessageId, StoreId};
use dmr_core::time::Timestamp;
use dmr_transport::memory::{MemoryBroker, QueueLimits};
use dmr_transport::{Announcement, Delivery, Depth, Publication, PublishError};

use super::*;

/// A broker whose first subscriptions end after one delivery, as when it restarts.
#[derive(Debug, Clone)]
struct Restarting {
    inner: MemoryBroker,
    restarts: Arc<AtomicU32>,
}

struct Ending {
    inner: <MemoryBroker as Broker>::Subscription,
    left: Option<u32>,
}

impl Broker for Restarting {
    type Subscription = Ending;
    type DeadLetters = <MemoryBroker as Broker>::DeadLetters;
    type Announcements = <MemoryBroker as Broker>::Announcements;

    async fn store(&self) -> Result<StoreId, BrokerError> {
        self.inner.store().await
    }

    async fn declare(&self, mailboxes: &[ParticipantId]) -> Result<(), BrokerError> {
        self.inner.declare(mailboxes).await
    }

    async fn publish(&self, publication: Publication) -> Result<(), PublishError> {
        self.inner.publish(publication).await
    }

    async fn subscribe(&self, mailbox: ParticipantId, prefetch: u16) -> Result<Ending, BrokerError> {
        let restarts = self.restarts.load(Ordering::Relaxed);
        if restarts % 2 == 1 {
            self.restarts.store(restarts - 1, Ordering::Relaxed);
            return Err(BrokerError::Unavailable("restarting".into()));
        }
        let inner = self.inner.subscribe(mailbox, prefetch).await?;
        Ok(Ending { inner, left: (restarts > 0).then_some(1) })
    }

    async fn dead_letters(&self) -> Result<Self::DeadLetters, BrokerError> {
        self.inner.dead_letters().await
    }

    async fn announce(&self, announcement: Announcement) -> bool {
        self.inner.announce(announcement).await
    }

    async fn announcements(&self) -> Result<Self::Announcements, BrokerError> {
        self.inner.announcements().await
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.inner.probe().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        self.inner.depth().await
    }
}

impl Subscription for Ending {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        match &mut self.left {
            Some(0) => Err(BrokerError::SubscriptionEnded),
            Some(left) => {
                *left -= 1;
                self.inner.next().await
            }
            None => self.inner.next().await,
        }
    }

    async fn settle(&mut self, tag: Tag, disposition: Disposition) -> Result<(), BrokerError> {
        self.inner.settle(tag, disposition).await
    }
}

fn mailbox() -> ParticipantId {
    ParticipantId::from_bytes([1; 16]).unwrap()
}

async fn broker(messages: u8) -> MemoryBroker {
    let store = StoreId::from_custom_bytes([1; 16]);
    let broker = MemoryBroker::new(store, QueueLimits::default(), || Timestamp(1_000));
    broker.declare(&[mailbox()]).await.unwrap();
    for number in 0..messages {
        let publication = Publication {
            mailbox: mailbox(),
            sender: mailbox(),
            id: MessageId::from_custom_bytes([number; 16]),
            expires: Timestamp(100_000),
            envelope: vec![number].into(),
        };
        broker.publish(publication).await.unwrap();
    }
    broker
}

async fn delivery<B: Broker>(feed: &mut Feed<B>) -> (u64, u8) {
    match feed.next(true).await {
        Some(Fed::Delivery { number, envelope, .. }) => (number, envelope[0]),
        other => panic!("{other:?} in place of a delivery"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_was_given_back_goes_to_another_feed_that_waits() {
    let broker = broker(0).await;
    let mut feeds = [1, 2].map(|seed| Feed::new(broker.clone(), mailbox(), 8, seed));
    for feed in &mut feeds {
        assert_eq!(feed.next(true).await, Some(Fed::Subscribed));
    }
    let [giving, other] = &mut feeds;
    let publication = Publication {
        mailbox: mailbox(),
        sender: mailbox(),
        id: MessageId::from_custom_bytes([7; 16]),
        expires: Timestamp(100_000),
        envelope: vec![7].into(),
    };
    broker.publish(publication).await.unwrap();
    let (number, _) = delivery(giving).await;
    giving.settle(number, Disposition::Requeue);
    tokio::select! {
        biased;
        _ = delivery(giving) => panic!("it came back to where it was given back"),
        (_, envelope) = delivery(other) => assert_eq!(envelope, 7),
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_is_alone_gets_back_what_it_gave_back() {
    let mut feed = Feed::new(broker(1).await, mailbox(), 8, 1);
    assert_eq!(feed.next(true).await, Some(Fed::Subscribed));
    let (number, _) = delivery(&mut feed).await;
    feed.settle(number, Disposition::Requeue);
    assert_eq!(delivery(&mut feed).await.1, 0);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_ends_is_made_again_and_old_numbers_settle_nothing() {
    let inner = broker(3).await;
    let restarting = Restarting { inner: inner.clone(), restarts: Arc::new(AtomicU32::new(2)) };
    let restarts = Arc::clone(&restarting.restarts);
    let mut feed = Feed::new(restarting, mailbox(), 8, 1);
    assert_eq!(feed.next(true).await, Some(Fed::Subscribed));
    let (first, envelope) = delivery(&mut feed).await;
    assert_eq!(envelope, 0);
    // It ends with this, is refused once, and then holds.
    restarts.store(1, Ordering::Relaxed);
    let (again, envelope) = delivery(&mut feed).await;
    assert_eq!(envelope, 0);
    assert_ne!(first, again);
    feed.settle(first, Disposition::Ack);
    assert!(!feed.is_busy());
    assert_eq!(inner.depth().await.unwrap().unsettled, 1);
    feed.settle(again, Disposition::Ack);
    assert_eq!(delivery(&mut feed).await.1, 1);
    assert_eq!(inner.depth().await.unwrap(), Depth { ready: 1, unsettled: 1, ..inner.depth().await.unwrap() });
}

#[tokio::test]
async fn a_mailbox_that_the_broker_lost_is_declared() {
    let store = StoreId::from_custom_bytes([1; 16]);
    let empty = MemoryBroker::new(store, QueueLimits::default(), || Timestamp(1_000));
    let mut feed = Feed::new(empty.clone(), mailbox(), 8, 1);
    assert_eq!(feed.next(false).await, Some(Fed::Subscribed));
    assert_eq!(feed.next(false).await, None);
    assert_eq!(empty.depth().await.unwrap().mailboxes, 1);
}

#[tokio::test]
async fn what_is_settled_when_the_feed_ends_stays_settled_and_the_rest_goes_back() {
    let broker = broker(2).await;
    let mut feed = Feed::new(broker.clone(), mailbox(), 8, 1);
    assert_eq!(feed.next(true).await, Some(Fed::Subscribed));
    let (first, _) = delivery(&mut feed).await;
    delivery(&mut feed).await;
    feed.settle(first, Disposition::Ack);
    feed.finish().await;
    let depth = broker.depth().await.unwrap();
    assert_eq!((depth.ready, depth.unsettled), (1, 0));
}
