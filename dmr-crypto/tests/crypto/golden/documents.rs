//! Keys and their ids, the pin, root documents and directories, logins.

use dmr_core::directory::{Algorithm, Card};
use dmr_core::frame::{AuthFields, Challenge, ChannelBinding, VERSION};
use dmr_core::header::Suite;
use dmr_core::id::{InstanceId, MessageId, Nonce};
use dmr_crypto::{Keyring, RootPin, VerifiedDirectory, answer_id, key_id, prove_login, sign_challenge, verify_login};
use ed25519_dalek::Signer;
use serde_json::{Value, json};

use super::{frozen, read};
use crate::documents::{Root, bundle, first_directory, kid, pin, public, secret};
use crate::hex::{field, hex};
use crate::reference::sha256;
use crate::world::{NOW, VALIDITY, World, id, key_file, message_id, name, seed, signing_key};

/// A participant with keys of both suites, and the labels under which they are signed and named.
fn participant(of: &str) -> Value {
    let file = key_file(of, &[1, 2], VALIDITY);
    let keyring = Keyring::from_key_file(file.as_bytes()).unwrap();
    let Card::Participant(card) = keyring.card() else { panic!("not a participant") };
    let identity = signing_key(of).verifying_key().to_bytes();
    let participant = id(of);
    let sealing = card.sealing_keys.iter().map(|key| {
        let parts = [
            &participant.as_bytes()[..],
            &key.algorithm.number().to_be_bytes(),
            &key.validity.not_before.0.to_be_bytes(),
            &key.validity.not_after.0.to_be_bytes(),
            &key.public,
        ];
        let signed = [b"DMR/1 sealing\0".as_slice(), &sha256(&parts.concat())].concat();
        assert_eq!(signing_key(of).sign(&signed).to_bytes(), key.signature);
        let named = [b"DMR/1 kid".as_slice(), &key.algorithm.number().to_be_bytes(), &key.public].concat();
        assert_eq!(key_id(key.algorithm, &key.public).as_bytes(), &sha256(&named)[..16]);
        json!({
            "algorithm": key.algorithm.number(), "public": hex(&key.public), "key_id": hex(&sha256(&named)[..16]),
            "secret": hex(&seed(&format!("{of} sealing {}", key.algorithm.number()))),
            "signed": hex(&signed), "signature": hex(&key.signature),
        })
    });
    let named = [b"DMR/1 kid".as_slice(), &Algorithm::Ed25519.number().to_be_bytes(), &identity].concat();
    json!({
        "name": of, "id": id(of).to_string(), "key_file": file,
        "card": String::from_utf8(keyring.card().to_json().unwrap()).unwrap(),
        "identity": {
            "seed": hex(&seed(&format!("{of} identity"))), "public": hex(&identity), "key_id": hex(&sha256(&named)[..16]),
        },
        "sealing": sealing.collect::<Vec<_>>(),
    })
}

#[test]
fn golden_keys_are_as_frozen() {
    let participants: Vec<Value> = ["tax", "police"].into_iter().map(participant).collect();
    let authority =
        |label: &str| json!({ "seed": hex(&seed(label)), "public": public(label), "key_id": kid(label).to_string() });
    frozen(
        "keys",
        &json!({
            "participants": participants,
            "root_key": authority("root key"),
            "directory_key": authority("directory key"),
        }),
    );
}

#[test]
fn golden_directories_are_as_frozen() {
    let first = bundle(&first_directory());
    let second = World::of(&["tax", "police"], Suite::XWing).directory;
    let payload = String::from_utf8(second.directory().to_json().unwrap()).unwrap();
    frozen(
        "directory",
        &json!({
            "now_ms": NOW.0,
            "pin": String::from_utf8(pin(&["root key"], 1).to_json().unwrap()).unwrap(),
            "root_payload": Root::first().payload(),
            "first": {
                "payload": String::from_utf8(first_directory().to_json().unwrap()).unwrap(),
                "bundle": first, "revision": 1, "digest": hex(&sha256(&first_directory().to_json().unwrap())),
            },
            "second": {
                "payload": payload, "bundle": std::str::from_utf8(second.bundle()).unwrap(), "revision": 2,
                "digest": hex(&sha256(payload.as_bytes())),
            },
        }),
    );
}

#[test]
fn golden_directories_verify() {
    let vector = read("directory");
    let pin = RootPin::from_json(vector["pin"].as_str().unwrap().as_bytes()).unwrap();
    for document in ["first", "second"] {
        let bundle = vector[document]["bundle"].as_str().unwrap();
        let directory = VerifiedDirectory::verify(bundle.as_bytes(), &pin, NOW).unwrap();
        assert_eq!(directory.revision(), vector[document]["revision"].as_u64().unwrap());
        assert_eq!(directory.digest().to_string(), vector[document]["digest"].as_str().unwrap());
        let payload = vector[document]["payload"].as_str().unwrap();
        assert_eq!(directory.directory().to_json().unwrap(), payload.as_bytes());
    }
}

#[test]
fn golden_logins_are_as_frozen_and_hold() {
    let world = World::of(&["tax", "police"], Suite::XWing);
    let challenge = Challenge {
        network: name("test"),
        server: name("relay"),
        version_min: VERSION,
        version_max: VERSION,
        max_envelope: 1 << 20,
        nonce: Nonce(seed("the server's nonce")),
        binds_channel: true,
        directory_revision: 2,
        server_key: Some(kid("relay key")),
    };
    let fields = AuthFields {
        network: name("test"),
        participant: id("tax"),
        key: key_id(Algorithm::Ed25519, signing_key("tax").verifying_key().as_bytes()),
        version: VERSION,
        nonce: Nonce(seed("the agent's nonce")),
        instance: InstanceId::from_custom_bytes([8; 16]),
        binding: ChannelBinding::TlsExporter(seed("exported")),
        directory_revision: 1,
    };
    let (challenge, fields) = (challenge.encode().unwrap(), fields.encode().unwrap());
    let signed = [b"DMR/1 login\0".as_slice(), &sha256(&challenge), &sha256(&fields)].concat();
    let proof = signing_key("tax").sign(&signed).to_bytes();
    let by_server = [b"DMR/1 challenge\0".as_slice(), &sha256(&challenge)].concat();
    let server_signature = secret("relay key").sign(&by_server).to_bytes();
    frozen(
        "login",
        &json!({
            "directory": std::str::from_utf8(world.directory.bundle()).unwrap(),
            "challenge": hex(&challenge), "fields": hex(&fields), "signed": hex(&signed), "proof": hex(&proof),
            "server_public": hex(secret("relay key").verifying_key().as_bytes()),
            "server_signed": hex(&by_server), "server_signature": hex(&server_signature),
        }),
    );
    let vector = read("login");
    let (challenge, fields) = (field(&vector, "challenge"), field(&vector, "fields"));
    let proven = verify_login(&challenge, &fields, &field(&vector, "proof"), &world.directory, NOW).unwrap();
    assert_eq!(proven.participant, id("tax"));
    let tax = crate::world::keyring("tax", Suite::XWing);
    let key = tax.login_key(&world.directory, NOW).unwrap();
    assert_eq!(prove_login(key, &challenge, &fields).to_vec(), field(&vector, "proof"));
    let relay = dmr_crypto::IdentitySecret::from_seed(&seed("relay key"));
    assert_eq!(sign_challenge(&relay, &challenge).to_vec(), field(&vector, "server_signature"));
}

#[test]
fn golden_ids_of_answers_are_as_frozen() {
    let case = |number: u64, participant: &str| {
        let (question, participant) = (message_id(number), id(participant));
        let named = [b"DMR/1 answer\0".as_slice(), question.as_bytes(), participant.as_bytes()].concat();
        let expected = MessageId::from_custom_bytes(sha256(&named)[..16].try_into().unwrap());
        assert_eq!(answer_id(question, participant), expected);
        json!({
            "question": question.to_string(), "participant": participant.to_string(), "answer": expected.to_string(),
        })
    };
    frozen("answers", &json!({ "cases": [case(1, "tax"), case(1, "police"), case(2, "police")] }));
}
