//! The dead letters that servers tell the senders of.

use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;

use super::connection::Open;
use super::facts;
use super::owned_consumer::OwnedConsumer;
use super::topology::DEAD;
use crate::broker::{BrokerError, DeadLetter, DeadLetters};

/// Letters under way to this server.
const PREFETCH: u16 = 64;

/// The dead letters of an [`AmqpBroker`](super::AmqpBroker).
///
/// A letter is acknowledged when the next one is asked for: a server that dies over one leaves it to the others.
#[derive(Debug)]
pub struct AmqpDeadLetters {
    consumer: OwnedConsumer,
    told: Option<u64>,
}

impl AmqpDeadLetters {
    pub(super) async fn open(open: &Open) -> Result<Self, BrokerError> {
        let options = BasicConsumeOptions::default();
        let consumer = OwnedConsumer::open(open, DEAD, PREFETCH, options, FieldTable::default()).await?;
        Ok(Self { consumer, told: None })
    }
}

impl DeadLetters for AmqpDeadLetters {
    async fn next(&mut self) -> Result<DeadLetter, BrokerError> {
        loop {
            if let Some(tag) = self.told {
                self.consumer.acknowledge(tag).await?;
                self.told = None;
            }
            let message = self.consumer.next().await?;
            self.told = Some(message.delivery_tag);
            match facts::dead_letter(&message) {
                Some(letter) => return Ok(letter),
                // Not ours: nobody to tell. The operator's copy stays.
                None => tracing::warn!(id = ?message.properties.message_id(), "a dead letter that no server wrote"),
            }
        }
    }
}
