//! The envelope, written a second time from its specification with the bare primitives: what forgers use, and what
//! the golden vectors are compared with.

use bytes::Bytes;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use dmr_core::directory::Algorithm;
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::KeyCommitment;
use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use hpke::aead::ChaCha20Poly1305 as HpkeChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256, XWing};
use hpke::{Deserializable, OpModeS, Serializable};
use rand_core::UnwrapErr;
use sha2::{Digest, Sha256};

use crate::world::{NOW, World, id, message_id, seed, signing_key};

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn hkdf(content_key: &[u8], label: &str, context: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(None, content_key).expand(&[label.as_bytes(), &[0], context].concat(), &mut out).unwrap();
    out
}

pub(crate) fn wrap_info(suite: u16, key: &[u8; 16], header_hash: &[u8; 32]) -> Vec<u8> {
    [b"DMR/1 wrap\0".as_slice(), &suite.to_be_bytes(), key, header_hash].concat()
}

pub(crate) fn seal_body(body_key: &[u8; 32], padded: &[u8]) -> Vec<u8> {
    let payload = Payload { msg: padded, aad: b"" };
    ChaCha20Poly1305::new(body_key.into()).encrypt(&[0; 12].into(), payload).unwrap()
}

pub(crate) fn pad(content: &[u8]) -> Vec<u8> {
    let wanted = (content.len() + 4).max(512);
    let exponent = (usize::BITS - 1 - wanted.leading_zeros()) as usize;
    let mantissa = (usize::BITS - exponent.leading_zeros()) as usize;
    let step = 1_usize << (exponent - mantissa);
    let mut padded = (content.len() as u32).to_be_bytes().to_vec();
    padded.extend_from_slice(content);
    padded.resize(wanted.div_ceil(step) * step, 0);
    padded
}

pub(crate) fn signed(suite: u16, header: &[u8], wraps: &[Wrap], body: &[u8]) -> Vec<u8> {
    let wraps: Vec<u8> = wraps.iter().flat_map(|wrap| sha256(&[&wrap.enc[..], &wrap.ct[..]].concat())).collect();
    let parts = [sha256(header), sha256(&wraps), sha256(body)].concat();
    [b"DMR/1 envelope\0".as_slice(), &suite.to_be_bytes(), &parts].concat()
}

fn wrap<K: Kem>(public: &[u8], info: &[u8], content_key: &[u8; 32]) -> Wrap {
    let public = K::PublicKey::from_bytes(public).unwrap();
    let (enc, ct) = hpke::single_shot_seal_with_rng::<HpkeChaCha20Poly1305, HkdfSha256, K>(
        &OpModeS::Base,
        &public,
        info,
        content_key,
        b"",
        &mut UnwrapErr(getrandom::SysRng),
    )
    .unwrap();
    Wrap { enc: enc.to_bytes().to_vec().into(), ct: ct.into() }
}

pub(crate) fn wrap_x25519(public: &[u8], info: &[u8], content_key: &[u8; 32]) -> Wrap {
    wrap::<X25519HkdfSha256>(public, info, content_key)
}

pub(crate) fn wrap_x_wing(public: &[u8], info: &[u8], content_key: &[u8; 32]) -> Wrap {
    wrap::<XWing>(public, info, content_key)
}

/// An envelope of suite 1 around any padded bytes, right or wrong, that the sender signs.
pub(crate) fn seal(world: &World, sender: &str, recipient: &str, padded: &[u8]) -> Envelope {
    let content_key = seed("content key");
    let participant = world.directory.participant(id(recipient)).unwrap();
    let public = participant.sealing_keys.iter().find(|key| key.algorithm == Algorithm::X25519).unwrap();
    let key = dmr_crypto::key_id(Algorithm::X25519, &public.public);
    let signer = signing_key(sender);
    let header = Header {
        suite: Suite::X25519,
        network: world.directory.network().clone(),
        id: message_id(1),
        sender: id(sender),
        sender_key: dmr_crypto::key_id(Algorithm::Ed25519, signer.verifying_key().as_bytes()),
        recipients: Recipients::new(vec![Recipient { participant: id(recipient), key }]).unwrap(),
        kind: Kind::QUESTION,
        created: NOW,
        expires: NOW.plus(std::time::Duration::from_hours(1)),
        directory_revision: world.directory.revision(),
        directory_digest: world.directory.digest(),
        key_commitment: KeyCommitment(hkdf(&content_key, "DMR/1 commit", b"")),
    };
    let header = header.encode().unwrap();
    let header_hash = sha256(&header);
    let info = wrap_info(1, key.as_bytes(), &header_hash);
    let wraps = vec![wrap_x25519(&public.public, &info, &content_key)];
    let body = seal_body(&hkdf(&content_key, "DMR/1 body", &header_hash), padded).into();
    Parts { header, wraps, body, signature: [0; 64] }.signed_by(&signer).envelope()
}

/// An envelope taken apart, to be changed and put together again.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) header: Bytes,
    pub(crate) wraps: Vec<Wrap>,
    pub(crate) body: Bytes,
    pub(crate) signature: [u8; 64],
}

impl Parts {
    pub(crate) fn of(envelope: &Envelope) -> Self {
        Self {
            header: envelope.header_bytes().clone(),
            wraps: envelope.wraps().to_vec(),
            body: envelope.body().clone(),
            signature: *envelope.signature(),
        }
    }

    /// The same with another header.
    pub(crate) fn with_header(mut self, change: impl FnOnce(&mut Header)) -> Self {
        let mut header = Header::decode(&self.header).unwrap();
        change(&mut header);
        self.header = header.encode().unwrap();
        self
    }

    /// Signed anew, by whoever has this key.
    pub(crate) fn signed_by(mut self, key: &SigningKey) -> Self {
        let suite = Header::decode(&self.header).unwrap().suite.number();
        self.signature = key.sign(&signed(suite, &self.header, &self.wraps, &self.body)).to_bytes();
        self
    }

    pub(crate) fn envelope(&self) -> Envelope {
        Envelope::encode(&self.header, &self.wraps, &self.body, &self.signature).unwrap()
    }
}
