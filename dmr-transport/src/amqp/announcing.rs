//! What servers tell each other: a fanout exchange, and for each server a queue that ends with its connection.

use dmr_core::codec;
use futures_util::StreamExt as _;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Consumer};

use super::connection::Open;
use super::errors::unavailable;
use super::topology::{CONTROL, SERVER_PREFIX, short};
use crate::broker::{Announcement, Announcements, BrokerError};

/// Longest announcement, in bytes.
const LENGTH: usize = 256;
/// Announcements that wait for a server that is slow; it misses older ones.
const WAITING: i32 = 10_000;

/// Tells every server. Nothing waits for it, and nothing rests on it.
pub(super) async fn announce(channel: &Channel, announcement: &Announcement) -> lapin::Result<()> {
    let Ok(body) = codec::encode(announcement) else { return Ok(()) };
    let options = BasicPublishOptions::default();
    channel.basic_publish(short(CONTROL), short(""), options, &body, BasicProperties::default()).await.map(drop)
}

/// What is announced on an [`AmqpBroker`](super::AmqpBroker).
#[derive(Debug)]
pub struct AmqpAnnouncements {
    _channel: Channel,
    consumer: Consumer,
}

impl AmqpAnnouncements {
    /// Listens on a queue of this server's own.
    pub(super) async fn open(open: &Open, listener: &str) -> Result<Self, BrokerError> {
        let failed = |error: lapin::Error| unavailable(&error);
        let channel = open.channel().await.map_err(failed)?;
        let queue = format!("{SERVER_PREFIX}{listener}");
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert(short("x-max-length"), AMQPValue::LongInt(WAITING));
        channel.queue_declare(short(&queue), options, arguments).await.map_err(failed)?;
        let binding = QueueBindOptions::default();
        let bound = channel.queue_bind(short(&queue), short(CONTROL), short(""), binding, FieldTable::default()).await;
        bound.map_err(failed)?;
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(short(&queue), short(""), options, FieldTable::default()).await;
        Ok(Self { _channel: channel, consumer: consumer.map_err(failed)? })
    }
}

impl Announcements for AmqpAnnouncements {
    async fn next(&mut self) -> Result<Announcement, BrokerError> {
        loop {
            let Some(Ok(message)) = self.consumer.next().await else { return Err(BrokerError::SubscriptionEnded) };
            match codec::decode(&message.data, LENGTH) {
                Ok(announcement) => return Ok(announcement),
                // A newer server may know more to say.
                Err(error) => tracing::debug!(%error, "an announcement that this server does not understand"),
            }
        }
    }
}
