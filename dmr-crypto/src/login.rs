//! Proofs at the start of a link: the agent's login, and a server's name.

use dmr_core::codec::DecodeError;
use dmr_core::directory::Status;
use dmr_core::frame::{AuthFields, Challenge};
use dmr_core::id::{KeyId, Name, ParticipantId};
use dmr_core::time::Timestamp;

use crate::digest::{challenge_signed, login_signed};
use crate::directory::{Owner, VerifiedDirectory};

/// Why a login does not hold. For the server's log: the wire answers every wrong login alike.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The challenge or the fields cannot be decoded.
    #[error("login: {0}")]
    Malformed(#[from] DecodeError),
    /// The fields name another network.
    #[error("a login to another network")]
    WrongNetwork,
    /// The fields choose a version that the challenge does not offer.
    #[error("protocol version {version} was not offered")]
    UnsupportedVersion {
        /// The version chosen.
        version: u16,
    },
    /// The directory knows no such login key of this participant.
    #[error("the directory knows no login key {key} of {participant}")]
    UnknownKey {
        /// Who it says it is.
        participant: ParticipantId,
        /// The key it names.
        key: KeyId,
    },
    /// The key is revoked.
    #[error("key {key} is revoked")]
    RevokedKey {
        /// The key.
        key: KeyId,
    },
    /// The key is not valid now.
    #[error("key {key} is not valid now")]
    KeyOutOfValidity {
        /// The key.
        key: KeyId,
    },
    /// The participant is suspended or removed.
    #[error("{participant} does not take part")]
    Inactive {
        /// The participant.
        participant: ParticipantId,
    },
    /// The proof is not the key's over this challenge and these fields.
    #[error("the proof is not the key's")]
    BadProof,
}

/// Checks the proof of a login over exactly these bytes of the challenge and the fields, and says whose it is.
///
/// The caller compares [`AuthFields::binding`] with its own connection, and allows one attempt for each challenge.
///
/// # Errors
/// [`LoginError`].
pub fn verify_login(
    challenge: &[u8],
    fields: &[u8],
    proof: &[u8],
    directory: &VerifiedDirectory,
    now: Timestamp,
) -> Result<AuthFields, LoginError> {
    let offered = Challenge::decode(challenge)?;
    let auth = AuthFields::decode(fields)?;
    if auth.network != *directory.network() || offered.network != *directory.network() {
        return Err(LoginError::WrongNetwork);
    }
    if !(offered.version_min..=offered.version_max).contains(&auth.version) {
        return Err(LoginError::UnsupportedVersion { version: auth.version });
    }
    let (participant, key) = (auth.participant, auth.key);
    if directory.is_revoked(key) {
        return Err(LoginError::RevokedKey { key });
    }
    let known = directory.index().identity_key(key);
    let known = known.filter(|known| known.owner == Owner::Participant(participant) && known.usage.login);
    let (Some(known), Some(entry)) = (known, directory.participant(participant)) else {
        return Err(LoginError::UnknownKey { participant, key });
    };
    if entry.status != Status::Active {
        return Err(LoginError::Inactive { participant });
    }
    if !known.validity.contains(now) {
        return Err(LoginError::KeyOutOfValidity { key });
    }
    let proof = proof.try_into().map_err(|_| LoginError::BadProof)?;
    if known.key.verifies(&login_signed(challenge, fields), proof) { Ok(auth) } else { Err(LoginError::BadProof) }
}

/// The proof of a login by `key`: Ed25519 over `"DMR/1 login" ‖ 0x00 ‖ SHA-256(challenge) ‖ SHA-256(fields)`.
#[cfg(feature = "sign")]
pub fn prove_login(key: &crate::identity::IdentitySecret, challenge: &[u8], fields: &[u8]) -> [u8; 64] {
    key.sign(&login_signed(challenge, fields))
}

/// Why a challenge does not prove its server's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeError {
    /// The challenge cannot be decoded.
    #[error("challenge: {0}")]
    Malformed(#[from] DecodeError),
    /// The challenge names another network.
    #[error("a challenge of another network")]
    WrongNetwork,
    /// The directory lists servers, and the challenge is not signed.
    #[error("server {server} did not sign its challenge")]
    NotSigned {
        /// The name in the challenge.
        server: Name,
    },
    /// The directory knows no such key of this server, or it is revoked or not valid now.
    #[error("the directory knows no valid key {key} of server {server}")]
    UnknownKey {
        /// The name in the challenge.
        server: Name,
        /// The key it names.
        key: KeyId,
    },
    /// The signature is not the server's.
    #[error("the signature is not that of server {server}")]
    BadSignature {
        /// The name in the challenge.
        server: Name,
    },
}

/// Checks a server's signature over exactly these bytes of its challenge, and decodes them.
///
/// A directory that lists no server demands no signature. One that lists any demands that of the server the
/// challenge names. The challenge is the server's alone, so an old one can be replayed; what a proof over it is worth
/// ends with the link it was made for.
///
/// # Errors
/// [`ChallengeError`].
pub fn verify_challenge(
    challenge: &[u8],
    signature: &[u8],
    directory: &VerifiedDirectory,
    now: Timestamp,
) -> Result<Challenge, ChallengeError> {
    let decoded = Challenge::decode(challenge)?;
    if decoded.network != *directory.network() {
        return Err(ChallengeError::WrongNetwork);
    }
    let servers = &directory.directory().servers;
    if servers.is_empty() {
        return Ok(decoded);
    }
    let server = decoded.server.clone();
    let Some(key) = decoded.server_key else {
        return Err(ChallengeError::NotSigned { server });
    };
    let is_its_own = |owner: Owner| match owner {
        Owner::Server(position) => servers.get(position).is_some_and(|entry| entry.name == server),
        Owner::Participant(_) => false,
    };
    let known = directory.index().identity_key(key);
    let known = known.filter(|known| is_its_own(known.owner) && known.usage.login && known.validity.contains(now));
    let Some(known) = known.filter(|_| !directory.is_revoked(key)) else {
        return Err(ChallengeError::UnknownKey { server, key });
    };
    let Ok(signature) = signature.try_into() else {
        return Err(ChallengeError::BadSignature { server });
    };
    if known.key.verifies(&challenge_signed(challenge), signature) {
        Ok(decoded)
    } else {
        Err(ChallengeError::BadSignature { server })
    }
}

/// A server's signature over its challenge: Ed25519 over `"DMR/1 challenge" ‖ 0x00 ‖ SHA-256(challenge)`.
#[cfg(feature = "sign")]
pub fn sign_challenge(key: &crate::identity::IdentitySecret, challenge: &[u8]) -> [u8; 64] {
    key.sign(&challenge_signed(challenge))
}
