//! The identity keys of a relay server that proves its name.

use std::fmt;

use dmr_core::directory::{Card, KeyUse, Server, Validity};
use dmr_core::id::{KeyId, Name};
use dmr_core::time::Timestamp;

use crate::directory::{Owner, VerifiedDirectory};
use crate::identity::{IdentitySecret, RandomError};
use crate::login::sign_challenge;

/// A server's secret key. Erased when dropped; `Debug` shows its id only.
pub struct ServerKeys {
    name: Name,
    secret: IdentitySecret,
    validity: Validity,
}

impl ServerKeys {
    /// A fresh key.
    ///
    /// # Errors
    /// [`RandomError`] when the system gives no randomness.
    pub fn generate(name: Name, validity: Validity) -> Result<Self, RandomError> {
        Ok(Self::from_parts(name, IdentitySecret::generate()?, validity))
    }

    pub(crate) fn from_parts(name: Name, secret: IdentitySecret, validity: Validity) -> Self {
        Self { name, secret, validity }
    }

    pub(crate) fn secret(&self) -> &IdentitySecret {
        &self.secret
    }

    pub(crate) fn validity(&self) -> Validity {
        self.validity
    }

    /// The server's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The key's id, for [`Challenge::server_key`](dmr_core::frame::Challenge::server_key).
    pub fn key(&self) -> KeyId {
        self.secret.id()
    }

    /// The public card: what the directory's keeper is handed.
    pub fn card(&self) -> Card {
        let usage = KeyUse { sign: false, login: true };
        Card::Server(Server { name: self.name.clone(), identity_keys: vec![self.secret.entry(usage, self.validity)] })
    }

    /// The signature over these bytes of a challenge.
    pub fn sign_challenge(&self, challenge: &[u8]) -> [u8; 64] {
        sign_challenge(&self.secret, challenge)
    }

    /// Whether agents that hold `directory` will accept this key at `now`.
    pub fn is_listed(&self, directory: &VerifiedDirectory, now: Timestamp) -> bool {
        let servers = &directory.directory().servers;
        let known = directory.index().identity_key(self.key());
        !directory.is_revoked(self.key())
            && known.is_some_and(|known| {
                known.usage.login
                    && known.validity.contains(now)
                    && matches!(known.owner, Owner::Server(position)
                        if servers.get(position).is_some_and(|server| server.name == self.name))
            })
    }
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKeys").field("name", &self.name).field("secret", &self.secret).finish_non_exhaustive()
    }
}
