//! The bare publisher: one channel, so many messages unconfirmed at once.

use std::time::Duration;

use dmr_tests::failure::{Doing as _, Outcome};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel};

use crate::load::budget::Budget;
use crate::load::senders::Sent;
use crate::load::stamp::{Stamp, now};

/// AMQP's delivery mode of a message that is written to disk.
const PERSISTENT: u8 = 2;

/// A channel in confirm mode.
#[derive(Debug)]
pub struct Publisher {
    channel: Channel,
    queue: ShortString,
    len: usize,
    in_flight: usize,
    sequence: u64,
}

impl Publisher {
    /// A publisher of messages of `len` bytes to this queue.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the broker refuses.
    pub async fn new(channel: Channel, queue: &str, len: usize, in_flight: u32) -> Outcome<Self> {
        channel.confirm_select(ConfirmSelectOptions::default()).await.doing("asking for confirms")?;
        let in_flight = usize::try_from(in_flight).unwrap_or(usize::MAX);
        Ok(Self { channel, queue: queue.into(), len, in_flight, sequence: 0 })
    }

    /// Publishes until the budget is used up and everything is confirmed.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the broker goes away.
    pub async fn send(&mut self, run: u64, budget: &Budget) -> Outcome<Sent> {
        let (mut sent, mut unconfirmed) = (Sent::default(), FuturesUnordered::new());
        loop {
            while unconfirmed.len() < self.in_flight && budget.take() {
                unconfirmed.push(publish(self.channel.clone(), self.queue.clone(), self.len, run, self.sequence));
                self.sequence += 1;
            }
            // Whatever has been confirmed meanwhile makes room at once.
            let mut next = unconfirmed.next().await;
            if next.is_none() {
                return Ok(sent);
            }
            while let Some(confirmed) = next {
                match confirmed? {
                    Some(took) => {
                        sent.accepted += 1;
                        sent.confirm.add(took);
                    }
                    None => sent.failed += 1,
                }
                next = unconfirmed.next().now_or_never().flatten();
            }
        }
    }
}

/// Publishes one message and waits for its confirm: how long that took, or `None` when the broker did not take it.
async fn publish(
    channel: Channel,
    queue: ShortString,
    len: usize,
    run: u64,
    sequence: u64,
) -> Outcome<Option<Duration>> {
    let at = now();
    let message = Stamp { run, sender: 0, sequence, at }.message(len);
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    // The library waits here until the frames are written: one after the other, that would be a system call for each.
    let published = channel.basic_publish("".into(), queue, BasicPublishOptions::default(), &message, properties).await;
    let confirm = published.doing("publishing to the broker")?.await.doing("waiting for a confirm")?;
    Ok(confirm.is_ack().then(|| Duration::from_nanos(now().saturating_sub(at))))
}
