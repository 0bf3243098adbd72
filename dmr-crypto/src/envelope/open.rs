//! Opening: from the bytes that arrived to a content whose sender is known.

use dmr_core::content::Content;
use dmr_core::envelope::Envelope;
use dmr_core::id::{Digest, KeyId, MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;

use super::keys::ContentKeys;
use super::padding::unpad;
use super::plaintext::Plaintext;
use super::verify::{VerifyError, check_recipient, verify};
use crate::directory::VerifiedDirectory;
use crate::keyring::Keyring;
use crate::sealing::wrap_info;

/// An opened envelope. The replay guard comes next: it maps `(sender, id)` to `digest` until `expires`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Names the envelope in receipts and answers.
    pub digest: Digest,
    /// Its id, unique per sender.
    pub id: MessageId,
    /// Who sealed it, verified.
    pub sender: ParticipantId,
    /// When it expires.
    pub expires: Timestamp,
    /// The message.
    pub content: Content,
}

/// Why an envelope was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its sender, its time or its network is wrong; or the sender may not write to this participant.
    #[error(transparent)]
    Refused(#[from] VerifyError),
    /// This participant is not among the recipients.
    #[error("not sealed to this participant")]
    NotRecipient,
    /// It is sealed to a key that this keyring does not hold.
    #[error("sealed to key {key}, which this keyring does not hold")]
    UnknownKey {
        /// The key in the header.
        key: KeyId,
    },
    /// It was created outside the validity of the sealing key.
    #[error("created outside the validity of sealing key {key}")]
    KeyOutOfValidity {
        /// The key in the header.
        key: KeyId,
    },
    /// The wrapped key, its commitment, the body or its padding is not right; which of them is not said.
    #[error("cannot be opened")]
    Undecryptable,
    /// It opened, and holds no content this version knows.
    #[error("the content is malformed")]
    Malformed,
}

impl OpenError {
    /// What the delivery is settled with when trying again will not help.
    pub const fn failure_reason(&self) -> FailureReason {
        match self {
            Self::Refused(error) => error.failure_reason(),
            Self::UnknownKey { .. } => FailureReason::UnknownKey,
            Self::NotRecipient | Self::KeyOutOfValidity { .. } | Self::Undecryptable => FailureReason::Rejected,
            Self::Malformed => FailureReason::Malformed,
        }
    }

    /// Whether a newer directory may turn this into a success: fetch it and try again before refusing.
    pub const fn wants_directory(&self) -> bool {
        match self {
            Self::Refused(error) => error.wants_directory(),
            Self::NotRecipient
            | Self::UnknownKey { .. }
            | Self::KeyOutOfValidity { .. }
            | Self::Undecryptable
            | Self::Malformed => false,
        }
    }

    /// Whether the sender's signature was verified: no receipt is owed for anything else.
    pub const fn sender_is_known(&self) -> bool {
        match self {
            Self::Refused(
                VerifyError::WrongNetwork
                | VerifyError::SuiteTooLow { .. }
                | VerifyError::UnknownSenderKey { .. }
                | VerifyError::RevokedKey { .. }
                | VerifyError::SenderInactive { .. }
                | VerifyError::BadSignature,
            ) => false,
            Self::Refused(_)
            | Self::NotRecipient
            | Self::UnknownKey { .. }
            | Self::KeyOutOfValidity { .. }
            | Self::Undecryptable
            | Self::Malformed => true,
        }
    }
}

/// Opens `envelope` as the keyring's participant, checking everything about its sender first.
///
/// # Errors
/// [`OpenError`], the first thing that is wrong; nothing of the content gets out.
pub fn open(
    keyring: &Keyring,
    directory: &VerifiedDirectory,
    envelope: &Envelope,
    now: Timestamp,
) -> Result<Opened, OpenError> {
    let verified = verify(envelope, directory, now)?;
    let (header, me) = (envelope.header(), keyring.participant());
    let position = header.recipients.position(me).ok_or(OpenError::NotRecipient)?;
    check_recipient(header.sender, me, directory)?;
    let (Some(recipient), Some(wrap)) = (header.recipients.as_slice().get(position), envelope.wraps().get(position))
    else {
        return Err(OpenError::NotRecipient);
    };
    let key = recipient.key;
    let secret = keyring.sealing_key(key).ok_or(OpenError::UnknownKey { key })?;
    if !secret.validity().contains(header.created) {
        return Err(OpenError::KeyOutOfValidity { key });
    }
    let info = wrap_info(header.suite, key, &verified.header_hash);
    let content_key = secret.unwrap(header.suite, &info, wrap).ok_or(OpenError::Undecryptable)?;
    let keys = ContentKeys::new(&content_key);
    if !keys.is_committed(&header.key_commitment) {
        return Err(OpenError::Undecryptable);
    }
    // What was opened is a copy; this one is wiped.
    let mut body = Plaintext(envelope.body().to_vec());
    keys.open_body(&verified.header_hash, &mut body).ok_or(OpenError::Undecryptable)?;
    let content = unpad(&body).ok_or(OpenError::Undecryptable)?;
    let content = Content::decode(content).map_err(|_| OpenError::Malformed)?;
    let facts = verified.facts;
    Ok(Opened { digest: facts.digest, id: facts.id, sender: facts.sender, expires: facts.expires, content })
}
