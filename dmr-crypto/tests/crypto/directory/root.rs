//! The chain of root documents from the pin.

use dmr_crypto::authority;
use dmr_crypto::{DirectoryRefused, KeyError, RootError, RootPin, VerifiedDirectory};

use super::{first_json, refusal, root_line, verify};
use crate::documents::{Root, base64, bundle, directory_line, first_directory, jws, kid, pin, protected, public};
use crate::world::{NOW, VALID_FOR, name};

#[test]
fn a_wrong_root_is_refused() {
    let good = bundle(&first_directory());
    let other = VerifiedDirectory::verify(good.as_bytes(), &pin(&["another root"], 1), NOW).unwrap_err();
    assert_eq!(other, DirectoryRefused::Root(RootError::NotSigned { version: 1, found: 0, required: 1 }));
    let own_pin = authority::found(name("test"), NOW, VALID_FOR).unwrap().pin;
    assert!(VerifiedDirectory::verify(good.as_bytes(), &own_pin, NOW).is_err());
    assert_eq!(refusal(&directory_line(first_json().as_bytes(), "directory key")), RootError::Missing.into());
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
