//! The directory: who takes part, with which public keys. Types and a pure parse; `dmr-crypto` verifies first.

mod check;
mod json;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use check::DirectoryError;

use crate::header::Suite;
use crate::id::{Digest, KeyId, Name, ParticipantId};
use crate::json::{base64url, hex, milliseconds, object, objects, optional_hex};
use crate::time::Timestamp;

/// The algorithm of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// X25519, for suite 1: 32 bytes.
    #[serde(rename = "x25519")]
    X25519,
    /// X-Wing, for suite 2: 1216 bytes.
    #[serde(rename = "x-wing")]
    XWing,
    /// Ed25519: 32 bytes.
    #[serde(rename = "ed25519")]
    Ed25519,
}

impl Algorithm {
    /// The number in labels: 1, 2 or 0x0101.
    pub const fn number(self) -> u16 {
        match self {
            Self::X25519 => 1,
            Self::XWing => 2,
            Self::Ed25519 => 0x0101,
        }
    }

    /// Bytes of a public key.
    pub const fn public_len(self) -> usize {
        match self {
            Self::X25519 | Self::Ed25519 => 32,
            Self::XWing => 1216,
        }
    }

    /// The suite that a sealing key of this algorithm serves.
    pub const fn suite(self) -> Option<Suite> {
        match self {
            Self::X25519 => Some(Suite::X25519),
            Self::XWing => Some(Suite::XWing),
            Self::Ed25519 => None,
        }
    }
}

/// From when to when a key may be used. `not_before < not_after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Validity {
    /// First moment.
    pub not_before: Timestamp,
    /// Last moment.
    pub not_after: Timestamp,
}

impl Validity {
    /// Whether `at` lies within it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.not_before <= at && at <= self.not_after
    }
}

/// What an identity key is for. One key may serve both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<json::Purpose>", into = "Vec<json::Purpose>")]
pub struct KeyUse {
    /// Signs envelopes, receipts and the participant's sealing keys.
    pub sign: bool,
    /// Proves a login.
    pub login: bool,
}

/// A public Ed25519 key of a participant, a server or the directory itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityKey {
    /// The public key.
    #[serde(with = "base64url")]
    pub public: [u8; 32],
    /// What it is for.
    #[serde(rename = "use")]
    pub usage: KeyUse,
    /// When it may be used.
    #[serde(deserialize_with = "object")]
    pub validity: Validity,
}

/// A public key that envelopes are sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealingKey {
    /// [`Algorithm::X25519`] or [`Algorithm::XWing`].
    pub algorithm: Algorithm,
    /// The public key, [`Algorithm::public_len`] bytes.
    #[serde(with = "base64url")]
    pub public: Vec<u8>,
    /// When it may be sealed to.
    #[serde(deserialize_with = "object")]
    pub validity: Validity,
    /// By the participant's identity key over the sealing label.
    #[serde(with = "base64url")]
    pub signature: [u8; 64],
}

/// Whether a participant takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Takes part.
    Active,
    /// Does not send or receive for a while; its mailbox is kept.
    Suspended,
    /// Takes part no more. An entry that says so is the only removal there is: absence removes nothing.
    Removed,
}

/// One participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Participant {
    /// Its id, for ever.
    pub id: ParticipantId,
    /// Its name, unique among the participants.
    pub name: Name,
    /// Whether it takes part.
    pub status: Status,
    /// Its identity keys.
    #[serde(deserialize_with = "objects")]
    pub identity_keys: Vec<IdentityKey>,
    /// Its sealing keys.
    #[serde(deserialize_with = "objects")]
    pub sealing_keys: Vec<SealingKey>,
    /// Reserved: accepted and ignored.
    #[serde(default)]
    pub groups: Vec<Name>,
    /// Reserved: accepted and ignored.
    #[serde(default)]
    pub services: Vec<Name>,
}

/// One relay server that can prove its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// Its name, unique among the servers.
    pub name: Name,
    /// Its identity keys.
    #[serde(deserialize_with = "objects")]
    pub identity_keys: Vec<IdentityKey>,
}

/// A key that is refused at once, whatever an envelope says of its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokedKey {
    /// Which key.
    #[serde(with = "hex")]
    pub key: KeyId,
    /// Since when.
    pub since: Timestamp,
}

/// One permission: any of `from` may write to any of `to`. An empty list stands for everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permission {
    /// Senders by name.
    pub from: Vec<Name>,
    /// Recipients by name.
    pub to: Vec<Name>,
}

/// The content of a directory document. Nothing here says that anyone signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Directory {
    /// The network.
    pub network: Name,
    /// Grows by at least one with each document.
    pub revision: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// After this (and a grace) nothing new is sealed under it.
    pub expires: Timestamp,
    /// Digest of the document before it; `None` for the first.
    #[serde(with = "optional_hex")]
    pub previous: Option<Digest>,
    /// Everyone who takes part or did.
    #[serde(deserialize_with = "objects")]
    pub participants: Vec<Participant>,
    /// Relay servers that can prove their name; empty: none can.
    #[serde(deserialize_with = "objects")]
    pub servers: Vec<Server>,
    /// Revoked keys.
    #[serde(deserialize_with = "objects")]
    pub revoked: Vec<RevokedKey>,
    /// The lowest suite that receivers accept.
    pub suite_floor: Suite,
    /// Longest lifetime of an envelope, in whole milliseconds.
    #[serde(rename = "maxTtlMs", with = "milliseconds")]
    pub max_ttl: Duration,
    /// Who may write to whom; empty: everyone to everyone. Receipts and answers obey it too.
    #[serde(deserialize_with = "objects")]
    pub policy: Vec<Permission>,
}

impl Directory {
    /// The participant with this id, whatever its status. Looks at each entry; a verified directory has an index.
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.id == id)
    }

    /// The participant with this name, whatever its status. Looks at each entry; a verified directory has an index.
    pub fn participant_by_name(&self, name: &Name) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.name == *name)
    }

    /// The server with this name.
    pub fn server(&self, name: &Name) -> Option<&Server> {
        self.servers.iter().find(|server| server.name == *name)
    }

    /// Whether the policy lets `from` write to `to`; it says nothing about whether either takes part.
    pub fn allows(&self, from: &Name, to: &Name) -> bool {
        let covers = |names: &[Name], name: &Name| names.is_empty() || names.contains(name);
        let permits = |permission: &Permission| covers(&permission.from, from) && covers(&permission.to, to);
        self.policy.is_empty() || self.policy.iter().any(permits)
    }
}

impl Participant {
    /// Whether it takes part now.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }
}

/// What a participant hands to the directory's keeper: its entry, before it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Card {
    /// A participant.
    Participant(#[serde(deserialize_with = "object")] Participant),
    /// A relay server.
    Server(#[serde(deserialize_with = "object")] Server),
}
