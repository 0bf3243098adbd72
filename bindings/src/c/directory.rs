//! A verified directory, and looking up who is in it.

use std::ffi::c_char;

use dmr_core::directory::{Participant, Status};
use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use dmr_crypto::authority::AuthorityError;
use dmr_crypto::{Freshness, RootPin, StandingError, VerifiedDirectory};

use super::argument::plain;
use super::boundary::{boundary, dmr_status};
use super::bytes::dmr_bytes;
use super::handle::{Handle, handle};
use super::id::{dmr_digest, dmr_id, dmr_name};
use super::keys::dmr_keys;
use crate::CallError;

/// A directory is in the first half of its life.
pub const DMR_FRESHNESS_FRESH: u32 = 0;
/// In the second half: its keeper should renew it.
pub const DMR_FRESHNESS_AGEING: u32 = 1;
/// Expired less than a day ago: still used.
pub const DMR_FRESHNESS_GRACE: u32 = 2;
/// Expired: nothing new is sealed under it; opening goes on.
pub const DMR_FRESHNESS_EXPIRED: u32 = 3;

/// A participant takes part.
pub const DMR_PARTICIPANT_ACTIVE: u32 = 0;
/// It neither sends nor receives for a while.
pub const DMR_PARTICIPANT_SUSPENDED: u32 = 1;
/// It takes part no more.
pub const DMR_PARTICIPANT_REMOVED: u32 = 2;

/// A directory whose whole chain of signatures holds: the only thing under which anything is sealed or opened. Never
/// changes; any number of threads may use it at once. Freed with `dmr_directory_free`.
#[derive(Debug)]
pub struct dmr_directory;

handle!(dmr_directory, VerifiedDirectory);

/// What a directory says of itself.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_directory_info {
    /// The network.
    pub network: dmr_name,
    /// The revision; grows with each document.
    pub revision: u64,
    /// Version of the newest root document.
    pub root_version: u64,
    /// SHA-256 of the signed document: what headers carry.
    pub digest: dmr_digest,
    /// When it was signed, in milliseconds since 1970.
    pub issued_ms: u64,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Longest lifetime of an envelope, in milliseconds.
    pub max_ttl_ms: u64,
    /// How many participants it lists, whatever their status.
    pub participants: usize,
    /// How many relay servers it lists; 0: none can prove its name.
    pub servers: usize,
    /// The lowest suite that receivers accept: `DMR_SUITE_…`.
    pub suite_floor: u16,
    /// Not 0: another document of the same revision exists, and nothing is sealed under this one.
    pub is_forked: u8,
}

/// One entry of a directory.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_participant {
    /// The id.
    pub id: dmr_id,
    /// The name.
    pub name: dmr_name,
    /// `DMR_PARTICIPANT_…`.
    pub status: u32,
}

plain!(dmr_directory_info, dmr_participant);

impl From<&Participant> for dmr_participant {
    fn from(entry: &Participant) -> Self {
        let status = match entry.status {
            Status::Active => DMR_PARTICIPANT_ACTIVE,
            Status::Suspended => DMR_PARTICIPANT_SUSPENDED,
            Status::Removed => DMR_PARTICIPANT_REMOVED,
        };
        Self { id: entry.id.into(), name: (&entry.name).into(), status }
    }
}

/// Verifies a directory against a pin, without regard to what was seen before and to whether it has expired: an agent
/// uses `dmr_trust` instead.
///
/// `pin`, `pin_len`: the text of the pin file. `bundle`, `bundle_len`: root documents and directory as they travel, at
/// most 16 MiB. `now_ms`: milliseconds since 1970. `directory`: a handle, to be freed with `dmr_directory_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_verify(
    pin: *const u8,
    pin_len: usize,
    bundle: *const u8,
    bundle_len: usize,
    now_ms: u64,
    directory: *mut *mut dmr_directory,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let directory = caller.out(directory, "directory")?;
            let pin = RootPin::from_json(caller.bytes(pin, pin_len, "pin")?)?;
            let bundle = caller.bytes(bundle, bundle_len, "bundle")?;
            dmr_directory::put(directory, VerifiedDirectory::verify(bundle, &pin, Timestamp(now_ms))?);
            Ok(())
        })
    }
}

/// What the directory says of itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_read(
    directory: *const dmr_directory,
    info: *mut dmr_directory_info,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let info = caller.out(info, "info")?;
            let directory = dmr_directory::get(directory)?;
            let content = directory.directory();
            info.put(dmr_directory_info {
                network: directory.network().into(),
                revision: directory.revision(),
                root_version: directory.root_version(),
                digest: directory.digest().into(),
                issued_ms: directory.issued().0,
                expires_ms: directory.expires().0,
                max_ttl_ms: u64::try_from(content.max_ttl.as_millis()).unwrap_or(u64::MAX),
                participants: content.participants.len(),
                servers: content.servers.len(),
                suite_floor: content.suite_floor.number(),
                is_forked: directory.is_forked().into(),
            });
            Ok(())
        })
    }
}

/// How far the directory is through its life: `DMR_FRESHNESS_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_freshness(
    directory: *const dmr_directory,
    now_ms: u64,
    freshness: *mut u32,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let freshness = caller.out(freshness, "freshness")?;
            freshness.put(match dmr_directory::get(directory)?.freshness(Timestamp(now_ms)) {
                Freshness::Fresh => DMR_FRESHNESS_FRESH,
                Freshness::Ageing => DMR_FRESHNESS_AGEING,
                Freshness::Grace => DMR_FRESHNESS_GRACE,
                Freshness::Expired => DMR_FRESHNESS_EXPIRED,
            });
            Ok(())
        })
    }
}

/// The participant with this id, whatever its status. `DMR_STANDING_NOT_LISTED` when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_find_id(
    directory: *const dmr_directory,
    id: *const dmr_id,
    participant: *mut dmr_participant,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let found = caller.out(participant, "participant")?;
            let (directory, participant) = (dmr_directory::get(directory)?, caller.id::<ParticipantId>(id, "id")?);
            let entry = directory.participant(participant).ok_or(StandingError::NotListed { participant })?;
            found.put(entry.into());
            Ok(())
        })
    }
}

/// The participant with this name, whatever its status. `DMR_AUTHORITY_UNKNOWN_NAME` when there is none.
///
/// `name`: ending in zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_find_name(
    directory: *const dmr_directory,
    name: *const c_char,
    participant: *mut dmr_participant,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let found = caller.out(participant, "participant")?;
            let (directory, name) = (dmr_directory::get(directory)?, caller.name(name, "name")?);
            let entry = directory.participant_by_name(&name).ok_or(AuthorityError::UnknownName { name })?;
            found.put(entry.into());
            Ok(())
        })
    }
}

/// The participant at `position`, from 0: to list them all. `DMR_CALL_OUT_OF_RANGE` past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_participant(
    directory: *const dmr_directory,
    position: usize,
    participant: *mut dmr_participant,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let found = caller.out(participant, "participant")?;
            let directory = dmr_directory::get(directory)?;
            let value = u64::try_from(position).unwrap_or(u64::MAX);
            let entry = directory.directory().participants.get(position);
            found.put(entry.ok_or(CallError::OutOfRange { argument: "position", value })?.into());
            Ok(())
        })
    }
}

/// Whether the policy lets `from` write to `to`: `*allowed` is 1 or 0; 0 too when either is not listed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_allows(
    directory: *const dmr_directory,
    from: *const dmr_id,
    to: *const dmr_id,
    allowed: *mut u8,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let allowed = caller.out(allowed, "allowed")?;
            let directory = dmr_directory::get(directory)?;
            allowed.put(directory.allows(caller.id(from, "from")?, caller.id(to, "to")?).into());
            Ok(())
        })
    }
}

/// Whether the participant of `keys` can send and receive under this directory: `DMR_OK`, or what is in the way,
/// `DMR_STANDING_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_standing(
    directory: *const dmr_directory,
    keys: *const dmr_keys,
    now_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|_| {
            let (directory, keys) = (dmr_directory::get(directory)?, dmr_keys::get(keys)?);
            Ok(keys.standing(&directory, Timestamp(now_ms))?)
        })
    }
}

/// The bytes that the directory was verified from, as they travel and are kept.
///
/// `bundle`: to be freed with `dmr_bytes_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_bundle(directory: *const dmr_directory, bundle: *mut dmr_bytes) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let bundle = caller.out(bundle, "bundle")?;
            bundle.put(dmr_bytes::copy_of(dmr_directory::get(directory)?.bundle()));
            Ok(())
        })
    }
}

/// Frees the directory and sets `*directory` to null. A handle that was freed before gives `DMR_CALL_WRONG_HANDLE`,
/// null nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_directory_free(directory: *mut *mut dmr_directory) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { boundary(|caller| Ok(dmr_directory::free(caller, directory)?)) }
}
