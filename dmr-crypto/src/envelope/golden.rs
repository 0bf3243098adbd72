//! Sealing with the golden vectors' randomness makes the golden vectors' bytes.

use dmr_core::content::Content;
use dmr_core::header::Header;
use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use super::seal::{Entropy, SealRequest, seal_with};
use crate::sealing::WrapSeed;
use crate::{Keyring, RootPin, VerifiedDirectory};

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let text = value[name].as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn reproduce(file: &str) {
    let vector: Value = serde_json::from_str(file).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap().as_bytes();
    let now = Timestamp(vector["now_ms"].as_u64().unwrap());
    let pin = RootPin::from_json(text("pin")).unwrap();
    let directory = VerifiedDirectory::verify(text("directory"), &pin, now).unwrap();
    let keyring = Keyring::from_key_file(text("sender_key_file")).unwrap();
    let header = Header::decode(&bytes(&vector, "header")).unwrap();
    let content = Content::decode(&bytes(&vector, "content")).unwrap();
    let recipients: Vec<ParticipantId> =
        header.recipients.as_slice().iter().rev().map(|each| each.participant).collect();
    let request = SealRequest {
        id: header.id,
        kind: header.kind,
        recipients: &recipients,
        created: header.created,
        expires: header.expires,
        content: &content,
    };
    let wraps = vector["wraps"].as_array().unwrap().iter();
    let entropy = Entropy {
        content_key: Zeroizing::new(bytes(&vector, "content_key").try_into().unwrap()),
        wraps: wraps.map(|wrap| WrapSeed::new(Zeroizing::new(bytes(wrap, "seed").try_into().unwrap()))).collect(),
    };
    let sealed = seal_with(&keyring, &directory, request, entropy).unwrap();
    assert_eq!(sealed.envelope.header_bytes(), &bytes(&vector, "header"));
    assert_eq!(sealed.envelope.body(), &bytes(&vector, "body"));
    assert_eq!(sealed.envelope.signature().to_vec(), bytes(&vector, "signature"));
    assert_eq!(sealed.envelope.bytes(), &bytes(&vector, "envelope"));
    assert_eq!(sealed.digest.as_bytes().to_vec(), bytes(&vector, "digest"));
}

#[test]
fn sealing_makes_the_golden_envelopes_of_suite_1() {
    reproduce(include_str!("../../../tests/vectors/envelope-x25519-1.json"));
    reproduce(include_str!("../../../tests/vectors/envelope-x25519-64.json"));
}

#[test]
fn sealing_makes_the_golden_envelopes_of_suite_2() {
    reproduce(include_str!("../../../tests/vectors/envelope-x-wing-1.json"));
    reproduce(include_str!("../../../tests/vectors/envelope-x-wing-64.json"));
}

#[test]
fn padding_makes_the_golden_lengths_and_bytes() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/vectors/padding.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let number = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
        let content: Vec<u8> = (0..number("content_len")).map(|at| (at % 251) as u8).collect();
        let padded = super::padding::pad(&content, 0).unwrap();
        assert_eq!(padded.len(), number("padded_len"));
        assert_eq!(crate::digest::sha256(&[&padded]).to_vec(), bytes(case, "padded_sha256"));
    }
}
