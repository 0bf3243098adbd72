//! The feed: one link's subscription, made again with a backoff when the broker ends it.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::backoff::{Backoff, BackoffConfig};
use dmr_core::id::ParticipantId;
use dmr_transport::{Broker, BrokerError, Disposition, Subscription, Tag};
use tokio::time::{Instant, Sleep, sleep_until};

/// Time for what is still to be settled when a link ends.
const FINISH: Duration = Duration::from_secs(2);

/// Delays between attempts to subscribe again. The broker's handle knows by itself when there is a connection again, so
/// asking often costs little, and waiting long would keep an agent without its messages.
const AGAIN: BackoffConfig = BackoffConfig { base: Duration::from_millis(100), cap: Duration::from_secs(2) };

/// How long a feed that gave a delivery back takes nothing, so that another replica of the participant may have it.
const AFTER_REQUEUE: Duration = Duration::from_millis(5);

/// What a feed yields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// The mailbox can be read from now on. Said once, not after each new subscription.
    Subscribed,
    /// An envelope from the mailbox.
    Delivery {
        /// To settle it by, on this feed.
        number: u64,
        /// 1 for the first attempt.
        attempt: u32,
        /// The envelope.
        envelope: Bytes,
    },
}

/// Yields the deliveries of one mailbox and settles them.
///
/// Deliveries are numbered by the feed, not by the broker: what a subscription that ended had delivered is forgotten
/// here and comes again, and its old number settles nothing. Its memory is bounded by the prefetch.
#[derive(Debug)]
pub(crate) struct Feed<B: Broker> {
    broker: B,
    mailbox: ParticipantId,
    prefetch: u16,
    state: State<B>,
    announced: bool,
    backoff: Backoff,
    last_number: u64,
    unsettled: BTreeMap<u64, Tag>,
    settlements: VecDeque<(u64, Disposition)>,
    /// Nothing is taken before.
    pause: Option<Instant>,
}

type Subscribing<B> = Pin<Box<dyn Future<Output = Result<<B as Broker>::Subscription, BrokerError>> + Send>>;

enum State<B: Broker> {
    Subscribing(Subscribing<B>),
    Live(B::Subscription),
    Waiting(Pin<Box<Sleep>>),
}

impl<B: Broker> std::fmt::Debug for State<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Subscribing(_) => "Subscribing",
            Self::Live(_) => "Live",
            Self::Waiting(_) => "Waiting",
        })
    }
}

impl<B: Broker> Feed<B> {
    /// A feed that subscribes when it is first asked. Feeds with another seed come back at other times.
    pub(crate) fn new(broker: B, mailbox: ParticipantId, prefetch: u16, seed: u64) -> Self {
        let state = State::Subscribing(subscribe(broker.clone(), mailbox, prefetch));
        Self {
            broker,
            mailbox,
            prefetch,
            state,
            announced: false,
            backoff: Backoff::new(AGAIN, seed),
            last_number: 0,
            unsettled: BTreeMap::new(),
            settlements: VecDeque::new(),
            pause: None,
        }
    }

    /// Settles a delivery with the next call of [`Self::next`]. An unknown number changes nothing.
    pub(crate) fn settle(&mut self, number: u64, disposition: Disposition) {
        if self.unsettled.contains_key(&number) {
            self.settlements.push_back((number, disposition));
        }
    }

    /// Whether [`Self::next`] has anything to do when no delivery is wanted.
    pub(crate) fn is_busy(&self) -> bool {
        !self.settlements.is_empty() || !matches!(self.state, State::Live(_))
    }

    /// Settles what is to be settled; then, if one is wanted, waits for a delivery. `None`: only settled.
    ///
    /// # Cancel safety
    /// Safe: a delivery is either returned or still in the mailbox, and a settlement that was not finished is made
    /// again.
    pub(crate) async fn next(&mut self, wanted: bool) -> Option<Fed> {
        loop {
            match &mut self.state {
                State::Waiting(sleep) => {
                    sleep.as_mut().await;
                    let subscribing = subscribe(self.broker.clone(), self.mailbox, self.prefetch);
                    self.state = State::Subscribing(subscribing);
                }
                State::Subscribing(subscribing) => match subscribing.as_mut().await {
                    Ok(subscription) => {
                        self.backoff.reset();
                        self.state = State::Live(subscription);
                        if !std::mem::replace(&mut self.announced, true) {
                            return Some(Fed::Subscribed);
                        }
                    }
                    Err(error) => self.wait(&error),
                },
                State::Live(subscription) => {
                    if wanted
                        && self.settlements.is_empty()
                        && let Some(pause) = self.pause
                    {
                        sleep_until(pause).await;
                        self.pause = None;
                    }
                    match step(subscription, &mut self.settlements, &self.unsettled, wanted).await {
                        Ok(Step::Settled(number)) => {
                            if let Some((_, Disposition::Requeue)) = self.settlements.pop_front() {
                                self.pause = Some(Instant::now() + AFTER_REQUEUE);
                            }
                            self.unsettled.remove(&number);
                        }
                        Ok(Step::Idle) => return None,
                        Ok(Step::Delivered(delivery)) => {
                            self.last_number += 1;
                            self.unsettled.insert(self.last_number, delivery.tag);
                            let (attempt, envelope) = (delivery.attempt, delivery.envelope);
                            return Some(Fed::Delivery { number: self.last_number, attempt, envelope });
                        }
                        Err(error) => self.wait(&error),
                    }
                }
            }
        }
    }

    /// Settles what is to be settled, for at most two seconds, and ends. The rest goes back to the mailbox.
    pub(crate) async fn finish(mut self) {
        if matches!(self.state, State::Live(_)) && !self.settlements.is_empty() {
            // Too late is the same as never: the broker delivers again.
            let _ = tokio::time::timeout(FINISH, self.next(false)).await;
        }
    }

    fn wait(&mut self, error: &BrokerError) {
        self.unsettled.clear();
        self.settlements.clear();
        let delay = self.backoff.next_delay();
        tracing::warn!(mailbox = %self.mailbox, %error, ?delay, "no subscription; subscribing again");
        self.state = State::Waiting(Box::pin(tokio::time::sleep(delay)));
    }
}

enum Step {
    Settled(u64),
    Idle,
    Delivered(dmr_transport::Delivery),
}

async fn step<S: Subscription>(
    subscription: &mut S,
    settlements: &mut VecDeque<(u64, Disposition)>,
    unsettled: &BTreeMap<u64, Tag>,
    wanted: bool,
) -> Result<Step, BrokerError> {
    if let Some(&(number, disposition)) = settlements.front() {
        if let Some(&tag) = unsettled.get(&number) {
            subscription.settle(tag, disposition).await?;
        }
        return Ok(Step::Settled(number));
    }
    if wanted { subscription.next().await.map(Step::Delivered) } else { Ok(Step::Idle) }
}

/// Declares the mailbox if the broker lost it, then subscribes.
fn subscribe<B: Broker>(broker: B, mailbox: ParticipantId, prefetch: u16) -> Subscribing<B> {
    Box::pin(async move {
        match broker.subscribe(mailbox, prefetch).await {
            Err(BrokerError::UnknownMailbox(_)) => {
                broker.declare(&[mailbox]).await?;
                broker.subscribe(mailbox, prefetch).await
            }
            outcome => outcome,
        }
    })
}

#[cfg(test)]
mod tests {
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

        async fn announce(&self, announcement: Announcement) {
            self.inner.announce(announcement).await;
        }

        async fn announcements(&self) -> Result<Self::Announcements, BrokerError> {
            self.inner.announcements().await
        }

        async fn probe(&self) -> Result<(), BrokerError> {
            self.inner.probe().await
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
}
