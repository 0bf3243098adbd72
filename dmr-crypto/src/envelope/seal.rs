//! Sealing: from a content and its recipients to the bytes that travel.

use std::time::Duration;

use dmr_core::codec::EncodeError;
use dmr_core::content::Content;
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::{Digest, MessageId, ParticipantId};
use dmr_core::limit;
use dmr_core::time::Timestamp;

use super::keys::{ContentKeys, TAG};
use super::padding::pad;
use super::plaintext::Plaintext;
use super::verify::{VerifyError, check_recipient};
use crate::digest::{envelope_digest, envelope_signed, sha256};
use crate::directory::{KnownSealingKey, VerifiedDirectory};
use crate::identity::{RandomError, random};
use crate::keyring::{Keyring, StandingError};
use crate::sealing::{ContentKey, WrapSeed, wrap_info};

/// What is to be sealed, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct SealRequest<'a> {
    /// Unique per sender.
    pub id: MessageId,
    /// What the envelope is for.
    pub kind: Kind,
    /// Who shall open it: 1 to [`limit::RECIPIENTS`], none twice, in any order.
    pub recipients: &'a [ParticipantId],
    /// Now, by the sender's clock.
    pub created: Timestamp,
    /// After this it is not delivered; at most the directory's longest lifetime after `created`.
    pub expires: Timestamp,
    /// The message.
    pub content: &'a Content,
}

/// A sealed envelope and its name.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// What travels.
    pub envelope: Envelope,
    /// Names it in receipts and answers.
    pub digest: Digest,
}

/// Why nothing was sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The directory expired longer ago than the grace.
    #[error("the directory expired at {expires}")]
    DirectoryExpired {
        /// When.
        expires: Timestamp,
    },
    /// Two directories of this revision exist.
    #[error("there are two directories of revision {revision}")]
    DirectoryForked {
        /// The revision of both.
        revision: u64,
    },
    /// The sender's own entry does not serve its keyring.
    #[error("this participant cannot send: {0}")]
    Standing(#[from] StandingError),
    /// No recipients, or too many.
    #[error("{count} recipients, 1 to {} allowed", limit::RECIPIENTS)]
    RecipientCount {
        /// Recipients given.
        count: usize,
    },
    /// A recipient is given twice.
    #[error("a recipient is given twice")]
    RepeatedRecipient,
    /// A recipient is not listed, does not take part, or is not allowed by the policy.
    #[error("{0}")]
    Recipient(#[source] VerifyError),
    /// A recipient has no valid sealing key of any suite that is allowed.
    #[error("{recipient} has no valid sealing key")]
    NoSealingKey {
        /// The recipient.
        recipient: ParticipantId,
    },
    /// No suite at or above the directory's floor is common to all recipients.
    #[error("no suite from {} up is common to all recipients", floor.number())]
    NoCommonSuite {
        /// The directory's floor.
        floor: Suite,
    },
    /// It would live for nothing, or longer than the directory allows.
    #[error("a lifetime of {lifetime:?}, at most {max:?} allowed")]
    BadLifetime {
        /// From creation to expiry.
        lifetime: Duration,
        /// The directory's longest.
        max: Duration,
    },
    /// The content is too long.
    #[error("the content: {0}")]
    Content(#[source] EncodeError),
    /// The system gave no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The arithmetic refused a key that had been checked, or the parts make no envelope.
    #[error("sealing failed")]
    Failed,
}

/// The randomness of one envelope: its content key and a seed for each wrap.
pub(crate) struct Entropy {
    pub(crate) content_key: ContentKey,
    pub(crate) wraps: Vec<WrapSeed>,
}

impl Entropy {
    fn draw(recipients: usize) -> Result<Self, RandomError> {
        let wraps = (0..recipients).map(|_| WrapSeed::draw()).collect::<Result<_, _>>()?;
        Ok(Self { content_key: random()?, wraps })
    }
}

/// Seals and signs `request` under `directory`, with a content key of its own.
///
/// Takes the highest suite that every recipient lists, and of each recipient the newest sealing key valid at
/// `created`. Each call makes other bytes: what is to be sent again is kept, not sealed again.
///
/// # Errors
/// [`SealError`]; nothing was made.
pub fn seal(keyring: &Keyring, directory: &VerifiedDirectory, request: SealRequest<'_>) -> Result<Sealed, SealError> {
    let count = request.recipients.len();
    if !(1..=limit::RECIPIENTS).contains(&count) {
        return Err(SealError::RecipientCount { count });
    }
    seal_with(keyring, directory, request, Entropy::draw(count)?)
}

/// [`seal`] with given randomness: for the golden vectors, and private for that reason.
pub(crate) fn seal_with(
    keyring: &Keyring,
    directory: &VerifiedDirectory,
    request: SealRequest<'_>,
    entropy: Entropy,
) -> Result<Sealed, SealError> {
    let SealRequest { id, kind, created, expires, content, .. } = request;
    check_directory(directory, request)?;
    let signer = keyring.signing_key(directory, created)?;
    keyring.standing(directory, created)?;
    let Chosen { suite, keys: chosen } = choose_keys(keyring.participant(), directory, request)?;

    let content_key = entropy.content_key;
    let keys = ContentKeys::new(&content_key);
    let listed = chosen.iter().map(|(participant, key)| Recipient { participant: *participant, key: key.id });
    let header = Header {
        suite,
        network: directory.network().clone(),
        id,
        sender: keyring.participant(),
        sender_key: signer.id(),
        recipients: Recipients::new(listed.collect()).map_err(|_| SealError::RepeatedRecipient)?,
        kind,
        created,
        expires,
        directory_revision: directory.revision(),
        directory_digest: directory.digest(),
        key_commitment: keys.commitment().ok_or(SealError::Failed)?,
    };
    let header = header.encode().map_err(|_| SealError::Failed)?;
    let header_hash = sha256(&[&header]);

    let wraps = chosen
        .iter()
        .zip(entropy.wraps)
        .map(|((_, key), seed)| key.public.wrap(&wrap_info(suite, key.id, &header_hash), keys.content_key(), seed));
    let wraps: Vec<Wrap> = wraps.collect::<Option<_>>().ok_or(SealError::Failed)?;

    let encoded = Plaintext(content.encode().map_err(SealError::Content)?);
    let mut body = pad(&encoded, TAG).ok_or(SealError::Failed)?;
    keys.seal_body(&header_hash, &mut body).ok_or(SealError::Failed)?;

    let signed = envelope_signed(suite, &header_hash, &wraps, &body);
    let envelope = Envelope::encode(&header, &wraps, &body, &signer.sign(&signed)).map_err(|_| SealError::Failed)?;
    Ok(Sealed { envelope, digest: envelope_digest(&signed) })
}

fn check_directory(directory: &VerifiedDirectory, request: SealRequest<'_>) -> Result<(), SealError> {
    if directory.is_forked() {
        return Err(SealError::DirectoryForked { revision: directory.revision() });
    }
    if !directory.freshness(request.created).allows_sealing() {
        return Err(SealError::DirectoryExpired { expires: directory.expires() });
    }
    let (lifetime, max) = (request.expires.since(request.created), directory.directory().max_ttl);
    if lifetime.is_zero() || lifetime > max {
        return Err(SealError::BadLifetime { lifetime, max });
    }
    Ok(())
}

/// One suite for all recipients, and the sealing key of each, ascending by participant.
struct Chosen<'a> {
    suite: Suite,
    keys: Vec<(ParticipantId, &'a KnownSealingKey)>,
}

/// The highest suite common to all recipients and the newest valid key of each for it.
fn choose_keys<'a>(
    sender: ParticipantId,
    directory: &'a VerifiedDirectory,
    request: SealRequest<'_>,
) -> Result<Chosen<'a>, SealError> {
    let mut recipients = request.recipients.to_vec();
    recipients.sort_unstable();
    if recipients.iter().zip(recipients.iter().skip(1)).any(|(a, b)| a == b) {
        return Err(SealError::RepeatedRecipient);
    }
    let newest = |recipient: ParticipantId, suite: Suite| {
        let keys = directory.index().sealing_keys(recipient).iter();
        let usable = keys.filter(|key| {
            key.algorithm.suite() == Some(suite)
                && key.validity.contains(request.created)
                && !directory.is_revoked(key.id)
        });
        usable.max_by_key(|key| key.validity.not_before)
    };
    for recipient in &recipients {
        check_recipient(sender, *recipient, directory).map_err(SealError::Recipient)?;
        if newest(*recipient, Suite::X25519).or(newest(*recipient, Suite::XWing)).is_none() {
            return Err(SealError::NoSealingKey { recipient: *recipient });
        }
    }
    let floor = directory.directory().suite_floor;
    for suite in [Suite::XWing, Suite::X25519].into_iter().filter(|suite| *suite >= floor) {
        let chosen = recipients.iter().map(|recipient| Some((*recipient, newest(*recipient, suite)?)));
        if let Some(keys) = chosen.collect() {
            return Ok(Chosen { suite, keys });
        }
    }
    Err(SealError::NoCommonSuite { floor })
}
