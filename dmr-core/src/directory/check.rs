//! What makes a directory or a card well formed as a whole, beyond the form of its parts.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Algorithm, Card, Directory, IdentityKey, Participant, SealingKey, Server, Validity};
use crate::id::{KeyId, Name, ParticipantId};

/// Why a document is not a directory, or a card not a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Longer than a document of its kind may be.
    #[error("{len} bytes, {limit} allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not the strict JSON of one.
    #[error("not the JSON of a directory or card: {0}")]
    Json(Box<str>),
    /// A list is longer than it may be.
    #[error("{count} {what}, {limit} allowed")]
    TooMany {
        /// What the list holds.
        what: &'static str,
        /// Entries given.
        count: usize,
        /// Entries allowed.
        limit: usize,
    },
    /// Revisions begin at 1.
    #[error("revision 0: revisions begin at 1")]
    NoRevision,
    /// It expires no later than it was issued.
    #[error("it expires no later than it was issued")]
    NoLifetime,
    /// The longest lifetime of an envelope is not between a second and a year.
    #[error("maxTtlMs is not between a second and 366 days")]
    BadMaxTtl,
    /// Two participants have this id.
    #[error("participant {0} is listed twice")]
    RepeatedParticipant(ParticipantId),
    /// Two participants, or two servers, have this name.
    #[error("the name {0} is given twice")]
    RepeatedName(Name),
    /// A public key of this participant or server is listed twice, here or elsewhere.
    #[error("a public key of {0} is listed twice")]
    RepeatedPublicKey(Name),
    /// A key of this participant or server ends before it begins.
    #[error("a key of {0} ends before it begins")]
    EmptyValidity(Name),
    /// A key of this participant or server has no use.
    #[error("a key of {0} has no use")]
    UselessKey(Name),
    /// A sealing key of this participant has an algorithm that cannot seal.
    #[error("a sealing key of {0} has an algorithm that does not seal")]
    NotSealing(Name),
    /// A sealing key of this participant has a length that is not its algorithm's.
    #[error("a sealing key of {name} has {len} bytes, {expected} expected")]
    WrongLength {
        /// Whose key.
        name: Name,
        /// Bytes given.
        len: usize,
        /// Bytes of such a key.
        expected: usize,
    },
    /// A key is revoked twice.
    #[error("key {0} is revoked twice")]
    RepeatedRevocation(KeyId),
    /// The policy names somebody who is no participant.
    #[error("the policy names {0}, who is no participant")]
    UnknownInPolicy(Name),
}

/// Most participants in a directory.
const PARTICIPANTS: usize = 100_000;
/// Most servers in a directory.
const SERVERS: usize = 1_000;
/// Most keys of one kind in one entry.
const KEYS: usize = 16;
/// Most revoked keys in a directory.
const REVOKED: usize = 100_000;
/// Most permissions in a policy.
const PERMISSIONS: usize = 10_000;
/// Most names in one list of a permission or an entry.
const NAMES: usize = 1_000;

fn bounded<T>(what: &'static str, list: &[T], limit: usize) -> Result<(), DirectoryError> {
    if list.len() > limit { Err(DirectoryError::TooMany { what, count: list.len(), limit }) } else { Ok(()) }
}

impl Directory {
    /// Checks the whole: bounds, and that nothing is named twice.
    pub(super) fn check(&self) -> Result<(), DirectoryError> {
        if self.revision == 0 {
            return Err(DirectoryError::NoRevision);
        }
        if self.expires <= self.issued {
            return Err(DirectoryError::NoLifetime);
        }
        if !(Duration::from_secs(1)..=Duration::from_hours(366 * 24)).contains(&self.max_ttl) {
            return Err(DirectoryError::BadMaxTtl);
        }
        bounded("participants", &self.participants, PARTICIPANTS)?;
        bounded("servers", &self.servers, SERVERS)?;
        bounded("revoked keys", &self.revoked, REVOKED)?;
        bounded("permissions", &self.policy, PERMISSIONS)?;

        let mut seen = Seen::default();
        let (mut ids, mut names, mut servers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for participant in &self.participants {
            if !ids.insert(participant.id) {
                return Err(DirectoryError::RepeatedParticipant(participant.id));
            }
            if !names.insert(&participant.name) {
                return Err(DirectoryError::RepeatedName(participant.name.clone()));
            }
            seen.participant(participant)?;
        }
        for server in &self.servers {
            if !servers.insert(&server.name) {
                return Err(DirectoryError::RepeatedName(server.name.clone()));
            }
            seen.server(server)?;
        }
        let mut revoked = BTreeSet::new();
        if let Some(twice) = self.revoked.iter().find(|revoked_key| !revoked.insert(revoked_key.key)) {
            return Err(DirectoryError::RepeatedRevocation(twice.key));
        }
        for permission in &self.policy {
            bounded("names in a permission", &permission.from, NAMES)?;
            bounded("names in a permission", &permission.to, NAMES)?;
            if let Some(unknown) = permission.from.iter().chain(&permission.to).find(|name| !names.contains(name)) {
                return Err(DirectoryError::UnknownInPolicy(unknown.clone()));
            }
        }
        Ok(())
    }
}

impl Card {
    pub(super) fn check(&self) -> Result<(), DirectoryError> {
        match self {
            Self::Participant(participant) => Seen::default().participant(participant),
            Self::Server(server) => Seen::default().server(server),
        }
    }
}

/// The public keys met so far, of whatever owner and role.
#[derive(Default)]
struct Seen<'a> {
    keys: BTreeSet<&'a [u8]>,
}

impl<'a> Seen<'a> {
    fn participant(&mut self, participant: &'a Participant) -> Result<(), DirectoryError> {
        bounded("groups of a participant", &participant.groups, NAMES)?;
        bounded("services of a participant", &participant.services, NAMES)?;
        self.identity_keys(&participant.name, &participant.identity_keys)?;
        bounded("sealing keys of a participant", &participant.sealing_keys, KEYS)?;
        participant.sealing_keys.iter().try_for_each(|key| self.sealing_key(&participant.name, key))
    }

    fn server(&mut self, server: &'a Server) -> Result<(), DirectoryError> {
        self.identity_keys(&server.name, &server.identity_keys)
    }

    fn identity_keys(&mut self, name: &Name, keys: &'a [IdentityKey]) -> Result<(), DirectoryError> {
        bounded("identity keys of one entry", keys, KEYS)?;
        for key in keys {
            if !(key.usage.sign || key.usage.login) {
                return Err(DirectoryError::UselessKey(name.clone()));
            }
            self.key(name, &key.public, key.validity)?;
        }
        Ok(())
    }

    fn sealing_key(&mut self, name: &Name, key: &'a SealingKey) -> Result<(), DirectoryError> {
        if key.algorithm == Algorithm::Ed25519 {
            return Err(DirectoryError::NotSealing(name.clone()));
        }
        let (len, expected) = (key.public.len(), key.algorithm.public_len());
        if len != expected {
            return Err(DirectoryError::WrongLength { name: name.clone(), len, expected });
        }
        self.key(name, &key.public, key.validity)
    }

    fn key(&mut self, name: &Name, public: &'a [u8], validity: Validity) -> Result<(), DirectoryError> {
        if validity.not_before >= validity.not_after {
            return Err(DirectoryError::EmptyValidity(name.clone()));
        }
        if self.keys.insert(public) { Ok(()) } else { Err(DirectoryError::RepeatedPublicKey(name.clone())) }
    }
}
