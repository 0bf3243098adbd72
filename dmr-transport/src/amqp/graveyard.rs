//! Burying: a message that a server gave up goes to the dead letters with the reason, before it leaves its mailbox.
//!
//! The broker buries what expires by itself, and can be asked to bury a delivery, but it cannot be told why. So the server
//! publishes a copy with the reason, waits for the confirm, and only then acknowledges the delivery: a crash in between
//! leaves two letters, never none.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use dmr_core::time::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::{Instant, sleep};

use super::config::AmqpConfig;
use super::facts::{DIED, PERSISTENT, QUEUE, REASON, SENDER};
use super::publisher::{Outcome, Outgoing, Publisher};
use super::topology::{DEAD_EXCHANGE, mailbox_name, short};
use crate::broker::DeadLetter;

/// How long a burial is tried. The delivery is unsettled meanwhile.
const TRYING: Duration = Duration::from_secs(60);
/// Pauses between attempts: they double.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Buries messages.
#[derive(Debug)]
pub(super) struct Graveyard {
    config: Arc<AmqpConfig>,
    publisher: Arc<Publisher>,
}

impl Graveyard {
    pub(super) fn new(config: Arc<AmqpConfig>, publisher: Arc<Publisher>) -> Self {
        Self { config, publisher }
    }

    /// Stores a dead letter, trying for at most a minute; says whether the broker has it.
    pub(super) async fn bury(&self, letter: &DeadLetter, envelope: Bytes) -> bool {
        let queue = mailbox_name(letter.mailbox);
        let outgoing = Outgoing {
            exchange: DEAD_EXCHANGE,
            routing_key: short(&queue),
            properties: properties(letter, &queue, self.config.now()),
            body: envelope,
        };
        let deadline = Instant::now() + TRYING;
        let mut pause = FIRST_PAUSE;
        loop {
            let outcome = self.publisher.bury(&outgoing).await;
            if outcome == Outcome::Confirmed {
                return true;
            }
            if Instant::now() + pause >= deadline {
                let (id, reason) = (letter.id, letter.reason);
                tracing::warn!(%id, %reason, ?outcome, "the broker shall bury it, without the reason");
                return false;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn properties(letter: &DeadLetter, queue: &str, now: Timestamp) -> BasicProperties {
    let mut headers = FieldTable::default();
    let text = |text: String| AMQPValue::LongString(text.into());
    headers.insert(short(SENDER), text(letter.sender.to_string()));
    headers.insert(short(QUEUE), text(queue.to_owned()));
    headers.insert(short(REASON), AMQPValue::LongInt(i32::from(letter.reason.number())));
    headers.insert(short(DIED), AMQPValue::LongLongInt(i64::try_from(now.0).unwrap_or(i64::MAX)));
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(letter.id.to_string().into())
        .with_timestamp(now.0 / 1_000)
        .with_headers(headers)
}
