//! The header of an envelope: what relays may see, and what the signature and every key derivation bind.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use crate::codec::{self, DecodeError, EncodeError};
use crate::id::{Digest, KeyCommitment, KeyId, MessageId, Name, ParticipantId};
use crate::limit;
use crate::time::Timestamp;

/// The set of algorithms of one envelope. Closed: a suite is never mixed with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Suite {
    /// HPKE with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305 (RFC 9180); Ed25519 signatures.
    X25519,
    /// The same with the KEM X-Wing (ML-KEM-768 and X25519): post-quantum confidentiality.
    XWing,
}

impl Suite {
    /// The number on the wire: 1 or 2.
    pub const fn number(self) -> u16 {
        match self {
            Self::X25519 => 1,
            Self::XWing => 2,
        }
    }

    /// Bytes of an encapsulated key: 32 or 1120.
    pub const fn enc_len(self) -> usize {
        match self {
            Self::X25519 => 32,
            Self::XWing => 1120,
        }
    }
}

impl From<Suite> for u16 {
    fn from(suite: Suite) -> Self {
        suite.number()
    }
}

impl TryFrom<u16> for Suite {
    type Error = &'static str;
    fn try_from(number: u16) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::X25519),
            2 => Ok(Self::XWing),
            _ => Err("unknown suite"),
        }
    }
}

/// What an envelope is for. Open: numbers that this version does not name are carried like events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kind(pub u16);

impl Kind {
    /// Asks for an answer.
    pub const QUESTION: Self = Self(1);
    /// Answers a question; names it sealed.
    pub const ANSWER: Self = Self(2);
    /// Says that a question will not be answered; names it sealed.
    pub const DECLINE: Self = Self(3);
    /// Tells something and expects no answer.
    pub const EVENT: Self = Self(4);
    /// Says what became of envelopes; never causes a receipt itself.
    pub const RECEIPT: Self = Self(5);
    /// Between agents, about the exchange itself; never causes a receipt.
    pub const CONTROL: Self = Self(6);

    /// Whether the recipient owes the sender a receipt.
    pub const fn wants_receipt(self) -> bool {
        !matches!(self, Self::RECEIPT | Self::CONTROL)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::QUESTION => f.write_str("question"),
            Self::ANSWER => f.write_str("answer"),
            Self::DECLINE => f.write_str("decline"),
            Self::EVENT => f.write_str("event"),
            Self::RECEIPT => f.write_str("receipt"),
            Self::CONTROL => f.write_str("control"),
            Self(number) => write!(f, "kind {number}"),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({self})")
    }
}

/// One recipient and the sealing key that was chosen for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Recipient {
    /// Who may open the envelope.
    pub participant: ParticipantId,
    /// Which of its sealing keys the content key is wrapped to.
    pub key: KeyId,
}

/// 1 to 64 recipients, strictly ascending by participant, so none twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Recipients(Vec<Recipient>);

impl Recipients {
    /// These recipients, put in order.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] for none, more than [`limit::RECIPIENTS`], or one participant twice.
    pub fn new(mut recipients: Vec<Recipient>) -> Result<Self, DecodeError> {
        recipients.sort_by_key(|recipient| recipient.participant);
        Self::in_order(recipients)
    }

    fn in_order(recipients: Vec<Recipient>) -> Result<Self, DecodeError> {
        if !(1..=limit::RECIPIENTS).contains(&recipients.len()) {
            return Err(DecodeError::Invalid("an envelope has 1 to 64 recipients"));
        }
        let ascending = recipients.iter().zip(recipients.iter().skip(1)).all(|(a, b)| a.participant < b.participant);
        if ascending {
            Ok(Self(recipients))
        } else {
            Err(DecodeError::Invalid("recipients are not strictly ascending"))
        }
    }

    /// The recipients in ascending order.
    pub fn as_slice(&self) -> &[Recipient] {
        &self.0
    }

    /// The position of `participant`, which is also the position of its wrap.
    pub fn position(&self, participant: ParticipantId) -> Option<usize> {
        self.0.binary_search_by_key(&participant, |recipient| recipient.participant).ok()
    }

    /// Whether `participant` is among them.
    pub fn contains(&self, participant: ParticipantId) -> bool {
        self.position(participant).is_some()
    }
}

impl<'de> Deserialize<'de> for Recipients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::in_order(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The part of an envelope that everyone on its way can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Algorithms.
    pub suite: Suite,
    /// Network that the envelope belongs to.
    pub network: Name,
    /// Id, unique per sender.
    pub id: MessageId,
    /// Who signed it.
    pub sender: ParticipantId,
    /// Which of the sender's identity keys signed it.
    pub sender_key: KeyId,
    /// Who can open it.
    pub recipients: Recipients,
    /// What it is for.
    pub kind: Kind,
    /// When it was sealed, by the sender's clock.
    pub created: Timestamp,
    /// After this it is not delivered.
    pub expires: Timestamp,
    /// Revision of the directory it was sealed under.
    pub directory_revision: u64,
    /// Digest of that directory: two participants who ever talk discover a fork.
    pub directory_digest: Digest,
    /// Commits to one content key, so that all who can open it open the same text.
    pub key_commitment: KeyCommitment,
}

impl Header {
    /// The bytes that are hashed and sent.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] past [`limit::HEADER`].
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let bytes = codec::encode(self)?;
        if bytes.len() > limit::HEADER {
            return Err(EncodeError::TooLong { len: bytes.len(), limit: limit::HEADER });
        }
        Ok(bytes.into())
    }

    /// The header that `bytes` encode.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the one encoding of a valid header.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, limit::HEADER)
    }
}
