//! The dead letters that are kept for the operator: looked through, redriven, purged.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use dmr_core::envelope::Envelope;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::time::Timestamp;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueuePurgeOptions};
use tokio::time::timeout;

use super::broker::AmqpBroker;
use super::config::AmqpConfig;
use super::connection::Open;
use super::errors::unavailable;
use super::facts;
use super::owned_channel::OwnedChannel;
use super::passive::Looks;
use super::publisher::Publisher;
use super::topology::{KEPT, short};
use crate::broker::{BrokerError, DeadLetter, Publication, PublishError};

/// One dead letter, without what is sealed in it.
#[derive(Debug, Clone)]
pub struct KeptLetter {
    /// What died, and why.
    pub letter: DeadLetter,
    /// When it died, where the broker or the server that gave it up told.
    pub died: Option<Timestamp>,
    /// When it was stored in its mailbox.
    pub stored: Option<Timestamp>,
    /// The envelope, of which only the header can be read here.
    pub envelope: Bytes,
}

impl KeptLetter {
    fn of(message: &BasicGetMessage) -> Option<Self> {
        let delivery = &message.delivery;
        let letter = facts::dead_letter(delivery)?;
        let headers = delivery.properties.headers().as_ref();
        let died = headers.and_then(facts::died);
        let stored = facts::stored(&delivery.properties);
        Some(Self { letter, died, stored, envelope: Bytes::copy_from_slice(&delivery.data) })
    }
}

/// What became of a letter that was to be redriven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redrive {
    /// It is in its mailbox again.
    Stored,
    /// It is a copy of one that was redriven; the copy is gone.
    Copy,
    /// Its time is over: its recipient would refuse it. It stays.
    Expired,
    /// It is not an envelope, or not addressed to the mailbox it was in. It stays.
    Unfit,
    /// The mailbox did not take it. It stays.
    Refused,
}

/// A look through the kept letters. What it has taken out comes back when it is dropped, unless it was redriven.
#[derive(Debug)]
pub struct KeptLetters {
    channel: OwnedChannel,
    /// Its connections end with the last handle, and the channel with them.
    broker: AmqpBroker,
    config: Arc<AmqpConfig>,
    publisher: Arc<Publisher>,
    /// Letters that were there when the look began: one that comes back is not met twice.
    left: u32,
    tag: Option<u64>,
    redriven: BTreeSet<(ParticipantId, MessageId)>,
}

impl KeptLetters {
    pub(super) async fn open(
        broker: AmqpBroker,
        config: Arc<AmqpConfig>,
        publisher: Arc<Publisher>,
        open: &Open,
    ) -> Result<Self, BrokerError> {
        let left = Looks::new(open, config.answer_timeout).at(KEPT).await?.map_or(0, |waiting| waiting.ready);
        let channel = open.channel().await?;
        Ok(Self { channel, broker, config, publisher, left, tag: None, redriven: BTreeSet::new() })
    }

    /// How many letters are left to look at.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// The next letter; `None` at the end. Letters that no server wrote are passed over.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    ///
    /// # Cancel safety
    /// Dropped, the letter that was on its way is passed over, and comes back with the others.
    pub async fn next(&mut self) -> Result<Option<KeptLetter>, BrokerError> {
        while self.left > 0 {
            let getting = self.channel.basic_get(short(KEPT), BasicGetOptions::default());
            let late = |_| BrokerError::Unavailable("it did not answer in time".into());
            let got = timeout(self.config.answer_timeout, getting).await.map_err(late)?;
            let Some(message) = got.map_err(|error| unavailable(&error))? else { break };
            self.left -= 1;
            self.tag = Some(message.delivery.delivery_tag);
            if let Some(letter) = KeptLetter::of(&message) {
                return Ok(Some(letter));
            }
        }
        self.left = 0;
        Ok(None)
    }

    /// Stores the letter that [`KeptLetters::next`] gave last in its mailbox again, and then takes it out of here.
    ///
    /// Its recipient may have a verdict on it already, and then repeats that.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: it may be in its mailbox again, and is here still.
    pub async fn redrive(&mut self, kept: &KeptLetter) -> Result<Redrive, BrokerError> {
        let DeadLetter { mailbox, sender, id, .. } = kept.letter;
        let Ok(envelope) = Envelope::decode(kept.envelope.clone()) else { return Ok(Redrive::Unfit) };
        let header = envelope.header();
        if !header.recipients.contains(mailbox) {
            return Ok(Redrive::Unfit);
        }
        // The same message may have died in several mailboxes.
        if self.redriven.contains(&(mailbox, id)) {
            return self.take_out().await.map(|()| Redrive::Copy);
        }
        let now = self.config.now();
        if header.expires <= now {
            return Ok(Redrive::Expired);
        }
        let publication =
            Publication { mailbox, sender, id, expires: header.expires, envelope: envelope.bytes().clone() };
        // Whoever only looks needs no connection to publish on.
        self.broker.until_publishing().await?;
        match self.publisher.store(&publication, now).await {
            Ok(()) => {
                self.redriven.insert((mailbox, id));
                self.take_out().await.map(|()| Redrive::Stored)
            }
            Err(PublishError::Undecided) => Err(BrokerError::Unavailable("it did not confirm in time".into())),
            Err(_) => Ok(Redrive::Refused),
        }
    }

    async fn take_out(&mut self) -> Result<(), BrokerError> {
        let Some(tag) = self.tag.take() else { return Ok(()) };
        self.channel.basic_ack(tag, BasicAckOptions::default()).await.map_err(|error| unavailable(&error))
    }

    /// Ends the look: what was not redriven is back when this returns.
    pub async fn finish(self) {
        // Dropping does the same, without waiting for it.
        self.channel.close().await;
    }
}

/// Throws every kept letter away, and says how many there were.
pub(super) async fn purge(open: &Open) -> Result<u32, BrokerError> {
    let channel = open.channel().await?;
    let purged = channel.queue_purge(short(KEPT), QueuePurgeOptions::default()).await;
    let purged = purged.map_err(|error| unavailable(&error))?;
    channel.close().await;
    Ok(purged)
}
