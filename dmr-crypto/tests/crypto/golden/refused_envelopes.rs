//! Envelopes that are refused, each with the stable name of the error: what every implementation must refuse alike.

use std::collections::BTreeMap;
use std::time::Duration;

use dmr_core::content::Reference;
use dmr_core::directory::{Directory, KeyUse, Permission, RevokedKey, Status, Validity};
use dmr_core::envelope::Envelope;
use dmr_core::header::Suite;
use dmr_core::replay::{Admission, ReplayGuard};
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, RootPin, VerifiedDirectory, open};
use serde_json::{Value, json};

use super::{frozen, outcome, read};
use crate::hex::{field, hex};
use crate::reference::{Draft, Parts, RawHeader, encode, pad, seed_of_wrap, varint, wrap};
use crate::world::{NOW, VALIDITY, World, content, id, key_file, message_id, name, seed, signing_key};

/// The cases as they are collected.
#[derive(Default)]
struct Cases {
    list: Vec<Value>,
    directories: BTreeMap<&'static str, String>,
}

impl Cases {
    fn add(&mut self, name: &str, directory: &'static str, bytes: &[u8], expected: &str) {
        self.list.push(json!({
            "name": name, "directory": directory, "now_ms": NOW.0, "envelope": hex(bytes), "expected": expected,
        }));
    }
}

fn world() -> World {
    World::of(&["tax", "police", "press"], Suite::X25519)
}

fn text() -> Vec<u8> {
    content("a question").encode().unwrap()
}

fn draft(world: &World) -> Draft {
    Draft::new(&world.directory, Suite::X25519, "tax", &["police"], &text())
}

/// What decoding refuses, without a key.
fn malformed(cases: &mut Cases) {
    let world = world();
    let two = Draft::new(&world.directory, Suite::X25519, "tax", &["police", "press"], &text()).seal();
    let one = draft(&world).seal();
    let good = &one.bytes;
    let parts = &one.parts;
    let mut add = |name: &str, bytes: &[u8], expected: &str| cases.add(name, "plain", bytes, expected);
    add("nothing at all", b"", "decode.invalid");
    add("another magic", &[b"DMR2", &good[4..]].concat(), "decode.invalid");
    add("the last byte missing", &good[..good.len() - 1], "decode.malformed");
    add("a byte too many", &[&good[..], &[0]].concat(), "decode.trailing");
    let header_len = varint(one.header.len());
    assert_eq!(header_len.len(), 1, "a short length, to be written longer");
    let longer = [&good[..4], &[251, header_len[0], 0], &good[5..]].concat();
    add("a length that is not minimal", &longer, "decode.not-canonical");
    let endless = [&good[..4], &[253, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]].concat();
    add("a length beyond all memory", &endless, "decode.malformed");
    let with = |wraps: &[dmr_core::envelope::Wrap]| encode(&two.header, wraps, &two.parts.body, &two.parts.signature);
    add("a wrap dropped", &with(&two.parts.wraps[..1]), "decode.invalid");
    add("a wrap added", &with(&[&two.parts.wraps[..], &parts.wraps].concat()), "decode.invalid");
    let short = |enc: usize, ct: usize| {
        let mut wraps = parts.wraps.clone();
        wraps[0].enc.truncate(enc);
        wraps[0].ct.truncate(ct);
        encode(&one.header, &wraps, &parts.body, &parts.signature)
    };
    add("an encapsulated key of 31 bytes", &short(31, 48), "decode.invalid");
    add("a wrapped key of 47 bytes", &short(32, 47), "decode.invalid");
    let signature = encode(&one.header, &parts.wraps, &parts.body, &parts.signature[..63]);
    add("a signature of 63 bytes", &signature, "decode.invalid");
    let padded_header = [&one.header[..], &[0]].concat();
    add(
        "a header with a byte too many",
        &encode(&padded_header, &parts.wraps, &parts.body, &parts.signature),
        "decode.trailing",
    );

    let raw = |change: fn(&mut RawHeader)| draft(&world).with(change).seal().bytes;
    add(
        "suite 2 with the wraps of suite 1",
        &{
            let header = dmr_core::codec::encode(&draft(&world).with(|header| header.suite = 2).header).unwrap();
            encode(&header, &parts.wraps, &parts.body, &parts.signature)
        },
        "decode.invalid",
    );
    add("an unknown suite", &raw(|header| header.suite = 3), "decode.malformed");
    add("a network in upper case", &raw(|header| header.network = "Test".into()), "decode.malformed");
    add("a sender that is nil", &raw(|header| header.sender = [0; 16]), "decode.malformed");
    add("an id that is nil", &raw(|header| header.id = [0; 16]), "decode.malformed");
    add("no recipient", &raw(|header| header.recipients.clear()), "decode.malformed");
    let both = |change: fn(&mut RawHeader)| {
        Draft::new(&world.directory, Suite::X25519, "tax", &["police", "press"], &text()).with(change).seal().bytes
    };
    add("recipients out of order", &both(|header| header.recipients.reverse()), "decode.malformed");
    add("a recipient twice", &both(|header| header.recipients[1] = header.recipients[0]), "decode.malformed");
    let many = raw(|header| header.recipients = (1..=65).map(|number| ([number; 16], [1; 16])).collect());
    add("65 recipients", &many, "decode.malformed");
    cases.directories.insert("plain", bundle(&world.directory));
}

fn bundle(directory: &VerifiedDirectory) -> String {
    String::from_utf8(directory.bundle().to_vec()).unwrap()
}

/// What the sender's signature does not cover any more.
fn unsigned(cases: &mut Cases) {
    let world = world();
    let made = draft(&world).seal();
    let mut add = |name: &str, parts: Parts| cases.add(name, "plain", &parts.bytes(), "verify.bad-signature");
    let parts = || made.parts.clone();
    let header = |change: fn(&mut RawHeader)| {
        let header = dmr_core::codec::encode(&draft(&world).with(change).header).unwrap();
        Parts { header: header.into(), ..made.parts.clone() }
    };
    add("a bit of the id flipped", header(|header| header.id[15] ^= 1));
    add("a bit of the recipient flipped", header(|header| header.recipients[0].0[15] ^= 1));
    add("a bit of the recipient's key flipped", header(|header| header.recipients[0].1[0] ^= 1));
    add("a bit of the kind flipped", header(|header| header.kind ^= 4));
    add("a bit of the creation flipped", header(|header| header.created ^= 1));
    add("a bit of the expiry flipped", header(|header| header.expires ^= 1));
    add("a bit of the revision flipped", header(|header| header.directory_revision ^= 1));
    add("a bit of the directory digest flipped", header(|header| header.directory_digest[0] ^= 1));
    add("a bit of the commitment flipped", header(|header| header.key_commitment[0] ^= 1));
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes.into()
    };
    let mut enc = parts();
    enc.wraps[0].enc = flipped(&enc.wraps[0].enc, 0);
    add("a bit of the encapsulated key flipped", enc);
    let mut ct = parts();
    ct.wraps[0].ct = flipped(&ct.wraps[0].ct, 47);
    add("a bit of the wrapped key flipped", ct);
    add("a bit of the body flipped", Parts { body: flipped(&made.parts.body, 100), ..parts() });
    let mut signature = parts();
    signature.signature[40] ^= 1;
    add("a bit of the signature flipped", signature);
    add("signed by another participant", parts().signed_by(&signing_key("press")));
    let two = Draft::new(&world.directory, Suite::X25519, "tax", &["police", "press"], &text()).seal();
    let mut swapped = two.parts;
    swapped.wraps.swap(0, 1);
    add("wraps swapped", swapped);
}

/// What a good signature does not make acceptable.
fn unacceptable(cases: &mut Cases) {
    let world = world();
    let mut add = |name: &str, directory, change: fn(&mut RawHeader), expected| {
        cases.add(name, directory, &draft(&world).with(change).seal().bytes, expected);
    };
    add("another network", "plain", |header| header.network = "elsewhere".into(), "verify.wrong-network");
    add("an unknown sender", "plain", |header| header.sender = [9; 16], "verify.unknown-sender-key");
    add(
        "another sender's name",
        "plain",
        |header| header.sender = *id("press").as_bytes(),
        "verify.unknown-sender-key",
    );
    add("an unknown key", "plain", |header| header.sender_key = [9; 16], "verify.unknown-sender-key");
    add("a newer directory", "plain", |header| header.directory_revision += 1, "verify.stale-directory");
    add(
        "another directory of the revision",
        "plain",
        |header| header.directory_digest = [9; 32],
        "verify.directory-forked",
    );
    add("created in the future", "plain", |header| header.created = NOW.0 + 120_001, "verify.created-in-future");
    add("no lifetime", "plain", |header| header.expires = header.created, "verify.bad-lifetime");
    add("expired before it was created", "plain", |header| header.expires = 1, "verify.bad-lifetime");
    add(
        "too long a lifetime",
        "plain",
        |header| header.expires = header.created + 24 * 3_600_000 + 1,
        "verify.bad-lifetime",
    );
    add("a lifetime without end", "plain", |header| header.expires = u64::MAX, "verify.bad-lifetime");
    let expired = |header: &mut RawHeader| {
        header.created = NOW.0 - 3_600_000;
        header.expires = NOW.0 - 120_001;
    };
    add("expired", "plain", expired, "verify.expired");
    let unchanged = |_: &mut RawHeader| {};
    add("a suite below the floor", "floor", unchanged, "verify.suite-too-low");
    add("a revoked key", "revoked", unchanged, "verify.revoked-key");
    add("a revoked key, backdated", "revoked", |header| header.created = NOW.0 - 80_000_000, "verify.revoked-key");
    add("a removed sender", "removed", unchanged, "verify.sender-inactive");
    add("a suspended sender", "suspended", unchanged, "verify.sender-inactive");
    add("a key that may not sign", "login-only", unchanged, "verify.unknown-sender-key");
    add("a policy that forbids it", "policy", unchanged, "verify.policy-refused");
    let before = |header: &mut RawHeader| {
        header.created = VALIDITY.not_before.0 - 1;
        header.expires = header.created + 7 * 86_400_000;
    };
    add("created before the sender's key", "long-lived", before, "verify.key-out-of-validity");

    let mut changed = |name: &'static str, change: fn(&mut Directory)| {
        cases.directories.insert(name, bundle(&world.next(change)));
    };
    changed("floor", |directory| directory.suite_floor = Suite::XWing);
    changed("revoked", |directory| {
        let key =
            dmr_crypto::key_id(dmr_core::directory::Algorithm::Ed25519, signing_key("tax").verifying_key().as_bytes());
        directory.revoked.push(RevokedKey { key, since: NOW });
    });
    changed("removed", |directory| directory.participants[0].status = Status::Removed);
    changed("suspended", |directory| directory.participants[0].status = Status::Suspended);
    changed("login-only", |directory| {
        let entry = directory.participants.iter_mut().find(|entry| entry.name == name("tax")).unwrap();
        entry.identity_keys[0].usage = KeyUse { sign: false, login: true };
        entry.sealing_keys.clear();
    });
    changed("policy", |directory| {
        directory.policy = vec![Permission { from: vec![name("press")], to: vec![] }];
    });
    changed("long-lived", |directory| directory.max_ttl = Duration::from_hours(30 * 24));
}

/// What only the recipient can find out.
fn unopenable(cases: &mut Cases) {
    let world = world();
    let add = |cases: &mut Cases, name: &str, parts: &Parts, expected: &str| {
        cases.add(name, "plain", &parts.bytes(), expected);
    };
    let tax = signing_key("tax");
    let made = draft(&world).seal();
    let two = Draft::new(&world.directory, Suite::X25519, "tax", &["police", "press"], &text()).seal();
    let press_key =
        *dmr_crypto::key_id(dmr_core::directory::Algorithm::Ed25519, signing_key("press").verifying_key().as_bytes())
            .as_bytes();
    let stolen = draft(&world).with(|header| {
        header.sender = *id("press").as_bytes();
        header.sender_key = press_key;
    });
    let stolen = Parts { header: dmr_core::codec::encode(&stolen.header).unwrap().into(), ..made.parts.clone() };
    add(cases, "stripped and signed by another", &stolen.signed_by(&signing_key("press")), "open.undecryptable");
    let mut swapped = two.parts.clone();
    swapped.wraps.swap(0, 1);
    add(cases, "wraps swapped and signed again", &swapped.signed_by(&tax), "open.undecryptable");
    let mut other = draft(&world);
    other.content_key = seed("another content key");
    let other = other.seal();
    let spliced = Parts { body: other.parts.body.clone(), ..made.parts.clone() };
    add(cases, "another body, signed again", &spliced.signed_by(&tax), "open.undecryptable");
    let kind = draft(&world).with(|header| header.kind = 4);
    let kind = Parts { header: dmr_core::codec::encode(&kind.header).unwrap().into(), ..made.parts.clone() };
    add(cases, "another header, signed again", &kind.signed_by(&tax), "open.undecryptable");
    let press = Draft::new(&world.directory, Suite::X25519, "tax", &["press"], &text()).seal();
    add(cases, "sealed to a third party", &press.parts, "open.not-recipient");
    let unknown = draft(&world).with(|header| header.recipients[0].1 = [9; 16]).seal();
    add(cases, "sealed to a key the recipient does not hold", &unknown.parts, "open.unknown-key");
    let young = young_world();
    let early = draft(&young).with(|header| header.created = NOW.0 - 3_600_001).seal();
    cases.add("created before the recipient's key", "young", &early.bytes, "open.key-out-of-validity");
    cases.directories.insert("young", bundle(&young.directory));

    let mismatch = draft(&world).with(|header| header.key_commitment = [9; 32]).seal();
    add(cases, "a commitment to another key", &mismatch.parts, "open.undecryptable");
    let mut two_keys = two.parts.clone();
    let police = usize::from(id("press") < id("police"));
    let info = &two.infos[police];
    let public = Draft::new(&world.directory, Suite::X25519, "tax", &["police"], b"").public_keys.remove(0);
    two_keys.wraps[police] = wrap(Suite::X25519, &public, info, &seed("another content key"), &seed_of_wrap(0));
    add(cases, "another key for one of two recipients", &two_keys.signed_by(&tax), "open.undecryptable");

    let mut padded = |name: &str, padded: Vec<u8>, expected: &str| {
        let mut draft = draft(&world);
        draft.padded = padded;
        add(cases, name, &draft.seal().parts, expected);
    };
    let right = pad(&text());
    let mut not_zero = right.clone();
    not_zero[511] = 1;
    padded("padding that is not zero", not_zero, "open.undecryptable");
    padded("padding that is too long", [&right[..], &[0; 16]].concat(), "open.undecryptable");
    padded("padding that is too short", right[..511].to_vec(), "open.undecryptable");
    padded("no padding", text(), "open.undecryptable");
    let mut lying = right;
    lying[..4].fill(0xff);
    padded("a length beyond the padding", lying, "open.undecryptable");
    padded("nothing at all sealed", vec![], "open.undecryptable");
    padded("a content of an unknown version", pad(&[1, 0]), "open.malformed");
    padded("a content with a byte too many", pad(&[text(), vec![0]].concat()), "open.malformed");
}

/// When the sealing key of a recipient in the world `young` is valid.
const YOUNG: Validity = Validity { not_before: Timestamp(NOW.0 - 3_600_000), not_after: VALIDITY.not_after };

fn young_world() -> World {
    let mut world = World::empty();
    let cards = [("tax", VALIDITY), ("police", YOUNG), ("press", VALIDITY)];
    world.add(&cards.map(|(name, validity)| crate::world::keyring_with(name, &[1], validity).card()));
    world
}

fn made() -> Value {
    let mut cases = Cases::default();
    malformed(&mut cases);
    unsigned(&mut cases);
    unacceptable(&mut cases);
    unopenable(&mut cases);
    let world = world();
    let first = draft(&world).seal();
    let mut second = draft(&world);
    second.content_key = seed("another content key");
    let second = second.with(|header| {
        header.key_commitment = crate::reference::hkdf(&seed("another content key"), "DMR/1 commit", b"");
    });
    json!({
        "pin": String::from_utf8(world.pin.to_json().unwrap()).unwrap(),
        "recipient_key_file": key_file("police", &[1], VALIDITY),
        "young_recipient_key_file": key_file("police", &[1], YOUNG),
        "directories": cases.directories,
        "good": { "directory": "plain", "now_ms": NOW.0, "envelope": hex(&first.bytes), "expected": "ok" },
        "refused": cases.list,
        "same_id_another_digest": [hex(&first.bytes), hex(&second.seal().bytes)],
    })
}

#[test]
fn golden_refused_envelopes_are_as_frozen() {
    frozen("refused-envelopes", &made());
}

#[test]
fn golden_refused_envelopes_are_refused_as_they_say() {
    let file = read("refused-envelopes");
    let text = |value: &Value| value.as_str().unwrap().as_bytes().to_vec();
    let pin = RootPin::from_json(&text(&file["pin"])).unwrap();
    let keyring = |name: &str| Keyring::from_key_file(&text(&file[name])).unwrap();
    let (police, young) = (keyring("recipient_key_file"), keyring("young_recipient_key_file"));
    let cases = file["refused"].as_array().unwrap();
    let mut names: Vec<&str> = cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), cases.len()), (COUNT, COUNT));
    for case in cases.iter().chain([&file["good"]]) {
        let named = case["directory"].as_str().unwrap();
        let directory = text(&file["directories"][named]);
        let directory = VerifiedDirectory::verify(&directory, &pin, NOW).unwrap();
        let keyring = if named == "young" { &young } else { &police };
        let now = Timestamp(case["now_ms"].as_u64().unwrap());
        let found = match Envelope::decode(field(case, "envelope").into()) {
            Ok(envelope) => outcome(open(keyring, &directory, &envelope, now)),
            Err(error) => outcome::<()>(Err(error)),
        };
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
}

/// Refused envelopes in the file.
const COUNT: usize = 73;

#[test]
fn golden_envelopes_with_one_id_and_two_digests_conflict_in_the_replay_guard() {
    let file = read("refused-envelopes");
    let police = crate::world::keyring("police", Suite::X25519);
    let mut guard: ReplayGuard<()> = ReplayGuard::new(8);
    let admissions: Vec<_> = file["same_id_another_digest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|envelope| {
            let bytes = crate::hex::unhex(envelope.as_str().unwrap());
            let envelope = Envelope::decode(bytes.into()).unwrap();
            let opened = open(&police, &world().directory, &envelope, NOW).unwrap();
            assert_eq!(opened.id, message_id(1));
            let reference = Reference { id: opened.id, digest: opened.digest };
            guard.admit(opened.sender, reference, opened.expires, Duration::from_secs(60), NOW)
        })
        .collect();
    assert_eq!(admissions, [Admission::Process, Admission::Conflict]);
}
