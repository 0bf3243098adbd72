//! Channels for publishing, each with at most one publish outstanding.
//!
//! The AMQP library attaches a message that the broker returned to whichever confirm completes next on the channel. With
//! one publish outstanding that is always the right one; with more it is not, and a message that no mailbox took would
//! look stored (measured: up to 4 % of unroutable messages in a pipeline, none in 64,000 over a pool).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::{KeptConnection, Open};
use super::cork::{Cork, Passed};
use super::metrics::PublishMetrics;
use crate::broker::BrokerError;

/// How long a publish waits for a free channel before it is refused. Longer would only hide that the broker is slow.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The channels of one connection after another; never more than its size.
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
    channel: Channel,
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
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, BrokerError> {
        let open = self.open()?;
        let place = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(BrokerError::Unavailable("every channel waits for a confirm".into()));
        };
        // The wait may have been long.
        let open = if open.is_connected() { open } else { self.open()? };
        let channel = match self.take_idle(open.generation()) {
            Some(channel) => channel,
            None => timeout(PATIENCE, confirming(&open))
                .await
                .map_err(|_| BrokerError::Unavailable("it opens no channel".into()))?
                .map_err(|error| BrokerError::Unavailable(error.to_string().into()))?,
        };
        let passed = Cork::pass(Arc::clone(&self.cork)).await;
        let idle = Idle { channel, generation: open.generation() };
        Ok(Lease { pool: Arc::clone(self), idle: Some(idle), _place: place, _passed: passed })
    }

    fn open(&self) -> Result<Arc<Open>, BrokerError> {
        let open = self.connection.now()?;
        if open.is_blocked() {
            return Err(BrokerError::Unavailable("it takes no messages: it is short of memory or disk".into()));
        }
        Ok(open)
    }

    fn take_idle(&self, generation: u64) -> Option<Channel> {
        let mut idle = self.idle();
        while let Some(Idle { channel, generation: its }) = idle.pop() {
            if its == generation && channel.status().connected() {
                return Some(channel);
            }
        }
        None
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn confirming(open: &Open) -> lapin::Result<Channel> {
    let channel = open.channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// A channel on loan. It goes back with [`Lease::keep`]; dropped, it is closed, because nobody knows what is outstanding
/// on it.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<ChannelPool>,
    idle: Option<Idle>,
    _place: OwnedSemaphorePermit,
    _passed: Passed<Arc<Cork>>,
}

impl Lease {
    /// The channel.
    pub(super) fn channel(&self) -> Option<&Channel> {
        self.idle.as_ref().map(|idle| &idle.channel)
    }

    /// Gives the channel back: its publish was answered.
    pub(super) fn keep(mut self) {
        if let Some(idle) = self.idle.take() {
            self.pool.idle().push(idle);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(Idle { channel, .. }) = self.idle.take() else { return };
        self.pool.metrics.channels_replaced.increment(1);
        // Closing needs an answer of the broker, and whoever drops this may not wait. The last handle to a channel that
        // is dropped closes it as well; asked for, it happens in an order that the broker sees.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { timeout(PATIENCE, channel.close(200, "given up".into())).await });
        }
    }
}
