//! Channels for publishing, each with at most one publish outstanding.
//!
//! The AMQP library attaches a message that the broker returned to whichever confirm completes next on the channel. With
//! one publish outstanding that is always the right one; with more it is not, and a message that no mailbox took would
//! look stored (measured: up to 4 % of unroutable messages in a pipeline, none in 64,000 over a pool).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapin::options::ConfirmSelectOptions;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::{KeptConnection, Open};
use super::cork::{Cork, Passed};
use super::metrics::PublishMetrics;
use super::owned_channel::OwnedChannel;
use crate::broker::BrokerError;

/// How long a publish waits for a free channel before it is refused. Longer would only hide that the broker is slow.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The channels of one connection after another; never more than its size, those that are being closed included.
#[derive(Debug)]
pub(super) struct ChannelPool {
    connection: Arc<KeptConnection>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    cork: Arc<Cork>,
    metrics: PublishMetrics,
}

#[derive(Debug)]
struct Idle {
    channel: OwnedChannel,
    generation: u64,
}

impl ChannelPool {
    pub(super) fn new(connection: Arc<KeptConnection>, size: u16, metrics: PublishMetrics) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(usize::from(size.max(1))));
        Arc::new(Self { connection, places, idle: Mutex::default(), cork: Arc::default(), metrics })
    }

    /// A channel in confirm mode with nothing outstanding. Waits for a place at most two seconds.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: no connection, a blocked one, or no place in time.
    ///
    /// # Cancel safety
    /// Safe: a channel that was taken goes back.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, BrokerError> {
        self.open()?;
        let place = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(BrokerError::Unavailable("every channel waits for a confirm".into()));
        };
        // The wait may have been long.
        let open = self.open()?;
        let channel = match self.take_idle(open.generation()) {
            Some(channel) => channel,
            None => timeout(PATIENCE, confirming(&open))
                .await
                .map_err(|_| BrokerError::Unavailable("it opens no channel".into()))??,
        };
        let idle = Idle { channel, generation: open.generation() };
        let pool = Arc::clone(self);
        let mut lease = Lease { pool, open, idle: Some(idle), place: Some(place), used: false, passed: None };
        lease.passed = Some(Cork::pass(Arc::clone(&self.cork)).await);
        self.open().map(|_| lease)
    }

    /// The connection, if it takes messages.
    fn open(&self) -> Result<Arc<Open>, BrokerError> {
        let open = self.connection.now()?;
        if open.is_blocked() { Err(blocked()) } else { Ok(open) }
    }

    fn take_idle(&self, generation: u64) -> Option<OwnedChannel> {
        let mut idle = self.idle();
        while let Some(Idle { channel, generation: its }) = idle.pop() {
            if its == generation && channel.is_open() {
                return Some(channel);
            }
        }
        None
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a publish is told while the broker takes nothing.
pub(super) fn blocked() -> BrokerError {
    BrokerError::Unavailable("it takes no messages: it is short of memory or disk".into())
}

async fn confirming(open: &Open) -> Result<OwnedChannel, BrokerError> {
    let channel = open.channel().await?;
    let selected = channel.confirm_select(ConfirmSelectOptions::default()).await;
    selected.map_err(|error| super::errors::unavailable(&error))?;
    Ok(channel)
}

/// A channel on loan. Dropped before it was used, or after its publish was answered, it goes back; otherwise it is closed,
/// because nobody knows what is outstanding on it, and keeps its place until it is.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<ChannelPool>,
    open: Arc<Open>,
    idle: Option<Idle>,
    place: Option<OwnedSemaphorePermit>,
    used: bool,
    passed: Option<Passed<Arc<Cork>>>,
}

impl Lease {
    /// The channel, to publish on.
    pub(super) fn channel(&mut self) -> Option<&OwnedChannel> {
        self.used = true;
        self.idle.as_ref().map(|idle| &idle.channel)
    }

    /// The publish was answered: nothing is outstanding.
    pub(super) fn answered(&mut self) {
        self.used = false;
    }

    /// The connection that the channel is on.
    pub(super) fn open(&self) -> Arc<Open> {
        Arc::clone(&self.open)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(idle) = self.idle.take() else { return };
        if !self.used {
            self.pool.idle().push(idle);
            return;
        }
        self.pool.metrics.channels_replaced.increment(1);
        let place = self.place.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                idle.channel.close().await;
                drop(place);
            });
        }
    }
}
