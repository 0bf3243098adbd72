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
    first: Arc<Carrier>,
    more: Mutex<Vec<Arc<Carrier>>>,
}

/// One connection. Each subscription holds a handle as long as its channel is open.
#[derive(Debug)]
pub(super) struct Carrier {
    connection: KeptConnection,
}

impl Carrier {
    fn start(config: &Arc<AmqpConfig>) -> Arc<Self> {
        Arc::new(Self { connection: KeptConnection::start(Arc::clone(config), Purpose::Consume) })
    }

    /// The connection.
    pub(super) fn connection(&self) -> &KeptConnection {
        &self.connection
    }
}

impl Consuming {
    pub(super) fn start(config: Arc<AmqpConfig>) -> Self {
        let first = Carrier::start(&config);
        Self { config, first, more: Mutex::default() }
    }

    /// The first connection.
    pub(super) fn first(&self) -> &KeptConnection {
        &self.first.connection
    }

    /// The first connection, if it is up.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub(super) fn any(&self) -> Result<Arc<Open>, BrokerError> {
        self.first().now()
    }

    /// A connection with room for one more subscription, the first one that has it.
    pub(super) fn carrier(&self) -> Arc<Carrier> {
        let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::iter::once(&self.first).chain(more.iter());
        if let Some(carrier) = first_with_room(all, SUBSCRIPTIONS) {
            return carrier;
        }
        if more.len() + 1 < CONNECTIONS {
            more.push(Carrier::start(&self.config));
        }
        // The broker refuses what is too much.
        Arc::clone(more.last().unwrap_or(&self.first))
    }
}

/// The first handle of which fewer than `most` others are held beside the one in the list.
fn first_with_room<'a, T: 'a>(mut all: impl Iterator<Item = &'a Arc<T>>, most: usize) -> Option<Arc<T>> {
    all.find(|carrier| Arc::strong_count(carrier) <= most).map(Arc::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_fill_the_first_connection_with_room_and_come_back_to_it_when_others_leave() {
        let carriers = [Arc::new(0), Arc::new(1)];
        let place = || first_with_room(carriers.iter(), 3);
        let mut held: Vec<_> = (0..6).map(|_| place().unwrap()).collect();
        assert_eq!(held.iter().map(|carrier| **carrier).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1]);
        assert!(place().is_none());
        // Churn on the first: whoever comes back finds its room again.
        for _ in 0..100 {
            held.remove(0);
            held.push(place().unwrap());
            let first = held.iter().filter(|carrier| ***carrier == 0).count();
            assert!((2..=3).contains(&first), "{first}");
        }
    }
}
