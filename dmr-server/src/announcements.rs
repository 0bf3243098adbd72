//! What servers on one broker tell each other, and what this one does about it. All of it hints: whoever misses one is
//! served all the same, only later.

use std::sync::Arc;

use dmr_core::backoff::{Backoff, BackoffConfig};
use dmr_transport::{Announcement, Announcements, Broker, BrokerError};
use tokio::sync::mpsc;

use crate::registry::Newcomer;
use crate::shared::Shared;

/// Announcements that wait for the broker. More are dropped.
const WAITING: usize = 1_024;

/// Takes announcements without waiting for the broker.
#[derive(Debug, Clone)]
pub(crate) struct Announcer {
    waiting: mpsc::Sender<Announcement>,
}

/// The other end of an [`Announcer`].
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: mpsc::Receiver<Announcement>,
}

/// An announcer, and what [`tell`] needs to pass on what it takes.
pub(crate) fn announcer() -> (Announcer, Outbox) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Announcer { waiting: sender }, Outbox { waiting: receiver })
}

impl Announcer {
    /// Leaves an announcement for the broker.
    pub(crate) fn announce(&self, announcement: Announcement) {
        if self.waiting.try_send(announcement).is_err() {
            tracing::debug!("an announcement was dropped: too many wait for the broker");
        }
    }
}

/// Passes announcements to the broker for ever.
pub(crate) async fn tell<B: Broker>(shared: Arc<Shared<B>>, mut outbox: Outbox) {
    while let Some(announcement) = outbox.waiting.recv().await {
        // A hint that is lost is a hint less.
        shared.broker.announce(announcement).await;
    }
}

/// Listens for ever, again with a backoff when the broker ends it.
pub(crate) async fn listen<B: Broker>(shared: Arc<Shared<B>>, seed: u64) {
    let mut backoff = Backoff::new(BackoffConfig::default(), seed);
    loop {
        let error = match shared.broker.announcements().await {
            Ok(announcements) => {
                backoff.reset();
                hear(&shared, announcements).await
            }
            Err(error) => error,
        };
        let delay = backoff.next_delay();
        tracing::warn!(%error, ?delay, "other servers are not heard; listening again");
        tokio::time::sleep(delay).await;
    }
}

async fn hear<B: Broker>(shared: &Shared<B>, mut announcements: impl Announcements) -> BrokerError {
    loop {
        match announcements.next().await {
            Ok(Announcement::LoggedIn { participant, instance, session, since }) => {
                shared.registry.supersede(participant, Newcomer { instance, session, since });
            }
            Ok(Announcement::Died(letter)) => shared.registry.notify(letter.sender, letter.id, letter.reason),
            Err(error) => return error,
        }
    }
}
