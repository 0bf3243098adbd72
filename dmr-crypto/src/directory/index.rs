//! What is looked up in a directory for each envelope and login, with every key parsed and checked once.

use std::collections::{HashMap, HashSet};

use dmr_core::directory::{Algorithm, Directory, IdentityKey, KeyUse, Participant, SealingKey, Validity};
use dmr_core::id::{KeyId, Name, ParticipantId};

use super::DirectoryRefused;
use crate::digest::{key_id, sealing_signed};
use crate::public_key::{IdentityPublicKey, check_sealing_key};
use crate::root::Root;

/// Whose identity key it is: a position in the directory's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Participant(ParticipantId),
    Server(usize),
}

/// An identity key of the directory, parsed.
pub(crate) struct KnownKey {
    pub(crate) owner: Owner,
    pub(crate) key: IdentityPublicKey,
    pub(crate) usage: KeyUse,
    pub(crate) validity: Validity,
}

/// A sealing key of the directory, by its id; parsed for sealing when it is first used.
#[cfg(feature = "seal")]
pub(crate) struct KnownSealingKey {
    pub(crate) id: KeyId,
    pub(crate) algorithm: Algorithm,
    pub(crate) validity: Validity,
    pub(crate) public: crate::sealing::LazyPublicKey,
}

/// Everything by its name, id or key id.
#[derive(Default)]
pub(crate) struct Index {
    by_id: HashMap<ParticipantId, usize>,
    by_name: HashMap<Name, usize>,
    identity: HashMap<KeyId, KnownKey>,
    #[cfg(feature = "seal")]
    sealing: HashMap<ParticipantId, Vec<KnownSealingKey>>,
    revoked: HashSet<KeyId>,
}

impl Index {
    /// Parses and checks every key and every sealing key's signature.
    pub(crate) fn build(directory: &Directory, root: &Root) -> Result<Self, DirectoryRefused> {
        let mut index =
            Self { revoked: directory.revoked.iter().map(|revoked| revoked.key).collect(), ..Self::default() };
        let mut ids: HashSet<KeyId> = HashSet::new();
        let root_keys: HashSet<[u8; 32]> = root.public_keys().collect();
        for (position, participant) in directory.participants.iter().enumerate() {
            index.by_id.insert(participant.id, position);
            index.by_name.insert(participant.name.clone(), position);
            let owner = Owner::Participant(participant.id);
            index.add_identity_keys(owner, &participant.name, &participant.identity_keys, &root_keys, &mut ids)?;
            index.add_sealing_keys(participant, &root_keys, &mut ids)?;
        }
        for (position, server) in directory.servers.iter().enumerate() {
            let owner = Owner::Server(position);
            index.add_identity_keys(owner, &server.name, &server.identity_keys, &root_keys, &mut ids)?;
        }
        Ok(index)
    }

    fn add_identity_keys(
        &mut self,
        owner: Owner,
        name: &Name,
        keys: &[IdentityKey],
        root_keys: &HashSet<[u8; 32]>,
        ids: &mut HashSet<KeyId>,
    ) -> Result<(), DirectoryRefused> {
        for entry in keys {
            let bad = |error| DirectoryRefused::Key { name: name.clone(), error };
            let key = IdentityPublicKey::from_bytes(&entry.public).map_err(bad)?;
            if root_keys.contains(&entry.public) || !ids.insert(key.id()) {
                return Err(DirectoryRefused::RepeatedKey(key.id()));
            }
            self.identity.insert(key.id(), KnownKey { owner, key, usage: entry.usage, validity: entry.validity });
        }
        Ok(())
    }

    fn add_sealing_keys(
        &mut self,
        participant: &Participant,
        root_keys: &HashSet<[u8; 32]>,
        ids: &mut HashSet<KeyId>,
    ) -> Result<(), DirectoryRefused> {
        for entry in &participant.sealing_keys {
            let bad = |error| DirectoryRefused::Key { name: participant.name.clone(), error };
            check_sealing_key(entry.algorithm, &entry.public).map_err(bad)?;
            let id = key_id(entry.algorithm, &entry.public);
            // An X25519 key may have the bytes of an Ed25519 key, and then another id.
            let is_root_key =
                entry.public.as_slice().try_into().is_ok_and(|public: &[u8; 32]| root_keys.contains(public));
            if is_root_key || !ids.insert(id) {
                return Err(DirectoryRefused::RepeatedKey(id));
            }
            if !self.is_signed(participant, entry) {
                return Err(DirectoryRefused::SealingKeyNotSigned { name: participant.name.clone(), key: id });
            }
            #[cfg(feature = "seal")]
            self.sealing.entry(participant.id).or_default().push(KnownSealingKey {
                id,
                algorithm: entry.algorithm,
                validity: entry.validity,
                public: crate::sealing::LazyPublicKey::new(entry.algorithm, &entry.public),
            });
        }
        Ok(())
    }

    /// Whether one of the participant's own signing keys signed this sealing key.
    fn is_signed(&self, participant: &Participant, entry: &SealingKey) -> bool {
        let signed = sealing_signed(participant.id, entry.algorithm, entry.validity, &entry.public);
        let signing = participant.identity_keys.iter().filter(|key| key.usage.sign);
        let mut parsed = signing.filter_map(|key| self.identity.get(&key_id(Algorithm::Ed25519, &key.public)));
        parsed.any(|known| known.key.verifies(&signed, &entry.signature))
    }

    pub(crate) fn position(&self, id: ParticipantId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn position_by_name(&self, name: &Name) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn identity_key(&self, id: KeyId) -> Option<&KnownKey> {
        self.identity.get(&id)
    }

    /// The sealing keys of a participant, in the directory's order.
    #[cfg(feature = "seal")]
    pub(crate) fn sealing_keys(&self, participant: ParticipantId) -> &[KnownSealingKey] {
        self.sealing.get(&participant).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_revoked(&self, key: KeyId) -> bool {
        self.revoked.contains(&key)
    }
}
