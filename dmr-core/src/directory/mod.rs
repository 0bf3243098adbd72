//! The directory: who takes part, with which public keys. Types and a pure parse; `dmr-crypto` verifies first.

mod json;

use std::time::Duration;

pub use json::{CardError, DirectoryError};

use crate::header::Suite;
use crate::id::{Digest, KeyId, Name, ParticipantId};
use crate::time::Timestamp;

/// The algorithm of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// X25519, for suite 1: 32 bytes.
    X25519,
    /// X-Wing, for suite 2: 1216 bytes.
    XWing,
    /// Ed25519: 32 bytes.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyUse {
    /// Signs envelopes, receipts and the participant's sealing keys.
    pub sign: bool,
    /// Proves a login.
    pub login: bool,
}

/// A public Ed25519 key of a participant, a server or the directory itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityKey {
    /// The public key.
    pub public: [u8; 32],
    /// What it is for.
    pub usage: KeyUse,
    /// When it may be used.
    pub validity: Validity,
}

/// A public key that envelopes are sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey {
    /// [`Algorithm::X25519`] or [`Algorithm::XWing`].
    pub algorithm: Algorithm,
    /// The public key, [`Algorithm::public_len`] bytes.
    pub public: Vec<u8>,
    /// When it may be sealed to.
    pub validity: Validity,
    /// By the participant's identity key over the sealing label.
    pub signature: [u8; 64],
}

/// Whether a participant takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Takes part.
    Active,
    /// Does not send or receive for a while; its mailbox is kept.
    Suspended,
    /// Takes part no more. An entry that says so is the only removal there is: absence removes nothing.
    Removed,
}

/// One participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Its id, for ever.
    pub id: ParticipantId,
    /// Its name, unique among the participants.
    pub name: Name,
    /// Whether it takes part.
    pub status: Status,
    /// Its identity keys.
    pub identity_keys: Vec<IdentityKey>,
    /// Its sealing keys.
    pub sealing_keys: Vec<SealingKey>,
    /// Reserved: accepted and ignored.
    pub groups: Vec<Name>,
    /// Reserved: accepted and ignored.
    pub services: Vec<Name>,
}

/// One relay server that can prove its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, unique among the servers.
    pub name: Name,
    /// Its identity keys.
    pub identity_keys: Vec<IdentityKey>,
}

/// A key that is refused at once, whatever an envelope says of its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedKey {
    /// Which key.
    pub key: KeyId,
    /// Since when.
    pub since: Timestamp,
}

/// One permission: any of `from` may write to any of `to`. An empty list stands for everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Senders by name.
    pub from: Vec<Name>,
    /// Recipients by name.
    pub to: Vec<Name>,
}

/// The content of a directory document. Nothing here says that anyone signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub previous: Option<Digest>,
    /// Everyone who takes part or did.
    pub participants: Vec<Participant>,
    /// Relay servers that can prove their name; empty: none can.
    pub servers: Vec<Server>,
    /// Revoked keys.
    pub revoked: Vec<RevokedKey>,
    /// The lowest suite that receivers accept.
    pub suite_floor: Suite,
    /// Longest lifetime of an envelope.
    pub max_ttl: Duration,
    /// Who may write to whom; empty: everyone to everyone. Receipts and answers obey it too.
    pub policy: Vec<Permission>,
}

/// What a participant hands to the directory's keeper: its entry, before it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Card {
    /// A participant.
    Participant(Participant),
    /// A relay server.
    Server(Server),
}
