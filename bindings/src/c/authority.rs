//! The keeper of a network's directory: as much of it as tests and examples need. Real keepers use `dmr-agent directory`.

use std::ffi::c_char;
use std::sync::Mutex;
use std::time::Duration;

use dmr_core::directory::Card;
use dmr_core::time::Timestamp;
use dmr_crypto::authority::{self, Founding};

use super::boundary::{boundary, dmr_status};
use super::bytes::{dmr_bytes, dmr_slice};
use super::directory::dmr_directory;
use super::handle::{Handle, handle};
use super::trust::locked;

/// Most cards that are added at once.
const CARDS: usize = 10_000;

/// A network's keeper: its root key, its directory key and its newest directory, in memory only. For tests and examples.
/// Locked within: any number of threads may use it at once. Freed with `dmr_authority_free`, which wipes the keys.
#[derive(Debug)]
pub struct dmr_authority;

handle!(dmr_authority, Mutex<Founding>);

/// Founds a network with fresh keys, and a directory without participants.
///
/// `network`: its name, ending in zero. `now_ms`: milliseconds since 1970. `valid_for_ms`: how long the directory lasts.
/// `authority`: a handle, to be freed with `dmr_authority_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_authority_found(
    network: *const c_char,
    now_ms: u64,
    valid_for_ms: u64,
    authority: *mut *mut dmr_authority,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let authority = caller.out(authority, "authority")?;
            let network = caller.name(network, "network")?;
            let founding = authority::found(network, Timestamp(now_ms), Duration::from_millis(valid_for_ms))?;
            dmr_authority::put(authority, Mutex::new(founding));
            Ok(())
        })
    }
}

/// The pin that every participant holds beforehand, as JSON.
///
/// `pin`: to be freed with `dmr_bytes_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_authority_pin(authority: *const dmr_authority, pin: *mut dmr_bytes) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let pin = caller.out(pin, "pin")?;
            let authority = dmr_authority::get(authority)?;
            let text = locked(&authority)?.pin.to_json()?;
            pin.put(dmr_bytes::copy_of(&text));
            Ok(())
        })
    }
}

/// Signs a directory with these cards: new entries, or new keys of entries with the same id and name.
///
/// `cards`, `count`: texts of `dmr_keys_card`; none gives the same entries again in a new revision. `now_ms`,
/// `valid_for_ms`: as for `dmr_authority_found`. `directory`: the new directory, a handle to be freed with
/// `dmr_directory_free`. On an error the newest directory stays what it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_authority_add(
    authority: *mut dmr_authority,
    cards: *const dmr_slice,
    count: usize,
    now_ms: u64,
    valid_for_ms: u64,
    directory: *mut *mut dmr_directory,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let directory = caller.out(directory, "directory")?;
            let authority = dmr_authority::get(authority)?;
            let mut read = Vec::new();
            for card in caller.many(cards, count, CARDS, "cards")? {
                read.push(Card::from_json(caller.bytes(card.data, card.len, "card")?)?);
            }
            let mut founding = locked(&authority)?;
            let Founding { directory: current, pin, directory_key, .. } = &*founding;
            let (now, valid_for) = (Timestamp(now_ms), Duration::from_millis(valid_for_ms));
            let next = authority::add(current, pin, directory_key, &read, now, valid_for)?;
            founding.directory = next.clone();
            dmr_directory::put(directory, next);
            Ok(())
        })
    }
}

/// Frees the authority and sets `*authority` to null. A handle that was freed before gives `DMR_CALL_WRONG_HANDLE`,
/// null nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_authority_free(authority: *mut *mut dmr_authority) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { boundary(|caller| Ok(dmr_authority::free(caller, authority)?)) }
}
