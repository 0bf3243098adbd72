//! The bare consumer, in a process of its own: acknowledges each message by itself.

use std::sync::Arc;

use dmr_tests::failure::{Doing as _, Failure, Outcome};
use futures_util::StreamExt as _;
use lapin::Consumer;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use serde_json::json;

use super::open;
use crate::load::counterpart::answer;
use crate::load::mailroom::Mailroom;
use crate::load::options::Options;
use crate::load::stamp::{Stamp, now};

/// Runs the consuming process until its standard input ends.
///
/// # Errors
/// [`Failure`] when the broker goes away, or the other process does not keep to its part.
pub async fn serve(options: &Options, queue: &str) -> Outcome {
    let (_connection, channel) = open(options.broker.first().doing("--broker")?, "dmr load: consumer").await?;
    let prefetch = u16::try_from((2 * options.total_in_flight()).max(64)).unwrap_or(u16::MAX);
    channel.basic_qos(prefetch, BasicQosOptions::default()).await.doing("setting the prefetch")?;
    let consumer = channel
        .basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await
        .doing("consuming from the baseline's queue")?;
    let mailroom = Arc::new(Mailroom::default());
    let consuming = consume(consumer, Arc::clone(&mailroom));
    let ready = json!({});
    let answered = answer(&ready, async |run, count| Ok(mailroom.conclude(run, count).await));
    tokio::select! {
        answered = answered => answered,
        consumed = tokio::spawn(consuming) => consumed.doing("the consumer")?,
    }
}

async fn consume(mut consumer: Consumer, mailroom: Arc<Mailroom>) -> Outcome {
    while let Some(delivery) = consumer.next().await {
        let came = now();
        let delivery = delivery.doing("a delivery")?;
        delivery.ack(BasicAckOptions::default()).await.doing("acknowledging")?;
        if let Some(stamp) = Stamp::of(&delivery.data) {
            mailroom.note(stamp, came);
        }
    }
    Err(Failure::new("the broker ended the consumer"))
}
