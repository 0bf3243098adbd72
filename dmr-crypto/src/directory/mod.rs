//! The signed directory: verified as a whole, and only then looked into.

mod bundle;
mod freshness;
mod index;
mod trust;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use dmr_core::directory::{Directory, Participant, Server};
use dmr_core::id::{Digest, KeyId, Name, ParticipantId};
use dmr_core::time::Timestamp;

pub use bundle::DirectoryRefused;
pub use freshness::Freshness;
#[cfg(feature = "seal")]
pub(crate) use index::KnownSealingKey;
pub(crate) use index::{Index, Owner};
pub use trust::{DirectoryTrust, Fork, Offer, TrustError};

use crate::root::Root;

/// A directory whose whole chain of signatures holds: the only thing that sealing and opening accept.
///
/// Cheap to clone: clones share one copy.
#[derive(Clone)]
pub struct VerifiedDirectory {
    inner: Arc<Inner>,
    forked: bool,
}

pub(crate) struct Inner {
    pub(crate) directory: Directory,
    pub(crate) digest: Digest,
    pub(crate) root: Root,
    pub(crate) signed_by: KeyId,
    pub(crate) bundle: Bytes,
    pub(crate) index: Index,
}

impl VerifiedDirectory {
    /// The directory's content.
    pub fn directory(&self) -> &Directory {
        &self.inner.directory
    }

    /// The network.
    pub fn network(&self) -> &Name {
        &self.inner.directory.network
    }

    /// The revision.
    pub fn revision(&self) -> u64 {
        self.inner.directory.revision
    }

    /// SHA-256 of the signed document: what headers carry and the next document names as its predecessor.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// The bytes it was verified from: root documents and the directory, as they travel and are kept.
    pub fn bundle(&self) -> &Bytes {
        &self.inner.bundle
    }

    /// Version of the newest root document.
    pub fn root_version(&self) -> u64 {
        self.inner.root.version
    }

    /// The directory key that signed it.
    pub fn signed_by(&self) -> KeyId {
        self.inner.signed_by
    }

    /// When it was signed.
    pub fn issued(&self) -> Timestamp {
        self.inner.directory.issued
    }

    /// When it ends: its own expiry or that of the root document, whichever is earlier.
    pub fn expires(&self) -> Timestamp {
        self.inner.directory.expires.min(self.inner.root.expires)
    }

    /// Whether another document of the same revision exists: nothing is sealed under it.
    pub fn is_forked(&self) -> bool {
        self.forked
    }

    /// The participant with this id, whatever its status.
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.inner.directory.participants.get(self.inner.index.position(id)?)
    }

    /// The participant with this name, whatever its status.
    pub fn participant_by_name(&self, name: &Name) -> Option<&Participant> {
        self.inner.directory.participants.get(self.inner.index.position_by_name(name)?)
    }

    /// The server with this name.
    pub fn server(&self, name: &Name) -> Option<&Server> {
        self.inner.directory.server(name)
    }

    /// Whether the policy lets `from` write to `to`; `false` when either is not listed.
    pub fn allows(&self, from: ParticipantId, to: ParticipantId) -> bool {
        match (self.participant(from), self.participant(to)) {
            (Some(from), Some(to)) => self.inner.directory.allows(&from.name, &to.name),
            _ => false,
        }
    }

    /// Whether a key is revoked: refused at once, whatever the time.
    pub fn is_revoked(&self, key: KeyId) -> bool {
        self.inner.index.is_revoked(key)
    }

    pub(crate) fn index(&self) -> &Index {
        &self.inner.index
    }

    pub(crate) fn root(&self) -> &Root {
        &self.inner.root
    }

    fn marked_forked(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), forked: true }
    }
}

impl fmt::Debug for VerifiedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedDirectory")
            .field("network", self.network())
            .field("revision", &self.revision())
            .field("digest", &self.digest())
            .field("forked", &self.forked)
            .finish_non_exhaustive()
    }
}
