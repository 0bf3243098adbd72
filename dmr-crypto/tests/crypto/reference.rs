//! The envelope, written a second time from its specification with the bare primitives: what forgers use, and what
//! the golden vectors are compared with.

use std::convert::Infallible;

use bytes::Bytes;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use dmr_core::directory::Algorithm;
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::header::{Header, Kind, Suite};
use dmr_crypto::{VerifiedDirectory, key_id};
use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use hpke::aead::ChaCha20Poly1305 as HpkeChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256, XWing};
use hpke::{Deserializable, OpModeS, Serializable};
use rand_core::{TryCryptoRng, TryRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::world::{NOW, id, message_id, seed, signing_key};

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

/// Randomness that is given: HPKE takes what it needs from the front.
pub(crate) struct Given(pub(crate) Vec<u8>);

impl TryRng for Given {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("HPKE draws whole keys")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("HPKE draws whole keys")
    }
    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.copy_from_slice(&self.0.drain(..into.len()).collect::<Vec<u8>>());
        Ok(())
    }
}

impl TryCryptoRng for Given {}

fn wrap_with<K: Kem>(public: &[u8], info: &[u8], content_key: &[u8; 32], seed: &[u8; 64]) -> Wrap {
    let public = K::PublicKey::from_bytes(public).unwrap();
    let (enc, ct) = hpke::single_shot_seal_with_rng::<HpkeChaCha20Poly1305, HkdfSha256, K>(
        &OpModeS::Base,
        &public,
        info,
        content_key,
        b"",
        &mut Given(seed.to_vec()),
    )
    .unwrap();
    Wrap { enc: enc.to_bytes().to_vec().into(), ct: ct.into() }
}

pub(crate) fn wrap(suite: Suite, public: &[u8], info: &[u8], content_key: &[u8; 32], seed: &[u8; 64]) -> Wrap {
    match suite {
        Suite::X25519 => wrap_with::<X25519HkdfSha256>(public, info, content_key, seed),
        Suite::XWing => wrap_with::<XWing>(public, info, content_key, seed),
    }
}

/// 64 bytes that belong to a label.
fn wide_seed(label: &str) -> [u8; 64] {
    [seed(label), seed(&format!("{label}, continued"))].concat().try_into().unwrap()
}

/// The randomness of the wrap at this position.
pub(crate) fn seed_of_wrap(position: usize) -> [u8; 64] {
    wide_seed(&format!("wrap {position}"))
}

/// An integer as bincode writes it: as short as it can be.
pub(crate) fn varint(number: usize) -> Vec<u8> {
    match number {
        0..=250 => vec![number as u8],
        251..=0xffff => [&[251][..], &(number as u16).to_le_bytes()].concat(),
        _ => [&[252][..], &(number as u32).to_le_bytes()].concat(),
    }
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len()), bytes.to_vec()].concat()
}

/// The bytes of an envelope of any parts, right or wrong.
pub(crate) fn encode(header: &[u8], wraps: &[Wrap], body: &[u8], signature: &[u8]) -> Vec<u8> {
    let wraps_bytes = wraps.iter().flat_map(|wrap| [bytes(&wrap.enc), bytes(&wrap.ct)].concat());
    let wraps_bytes = [varint(wraps.len()), wraps_bytes.collect()].concat();
    [b"DMR1".to_vec(), bytes(header), wraps_bytes, bytes(body), bytes(signature)].concat()
}

/// A header of any values, right or wrong.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RawHeader {
    pub(crate) suite: u16,
    pub(crate) network: String,
    pub(crate) id: [u8; 16],
    pub(crate) sender: [u8; 16],
    pub(crate) sender_key: [u8; 16],
    pub(crate) recipients: Vec<([u8; 16], [u8; 16])>,
    pub(crate) kind: u16,
    pub(crate) created: u64,
    pub(crate) expires: u64,
    pub(crate) directory_revision: u64,
    pub(crate) directory_digest: [u8; 32],
    pub(crate) key_commitment: [u8; 32],
}

/// What is to be sealed, by whoever can: nothing is checked.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) header: RawHeader,
    /// The public keys of the recipients, in the header's order.
    pub(crate) public_keys: Vec<Vec<u8>>,
    pub(crate) content_key: [u8; 32],
    pub(crate) wrap_seeds: Vec<[u8; 64]>,
    pub(crate) padded: Vec<u8>,
    pub(crate) signer: String,
}

/// Every intermediate value of a sealed draft.
pub(crate) struct Made {
    pub(crate) header: Vec<u8>,
    pub(crate) header_hash: [u8; 32],
    pub(crate) body_key: [u8; 32],
    pub(crate) infos: Vec<Vec<u8>>,
    pub(crate) parts: Parts,
    pub(crate) signed: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl Draft {
    /// A question from `sender` to `recipients` with this encoded content, one hour from [`NOW`] on.
    pub(crate) fn new(
        directory: &VerifiedDirectory,
        suite: Suite,
        sender: &str,
        recipients: &[&str],
        content: &[u8],
    ) -> Self {
        let content_key = seed(&format!("content key of {sender} to {recipients:?}"));
        let algorithm = if suite == Suite::X25519 { Algorithm::X25519 } else { Algorithm::XWing };
        let mut chosen: Vec<_> = recipients
            .iter()
            .map(|name| {
                let participant = directory.participant(id(name)).unwrap();
                let key = participant.sealing_keys.iter().find(|key| key.algorithm == algorithm).unwrap();
                (*participant.id.as_bytes(), key.public.clone())
            })
            .collect();
        chosen.sort();
        let identity = signing_key(sender).verifying_key().to_bytes();
        let header = RawHeader {
            suite: suite.number(),
            network: directory.network().to_string(),
            id: *message_id(1).as_bytes(),
            sender: *id(sender).as_bytes(),
            sender_key: *key_id(Algorithm::Ed25519, &identity).as_bytes(),
            recipients: chosen.iter().map(|(id, public)| (*id, *key_id(algorithm, public).as_bytes())).collect(),
            kind: Kind::QUESTION.0,
            created: NOW.0,
            expires: NOW.0 + 3_600_000,
            directory_revision: directory.revision(),
            directory_digest: *directory.digest().as_bytes(),
            key_commitment: hkdf(&content_key, "DMR/1 commit", b""),
        };
        Self {
            header,
            wrap_seeds: (0..chosen.len()).map(seed_of_wrap).collect(),
            public_keys: chosen.into_iter().map(|(_, public)| public).collect(),
            content_key,
            padded: pad(content),
            signer: sender.to_owned(),
        }
    }

    /// The same with another header, before anything is sealed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut RawHeader)) -> Self {
        change(&mut self.header);
        self
    }

    pub(crate) fn seal(&self) -> Made {
        let suite = Suite::try_from(self.header.suite).unwrap_or(Suite::X25519);
        let header = dmr_core::codec::encode(&self.header).unwrap();
        let header_hash = sha256(&header);
        let body_key = hkdf(&self.content_key, "DMR/1 body", &header_hash);
        let keys = self.header.recipients.iter().map(|(_, key)| key);
        let infos: Vec<_> = keys.map(|key| wrap_info(self.header.suite, key, &header_hash)).collect();
        let wraps = self.public_keys.iter().zip(&infos).zip(&self.wrap_seeds);
        let wraps = wraps.map(|((public, info), seed)| wrap(suite, public, info, &self.content_key, seed)).collect();
        let body = seal_body(&body_key, &self.padded).into();
        let mut parts = Parts { header: header.clone().into(), wraps, body, signature: [0; 64] };
        let signed = signed(self.header.suite, &header, &parts.wraps, &parts.body);
        parts.signature = signing_key(&self.signer).sign(&signed).to_bytes();
        let bytes = parts.bytes();
        Made { header, header_hash, body_key, infos, parts, signed, bytes }
    }

    pub(crate) fn envelope(&self) -> Envelope {
        Envelope::decode(self.seal().bytes.into()).unwrap()
    }
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

    /// What travels.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        encode(&self.header, &self.wraps, &self.body, &self.signature)
    }

    pub(crate) fn envelope(&self) -> Envelope {
        Envelope::encode(&self.header, &self.wraps, &self.body, &self.signature).unwrap()
    }
}
