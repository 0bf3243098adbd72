//! The ratchet: what was seen before decides which directory may follow.

use std::collections::BTreeMap;

use bytes::Bytes;
use dmr_core::header::Header;
use dmr_core::id::{Digest, KeyId};
use dmr_core::time::Timestamp;

use super::{DirectoryRefused, Freshness, VerifiedDirectory};
use crate::root::RootPin;

/// Why an offered directory does not replace the one in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// It does not verify.
    #[error(transparent)]
    Refused(#[from] DirectoryRefused),
    /// Its root document is older than the one in use.
    #[error("root version {found}, and {known} was seen")]
    RootRollback {
        /// The version in use.
        known: u64,
        /// The version offered.
        found: u64,
    },
    /// Its root document has the version of the one in use and says something else.
    #[error("two root documents of version {version}")]
    RootForked {
        /// The version of both.
        version: u64,
    },
    /// It is older than one that was seen.
    #[error("revision {found}, and {known} was seen")]
    Rollback {
        /// The highest revision that was seen.
        known: u64,
        /// The revision offered.
        found: u64,
    },
    /// Equivocation: another document of the revision in use, or one that names another predecessor.
    #[error("two directories of revision {revision}: nothing is sealed until this is resolved")]
    Forked {
        /// The revision of which there are two.
        revision: u64,
    },
    /// It expired longer ago than the grace.
    #[error("the offered directory has expired")]
    Expired,
}

/// What an offer led to.
#[derive(Debug, Clone)]
pub enum Offer {
    /// It is the directory in use from now on. Persist its bundle before using it.
    Adopted(VerifiedDirectory),
    /// It is the directory in use already.
    Unchanged,
}

/// The evidence of equivocation: two signed directories of one revision, as they came.
#[derive(Debug, Clone)]
pub struct Fork {
    /// The bundle in use.
    pub ours: Bytes,
    /// The other bundle.
    pub other: Bytes,
}

/// The directory in use, and the memory that refuses older ones and forks.
///
/// Offers are judged in this order: verify, compare revisions, expiry; the caller persists and then uses what was
/// adopted. A bad offer changes nothing but the fork mark: the last good document stays in use.
///
/// A revision must exceed every revision that was seen under a key which the newest root document still names. A
/// stolen key that signed revision 2⁶³ is therefore harmless once a root document drops it. The document that then takes
/// the place of one with a higher revision must not have been issued before it.
#[derive(Debug)]
pub struct DirectoryTrust {
    pin: RootPin,
    current: Option<VerifiedDirectory>,
    /// Highest revision by directory key; at most as many as a root document names.
    revisions: BTreeMap<KeyId, u64>,
    fork: Option<Fork>,
}

impl DirectoryTrust {
    /// Trust in this pin, and no directory yet.
    pub fn new(pin: RootPin) -> Self {
        Self { pin, current: None, revisions: BTreeMap::new(), fork: None }
    }

    /// The pin.
    pub fn pin(&self) -> &RootPin {
        &self.pin
    }

    /// The directory in use.
    pub fn current(&self) -> Option<&VerifiedDirectory> {
        self.current.as_ref()
    }

    /// The evidence of equivocation, until a later directory resolves it.
    pub fn fork(&self) -> Option<&Fork> {
        self.fork.as_ref()
    }

    /// Takes up the directory that was in use before a restart. Unlike an offer it may have expired.
    ///
    /// # Errors
    /// [`TrustError`], as for [`DirectoryTrust::offer`] without the expiry.
    pub fn restore(&mut self, bundle: &[u8], now: Timestamp) -> Result<Offer, TrustError> {
        let offered = VerifiedDirectory::verify(bundle, &self.pin, now)?;
        self.judge(offered)
    }

    /// Takes up `bundle` if it verifies, is newer than what was seen and has not expired.
    ///
    /// # Errors
    /// [`TrustError`]; the directory in use stays in use. After [`TrustError::Forked`] it no longer seals.
    pub fn offer(&mut self, bundle: &[u8], now: Timestamp) -> Result<Offer, TrustError> {
        if self.current.as_ref().is_some_and(|current| current.bundle() == bundle) {
            return Ok(Offer::Unchanged);
        }
        let offered = VerifiedDirectory::verify(bundle, &self.pin, now)?;
        let expired = offered.freshness(now) == Freshness::Expired;
        if expired && matches!(self.rank(&offered), Ok(Rank::Newer { .. })) {
            return Err(TrustError::Expired);
        }
        self.judge(offered)
    }

    /// Whether `header` speaks of another directory under the revision in use: its sender was shown a fork, or lies.
    ///
    /// A claim, not a proof: raise an alarm and fetch the directory. Only a second signed document stops sealing, or
    /// one participant's word could stop a network.
    pub fn is_contradicted_by(&self, header: &Header) -> bool {
        self.current.as_ref().is_some_and(|current| {
            current.revision() == header.directory_revision && current.digest() != header.directory_digest
        })
    }

    fn judge(&mut self, offered: VerifiedDirectory) -> Result<Offer, TrustError> {
        match self.rank(&offered) {
            Err(fork @ TrustError::Forked { .. }) => {
                self.mark_forked(offered.bundle());
                Err(fork)
            }
            Err(error) => Err(error),
            Ok(Rank::Same) => Ok(Offer::Unchanged),
            Ok(Rank::Newer { resolves }) => Ok(Offer::Adopted(self.adopt(offered, resolves))),
        }
    }

    /// Compares an offer with what was seen. Changes nothing.
    fn rank(&self, offered: &VerifiedDirectory) -> Result<Rank, TrustError> {
        let Some(current) = &self.current else {
            return Ok(Rank::Newer { resolves: true });
        };
        let (known_root, found_root) = (current.root(), offered.root());
        if found_root.version < known_root.version {
            return Err(TrustError::RootRollback { known: known_root.version, found: found_root.version });
        }
        if found_root.version == known_root.version && found_root.digest != known_root.digest {
            return Err(TrustError::RootForked { version: found_root.version });
        }
        if offered.digest() == current.digest() && found_root.version == known_root.version {
            return Ok(Rank::Same);
        }
        let named = self.revisions.iter().filter(|(key, _)| found_root.directory_key(**key).is_some());
        let known = named.map(|(_, revision)| *revision).max().unwrap_or(0);
        let revision = offered.revision();
        if revision < known {
            return Err(TrustError::Rollback { known, found: revision });
        }
        if offered.digest() == current.digest() {
            // The same directory under a newer root document.
            return Ok(Rank::Newer { resolves: true });
        }
        if revision == known {
            return Err(TrustError::Forked { revision });
        }
        if revision <= current.revision() && offered.issued() < current.issued() {
            // The key that signed the one in use was dropped, and its revisions count no more. What was seen under the
            // other keys may have been forgotten at a restart, but nobody signs in the future: time does not go back.
            return Err(TrustError::Rollback { known: current.revision(), found: revision });
        }
        let next = current.revision().checked_add(1) == Some(revision);
        let root_is_newer = found_root.version > known_root.version;
        let follows = offered.directory().previous == Some(current.digest());
        if next && !follows && !root_is_newer {
            return Err(TrustError::Forked { revision: current.revision() });
        }
        Ok(Rank::Newer { resolves: follows || root_is_newer })
    }

    fn adopt(&mut self, offered: VerifiedDirectory, resolves: bool) -> VerifiedDirectory {
        if resolves {
            self.fork = None;
        }
        let adopted = if self.fork.is_some() { offered.marked_forked() } else { offered };
        self.revisions.retain(|key, _| adopted.root().directory_key(*key).is_some());
        let highest = self.revisions.entry(adopted.signed_by()).or_default();
        *highest = (*highest).max(adopted.revision());
        self.current = Some(adopted.clone());
        adopted
    }

    fn mark_forked(&mut self, other: &Bytes) {
        if let Some(current) = &mut self.current {
            *current = current.marked_forked();
            if self.fork.is_none() {
                self.fork = Some(Fork { ours: current.bundle().clone(), other: other.clone() });
            }
        }
    }

    /// Digest of the directory in use, for logs.
    pub fn digest(&self) -> Option<Digest> {
        self.current.as_ref().map(VerifiedDirectory::digest)
    }
}

/// How an acceptable offer stands to the directory in use.
enum Rank {
    Same,
    /// `resolves`: it settles a fork in favour of the directory in use.
    Newer {
        resolves: bool,
    },
}
