//! What any bytes may do, as plain functions: random tests call them here, and fuzz targets can call them as they are.
//!
//! Each takes bytes from a stranger and panics only when a promise is broken.

use std::sync::{Mutex, OnceLock};

use dmr_core::directory::Card;
use dmr_core::envelope::Envelope;
use dmr_core::header::Suite;
use dmr_crypto::authority::AuthorityKey;
use dmr_crypto::{
    DirectoryTrust, Keyring, RootPin, ServerKeys, VerifiedDirectory, open, verify_challenge, verify_envelope,
    verify_login,
};

use crate::documents::{bundle, first_directory, pin};
use crate::world::{NOW, VALIDITY, World, authority_key, key_file, keyring, sealed};

/// A network, a recipient in it and an envelope to it; made once.
pub(crate) struct Setting {
    pub(crate) world: World,
    pub(crate) police: Keyring,
    pub(crate) envelope: Envelope,
    /// A directory older than the world's.
    pub(crate) first: String,
    /// Trust that uses the world's directory.
    pub(crate) trust: Mutex<DirectoryTrust>,
}

pub(crate) fn setting() -> &'static Setting {
    static SETTING: OnceLock<Setting> = OnceLock::new();
    SETTING.get_or_init(|| {
        let world = World::of(&["tax", "police"], Suite::X25519);
        let envelope = sealed(&world, &keyring("tax", Suite::X25519), &["police"], "a question").envelope;
        let mut trust = DirectoryTrust::new(pin(&["root key"], 1));
        trust.offer(world.directory.bundle(), NOW).unwrap();
        let (first, trust) = (bundle(&first_directory()), Mutex::new(trust));
        Setting { world, police: keyring("police", Suite::X25519), envelope, first, trust }
    })
}

/// An envelope from a stranger: decoded it is itself again, and only the one that was sealed opens.
pub(crate) fn envelope_from_a_stranger(bytes: &[u8]) {
    let Ok(envelope) = Envelope::decode(bytes.to_vec().into()) else { return };
    assert_eq!(envelope.bytes(), bytes);
    let Setting { world, police, envelope: sealed, .. } = setting();
    let verified = verify_envelope(&envelope, &world.directory, NOW);
    let opened = open(police, &world.directory, &envelope, NOW);
    if envelope == *sealed {
        assert!(verified.is_ok() && opened.is_ok());
    } else {
        assert!(verified.is_err() && opened.is_err(), "a forgery was accepted");
    }
}

/// A bundle from a stranger: only what the keeper signed is adopted, and nothing else changes the directory in use.
pub(crate) fn bundle_from_a_stranger(bytes: &[u8]) {
    let Setting { world, first, trust, .. } = setting();
    let second = world.directory.bundle();
    let mut trust = trust.lock().unwrap();
    let verified = VerifiedDirectory::verify(bytes, trust.pin(), NOW);
    assert_eq!(verified.is_ok(), bytes == first.as_bytes() || bytes == second);
    let offered = trust.offer(bytes, NOW);
    assert_eq!(offered.is_ok(), bytes == second);
    assert_eq!(trust.current().unwrap().digest(), setting().world.directory.digest());
}

/// A card, a pin from a stranger: what is read is written as something that is read as the same.
pub(crate) fn card_from_a_stranger(bytes: &[u8]) {
    if let Ok(card) = Card::from_json(bytes) {
        assert_eq!(Card::from_json(&card.to_json().unwrap()), Ok(card));
    }
    if let Ok(pin) = RootPin::from_json(bytes) {
        assert_eq!(RootPin::from_json(&pin.to_json().unwrap()), Ok(pin));
    }
}

/// A key file from a stranger, of any kind.
pub(crate) fn key_file_from_a_stranger(bytes: &[u8]) {
    if let Ok(keyring) = Keyring::from_key_file(bytes) {
        let written = keyring.to_key_file().unwrap();
        assert_eq!(Keyring::from_key_file(&written).unwrap().card(), keyring.card());
    }
    if let Ok(keys) = ServerKeys::from_key_file(bytes) {
        assert_eq!(ServerKeys::from_key_file(&keys.to_key_file().unwrap()).unwrap().card(), keys.card());
    }
    if let Ok(key) = AuthorityKey::from_key_file(bytes) {
        assert_eq!(AuthorityKey::from_key_file(&key.to_key_file().unwrap()).unwrap().id(), key.id());
    }
}

/// A login and a challenge from a stranger: neither holds.
pub(crate) fn login_from_a_stranger(challenge: &[u8], fields: &[u8], proof: &[u8]) {
    let directory = &setting().world.directory;
    assert!(verify_login(challenge, fields, proof, directory, NOW).is_err());
    if let Ok(decoded) = verify_challenge(challenge, proof, directory, NOW) {
        assert_eq!(decoded.encode().unwrap(), challenge, "no server is listed, so none need sign");
    }
}

/// Something good of each kind, to be mutated.
pub(crate) fn good_inputs() -> &'static [Vec<u8>] {
    static GOOD: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    GOOD.get_or_init(make_good_inputs)
}

fn make_good_inputs() -> Vec<Vec<u8>> {
    let Setting { world, police, envelope, .. } = setting();
    vec![
        envelope.bytes().to_vec(),
        world.directory.bundle().to_vec(),
        bundle(&first_directory()).into_bytes(),
        police.card().to_json().unwrap(),
        world.pin.to_json().unwrap(),
        key_file("police", &[1, 2], VALIDITY).into_bytes(),
        authority_key("root").to_key_file().unwrap().to_vec(),
    ]
}

/// Hands the bytes to everything.
pub(crate) fn anything_from_a_stranger(bytes: &[u8]) {
    envelope_from_a_stranger(bytes);
    bundle_from_a_stranger(bytes);
    card_from_a_stranger(bytes);
    key_file_from_a_stranger(bytes);
    let (challenge, rest) = bytes.split_at(bytes.len() / 3);
    let (fields, proof) = rest.split_at(rest.len() / 2);
    login_from_a_stranger(challenge, fields, proof);
}
