//! The directory's keeper: makes a network's keys, and signs each revision of its directory.

mod rotation;

use std::fmt;
use std::time::Duration;

pub use rotation::{Rotation, rotate};

use dmr_core::directory::{Card, Directory, DirectoryError, RevokedKey, Status, Validity};
use dmr_core::header::Suite;
use dmr_core::id::{KeyId, Name};
use dmr_core::limit::MAX_TTL;
use dmr_core::time::Timestamp;

use crate::directory::{DirectoryRefused, VerifiedDirectory};
use crate::identity::{IdentitySecret, RandomError};
use crate::jws::{self, Type};
use crate::root::{RootDraft, RootError, RootPin};

/// Which of the keeper's keys it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Signs root documents; kept offline.
    Root,
    /// Signs directories.
    Directory,
}

/// A secret key of the directory's keeper. Erased when dropped; `Debug` shows ids only.
pub struct AuthorityKey {
    role: Role,
    network: Name,
    secret: IdentitySecret,
}

impl AuthorityKey {
    /// The key in this role for this network.
    pub fn new(role: Role, network: Name, secret: IdentitySecret) -> Self {
        Self { role, network, secret }
    }

    /// What it signs.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The network it serves.
    pub fn network(&self) -> &Name {
        &self.network
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.secret.id()
    }

    pub(crate) fn secret(&self) -> &IdentitySecret {
        &self.secret
    }

    /// Whether it may sign in this role for the network of `current`.
    fn check(&self, role: Role, current: &VerifiedDirectory) -> Result<(), AuthorityError> {
        if self.role != role {
            return Err(AuthorityError::WrongRole);
        }
        if self.network != *current.network() {
            let (expected, found) = (current.network().clone(), self.network.clone());
            return Err(AuthorityError::WrongNetwork { expected, found });
        }
        Ok(())
    }
}

impl fmt::Debug for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorityKey")
            .field("role", &self.role)
            .field("network", &self.network)
            .field("id", &self.id())
            .finish()
    }
}

/// Why no directory was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The system gave no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The key has the other role.
    #[error("the key given has the other role")]
    WrongRole,
    /// The key serves another network.
    #[error("the key serves the network {found}, the directory is of {expected}")]
    WrongNetwork {
        /// The directory's network.
        expected: Name,
        /// The key's network.
        found: Name,
    },
    /// The name belongs to another participant, or the id to another name.
    #[error("{name} is already the name of another entry, or the id has another name")]
    NameTaken {
        /// The card's name.
        name: Name,
    },
    /// Nobody has that name.
    #[error("the directory lists no {name}")]
    UnknownName {
        /// The name given.
        name: Name,
    },
    /// Revisions have come to their end.
    #[error("there is no revision after this one")]
    LastRevision,
    /// The new directory is not well formed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The new root document is not well formed.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The new directory does not verify: a card's keys are bad, or the signing key is not one the root names.
    #[error("the new directory does not verify: {0}")]
    Refused(#[from] DirectoryRefused),
}

/// What a new network begins with.
#[derive(Debug)]
pub struct Founding {
    /// Signs root documents: to be kept offline.
    pub root_key: AuthorityKey,
    /// Signs directories.
    pub directory_key: AuthorityKey,
    /// What every participant and server holds beforehand.
    pub pin: RootPin,
    /// Revision 1, without participants.
    pub directory: VerifiedDirectory,
}

/// How long a network's root document and directory key serve: ten years.
pub const AUTHORITY_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);

/// Founds a network: fresh keys, root document version 1 and directory revision 1, which expires after `valid_for`.
///
/// # Errors
/// [`AuthorityError::Random`], or [`AuthorityError::Directory`] for a `valid_for` of nothing.
pub fn found(network: Name, now: Timestamp, valid_for: Duration) -> Result<Founding, AuthorityError> {
    let key = |role| Ok::<_, RandomError>(AuthorityKey::new(role, network.clone(), IdentitySecret::generate()?));
    found_with(key(Role::Root)?, key(Role::Directory)?, now, valid_for)
}

/// [`found`] with given keys.
pub(crate) fn found_with(
    root_key: AuthorityKey,
    directory_key: AuthorityKey,
    now: Timestamp,
    valid_for: Duration,
) -> Result<Founding, AuthorityError> {
    let network = root_key.network().clone();
    let expires = now.plus(AUTHORITY_LIFETIME);
    let draft = RootDraft {
        network: network.clone(),
        version: 1,
        expires,
        directory_keys: vec![(directory_key.secret.public(), Validity { not_before: now, not_after: expires })],
        root_keys: vec![root_key.secret.public()],
        threshold: 1,
    };
    let pin = draft.pin()?;
    let root = jws::sign(Type::Root, &root_key.secret, &draft.payload()?);
    let first = Directory {
        network,
        revision: 1,
        issued: now,
        expires: now.plus(valid_for).min(expires),
        previous: None,
        participants: Vec::new(),
        servers: Vec::new(),
        revoked: Vec::new(),
        suite_floor: Suite::X25519,
        max_ttl: MAX_TTL,
        policy: Vec::new(),
    };
    let directory = VerifiedDirectory::verify(bundle(&[&root], &directory_key, &first)?.as_bytes(), &pin, now)?;
    Ok(Founding { root_key, directory_key, pin, directory })
}

fn bundle(roots: &[&str], key: &AuthorityKey, directory: &Directory) -> Result<String, AuthorityError> {
    let last = jws::sign(Type::Directory, &key.secret, &directory.to_json()?);
    Ok(roots.iter().copied().chain([last.as_str()]).flat_map(|line| [line, "\n"]).collect())
}

/// The root documents of a bundle, one line each.
fn root_lines(current: &VerifiedDirectory) -> Result<Vec<&str>, AuthorityError> {
    let text = std::str::from_utf8(current.bundle()).map_err(|_| DirectoryRefused::Form)?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.pop();
    Ok(lines)
}

/// The directory that follows `current`: revision + 1, issued `now`, expiring after `valid_for` (at the latest with
/// the directory key), naming its predecessor, changed by `change`, signed by `key` and verified.
///
/// # Errors
/// [`AuthorityError`]; `current` stays the last.
pub fn amend(
    current: &VerifiedDirectory,
    pin: &RootPin,
    key: &AuthorityKey,
    now: Timestamp,
    valid_for: Duration,
    change: impl FnOnce(&mut Directory) -> Result<(), AuthorityError>,
) -> Result<VerifiedDirectory, AuthorityError> {
    key.check(Role::Directory, current)?;
    let last = current.root().directory_key(key.id()).ok_or(DirectoryRefused::UnknownKey(key.id()))?.validity.not_after;
    let mut next = current.directory().clone();
    next.revision = next.revision.checked_add(1).ok_or(AuthorityError::LastRevision)?;
    next.issued = now;
    next.expires = now.plus(valid_for).min(last);
    next.previous = Some(current.digest());
    change(&mut next)?;
    let bundle = bundle(&root_lines(current)?, key, &next)?;
    Ok(VerifiedDirectory::verify(bundle.as_bytes(), pin, now)?)
}

/// [`amend`] by these cards: new entries, or the new keys of entries with the same id and name, which are active
/// again.
///
/// # Errors
/// [`AuthorityError`].
pub fn add(
    current: &VerifiedDirectory,
    pin: &RootPin,
    key: &AuthorityKey,
    cards: &[Card],
    now: Timestamp,
    valid_for: Duration,
) -> Result<VerifiedDirectory, AuthorityError> {
    amend(current, pin, key, now, valid_for, |directory| cards.iter().try_for_each(|card| add_card(directory, card)))
}

fn add_card(directory: &mut Directory, card: &Card) -> Result<(), AuthorityError> {
    match card {
        Card::Participant(card) => {
            let touches = |name: &Name, id| *name == card.name || id == card.id;
            let entry = directory.participants.iter_mut().find(|entry| touches(&entry.name, entry.id));
            match entry {
                None => directory.participants.push(card.clone()),
                Some(entry) if entry.name == card.name && entry.id == card.id => {
                    entry.identity_keys.clone_from(&card.identity_keys);
                    entry.sealing_keys.clone_from(&card.sealing_keys);
                    entry.status = Status::Active;
                }
                Some(_) => return Err(AuthorityError::NameTaken { name: card.name.clone() }),
            }
        }
        Card::Server(card) => match directory.servers.iter_mut().find(|entry| entry.name == card.name) {
            None => directory.servers.push(card.clone()),
            Some(entry) => entry.clone_from(card),
        },
    }
    Ok(())
}

/// [`amend`] so that the participant, or else the server, of this name takes part no more. A participant's entry stays
/// and says so.
///
/// # Errors
/// [`AuthorityError::UnknownName`], and as for [`amend`].
pub fn remove(
    current: &VerifiedDirectory,
    pin: &RootPin,
    key: &AuthorityKey,
    name: &Name,
    now: Timestamp,
    valid_for: Duration,
) -> Result<VerifiedDirectory, AuthorityError> {
    amend(current, pin, key, now, valid_for, |directory| {
        if let Some(entry) = directory.participants.iter_mut().find(|entry| entry.name == *name) {
            entry.status = Status::Removed;
            return Ok(());
        }
        let before = directory.servers.len();
        directory.servers.retain(|server| server.name != *name);
        if directory.servers.len() < before { Ok(()) } else { Err(AuthorityError::UnknownName { name: name.clone() }) }
    })
}

/// [`amend`] so that a key is refused at once, whatever it signed and when.
///
/// # Errors
/// As for [`amend`].
pub fn revoke(
    current: &VerifiedDirectory,
    pin: &RootPin,
    key: &AuthorityKey,
    revoked: KeyId,
    now: Timestamp,
    valid_for: Duration,
) -> Result<VerifiedDirectory, AuthorityError> {
    amend(current, pin, key, now, valid_for, |directory| {
        if !directory.revoked.iter().any(|entry| entry.key == revoked) {
            directory.revoked.push(RevokedKey { key: revoked, since: now });
        }
        Ok(())
    })
}

/// [`amend`] without a change: the same directory for another `valid_for`.
///
/// # Errors
/// As for [`amend`].
pub fn renew(
    current: &VerifiedDirectory,
    pin: &RootPin,
    key: &AuthorityKey,
    now: Timestamp,
    valid_for: Duration,
) -> Result<VerifiedDirectory, AuthorityError> {
    amend(current, pin, key, now, valid_for, |_| Ok(()))
}
