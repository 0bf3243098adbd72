//! The root: who may sign directories. Its keys are pinned by everyone and used offline.

use std::collections::BTreeSet;

use dmr_core::directory::Validity;
use dmr_core::id::{Digest, KeyId, Name};
use dmr_core::json::{self, JsonError};
use dmr_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::sha256;
use crate::jws::{Jws, JwsError, Type};
use crate::public_key::{IdentityPublicKey, KeyError};

/// Most root keys, most directory keys and most signatures of one root document.
const MAX_KEYS: usize = 16;
/// Longest pin file, in bytes.
const MAX_PIN: usize = 16 << 10;
/// Longest root document, in bytes of its line.
const MAX_ROOT: usize = 64 << 10;

/// Why a pin or a chain of root documents is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// Longer than a document of its kind may be.
    #[error("{len} bytes, {limit} allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not the strict JSON of one.
    #[error("not the JSON of a root document or pin: {0}")]
    Json(Box<str>),
    /// A line is not a signed root document.
    #[error("root document: {0}")]
    Jws(#[from] JwsError),
    /// A public key that may not be used.
    #[error("root document: {0}")]
    Key(#[from] KeyError),
    /// The same public key twice, in one role or in two.
    #[error("a root document or pin names a public key twice")]
    RepeatedKey,
    /// No keys, too many, or a threshold that is not between 1 and their number.
    #[error("{keys} keys and a threshold of {threshold}")]
    Threshold {
        /// Keys given.
        keys: usize,
        /// Signatures required.
        threshold: u8,
    },
    /// A key of the document ends before it begins.
    #[error("a directory key ends before it begins")]
    EmptyValidity,
    /// No root document before the directory.
    #[error("no root document")]
    Missing,
    /// More versions or signatures than a chain may have.
    #[error("too many root documents or signatures")]
    TooMany,
    /// The document belongs to another network.
    #[error("a root document of another network")]
    WrongNetwork,
    /// Versions begin at 1 and grow by one.
    #[error("root version {found} where {expected} is due")]
    Version {
        /// The version that was due.
        expected: u64,
        /// The version found.
        found: u64,
    },
    /// A key signed a version twice.
    #[error("root version {version}: two signatures of one key")]
    RepeatedSignature {
        /// The version that was due.
        version: u64,
    },
    /// Not enough keys of the pin, of the version before or of the document itself signed it.
    #[error("root version {version}: {found} of {required} signatures")]
    NotSigned {
        /// The version that was due.
        version: u64,
        /// Good signatures.
        found: usize,
        /// Signatures required.
        required: usize,
    },
    /// A signature that verifies under no key that may sign this version.
    #[error("root version {version}: a signature that is not a root key's")]
    BadSignature {
        /// The version that was due.
        version: u64,
    },
}

impl From<JsonError> for RootError {
    fn from(error: JsonError) -> Self {
        Self::Json(error.detail)
    }
}

/// Keys and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeySet {
    keys: Vec<IdentityPublicKey>,
    threshold: u8,
}

impl KeySet {
    fn new(keys: &[PublicKey], threshold: u8) -> Result<Self, RootError> {
        if keys.is_empty() || keys.len() > MAX_KEYS || threshold == 0 || usize::from(threshold) > keys.len() {
            return Err(RootError::Threshold { keys: keys.len(), threshold });
        }
        let keys = keys.iter().map(|key| IdentityPublicKey::from_bytes(&key.0)).collect::<Result<Vec<_>, _>>()?;
        let distinct: BTreeSet<_> = keys.iter().map(IdentityPublicKey::to_bytes).collect();
        if distinct.len() != keys.len() {
            return Err(RootError::RepeatedKey);
        }
        Ok(Self { keys, threshold })
    }

    /// How many of these keys signed; each counts once, as `signatures` holds no key id twice.
    fn count(&self, signatures: &[Jws<'_>]) -> usize {
        signatures.iter().filter(|jws| self.signed(jws)).count()
    }

    fn signed(&self, jws: &Jws<'_>) -> bool {
        self.keys.iter().find(|key| key.id() == jws.kid).is_some_and(|key| jws.is_signed_by(key))
    }

    fn require(&self, signatures: &[Jws<'_>], version: u64) -> Result<(), RootError> {
        let (found, required) = (self.count(signatures), usize::from(self.threshold));
        if found < required { Err(RootError::NotSigned { version, found, required }) } else { Ok(()) }
    }
}

/// A public key in JSON: base64url of its bytes.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
struct PublicKey(#[serde(with = "json::base64url")] [u8; 32]);

/// The root keys that everyone holds beforehand, by which the first root document is known: the file `root.pub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootPin {
    network: Name,
    set: KeySet,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PinFile {
    network: Name,
    threshold: u8,
    keys: Vec<PublicKey>,
}

impl RootPin {
    /// The pin in the file `bytes`.
    ///
    /// # Errors
    /// [`RootError`], saying what is wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RootError> {
        let file: PinFile = json::parse(within(bytes, MAX_PIN)?)?;
        Ok(Self { network: file.network, set: KeySet::new(&file.keys, file.threshold)? })
    }

    /// The pin as a file.
    ///
    /// # Errors
    /// [`RootError::Json`] when it has no JSON form, which it always has.
    pub fn to_json(&self) -> Result<Vec<u8>, RootError> {
        let keys = self.set.keys.iter().map(|key| PublicKey(key.to_bytes())).collect();
        Ok(json::write(&PinFile { network: self.network.clone(), threshold: self.set.threshold, keys })?)
    }

    /// The network it belongs to.
    pub fn network(&self) -> &Name {
        &self.network
    }

    /// The ids of the pinned keys.
    pub fn keys(&self) -> impl Iterator<Item = KeyId> {
        self.set.keys.iter().map(IdentityPublicKey::id)
    }
}

/// A key that may sign directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryKey {
    pub(crate) key: IdentityPublicKey,
    pub(crate) validity: Validity,
}

/// A verified root document, the newest of its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) version: u64,
    pub(crate) expires: Timestamp,
    pub(crate) digest: Digest,
    pub(crate) directory_keys: Vec<DirectoryKey>,
    set: KeySet,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RootFile {
    network: Name,
    version: u64,
    expires: Timestamp,
    #[serde(deserialize_with = "json::objects")]
    directory_keys: Vec<DirectoryKeyFile>,
    root_keys: Vec<PublicKey>,
    threshold: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DirectoryKeyFile {
    public: PublicKey,
    #[serde(deserialize_with = "json::object")]
    validity: Validity,
}

impl Root {
    /// The newest root document of the chain that `lines` are, from version 1, each version signed by enough keys of
    /// the version before it (version 1: of the pin) and of its own.
    ///
    /// Several lines with one payload are several signatures of one version.
    pub(crate) fn verify_chain(lines: &[&str], pin: &RootPin) -> Result<Self, RootError> {
        let lines = lines.iter().map(|line| {
            within(line.as_bytes(), MAX_ROOT)?;
            Ok(Jws::parse(line, Type::Root)?)
        });
        let lines = lines.collect::<Result<Vec<_>, RootError>>()?;
        let mut newest: Option<Self> = None;
        for signatures in lines.chunk_by(|a, b| a.encoded_payload() == b.encoded_payload()) {
            newest = Some(Self::verify(signatures, pin, newest.as_ref())?);
        }
        newest.ok_or(RootError::Missing)
    }

    fn verify(signatures: &[Jws<'_>], pin: &RootPin, before: Option<&Self>) -> Result<Self, RootError> {
        let version = before.map_or(Some(1), |root| root.version.checked_add(1)).ok_or(RootError::TooMany)?;
        let signers: BTreeSet<KeyId> = signatures.iter().map(|jws| jws.kid).collect();
        if signers.len() != signatures.len() {
            return Err(RootError::RepeatedSignature { version });
        }
        if signatures.len() > 2 * MAX_KEYS {
            return Err(RootError::TooMany);
        }
        let trusted = before.map_or(&pin.set, |root| &root.set);
        trusted.require(signatures, version)?;
        let payload = signatures.first().ok_or(RootError::Missing)?.payload()?;
        let root = Self::parse(&payload, pin, version)?;
        root.set.require(signatures, version)?;
        if !signatures.iter().all(|jws| trusted.signed(jws) || root.set.signed(jws)) {
            return Err(RootError::BadSignature { version });
        }
        Ok(root)
    }

    fn parse(payload: &[u8], pin: &RootPin, version: u64) -> Result<Self, RootError> {
        let file: RootFile = json::parse(payload)?;
        if file.network != pin.network {
            return Err(RootError::WrongNetwork);
        }
        if file.version != version {
            return Err(RootError::Version { expected: version, found: file.version });
        }
        let set = KeySet::new(&file.root_keys, file.threshold)?;
        if file.directory_keys.is_empty() || file.directory_keys.len() > MAX_KEYS {
            return Err(RootError::Threshold { keys: file.directory_keys.len(), threshold: 1 });
        }
        let mut seen: BTreeSet<_> = set.keys.iter().map(IdentityPublicKey::to_bytes).collect();
        let directory_keys = file.directory_keys.iter().map(|entry| {
            if !seen.insert(entry.public.0) {
                return Err(RootError::RepeatedKey);
            }
            if entry.validity.not_before >= entry.validity.not_after {
                return Err(RootError::EmptyValidity);
            }
            Ok(DirectoryKey { key: IdentityPublicKey::from_bytes(&entry.public.0)?, validity: entry.validity })
        });
        let directory_keys = directory_keys.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { version, expires: file.expires, digest: Digest(sha256(&[payload])), directory_keys, set })
    }

    /// The directory key with this id.
    pub(crate) fn directory_key(&self, id: KeyId) -> Option<&DirectoryKey> {
        self.directory_keys.iter().find(|entry| entry.key.id() == id)
    }

    /// Every public key that this document names, in both roles.
    pub(crate) fn public_keys(&self) -> impl Iterator<Item = [u8; 32]> {
        let directory = self.directory_keys.iter().map(|entry| &entry.key);
        self.set.keys.iter().chain(directory).map(IdentityPublicKey::to_bytes)
    }
}

fn within(bytes: &[u8], limit: usize) -> Result<&[u8], RootError> {
    if bytes.len() > limit { Err(RootError::TooLong { len: bytes.len(), limit }) } else { Ok(bytes) }
}

/// What a root document says, before it is signed.
#[cfg(feature = "sign")]
pub(crate) struct RootDraft {
    pub(crate) network: Name,
    pub(crate) version: u64,
    pub(crate) expires: Timestamp,
    pub(crate) directory_keys: Vec<([u8; 32], Validity)>,
    pub(crate) root_keys: Vec<[u8; 32]>,
    pub(crate) threshold: u8,
}

#[cfg(feature = "sign")]
impl RootDraft {
    /// The bytes that root keys sign.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, RootError> {
        let directory_keys = self.directory_keys.iter();
        let directory_keys = directory_keys
            .map(|(public, validity)| DirectoryKeyFile { public: PublicKey(*public), validity: *validity });
        Ok(json::write(&RootFile {
            network: self.network.clone(),
            version: self.version,
            expires: self.expires,
            directory_keys: directory_keys.collect(),
            root_keys: self.root_keys.iter().copied().map(PublicKey).collect(),
            threshold: self.threshold,
        })?)
    }

    /// The pin of this document's root keys.
    pub(crate) fn pin(&self) -> Result<RootPin, RootError> {
        let keys: Vec<_> = self.root_keys.iter().copied().map(PublicKey).collect();
        Ok(RootPin { network: self.network.clone(), set: KeySet::new(&keys, self.threshold)? })
    }
}
