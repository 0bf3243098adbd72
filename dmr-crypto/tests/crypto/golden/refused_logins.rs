//! Logins that a server refuses and challenges that an agent refuses, each with the stable name of the error.

use std::collections::BTreeMap;

use dmr_core::directory::{Algorithm, Card, Directory, IdentityKey, KeyUse, RevokedKey, Server, Status};
use dmr_core::frame::{AuthFields, Challenge, ChannelBinding, VERSION};
use dmr_core::header::Suite;
use dmr_core::id::{InstanceId, KeyId, Nonce};
use dmr_core::time::Timestamp;
use dmr_crypto::{RootPin, VerifiedDirectory, key_id, verify_challenge, verify_login};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use super::{frozen, outcome, read};
use crate::documents::{kid, secret};
use crate::hex::{field, hex};
use crate::reference::sha256;
use crate::world::{NOW, VALIDITY, World, id, keyring, name, seed, signing_key};

/// After the last moment of every key in the directories here.
const LATE: Timestamp = Timestamp(VALIDITY.not_after.0 + 1);

fn identity(of: &str) -> KeyId {
    key_id(Algorithm::Ed25519, signing_key(of).verifying_key().as_bytes())
}

fn challenge() -> Challenge {
    Challenge {
        network: name("test"),
        server: name("relay"),
        version_min: VERSION,
        version_max: VERSION + 2,
        max_envelope: 1 << 20,
        nonce: Nonce(seed("the server's nonce")),
        binds_channel: false,
        directory_revision: 2,
        server_key: Some(kid("relay key")),
    }
}

fn fields() -> AuthFields {
    AuthFields {
        network: name("test"),
        participant: id("tax"),
        key: identity("tax"),
        version: VERSION,
        nonce: Nonce(seed("the agent's nonce")),
        instance: InstanceId::from_custom_bytes([8; 16]),
        binding: ChannelBinding::None,
        directory_revision: 2,
    }
}

fn proof(signer: &SigningKey, challenge: &[u8], fields: &[u8]) -> Vec<u8> {
    let signed = [b"DMR/1 login\0".as_slice(), &sha256(challenge), &sha256(fields)].concat();
    signer.sign(&signed).to_bytes().to_vec()
}

fn server_signature(signer: &SigningKey, challenge: &[u8]) -> Vec<u8> {
    signer.sign(&[b"DMR/1 challenge\0".as_slice(), &sha256(challenge)].concat()).to_bytes().to_vec()
}

/// `tax`, `police`, and the servers `relay` and `other`.
fn world() -> World {
    let mut world = World::empty();
    let mut cards: Vec<Card> = ["tax", "police"].map(|of| keyring(of, Suite::X25519).card()).into();
    cards.extend(["relay", "other"].map(|server| {
        let public = *secret(&format!("{server} key")).verifying_key().as_bytes();
        let usage = KeyUse { sign: false, login: true };
        let key = IdentityKey { public, usage, validity: VALIDITY };
        Card::Server(Server { name: name(server), identity_keys: vec![key] })
    }));
    world.add(&cards);
    world
}

fn directories() -> BTreeMap<&'static str, String> {
    let world = world();
    let bundle = |directory: &VerifiedDirectory| String::from_utf8(directory.bundle().to_vec()).unwrap();
    let revoked = |key: KeyId| move |directory: &mut Directory| directory.revoked.push(RevokedKey { key, since: NOW });
    let tax = |change: fn(&mut dmr_core::directory::Participant)| {
        let changed = |directory: &mut Directory| {
            change(directory.participants.iter_mut().find(|entry| entry.id == id("tax")).unwrap());
        };
        bundle(&world.next(changed))
    };
    BTreeMap::from([
        ("plain", bundle(&world.directory)),
        ("revoked", bundle(&world.next(revoked(identity("tax"))))),
        ("server-revoked", bundle(&world.next(revoked(kid("relay key"))))),
        ("suspended", tax(|entry| entry.status = Status::Suspended)),
        ("removed", tax(|entry| entry.status = Status::Removed)),
        ("sign-only", tax(|entry| entry.identity_keys[0].usage = KeyUse { sign: true, login: false })),
        ("no-servers", bundle(&World::of(&["tax", "police"], Suite::X25519).directory)),
    ])
}

/// A case: what the agent got, what it sent, and what a server must say.
struct Login {
    name: &'static str,
    directory: &'static str,
    now: Timestamp,
    challenge: Vec<u8>,
    fields: Vec<u8>,
    proof: Vec<u8>,
    expected: &'static str,
}

impl Login {
    /// Proven as it should be over whatever fields and challenge these are.
    fn proven(name: &'static str, challenge: &[u8], fields: &[u8], expected: &'static str) -> Self {
        let proof = proof(&signing_key("tax"), challenge, fields);
        let (challenge, fields) = (challenge.to_vec(), fields.to_vec());
        Self { name, directory: "plain", now: NOW, challenge, fields, proof, expected }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "directory": self.directory, "now_ms": self.now.0, "challenge": hex(&self.challenge),
            "fields": hex(&self.fields), "proof": hex(&self.proof), "expected": self.expected,
        })
    }
}

fn refused_logins() -> Vec<Login> {
    let challenge = challenge().encode().unwrap();
    let good = fields().encode().unwrap();
    let with = |name, change: fn(&mut AuthFields), expected| {
        let mut changed = fields();
        change(&mut changed);
        Login::proven(name, &challenge, &changed.encode().unwrap(), expected)
    };
    let under = |name, directory, expected| Login { directory, ..Login::proven(name, &challenge, &good, expected) };
    let proof_is = |name, proof: Vec<u8>| Login { proof, ..Login::proven(name, &challenge, &good, "login.bad-proof") };
    let right = proof(&signing_key("tax"), &challenge, &good);
    let flipped = |bit: usize| {
        let mut proof = right.clone();
        proof[bit / 8] ^= 1 << (bit % 8);
        proof
    };
    let other_nonce = Challenge { nonce: Nonce(seed("another nonce")), ..self::challenge() }.encode().unwrap();
    let elsewhere = Challenge { network: name("elsewhere"), ..self::challenge() }.encode().unwrap();
    let newer_only = Challenge { version_min: 2, ..self::challenge() }.encode().unwrap();
    let bound = AuthFields { binding: ChannelBinding::TlsExporter(seed("exported")), ..fields() }.encode().unwrap();
    // Behind the network, the participant, the key, the version, the nonce and the instance.
    let binding = 5 + 16 + 16 + 1 + 32 + 16;
    let unknown_binding = [&good[..binding], &[2], &good[binding + 1..]].concat();
    let long_version = [&good[..37], &[251, 1, 0], &good[38..]].concat();
    vec![
        with("a login to another network", |fields| fields.network = name("elsewhere"), "login.wrong-network"),
        Login::proven("a challenge of another network", &elsewhere, &good, "login.wrong-network"),
        with("a version above those offered", |fields| fields.version = 4, "login.unsupported-version"),
        Login::proven("a version below those offered", &newer_only, &good, "login.unsupported-version"),
        with("a participant that is not listed", |fields| fields.participant = id("press"), "login.unknown-key"),
        with("the name of another", |fields| fields.participant = id("police"), "login.unknown-key"),
        with("the key of another", |fields| fields.key = identity("police"), "login.unknown-key"),
        with("a key that nobody has", |fields| fields.key = identity("press"), "login.unknown-key"),
        with("the key of a server", |fields| fields.key = kid("relay key"), "login.unknown-key"),
        with(
            "another's name and key, without its secret",
            |fields| (fields.participant, fields.key) = (id("police"), identity("police")),
            "login.bad-proof",
        ),
        under("a key without the use login", "sign-only", "login.unknown-key"),
        under("a revoked key", "revoked", "login.revoked-key"),
        under("a suspended participant", "suspended", "login.inactive"),
        under("a removed participant", "removed", "login.inactive"),
        Login { now: LATE, ..under("a key after its last moment", "plain", "login.key-out-of-validity") },
        Login {
            now: Timestamp(VALIDITY.not_before.0 - 1),
            ..under("a key before its first moment", "plain", "login.key-out-of-validity")
        },
        proof_is("a proof for another challenge", proof(&signing_key("tax"), &other_nonce, &good)),
        proof_is("a proof for another binding", proof(&signing_key("tax"), &challenge, &bound)),
        proof_is("a proof by another's key", proof(&signing_key("police"), &challenge, &good)),
        proof_is("a server's signature for a proof", server_signature(&signing_key("tax"), &challenge)),
        proof_is("the first bit of the proof flipped", flipped(0)),
        proof_is("the last bit of the proof flipped", flipped(511)),
        proof_is("a proof of 63 bytes", right[..63].to_vec()),
        proof_is("a proof of 65 bytes", [&right[..], &[0]].concat()),
        proof_is("no proof", vec![]),
        Login::proven("no fields", &challenge, b"", "decode.malformed"),
        Login::proven("fields with a byte too many", &challenge, &[&good[..], &[0]].concat(), "decode.trailing"),
        Login::proven("fields cut short", &challenge, &good[..good.len() - 1], "decode.malformed"),
        Login::proven("fields with a version written longer", &challenge, &long_version, "decode.not-canonical"),
        Login::proven("fields with a binding of no kind", &challenge, &unknown_binding, "decode.malformed"),
        Login::proven("a challenge cut short", &challenge[..challenge.len() - 1], &good, "decode.malformed"),
    ]
}

/// A case: name, directory, now, challenge, signature and what an agent must say.
type Offer = (&'static str, &'static str, Timestamp, Vec<u8>, Vec<u8>, &'static str);

fn refused_challenges() -> Vec<Offer> {
    let relay = secret("relay key");
    let good = challenge().encode().unwrap().to_vec();
    let signature = server_signature(&relay, &good);
    let by_relay = |name, directory, now, challenge: &[u8], expected| -> Offer {
        (name, directory, now, challenge.to_vec(), server_signature(&relay, challenge), expected)
    };
    let with = |change: fn(&mut Challenge)| {
        let mut changed = challenge();
        change(&mut changed);
        changed.encode().unwrap().to_vec()
    };
    let (unknown, bad) = ("challenge.unknown-key", "challenge.bad-signature");
    let signed_with = |name, signature: Vec<u8>| -> Offer { (name, "plain", NOW, good.clone(), signature, bad) };
    let elsewhere = with(|challenge| challenge.network = name("elsewhere"));
    let keyless = with(|challenge| challenge.server_key = None);
    let others_key = with(|challenge| challenge.server_key = Some(kid("other key")));
    let nobodys = with(|challenge| challenge.server_key = Some(kid("root key")));
    let of_tax = with(|challenge| challenge.server_key = Some(identity("tax")));
    let others_name = with(|challenge| challenge.server = name("other"));
    let newer = with(|challenge| challenge.directory_revision = 9);
    let by_tax = server_signature(&signing_key("tax"), &of_tax);
    let others_signature = server_signature(&secret("other key"), &others_key);
    vec![
        by_relay("another network", "plain", NOW, &elsewhere, "challenge.wrong-network"),
        ("not signed by a listed server", "plain", NOW, keyless, vec![], "challenge.not-signed"),
        ("another server's key and signature", "plain", NOW, others_key, others_signature, unknown),
        by_relay("a key that no server has", "plain", NOW, &nobodys, unknown),
        ("a participant's key and signature", "plain", NOW, of_tax, by_tax, unknown),
        by_relay("another server's name", "plain", NOW, &others_name, unknown),
        by_relay("a revoked key", "server-revoked", NOW, &good, unknown),
        by_relay("a key after its last moment", "plain", LATE, &good, unknown),
        ("a signature of another challenge", "plain", NOW, newer, signature.clone(), bad),
        signed_with("signed by another server", server_signature(&secret("other key"), &good)),
        signed_with("a login proof for a signature", proof(&relay, &good, b"")),
        signed_with("a signature of 63 bytes", signature[..63].to_vec()),
        signed_with("an empty signature under a key", vec![]),
        by_relay("a challenge cut short", "plain", NOW, &good[..good.len() - 1], "decode.malformed"),
        by_relay("a challenge with a byte too many", "plain", NOW, &[&good[..], &[0]].concat(), "decode.trailing"),
        by_relay("nothing at all", "plain", NOW, b"", "decode.malformed"),
    ]
}

fn offer_json((name, directory, now, challenge, signature, expected): Offer) -> Value {
    json!({
        "name": name, "directory": directory, "now_ms": now.0, "challenge": hex(&challenge),
        "signature": hex(&signature), "expected": expected,
    })
}

#[test]
fn golden_refused_logins_are_as_frozen() {
    let challenge = challenge().encode().unwrap();
    let good = Login::proven("a good login", &challenge, &fields().encode().unwrap(), "ok");
    let signature = server_signature(&secret("relay key"), &challenge);
    let signed = ("a signed challenge", "plain", NOW, challenge.to_vec(), signature, "ok");
    let unsigned = ("a challenge when no server is listed", "no-servers", NOW, challenge.to_vec(), vec![], "ok");
    frozen(
        "refused-logins",
        &json!({
            "pin": String::from_utf8(world().pin.to_json().unwrap()).unwrap(),
            "directories": directories(),
            "good": good.json(),
            "refused": refused_logins().iter().map(Login::json).collect::<Vec<_>>(),
            "good_challenges": vec![offer_json(signed), offer_json(unsigned)],
            "refused_challenges": refused_challenges().into_iter().map(offer_json).collect::<Vec<_>>(),
        }),
    );
}

#[test]
fn golden_refused_logins_are_refused_as_they_say() {
    let file = read("refused-logins");
    let pin = RootPin::from_json(file["pin"].as_str().unwrap().as_bytes()).unwrap();
    let directory = |case: &Value| {
        let bundle = file["directories"][case["directory"].as_str().unwrap()].as_str().unwrap();
        VerifiedDirectory::verify(bundle.as_bytes(), &pin, NOW).unwrap()
    };
    let now = |case: &Value| Timestamp(case["now_ms"].as_u64().unwrap());
    let logins = file["refused"].as_array().unwrap();
    for case in logins.iter().chain([&file["good"]]) {
        let (challenge, fields, proof) = (field(case, "challenge"), field(case, "fields"), field(case, "proof"));
        let found = outcome(verify_login(&challenge, &fields, &proof, &directory(case), now(case)));
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
    let challenges = file["refused_challenges"].as_array().unwrap();
    for case in challenges.iter().chain(file["good_challenges"].as_array().unwrap()) {
        let (challenge, signature) = (field(case, "challenge"), field(case, "signature"));
        let found = outcome(verify_challenge(&challenge, &signature, &directory(case), now(case)));
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
    assert_eq!((logins.len(), challenges.len()), (31, 16));
}
