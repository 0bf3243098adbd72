//! Sealing for this participant, under the directory in use. It runs in the task of whoever sends.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::Bytes;
use dmr_core::codec::EncodeError;
use dmr_core::content::{Content, Message, Reference};
use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::limit;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, SealError, SealRequest, VerifiedDirectory, VerifyError};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::error::{SendError, Unsealable};
use crate::message::{IncomingMessage, OutgoingMessage};

/// A sealed message and what must be known of it to publish it and to judge receipts.
#[derive(Debug, Clone)]
pub(crate) struct SealedMessage {
    pub(crate) reference: Reference,
    pub(crate) kind: Kind,
    pub(crate) recipients: Vec<ParticipantId>,
    pub(crate) expires: Timestamp,
    pub(crate) envelope: Bytes,
}

/// The keyring, the directory in use and the clock. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Sealer {
    keyring: Arc<RwLock<Keyring>>,
    participant: ParticipantId,
    directory: watch::Receiver<Option<VerifiedDirectory>>,
    clock: Clock,
}

impl Sealer {
    pub(crate) fn new(keyring: Keyring, directory: watch::Receiver<Option<VerifiedDirectory>>, clock: Clock) -> Self {
        Self { participant: keyring.participant(), keyring: Arc::new(RwLock::new(keyring)), directory, clock }
    }

    /// Whose keys they are.
    pub(crate) fn participant(&self) -> ParticipantId {
        self.participant
    }

    /// The keys, for as long as the guard lives: never across an await.
    pub(crate) fn keyring(&self) -> RwLockReadGuard<'_, Keyring> {
        // Nothing that panics runs while the keys are changed.
        self.keyring.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Erases sealing secrets that nothing in flight needs any more: forward secrecy, by generation of keys.
    pub(crate) fn erase_expired_keys(&self) {
        let max_ttl = self.directory().map_or(limit::MAX_TTL, |directory| directory.directory().max_ttl);
        let mut keyring = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
        let erased = keyring.erase_expired(self.clock.wall(), max_ttl.max(limit::MAX_TTL));
        if erased > 0 {
            tracing::info!(erased, "erased sealing keys that have ended; the key file still has them");
        }
    }

    pub(crate) fn directory(&self) -> Option<VerifiedDirectory> {
        self.directory.borrow().clone()
    }

    /// Follows the directory in use.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<VerifiedDirectory>> {
        self.directory.clone()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Why nothing can be sealed now, if that is so.
    pub(crate) fn unsealable(&self) -> Option<Unsealable> {
        let Some(directory) = self.directory() else { return Some(Unsealable::NoDirectory) };
        let now = self.clock.wall();
        if directory.is_forked() {
            Some(Unsealable::Forked)
        } else if !directory.freshness(now).allows_sealing() {
            Some(Unsealable::Expired)
        } else if self.keyring().standing(&directory, now).is_err() {
            Some(Unsealable::OwnEntry)
        } else {
            None
        }
    }

    /// Seals a message of the program's.
    pub(crate) fn seal(&self, message: OutgoingMessage) -> Result<SealedMessage, SendError> {
        let id = message.id.unwrap_or_else(fresh_id);
        self.seal_content(id, message.kind, message.to, message.content, message.expires_in)
    }

    /// Seals the answer to `question`, under the id that is derived from it.
    pub(crate) fn seal_answer(&self, question: &IncomingMessage, content: Message) -> Result<SealedMessage, SendError> {
        let id = dmr_crypto::answer_id(question.reference.id, self.participant);
        self.seal_content(id, Kind::ANSWER, vec![question.sender], content, None)
    }

    /// Seals what agents tell each other, such as receipts.
    pub(crate) fn seal_for(&self, to: ParticipantId, kind: Kind, content: Message) -> Result<SealedMessage, SendError> {
        self.seal_content(fresh_id(), kind, vec![to], content, None)
    }

    fn seal_content(
        &self,
        id: MessageId,
        kind: Kind,
        recipients: Vec<ParticipantId>,
        content: Message,
        expires_in: Option<Duration>,
    ) -> Result<SealedMessage, SendError> {
        let directory = self.directory().ok_or(Unsealable::NoDirectory)?;
        let created = self.clock.wall();
        let expires = created.plus(expires_in.unwrap_or(directory.directory().max_ttl));
        let content = Content::V1(content);
        let request = SealRequest { id, kind, recipients: &recipients, created, expires, content: &content };
        let sealed = dmr_crypto::seal(&self.keyring(), &directory, request).map_err(send_error)?;
        let reference = Reference { id, digest: sealed.digest };
        Ok(SealedMessage { reference, kind, recipients, expires, envelope: sealed.envelope.bytes().clone() })
    }
}

/// A fresh version 7 id.
pub(crate) fn fresh_id() -> MessageId {
    let bytes = uuid::Uuid::now_v7().into_bytes();
    // A version 7 UUID has bits that are set; the other branch keeps the function total.
    MessageId::from_bytes(bytes).unwrap_or(MessageId::from_custom_bytes(bytes))
}

fn send_error(error: SealError) -> SendError {
    match error {
        SealError::DirectoryExpired { .. } => Unsealable::Expired.into(),
        SealError::DirectoryForked { .. } => Unsealable::Forked.into(),
        SealError::Standing(_) => Unsealable::OwnEntry.into(),
        SealError::RecipientCount { .. } | SealError::RepeatedRecipient => SendError::Recipients,
        SealError::Recipient(VerifyError::UnknownRecipient { recipient }) => SendError::UnknownRecipient(recipient),
        SealError::Recipient(VerifyError::PolicyRefused { recipient }) => SendError::PolicyRefused(recipient),
        SealError::Recipient(VerifyError::RecipientInactive { recipient }) | SealError::NoSealingKey { recipient } => {
            SendError::RecipientInactive(recipient)
        }
        SealError::BadLifetime { lifetime, max } => SendError::Lifetime { asked: lifetime, allowed: max },
        SealError::Content(EncodeError::TooLong { len, limit }) => SendError::TooLarge { len, limit },
        SealError::Content(_) => SendError::TooLarge { len: limit::MESSAGE, limit: limit::MESSAGE },
        other => SendError::Seal(other.to_string().into()),
    }
}
