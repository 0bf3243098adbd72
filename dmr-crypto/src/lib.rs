//! Keys, seal and open, signatures, and the signed directory of DMR.

#[cfg(feature = "sign")]
pub mod authority;
mod digest;
mod directory;
mod envelope;
mod error_name;
#[cfg(feature = "sign")]
mod identity;
mod jws;
#[cfg(feature = "sign")]
mod keyfile;
#[cfg(feature = "seal")]
mod keyring;
mod login;
mod public_key;
mod root;
#[cfg(feature = "seal")]
mod sealing;
#[cfg(feature = "sign")]
mod server_keys;

pub use digest::{answer_id, digest_of, key_id};
pub use directory::{DirectoryRefused, DirectoryTrust, Fork, Freshness, Offer, TrustError, VerifiedDirectory};
pub use envelope::{EnvelopeFacts, VerifyError, check_recipients, verify_envelope};
#[cfg(feature = "seal")]
pub use envelope::{OpenError, Opened, SealError, SealRequest, Sealed, open, seal};
#[cfg(feature = "sign")]
pub use identity::{IdentitySecret, RandomError};
pub use jws::JwsError;
#[cfg(feature = "sign")]
pub use keyfile::{KeyFileError, KeyFileText};
#[cfg(feature = "seal")]
pub use keyring::{Keyring, StandingError};
pub use login::{ChallengeError, LoginError, verify_challenge, verify_login};
#[cfg(feature = "sign")]
pub use login::{prove_login, sign_challenge};
pub use public_key::{IdentityPublicKey, KeyError, check_sealing_key};
pub use root::{RootError, RootPin};
#[cfg(feature = "seal")]
pub use sealing::SealingSecret;
#[cfg(feature = "sign")]
pub use server_keys::ServerKeys;
