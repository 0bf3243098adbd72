//! Published test vectors: RFC 9180, X-Wing in HPKE, RFC 8032. Each file names its source.

use dmr_core::directory::Algorithm;
use dmr_crypto::{IdentityPublicKey, IdentitySecret, check_sealing_key};
use ed25519_dalek::{Signer, SigningKey};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256, XWing};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender_with_rng};
use serde_json::Value;

use crate::hex::{field, unhex};
use crate::reference::Given;

fn vectors(json: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(json).unwrap();
    assert!(file["source"].as_str().is_some_and(|source| !source.is_empty()));
    file["vectors"].as_array().unwrap().clone()
}

/// Runs one HPKE vector in both directions; returns how many encryptions and exports it compared.
fn run_hpke<K: Kem>(vector: &Value, algorithm: Algorithm) -> usize {
    let (secret, public) = K::derive_keypair(&field(vector, "ikmR"));
    // RFC 9180 lists X25519 secrets before they are clamped.
    let listed = K::PrivateKey::from_bytes(&field(vector, "skRm")).unwrap();
    assert_eq!(secret.to_bytes(), listed.to_bytes());
    assert_eq!(public.to_bytes().as_slice(), field(vector, "pkRm"));
    assert_eq!(check_sealing_key(algorithm, &field(vector, "pkRm")), Ok(()));
    let info = field(vector, "info");

    let mut randomness = Given(field(vector, "ikmE"));
    let (enc, mut sender) =
        setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, K>(&OpModeS::Base, &public, &info, &mut randomness)
            .unwrap();
    assert_eq!(enc.to_bytes().as_slice(), field(vector, "enc"));
    let enc = K::EncappedKey::from_bytes(&field(vector, "enc")).unwrap();
    let mut receiver = setup_receiver::<ChaCha20Poly1305, HkdfSha256, K>(&OpModeR::Base, &secret, &enc, &info).unwrap();

    let mut compared = 0;
    for encryption in vector["encryptions"].as_array().unwrap() {
        let (aad, pt, ct) = (field(encryption, "aad"), field(encryption, "pt"), field(encryption, "ct"));
        assert_eq!(sender.seal(&pt, &aad).unwrap(), ct);
        assert_eq!(receiver.open(&ct, &aad).unwrap(), pt);
        compared += 1;
    }
    for export in vector["exports"].as_array().unwrap() {
        let expected = field(export, "exported_value");
        let mut exported = vec![0; expected.len()];
        receiver.export(&field(export, "exporter_context"), &mut exported).unwrap();
        assert_eq!(exported, expected);
        compared += 1;
    }
    compared
}

#[test]
fn hpke_with_x25519_is_that_of_rfc_9180() {
    let vectors = vectors(include_str!("../../../tests/vectors/published/rfc9180-x25519.json"));
    let compared: usize = vectors.iter().map(|vector| run_hpke::<X25519HkdfSha256>(vector, Algorithm::X25519)).sum();
    assert_eq!((vectors.len(), compared), (1, 11));
}

#[test]
fn hpke_with_x_wing_is_that_of_its_draft() {
    let vectors = vectors(include_str!("../../../tests/vectors/published/hpke-x-wing.json"));
    let compared: usize = vectors.iter().map(|vector| run_hpke::<XWing>(vector, Algorithm::XWing)).sum();
    assert_eq!((vectors.len(), compared), (1, 13));
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    let vectors = vectors(include_str!("../../../tests/vectors/published/rfc8032-ed25519.json"));
    assert_eq!(vectors.len(), 5);
    for vector in &vectors {
        let array = |name: &str| <[u8; 32]>::try_from(field(vector, name)).unwrap();
        let (message, signature) = (field(vector, "message"), field(vector, "signature"));
        let secret = IdentitySecret::from_seed(&array("secret"));
        assert_eq!(secret.public(), array("public"));
        assert_eq!(SigningKey::from_bytes(&array("secret")).sign(&message).to_bytes().to_vec(), signature);
        let public = IdentityPublicKey::from_bytes(&array("public")).unwrap();
        assert_eq!(public.id(), secret.id());
        let signature = <[u8; 64]>::try_from(signature).unwrap();
        assert!(public.verifies(&message, &signature));
        assert!(!public.verifies(&[&message[..], b"x"].concat(), &signature));
    }
    assert_eq!(unhex("00ff"), [0, 0xff]);
}
