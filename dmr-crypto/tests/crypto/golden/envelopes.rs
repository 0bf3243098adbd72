//! Envelopes for 1 and 64 recipients in both suites with every intermediate value, and padding.

use dmr_core::content::{Content, Message, Reference};
use dmr_core::envelope::Envelope;
use dmr_core::header::Suite;
use dmr_core::id::{ConversationId, Digest, RoomId};
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, RootPin, VerifiedDirectory, digest_of, open};
use serde_json::{Value, json};

use super::{frozen, read};
use crate::hex::{field, hex};
use crate::reference::{Draft, pad, sha256};
use crate::world::{NOW, VALIDITY, World, key_file, message_id, seed};

const RECIPIENTS: [(&str, usize); 2] = [("1", 1), ("64", 64)];
const SUITES: [(&str, Suite); 2] = [("x25519", Suite::X25519), ("x-wing", Suite::XWing)];

fn names(count: usize) -> Vec<String> {
    (0..=count).map(|number| format!("p{number}")).collect()
}

fn suites(suite: Suite) -> &'static [u16] {
    &[1, 2][..usize::from(suite.number())]
}

fn world(count: usize, suite: Suite) -> World {
    let names = names(count);
    World::of(&names.iter().map(String::as_str).collect::<Vec<_>>(), suite)
}

/// A content with every member set.
fn content() -> Content {
    Content::V1(Message {
        content_type: "application/json".into(),
        conversation: Some(ConversationId::from_custom_bytes([5; 16])),
        sequence: Some(300),
        room: Some(RoomId::from_custom_bytes([6; 16])),
        in_reply_to: Some(Reference { id: message_id(2), digest: Digest(seed("an earlier digest")) }),
        body: br#"{"question":"Is the passport ready?"}"#.to_vec().into(),
    })
}

fn vector(count: usize, suite: Suite) -> Value {
    let world = world(count, suite);
    let names = names(count);
    let recipients: Vec<&str> = names.iter().skip(1).map(String::as_str).collect();
    let content = content().encode().unwrap();
    let draft = Draft::new(&world.directory, suite, "p0", &recipients, &content);
    let made = draft.seal();
    let wraps = made.parts.wraps.iter().zip(&made.infos).zip(&draft.wrap_seeds).zip(&draft.header.recipients);
    let wraps = wraps.map(|(((wrap, info), seed), (participant, key))| {
        json!({
            "participant": hex(participant), "key": hex(key), "info": hex(info), "seed": hex(seed),
            "enc": hex(&wrap.enc), "ct": hex(&wrap.ct), "hash": hex(&sha256(&[&wrap.enc[..], &wrap.ct[..]].concat())),
        })
    });
    let pin = String::from_utf8(world.pin.to_json().unwrap()).unwrap();
    json!({
        "suite": suite.number(),
        "pin": pin,
        "directory": std::str::from_utf8(world.directory.bundle()).unwrap(),
        "now_ms": NOW.0,
        "sender_key_file": key_file("p0", suites(suite), VALIDITY),
        "recipient_key_file": key_file("p1", suites(suite), VALIDITY),
        "content_key": hex(&draft.content_key),
        "commitment": hex(&draft.header.key_commitment),
        "header": hex(&made.header),
        "header_hash": hex(&made.header_hash),
        "content": hex(&content),
        "padded": hex(&draft.padded),
        "body_key": hex(&made.body_key),
        "body": hex(&made.parts.body),
        "wraps": wraps.collect::<Vec<_>>(),
        "signed": hex(&made.signed),
        "signature": hex(&made.parts.signature),
        "digest": hex(&sha256(&made.signed)),
        "envelope": hex(&made.bytes),
    })
}

#[test]
fn golden_envelopes_are_as_frozen() {
    for (suite_name, suite) in SUITES {
        for (count_name, count) in RECIPIENTS {
            frozen(&format!("envelope-{suite_name}-{count_name}"), &vector(count, suite));
        }
    }
}

#[test]
fn golden_envelopes_open() {
    for (suite_name, suite) in SUITES {
        for (count_name, count) in RECIPIENTS {
            let vector = read(&format!("envelope-{suite_name}-{count_name}"));
            let text = |name: &str| vector[name].as_str().unwrap().as_bytes();
            let now = Timestamp(vector["now_ms"].as_u64().unwrap());
            let pin = RootPin::from_json(text("pin")).unwrap();
            let directory = VerifiedDirectory::verify(text("directory"), &pin, now).unwrap();
            let recipient = Keyring::from_key_file(text("recipient_key_file")).unwrap();
            let envelope = Envelope::decode(field(&vector, "envelope").into()).unwrap();
            assert_eq!(envelope.header_bytes(), &field(&vector, "header"));
            let header = envelope.header();
            assert_eq!(digest_of(&envelope).to_string(), vector["digest"].as_str().unwrap());
            assert_eq!((header.suite, header.recipients.as_slice().len()), (suite, count));
            let opened = open(&recipient, &directory, &envelope, now).unwrap();
            assert_eq!(opened.content.encode().unwrap(), field(&vector, "content"));
            assert_eq!(opened.digest.to_string(), vector["digest"].as_str().unwrap());
            assert_eq!(envelope.header().encode().unwrap(), field(&vector, "header"), "the header's one encoding");
        }
    }
}

#[test]
fn golden_padding_is_as_frozen() {
    let limit = dmr_core::limit::MESSAGE;
    let case = |len: usize| {
        let content: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let padded = pad(&content);
        json!({ "content_len": len, "padded_len": padded.len(), "padded_sha256": hex(&sha256(&padded)) })
    };
    let lengths = [0, 1, 507, 508, 509, 1020, 1021, 4000, 65_532, 65_533, limit - 1, limit];
    let cases: Vec<Value> = lengths.into_iter().map(case).collect();
    frozen("padding", &json!({ "content": "byte i is i mod 251", "cases": cases }));
}
