//! Compact JWS (RFC 7515) as far as directories need it: EdDSA (RFC 8037), a fixed protected header, nothing else.
//!
//! The header is exactly `alg`, `typ` and `kid`. The algorithm is never taken from it, and the key only by looking
//! `kid` up among keys that are trusted already.

use base64ct::{Base64UrlUnpadded, Encoding};
use dmr_core::id::KeyId;
use dmr_core::json;
use serde::{Deserialize, Serialize};

use crate::public_key::IdentityPublicKey;

/// Why a line is not a signed document of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Not three base64url parts, the last of 64 bytes.
    #[error("not a compact JWS with an Ed25519 signature")]
    Form,
    /// The protected header is not exactly `alg`, `typ` and `kid`.
    #[error("protected header: {0}")]
    Header(Box<str>),
    /// The algorithm is not EdDSA.
    #[error("the algorithm is not EdDSA")]
    Algorithm,
    /// A document of another type.
    #[error("another type of document, {expected} expected")]
    Type {
        /// The type expected.
        expected: &'static str,
    },
}

/// The type of a signed document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Root,
    Directory,
}

impl Type {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "dmr-root+jws",
            Self::Directory => "dmr-directory+jws",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Protected {
    alg: String,
    typ: String,
    #[serde(with = "json::hex")]
    kid: KeyId,
}

/// Longest protected header, in characters.
const MAX_HEADER: usize = 512;

/// A well-formed line, not verified.
pub(crate) struct Jws<'a> {
    /// What is signed: the first two parts with their dot.
    signing_input: &'a str,
    /// The payload as it stands in the line.
    encoded_payload: &'a str,
    /// Which key is said to have signed.
    pub(crate) kid: KeyId,
    signature: [u8; 64],
}

impl<'a> Jws<'a> {
    /// The parts of `line`, a document of type `typ`.
    pub(crate) fn parse(line: &'a str, typ: Type) -> Result<Self, JwsError> {
        let (signing_input, signature) = line.rsplit_once('.').ok_or(JwsError::Form)?;
        let (header, encoded_payload) = signing_input.split_once('.').ok_or(JwsError::Form)?;
        if header.len() > MAX_HEADER || signature.len() != 86 {
            return Err(JwsError::Form);
        }
        let header = Base64UrlUnpadded::decode_vec(header).map_err(|_| JwsError::Form)?;
        let header: Protected = json::parse(&header).map_err(|error| JwsError::Header(error.detail))?;
        if header.alg != "EdDSA" {
            return Err(JwsError::Algorithm);
        }
        if header.typ != typ.as_str() {
            return Err(JwsError::Type { expected: typ.as_str() });
        }
        let mut bytes = [0; 64];
        let decoded = Base64UrlUnpadded::decode(signature, &mut bytes).map_err(|_| JwsError::Form)?;
        if decoded.len() != 64 {
            return Err(JwsError::Form);
        }
        Ok(Self { signing_input, encoded_payload, kid: header.kid, signature: bytes })
    }

    /// Whether `key` signed it.
    pub(crate) fn is_signed_by(&self, key: &IdentityPublicKey) -> bool {
        key.verifies(self.signing_input.as_bytes(), &self.signature)
    }

    /// The payload as it stands in the line: equal for equal payloads.
    pub(crate) fn encoded_payload(&self) -> &'a str {
        self.encoded_payload
    }

    /// The payload. To be parsed only once a signature over it is verified.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, JwsError> {
        Base64UrlUnpadded::decode_vec(self.encoded_payload).map_err(|_| JwsError::Form)
    }
}

/// The line that `key` signs.
#[cfg(feature = "sign")]
pub(crate) fn sign(typ: Type, key: &crate::identity::IdentitySecret, payload: &[u8]) -> String {
    let header = format!(r#"{{"alg":"EdDSA","typ":"{}","kid":"{}"}}"#, typ.as_str(), key.id());
    let mut line = Base64UrlUnpadded::encode_string(header.as_bytes());
    line.push('.');
    line.push_str(&Base64UrlUnpadded::encode_string(payload));
    let signature = key.sign(line.as_bytes());
    line.push('.');
    line.push_str(&Base64UrlUnpadded::encode_string(&signature));
    line
}
