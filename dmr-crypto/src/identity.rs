//! The secret half of an identity key.

use std::fmt;

use dmr_core::directory::{IdentityKey, KeyUse, Validity};
use dmr_core::id::KeyId;
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use crate::digest::key_id;

/// The system gave no randomness; nothing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no randomness")]
pub struct RandomError;

/// `N` fresh bytes from the system, erased when dropped.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, RandomError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| RandomError)?;
    Ok(bytes)
}

/// An Ed25519 secret key (RFC 8032). Erased when dropped; shown by its id only.
pub struct IdentitySecret {
    /// In a place of its own: a secret that moved would leave a copy behind that nobody erases.
    key: Box<SigningKey>,
    id: KeyId,
}

impl IdentitySecret {
    /// A fresh key.
    ///
    /// # Errors
    /// [`RandomError`] when the system gives no randomness.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self::from_seed(&*random()?))
    }

    /// The key of this seed (RFC 8032, section 5.1.5: the private key).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = Box::new(SigningKey::from_bytes(seed));
        let id = key_id(dmr_core::directory::Algorithm::Ed25519, key.verifying_key().as_bytes());
        Self { key, id }
    }

    /// The seed, for the key file alone.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The public key's 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The public entry of this key in a directory.
    pub fn entry(&self, usage: KeyUse, validity: Validity) -> IdentityKey {
        IdentityKey { public: self.public(), usage, validity }
    }

    /// The signature over `message`, which begins with a label: no caller outside this crate chooses it.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for IdentitySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentitySecret({})", self.id)
    }
}
