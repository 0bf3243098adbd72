//! A participant's keys.

use std::ffi::c_char;
use std::sync::Arc;

use dmr_core::directory::Validity;
use dmr_core::header::Suite;
use dmr_core::time::Timestamp;
use dmr_crypto::Keyring;

use super::boundary::{boundary, dmr_status};
use super::bytes::dmr_bytes;
use super::handle::{Handle, handle};
use super::id::{dmr_id, dmr_name};
use crate::CallError;

/// Suite 1: HPKE with X25519, Ed25519.
pub const DMR_SUITE_X25519: u16 = 1;
/// Suite 2: the same with X-Wing (ML-KEM-768 and X25519), against a later quantum computer.
pub const DMR_SUITE_X_WING: u16 = 2;

/// A participant's secret keys. Never changes; any number of threads may use it at once. Freed with `dmr_keys_free`;
/// the secrets are wiped when the last call that uses them is over.
#[derive(Debug)]
pub struct dmr_keys;

handle!(dmr_keys, Keyring);

/// The suite with this number.
pub(crate) fn suite(number: u16) -> Result<Suite, CallError> {
    Suite::try_from(number).map_err(|_| CallError::OutOfRange { argument: "suite", value: number.into() })
}

/// Fresh keys: an identity key for signing and login, and a sealing key for each suite up to `suite`.
///
/// `participant`: whose. `name`: its name, ending in zero. `suite`: `DMR_SUITE_…`. `not_before_ms`, `not_after_ms`: when
/// the keys are valid, in milliseconds since 1970. `keys`: a handle, to be freed with `dmr_keys_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_keys_generate(
    participant: *const dmr_id,
    name: *const c_char,
    suite: u16,
    not_before_ms: u64,
    not_after_ms: u64,
    keys: *mut *mut dmr_keys,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let keys = caller.out(keys, "keys")?;
            if not_after_ms <= not_before_ms {
                return Err(CallError::OutOfRange { argument: "not_after_ms", value: not_after_ms }.into());
            }
            let validity = Validity { not_before: Timestamp(not_before_ms), not_after: Timestamp(not_after_ms) };
            let participant = caller.id(participant, "participant")?;
            let name = caller.name(name, "name")?;
            dmr_keys::put(keys, Keyring::generate(participant, name, self::suite(suite)?, validity)?);
            Ok(())
        })
    }
}

/// The keys in the text of a key file, which this library or `dmr-agent` has written. Nothing of the text is kept.
///
/// `text`, `len`: the file, at most 64 KiB; wipe it afterwards. `keys`: a handle, to be freed with `dmr_keys_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_keys_load(text: *const u8, len: usize, keys: *mut *mut dmr_keys) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let keys = caller.out(keys, "keys")?;
            dmr_keys::put(keys, Keyring::from_key_file(caller.bytes(text, len, "text")?)?);
            Ok(())
        })
    }
}

/// The text of the key file: secret. Write it where nobody else can read it.
///
/// `text`: to be freed with `dmr_bytes_free`, which wipes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_keys_save(keys: *const dmr_keys, text: *mut dmr_bytes) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let text = caller.out(text, "text")?;
            text.put(dmr_bytes::copy_of(&dmr_keys::get(keys)?.to_key_file()?));
            Ok(())
        })
    }
}

/// The public card, as JSON: what the directory's keeper is handed. Nothing in it is secret.
///
/// `card`: to be freed with `dmr_bytes_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_keys_card(keys: *const dmr_keys, card: *mut dmr_bytes) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let card = caller.out(card, "card")?;
            card.put(dmr_bytes::copy_of(&dmr_keys::get(keys)?.card().to_json()?));
            Ok(())
        })
    }
}

/// Whose keys they are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_keys_participant(keys: *const dmr_keys, participant: *mut dmr_id) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let participant = caller.out(participant, "participant")?;
            participant.put(dmr_keys::get(keys)?.participant().into());
            Ok(())
        })
    }
}

/// The participant's name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_keys_name(keys: *const dmr_keys, name: *mut dmr_name) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let name = caller.out(name, "name")?;
            let keys: Arc<Keyring> = dmr_keys::get(keys)?;
            name.put(keys.name().into());
            Ok(())
        })
    }
}

/// Frees the keys and sets `*keys` to null. A handle that was freed before gives `DMR_CALL_WRONG_HANDLE`, null nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_keys_free(keys: *mut *mut dmr_keys) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { boundary(|caller| Ok(dmr_keys::free(caller, keys)?)) }
}
