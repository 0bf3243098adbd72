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

use bytes::Bytes;
use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation, ErrorKind};
use tokio::time::{Instant, sleep, timeout_at};

use super::channel_pool::{ChannelPool, Lease, PATIENCE};
use super::config::{AmqpConfig, AmqpLogin};
use super::connection::KeptConnection;
use super::facts::{self, PERSISTENT, SENDER};
use super::metrics::PublishMetrics;
use super::passive::{Looks, Waiting};
use super::sending::Sending;
use super::shares::Shares;
use super::topology::{EXCHANGE, mailbox_name, short};
use crate::broker::{Publication, PublishError};

/// Pause before a nacked publish is tried again: a queue that lost its leader has another within half a second.
const AGAIN: Duration = Duration::from_millis(300);

/// A message on its way to an exchange.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) exchange: &'static str,
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Stored by everyone who must.
    Confirmed,
    /// No queue takes it. Nothing was stored.
    Returned,
    /// Refused by one queue at least.
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
        // The broker refuses it unless it is the login's: what it shows to an operator is true.
        let user = match &config.login {
            AmqpLogin::Password { user, .. } => Some(short(user)),
            AmqpLogin::Certificate => None,
        };
        let shares = Shares::new(config.publish_channels, PATIENCE);
        Self { pool, shares, connection, user, confirm_timeout: config.confirm_timeout, metrics }
    }

    /// Stores an envelope in its mailbox. Takes at most the confirm timeout.
    pub(super) async fn store(&self, publication: &Publication, now: Timestamp) -> Result<(), PublishError> {
        let (mailbox, deadline) = (publication.mailbox, self.deadline());
        let key = mailbox_name(mailbox);
        let outgoing = Outgoing {
            exchange: EXCHANGE,
            routing_key: short(&key),
            properties: self.properties(publication, now),
            body: publication.envelope.clone(),
        };
        let Some(share) = self.shares.of_mailbox(mailbox).await else {
            self.metrics.refused.increment(1);
            return Err(PublishError::Unavailable);
        };
        let mut outcome = self.attempt(&outgoing, deadline).await;
        // A mailbox that was full a moment ago is not asked twice.
        if outcome == Outcome::Nacked && !share.was_full() {
            outcome = self.again(&outgoing, deadline).await;
        }
        if outcome != Outcome::NotSent {
            share.answered(outcome != Outcome::Undecided);
        }
        let verdict = match outcome {
            Outcome::Confirmed => Ok(()),
            Outcome::Returned => Err(PublishError::Unroutable(mailbox)),
            Outcome::Nacked => Err(self.judge(mailbox, &key, deadline).await),
            Outcome::NotSent => Err(PublishError::Unavailable),
            Outcome::Undecided => Err(PublishError::Undecided),
        };
        share.full(matches!(verdict, Err(PublishError::Full(_))));
        verdict
    }

    /// Publishes a dead letter, of which few are under way at once.
    pub(super) async fn bury(&self, outgoing: &Outgoing) -> Outcome {
        let Some(share) = self.shares.of_dead_letters().await else { return Outcome::NotSent };
        let outcome = self.attempt(outgoing, self.deadline()).await;
        if outcome != Outcome::NotSent {
            share.answered(outcome != Outcome::Undecided);
        }
        outcome
    }

    /// Publishes, and once more after a nack. Takes at most the confirm timeout.
    pub(super) async fn publish(&self, outgoing: &Outgoing) -> Outcome {
        let deadline = self.deadline();
        match self.attempt(outgoing, deadline).await {
            Outcome::Nacked => self.again(outgoing, deadline).await,
            outcome => outcome,
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.confirm_timeout
    }

    async fn again(&self, outgoing: &Outgoing, deadline: Instant) -> Outcome {
        sleep(AGAIN).await;
        match self.attempt(outgoing, deadline).await {
            // The first attempt was refused, so neither stored it.
            Outcome::NotSent => Outcome::Nacked,
            outcome => outcome,
        }
    }

    async fn attempt(&self, outgoing: &Outgoing, deadline: Instant) -> Outcome {
        let outcome = match timeout_at(deadline, self.pool.lease()).await {
            Ok(Ok(lease)) => {
                let mut sending = Sending::new(lease.open(), send(lease, outgoing.clone()));
                // Given up, or dropped with this, it goes on by itself until the channel can be closed.
                timeout_at(deadline, sending.outcome()).await.unwrap_or(Outcome::Undecided)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "not sent");
                Outcome::NotSent
            }
            Err(_) => Outcome::NotSent,
        };
        let counter = match outcome {
            Outcome::Confirmed => &self.metrics.confirmed,
            Outcome::Returned => &self.metrics.returned,
            Outcome::Nacked => &self.metrics.nacked,
            Outcome::NotSent => &self.metrics.refused,
            Outcome::Undecided => &self.metrics.undecided,
        };
        counter.increment(1);
        outcome
    }

    /// Why a mailbox nacked twice: AMQP 0-9-1 does not say. A mailbox that answers, and holds messages, is full.
    async fn judge(&self, mailbox: ParticipantId, name: &str, deadline: Instant) -> PublishError {
        let Ok(open) = self.connection.now() else { return PublishError::Unavailable };
        let mut looks = Looks::new(&open, self.confirm_timeout);
        match timeout_at(deadline, looks.at(name)).await {
            Ok(Ok(Some(Waiting { ready, .. }))) if ready > 0 => PublishError::Full(mailbox),
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

/// Publishes and waits for the confirm, however long that takes.
async fn send(mut lease: Lease, outgoing: Outgoing) -> Outcome {
    let Outgoing { exchange, routing_key, properties, body } = outgoing;
    let id = properties.message_id().clone();
    let Some(channel) = lease.channel() else { return Outcome::NotSent };
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirm = match channel.basic_publish(short(exchange), routing_key, options, &body, properties).await {
        Ok(confirm) => confirm,
        // The library looks at its own state before it writes a byte.
        Err(error) if is_state(error.kind()) => return Outcome::NotSent,
        Err(_) => return Outcome::Undecided,
    };
    let outcome = match confirm.await {
        Ok(Confirmation::Ack(None)) => Outcome::Confirmed,
        Ok(Confirmation::Ack(Some(returned))) if returned.delivery.properties.message_id() == &id => Outcome::Returned,
        Ok(Confirmation::Nack(_)) => return Outcome::Nacked,
        Ok(Confirmation::Ack(Some(_)) | Confirmation::NotRequested) | Err(_) => return Outcome::Undecided,
    };
    lease.answered();
    outcome
}

fn is_state(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidChannel(_) | ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidConnectionState(_)
    )
}
