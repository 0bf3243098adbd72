//! What an exchange needs of cryptography, and nothing of how it is done.

use bytes::Bytes;

use super::SendError;
use crate::content::{Content, Message, Reference};
use crate::envelope::Envelope;
use crate::frame::{Challenge, ChannelBinding};
use crate::header::Kind;
use crate::id::{Digest, InstanceId, ParticipantId};
use crate::reason::{CloseReason, FailureReason};
use crate::time::Timestamp;

/// A participant's keys and the directory in use, as an exchange uses them. `dmr-crypto` implements it.
///
/// Every call is pure computation of about 0.1 ms.
pub trait Sealing {
    /// Whose keys they are.
    fn participant(&self) -> ParticipantId;

    /// Revision of the directory in use; `None` before there is one.
    fn directory_revision(&self) -> Option<u64>;

    /// Opens an envelope, checking everything about its sender first.
    ///
    /// # Errors
    /// [`NotOpened`]; nothing of the content gets out.
    fn open(&self, envelope: &Envelope, now: Timestamp) -> Result<Opened, NotOpened>;

    /// Names an envelope in receipts, whether or not it verifies.
    fn digest(&self, envelope: &Envelope) -> Digest;

    /// Seals what agents tell each other, such as receipts, under a fresh id that is higher than those before it.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sealed.
    fn seal_for(
        &self,
        to: ParticipantId,
        kind: Kind,
        content: Message,
        now: Timestamp,
    ) -> Result<SealedMessage, SendError>;

    /// Proves who this agent is. Where the directory lists servers, the server must have proved its name first.
    ///
    /// # Errors
    /// [`LoginRefusal`]: no login is tried at this server.
    fn log_in(&self, request: &LoginRequest<'_>, now: Timestamp) -> Result<SignedLogin, LoginRefusal>;

    /// Whether the server that signed this challenge may serve under the directory in use.
    ///
    /// # Errors
    /// [`LoginRefusal::UnprovenServer`].
    fn check_server(&self, challenge: &Bytes, signature: &Bytes, now: Timestamp) -> Result<(), LoginRefusal>;
}

/// A sealed message and what must be known of it to publish it and to judge receipts.
#[derive(Debug, Clone)]
pub struct SealedMessage {
    /// Names it.
    pub reference: Reference,
    /// What it is for.
    pub kind: Kind,
    /// Who can open it.
    pub recipients: Vec<ParticipantId>,
    /// When it expires.
    pub expires: Timestamp,
    /// What travels.
    pub envelope: Bytes,
}

/// An opened envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Names it.
    pub reference: Reference,
    /// Who sealed it.
    pub sender: ParticipantId,
    /// When it expires.
    pub expires: Timestamp,
    /// What was sealed.
    pub content: Content,
}

/// Why an envelope was not opened, as far as it matters to what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOpened {
    /// What the delivery is settled with when trying again will not help.
    pub reason: FailureReason,
    /// Whether a newer directory may make it readable.
    pub wants_directory: bool,
    /// Whether the sender's signature was verified: no receipt is owed for anything else.
    pub sender_is_known: bool,
    /// Whether it was sealed under another directory of the revision in use.
    pub claims_fork: bool,
    /// In words, without anything secret.
    pub error: Box<str>,
}

/// What a login is made from.
#[derive(Debug, Clone, Copy)]
pub struct LoginRequest<'a> {
    /// The challenge.
    pub challenge: &'a Challenge,
    /// Its bytes as received.
    pub challenge_bytes: &'a Bytes,
    /// The server's signature over them; empty when it has no key.
    pub signature: &'a Bytes,
    /// This process.
    pub instance: InstanceId,
    /// What both sides bind the login to.
    pub binding: ChannelBinding,
    /// Logins refused in a row. Where the directory here may be old, each takes the next login key of the keyring.
    pub refused_logins: usize,
}

/// A login, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLogin {
    /// The fields, encoded.
    pub fields: Bytes,
    /// The signature over the challenge and the fields.
    pub proof: Bytes,
}

/// Why no login is tried at a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginRefusal {
    /// The server does not prove its name under the directory in use.
    #[error("the server does not prove its name: {0}")]
    UnprovenServer(Box<str>),
    /// The keyring has no login key.
    #[error("the keyring has no login key")]
    NoLoginKey,
    /// The server cannot bind logins to TLS, and this agent was not told to do without.
    #[error("the server cannot bind logins to TLS")]
    NoChannelBinding,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    NoRandomness,
    /// The fields cannot be encoded.
    #[error("the login cannot be encoded")]
    Malformed,
}

impl LoginRefusal {
    /// What the link is closed with.
    pub const fn close_reason(&self) -> CloseReason {
        match self {
            Self::UnprovenServer(_) => CloseReason::WrongServer,
            Self::NoLoginKey => CloseReason::LoginRefused,
            Self::NoChannelBinding => CloseReason::NoChannelBinding,
            Self::NoRandomness => CloseReason::Unavailable,
            Self::Malformed => CloseReason::Malformed,
        }
    }
}
