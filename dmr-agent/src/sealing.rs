//! Sealing for this participant, under the directory in use. It runs in the task of whoever sends.

use dmr_core::content::Message;
use dmr_core::exchange::{IncomingMessage, OutgoingMessage, SealedMessage, SendError, Unsealable};
use dmr_core::id::{MessageId, ParticipantId};
use dmr_crypto::VerifiedDirectory;
use tokio::sync::watch;

use crate::clock::Clock;

/// The keyring, the directory in use and the clock. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Sealer {
    inner: dmr_crypto::Sealer,
    /// Changes with the directory in use.
    changes: watch::Receiver<()>,
    clock: Clock,
}

impl Sealer {
    pub(crate) fn new(inner: dmr_crypto::Sealer, changes: watch::Receiver<()>, clock: Clock) -> Self {
        Self { inner, changes, clock }
    }

    /// The same without clock and changes: for the exchange and the directory's keeper.
    pub(crate) fn inner(&self) -> &dmr_crypto::Sealer {
        &self.inner
    }

    /// Whose keys they are.
    pub(crate) fn participant(&self) -> ParticipantId {
        self.inner.participant()
    }

    /// Erases sealing secrets that nothing in flight needs any more: forward secrecy, by generation of keys.
    pub(crate) fn erase_expired_keys(&self) {
        let erased = self.inner.erase_expired_keys(self.clock.wall());
        if erased > 0 {
            tracing::info!(erased, "erased sealing keys that have ended; the key file still has them");
        }
    }

    pub(crate) fn directory(&self) -> Option<VerifiedDirectory> {
        self.inner.directory()
    }

    /// Follows the directory in use.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Why nothing can be sealed now, if that is so.
    pub(crate) fn unsealable(&self) -> Option<Unsealable> {
        self.inner.unsealable(self.clock.wall())
    }

    /// Seals a message of the program's.
    pub(crate) fn seal(&self, message: OutgoingMessage) -> Result<SealedMessage, SendError> {
        self.inner.seal(message, self.clock.wall())
    }

    /// Seals the answer to `question`, under the id that is derived from it.
    pub(crate) fn seal_answer(&self, question: &IncomingMessage, content: Message) -> Result<SealedMessage, SendError> {
        self.inner.seal_answer(question.reference, question.sender, content, self.clock.wall())
    }
}

/// A fresh version 7 id.
pub(crate) fn fresh_id() -> MessageId {
    let bytes = uuid::Uuid::now_v7().into_bytes();
    // A version 7 UUID has bits that are set; the other branch keeps the function total.
    MessageId::from_bytes(bytes).unwrap_or(MessageId::from_custom_bytes(bytes))
}
