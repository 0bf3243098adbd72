//! How full the broker is, from what plain AMQP tells: how many messages wait in a queue, and how many consumers it has.
//!
//! The age of what waits is read from the message itself, by taking the first of a mailbox and giving it back. The broker
//! counts that as a delivery, of which a message has ten thousand, and whoever consumes at that moment gets the next
//! message before this one. So only mailboxes that nobody consumes are looked into, each at most once while nobody does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use lapin::Channel;
use lapin::options::{BasicGetOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

use super::connection::Open;
use super::errors::{is_not_found, unavailable};
use super::facts;
use super::topology::{mailbox_name, short};
use crate::broker::{BrokerError, Depth};

/// The mailboxes that this server knows, and what it remembers of their first messages.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    known: Mutex<HashMap<ParticipantId, Option<Timestamp>>>,
    sizes: Sizes,
}

/// The mean size of the envelopes that this server has passed.
#[derive(Debug, Default)]
struct Sizes {
    count: AtomicU64,
    bytes: AtomicU64,
}

/// How full one mailbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxDepth {
    /// Messages that wait.
    pub ready: u32,
    /// Subscriptions, on all servers.
    pub consumers: u32,
    /// When the message that has waited longest was stored.
    pub oldest: Option<Timestamp>,
}

/// One mailbox, as the broker tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) ready: u32,
    pub(super) consumers: u32,
}

impl Mailboxes {
    /// There is such a mailbox.
    pub(super) fn insert(&self, mailbox: ParticipantId) {
        self.known().entry(mailbox).or_default();
    }

    /// Counts an envelope towards the mean size.
    pub(super) fn passed(&self, bytes: usize) {
        self.sizes.count.fetch_add(1, Ordering::Relaxed);
        self.sizes.bytes.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<ParticipantId, Option<Timestamp>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How full they are, without what is unsettled. `oldest` is the time at which the oldest message was stored.
    pub(super) async fn depth(&self, open: &Open) -> Result<(Depth, Option<Timestamp>), BrokerError> {
        let known: Vec<_> = self.known().iter().map(|(mailbox, first)| (*mailbox, *first)).collect();
        let mut channel = None;
        let mut depth = Depth::default();
        let mut oldest: Option<Timestamp> = None;
        for (mailbox, first) in known {
            let queue = mailbox_name(mailbox);
            let Some(waiting) = look(open, &mut channel, &queue).await? else {
                self.known().remove(&mailbox);
                continue;
            };
            depth.mailboxes += 1;
            depth.ready += u64::from(waiting.ready);
            let first = match waiting {
                Waiting { ready: 0, .. } => None,
                Waiting { consumers: 0, .. } if first.is_none() => peek(open, &mut channel, &queue).await?,
                Waiting { consumers: 0, .. } => first,
                Waiting { .. } => None,
            };
            if let Some(known) = self.known().get_mut(&mailbox) {
                *known = first;
            }
            oldest = oldest.into_iter().chain(first).min();
        }
        if let Some(channel) = channel {
            let _ = channel.close(200, "looked".into()).await;
        }
        Ok((depth, oldest))
    }

    /// The mean size of an envelope, in bytes; 0 before the first.
    pub(super) fn mean_size(&self) -> u64 {
        let (count, bytes) = (self.sizes.count.load(Ordering::Relaxed), self.sizes.bytes.load(Ordering::Relaxed));
        bytes.checked_div(count).unwrap_or(0)
    }
}

async fn opened<'a>(open: &Open, channel: &'a mut Option<Channel>) -> Result<&'a Channel, BrokerError> {
    if channel.as_ref().is_none_or(|channel| !channel.status().connected()) {
        *channel = Some(open.channel().await.map_err(|error| unavailable(&error))?);
    }
    channel.as_ref().ok_or_else(|| BrokerError::Unavailable("no channel".into()))
}

/// What waits in a queue, on a channel that is opened when needed; `None` when there is no such queue.
pub(super) async fn look(
    open: &Open,
    channel: &mut Option<Channel>,
    queue: &str,
) -> Result<Option<Waiting>, BrokerError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match opened(open, channel).await?.queue_declare(short(queue), options, FieldTable::default()).await {
        Ok(queue) => Ok(Some(Waiting { ready: queue.message_count(), consumers: queue.consumer_count() })),
        // The broker closes a channel that asks for what is not there.
        Err(error) if is_not_found(&error) => {
            *channel = None;
            Ok(None)
        }
        Err(error) => Err(unavailable(&error)),
    }
}

/// When the first message of a queue was stored; `None` when there is none.
pub(super) async fn peek(
    open: &Open,
    channel: &mut Option<Channel>,
    queue: &str,
) -> Result<Option<Timestamp>, BrokerError> {
    let channel = opened(open, channel).await?;
    let failed = |error: lapin::Error| unavailable(&error);
    let Some(message) = channel.basic_get(short(queue), BasicGetOptions::default()).await.map_err(failed)? else {
        return Ok(None);
    };
    let stored = facts::stored(&message.properties);
    let options = BasicNackOptions { multiple: false, requeue: true };
    channel.basic_nack(message.delivery_tag, options).await.map_err(failed)?;
    Ok(stored)
}
