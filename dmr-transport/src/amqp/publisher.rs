//! Publishing: persistent, mandatory, one confirm at a time on each channel, and an outcome that says what is known.
//!
//! | the broker says | outcome |
//! |---|---|
//! | confirm | stored |
//! | return, then confirm | [`PublishError::Unroutable`] |
//! | nack | once more on a fresh channel, as one that was opened while a queue had no leader is nacked for ever; then |
//! | nack again, messages wait in the mailbox | [`PublishError::Full`]: that is how a mailbox refuses at its bound |
//! | nack again, otherwise | [`PublishError::Unavailable`] |
//! | nothing in time, or the channel ends | [`PublishError::Undecided`] |

use std::sync::Arc;
use std::time::Duration;

use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation, ErrorKind};
use tokio::time::{Instant, timeout_at};

use super::channel_pool::{ChannelPool, Lease, PATIENCE};
use super::config::{AmqpConfig, AmqpLogin};
use super::connection::KeptConnection;
use super::errors::{is_not_found, unavailable};
use super::facts::{self, PERSISTENT, SENDER};
use super::metrics::PublishMetrics;
use super::shares::Shares;
use super::topology::{EXCHANGE, mailbox_name, short};
use crate::broker::{BrokerError, Publication, PublishError};

/// A message on its way to an exchange.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
    pub(super) properties: BasicProperties,
    pub(super) body: &'a [u8],
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Stored by everyone who must.
    Confirmed,
    /// No queue takes it. Nothing was stored.
    Returned,
    /// Refused. Nothing was stored.
    Nacked,
    /// It was not sent.
    NotSent,
    /// Nobody knows.
    Undecided,
}

/// Publishes through a pool of channels.
#[derive(Debug)]
pub(super) struct Publisher {
    pool: Arc<ChannelPool>,
    shares: Shares,
    connection: Arc<KeptConnection>,
    user: Option<ShortString>,
    confirm_timeout: Duration,
    metrics: PublishMetrics,
}

impl Publisher {
    pub(super) fn new(config: &AmqpConfig, connection: Arc<KeptConnection>) -> Self {
        let metrics = PublishMetrics::register();
        let pool = ChannelPool::new(Arc::clone(&connection), config.publish_channels, metrics.clone());
        // The broker compares it with the login, so that a consumer could tell a stranger's message from a server's.
        let user = match &config.login {
            AmqpLogin::Password { user, .. } => Some(short(user)),
            AmqpLogin::Certificate => None,
        };
        let confirm_timeout = config.confirm_timeout;
        let shares = Shares::new(config.publish_channels, PATIENCE);
        Self { pool, shares, connection, user, confirm_timeout, metrics }
    }

    /// Stores an envelope in its mailbox. Takes at most the confirm timeout.
    pub(super) async fn store(&self, publication: &Publication, now: Timestamp) -> Result<(), PublishError> {
        let deadline = Instant::now() + self.confirm_timeout;
        let key = mailbox_name(publication.mailbox);
        let outgoing = Outgoing {
            exchange: EXCHANGE,
            routing_key: &key,
            properties: self.properties(publication, now),
            body: &publication.envelope,
        };
        let Some(share) = self.shares.take(publication.mailbox).await else {
            self.metrics.refused.increment(1);
            return Err(PublishError::Unavailable);
        };
        let outcome = self.publish_until(&outgoing, deadline).await;
        if outcome != Outcome::NotSent {
            share.answered(outcome != Outcome::Undecided);
        }
        drop(share);
        match outcome {
            Outcome::Confirmed => Ok(()),
            Outcome::Returned => Err(PublishError::Unroutable(publication.mailbox)),
            Outcome::Nacked => Err(self.judge(publication.mailbox, &key, deadline).await),
            Outcome::NotSent => Err(PublishError::Unavailable),
            Outcome::Undecided => Err(PublishError::Undecided),
        }
    }

    /// Publishes, and once more after a nack. Takes at most the confirm timeout.
    pub(super) async fn publish(&self, outgoing: &Outgoing<'_>) -> Outcome {
        self.publish_until(outgoing, Instant::now() + self.confirm_timeout).await
    }

    async fn publish_until(&self, outgoing: &Outgoing<'_>, deadline: Instant) -> Outcome {
        let first = self.attempt(outgoing, deadline).await;
        if first == Outcome::Nacked {
            return match self.attempt(outgoing, deadline).await {
                // The first attempt stored nothing, so neither did both.
                Outcome::NotSent => Outcome::Nacked,
                second => second,
            };
        }
        first
    }

    async fn attempt(&self, outgoing: &Outgoing<'_>, deadline: Instant) -> Outcome {
        let lease = match timeout_at(deadline, self.pool.lease()).await {
            Ok(Ok(lease)) => lease,
            Ok(Err(error)) => {
                tracing::debug!(%error, "not sent");
                self.metrics.refused.increment(1);
                return Outcome::NotSent;
            }
            Err(_) => return Outcome::NotSent,
        };
        // Dropped without an answer, the lease closes its channel.
        let outcome = timeout_at(deadline, send(&lease, outgoing)).await.unwrap_or(Outcome::Undecided);
        let counter = match outcome {
            Outcome::Confirmed => &self.metrics.confirmed,
            Outcome::Returned => &self.metrics.returned,
            Outcome::Nacked => &self.metrics.nacked,
            Outcome::NotSent => &self.metrics.refused,
            Outcome::Undecided => &self.metrics.undecided,
        };
        counter.increment(1);
        if matches!(outcome, Outcome::Confirmed | Outcome::Returned) {
            lease.keep();
        }
        outcome
    }

    /// Why a mailbox nacked twice: AMQP 0-9-1 does not say. A mailbox that answers, and holds messages, is full.
    async fn judge(&self, mailbox: ParticipantId, name: &str, deadline: Instant) -> PublishError {
        match timeout_at(deadline, waiting(&self.connection, name)).await {
            Ok(Ok(Some((ready, _)))) if ready > 0 => PublishError::Full(mailbox),
            Ok(Ok(None)) => PublishError::Unroutable(mailbox),
            _ => PublishError::Unavailable,
        }
    }

    fn properties(&self, publication: &Publication, now: Timestamp) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert(short(SENDER), AMQPValue::LongString(publication.sender.to_string().into()));
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(publication.id.to_string().into())
            .with_timestamp(now.0 / 1_000)
            .with_expiration(facts::expiration(publication.expires, now).into())
            .with_headers(headers);
        match &self.user {
            Some(user) => properties.with_user_id(user.clone()),
            None => properties,
        }
    }
}

/// Publishes and waits for the confirm.
async fn send(lease: &Lease, outgoing: &Outgoing<'_>) -> Outcome {
    let Some(channel) = lease.channel() else { return Outcome::NotSent };
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let (exchange, key) = (short(outgoing.exchange), short(outgoing.routing_key));
    let sent = channel.basic_publish(exchange, key, options, outgoing.body, outgoing.properties.clone()).await;
    let confirm = match sent {
        Ok(confirm) => confirm,
        // The library looks at its own state before it writes a byte.
        Err(error) if is_state(error.kind()) => return Outcome::NotSent,
        Err(_) => return Outcome::Undecided,
    };
    match confirm.await {
        Ok(Confirmation::Ack(None)) => Outcome::Confirmed,
        Ok(Confirmation::Ack(Some(returned))) => {
            let ours = outgoing.properties.message_id() == returned.delivery.properties.message_id();
            if ours { Outcome::Returned } else { Outcome::Undecided }
        }
        Ok(Confirmation::Nack(_)) => Outcome::Nacked,
        Ok(Confirmation::NotRequested) | Err(_) => Outcome::Undecided,
    }
}

fn is_state(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidChannel(_) | ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidConnectionState(_)
    )
}

/// Messages that wait in a queue, and its consumers; `None` when there is no such queue.
///
/// # Errors
/// [`BrokerError::Unavailable`].
pub(super) async fn waiting(connection: &KeptConnection, queue: &str) -> Result<Option<(u32, u32)>, BrokerError> {
    let channel = connection.now()?.channel().await.map_err(|error| unavailable(&error))?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(short(queue), options, FieldTable::default()).await;
    match declared {
        Ok(queue) => {
            // An answer to this adds nothing, and an error ends the channel all the same.
            let _ = channel.close(200, "looked".into()).await;
            Ok(Some((queue.message_count(), queue.consumer_count())))
        }
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(unavailable(&error)),
    }
}
