//! What can be known of an envelope without a secret: that its sender sealed it, now, under this directory.

use std::time::Duration;

use dmr_core::directory::Status;
use dmr_core::envelope::Envelope;
use dmr_core::header::{Header, Suite};
use dmr_core::id::{Digest, KeyId, MessageId, ParticipantId};
use dmr_core::limit::CLOCK_SKEW;
use dmr_core::reason::{FailureReason, RejectReason};
use dmr_core::time::Timestamp;

use crate::digest::{envelope_digest, envelope_signed, sha256};
use crate::directory::{Owner, VerifiedDirectory};

/// Why an envelope is not what it says it is, or not acceptable now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It belongs to another network.
    #[error("the envelope belongs to another network")]
    WrongNetwork,
    /// Its suite is below the directory's floor.
    #[error("suite {} is below the directory's floor, {}", suite.number(), floor.number())]
    SuiteTooLow {
        /// The envelope's.
        suite: Suite,
        /// The directory's.
        floor: Suite,
    },
    /// The directory lists no such sender, or no such signing key of it.
    #[error("the directory knows no signing key {key} of {sender}")]
    UnknownSenderKey {
        /// The header's sender.
        sender: ParticipantId,
        /// The header's key.
        key: KeyId,
    },
    /// The sender's key is revoked, whatever the header says of its age.
    #[error("key {key} is revoked")]
    RevokedKey {
        /// The key.
        key: KeyId,
    },
    /// The sender is suspended or removed.
    #[error("{sender} does not take part")]
    SenderInactive {
        /// The header's sender.
        sender: ParticipantId,
    },
    /// The signature is not the sender's over this header, these wraps and this body.
    #[error("the signature is not the sender's")]
    BadSignature,
    /// It was sealed under a newer directory: fetch that and try again.
    #[error("sealed under directory revision {theirs}, ours is {ours}")]
    StaleDirectory {
        /// The revision here.
        ours: u64,
        /// The revision in the header.
        theirs: u64,
    },
    /// It was sealed under another directory of the same revision: somebody was shown a fork, or lies.
    #[error("sealed under another directory of revision {revision}")]
    DirectoryForked {
        /// The revision of both.
        revision: u64,
    },
    /// It was created in the future.
    #[error("created at {created}, which is in the future")]
    CreatedInFuture {
        /// The header's time.
        created: Timestamp,
    },
    /// It lives for nothing, or longer than the directory allows.
    #[error("a lifetime of {lifetime:?}, at most {max:?} allowed")]
    BadLifetime {
        /// From creation to expiry.
        lifetime: Duration,
        /// The directory's longest.
        max: Duration,
    },
    /// It has expired.
    #[error("expired at {expires}")]
    Expired {
        /// The header's time.
        expires: Timestamp,
    },
    /// It was created outside the validity of the sender's key.
    #[error("created outside the validity of key {key}")]
    KeyOutOfValidity {
        /// The key.
        key: KeyId,
    },
    /// The directory lists no such recipient.
    #[error("the directory does not list the recipient {recipient}")]
    UnknownRecipient {
        /// The recipient.
        recipient: ParticipantId,
    },
    /// A recipient is suspended or removed.
    #[error("the recipient {recipient} does not take part")]
    RecipientInactive {
        /// The recipient.
        recipient: ParticipantId,
    },
    /// The policy does not let the sender write to this recipient.
    #[error("the policy does not let the sender write to {recipient}")]
    PolicyRefused {
        /// The recipient.
        recipient: ParticipantId,
    },
}

impl VerifyError {
    /// What a server tells the sender.
    pub const fn reject_reason(&self) -> RejectReason {
        match self {
            Self::WrongNetwork => RejectReason::WrongNetwork,
            Self::SuiteTooLow { .. } => RejectReason::SuiteTooLow,
            Self::UnknownSenderKey { .. }
            | Self::RevokedKey { .. }
            | Self::SenderInactive { .. }
            | Self::KeyOutOfValidity { .. } => RejectReason::UnknownSenderKey,
            Self::BadSignature => RejectReason::BadSignature,
            Self::StaleDirectory { .. } | Self::DirectoryForked { .. } => RejectReason::StaleDirectory,
            Self::CreatedInFuture { .. } | Self::BadLifetime { .. } => RejectReason::BadLifetime,
            Self::Expired { .. } => RejectReason::Expired,
            Self::UnknownRecipient { .. } => RejectReason::UnknownRecipient,
            Self::RecipientInactive { .. } => RejectReason::RecipientInactive,
            Self::PolicyRefused { .. } => RejectReason::PolicyRefused,
        }
    }

    /// What a recipient settles the delivery with when it will not become better.
    pub const fn failure_reason(&self) -> FailureReason {
        match self {
            Self::Expired { .. } => FailureReason::Expired,
            Self::RevokedKey { .. } | Self::SenderInactive { .. } | Self::RecipientInactive { .. } => {
                FailureReason::Revoked
            }
            Self::WrongNetwork
            | Self::SuiteTooLow { .. }
            | Self::UnknownSenderKey { .. }
            | Self::BadSignature
            | Self::StaleDirectory { .. }
            | Self::DirectoryForked { .. }
            | Self::CreatedInFuture { .. }
            | Self::BadLifetime { .. }
            | Self::KeyOutOfValidity { .. }
            | Self::UnknownRecipient { .. }
            | Self::PolicyRefused { .. } => FailureReason::Rejected,
        }
    }

    /// Whether a newer directory may turn this into a success: fetch it and try again before refusing.
    pub const fn wants_directory(&self) -> bool {
        match self {
            Self::UnknownSenderKey { .. }
            | Self::StaleDirectory { .. }
            | Self::DirectoryForked { .. }
            | Self::UnknownRecipient { .. } => true,
            Self::WrongNetwork
            | Self::SuiteTooLow { .. }
            | Self::RevokedKey { .. }
            | Self::SenderInactive { .. }
            | Self::BadSignature
            | Self::CreatedInFuture { .. }
            | Self::BadLifetime { .. }
            | Self::Expired { .. }
            | Self::KeyOutOfValidity { .. }
            | Self::RecipientInactive { .. }
            | Self::PolicyRefused { .. } => false,
        }
    }
}

/// What a verified signature vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeFacts {
    /// Names the envelope in receipts, answers and the replay guard.
    pub digest: Digest,
    /// Its id.
    pub id: MessageId,
    /// Who sealed it.
    pub sender: ParticipantId,
    /// When it expires.
    pub expires: Timestamp,
}

/// The outcome of [`verify`]: the facts, and the hash of the header that opening needs again.
pub(crate) struct Verified {
    pub(crate) facts: EnvelopeFacts,
    #[cfg_attr(not(feature = "seal"), expect(dead_code, reason = "only opening needs it again"))]
    pub(crate) header_hash: [u8; 32],
}

/// Checks everything about the sender of `envelope`: network, suite floor, key, revocation, standing, signature,
/// directory revision and times, in this order. Recipients are [`check_recipients`]' matter.
///
/// # Errors
/// [`VerifyError`], the first thing that is wrong.
pub fn verify_envelope(
    envelope: &Envelope,
    directory: &VerifiedDirectory,
    now: Timestamp,
) -> Result<EnvelopeFacts, VerifyError> {
    verify(envelope, directory, now).map(|verified| verified.facts)
}

pub(crate) fn verify(
    envelope: &Envelope,
    directory: &VerifiedDirectory,
    now: Timestamp,
) -> Result<Verified, VerifyError> {
    let header = envelope.header();
    if header.network != *directory.network() {
        return Err(VerifyError::WrongNetwork);
    }
    let floor = directory.directory().suite_floor;
    if header.suite < floor {
        return Err(VerifyError::SuiteTooLow { suite: header.suite, floor });
    }
    let (sender, key) = (header.sender, header.sender_key);
    if directory.is_revoked(key) {
        return Err(VerifyError::RevokedKey { key });
    }
    let known = directory.index().identity_key(key);
    let known = known.filter(|known| known.owner == Owner::Participant(sender) && known.usage.sign);
    let (Some(known), Some(participant)) = (known, directory.participant(sender)) else {
        return Err(VerifyError::UnknownSenderKey { sender, key });
    };
    if participant.status != Status::Active {
        return Err(VerifyError::SenderInactive { sender });
    }
    let header_hash = sha256(&[envelope.header_bytes()]);
    let signed = envelope_signed(header.suite, &header_hash, envelope.wraps(), envelope.body());
    if !known.key.verifies(&signed, envelope.signature()) {
        return Err(VerifyError::BadSignature);
    }
    check_revision(header, directory)?;
    check_times(header, directory, now)?;
    if !known.validity.contains(header.created) {
        return Err(VerifyError::KeyOutOfValidity { key });
    }
    let facts = EnvelopeFacts { digest: envelope_digest(&signed), id: header.id, sender, expires: header.expires };
    Ok(Verified { facts, header_hash })
}

fn check_revision(header: &Header, directory: &VerifiedDirectory) -> Result<(), VerifyError> {
    let (ours, theirs) = (directory.revision(), header.directory_revision);
    if theirs > ours {
        return Err(VerifyError::StaleDirectory { ours, theirs });
    }
    if theirs == ours && header.directory_digest != directory.digest() {
        return Err(VerifyError::DirectoryForked { revision: ours });
    }
    Ok(())
}

fn check_times(header: &Header, directory: &VerifiedDirectory, now: Timestamp) -> Result<(), VerifyError> {
    let (created, expires) = (header.created, header.expires);
    if created > now.plus(CLOCK_SKEW) {
        return Err(VerifyError::CreatedInFuture { created });
    }
    let (lifetime, max) = (expires.since(created), directory.directory().max_ttl);
    if lifetime.is_zero() || lifetime > max {
        return Err(VerifyError::BadLifetime { lifetime, max });
    }
    if now > expires.plus(CLOCK_SKEW) {
        return Err(VerifyError::Expired { expires });
    }
    Ok(())
}

/// Checks that the directory lists every recipient of `header`, that each takes part, and that the policy lets the
/// sender write to each.
///
/// # Errors
/// [`VerifyError::UnknownRecipient`], [`VerifyError::RecipientInactive`] or [`VerifyError::PolicyRefused`].
pub fn check_recipients(header: &Header, directory: &VerifiedDirectory) -> Result<(), VerifyError> {
    header
        .recipients
        .as_slice()
        .iter()
        .try_for_each(|recipient| check_recipient(header.sender, recipient.participant, directory))
}

/// The same for one recipient.
pub(crate) fn check_recipient(
    sender: ParticipantId,
    recipient: ParticipantId,
    directory: &VerifiedDirectory,
) -> Result<(), VerifyError> {
    let participant = directory.participant(recipient).ok_or(VerifyError::UnknownRecipient { recipient })?;
    if participant.status != Status::Active {
        return Err(VerifyError::RecipientInactive { recipient });
    }
    if !directory.allows(sender, recipient) {
        return Err(VerifyError::PolicyRefused { recipient });
    }
    Ok(())
}
