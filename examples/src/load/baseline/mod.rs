//! The broker by itself: a bare publisher and consumer over lapin, with the durability that DMR asks of the broker.
//!
//! ```text
//!   this process                                            started by this process
//!   publisher: one connection, one channel ──▶ quorum queue ──▶ consumer: one connection, one channel
//! ```
//!
//! Persistent messages, publisher confirms, acknowledgements one by one. A message has the size of the envelope that
//! DMR stores for the same message, and as many are in flight as DMR has on all its links together. Publishes,
//! confirms and acknowledgements are awaited all at once, never one after the other, and the consumer's prefetch is no
//! bound: it is the strongest simple use of the broker, and what a relay costs is measured against it.

pub mod consumer;
pub mod publisher;

use dmr_tests::failure::{Doing as _, Outcome};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ConnectionProperties};
use serde_json::Value;

use super::budget::Budget;
use super::counterpart::Counterpart;
use super::options::Options;
use super::senders::Sent;
use publisher::Publisher;

/// The broker deletes the queue when nobody has used it for so long: for a run that was interrupted. Milliseconds.
const UNUSED: i32 = 600_000;

/// A connection and a channel on it.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when the broker cannot be reached.
async fn open(url: &str, name: &str) -> Outcome<(Connection, Channel)> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connection = Connection::connect(url, properties).await.doing("connecting to the broker")?;
    let channel = connection.create_channel().await.doing("opening a channel")?;
    Ok((connection, channel))
}

/// The queue, its publisher, and the process of its consumer.
#[derive(Debug)]
pub struct Baseline {
    queue: String,
    connection: Connection,
    channel: Channel,
    publisher: Publisher,
    /// The consuming process.
    pub consumer: Counterpart,
}

impl Baseline {
    /// Declares the queue and starts the consumer, for messages of `len` bytes.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the broker refuses or something does not start.
    pub async fn start(options: &Options, len: usize) -> Outcome<Self> {
        let url = options.broker.first().doing("--broker")?;
        let (connection, channel) = open(url, "dmr load: publisher").await?;
        let queue = format!("dmr-load-baseline-{}", std::process::id());
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
        arguments.insert("x-expires".into(), AMQPValue::LongInt(UNUSED));
        let declared = channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments).await;
        declared.doing("declaring the baseline's queue")?;
        let consumer = Counterpart::start(options, &["--broker", url, "--baseline-queue", &queue]).await?;
        let publisher = Publisher::new(channel.clone(), &queue, len, options.total_in_flight()).await?;
        Ok(Self { queue, connection, channel, publisher, consumer })
    }

    /// Publishes until the budget is used up, and waits for what comes of it: what the publisher knows, and what the
    /// consumer says.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the broker goes away.
    pub async fn send(&mut self, run: u64, budget: &Budget) -> Outcome<(Sent, Value)> {
        let sent = self.publisher.send(run, budget).await?;
        let received = self.consumer.conclude(run, sent.accepted).await?;
        Ok((sent, received))
    }

    /// Ends the consumer and deletes the queue.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the broker refuses.
    pub async fn end(self) -> Outcome {
        drop(self.consumer);
        self.channel
            .queue_delete(self.queue.as_str().into(), QueueDeleteOptions::default())
            .await
            .doing("deleting the baseline's queue")?;
        self.connection.close(200, "done".into()).await.doing("closing the connection to the broker")
    }
}
