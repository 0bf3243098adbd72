//! A broker in memory that is made to fail or to fall silent.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use dmr_core::id::{ParticipantId, StoreId};
use dmr_transport::memory::MemoryBroker;
use dmr_transport::{Announcement, Broker, BrokerError, Depth, Publication, PublishError};

use super::server::memory;

/// A broker in trouble. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Troubled {
    inner: MemoryBroker,
    pub(crate) troubles: Arc<Troubles>,
}

/// What is wrong with a broker, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    /// Declaring these fails.
    pub(crate) refused: Mutex<Vec<ParticipantId>>,
    /// Declaring these never ends.
    pub(crate) silent: Vec<ParticipantId>,
    /// How full it is is never said.
    pub(crate) hides_depth: AtomicBool,
    pub(crate) declares: AtomicU32,
    pub(crate) depths: AtomicU32,
    pub(crate) probes: AtomicU32,
}

impl Troubled {
    pub(crate) fn new(troubles: Troubles) -> Self {
        Self { inner: memory(), troubles: Arc::new(troubles) }
    }

    /// How many mailboxes there are, whatever trouble there is.
    pub(crate) async fn mailboxes(&self) -> u64 {
        self.inner.depth().await.unwrap().mailboxes
    }
}

impl Broker for Troubled {
    type Subscription = <MemoryBroker as Broker>::Subscription;
    type DeadLetters = <MemoryBroker as Broker>::DeadLetters;
    type Announcements = <MemoryBroker as Broker>::Announcements;

    async fn store(&self) -> Result<StoreId, BrokerError> {
        self.inner.store().await
    }

    async fn declare(&self, mailboxes: &[ParticipantId]) -> Result<(), BrokerError> {
        self.troubles.declares.fetch_add(1, Ordering::Relaxed);
        for mailbox in mailboxes {
            if self.troubles.silent.contains(mailbox) {
                pending::<()>().await;
            }
            if self.troubles.refused.lock().unwrap().contains(mailbox) {
                return Err(BrokerError::Unavailable("refused".into()));
            }
            self.inner.declare(&[*mailbox]).await?;
        }
        Ok(())
    }

    async fn publish(&self, publication: Publication) -> Result<(), PublishError> {
        self.inner.publish(publication).await
    }

    async fn subscribe(&self, mailbox: ParticipantId, prefetch: u16) -> Result<Self::Subscription, BrokerError> {
        self.inner.subscribe(mailbox, prefetch).await
    }

    async fn dead_letters(&self) -> Result<Self::DeadLetters, BrokerError> {
        self.inner.dead_letters().await
    }

    async fn announce(&self, announcement: Announcement) -> bool {
        self.inner.announce(announcement).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    async fn announcements(&self) -> Result<Self::Announcements, BrokerError> {
        self.inner.announcements().await
    }

    async fn probe(&self) -> Result<(), BrokerError> {
        self.troubles.probes.fetch_add(1, Ordering::Relaxed);
        self.inner.probe().await
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        self.troubles.depths.fetch_add(1, Ordering::Relaxed);
        if self.troubles.hides_depth.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
        self.inner.depth().await
    }
}
