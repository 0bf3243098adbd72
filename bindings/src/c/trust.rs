//! Trust: the directory in use, and the memory that refuses older ones and forks.

use std::sync::{Mutex, MutexGuard};

use dmr_core::time::Timestamp;
use dmr_crypto::{DirectoryTrust, Offer, RootPin, TrustError};

use super::argument::Caller;
use super::boundary::{Failure, boundary, dmr_status};
use super::directory::dmr_directory;
use super::handle::{Handle, handle};
use crate::CallError;

/// What a participant trusts: a pin, the directory in use, and what it has seen. Locked within: any number of threads
/// may use it at once. Freed with `dmr_trust_free`.
#[derive(Debug)]
pub struct dmr_trust;

handle!(dmr_trust, Mutex<DirectoryTrust>);

/// The object behind a lock. One that a panic left half changed is not used again.
pub(crate) fn locked<T>(object: &Mutex<T>) -> Result<MutexGuard<'_, T>, CallError> {
    object.lock().map_err(|_| CallError::Panicked)
}

/// Trust in a pin, and no directory yet.
///
/// `pin`, `len`: the text of the pin file. `trust`: a handle, to be freed with `dmr_trust_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_trust_load(pin: *const u8, len: usize, trust: *mut *mut dmr_trust) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let trust = caller.out(trust, "trust")?;
            let pin = RootPin::from_json(caller.bytes(pin, len, "pin")?)?;
            dmr_trust::put(trust, Mutex::new(DirectoryTrust::new(pin)));
            Ok(())
        })
    }
}

/// Takes up the directory that was in use before a restart. Unlike an offer it may have expired.
///
/// As `dmr_trust_offer` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_trust_restore(
    trust: *mut dmr_trust,
    bundle: *const u8,
    len: usize,
    now_ms: u64,
    adopted: *mut u8,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { boundary(|caller| judge(caller, (trust, bundle, len, now_ms, adopted), DirectoryTrust::restore)) }
}

/// Takes up a directory if it verifies, is newer than what was seen and has not expired. Anything else leaves the one
/// in use in use; after `DMR_TRUST_FORKED` that no longer seals.
///
/// `bundle`, `len`: as it came, at most 16 MiB; nothing of it is kept in place. `now_ms`: milliseconds since 1970.
/// `adopted`: 1 when it is in use from now on: keep the bundle on disk before using it; 0 when it was in use already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_trust_offer(
    trust: *mut dmr_trust,
    bundle: *const u8,
    len: usize,
    now_ms: u64,
    adopted: *mut u8,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { boundary(|caller| judge(caller, (trust, bundle, len, now_ms, adopted), DirectoryTrust::offer)) }
}

type Offered = (*mut dmr_trust, *const u8, usize, u64, *mut u8);

fn judge(
    caller: &Caller,
    (trust, bundle, len, now_ms, adopted): Offered,
    judgement: impl FnOnce(&mut DirectoryTrust, &[u8], Timestamp) -> Result<Offer, TrustError>,
) -> Result<(), Failure> {
    let adopted = caller.out(adopted, "adopted")?;
    let (trust, bundle) = (dmr_trust::get(trust)?, caller.bytes(bundle, len, "bundle")?);
    let offer = judgement(&mut *locked(&trust)?, bundle, Timestamp(now_ms))?;
    adopted.put(matches!(offer, Offer::Adopted(_)).into());
    Ok(())
}

/// The directory in use.
///
/// `directory`: a handle of its own, to be freed with `dmr_directory_free`; it stays what it is when another directory
/// is taken up. Null, with `DMR_OK`, when there is none yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_trust_current(trust: *const dmr_trust, directory: *mut *mut dmr_directory) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let directory = caller.out(directory, "directory")?;
            let trust = dmr_trust::get(trust)?;
            let current = locked(&trust)?.current().cloned();
            if let Some(current) = current {
                dmr_directory::put(directory, current);
            }
            Ok(())
        })
    }
}

/// Frees the trust and sets `*trust` to null. A handle that was freed before gives `DMR_CALL_WRONG_HANDLE`, null
/// nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_trust_free(trust: *mut *mut dmr_trust) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { boundary(|caller| Ok(dmr_trust::free(caller, trust)?)) }
}
