//! What is derived from a content key: the commitment to it, and the key of the body (HKDF-SHA256, RFC 5869).

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use dmr_core::id::KeyCommitment;
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::sealing::ContentKey;

/// Bytes that the cipher adds to the body.
pub(crate) const TAG: usize = 16;

/// The keys of one envelope's content.
pub(crate) struct ContentKeys<'a> {
    hkdf: Hkdf<Sha256>,
    key: &'a ContentKey,
}

impl<'a> ContentKeys<'a> {
    pub(crate) fn new(key: &'a ContentKey) -> Self {
        Self { hkdf: Hkdf::new(None, key.as_slice()), key }
    }

    /// `HKDF(CEK, "DMR/1 commit" ‖ 0x00)`.
    pub(crate) fn commitment(&self) -> Option<KeyCommitment> {
        let mut bytes = [0; 32];
        self.hkdf.expand(b"DMR/1 commit\0", &mut bytes).ok()?;
        Some(KeyCommitment(bytes))
    }

    /// Whether this is the content key that `commitment` commits to, compared in constant time.
    pub(crate) fn is_committed(&self, commitment: &KeyCommitment) -> bool {
        self.commitment().is_some_and(|own| own.as_bytes().ct_eq(commitment.as_bytes()).into())
    }

    fn body_cipher(&self, header_hash: &[u8; 32]) -> Option<ChaCha20Poly1305> {
        let mut key = Zeroizing::new([0; 32]);
        self.hkdf.expand_multi_info(&[b"DMR/1 body\0", header_hash], key.as_mut_slice()).ok()?;
        Some(ChaCha20Poly1305::new(<&Key>::from(&*key)))
    }

    /// Seals `body` in place. The nonce is zero: the key is used once.
    pub(crate) fn seal_body(&self, header_hash: &[u8; 32], body: &mut Vec<u8>) -> Option<()> {
        self.body_cipher(header_hash)?.encrypt_in_place(&Nonce::default(), b"", body).ok()
    }

    /// Opens `body` in place.
    pub(crate) fn open_body(&self, header_hash: &[u8; 32], body: &mut Vec<u8>) -> Option<()> {
        self.body_cipher(header_hash)?.decrypt_in_place(&Nonce::default(), b"", body).ok()
    }

    pub(crate) fn content_key(&self) -> &[u8; 32] {
        self.key
    }
}
