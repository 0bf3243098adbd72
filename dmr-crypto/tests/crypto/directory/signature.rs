//! Bundles and signed lines: anything but the exact form under the right key is refused.

use dmr_core::directory::DirectoryError;
use dmr_crypto::{DirectoryRefused, JwsError, RootError, VerifiedDirectory};

use super::{first_json, refusal, root_line, verify};
use crate::documents::{Root, base64, bundle, bundle_of, directory_line, first_directory, jws, kid, pin, protected};
use crate::world::{NOW, name};

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
fn another_network_is_refused_in_the_root_and_in_the_directory() {
    let mut directory = first_directory();
    directory.network = name("elsewhere");
    let wrong = DirectoryRefused::WrongNetwork { expected: name("test"), found: name("elsewhere") };
    assert_eq!(refusal(&bundle(&directory)), wrong);
    let root = Root { network: "elsewhere", ..Root::first() };
    let bundle = root.signed_by(&["root key"]) + &directory_line(first_json().as_bytes(), "directory key");
    assert_eq!(refusal(&bundle), RootError::WrongNetwork.into());
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
