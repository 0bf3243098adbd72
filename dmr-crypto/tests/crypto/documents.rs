//! Signed documents, written a second time from their specification: what forgers hand in, and what golden vectors
//! are made of.

use base64ct::{Base64UrlUnpadded, Encoding};
use dmr_core::directory::{Algorithm, Directory};
use dmr_core::header::Suite;
use dmr_core::id::KeyId;
use dmr_core::limit::MAX_TTL;
use dmr_crypto::{RootPin, key_id};
use ed25519_dalek::{Signer, SigningKey};

use crate::world::{NOW, VALID_FOR, name, seed};

pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The secret key that belongs to a label such as `root key`.
pub(crate) fn secret(label: &str) -> SigningKey {
    SigningKey::from_bytes(&seed(label))
}

pub(crate) fn public(label: &str) -> String {
    base64(secret(label).verifying_key().as_bytes())
}

pub(crate) fn kid(label: &str) -> KeyId {
    key_id(Algorithm::Ed25519, secret(label).verifying_key().as_bytes())
}

/// A compact JWS with this protected header over this payload.
pub(crate) fn jws(header: &str, payload: &[u8], signer: &str) -> String {
    let input = format!("{}.{}", base64(header.as_bytes()), base64(payload));
    let signature = secret(signer).sign(input.as_bytes()).to_bytes();
    format!("{input}.{}", base64(&signature))
}

/// The protected header of a document of this type, signed by this key.
pub(crate) fn protected(typ: &str, signer: &str) -> String {
    format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{}"}}"#, kid(signer))
}

/// A root document before it is signed.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) network: &'static str,
    pub(crate) version: u64,
    pub(crate) expires: u64,
    pub(crate) directory_keys: Vec<&'static str>,
    pub(crate) validity: (u64, u64),
    pub(crate) root_keys: Vec<&'static str>,
    pub(crate) threshold: u8,
}

impl Root {
    pub(crate) const END: u64 = NOW.0 + 3650 * 86_400_000;

    /// Version 1: one root key, one directory key.
    pub(crate) fn first() -> Self {
        Self {
            network: "test",
            version: 1,
            expires: Self::END,
            directory_keys: vec!["directory key"],
            validity: (NOW.0 - 86_400_000, Self::END),
            root_keys: vec!["root key"],
            threshold: 1,
        }
    }

    pub(crate) fn payload(&self) -> String {
        let (begin, end) = self.validity;
        let directory_keys = self.directory_keys.iter().map(|key| {
            format!(r#"{{"public":"{}","validity":{{"notBefore":{begin},"notAfter":{end}}}}}"#, public(key))
        });
        let root_keys = self.root_keys.iter().map(|key| format!(r#""{}""#, public(key)));
        format!(
            r#"{{"network":"{}","version":{},"expires":{},"directoryKeys":[{}],"rootKeys":[{}],"threshold":{}}}"#,
            self.network,
            self.version,
            self.expires,
            directory_keys.collect::<Vec<_>>().join(","),
            root_keys.collect::<Vec<_>>().join(","),
            self.threshold,
        )
    }

    /// One line for each signer.
    pub(crate) fn signed_by(&self, signers: &[&str]) -> String {
        let line = |signer: &&str| jws(&protected("dmr-root+jws", signer), self.payload().as_bytes(), signer) + "\n";
        signers.iter().map(line).collect()
    }
}

/// A pin of these root keys.
pub(crate) fn pin(keys: &[&str], threshold: u8) -> RootPin {
    let keys: Vec<String> = keys.iter().map(|key| format!(r#""{}""#, public(key))).collect();
    let json = format!(r#"{{"network":"test","threshold":{threshold},"keys":[{}]}}"#, keys.join(","));
    RootPin::from_json(json.as_bytes()).unwrap()
}

/// Revision 1 without participants.
pub(crate) fn first_directory() -> Directory {
    Directory {
        network: name("test"),
        revision: 1,
        issued: NOW,
        expires: NOW.plus(VALID_FOR),
        previous: None,
        participants: vec![],
        servers: vec![],
        revoked: vec![],
        suite_floor: Suite::X25519,
        max_ttl: MAX_TTL,
        policy: vec![],
    }
}

/// The line of a directory with this JSON.
pub(crate) fn directory_line(json: &[u8], signer: &str) -> String {
    jws(&protected("dmr-directory+jws", signer), json, signer) + "\n"
}

/// A bundle of the first root document and this directory.
pub(crate) fn bundle(directory: &Directory) -> String {
    bundle_of(&directory.to_json().unwrap())
}

/// A bundle of the first root document and a directory of this JSON.
pub(crate) fn bundle_of(json: &[u8]) -> String {
    Root::first().signed_by(&["root key"]) + &directory_line(json, "directory key")
}
