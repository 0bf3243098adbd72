//! The bare consumer, in a process of its own: acknowledges each message by itself.

use std::sync::Arc;

use dmr_tests::failure::{Doing as _, Failure, Outcome};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lapin::Consumer;
use lapin::message::Delivery;
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
    // The library waits until an acknowledgement is written: one after the other, that would be a system call for each.
    let mut unwritten = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(written) = unwritten.next() => {
                let (stamp, came) = written?;
                mailroom.note(stamp, came);
            }
            delivery = consumer.next() => {
                let delivery = delivery.ok_or_else(|| Failure::new("the broker ended the consumer"))?;
                unwritten.push(acknowledge(delivery.doing("a delivery")?, now()));
            }
        }
    }
}

async fn acknowledge(delivery: Delivery, came: u64) -> Outcome<(Stamp, u64)> {
    delivery.ack(BasicAckOptions::default()).await.doing("acknowledging")?;
    Ok((Stamp::of(&delivery.data).doing("a message's stamp")?, came))
}
