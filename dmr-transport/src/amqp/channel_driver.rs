//! The driver of one subscription's channel: deliveries come in, what their owner decided goes out, many acknowledgements
//! in one.
//!
//! While one acknowledgement is on its way more decisions come in, and the next one covers all of them: at one delivery a
//! time nothing waits, under load the broker is spared most of the work.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::acks::Acks;
use super::graveyard::Graveyard;
use crate::broker::{DeadLetter, Disposition};

/// Decisions taken up at once.
const BATCH: usize = 256;
/// Time for the broker to confirm that a channel is closed.
const CLOSING: Duration = Duration::from_secs(2);

/// What is kept of a delivery until it is settled.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) sender: ParticipantId,
    pub(super) id: MessageId,
    pub(super) envelope: Bytes,
}

/// A decision on one delivery.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) tag: u64,
    pub(super) disposition: Disposition,
    /// Needed to bury it.
    pub(super) held: Option<Held>,
}

/// Owns a channel and its consumer until the subscription is dropped or the broker ends it.
pub(super) struct ChannelDriver {
    pub(super) channel: Channel,
    pub(super) consumer: Consumer,
    pub(super) mailbox: ParticipantId,
    pub(super) graveyard: Arc<Graveyard>,
    /// Has room for the whole prefetch.
    pub(super) deliveries: mpsc::Sender<Message>,
    pub(super) settlements: mpsc::Receiver<Settlement>,
    /// Cancelled when the mailbox was seen to be gone.
    pub(super) orphaned: CancellationToken,
    /// Cancelled once the broker has back what was not settled.
    pub(super) closed: CancellationToken,
}

/// The channel is of no more use.
struct Over;

impl From<lapin::Error> for Over {
    fn from(_: lapin::Error) -> Self {
        Self
    }
}

type Burials = FuturesUnordered<BoxFuture<'static, (u64, bool)>>;

impl ChannelDriver {
    /// Runs until the subscription is dropped, then closes the channel: the broker gives what is left to others, in the
    /// order it had (cancelling the consumer first, or nacking many at once, loses that order).
    pub(super) async fn run(mut self) {
        let _closed = self.closed.clone().drop_guard();
        if let Err(Over) = self.drive().await {
            tracing::debug!(mailbox = %self.mailbox, "the channel of a subscription ended");
        }
        // A broker that does not answer closes the connection sooner or later, which has the same effect.
        if self.channel.status().connected() {
            let _ = timeout(CLOSING, self.channel.close(200, "unsubscribed".into())).await;
        }
    }

    async fn drive(&mut self) -> Result<(), Over> {
        let (mut acks, mut burials, mut batch) = (Acks::default(), Burials::new(), Vec::new());
        let mut open = true;
        while open || !burials.is_empty() {
            tokio::select! {
                count = self.settlements.recv_many(&mut batch, BATCH), if open => {
                    open = count > 0;
                    for settlement in batch.drain(..) {
                        self.settle(settlement, &mut acks, &mut burials).await?;
                    }
                }
                message = self.consumer.next(), if open => {
                    let message = message.ok_or(Over)??;
                    // Full: the broker ignores the prefetch. Closed: the other branch sees it too.
                    if self.deliveries.try_send(message).is_err() && !self.deliveries.is_closed() {
                        return Err(Over);
                    }
                }
                () = self.orphaned.cancelled() => return Err(Over),
                Some((tag, buried)) = burials.next(), if !burials.is_empty() => {
                    if buried {
                        acks.add(tag);
                    } else {
                        // The broker keeps it until it can bury it itself, without the reason.
                        self.give_up(&mut acks, tag, false).await?;
                    }
                }
            }
            for (tag, multiple) in acks.take() {
                self.channel.basic_ack(tag, BasicAckOptions { multiple }).await?;
            }
        }
        Ok(())
    }

    async fn settle(&self, settlement: Settlement, acks: &mut Acks, burials: &mut Burials) -> Result<(), Over> {
        let Settlement { tag, disposition, held } = settlement;
        match (disposition, held) {
            (Disposition::Ack, _) => acks.add(tag),
            (Disposition::Requeue, _) => self.give_up(acks, tag, true).await?,
            (Disposition::DeadLetter(reason), Some(held)) => burials.push(self.bury(tag, held, reason)),
            (Disposition::DeadLetter(_), None) => self.give_up(acks, tag, false).await?,
        }
        Ok(())
    }

    fn bury(&self, tag: u64, held: Held, reason: FailureReason) -> BoxFuture<'static, (u64, bool)> {
        let graveyard = Arc::clone(&self.graveyard);
        let letter = DeadLetter { mailbox: self.mailbox, sender: held.sender, id: held.id, reason };
        Box::pin(async move { (tag, graveyard.bury(&letter, &held.envelope).await) })
    }

    /// Gives a delivery back to its mailbox, or to the broker's own dead-lettering.
    async fn give_up(&self, acks: &mut Acks, tag: u64, requeue: bool) -> Result<(), Over> {
        acks.pass(tag);
        self.channel.basic_nack(tag, BasicNackOptions { multiple: false, requeue }).await?;
        Ok(())
    }
}
