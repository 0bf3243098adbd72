//! The broker inside one process: the queue model under a lock, with wakers and a clock.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dmr_core::id::{ParticipantId, StoreId};
use dmr_core::time::Timestamp;
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::queue::{QueueLimits, QueueModel, SubscriptionId, Taken};
use crate::broker::{
    Announcement, Announcements, Broker, BrokerError, DeadLetter, DeadLetters, Delivery, Depth, Disposition,
    Publication, PublishError, Subscription, Tag,
};

/// How often waiting for dead letters looks at the clock: wall clocks jump, timers do not follow.
const LOOK: Duration = Duration::from_secs(1);

/// Announcements that wait for a slow listener, which misses older ones.
const ANNOUNCEMENTS: usize = 1_024;

/// A broker inside this process, bounded by [`QueueLimits`]. Keeps nothing across a restart. Clones share it.
///
/// No task runs for it: messages expire when something is done with it, or when somebody waits for dead letters.
#[derive(Debug, Clone)]
pub struct MemoryBroker {
    inner: Arc<Inner>,
}

struct Inner {
    store: StoreId,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    state: Mutex<State>,
    announcements: broadcast::Sender<Announcement>,
    #[cfg(any(test, feature = "conformance"))]
    faults: super::faults::Faults,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBroker").field("store", &self.store).finish_non_exhaustive()
    }
}

struct State {
    model: QueueModel,
    /// Subscriptions that wait, by mailbox: a message wakes those of its mailbox and no others.
    waiting: HashMap<ParticipantId, Vec<(SubscriptionId, Waker)>>,
    /// Who waits for dead letters.
    mourners: Vec<Waker>,
}

/// Tasks to wake once the lock is free.
type Wakers = Vec<Waker>;

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state at the present time, then wakes whom that concerns.
    fn change<T>(&self, change: impl FnOnce(&mut State, Timestamp, &mut Wakers) -> T) -> T {
        let mut wakers = Wakers::new();
        let now = (self.clock)();
        let mut state = self.lock();
        let result = change(&mut state, now, &mut wakers);
        if state.model.dead_letters() > 0 {
            wakers.append(&mut state.mourners);
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl State {
    /// Wakes every subscription that waits at this mailbox: which of them can still take is theirs to find out.
    fn wake(&mut self, mailbox: ParticipantId, wakers: &mut Wakers) {
        if let Some(waiting) = self.waiting.get_mut(&mailbox) {
            wakers.extend(waiting.drain(..).map(|(_, waker)| waker));
        }
    }

    fn wait(&mut self, mailbox: ParticipantId, subscription: SubscriptionId, waker: &Waker) {
        let waiting = self.waiting.entry(mailbox).or_default();
        waiting.retain(|(id, _)| *id != subscription);
        waiting.push((subscription, waker.clone()));
    }
}

impl MemoryBroker {
    /// An empty broker.
    ///
    /// `store` must be a random id, fresh at each start. `clock` is the wall clock; tests give their own.
    pub fn new(store: StoreId, limits: QueueLimits, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let state = State { model: QueueModel::new(limits), waiting: HashMap::new(), mourners: Vec::new() };
        Self {
            inner: Arc::new(Inner {
                store,
                clock: Box::new(clock),
                state: Mutex::new(state),
                announcements: broadcast::Sender::new(ANNOUNCEMENTS),
                #[cfg(any(test, feature = "conformance"))]
                faults: super::faults::Faults::default(),
            }),
        }
    }

    /// Dead letters that were dropped because no server took them in time.
    pub fn dead_letters_dropped(&self) -> u64 {
        self.inner.lock().model.dead_letters_dropped()
    }

    fn store_now(&self, publication: Publication) -> Result<(), PublishError> {
        self.inner.change(|state, now, wakers| {
            let mailbox = publication.mailbox;
            state.model.publish(publication, now)?;
            state.wake(mailbox, wakers);
            Ok(())
        })
    }
}

#[cfg(any(test, feature = "conformance"))]
impl MemoryBroker {
    /// For tests: while held, publishes are stored and not confirmed; after 10 s they are undecided.
    pub fn hold_confirms(&self, hold: bool) {
        self.inner.faults.hold_confirms(hold);
    }

    /// For tests: the next publish stores nothing and fails so.
    pub fn fail_next_publish(&self, error: PublishError) {
        self.inner.faults.fail_next_publish(error);
    }
}

impl Broker for MemoryBroker {
    type Subscription = MemorySubscription;
    type DeadLetters = MemoryDeadLetters;
    type Announcements = MemoryAnnouncements;

    async fn store(&self) -> Result<StoreId, BrokerError> {
        Ok(self.inner.store)
    }

    async fn declare(&self, mailboxes: &[ParticipantId]) -> Result<(), BrokerError> {
        // One lock for each, so that a long list delays nobody.
        mailboxes.iter().try_for_each(|mailbox| self.inner.lock().model.declare(*mailbox))
    }

    async fn publish(&self, publication: Publication) -> Result<(), PublishError> {
        #[cfg(any(test, feature = "conformance"))]
        if let Some(error) = self.inner.faults.take_failure() {
            return Err(error);
        }
        self.store_now(publication)?;
        #[cfg(any(test, feature = "conformance"))]
        if timeout(Duration::from_secs(10), self.inner.faults.confirmed()).await.is_err() {
            return Err(PublishError::Undecided);
        }
        Ok(())
    }

    async fn subscribe(&self, mailbox: ParticipantId, prefetch: u16) -> Result<MemorySubscription, BrokerError> {
        let id = self.inner.lock().model.subscribe(mailbox, prefetch)?;
        Ok(MemorySubscription { inner: Arc::clone(&self.inner), id, mailbox })
    }

    async fn dead_letters(&self) -> Result<MemoryDeadLetters, BrokerError> {
        Ok(MemoryDeadLetters { inner: Arc::clone(&self.inner) })
    }

    async fn announce(&self, announcement: Announcement) -> bool {
        // Without a listener there is nobody to tell.
        self.inner.announcements.send(announcement).is_ok()
    }

    async fn announcements(&self) -> Result<MemoryAnnouncements, BrokerError> {
        Ok(MemoryAnnouncements { receiver: self.inner.announcements.subscribe() })
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.inner.change(|state, now, _| state.model.probe(now))
    }

    async fn close(&self) {
        // Settling is done when it returns.
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        Ok(self.inner.change(|state, now, _| {
            state.model.expire(now);
            state.model.depth(now)
        }))
    }
}

/// A subscription to one mailbox of a [`MemoryBroker`]. Dropped, it requeues what it has not settled.
#[derive(Debug)]
pub struct MemorySubscription {
    inner: Arc<Inner>,
    id: SubscriptionId,
    mailbox: ParticipantId,
}

impl MemorySubscription {
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Delivery, BrokerError>> {
        self.inner.change(|state, now, _| match state.model.take(self.id, now) {
            Err(error) => Poll::Ready(Err(error)),
            Ok(Taken::Delivery(delivery)) => Poll::Ready(Ok(delivery)),
            Ok(Taken::Again) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Ok(Taken::Nothing) => {
                state.wait(self.mailbox, self.id, cx.waker());
                Poll::Pending
            }
        })
    }
}

impl Subscription for MemorySubscription {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    async fn settle(&mut self, tag: Tag, disposition: Disposition) -> Result<(), BrokerError> {
        self.inner.change(|state, now, wakers| {
            if state.model.settle(self.id, tag, disposition, now)? {
                state.wake(self.mailbox, wakers);
            }
            Ok(())
        })
    }
}

impl Drop for MemorySubscription {
    fn drop(&mut self) {
        self.inner.change(|state, now, wakers| {
            if let Some(waiting) = state.waiting.get_mut(&self.mailbox) {
                waiting.retain(|(id, _)| *id != self.id);
            }
            if state.model.unsubscribe(self.id, now) {
                state.wake(self.mailbox, wakers);
            }
            if state.waiting.get(&self.mailbox).is_some_and(Vec::is_empty) {
                state.waiting.remove(&self.mailbox);
            }
        });
    }
}

/// The dead letters of a [`MemoryBroker`].
#[derive(Debug)]
pub struct MemoryDeadLetters {
    inner: Arc<Inner>,
}

impl MemoryDeadLetters {
    /// A letter, or this task among those that are woken for one.
    fn poll_letter(&self, cx: &mut Context<'_>) -> Poll<DeadLetter> {
        let mut state = self.inner.lock();
        if let Some(letter) = state.model.take_dead_letter() {
            return Poll::Ready(letter);
        }
        if !state.mourners.iter().any(|mourner| mourner.will_wake(cx.waker())) {
            state.mourners.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl DeadLetters for MemoryDeadLetters {
    async fn next(&mut self) -> Result<DeadLetter, BrokerError> {
        loop {
            let next = self.inner.change(|state, now, _| {
                state.model.expire(now);
                state.model.next_expiry().map(|expiry| expiry.since(now))
            });
            // One millisecond later: a message expires after its time, not at it.
            let pause = next.map_or(LOOK, |left| left.saturating_add(Duration::from_millis(1)).min(LOOK));
            if let Ok(letter) = timeout(pause, poll_fn(|cx| self.poll_letter(cx))).await {
                return Ok(letter);
            }
        }
    }
}

/// What is announced on a [`MemoryBroker`].
#[derive(Debug)]
pub struct MemoryAnnouncements {
    receiver: broadcast::Receiver<Announcement>,
}

impl Announcements for MemoryAnnouncements {
    async fn next(&mut self) -> Result<Announcement, BrokerError> {
        loop {
            match self.receiver.recv().await {
                Ok(announcement) => return Ok(announcement),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return Err(BrokerError::SubscriptionEnded),
            }
        }
    }
}
