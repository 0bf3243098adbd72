//! What a signed directory withstands. Each property is a test of its own.

use std::time::Duration;

use dmr_core::directory::{
    Algorithm, Card, Directory, DirectoryError, IdentityKey, KeyUse, SealingKey, Server, Status, Validity,
};
use dmr_core::header::Suite;
use dmr_core::id::Digest;
use dmr_core::time::Timestamp;
use dmr_crypto::authority::{self, AuthorityError};
use dmr_crypto::{
    DirectoryRefused, DirectoryTrust, Freshness, JwsError, KeyError, Offer, RootError, RootPin, SealError, TrustError,
    VerifiedDirectory, seal,
};

use crate::documents::{
    Root, base64, bundle, bundle_of, directory_line, first_directory, jws, kid, pin, protected, public, secret,
};
use crate::world::{NOW, VALID_FOR, VALIDITY, World, authority_key, content, id, keyring, message_id, name, sealed};

fn verify(bundle: &str) -> Result<VerifiedDirectory, DirectoryRefused> {
    VerifiedDirectory::verify(bundle.as_bytes(), &pin(&["root key"], 1), NOW)
}

fn refusal(bundle: &str) -> DirectoryRefused {
    verify(bundle).unwrap_err()
}

fn first_json() -> String {
    String::from_utf8(first_directory().to_json().unwrap()).unwrap()
}

/// The first directory with a participant and a server, changed by `change`, as JSON that is not checked.
fn peopled() -> Directory {
    World::of(&["tax", "police"], Suite::XWing).directory.directory().clone()
}

fn root_line() -> String {
    Root::first().signed_by(&["root key"])
}

#[test]
fn a_founded_network_verifies_and_grows_by_revisions() {
    let founding = authority::found(name("test"), NOW, VALID_FOR).unwrap();
    let first = &founding.directory;
    assert_eq!((first.revision(), first.root_version(), first.signed_by()), (1, 1, founding.directory_key.id()));
    let card = keyring("tax", Suite::XWing).card();
    let (pin, key) = (&founding.pin, &founding.directory_key);
    let second = authority::add(first, pin, key, std::slice::from_ref(&card), NOW, VALID_FOR).unwrap();
    assert_eq!((second.revision(), second.directory().previous), (2, Some(first.digest())));
    assert_eq!(Card::Participant(second.participant(id("tax")).unwrap().clone()), card);
    assert_eq!(second.participant_by_name(&name("tax")).unwrap().id, id("tax"));
    let third = authority::remove(&second, pin, key, &name("tax"), NOW, VALID_FOR).unwrap();
    assert_eq!(third.participant(id("tax")).unwrap().status, Status::Removed);
    let fourth = authority::add(&third, pin, key, &[card], NOW, VALID_FOR).unwrap();
    assert_eq!(fourth.participant(id("tax")).unwrap().status, Status::Active);
    let later = NOW.plus(Duration::from_hours(24));
    let fifth = authority::renew(&fourth, pin, key, later, VALID_FOR).unwrap();
    assert_eq!((fifth.revision(), fifth.expires()), (5, later.plus(VALID_FOR)));
    let again = VerifiedDirectory::verify(fifth.bundle(), pin, later).unwrap();
    assert_eq!((again.digest(), again.directory()), (fifth.digest(), fifth.directory()));
    assert_eq!(RootPin::from_json(&pin.to_json().unwrap()), Ok(pin.clone()));
}

#[test]
fn the_keeper_refuses_what_would_not_verify() {
    let world = World::of(&["tax"], Suite::X25519);
    let add = |card: Card| authority::add(&world.directory, &world.pin, &world.key, &[card], NOW, VALID_FOR);
    let Card::Participant(tax) = keyring("tax", Suite::X25519).card() else { panic!("not a participant") };
    let Card::Participant(police) = keyring("police", Suite::X25519).card() else { panic!("not a participant") };

    let mut renamed = tax.clone();
    renamed.name = name("customs");
    let taken = AuthorityError::NameTaken { name: name("customs") };
    assert_eq!(add(Card::Participant(renamed)).unwrap_err(), taken);
    let mut impostor = police.clone();
    impostor.name = name("tax");
    let taken = AuthorityError::NameTaken { name: name("tax") };
    assert_eq!(add(Card::Participant(impostor)).unwrap_err(), taken);

    let mut stolen = police.clone();
    stolen.identity_keys.clone_from(&tax.identity_keys);
    let repeated = DirectoryError::RepeatedPublicKey(name("police"));
    assert_eq!(add(Card::Participant(stolen)).unwrap_err(), AuthorityError::Directory(repeated));

    let mut resigned = police.clone();
    resigned.sealing_keys[0].signature = tax.sealing_keys[0].signature;
    let error = add(Card::Participant(resigned)).unwrap_err();
    assert!(matches!(error, AuthorityError::Refused(DirectoryRefused::SealingKeyNotSigned { .. })), "{error:?}");

    let unknown = AuthorityError::UnknownName { name: name("nobody") };
    let removed = authority::remove(&world.directory, &world.pin, &world.key, &name("nobody"), NOW, VALID_FOR);
    assert_eq!(removed.unwrap_err(), unknown);
    let by_root = authority::renew(&world.directory, &world.pin, &authority_key("root"), NOW, VALID_FOR);
    assert_eq!(by_root.unwrap_err(), AuthorityError::WrongRole);
    let stranger = authority::found(name("test"), NOW, VALID_FOR).unwrap().directory_key;
    let error = authority::renew(&world.directory, &world.pin, &stranger, NOW, VALID_FOR).unwrap_err();
    assert_eq!(error, AuthorityError::Refused(DirectoryRefused::UnknownKey(stranger.id())));
    let foreign = authority::found(name("elsewhere"), NOW, VALID_FOR).unwrap().directory_key;
    let error = authority::renew(&world.directory, &world.pin, &foreign, NOW, VALID_FOR).unwrap_err();
    assert_eq!(error, AuthorityError::WrongNetwork { expected: name("test"), found: name("elsewhere") });
}

#[test]
fn every_flipped_bit_of_a_bundle_is_refused() {
    let good = bundle(&first_directory());
    assert!(verify(&good).is_ok());
    let mut bytes = good.into_bytes();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(VerifiedDirectory::verify(&bytes, &pin(&["root key"], 1), NOW).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_truncation_and_trailing_bytes_are_refused() {
    let good = bundle(&first_directory());
    for len in 0..good.len() {
        assert!(verify(&good[..len]).is_err(), "{len}");
    }
    for tail in ["\n", " ", "x", "\nx\n", "\0", "\r\n"] {
        assert!(verify(&format!("{good}{tail}")).is_err(), "{tail:?}");
    }
    let last = good.lines().last().unwrap();
    assert!(verify(&format!("{good}{last}\n")).is_err(), "a directory where a root document belongs");
}

#[test]
fn any_other_protected_header_is_refused() {
    let json = first_json();
    let (typ, kid) = ("dmr-directory+jws", kid("directory key"));
    let with = |header: &str| refusal(&(root_line() + &jws(header, json.as_bytes(), "directory key") + "\n"));
    let header = |alg: &str, typ: &str| format!(r#"{{"alg":"{alg}","typ":"{typ}","kid":"{kid}"}}"#);
    assert!(verify(&(root_line() + &jws(&header("EdDSA", typ), json.as_bytes(), "directory key") + "\n")).is_ok());
    for alg in ["none", "HS256", "Ed25519", "eddsa", ""] {
        assert_eq!(with(&header(alg, typ)), DirectoryRefused::Jws(JwsError::Algorithm), "{alg}");
    }
    for other in ["dmr-root+jws", "JWT", "application/dmr-directory+jws", ""] {
        let expected = JwsError::Type { expected: typ };
        assert_eq!(with(&header("EdDSA", other)), DirectoryRefused::Jws(expected), "{other}");
    }
    for extra in [
        format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{kid}","crit":["b64"],"b64":false}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{kid}","jwk":{{}}}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{kid}","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","alg":"none","typ":"{typ}","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"{typ}"}}"#),
        format!(r#"["EdDSA","{typ}","{kid}"]"#),
        format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"{kid}"}} "x""#),
        format!(r#"{{"alg":"EdDSA","typ":"{typ}","kid":"nonsense"}}"#),
    ] {
        assert!(matches!(with(&extra), DirectoryRefused::Jws(JwsError::Header(_))), "{extra}");
    }
}

#[test]
fn a_key_that_the_root_does_not_name_signs_nothing() {
    let bundle = root_line() + &directory_line(first_json().as_bytes(), "another key");
    assert_eq!(refusal(&bundle), DirectoryRefused::UnknownKey(kid("another key")));
    let root_signed = root_line() + &directory_line(first_json().as_bytes(), "root key");
    assert_eq!(refusal(&root_signed), DirectoryRefused::UnknownKey(kid("root key")));
}

#[test]
fn the_key_id_in_the_token_is_no_proof() {
    let header = protected("dmr-directory+jws", "directory key");
    let bundle = root_line() + &jws(&header, first_json().as_bytes(), "another key") + "\n";
    assert_eq!(refusal(&bundle), DirectoryRefused::BadSignature);
}

#[test]
fn a_payload_exchanged_under_its_signature_is_refused() {
    let good = bundle(&first_directory());
    let line = good.lines().last().unwrap();
    let parts: Vec<&str> = line.split('.').collect();
    let other = base64(first_json().replace("\"revision\":1", "\"revision\":9").as_bytes());
    let tampered = format!("{}{}.{other}.{}\n", root_line(), parts[0], parts[2]);
    assert_eq!(refusal(&tampered), DirectoryRefused::BadSignature);
}

#[test]
fn a_signature_is_checked_before_the_payload_is_read() {
    let unsigned = root_line() + &jws(&protected("dmr-directory+jws", "directory key"), b"{", "another key") + "\n";
    assert_eq!(refusal(&unsigned), DirectoryRefused::BadSignature);
    assert!(matches!(refusal(&bundle_of(b"{")), DirectoryRefused::Directory(DirectoryError::Json(_))));
}

#[test]
fn a_wrong_root_is_refused() {
    let good = bundle(&first_directory());
    let other = VerifiedDirectory::verify(good.as_bytes(), &pin(&["another root"], 1), NOW).unwrap_err();
    assert_eq!(other, DirectoryRefused::Root(RootError::NotSigned { version: 1, found: 0, required: 1 }));
    let own_pin = authority::found(name("test"), NOW, VALID_FOR).unwrap().pin;
    assert!(VerifiedDirectory::verify(good.as_bytes(), &own_pin, NOW).is_err());
    assert_eq!(refusal(&directory_line(first_json().as_bytes(), "directory key")), RootError::Missing.into());
}

#[test]
fn another_network_is_refused_in_the_root_and_in_the_directory() {
    let mut directory = first_directory();
    directory.network = name("elsewhere");
    let wrong = DirectoryRefused::WrongNetwork { expected: name("test"), found: name("elsewhere") };
    assert_eq!(refusal(&bundle(&directory)), wrong);
    let root = Root { network: "elsewhere", ..Root::first() };
    let bundle = root.signed_by(&["root key"]) + &directory_line(first_json().as_bytes(), "directory key");
    assert_eq!(refusal(&bundle), RootError::WrongNetwork.into());
}

/// A second version that hands the root and the directory to new keys.
fn second_root() -> Root {
    Root {
        version: 2,
        directory_keys: vec!["directory key 2"],
        root_keys: vec!["root key 2", "root key 3"],
        threshold: 2,
        ..Root::first()
    }
}

#[test]
fn a_root_hands_over_to_its_successor_by_the_signatures_of_both() {
    let directory = directory_line(first_json().as_bytes(), "directory key 2");
    let with = |signers: &[&str]| root_line() + &second_root().signed_by(signers) + &directory;
    assert_eq!(verify(&with(&["root key", "root key 2", "root key 3"])).unwrap().root_version(), 2);
    let not_signed = |found, required| DirectoryRefused::Root(RootError::NotSigned { version: 2, found, required });
    assert_eq!(refusal(&with(&["root key 2", "root key 3"])), not_signed(0, 1));
    assert_eq!(refusal(&with(&["root key", "root key 2"])), not_signed(1, 2));
    assert_eq!(refusal(&with(&["root key"])), not_signed(0, 2));
    let stranger = refusal(&with(&["root key", "root key 2", "root key 3", "another key"]));
    assert_eq!(stranger, RootError::BadSignature { version: 2 }.into());
    let old_key = root_line()
        + &second_root().signed_by(&["root key", "root key 2", "root key 3"])
        + &directory_line(first_json().as_bytes(), "directory key");
    assert_eq!(refusal(&old_key), DirectoryRefused::UnknownKey(kid("directory key")));
}

#[test]
fn one_key_counts_once_towards_the_threshold() {
    let directory = directory_line(first_json().as_bytes(), "directory key 2");
    let twice = root_line() + &second_root().signed_by(&["root key", "root key 2", "root key 2"]) + &directory;
    assert_eq!(refusal(&twice), RootError::RepeatedSignature { version: 2 }.into());
    let pinned = format!(r#"{{"network":"test","threshold":2,"keys":["{0}","{0}"]}}"#, public("root key"));
    assert_eq!(RootPin::from_json(pinned.as_bytes()), Err(RootError::RepeatedKey));
    let root = Root { root_keys: vec!["root key", "root key"], threshold: 2, ..Root::first() };
    let bundle = root.signed_by(&["root key"]) + &directory_line(first_json().as_bytes(), "directory key");
    assert_eq!(refusal(&bundle), RootError::RepeatedKey.into());
}

#[test]
fn the_pins_threshold_must_be_met() {
    let pin = pin(&["root key", "root key 2", "root key 3"], 2);
    let root = Root { root_keys: vec!["root key", "root key 2", "root key 3"], threshold: 2, ..Root::first() };
    let directory = directory_line(first_json().as_bytes(), "directory key");
    let with = |signers: &[&str]| {
        VerifiedDirectory::verify((root.signed_by(signers) + &directory).as_bytes(), &pin, NOW).map(|_| ())
    };
    assert_eq!(with(&["root key", "root key 3"]), Ok(()));
    assert_eq!(with(&["root key 3"]), Err(RootError::NotSigned { version: 1, found: 1, required: 2 }.into()));
}

#[test]
fn a_skipped_repeated_or_reordered_root_version_is_refused() {
    let directory = directory_line(first_json().as_bytes(), "directory key");
    let version = |version| Root { version, expires: Root::END + version, ..Root::first() }.signed_by(&["root key"]);
    let wrong = |expected, found| DirectoryRefused::Root(RootError::Version { expected, found });
    assert!(verify(&(version(1) + &version(2) + &version(3) + &directory)).is_ok());
    assert_eq!(refusal(&(version(1) + &version(3) + &directory)), wrong(2, 3));
    assert_eq!(refusal(&(version(2) + &directory)), wrong(1, 2));
    assert_eq!(refusal(&(version(0) + &directory)), wrong(1, 0));
    assert_eq!(refusal(&(version(1) + &version(2) + &version(1) + &directory)), wrong(3, 1));
}

#[test]
fn a_root_document_that_is_not_sound_is_refused() {
    let directory = directory_line(first_json().as_bytes(), "directory key");
    let with = |root: Root| refusal(&(root.signed_by(&["root key"]) + &directory));
    let first = Root::first;
    assert_eq!(with(Root { threshold: 0, ..first() }), RootError::Threshold { keys: 1, threshold: 0 }.into());
    assert_eq!(with(Root { threshold: 2, ..first() }), RootError::Threshold { keys: 1, threshold: 2 }.into());
    assert_eq!(with(Root { root_keys: vec![], ..first() }), RootError::Threshold { keys: 0, threshold: 1 }.into());
    assert_eq!(with(Root { directory_keys: vec!["root key"], ..first() }), RootError::RepeatedKey.into());
    assert_eq!(with(Root { validity: (2, 1), ..first() }), RootError::EmptyValidity.into());
    let none = with(Root { directory_keys: vec![], ..first() });
    assert_eq!(none, RootError::Threshold { keys: 0, threshold: 1 }.into());
    let raw = |payload: &str| {
        let line = jws(&protected("dmr-root+jws", "root key"), payload.as_bytes(), "root key") + "\n";
        refusal(&(line + &directory))
    };
    let payload = first().payload();
    for bad in [
        payload.replace("\"version\":1", "\"version\":1,\"version\":1"),
        payload.replace("\"version\":1", "\"version\":1,\"more\":1"),
        payload.replace("\"version\":1,", ""),
        format!("{payload} {payload}"),
    ] {
        assert!(matches!(raw(&bad), DirectoryRefused::Root(RootError::Json(_))), "{bad}");
    }
    let weak = payload.replace(&public("directory key"), &base64(&[0; 32]));
    assert_eq!(raw(&weak), RootError::Key(KeyError::SmallOrder).into());
}

#[test]
fn duplicate_and_unknown_members_refuse_the_whole_directory() {
    let good = String::from_utf8(peopled().to_json().unwrap()).unwrap();
    assert!(verify(&bundle_of(good.as_bytes())).is_ok());
    for (from, to) in [
        ("\"revision\":2", "\"revision\":2,\"revision\":2"),
        ("\"revision\":2", "\"revision\":2,\"more\":1"),
        ("\"revision\":2,", ""),
        ("\"revision\":2", "\"revision\":-2"),
        ("\"revision\":2", "\"revision\":2.0"),
        ("\"revision\":2", "\"revision\":18446744073709551616"),
        ("\"name\":\"tax\"", "\"name\":\"tax\",\"name\":\"tax\""),
        ("\"name\":\"tax\"", "\"name\":\"tax\",\"nick\":\"tax\""),
        ("\"name\":\"tax\"", "\"name\":\"Tax\""),
        ("\"use\":[\"sign\",\"login\"]", "\"use\":[\"sign\",\"sign\"]"),
        ("\"use\":[\"sign\",\"login\"]", "\"use\":[]"),
        ("\"use\":[\"sign\",\"login\"]", "\"use\":[\"sign\",\"seal\"]"),
        ("\"status\":\"active\"", "\"status\":\"retired\""),
        ("\"algorithm\":\"x25519\"", "\"algorithm\":\"rsa\""),
        ("\"suiteFloor\":1", "\"suiteFloor\":3"),
        ("\"policy\":[]", "\"policy\":{}"),
        ("\"network\":\"test\"", "\"network\":null"),
    ] {
        assert!(good.contains(from), "{from}");
        let bad = good.replacen(from, to, 1);
        let error = refusal(&bundle_of(bad.as_bytes()));
        assert!(matches!(error, DirectoryRefused::Directory(DirectoryError::Json(_))), "{to}: {error:?}");
    }
    let spaced = good.replacen("\"revision\":2", " \"revision\" : 2 ", 1);
    assert!(verify(&bundle_of(spaced.as_bytes())).is_ok(), "white space is the keeper's own business");
    assert!(verify(&bundle_of(format!("{good} x").as_bytes())).is_err());
}

/// Signs `directory` changed by `change` without the checks that the writer makes.
fn with_json(change: impl FnOnce(&mut Directory)) -> DirectoryRefused {
    let mut directory = peopled();
    change(&mut directory);
    refusal(&bundle_of(&dmr_core::json::write(&directory).unwrap()))
}

fn bad(error: DirectoryError) -> DirectoryRefused {
    DirectoryRefused::Directory(error)
}

#[test]
fn repeated_ids_names_and_keys_refuse_the_whole_directory() {
    let repeated = with_json(|directory| directory.participants[1].id = id("tax"));
    assert_eq!(repeated, bad(DirectoryError::RepeatedParticipant(id("tax"))));
    let repeated = with_json(|directory| directory.participants[1].name = name("tax"));
    assert_eq!(repeated, bad(DirectoryError::RepeatedName(name("tax"))));
    let repeated = with_json(|directory| {
        let key = directory.participants[0].identity_keys[0].clone();
        directory.participants[1].identity_keys.push(key);
    });
    assert_eq!(repeated, bad(DirectoryError::RepeatedPublicKey(name("police"))));
    let repeated = with_json(|directory| {
        let key = directory.participants[0].sealing_keys[0].clone();
        directory.participants[1].sealing_keys.push(key);
    });
    assert_eq!(repeated, bad(DirectoryError::RepeatedPublicKey(name("police"))));
    let server = |directory: &mut Directory| {
        let identity_keys = directory.participants[0].identity_keys.clone();
        directory.servers.push(Server { name: name("relay"), identity_keys });
    };
    assert_eq!(with_json(server), bad(DirectoryError::RepeatedPublicKey(name("relay"))));
    let servers = with_json(|directory| {
        let server = Server { name: name("relay"), identity_keys: vec![] };
        directory.servers = vec![server.clone(), server];
    });
    assert_eq!(servers, bad(DirectoryError::RepeatedName(name("relay"))));
    let authority = with_json(|directory| {
        directory.participants[0].identity_keys.push(IdentityKey {
            public: *secret("directory key").verifying_key().as_bytes(),
            usage: KeyUse { sign: true, login: false },
            validity: VALIDITY,
        });
    });
    assert_eq!(authority, DirectoryRefused::RepeatedKey(kid("directory key")));
    let key = kid("x");
    let revoked = with_json(|directory| {
        directory.revoked = vec![dmr_core::directory::RevokedKey { key, since: NOW }; 2];
    });
    assert_eq!(revoked, bad(DirectoryError::RepeatedRevocation(key)));
}

#[test]
fn keys_that_may_not_be_used_refuse_the_whole_directory() {
    let with_identity =
        |public: [u8; 32]| with_json(|directory| directory.participants[0].identity_keys[0].public = public);
    let key = |error| DirectoryRefused::Key { name: name("tax"), error };
    let mut one = [0; 32];
    one[0] = 1;
    assert_eq!(with_identity(one), key(KeyError::SmallOrder));
    assert_eq!(with_identity([0xff; 32]), key(KeyError::NotCanonical));
    let mut two = [0; 32];
    two[0] = 2;
    assert_eq!(with_identity(two), key(KeyError::NotOnCurve));

    let with_sealing =
        |public: Vec<u8>| with_json(|directory| directory.participants[0].sealing_keys[0].public = public);
    for small in [[0; 32], one] {
        assert_eq!(with_sealing(small.to_vec()), key(KeyError::SmallOrder));
    }
    assert_eq!(with_sealing(vec![0xff; 32]), key(KeyError::NotCanonical));
    let length = DirectoryError::WrongLength { name: name("tax"), len: 31, expected: 32 };
    assert_eq!(with_sealing(vec![9; 31]), bad(length));
    let x_wing = with_json(|directory| directory.participants[0].sealing_keys[1].public[..3].fill(0xff));
    assert_eq!(x_wing, key(KeyError::NotCanonical));
    let x_wing = with_json(|directory| directory.participants[0].sealing_keys[1].public[1184..].fill(0));
    assert_eq!(x_wing, key(KeyError::SmallOrder));
    let algorithm = with_json(|directory| directory.participants[0].sealing_keys[0].algorithm = Algorithm::Ed25519);
    assert_eq!(algorithm, bad(DirectoryError::NotSealing(name("tax"))));
    let validity = with_json(|directory| {
        directory.participants[0].identity_keys[0].validity = Validity { not_before: NOW, not_after: NOW };
    });
    assert_eq!(validity, bad(DirectoryError::EmptyValidity(name("tax"))));
}

#[test]
fn a_sealing_key_must_be_signed_by_its_owner_as_it_stands() {
    let not_signed = |error: DirectoryRefused| {
        assert!(matches!(error, DirectoryRefused::SealingKeyNotSigned { .. }), "{error:?}");
    };
    let change = |change: fn(&mut SealingKey)| {
        not_signed(with_json(|directory| change(&mut directory.participants[0].sealing_keys[0])));
    };
    change(|key| key.signature[0] ^= 1);
    change(|key| key.validity.not_after = key.validity.not_after.plus(Duration::from_millis(1)));
    change(|key| key.validity.not_before = key.validity.not_before.minus(Duration::from_millis(1)));
    change(|key| key.public[0] ^= 2);
    not_signed(with_json(|directory| {
        let key = directory.participants[0].sealing_keys.remove(0);
        directory.participants[1].sealing_keys.push(key);
    }));
    not_signed(with_json(|directory| {
        directory.participants[0].identity_keys[0].usage = KeyUse { sign: false, login: true };
    }));
}

#[test]
fn numbers_out_of_their_bounds_refuse_the_whole_directory() {
    assert_eq!(with_json(|directory| directory.revision = 0), bad(DirectoryError::NoRevision));
    assert_eq!(with_json(|directory| directory.expires = directory.issued), bad(DirectoryError::NoLifetime));
    assert_eq!(with_json(|directory| directory.max_ttl = Duration::ZERO), bad(DirectoryError::BadMaxTtl));
    assert_eq!(with_json(|directory| directory.max_ttl = Duration::from_hours(9999)), bad(DirectoryError::BadMaxTtl));
    let keys = with_json(|directory| {
        let key = directory.participants[0].identity_keys[0].clone();
        directory.participants[0].identity_keys = vec![key; 17];
    });
    let too_many = DirectoryError::TooMany { what: "identity keys of one entry", count: 17, limit: 16 };
    assert_eq!(keys, bad(too_many));
    let policy = with_json(|directory| {
        directory.policy = vec![dmr_core::directory::Permission { from: vec![], to: vec![name("nobody")] }];
    });
    assert_eq!(policy, bad(DirectoryError::UnknownInPolicy(name("nobody"))));
}

#[test]
fn a_huge_document_is_refused_before_it_is_looked_at() {
    let limit = dmr_core::limit::DIRECTORY;
    let huge = vec![b'\n'; limit + 1];
    let error = VerifiedDirectory::verify(&huge, &pin(&["root key"], 1), NOW).unwrap_err();
    assert_eq!(error, DirectoryRefused::TooLong { len: limit + 1, limit });
    let error = VerifiedDirectory::verify(&huge[..limit], &pin(&["root key"], 1), NOW).unwrap_err();
    assert_eq!(error, DirectoryRefused::Root(RootError::TooMany));
    assert!(VerifiedDirectory::verify(&vec![b'.'; limit], &pin(&["root key"], 1), NOW).is_err());
}

#[test]
fn a_directory_lies_within_the_validity_of_its_key_and_not_in_the_future() {
    let at = |issued: u64, expires: u64| {
        let mut directory = first_directory();
        (directory.issued, directory.expires) = (Timestamp(issued), Timestamp(expires));
        verify(&bundle(&directory)).map(|_| ())
    };
    let begin = Root::first().validity.0;
    assert_eq!(at(begin, Root::END), Ok(()));
    assert_eq!(at(begin - 1, NOW.0), Err(DirectoryRefused::OutsideValidity));
    assert_eq!(at(NOW.0, Root::END + 1), Err(DirectoryRefused::OutsideValidity));
    assert_eq!(at(NOW.0 + 120_000, Root::END), Ok(()));
    let issued = Timestamp(NOW.0 + 120_001);
    assert_eq!(at(issued.0, Root::END), Err(DirectoryRefused::NotYetIssued { issued }));
}

#[test]
fn freshness_goes_from_half_life_over_grace_to_expiry_and_ends_with_the_root() {
    let directory = verify(&bundle(&first_directory())).unwrap();
    let (half, day, ms) = (VALID_FOR / 2, Duration::from_hours(24), Duration::from_millis(1));
    for (age, expected) in [
        (half - ms, Freshness::Fresh),
        (half, Freshness::Ageing),
        (VALID_FOR, Freshness::Ageing),
        (VALID_FOR + ms, Freshness::Grace),
        (VALID_FOR + day, Freshness::Grace),
        (VALID_FOR + day + ms, Freshness::Expired),
    ] {
        assert_eq!(directory.freshness(NOW.plus(age)), expected, "{age:?}");
    }
    let root = Root { expires: NOW.0 + 1000, ..Root::first() };
    let bundle = root.signed_by(&["root key"]) + &directory_line(first_json().as_bytes(), "directory key");
    assert_eq!(verify(&bundle).unwrap().expires(), Timestamp(NOW.0 + 1000));
}

/// Trust that has adopted the world's directory.
fn trusting(world: &World) -> DirectoryTrust {
    let mut trust = DirectoryTrust::new(world.pin.clone());
    assert!(matches!(trust.offer(world.directory.bundle(), NOW), Ok(Offer::Adopted(_))));
    trust
}

#[test]
fn an_older_revision_is_refused_and_the_same_one_changes_nothing() {
    let mut world = World::of(&["tax"], Suite::X25519);
    let older = world.directory.clone();
    world.amend(|_| {});
    let mut trust = trusting(&world);
    let rollback = TrustError::Rollback { known: 3, found: 2 };
    assert_eq!(trust.offer(older.bundle(), NOW).unwrap_err(), rollback);
    assert!(matches!(trust.offer(world.directory.bundle(), NOW), Ok(Offer::Unchanged)));
    assert_eq!(trust.current().unwrap().revision(), 3);
    let next = world.next(|_| {});
    assert!(matches!(trust.offer(next.bundle(), NOW), Ok(Offer::Adopted(_))));
    assert_eq!(trust.offer(older.bundle(), NOW).unwrap_err(), TrustError::Rollback { known: 4, found: 2 });
}

#[test]
fn an_older_revision_is_refused_after_a_restart_too() {
    let mut world = World::of(&["tax"], Suite::X25519);
    let older = world.directory.clone();
    world.amend(|_| {});
    let mut restarted = DirectoryTrust::new(world.pin.clone());
    restarted.restore(world.directory.bundle(), NOW).unwrap();
    assert_eq!(restarted.offer(older.bundle(), NOW).unwrap_err(), TrustError::Rollback { known: 3, found: 2 });
}

#[test]
fn a_bad_offer_leaves_the_last_good_directory_in_use() {
    let world = World::of(&["tax"], Suite::X25519);
    let mut trust = trusting(&world);
    for bad in [&b""[..], b"\n", b"garbage\n", &world.directory.bundle()[1..]] {
        assert!(matches!(trust.offer(bad, NOW), Err(TrustError::Refused(_))));
    }
    let current = trust.current().unwrap();
    assert_eq!((current.digest(), current.is_forked()), (world.directory.digest(), false));
}

#[test]
fn an_expired_offer_is_refused_but_the_one_of_before_a_restart_is_taken_up() {
    let world = World::of(&["tax"], Suite::X25519);
    let late = world.directory.expires().plus(Duration::from_hours(25));
    let mut trust = DirectoryTrust::new(world.pin.clone());
    assert_eq!(trust.offer(world.directory.bundle(), late).unwrap_err(), TrustError::Expired);
    assert!(trust.current().is_none());
    assert!(matches!(trust.restore(world.directory.bundle(), late), Ok(Offer::Adopted(_))));
    assert_eq!(trust.current().unwrap().freshness(late), Freshness::Expired);
}

#[test]
fn a_fork_of_one_revision_stops_sealing_and_keeps_both_documents() {
    let world = World::of(&["tax", "police"], Suite::X25519);
    let (one, other) = (world.next(|_| {}), world.next(|directory| directory.max_ttl = Duration::from_hours(1)));
    assert_eq!((one.revision(), other.revision()), (3, 3));
    let mut trust = trusting(&world);
    trust.offer(one.bundle(), NOW).unwrap();
    assert_eq!(trust.offer(other.bundle(), NOW).unwrap_err(), TrustError::Forked { revision: 3 });
    let fork = trust.fork().unwrap();
    assert_eq!((&fork.ours, &fork.other), (one.bundle(), other.bundle()));

    let current = trust.current().unwrap().clone();
    assert!(current.is_forked() && current.digest() == one.digest());
    let tax = keyring("tax", Suite::X25519);
    let content = content("a question");
    let recipients = [id("police")];
    let request = dmr_crypto::SealRequest {
        id: message_id(1),
        kind: dmr_core::header::Kind::QUESTION,
        recipients: &recipients,
        created: NOW,
        expires: NOW.plus(Duration::from_secs(60)),
        content: &content,
    };
    assert_eq!(seal(&tax, &current, request).unwrap_err(), SealError::DirectoryForked { revision: 3 });
    let envelope = seal(&tax, &one, request).unwrap().envelope;
    let police = keyring("police", Suite::X25519);
    assert!(dmr_crypto::open(&police, &current, &envelope, NOW).is_ok(), "opening goes on");
}

#[test]
fn a_successor_of_our_side_of_a_fork_resolves_it_and_one_of_the_other_side_does_not() {
    let world = World::of(&["tax"], Suite::X25519);
    let ours = World { directory: world.next(|_| {}), ..clone(&world) };
    let other = World { directory: world.next(|directory| directory.suite_floor = Suite::XWing), ..clone(&world) };
    let mut trust = trusting(&ours);
    trust.offer(other.directory.bundle(), NOW).unwrap_err();
    assert_eq!(trust.offer(other.next(|_| {}).bundle(), NOW).unwrap_err(), TrustError::Forked { revision: 3 });
    assert!(trust.current().unwrap().is_forked());
    trust.offer(ours.next(|_| {}).bundle(), NOW).unwrap();
    assert!(trust.fork().is_none() && !trust.current().unwrap().is_forked());
}

#[test]
fn a_successor_with_another_predecessor_is_a_fork() {
    let world = World::of(&["tax"], Suite::X25519);
    let mut trust = trusting(&world);
    let strange = world.next(|directory| directory.previous = Some(Digest([7; 32])));
    assert_eq!(trust.offer(strange.bundle(), NOW).unwrap_err(), TrustError::Forked { revision: 2 });
}

#[test]
fn a_later_revision_of_unknown_descent_is_followed_but_does_not_resolve_a_fork() {
    let world = World::of(&["tax"], Suite::X25519);
    let other = world.next(|directory| directory.suite_floor = Suite::XWing);
    let ours = World { directory: world.next(|_| {}), ..clone(&world) };
    let mut trust = trusting(&ours);
    trust.offer(other.bundle(), NOW).unwrap_err();
    let later = ours.next(|directory| {
        directory.revision += 5;
        directory.previous = Some(Digest([7; 32]));
    });
    assert!(matches!(trust.offer(later.bundle(), NOW), Ok(Offer::Adopted(_))));
    assert!(trust.current().unwrap().is_forked() && trust.current().unwrap().revision() == later.revision());
}

fn clone(world: &World) -> World {
    World { pin: world.pin.clone(), key: authority_key("directory"), directory: world.directory.clone() }
}

#[test]
fn a_header_that_speaks_of_another_directory_raises_the_alarm_without_stopping_anything() {
    let world = World::of(&["tax", "police"], Suite::X25519);
    let trust = trusting(&world);
    let header = sealed(&world, &keyring("tax", Suite::X25519), &["police"], "x").envelope.header().clone();
    assert!(!trust.is_contradicted_by(&header));
    let forked = dmr_core::header::Header { directory_digest: Digest([7; 32]), ..header.clone() };
    assert!(trust.is_contradicted_by(&forked));
    let newer = dmr_core::header::Header { directory_revision: 9, ..forked };
    assert!(!trust.is_contradicted_by(&newer));
    assert!(!trust.current().unwrap().is_forked());
}

/// A directory of this revision by this key, under root version 1 or 2.
fn signed(revision: u64, signer: &str, root: u64) -> String {
    let mut directory = first_directory();
    directory.revision = revision;
    let roots = match root {
        1 => {
            Root { directory_keys: vec!["directory key", "directory key 2"], ..Root::first() }.signed_by(&["root key"])
        }
        _ => {
            let first = Root { directory_keys: vec!["directory key", "directory key 2"], ..Root::first() };
            let second = Root { version: 2, directory_keys: vec!["directory key 2"], ..Root::first() };
            first.signed_by(&["root key"]) + &second.signed_by(&["root key"])
        }
    };
    roots + &directory_line(&directory.to_json().unwrap(), signer)
}

#[test]
fn a_stolen_key_that_signed_a_huge_revision_cannot_freeze_the_network_after_it_was_dropped() {
    let mut trust = DirectoryTrust::new(pin(&["root key"], 1));
    trust.offer(signed(5, "directory key 2", 1).as_bytes(), NOW).unwrap();
    trust.offer(signed(1 << 63, "directory key", 1).as_bytes(), NOW).unwrap();
    let known = 1 << 63;
    let frozen = trust.offer(signed(6, "directory key 2", 1).as_bytes(), NOW).unwrap_err();
    assert_eq!(frozen, TrustError::Rollback { known, found: 6 });
    assert!(trust.offer(signed(6, "directory key 2", 2).as_bytes(), NOW).is_ok());
    assert_eq!(trust.current().unwrap().revision(), 6);
    let stolen = trust.offer(signed(u64::MAX, "directory key", 1).as_bytes(), NOW).unwrap_err();
    assert_eq!(stolen, TrustError::RootRollback { known: 2, found: 1 });
}

#[test]
fn the_remaining_key_cannot_roll_back_behind_its_own_revisions() {
    let mut trust = DirectoryTrust::new(pin(&["root key"], 1));
    trust.offer(signed(5, "directory key 2", 1).as_bytes(), NOW).unwrap();
    trust.offer(signed(1 << 63, "directory key", 1).as_bytes(), NOW).unwrap();
    let rollback = trust.offer(signed(4, "directory key 2", 2).as_bytes(), NOW).unwrap_err();
    assert_eq!(rollback, TrustError::Rollback { known: 5, found: 4 });
}

#[test]
fn two_root_documents_of_one_version_are_refused() {
    let mut trust = DirectoryTrust::new(pin(&["root key"], 1));
    trust.offer(bundle(&first_directory()).as_bytes(), NOW).unwrap();
    let mut second = first_directory();
    second.revision = 2;
    let other = Root { expires: Root::END + 1, ..Root::first() }.signed_by(&["root key"])
        + &directory_line(&second.to_json().unwrap(), "directory key");
    assert_eq!(trust.offer(other.as_bytes(), NOW).unwrap_err(), TrustError::RootForked { version: 1 });
}
