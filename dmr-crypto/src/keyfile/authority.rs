//! The key file of the directory's keeper: a root key or a directory key.

use dmr_core::id::Name;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::{KeyFileError, KeyFileText, Kind, VERSION, check_version, parse, write};
use crate::authority::{AuthorityKey, Role};
use crate::identity::IdentitySecret;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    version: u32,
    kind: Kind,
    network: Name,
    seed: Secret,
}

impl AuthorityKey {
    /// The text of its key file.
    ///
    /// # Errors
    /// [`KeyFileError::Keys`] when it has no JSON form, which it always has.
    pub fn to_key_file(&self) -> Result<KeyFileText, KeyFileError> {
        let kind = match self.role() {
            Role::Root => Kind::Root,
            Role::Directory => Kind::Directory,
        };
        let seed = Secret(Zeroizing::new(*self.secret().seed()));
        write(&File { version: VERSION, kind, network: self.network().clone(), seed }, 1)
    }

    /// The key in a key file.
    ///
    /// # Errors
    /// [`KeyFileError`], which quotes nothing of the text.
    pub fn from_key_file(text: &[u8]) -> Result<Self, KeyFileError> {
        let file: File = parse(text)?;
        check_version(file.version)?;
        let role = match file.kind {
            Kind::Root => Role::Root,
            Kind::Directory => Role::Directory,
            Kind::Participant | Kind::Server => return Err(KeyFileError::WrongKind),
        };
        Ok(Self::new(role, file.network, IdentitySecret::from_seed(&file.seed.0)))
    }
}
