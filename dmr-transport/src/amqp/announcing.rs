//! What servers tell each other: a fanout exchange, and for each server a queue that ends with its connection.

use dmr_core::codec;
use lapin::BasicProperties;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::connection::Open;
use super::errors::unavailable;
use super::owned_channel::OwnedChannel;
use super::owned_consumer::OwnedConsumer;
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
    consumer: OwnedConsumer,
}

impl AmqpAnnouncements {
    /// Listens on a queue of this server's own.
    pub(super) async fn open(open: &Open, listener: &str) -> Result<Self, BrokerError> {
        let failed = |error: lapin::Error| unavailable(&error);
        let channel = open.channel().await?;
        let queue = format!("{SERVER_PREFIX}{listener}");
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert(short("x-max-length"), AMQPValue::LongInt(WAITING));
        channel.queue_declare(short(&queue), options, arguments).await.map_err(failed)?;
        let binding = QueueBindOptions::default();
        let bound = channel.queue_bind(short(&queue), short(CONTROL), short(""), binding, FieldTable::default()).await;
        bound.map_err(failed)?;
        let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
        let consumer = OwnedConsumer::on(channel, &queue, PREFETCH, options, FieldTable::default()).await?;
        Ok(Self { consumer })
    }
}

impl Announcements for AmqpAnnouncements {
    async fn next(&mut self) -> Result<Announcement, BrokerError> {
        loop {
            let message = self.consumer.next().await?;
            // Acknowledged, so that the broker's bound counts, and not this process's memory.
            self.consumer.acknowledge(message.delivery_tag).await?;
            match codec::decode(&message.data, LENGTH) {
                Ok(announcement) => return Ok(announcement),
                // A newer server may know more to say.
                Err(error) => tracing::debug!(%error, "an announcement that this server does not understand"),
            }
        }
    }
}
