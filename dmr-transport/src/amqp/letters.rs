//! The dead letters that servers tell the senders of.

use futures_util::StreamExt as _;
use lapin::Consumer;
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;

use super::connection::Open;
use super::errors::unavailable;
use super::facts;
use super::owned_channel::OwnedChannel;
use super::topology::{DEAD, short};
use crate::broker::{BrokerError, DeadLetter, DeadLetters};

/// Letters under way to this server.
const PREFETCH: u16 = 64;

/// The dead letters of an [`AmqpBroker`](super::AmqpBroker).
///
/// A letter is acknowledged when the next one is asked for: a server that dies over one leaves it to the others.
#[derive(Debug)]
pub struct AmqpDeadLetters {
    channel: OwnedChannel,
    consumer: Consumer,
    told: Option<u64>,
}

impl AmqpDeadLetters {
    pub(super) async fn open(open: &Open) -> Result<Self, BrokerError> {
        let channel = open.channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.map_err(|error| unavailable(&error))?;
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(short(DEAD), short(""), options, FieldTable::default()).await;
        let consumer = consumer.map_err(|error| unavailable(&error))?;
        Ok(Self { channel, consumer, told: None })
    }

    async fn acknowledge(&self, tag: u64) -> Result<(), BrokerError> {
        let acknowledged = self.channel.basic_ack(tag, BasicAckOptions::default()).await;
        acknowledged.map_err(|_| BrokerError::SubscriptionEnded)
    }
}

impl DeadLetters for AmqpDeadLetters {
    async fn next(&mut self) -> Result<DeadLetter, BrokerError> {
        loop {
            if let Some(tag) = self.told {
                self.acknowledge(tag).await?;
                self.told = None;
            }
            let message: Message = match self.consumer.next().await {
                Some(Ok(message)) => message,
                Some(Err(_)) | None => return Err(BrokerError::SubscriptionEnded),
            };
            self.told = Some(message.delivery_tag);
            match facts::dead_letter(&message) {
                Some(letter) => return Ok(letter),
                // Not ours: nobody to tell. The operator's copy stays.
                None => tracing::warn!(id = ?message.properties.message_id(), "a dead letter that no server wrote"),
            }
        }
    }
}
