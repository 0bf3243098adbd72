//! What became of the messages this process sent, and those who wait for an end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use dmr_core::exchange::{MessageStatus, Records};
use dmr_core::id::MessageId;
use dmr_core::reason::FailureReason;
use tokio::sync::oneshot;

/// The exchange's records, and who waits for what they will say.
#[derive(Debug)]
pub(crate) struct Outcomes {
    records: Records,
    /// An entry goes with the next change of its message, or with its last waiter at the next look.
    waiting: Mutex<BTreeMap<MessageId, Vec<oneshot::Sender<()>>>>,
}

impl Outcomes {
    pub(crate) fn new(records: Records) -> Self {
        Self { records, waiting: Mutex::default() }
    }

    /// What is known of a message.
    pub(crate) fn status(&self, id: MessageId) -> Option<MessageStatus> {
        self.records.status(id)
    }

    /// What a server said of it last.
    pub(crate) fn notice(&self, id: MessageId) -> Option<FailureReason> {
        self.records.notice(id)
    }

    /// Waits until the message's status `suffices`; `None` for a message that is not known, or is forgotten meanwhile.
    pub(crate) async fn awaited(&self, id: MessageId, suffices: fn(&MessageStatus) -> bool) -> Option<MessageStatus> {
        loop {
            match self.look(id, suffices)? {
                Look::Suffices(status) => return Some(status),
                Look::Wait(changed) => changed.await.ok()?,
            }
        }
    }

    /// A change comes after the record of it, so either it is seen here or whoever waits is told.
    fn look(&self, id: MessageId, suffices: fn(&MessageStatus) -> bool) -> Option<Look> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let status = self.records.status(id)?;
        if suffices(&status) {
            return Some(Look::Suffices(status));
        }
        let (waiter, changed) = oneshot::channel();
        let waiters = waiting.entry(id).or_default();
        waiters.retain(|waiter| !waiter.is_closed());
        waiters.push(waiter);
        Some(Look::Wait(changed))
    }

    /// The record of a message has changed, or is gone.
    pub(crate) fn changed(&self, id: MessageId) {
        let waiters = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        for waiter in waiters.unwrap_or_default() {
            // Whoever has stopped waiting needs no word.
            let _ = waiter.send(());
        }
    }
}

/// What a look at a message's status found.
enum Look {
    Suffices(MessageStatus),
    Wait(oneshot::Receiver<()>),
}
