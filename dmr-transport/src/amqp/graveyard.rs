//! Burying: a message that a server gave up goes to the dead letters with the reason, before it leaves its mailbox.
//!
//! The broker buries what expires by itself, and can be asked to bury a delivery, but it cannot be told why. So the server
//! publishes a copy with the reason, waits for the confirm, and only then acknowledges the delivery: a crash in between
//! leaves two letters, never none.

use std::sync::Arc;

use dmr_core::time::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::config::AmqpConfig;
use super::facts::{DIED, PERSISTENT, QUEUE, REASON, SENDER};
use super::publisher::{Outcome, Outgoing, Publisher};
use super::topology::{DEAD_EXCHANGE, mailbox_name, short};
use crate::broker::DeadLetter;

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

    /// Stores a dead letter; says whether the broker has it.
    pub(super) async fn bury(&self, letter: &DeadLetter, envelope: &[u8]) -> bool {
        let queue = mailbox_name(letter.mailbox);
        let outgoing = Outgoing {
            exchange: DEAD_EXCHANGE,
            routing_key: &queue,
            properties: properties(letter, &queue, self.config.now()),
            body: envelope,
        };
        let outcome = self.publisher.publish(&outgoing).await;
        if outcome != Outcome::Confirmed {
            tracing::warn!(id = %letter.id, reason = %letter.reason, ?outcome, "the broker buries it without the reason");
        }
        outcome == Outcome::Confirmed
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
