//! The form in which a directory travels: root documents and the directory, one signed line each.

use bytes::Bytes;
use dmr_core::directory::{Directory, DirectoryError};
use dmr_core::id::{Digest, KeyId, Name};
use dmr_core::limit;
use dmr_core::time::Timestamp;

use super::{Index, Inner, VerifiedDirectory};
use crate::digest::sha256;
use crate::jws::{Jws, JwsError, Type};
use crate::public_key::KeyError;
use crate::root::{Root, RootError, RootPin};

/// Why a bundle is not a directory that can be trusted. It is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryRefused {
    /// Longer than a bundle may be.
    #[error("the bundle has {len} bytes, {limit} allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not lines of text, each ended by a line feed.
    #[error("the bundle is not lines of text, each ended by a line feed")]
    Form,
    /// The chain of root documents does not hold.
    #[error("root: {0}")]
    Root(#[from] RootError),
    /// The last line is not a signed directory.
    #[error("directory: {0}")]
    Jws(#[from] JwsError),
    /// The root document names no such directory key.
    #[error("signed by {0}, which is no directory key")]
    UnknownKey(KeyId),
    /// The signature is not the directory key's.
    #[error("the signature of the directory is not its key's")]
    BadSignature,
    /// The signed document is not a well-formed directory.
    #[error("directory: {0}")]
    Directory(#[from] DirectoryError),
    /// The directory belongs to another network.
    #[error("a directory of the network {found}, {expected} expected")]
    WrongNetwork {
        /// The pin's network.
        expected: Name,
        /// The directory's network.
        found: Name,
    },
    /// It was issued before, or expires after, the validity of the key that signed it.
    #[error("the directory does not lie within the validity of the key that signed it")]
    OutsideValidity,
    /// It was issued in the future.
    #[error("issued at {issued}, which is in the future")]
    NotYetIssued {
        /// When it says it was issued.
        issued: Timestamp,
    },
    /// A public key that may not be used.
    #[error("{name}: {error}")]
    Key {
        /// Whose key.
        name: Name,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A key is listed twice, under participants, servers or the root's own keys.
    #[error("key {0} is listed twice")]
    RepeatedKey(KeyId),
    /// A sealing key that none of the participant's signing keys signed.
    #[error("sealing key {key} of {name} is not signed by {name}")]
    SealingKeyNotSigned {
        /// Whose key.
        name: Name,
        /// Which key.
        key: KeyId,
    },
}

/// Most lines of a bundle.
const MAX_LINES: usize = 4096;

impl VerifiedDirectory {
    /// The directory that `bundle` holds: the chain of root documents from the pin, the signature over the directory,
    /// then its content and every key in it.
    ///
    /// It does not look at expiry (see [`VerifiedDirectory::freshness`]) nor at what was seen before (see
    /// [`DirectoryTrust`](super::DirectoryTrust)). It takes about 30 µs for each sealing key: a large directory is
    /// verified off the event loop.
    ///
    /// # Errors
    /// [`DirectoryRefused`], naming the first thing that is wrong.
    pub fn verify(bundle: &[u8], pin: &RootPin, now: Timestamp) -> Result<Self, DirectoryRefused> {
        if bundle.len() > limit::DIRECTORY {
            return Err(DirectoryRefused::TooLong { len: bundle.len(), limit: limit::DIRECTORY });
        }
        let text = std::str::from_utf8(bundle).map_err(|_| DirectoryRefused::Form)?;
        let text = text.strip_suffix('\n').ok_or(DirectoryRefused::Form)?;
        let lines: Vec<&str> = text.split('\n').take(MAX_LINES + 1).collect();
        if lines.len() > MAX_LINES {
            return Err(DirectoryRefused::Root(RootError::TooMany));
        }
        let (last, roots) = lines.split_last().ok_or(DirectoryRefused::Form)?;
        let jws = Jws::parse(last, Type::Directory)?;
        let root = Root::verify_chain(roots, pin)?;
        let signer = root.directory_key(jws.kid).ok_or(DirectoryRefused::UnknownKey(jws.kid))?;
        if !jws.is_signed_by(&signer.key) {
            return Err(DirectoryRefused::BadSignature);
        }
        let payload = jws.payload()?;
        let directory = Directory::from_json(&payload)?;
        if directory.network != *pin.network() {
            return Err(DirectoryRefused::WrongNetwork { expected: pin.network().clone(), found: directory.network });
        }
        if directory.issued < signer.validity.not_before || directory.expires > signer.validity.not_after {
            return Err(DirectoryRefused::OutsideValidity);
        }
        if directory.issued > now.plus(limit::CLOCK_SKEW) {
            return Err(DirectoryRefused::NotYetIssued { issued: directory.issued });
        }
        let index = Index::build(&directory, &root)?;
        Ok(Self {
            inner: std::sync::Arc::new(Inner {
                digest: Digest(sha256(&[&payload])),
                signed_by: signer.key.id(),
                bundle: Bytes::copy_from_slice(bundle),
                directory,
                root,
                index,
            }),
            forked: false,
        })
    }
}
