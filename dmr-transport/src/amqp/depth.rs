//! How full the broker is, from what plain AMQP tells: how many messages wait in a queue, and how many consumers it has.
//!
//! The age of what waits is read from the message itself, by taking the first of a mailbox and giving it back. The broker
//! counts that as a delivery, of which a message has ten thousand, and whoever consumes at that moment gets the next
//! message before this one. So only mailboxes that nobody consumes are looked into, each at most once in a quarter of an hour.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use lapin::options::{BasicGetOptions, BasicNackOptions};
use tokio::time::Instant;

use super::errors::unavailable;
use super::facts;
use super::passive::{Looks, Waiting};
use super::topology::{mailbox_name, short};
use crate::broker::{BrokerError, Depth};

/// How long the age of a first message is remembered.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// The mailboxes that this server knows, and what it remembers of their first messages.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    known: Mutex<HashMap<ParticipantId, Option<First>>>,
    sizes: Sizes,
}

/// The first message of a mailbox that nobody consumes.
#[derive(Debug, Clone, Copy)]
struct First {
    stored: Timestamp,
    seen: Instant,
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

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<ParticipantId, Option<First>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How full they are, without what is unsettled, and when the oldest message was stored.
    pub(super) async fn depth(&self, mut looks: Looks<'_>) -> Result<(Depth, Option<Timestamp>), BrokerError> {
        let known: Vec<_> = self.known().iter().map(|(mailbox, first)| (*mailbox, *first)).collect();
        let mut depth = Depth::default();
        let mut oldest: Option<Timestamp> = None;
        for (mailbox, first) in known {
            let queue = mailbox_name(mailbox);
            let Some(waiting) = looks.at(&queue).await? else {
                self.known().remove(&mailbox);
                continue;
            };
            depth.mailboxes += 1;
            depth.ready += u64::from(waiting.ready);
            let first = match (waiting, first) {
                (Waiting { ready: 0, .. }, _) => None,
                // Old news: the first message may have expired since.
                (Waiting { consumers: 0, .. }, Some(first)) if first.seen.elapsed() < REMEMBERED => Some(first),
                (Waiting { consumers: 0, .. }, _) => {
                    peek(&mut looks, &queue).await?.map(|stored| First { stored, seen: Instant::now() })
                }
                (Waiting { .. }, _) => None,
            };
            if let Some(known) = self.known().get_mut(&mailbox) {
                *known = first;
            }
            oldest = oldest.into_iter().chain(first.map(|first| first.stored)).min();
        }
        Ok((depth, oldest))
    }

    /// The mean size of an envelope, in bytes; 0 before the first.
    pub(super) fn mean_size(&self) -> u64 {
        let (count, bytes) = (self.sizes.count.load(Ordering::Relaxed), self.sizes.bytes.load(Ordering::Relaxed));
        bytes.checked_div(count).unwrap_or(0)
    }
}

/// When the first message of a queue was stored; `None` when there is none.
pub(super) async fn peek(looks: &mut Looks<'_>, queue: &str) -> Result<Option<Timestamp>, BrokerError> {
    let channel = looks.channel().await?;
    let failed = |error: lapin::Error| unavailable(&error);
    let Some(message) = channel.basic_get(short(queue), BasicGetOptions::default()).await.map_err(failed)? else {
        return Ok(None);
    };
    let stored = facts::stored(&message.properties);
    let options = BasicNackOptions { multiple: false, requeue: true };
    channel.basic_nack(message.delivery_tag, options).await.map_err(failed)?;
    Ok(stored)
}
