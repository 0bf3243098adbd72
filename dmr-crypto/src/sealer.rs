//! A participant's keys and the directory in use, together: what an agent seals, opens and logs in with.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::Bytes;
use dmr_core::codec::EncodeError;
use dmr_core::content::{Content, Message, Reference};
use dmr_core::envelope::Envelope;
use dmr_core::exchange::{
    LoginRefusal, LoginRequest, NotOpened, Opened, OutgoingMessage, SealedMessage, Sealing, SendError, SignedLogin,
    Unsealable,
};
use dmr_core::frame::{AuthFields, VERSION};
use dmr_core::header::Kind;
use dmr_core::id::{Digest, MessageId, Nonce, ParticipantId};
use dmr_core::limit;
use dmr_core::time::Timestamp;

use crate::digest::{answer_id, digest_of};
use crate::directory::VerifiedDirectory;
use crate::envelope::{OpenError, SealError, SealRequest, VerifyError, open, seal};
use crate::identity::{IdentitySecret, RandomError, random};
use crate::keyring::Keyring;
use crate::login::{prove_login, verify_challenge};

/// Keys, and the directory in use once there is one. Clones share them, and may be used from any thread.
#[derive(Debug, Clone)]
pub struct Sealer {
    participant: ParticipantId,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keyring: RwLock<Keyring>,
    directory: RwLock<Option<VerifiedDirectory>>,
}

impl Sealer {
    /// These keys, and a directory where there is one already.
    pub fn new(keyring: Keyring, directory: Option<VerifiedDirectory>) -> Self {
        let participant = keyring.participant();
        Self { participant, shared: Arc::new(Shared { keyring: keyring.into(), directory: directory.into() }) }
    }

    /// Whose keys they are.
    pub fn participant(&self) -> ParticipantId {
        self.participant
    }

    /// The keys, for as long as the guard lives.
    pub fn keyring(&self) -> RwLockReadGuard<'_, Keyring> {
        // Nothing that panics runs while the keys are changed; the same for the directory.
        self.shared.keyring.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory in use.
    pub fn directory(&self) -> Option<VerifiedDirectory> {
        self.shared.directory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses this directory from now on.
    pub fn use_directory(&self, directory: Option<VerifiedDirectory>) {
        *self.shared.directory.write().unwrap_or_else(PoisonError::into_inner) = directory;
    }

    /// Erases sealing secrets that nothing in flight needs any more: forward secrecy, by generation of keys. Returns how
    /// many.
    pub fn erase_expired_keys(&self, now: Timestamp) -> usize {
        let max_ttl = self.directory().map_or(limit::MAX_TTL, |directory| directory.directory().max_ttl);
        let mut keyring = self.shared.keyring.write().unwrap_or_else(PoisonError::into_inner);
        keyring.erase_expired(now, max_ttl.max(limit::MAX_TTL))
    }

    /// Why nothing can be sealed now, if that is so: the alarm that operators must see.
    pub fn unsealable(&self, now: Timestamp) -> Option<Unsealable> {
        let Some(directory) = self.directory() else { return Some(Unsealable::NoDirectory) };
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

    /// Seals a message of the program's; under a fresh id where it has none.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sealed.
    pub fn seal(&self, message: OutgoingMessage, now: Timestamp) -> Result<SealedMessage, SendError> {
        let id = message.id.map_or_else(|| fresh_id(now), Ok)?;
        self.seal_content(id, message.kind, message.to, message.content, message.expires_in, now)
    }

    /// Seals the answer to `question` for its `asker`, under the id that is derived from the question's.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sealed.
    pub fn seal_answer(
        &self,
        question: Reference,
        asker: ParticipantId,
        mut content: Message,
        now: Timestamp,
    ) -> Result<SealedMessage, SendError> {
        content.in_reply_to = Some(question);
        let id = answer_id(question.id, self.participant);
        self.seal_content(id, Kind::ANSWER, vec![asker], content, None, now)
    }

    fn seal_content(
        &self,
        id: MessageId,
        kind: Kind,
        recipients: Vec<ParticipantId>,
        content: Message,
        expires_in: Option<Duration>,
        created: Timestamp,
    ) -> Result<SealedMessage, SendError> {
        let directory = self.directory().ok_or(Unsealable::NoDirectory)?;
        let expires = created.plus(expires_in.unwrap_or(directory.directory().max_ttl));
        let content = Content::V1(content);
        let request = SealRequest { id, kind, recipients: &recipients, created, expires, content: &content };
        let sealed = seal(&self.keyring(), &directory, request).map_err(send_error)?;
        let reference = Reference { id, digest: sealed.digest };
        Ok(SealedMessage { reference, kind, recipients, expires, envelope: sealed.envelope.bytes().clone() })
    }
}

impl Sealing for Sealer {
    fn participant(&self) -> ParticipantId {
        self.participant
    }

    fn directory_revision(&self) -> Option<u64> {
        let directory = self.shared.directory.read().unwrap_or_else(PoisonError::into_inner);
        directory.as_ref().map(VerifiedDirectory::revision)
    }

    fn open(&self, envelope: &Envelope, now: Timestamp) -> Result<Opened, NotOpened> {
        let directory = self.directory().ok_or_else(no_directory)?;
        let opened = open(&self.keyring(), &directory, envelope, now).map_err(|error| not_opened(&error))?;
        let reference = Reference { id: opened.id, digest: opened.digest };
        Ok(Opened { reference, sender: opened.sender, expires: opened.expires, content: opened.content })
    }

    fn digest(&self, envelope: &Envelope) -> Digest {
        digest_of(envelope)
    }

    fn seal_for(
        &self,
        to: ParticipantId,
        kind: Kind,
        content: Message,
        now: Timestamp,
    ) -> Result<SealedMessage, SendError> {
        self.seal_content(fresh_id(now)?, kind, vec![to], content, None, now)
    }

    fn log_in(&self, request: &LoginRequest<'_>, now: Timestamp) -> Result<SignedLogin, LoginRefusal> {
        let directory = self.directory();
        if let Some(directory) = &directory {
            prove_server(request.challenge_bytes, request.signature, directory, now)?;
        }
        sign_login(&self.keyring(), directory.as_ref(), request, now)
    }

    fn check_server(&self, challenge: &Bytes, signature: &Bytes, now: Timestamp) -> Result<(), LoginRefusal> {
        self.directory().map_or(Ok(()), |directory| prove_server(challenge, signature, &directory, now))
    }
}

/// Proves who the keyring's participant is. Whether the server may ask is not looked at here: see
/// [`verify_challenge`](crate::verify_challenge).
///
/// # Errors
/// [`LoginRefusal::NoLoginKey`], [`LoginRefusal::NoRandomness`] or [`LoginRefusal::Malformed`].
pub fn sign_login(
    keyring: &Keyring,
    directory: Option<&VerifiedDirectory>,
    request: &LoginRequest<'_>,
    now: Timestamp,
) -> Result<SignedLogin, LoginRefusal> {
    let key = login_key(keyring, directory, request.refused_logins, now).ok_or(LoginRefusal::NoLoginKey)?;
    let fields = AuthFields {
        network: request.challenge.network.clone(),
        participant: keyring.participant(),
        key: key.id(),
        version: VERSION,
        nonce: Nonce(*random().map_err(|_| LoginRefusal::NoRandomness)?),
        instance: request.instance,
        binding: request.binding,
        directory_revision: directory.map_or(0, VerifiedDirectory::revision),
    };
    let fields = fields.encode().map_err(|_| LoginRefusal::Malformed)?;
    let proof = prove_login(key, request.challenge_bytes, &fields);
    Ok(SignedLogin { fields, proof: Bytes::copy_from_slice(&proof) })
}

fn prove_server(
    challenge: &Bytes,
    signature: &Bytes,
    directory: &VerifiedDirectory,
    now: Timestamp,
) -> Result<(), LoginRefusal> {
    let proved = verify_challenge(challenge, signature, directory, now);
    proved.map(|_| ()).map_err(|error| LoginRefusal::UnprovenServer(error.to_string().into()))
}

/// The key that the directory here lists. After refusals the others in turn: the server may have a newer directory,
/// which it sends only after a login.
fn login_key<'a>(
    keyring: &'a Keyring,
    directory: Option<&VerifiedDirectory>,
    refused_logins: usize,
    now: Timestamp,
) -> Option<&'a IdentitySecret> {
    let listed = directory.and_then(|directory| keyring.login_key(directory, now).ok());
    let others = keyring.login_keys(now).into_iter();
    let others = others.filter(|key| listed.is_none_or(|listed| listed.id() != key.id()));
    let keys: Vec<_> = listed.into_iter().chain(others).collect();
    keys.get(refused_logins.checked_rem(keys.len())?).copied()
}

/// A fresh version 7 id (RFC 9562, section 5.7): later ids are higher, to the millisecond.
///
/// # Errors
/// [`RandomError`] when the system gives no randomness.
pub fn fresh_message_id(now: Timestamp) -> Result<MessageId, RandomError> {
    Ok(MessageId::from_time(now, *random()?))
}

fn fresh_id(now: Timestamp) -> Result<MessageId, SendError> {
    fresh_message_id(now).map_err(|error| SendError::Seal(error.to_string().into()))
}

fn no_directory() -> NotOpened {
    NotOpened {
        reason: dmr_core::reason::FailureReason::Rejected,
        wants_directory: true,
        sender_is_known: false,
        claims_fork: false,
        error: "no directory yet".into(),
    }
}

fn not_opened(error: &OpenError) -> NotOpened {
    NotOpened {
        reason: error.failure_reason(),
        wants_directory: error.wants_directory(),
        sender_is_known: error.sender_is_known(),
        claims_fork: matches!(error, OpenError::Refused(VerifyError::DirectoryForked { .. })),
        error: error.to_string().into(),
    }
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
