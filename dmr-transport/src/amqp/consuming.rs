//! The connections for consuming: as many as the subscriptions need.

use std::sync::{Arc, Mutex, PoisonError};

use super::config::AmqpConfig;
use super::connection::{KeptConnection, Open, Purpose};
use crate::broker::BrokerError;

/// Subscriptions on one connection. RabbitMQ allows 2,047 channels unless it is told otherwise.
const SUBSCRIPTIONS: usize = 1_500;
/// Connections, at most: one agent in a hundred thousand is far more than a server holds links.
const CONNECTIONS: usize = 64;

/// Connections that carry subscriptions. The first carries everything else that is consumed too.
#[derive(Debug)]
pub(super) struct Consuming {
    config: Arc<AmqpConfig>,
    first: Arc<KeptConnection>,
    more: Mutex<Vec<Arc<KeptConnection>>>,
}

impl Consuming {
    pub(super) fn start(config: Arc<AmqpConfig>) -> Self {
        let first = Arc::new(KeptConnection::start(Arc::clone(&config), Purpose::Consume));
        Self { config, first, more: Mutex::default() }
    }

    /// The first connection.
    pub(super) fn first(&self) -> &KeptConnection {
        &self.first
    }

    /// The first connection, if it is up.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub(super) fn any(&self) -> Result<Arc<Open>, BrokerError> {
        self.first.now()
    }

    /// A connection with room for a subscription beside so many.
    pub(super) fn for_subscription(&self, subscriptions: usize) -> Arc<KeptConnection> {
        let wanted = (subscriptions / SUBSCRIPTIONS).min(CONNECTIONS - 1);
        let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        while more.len() < wanted {
            more.push(Arc::new(KeptConnection::start(Arc::clone(&self.config), Purpose::Consume)));
        }
        // The last is the one that is not full.
        let last = wanted.checked_sub(1).and_then(|last| more.get(last));
        Arc::clone(last.unwrap_or(&self.first))
    }
}
