//! What an envelope seals: the content, and the receipts that one kind of content carries.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, EncodeError};
use crate::id::{ConversationId, Digest, MessageId, RoomId};
use crate::limit;
use crate::reason::FailureReason;
use crate::time::Timestamp;

/// Content type of [`Receipts`].
pub const RECEIPTS_TYPE: &str = "application/vnd.dmr.receipts";

/// Names one envelope beyond doubt: its id and the digest of what its sender signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The envelope's id.
    pub id: MessageId,
    /// SHA-256 of the signed bytes.
    pub digest: Digest,
}

/// The sealed content of an envelope. A later version is another variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Content {
    /// The first version.
    V1(Message),
}

/// What the recipient's service is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Media type of `body`.
    pub content_type: String,
    /// Conversation this belongs to.
    pub conversation: Option<ConversationId>,
    /// Position in the conversation, from 0.
    pub sequence: Option<u64>,
    /// Room this belongs to.
    pub room: Option<RoomId>,
    /// The envelope this answers.
    pub in_reply_to: Option<Reference>,
    /// The message itself.
    pub body: Bytes,
}

/// Sizes and references only: a message is plaintext and never reaches a log, and its type is sealed like its body.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("content_type", &format_args!("[{} bytes]", self.content_type.len()))
            .field("in_reply_to", &self.in_reply_to)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .finish_non_exhaustive()
    }
}

impl Content {
    /// The bytes that are padded and sealed.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] past [`limit::MESSAGE`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let bytes = codec::encode(self)?;
        if bytes.len() > limit::MESSAGE {
            return Err(EncodeError::TooLong { len: bytes.len(), limit: limit::MESSAGE });
        }
        Ok(bytes)
    }

    /// The content that `bytes` encode.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the one encoding of a content.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, limit::MESSAGE)
    }
}

/// What became of an envelope at its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Verdict {
    /// The recipient's service took it.
    Delivered,
    /// It will never be delivered.
    Failed(FailureReason),
    /// A person has seen it.
    Read,
}

/// What a recipient says of one envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which envelope.
    pub envelope: Reference,
    /// What became of it.
    pub verdict: Verdict,
    /// When, by the recipient's clock.
    pub at: Timestamp,
}

/// The body of a content of type [`RECEIPTS_TYPE`]. A later version is another variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Receipts {
    /// The first version: 1 to [`limit::RECEIPTS`] receipts.
    V1(Vec<Receipt>),
}

impl Receipts {
    /// The receipts in `body`.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the encoding of 1 to [`limit::RECEIPTS`] receipts.
    pub fn decode(body: &[u8]) -> Result<Vec<Receipt>, DecodeError> {
        let Self::V1(receipts) = codec::decode(body, limit::MESSAGE)?;
        if (1..=limit::RECEIPTS).contains(&receipts.len()) {
            Ok(receipts)
        } else {
            Err(DecodeError::Invalid("a receipt message holds 1 to 64 receipts"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_nothing_of_what_is_sealed_but_its_sizes() {
        let message = Message {
            content_type: "text/canary-type".into(),
            conversation: None,
            sequence: None,
            room: None,
            in_reply_to: None,
            body: "canary body".into(),
        };
        for shown in [format!("{message:?}"), format!("{:#?}", Content::V1(message))] {
            assert!(shown.contains("[16 bytes]") && shown.contains("[11 bytes]"), "{shown}");
            assert!(!shown.contains("canary") && !shown.contains("99, 97, 110"), "{shown}");
        }
    }
}
