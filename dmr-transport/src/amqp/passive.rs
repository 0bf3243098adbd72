//! Looking at a queue without touching it: a passive declaration.

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::timeout;

use super::connection::Open;
use super::errors::{is_not_found, unavailable};
use super::owned_channel::OwnedChannel;
use super::topology::short;
use crate::broker::BrokerError;

/// One queue, as the broker tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Messages that wait.
    pub(super) ready: u32,
    /// Its consumers.
    pub(super) consumers: u32,
}

/// Looks at queues on one channel, opened when it is needed and again when the broker has closed it.
#[derive(Debug)]
pub(super) struct Looks<'a> {
    open: &'a Open,
    answer_timeout: Duration,
    channel: Option<OwnedChannel>,
}

impl<'a> Looks<'a> {
    /// Looks over this connection, each answered in this time.
    pub(super) fn new(open: &'a Open, answer_timeout: Duration) -> Self {
        Self { open, answer_timeout, channel: None }
    }

    /// What waits in a queue; `None` when there is no such queue.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub(super) async fn at(&mut self, queue: &str) -> Result<Option<Waiting>, BrokerError> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let (name, answer_timeout) = (short(queue), self.answer_timeout);
        let looked = async { Ok(self.channel().await?.queue_declare(name, options, FieldTable::default()).await) };
        match timeout(answer_timeout, looked).await.map_err(|_| late())?? {
            Ok(queue) => Ok(Some(Waiting { ready: queue.message_count(), consumers: queue.consumer_count() })),
            // The broker closes a channel that asks for what is not there.
            Err(error) if is_not_found(&error) => {
                self.channel = None;
                Ok(None)
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The channel, for what belongs to a look.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub(super) async fn channel(&mut self) -> Result<&OwnedChannel, BrokerError> {
        let channel = match self.channel.take().filter(OwnedChannel::is_open) {
            Some(channel) => channel,
            None => timeout(self.answer_timeout, self.open.channel()).await.map_err(|_| late())??,
        };
        Ok(self.channel.insert(channel))
    }
}

fn late() -> BrokerError {
    BrokerError::Unavailable("it did not answer in time".into())
}
