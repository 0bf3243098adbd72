//! The key file of a server.

use dmr_core::directory::Validity;
use dmr_core::id::Name;
use dmr_core::json::object;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::{KeyFileError, KeyFileText, Kind, VERSION, check_version, parse, write};
use crate::identity::IdentitySecret;
use crate::server_keys::ServerKeys;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    version: u32,
    kind: Kind,
    name: Name,
    seed: Secret,
    #[serde(deserialize_with = "object")]
    validity: Validity,
}

impl ServerKeys {
    /// The text of their key file.
    ///
    /// # Errors
    /// [`KeyFileError::Keys`] when they have no JSON form, which they always have.
    pub fn to_key_file(&self) -> Result<KeyFileText, KeyFileError> {
        let seed = Secret(Zeroizing::new(*self.secret().seed()));
        let (name, validity) = (self.name().clone(), self.validity());
        write(&File { version: VERSION, kind: Kind::Server, name, seed, validity }, 1)
    }

    /// The keys in a key file.
    ///
    /// # Errors
    /// [`KeyFileError`], which quotes nothing of the text.
    pub fn from_key_file(text: &[u8]) -> Result<Self, KeyFileError> {
        let file: File = parse(text)?;
        check_version(file.version)?;
        if file.kind != Kind::Server {
            return Err(KeyFileError::WrongKind);
        }
        if file.validity.not_before >= file.validity.not_after {
            return Err(KeyFileError::Keys);
        }
        Ok(Self::from_parts(file.name, IdentitySecret::from_seed(&file.seed.0), file.validity))
    }
}
