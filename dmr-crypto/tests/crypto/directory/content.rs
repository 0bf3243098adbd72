//! One thing wrong in a signed directory refuses the whole.

use std::time::Duration;

use dmr_core::directory::{Algorithm, Directory, DirectoryError, IdentityKey, KeyUse, SealingKey, Server, Validity};
use dmr_crypto::{DirectoryRefused, KeyError, key_id};

use super::{peopled, refusal, verify};
use crate::documents::{bundle_of, kid, secret};
use crate::world::{NOW, VALIDITY, id, name};

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
    // A key of the root whose bytes pass for an X25519 key as well.
    let fitting = ["root key", "directory key"].map(|label| secret(label).verifying_key().to_bytes());
    let root = *fitting.iter().find(|public| public[31] < 0x80).unwrap();
    let sealing = with_json(|directory| directory.participants[0].sealing_keys[0].public = root.to_vec());
    assert_eq!(sealing, DirectoryRefused::RepeatedKey(key_id(Algorithm::X25519, &root)));
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
