//! Bundles that are refused, and sequences of offers, each with the stable name of the error.

use dmr_core::directory::Directory;
use dmr_core::header::Suite;
use dmr_core::id::Digest;
use dmr_core::time::Timestamp;
use dmr_crypto::{DirectoryTrust, RootPin, VerifiedDirectory};
use serde_json::{Value, json};

use super::{frozen, outcome, read};
use crate::documents::{
    Root, base64, bundle, bundle_of, directory_line, first_directory, jws, kid, pin, protected, public,
};
use crate::world::{NOW, World, id, name};

fn first_json() -> String {
    String::from_utf8(first_directory().to_json().unwrap()).unwrap()
}

fn root_line() -> String {
    Root::first().signed_by(&["root key"])
}

fn second_root() -> Root {
    Root { version: 2, root_keys: vec!["root key 2", "root key 3"], threshold: 2, ..Root::first() }
}

/// Bundles by name, and the error of each.
fn refused() -> Vec<(&'static str, String, &'static str)> {
    let good = bundle(&first_directory());
    let (typ, kid) = ("dmr-directory+jws", kid("directory key"));
    let json = first_json();
    let line = directory_line(json.as_bytes(), "directory key");
    let header = |header: String| root_line() + &jws(&header, json.as_bytes(), "directory key") + "\n";
    let root = |root: Root| root.signed_by(&["root key"]) + &line;
    let payload = |from: &str, to: &str| {
        assert!(json.contains(from), "{from}");
        bundle_of(json.replacen(from, to, 1).as_bytes())
    };
    let peopled = |change: fn(&mut Directory)| {
        let mut directory = World::of(&["tax", "police"], Suite::X25519).directory.directory().clone();
        change(&mut directory);
        bundle_of(&dmr_core::json::write(&directory).unwrap())
    };
    let tampered = {
        let parts: Vec<&str> = line.trim_end().split('.').collect();
        let other = base64(json.replace("\"revision\":1", "\"revision\":9").as_bytes());
        format!("{}{}.{other}.{}\n", root_line(), parts[0], parts[2])
    };
    vec![
        ("nothing at all", String::new(), "refused.form"),
        ("no line feed at the end", good.trim_end().to_owned(), "refused.form"),
        ("an empty line at the end", format!("{good}\n"), "jws.form"),
        ("bytes after the directory", format!("{good}x\n"), "jws.form"),
        ("two directories", format!("{good}{line}"), "jws.type"),
        ("no root document", line.clone(), "root.missing"),
        ("alg none", header(format!(r#"{{"alg":"none","typ":"{typ}","kid":"{kid}"}}"#)), "jws.algorithm"),
        ("alg HS256", header(format!(r#"{{"alg":"HS256","typ":"{typ}","kid":"{kid}"}}"#)), "jws.algorithm"),
        ("another typ", header(format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#)), "jws.type"),
        (
            "crit in the header",
            header(format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{kid}","crit":["exp"],"exp":1}}"#)),
            "jws.header",
        ),
        (
            "a key in the header",
            header(format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{kid}","jwk":{{"kty":"OKP"}}}}"#)),
            "jws.header",
        ),
        (
            "a member of the header twice",
            header(format!(r#"{{"alg":"EdDSA","alg":"EdDSA","typ":"{typ}","kid":"{kid}"}}"#)),
            "jws.header",
        ),
        ("no kid", header(format!(r#"{{"alg":"EdDSA","typ":"{typ}"}}"#)), "jws.header"),
        (
            "a key the root does not name",
            root_line() + &directory_line(json.as_bytes(), "another key"),
            "refused.unknown-key",
        ),
        ("signed by the root key", root_line() + &directory_line(json.as_bytes(), "root key"), "refused.unknown-key"),
        (
            "another key under the right kid",
            root_line() + &jws(&protected(typ, "directory key"), json.as_bytes(), "another key") + "\n",
            "refused.bad-signature",
        ),
        ("another payload under the signature", tampered, "refused.bad-signature"),
        (
            "a wrong root",
            Root { root_keys: vec!["another root"], ..Root::first() }.signed_by(&["another root"]) + &line,
            "root.not-signed",
        ),
        ("a root of another network", root(Root { network: "elsewhere", ..Root::first() }), "root.wrong-network"),
        (
            "a root without its own signature",
            root(Root { root_keys: vec!["root key 2"], ..Root::first() }),
            "root.not-signed",
        ),
        ("a threshold of nothing", root(Root { threshold: 0, ..Root::first() }), "root.threshold"),
        ("one key in two roles", root(Root { directory_keys: vec!["root key"], ..Root::first() }), "root.repeated-key"),
        ("a root key twice", root(Root { root_keys: vec!["root key"; 2], ..Root::first() }), "root.repeated-key"),
        ("a root that begins at version 2", root(Root { version: 2, ..Root::first() }), "root.version"),
        (
            "a skipped root version",
            root_line() + &Root { version: 3, ..Root::first() }.signed_by(&["root key"]) + &line,
            "root.version",
        ),
        (
            "a root its predecessor did not sign",
            root_line() + &second_root().signed_by(&["root key 2", "root key 3"]) + &line,
            "root.not-signed",
        ),
        (
            "a threshold that is not met",
            root_line() + &second_root().signed_by(&["root key", "root key 2"]) + &line,
            "root.not-signed",
        ),
        (
            "one key counted twice",
            root_line() + &second_root().signed_by(&["root key", "root key 2", "root key 2"]) + &line,
            "root.repeated-signature",
        ),
        ("a payload that is not JSON", bundle_of(b"{"), "directory.json"),
        ("a member twice", payload("\"revision\":1", "\"revision\":1,\"revision\":1"), "directory.json"),
        ("an unknown member", payload("\"revision\":1", "\"revision\":1,\"more\":1"), "directory.json"),
        ("a missing member", payload("\"revision\":1,", ""), "directory.json"),
        ("bytes after the payload", bundle_of(format!("{json} x").as_bytes()), "directory.json"),
        ("a fraction for a number", payload("\"revision\":1", "\"revision\":1.0"), "directory.json"),
        ("an unknown suite", payload("\"suiteFloor\":1", "\"suiteFloor\":3"), "directory.json"),
        ("revision 0", payload("\"revision\":1", "\"revision\":0"), "directory.no-revision"),
        ("another network", payload("\"network\":\"test\"", "\"network\":\"elsewhere\""), "refused.wrong-network"),
        ("issued in the future", payload(&NOW.0.to_string(), &(NOW.0 + 120_001).to_string()), "refused.not-yet-issued"),
        ("issued before its key", payload(&NOW.0.to_string(), "1"), "refused.outside-validity"),
        (
            "an id twice",
            peopled(|directory| directory.participants[1].id = id("tax")),
            "directory.repeated-participant",
        ),
        ("a name twice", peopled(|directory| directory.participants[1].name = name("tax")), "directory.repeated-name"),
        (
            "a key of two participants",
            peopled(|directory| {
                let key = directory.participants[0].identity_keys[0].clone();
                directory.participants[1].identity_keys.push(key);
            }),
            "directory.repeated-public-key",
        ),
        (
            "an identity key of small order",
            peopled(|directory| directory.participants[0].identity_keys[0].public = [0; 32]),
            "refused.key",
        ),
        (
            "a sealing key that is not canonical",
            peopled(|directory| directory.participants[0].sealing_keys[0].public = vec![0xff; 32]),
            "refused.key",
        ),
        (
            "a sealing key its owner did not sign",
            peopled(|directory| directory.participants[0].sealing_keys[0].signature[0] ^= 1),
            "refused.sealing-key-not-signed",
        ),
    ]
}

/// A directory of this revision, said to follow `previous`.
fn revision(revision: u64, previous: Option<Digest>, signer: &str) -> String {
    issued(NOW, revision, previous, signer)
}

/// The same, issued at another time.
fn issued(when: Timestamp, revision: u64, previous: Option<Digest>, signer: &str) -> String {
    let mut directory = first_directory();
    (directory.issued, directory.revision, directory.previous) = (when, revision, previous);
    let root = Root { directory_keys: vec!["directory key", "directory key 2"], ..Root::first() };
    root.signed_by(&["root key"]) + &directory_line(&directory.to_json().unwrap(), signer)
}

/// The same under a second root document that names one directory key only.
fn rotated(number: u64) -> String {
    under_the_second_root(&revision(number, None, "directory key 2"))
}

fn under_the_second_root(first: &str) -> String {
    let (root, line) = first.split_once('\n').unwrap();
    let second = Root { version: 2, directory_keys: vec!["directory key 2"], ..Root::first() };
    format!("{root}\n{}{line}", second.signed_by(&["root key"]))
}

/// Offers in their order, and what becomes of the last.
fn sequences() -> Vec<(&'static str, Vec<String>, &'static str)> {
    let one = |number| revision(number, None, "directory key");
    let other = |number| revision(number, None, "directory key 2");
    let strange = revision(6, Some(Digest([7; 32])), "directory key");
    vec![
        ("a newer revision", vec![one(5), one(9)], "ok"),
        ("the same again", vec![one(5), one(5)], "ok"),
        ("rollback", vec![one(5), one(4)], "trust.rollback"),
        ("rollback by another key", vec![one(5), other(4)], "trust.rollback"),
        ("a fork of one revision", vec![one(5), revision(5, Some(Digest([7; 32])), "directory key")], "trust.forked"),
        ("a successor with another predecessor", vec![one(5), strange], "trust.forked"),
        ("fast-forward by one of two keys", vec![other(5), one(1 << 63), other(6)], "trust.rollback"),
        ("fast-forward by a key that the next root drops", vec![other(5), one(1 << 63), rotated(6)], "ok"),
        ("rollback behind the remaining key", vec![other(5), one(1 << 63), rotated(4)], "trust.rollback"),
        (
            "rollback behind a dropped key to what was issued before",
            vec![one(9), under_the_second_root(&issued(Timestamp(NOW.0 - 1), 6, None, "directory key 2"))],
            "trust.rollback",
        ),
        ("the same directory under the next root", vec![other(5), rotated(5)], "ok"),
        ("an older root document", vec![rotated(5), other(6)], "trust.root-rollback"),
        ("another root document of the version", vec![one(5), bundle(&first_directory())], "trust.root-forked"),
    ]
}

#[test]
fn golden_refused_directories_are_as_frozen() {
    let refused = refused().into_iter();
    let refused =
        refused.map(|(name, bundle, expected)| json!({ "name": name, "bundle": bundle, "expected": expected }));
    let sequences = sequences().into_iter();
    let sequences =
        sequences.map(|(name, offers, expected)| json!({ "name": name, "offers": offers, "last": expected }));
    frozen(
        "refused-directories",
        &json!({
            "pin": String::from_utf8(pin(&["root key"], 1).to_json().unwrap()).unwrap(),
            "root_public": public("root key"),
            "now_ms": NOW.0,
            "refused": refused.collect::<Vec<_>>(),
            "sequences": sequences.collect::<Vec<_>>(),
        }),
    );
}

#[test]
fn golden_refused_directories_are_refused_as_they_say() {
    let file = read("refused-directories");
    let pin = RootPin::from_json(file["pin"].as_str().unwrap().as_bytes()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().as_bytes().to_vec();
    let cases = file["refused"].as_array().unwrap();
    for case in cases {
        let found = outcome(VerifiedDirectory::verify(&text(&case["bundle"]), &pin, NOW));
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
    let sequences = file["sequences"].as_array().unwrap();
    for case in sequences {
        let mut trust = DirectoryTrust::new(pin.clone());
        let offers = case["offers"].as_array().unwrap();
        let outcomes = offers.iter().map(|bundle| outcome(trust.offer(&text(bundle), NOW)));
        let outcomes: Vec<_> = outcomes.collect();
        let (last, before) = outcomes.split_last().unwrap();
        assert_eq!((*last, before.iter().all(|outcome| *outcome == "ok")), (case["last"].as_str().unwrap(), true));
    }
    assert_eq!((cases.len(), sequences.len()), (45, 13));
}
