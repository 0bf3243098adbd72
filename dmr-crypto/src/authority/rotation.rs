//! Rotation: a new root document, by which directory keys and root keys come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use dmr_core::directory::Validity;
use dmr_core::time::Timestamp;

use super::{AUTHORITY_LIFETIME, AuthorityError, AuthorityKey, Role, bundle, root_lines};
use crate::directory::VerifiedDirectory;
use crate::jws::{self, Type};
use crate::root::{RootDraft, RootPin};

/// What a new root document says, and who signs it.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// Root keys of the document in force, at least as many as its threshold.
    pub signers: &'a [&'a AuthorityKey],
    /// The root keys from now on; those that stay are named again.
    pub root_keys: &'a [&'a AuthorityKey],
    /// How many of them must sign: 1 to their number.
    pub threshold: u8,
    /// The directory keys from now on, the first of which signs. A key that is not named signs nothing any more,
    /// whatever revisions it signed before.
    pub directory_keys: &'a [&'a AuthorityKey],
}

/// The directory that follows `current` under a new root document: root version + 1, revision + 1, otherwise
/// unchanged, expiring after `valid_for`.
///
/// # Errors
/// [`AuthorityError`]; `current` stays the last.
pub fn rotate(
    current: &VerifiedDirectory,
    pin: &RootPin,
    rotation: Rotation<'_>,
    now: Timestamp,
    valid_for: Duration,
) -> Result<VerifiedDirectory, AuthorityError> {
    for key in rotation.signers.iter().chain(rotation.root_keys) {
        key.check(Role::Root, current)?;
    }
    for key in rotation.directory_keys {
        key.check(Role::Directory, current)?;
    }
    let signer = rotation.directory_keys.first().ok_or(AuthorityError::WrongRole)?;
    let expires = now.plus(AUTHORITY_LIFETIME);
    let validity = Validity { not_before: now, not_after: expires };
    let draft = RootDraft {
        network: current.network().clone(),
        version: current.root_version().checked_add(1).ok_or(AuthorityError::LastRevision)?,
        expires,
        directory_keys: rotation.directory_keys.iter().map(|key| (key.secret.public(), validity)).collect(),
        root_keys: rotation.root_keys.iter().map(|key| key.secret.public()).collect(),
        threshold: rotation.threshold,
    };
    let payload = draft.payload()?;
    let signers = rotation.signers.iter().chain(rotation.root_keys);
    let signers: BTreeMap<_, _> = signers.map(|key| (key.id(), *key)).collect();
    let signed: Vec<String> = signers.values().map(|key| jws::sign(Type::Root, &key.secret, &payload)).collect();

    let mut next = current.directory().clone();
    next.revision = next.revision.checked_add(1).ok_or(AuthorityError::LastRevision)?;
    next.issued = now;
    next.expires = now.plus(valid_for).min(expires);
    next.previous = Some(current.digest());
    let mut roots = root_lines(current)?;
    roots.extend(signed.iter().map(String::as_str));
    let bundle = bundle(&roots, signer, &next)?;
    Ok(VerifiedDirectory::verify(bundle.as_bytes(), pin, now)?)
}
