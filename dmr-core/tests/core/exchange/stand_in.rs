//! A stand-in for cryptography: an envelope whose body is its content in the clear, and whose digest is its signature's.

use std::cell::Cell;

use bytes::Bytes;
use dmr_core::content::{Content, Message, Reference};
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::exchange::{
    LoginRefusal, LoginRequest, NotOpened, Opened, SealedMessage, Sealing, SendError, SignedLogin,
};
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::{Digest, KeyCommitment, KeyId, MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;

/// How long messages live, in milliseconds.
const LIFETIME: u64 = 3_600_000;

pub(super) fn office() -> ParticipantId {
    ParticipantId::from_custom_bytes([1; 16])
}

pub(super) fn asker() -> ParticipantId {
    ParticipantId::from_custom_bytes([2; 16])
}

pub(super) fn id(number: u64) -> MessageId {
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    MessageId::from_custom_bytes(bytes)
}

/// A content that says this, and answers that.
pub(super) fn says(text: &str, in_reply_to: Option<Reference>) -> Message {
    Message {
        content_type: "text/plain".to_owned(),
        conversation: None,
        sequence: None,
        room: None,
        in_reply_to,
        body: Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// Seals for anybody in anybody's name.
pub(super) fn seal(
    id: MessageId,
    kind: Kind,
    from: ParticipantId,
    to: ParticipantId,
    content: Message,
    now: Timestamp,
) -> SealedMessage {
    let body = Content::V1(content).encode().unwrap();
    let header = Header {
        suite: Suite::X25519,
        network: "exchange".parse().unwrap(),
        id,
        sender: from,
        sender_key: KeyId([4; 16]),
        recipients: Recipients::new(vec![Recipient { participant: to, key: KeyId([3; 16]) }]).unwrap(),
        kind,
        created: now,
        expires: Timestamp(now.0 + LIFETIME),
        directory_revision: 1,
        directory_digest: Digest([5; 32]),
        key_commitment: KeyCommitment([6; 32]),
    };
    // Different texts under one id must have different digests.
    let sum = body.iter().fold(1_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
    let wrap = Wrap { enc: vec![7; 32].into(), ct: vec![8; 48].into() };
    let envelope = Envelope::encode(&header.encode().unwrap(), &[wrap], &body, &[sum; 64]).unwrap();
    let reference = Reference { id, digest: Digest([sum; 32]) };
    SealedMessage { reference, kind, recipients: vec![to], expires: header.expires, envelope: envelope.bytes().clone() }
}

/// What the exchange under test seals and opens with.
#[derive(Debug)]
pub(super) struct StandIn {
    pub(super) revision: Cell<Option<u64>>,
    /// What opening says, when it does not open.
    pub(super) refuses: Cell<Option<(FailureReason, bool, bool)>>,
    pub(super) receipts: Cell<u64>,
}

impl StandIn {
    pub(super) fn new() -> Self {
        Self { revision: Cell::new(Some(1)), refuses: Cell::new(None), receipts: Cell::new(1_000_000) }
    }
}

impl Sealing for StandIn {
    fn participant(&self) -> ParticipantId {
        office()
    }

    fn directory_revision(&self) -> Option<u64> {
        self.revision.get()
    }

    fn open(&self, envelope: &Envelope, _: Timestamp) -> Result<Opened, NotOpened> {
        if let Some((reason, wants_directory, sender_is_known)) = self.refuses.get() {
            return Err(NotOpened { reason, wants_directory, sender_is_known, claims_fork: false, error: "no".into() });
        }
        let header = envelope.header();
        let reference = Reference { id: header.id, digest: self.digest(envelope) };
        let content = Content::decode(envelope.body()).unwrap();
        Ok(Opened { reference, sender: header.sender, expires: header.expires, content })
    }

    fn digest(&self, envelope: &Envelope) -> Digest {
        Digest([envelope.signature()[0]; 32])
    }

    fn seal_for(
        &self,
        to: ParticipantId,
        kind: Kind,
        content: Message,
        now: Timestamp,
    ) -> Result<SealedMessage, SendError> {
        self.receipts.set(self.receipts.get() + 1);
        Ok(seal(id(self.receipts.get()), kind, office(), to, content, now))
    }

    fn log_in(&self, _: &LoginRequest<'_>, _: Timestamp) -> Result<SignedLogin, LoginRefusal> {
        Ok(SignedLogin { fields: Bytes::from_static(b"fields"), proof: Bytes::from_static(b"proof") })
    }

    fn check_server(&self, _: &Bytes, _: &Bytes, _: Timestamp) -> Result<(), LoginRefusal> {
        Ok(())
    }
}
