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
                let at = now();
                let message = Stamp { run, sender: 0, sequence: self.sequence, at }.message(self.len);
                self.sequence += 1;
                let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
                let options = BasicPublishOptions::default();
                let confirm =
                    self.channel.basic_publish("".into(), self.queue.clone(), options, &message, properties).await;
                let confirm = confirm.doing("publishing to the broker")?;
                unconfirmed.push(confirm.map(move |confirm| (confirm, now().saturating_sub(at))));
            }
            // Whatever has been confirmed meanwhile makes room at once.
            let mut next = unconfirmed.next().await;
            if next.is_none() {
                return Ok(sent);
            }
            while let Some((confirm, took)) = next {
                if confirm.doing("waiting for a confirm")?.is_ack() {
                    sent.accepted += 1;
                    sent.confirm.add(Duration::from_nanos(took));
                } else {
                    sent.failed += 1;
                }
                next = unconfirmed.next().now_or_never().flatten();
            }
        }
    }
}
