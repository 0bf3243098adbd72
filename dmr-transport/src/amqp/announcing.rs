//! What servers tell each other: a fanout exchange, and for each server a queue that ends with its connection.

use dmr_core::codec;
use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Consumer};

use super::connection::Open;
use super::errors::unavailable;
use super::owned_channel::OwnedChannel;
use super::topology::{CONTROL, SERVER_PREFIX, short};
use crate::broker::{Announcement, Announcements, BrokerError};

/// Longest announcement, in bytes.
const LENGTH: usize = 256;
/// Announcements that wait for a server that is slow; it misses older ones.
const WAITING: i32 = 10_000;
/// Announcements under way to it.
const PREFETCH: u16 = 256;

/// Tells every server. Nothing waits for it, and nothing rests on it.
pub(super) async fn announce(channel: &OwnedChannel, announcement: &Announcement) -> lapin::Result<()> {
    let Ok(body) = codec::encode(announcement) else { return Ok(()) };
    let options = BasicPublishOptions::default();
    channel.basic_publish(short(CONTROL), short(""), options, &body, BasicProperties::default()).await.map(drop)
}

/// What is announced on an [`AmqpBroker`](super::AmqpBroker).
#[derive(Debug)]
pub struct AmqpAnnouncements {
    channel: OwnedChannel,
    consumer: Consumer,
}

impl AmqpAnnouncements {
    /// Listens on a queue of this server's own.
    pub(super) async fn open(open: &Open, listener: &str) -> Result<Self, BrokerError> {
        let failed = |error: lapin::Error| unavailable(&error);
        let channel = open.channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.map_err(failed)?;
        let queue = format!("{SERVER_PREFIX}{listener}");
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert(short("x-max-length"), AMQPValue::LongInt(WAITING));
        channel.queue_declare(short(&queue), options, arguments).await.map_err(failed)?;
        let binding = QueueBindOptions::default();
        let bound = channel.queue_bind(short(&queue), short(CONTROL), short(""), binding, FieldTable::default()).await;
        bound.map_err(failed)?;
        let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(short(&queue), short(""), options, FieldTable::default()).await;
        Ok(Self { channel, consumer: consumer.map_err(failed)? })
    }
}

impl Announcements for AmqpAnnouncements {
    async fn next(&mut self) -> Result<Announcement, BrokerError> {
        loop {
            let Some(Ok(message)) = self.consumer.next().await else { return Err(BrokerError::SubscriptionEnded) };
            // So that the broker's bound counts, and not this process's memory.
            let acknowledged = self.channel.basic_ack(message.delivery_tag, BasicAckOptions::default()).await;
            acknowledged.map_err(|_| BrokerError::SubscriptionEnded)?;
            match codec::decode(&message.data, LENGTH) {
                Ok(announcement) => return Ok(announcement),
                // A newer server may know more to say.
                Err(error) => tracing::debug!(%error, "an announcement that this server does not understand"),
            }
        }
    }
}
