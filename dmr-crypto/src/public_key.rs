//! Public keys are checked once, when they enter: small-order and non-canonical ones go no further.

use std::fmt;

use dmr_core::directory::Algorithm;
use dmr_core::id::KeyId;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::key_id;

/// Why bytes are not a public key that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The wrong number of bytes.
    #[error("a public key of {len} bytes, {expected} expected")]
    WrongLength {
        /// Bytes given.
        len: usize,
        /// Bytes of such a key.
        expected: usize,
    },
    /// Another encoding of the same key exists, and is the right one.
    #[error("a public key that is not canonically encoded")]
    NotCanonical,
    /// Not a point of the curve.
    #[error("a public key that is not on the curve")]
    NotOnCurve,
    /// A point of small order: anyone can sign, or know what is shared.
    #[error("a public key of small order")]
    SmallOrder,
    /// An algorithm that cannot seal, or cannot sign, in that place.
    #[error("a public key of the wrong algorithm")]
    WrongAlgorithm,
}

/// An Ed25519 public key, fit for use.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityPublicKey {
    key: VerifyingKey,
    id: KeyId,
}

impl IdentityPublicKey {
    /// The key these bytes encode (RFC 8032, section 5.1.5).
    ///
    /// # Errors
    /// [`KeyError`] for a non-canonical encoding, for no point of the curve and for a point of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let mut y = *bytes;
        if let Some(last) = y.last_mut() {
            *last &= 0x7f;
        }
        if !is_canonical(&y) {
            return Err(KeyError::NotCanonical);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotOnCurve)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        Ok(Self { key, id: key_id(Algorithm::Ed25519, bytes) })
    }

    /// The 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether `signature` is this key's over `message`, by the strict rules: no small order, no other encodings.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for IdentityPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityPublicKey({})", self.id)
    }
}

/// Checks a public sealing key without the arithmetic of sealing, so that a relay can.
///
/// X25519: below 2^255 − 19 and none of the small-order points. X-Wing: every coefficient of the ML-KEM-768 part
/// below 3329 (FIPS 203, section 7.2), and the X25519 part as above.
///
/// # Errors
/// [`KeyError`], saying what is wrong.
pub fn check_sealing_key(algorithm: Algorithm, public: &[u8]) -> Result<(), KeyError> {
    let expected = algorithm.public_len();
    let wrong_length = KeyError::WrongLength { len: public.len(), expected };
    if public.len() != expected {
        return Err(wrong_length);
    }
    match algorithm {
        Algorithm::Ed25519 => Err(KeyError::WrongAlgorithm),
        Algorithm::X25519 => check_x25519(public.try_into().map_err(|_| wrong_length)?),
        Algorithm::XWing => {
            let (ml_kem, x25519) = public.split_last_chunk::<32>().ok_or(wrong_length)?;
            check_ml_kem(ml_kem)?;
            check_x25519(x25519)
        }
    }
}

/// 2^255 − 19, the prime of the field, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

/// Whether little-endian `bytes` are a field element in its only right encoding: below p.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    bytes.iter().rev().lt(P.iter().rev())
}

/// The canonical u-coordinates of small order: 0, 1, −1 and the two of order 8 (RFC 7748, section 7; cr.yp.to/ecdh.html).
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = P;
        minus_one[0] = 0xec;
        minus_one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
];

fn check_x25519(public: &[u8; 32]) -> Result<(), KeyError> {
    if !is_canonical(public) {
        return Err(KeyError::NotCanonical);
    }
    if SMALL_ORDER.contains(public) {
        return Err(KeyError::SmallOrder);
    }
    Ok(())
}

/// The modulus check of FIPS 203: 768 coefficients of 12 bits, two in three bytes, then a seed of 32 bytes.
fn check_ml_kem(public: &[u8]) -> Result<(), KeyError> {
    const Q: u16 = 3329;
    let (coefficients, _) = public.split_last_chunk::<32>().ok_or(KeyError::NotCanonical)?;
    let (triples, []) = coefficients.as_chunks::<3>() else {
        return Err(KeyError::NotCanonical);
    };
    let reduced = |&[a, b, c]: &[u8; 3]| {
        let low = u16::from(a) | (u16::from(b & 0x0f) << 8);
        let high = (u16::from(b) >> 4) | (u16::from(c) << 4);
        low < Q && high < Q
    };
    if triples.iter().all(reduced) { Ok(()) } else { Err(KeyError::NotCanonical) }
}
