//! Frames: what travels on a link, typed by direction.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, EncodeError};
use crate::id::{InstanceId, KeyId, MessageId, Name, Nonce, ParticipantId, SessionId, StoreId};
use crate::limit;
use crate::reason::{CloseReason, FailureReason, RejectReason};

/// The protocol version this crate speaks.
pub const VERSION: u16 = 1;

/// From this length on, `decode_shared` shares an envelope with the frame it came in: 16 KiB. Copying less costs next
/// to nothing, and a stored envelope must not keep a whole read buffer alive.
const SHARED_FROM: usize = 16 << 10;

/// Names one delivery on one link. Never valid on another link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryTag(pub u64);

/// What an agent sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AgentFrame {
    /// Proves who the agent is: the first frame, and the only one before [`ServerFrame::Welcome`].
    Authenticate {
        /// Encoded [`AuthFields`], as they were signed.
        fields: Bytes,
        /// Ed25519 signature of the login label, the challenge and the fields: 64 bytes.
        proof: Bytes,
    },
    /// Grants the credit for deliveries; none come before it. Once per link.
    Subscribe {
        /// Deliveries that may be unsettled at once: 1 to 1,024.
        prefetch: u16,
    },
    /// Hands an envelope to the server.
    Publish {
        /// The envelope.
        envelope: Bytes,
    },
    /// Says what became of a delivery and returns its credit.
    Settle {
        /// Which delivery.
        tag: DeliveryTag,
        /// What became of it.
        settlement: Settlement,
    },
    /// Asks for the directory if the server's revision is newer.
    FetchDirectory {
        /// The revision the agent has; 0 for none, and when the server's is lower than the agent's.
        revision: u64,
    },
    /// Says that the agent is alive.
    Heartbeat,
}

/// How an agent settles a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Settlement {
    /// Its service took it: forget it.
    Ack,
    /// Deliver it again, not before this many milliseconds.
    Retry {
        /// Milliseconds to wait, at most ten minutes.
        after_ms: u32,
    },
    /// Never deliver it again: dead-letter it.
    Reject {
        /// Why.
        reason: FailureReason,
    },
}

/// What an agent signs to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthFields {
    /// Network it takes part in.
    pub network: Name,
    /// Who it is.
    pub participant: ParticipantId,
    /// Which of its identity keys signs.
    pub key: KeyId,
    /// Protocol version it chose from the server's.
    pub version: u16,
    /// Fresh random bytes.
    pub nonce: Nonce,
    /// This process; a newer link of the same instance supersedes the older.
    pub instance: InstanceId,
    /// Ties the login to the TLS connection.
    pub binding: ChannelBinding,
    /// Revision of the directory it has; 0 for none.
    pub directory_revision: u64,
}

/// Ties a login to the connection it travels on (RFC 9266).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// Nothing to bind to: no TLS, or TLS ends before this process. Only if both sides are configured to allow it.
    None,
    /// `tls-exporter`: 32 bytes of exported keying material.
    TlsExporter([u8; 32]),
}

/// What a server sends first; its encoding is what logins and server signatures cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Network it serves.
    pub network: Name,
    /// Its name.
    pub server: Name,
    /// Lowest protocol version it speaks.
    pub version_min: u16,
    /// Highest protocol version it speaks.
    pub version_max: u16,
    /// Largest envelope it takes, in bytes.
    pub max_envelope: u32,
    /// Fresh random bytes: a proof over them serves this link only.
    pub nonce: Nonce,
    /// Whether the server can bind the login to the TLS connection.
    pub binds_channel: bool,
    /// Revision of the directory it has.
    pub directory_revision: u64,
    /// Which of its identity keys signs the challenge, if it has one.
    pub server_key: Option<KeyId>,
}

/// What a server grants after a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Names this login in logs on both sides.
    pub session: SessionId,
    /// The broker's memory.
    pub store: StoreId,
    /// Publishes that may be unconfirmed at once.
    pub credit: u16,
    /// Each side sends something at least this often, in milliseconds.
    pub heartbeat_ms: u32,
    /// Largest envelope it takes, in bytes.
    pub max_envelope: u32,
}

/// One recipient's part in a publish that was not confirmed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientResult {
    /// The recipient.
    pub participant: ParticipantId,
    /// Why its mailbox does not have the envelope; `None`: it does.
    pub reason: Option<RejectReason>,
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ServerFrame {
    /// The first frame.
    Challenge {
        /// Encoded [`Challenge`].
        challenge: Bytes,
        /// Ed25519 signature over it by the server's key in the directory, 64 bytes; empty when it has none.
        signature: Bytes,
    },
    /// The login holds.
    Welcome(Welcome),
    /// The login does not hold; the link closes.
    Refused {
        /// Coarse: the same for every wrong login.
        reason: CloseReason,
    },
    /// Every mailbox of these envelopes has them, by the broker's word.
    Confirm {
        /// Message ids, in the order of the broker's confirms.
        ids: Vec<MessageId>,
    },
    /// At least one mailbox does not have the envelope.
    Reject {
        /// The message.
        id: MessageId,
        /// Why: the worst of the recipients' reasons.
        reason: RejectReason,
        /// Do not try again before this many milliseconds; 0 for no hint.
        retry_after_ms: u32,
        /// Each recipient's result when they differ; empty when the envelope was refused as a whole.
        recipients: Vec<RecipientResult>,
    },
    /// An envelope from the agent's mailbox.
    Deliver {
        /// To settle it by.
        tag: DeliveryTag,
        /// 1 for the first attempt. A hint.
        attempt: u32,
        /// The envelope.
        envelope: Bytes,
    },
    /// A part of the directory document, in order, from offset 0.
    Directory {
        /// Its revision, a hint until verified.
        revision: u64,
        /// Bytes of the whole document, at most [`limit::DIRECTORY`].
        total: u32,
        /// Where this part begins.
        offset: u32,
        /// The part, at most [`limit::DIRECTORY_PART`] bytes.
        part: Bytes,
    },
    /// Unsigned advice about a confirmed message; a signed receipt overrides it.
    Notice {
        /// The message.
        id: MessageId,
        /// What became of it.
        reason: FailureReason,
    },
    /// The server is going away: finish, and connect elsewhere.
    Drain {
        /// Do not come back to this server before this many milliseconds.
        retry_after_ms: u32,
    },
    /// Says that the server is alive.
    Heartbeat,
}

macro_rules! encoded {
    ($($type:ty, $limit:expr;)*) => {$(
        impl $type {
            /// The bytes that travel.
            ///
            /// # Errors
            /// [`EncodeError::TooLong`] past the limit of its kind.
            pub fn encode(&self) -> Result<Bytes, EncodeError> {
                let bytes = codec::encode(self)?;
                if bytes.len() > $limit {
                    return Err(EncodeError::TooLong { len: bytes.len(), limit: $limit });
                }
                Ok(bytes.into())
            }

            /// The value that `bytes` encode.
            ///
            /// # Errors
            /// [`DecodeError`] for anything but its one encoding.
            pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                codec::decode(bytes, $limit)
            }
        }
    )*};
}

encoded! {
    AgentFrame, limit::FRAME;
    ServerFrame, limit::FRAME;
    AuthFields, limit::LOGIN_FRAME;
    Challenge, limit::LOGIN_FRAME;
}

impl AgentFrame {
    /// Number of [`Self::Publish`] on the wire.
    const PUBLISH: u8 = 2;

    /// Like [`decode`](Self::decode), but a long envelope shares the memory of `bytes` instead of being copied.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but its one encoding.
    pub fn decode_shared(bytes: &Bytes) -> Result<Self, DecodeError> {
        if bytes.len() < SHARED_FROM || bytes.first() != Some(&Self::PUBLISH) {
            return Self::decode(bytes);
        }
        let (_, envelope): (u32, &serde_bytes::Bytes) = codec::decode(bytes, limit::FRAME)?;
        Ok(Self::Publish { envelope: bytes.slice_ref(envelope) })
    }

    /// Every frame's name, by its number on the wire.
    pub const NAMES: &'static [&'static str] =
        &["authenticate", "subscribe", "publish", "settle", "fetch-directory", "heartbeat"];

    /// The name of the frame that `bytes` begin, which need not decode; `unknown` for none. For metrics.
    pub fn name_of(bytes: &[u8]) -> &'static str {
        name_by_number(Self::NAMES, bytes)
    }

    /// The frame's name, for metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authenticate { .. } => "authenticate",
            Self::Subscribe { .. } => "subscribe",
            Self::Publish { .. } => "publish",
            Self::Settle { .. } => "settle",
            Self::FetchDirectory { .. } => "fetch-directory",
            Self::Heartbeat => "heartbeat",
        }
    }
}

impl ServerFrame {
    /// Number of [`Self::Deliver`] on the wire.
    const DELIVER: u8 = 5;

    /// Like [`decode`](Self::decode), but a long envelope shares the memory of `bytes` instead of being copied.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but its one encoding.
    pub fn decode_shared(bytes: &Bytes) -> Result<Self, DecodeError> {
        if bytes.len() < SHARED_FROM || bytes.first() != Some(&Self::DELIVER) {
            return Self::decode(bytes);
        }
        let (_, tag, attempt, envelope): (u32, DeliveryTag, u32, &serde_bytes::Bytes) =
            codec::decode(bytes, limit::FRAME)?;
        Ok(Self::Deliver { tag, attempt, envelope: bytes.slice_ref(envelope) })
    }

    /// Every frame's name, by its number on the wire.
    pub const NAMES: &'static [&'static str] = &[
        "challenge",
        "welcome",
        "refused",
        "confirm",
        "reject",
        "deliver",
        "directory",
        "notice",
        "drain",
        "heartbeat",
    ];

    /// The name of the frame that `bytes` begin, which need not decode; `unknown` for none. For metrics.
    pub fn name_of(bytes: &[u8]) -> &'static str {
        name_by_number(Self::NAMES, bytes)
    }

    /// The frame's name, for metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Challenge { .. } => "challenge",
            Self::Welcome(_) => "welcome",
            Self::Refused { .. } => "refused",
            Self::Confirm { .. } => "confirm",
            Self::Reject { .. } => "reject",
            Self::Deliver { .. } => "deliver",
            Self::Directory { .. } => "directory",
            Self::Notice { .. } => "notice",
            Self::Drain { .. } => "drain",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// Frame numbers are below 251, so the first byte is the whole number.
fn name_by_number(names: &[&'static str], bytes: &[u8]) -> &'static str {
    bytes.first().and_then(|number| names.get(usize::from(*number))).copied().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_frame_is_named_by_its_number_and_garbage_is_unknown() {
        let agent = [
            AgentFrame::Authenticate { fields: Bytes::new(), proof: Bytes::new() },
            AgentFrame::Subscribe { prefetch: 1 },
            AgentFrame::Publish { envelope: Bytes::new() },
            AgentFrame::Settle { tag: DeliveryTag(1), settlement: Settlement::Ack },
            AgentFrame::FetchDirectory { revision: 1 },
            AgentFrame::Heartbeat,
        ];
        for frame in &agent {
            assert_eq!(AgentFrame::name_of(&frame.encode().unwrap()), frame.name());
        }
        assert_eq!(agent.each_ref().map(AgentFrame::name), AgentFrame::NAMES);
        let id = MessageId::from_custom_bytes([1; 16]);
        let welcome = Welcome {
            session: SessionId::from_custom_bytes([1; 16]),
            store: StoreId::from_custom_bytes([1; 16]),
            credit: 1,
            heartbeat_ms: 1,
            max_envelope: 1,
        };
        let server = [
            ServerFrame::Challenge { challenge: Bytes::new(), signature: Bytes::new() },
            ServerFrame::Welcome(welcome),
            ServerFrame::Refused { reason: CloseReason::LoginRefused },
            ServerFrame::Confirm { ids: vec![id] },
            ServerFrame::Reject { id, reason: RejectReason::Expired, retry_after_ms: 0, recipients: Vec::new() },
            ServerFrame::Deliver { tag: DeliveryTag(1), attempt: 1, envelope: Bytes::new() },
            ServerFrame::Directory { revision: 1, total: 0, offset: 0, part: Bytes::new() },
            ServerFrame::Notice { id, reason: FailureReason::Expired },
            ServerFrame::Drain { retry_after_ms: 1 },
            ServerFrame::Heartbeat,
        ];
        for frame in &server {
            assert_eq!(ServerFrame::name_of(&frame.encode().unwrap()), frame.name());
        }
        assert_eq!(server.each_ref().map(ServerFrame::name), ServerFrame::NAMES);
        assert_eq!(AgentFrame::name_of(&[]), "unknown");
        assert_eq!(ServerFrame::name_of(&[200, 1]), "unknown");
    }
}
