//! Project Wycheproof's cases: what implementations got wrong before. The number of cases is asserted, so that none
//! is skipped unnoticed.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use dmr_core::directory::Algorithm;
use dmr_crypto::{IdentityPublicKey, KeyError, check_sealing_key};
use hkdf::Hkdf;
use sha2::Sha256;
use wycheproof::TestResult;

#[test]
fn ed25519_signatures() {
    use wycheproof::eddsa::{TestName, TestSet};
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        let public: [u8; 32] = group.key.pk.as_ref().try_into().unwrap();
        let key = IdentityPublicKey::from_bytes(&public).unwrap();
        for case in &group.tests {
            let signature = <[u8; 64]>::try_from(case.sig.as_ref());
            let verified = signature.is_ok_and(|signature| key.verifies(&case.msg, &signature));
            match case.result {
                TestResult::Valid => {
                    assert!(verified, "case {}: {}", case.tc_id, case.comment);
                    valid += 1;
                }
                TestResult::Invalid => {
                    assert!(!verified, "case {}: {}", case.tc_id, case.comment);
                    invalid += 1;
                }
                TestResult::Acceptable => panic!("case {}: Ed25519 leaves nothing open", case.tc_id),
            }
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}

#[test]
fn x25519_agreements_and_the_public_keys_that_may_not_enter() {
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    let set = TestSet::load(TestName::X25519).unwrap();
    let (mut agreed, mut low_order, mut non_canonical) = (0, 0, 0);
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let public: [u8; 32] = case.public_key.as_ref().try_into().unwrap();
        let private: [u8; 32] = case.private_key.as_ref().try_into().unwrap();
        let shared = x25519_dalek::x25519(private, public);
        assert_eq!(shared.as_slice(), case.shared_secret.as_ref(), "case {}", case.tc_id);
        agreed += 1;
        let entered = check_sealing_key(Algorithm::X25519, &public);
        if shared == [0; 32] {
            assert!(entered.is_err(), "case {}: a low-order point entered", case.tc_id);
            low_order += 1;
        } else if case.flags.contains(&TestFlag::NonCanonicalPublic) {
            assert_eq!(entered, Err(KeyError::NotCanonical), "case {}", case.tc_id);
            non_canonical += 1;
        } else if public[31] < 0x80 {
            assert_eq!(entered, Ok(()), "case {}: {}", case.tc_id, case.comment);
        }
    }
    assert_eq!((agreed, low_order, non_canonical), (518, 31, 13));
}

#[test]
fn chacha20_poly1305() {
    use wycheproof::aead::{TestName, TestSet};
    let set = TestSet::load(TestName::ChaCha20Poly1305).unwrap();
    let (mut valid, mut invalid, mut other_sizes) = (0, 0, 0);
    for group in &set.test_groups {
        for case in &group.tests {
            let Ok(nonce) = <[u8; 12]>::try_from(case.nonce.as_ref()) else {
                assert!(case.result.must_fail());
                other_sizes += 1;
                continue;
            };
            let cipher = ChaCha20Poly1305::new_from_slice(&case.key).unwrap();
            let sealed = [case.ct.as_ref(), case.tag.as_ref()].concat();
            let opened = cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad: &case.aad });
            if case.result.must_fail() {
                assert!(opened.is_err(), "case {}: {}", case.tc_id, case.comment);
                invalid += 1;
            } else {
                assert_eq!(opened.unwrap(), case.pt.as_ref(), "case {}", case.tc_id);
                let again = cipher.encrypt(&nonce.into(), Payload { msg: &case.pt, aad: &case.aad }).unwrap();
                assert_eq!(again, sealed, "case {}", case.tc_id);
                valid += 1;
            }
        }
    }
    assert_eq!((valid, invalid, other_sizes), (256, 60, 9));
}

#[test]
fn hkdf_sha256() {
    use wycheproof::hkdf::{TestName, TestSet};
    let set = TestSet::load(TestName::HkdfSha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut out = vec![0; case.size];
        let expanded = Hkdf::<Sha256>::new(Some(&case.salt), &case.ikm).expand(&case.info, &mut out);
        if case.result.must_fail() {
            assert!(expanded.is_err(), "case {}: {}", case.tc_id, case.comment);
            invalid += 1;
        } else {
            assert_eq!((expanded.is_ok(), out.as_slice()), (true, case.okm.as_ref()), "case {}", case.tc_id);
            valid += 1;
        }
    }
    assert_eq!((valid, invalid), (83, 3));
}
