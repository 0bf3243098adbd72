//! The text of secret key files: strict JSON, one kind of file for each owner of keys.
//!
//! Only text is made and read here; files and their permissions are the program's. What is read and written passes
//! through memory that is erased, and no error quotes it.

mod authority;
#[cfg(feature = "seal")]
mod keyring;
mod secret;
mod server;

use std::fmt;
use std::ops::Deref;

use dmr_core::json::{self, JsonError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The text of a key file: secret. Erased when dropped; `Debug` shows its length only.
///
/// It is read as bytes, to be written to a file that nobody else can read.
pub struct KeyFileText(Zeroizing<Vec<u8>>);

impl Deref for KeyFileText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyFileText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFileText([{} bytes])", self.0.len())
    }
}

/// Longest key file, in bytes.
const MAX_LEN: usize = 64 << 10;
/// Room for one key in the text.
const KEY_ROOM: usize = 320;
/// Room for everything else in the text.
const FILE_ROOM: usize = 1024;

/// Why a text is not a key file. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Longer than a key file may be.
    #[error("a key file of {len} bytes, {MAX_LEN} allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
    },
    /// Not the strict JSON of a key file of this kind and version.
    #[error("not a key file of this kind: line {line}, column {column}")]
    Malformed {
        /// Where, from 1; 0 when it has no place.
        line: usize,
        /// Where, from 1; 0 when it has no place.
        column: usize,
    },
    /// A file of another kind.
    #[error("a key file of another kind")]
    WrongKind,
    /// A version that this program does not know.
    #[error("key file version {version} is not known")]
    UnknownVersion {
        /// The version in the file.
        version: u32,
    },
    /// No keys, too many, one twice, or one that ends before it begins.
    #[error("the keys in the file do not make a keyring")]
    Keys,
}

impl From<JsonError> for KeyFileError {
    fn from(error: JsonError) -> Self {
        Self::Malformed { line: error.line, column: error.column }
    }
}

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Whose keys a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Participant,
    Server,
    Root,
    Directory,
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, KeyFileError> {
    if text.len() > MAX_LEN {
        return Err(KeyFileError::TooLong { len: text.len() });
    }
    Ok(json::parse(text)?)
}

/// The text of `file`, in memory that never moves and is erased: `keys` is how many it holds.
fn write<T: Serialize>(file: &T, keys: usize) -> Result<KeyFileText, KeyFileError> {
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_ROOM + KEY_ROOM * keys));
    serde_json::to_writer_pretty(&mut *text, file).map_err(|_| KeyFileError::Keys)?;
    text.push(b'\n');
    Ok(KeyFileText(text))
}

fn check_version(version: u32) -> Result<(), KeyFileError> {
    if version == VERSION { Ok(()) } else { Err(KeyFileError::UnknownVersion { version }) }
}

#[cfg(test)]
mod tests {
    use dmr_core::directory::Validity;
    use dmr_core::time::Timestamp;

    use super::*;
    use crate::ServerKeys;

    const FOR_EVER: Validity = Validity { not_before: Timestamp(u64::MAX - 1), not_after: Timestamp(u64::MAX) };

    #[test]
    fn a_server_key_file_never_outgrows_the_memory_that_is_erased() {
        let keys = ServerKeys::generate("x".repeat(64).parse().unwrap(), FOR_EVER).unwrap();
        assert_eq!(keys.to_key_file().unwrap().0.capacity(), FILE_ROOM + KEY_ROOM);
    }

    #[cfg(feature = "seal")]
    #[test]
    fn the_fullest_key_file_never_outgrows_the_memory_that_is_erased() {
        use std::time::Duration;

        use dmr_core::directory::KeyUse;
        use dmr_core::header::Suite;

        use crate::{IdentitySecret, Keyring, SealingSecret};

        let id = dmr_core::id::ParticipantId::from_custom_bytes([0xff; 16]);
        let mut keyring = Keyring::generate(id, "x".repeat(64).parse().unwrap(), Suite::X25519, FOR_EVER).unwrap();
        let usage = KeyUse { sign: true, login: true };
        while keyring.add_identity_key(IdentitySecret::generate().unwrap(), usage, FOR_EVER) {}
        while keyring.add_sealing_key(SealingSecret::generate(Suite::X25519, FOR_EVER).unwrap()) {}
        let text = keyring.to_key_file().unwrap();
        assert_eq!(text.0.capacity(), FILE_ROOM + KEY_ROOM * 2 * Keyring::MAX_KEYS);
        assert!(text.len() <= MAX_LEN);
        assert_eq!(Keyring::from_key_file(&text).unwrap().card(), keyring.card());
        assert_eq!(keyring.erase_expired(Timestamp(0), Duration::ZERO), 0);
    }
}
