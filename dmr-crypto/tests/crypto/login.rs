//! What a login proof and a server's signature withstand.

use dmr_core::frame::{AuthFields, Challenge, ChannelBinding, VERSION};
use dmr_core::header::Suite;
use dmr_core::id::{InstanceId, KeyId, Nonce};
use dmr_crypto::{
    ChallengeError, Keyring, LoginError, ServerKeys, prove_login, sign_challenge, verify_challenge, verify_login,
};

use crate::world::{NOW, VALIDITY, World, id, keyring, name};

fn challenge(key: Option<KeyId>) -> Challenge {
    Challenge {
        network: name("test"),
        server: name("relay"),
        version_min: VERSION,
        version_max: VERSION,
        max_envelope: 1 << 20,
        nonce: Nonce([1; 32]),
        binds_channel: false,
        directory_revision: 2,
        server_key: key,
    }
}

fn fields(keyring: &Keyring, world: &World) -> AuthFields {
    AuthFields {
        network: name("test"),
        participant: keyring.participant(),
        key: keyring.login_key(&world.directory, NOW).unwrap().id(),
        version: VERSION,
        nonce: Nonce([2; 32]),
        instance: InstanceId::from_custom_bytes([3; 16]),
        binding: ChannelBinding::None,
        directory_revision: 2,
    }
}

/// A world with tax and police, and tax's keyring.
fn setting() -> (World, Keyring) {
    (World::of(&["tax", "police"], Suite::X25519), keyring("tax", Suite::X25519))
}

fn login(
    world: &World,
    signer: &Keyring,
    challenge: &Challenge,
    fields: &AuthFields,
) -> Result<AuthFields, LoginError> {
    let (challenge, fields) = (challenge.encode().unwrap(), fields.encode().unwrap());
    let proof = prove_login(signer.any_login_key(NOW).unwrap(), &challenge, &fields);
    verify_login(&challenge, &fields, &proof, &world.directory, NOW)
}

#[test]
fn a_participant_logs_in_with_its_key() {
    let (world, tax) = setting();
    let fields = fields(&tax, &world);
    assert_eq!(login(&world, &tax, &challenge(None), &fields), Ok(fields));
}

#[test]
fn a_proof_serves_one_challenge_and_one_set_of_fields() {
    let (world, tax) = setting();
    let (sent, fields) = (challenge(None).encode().unwrap(), fields(&tax, &world));
    let encoded = fields.encode().unwrap();
    let proof = prove_login(tax.login_key(&world.directory, NOW).unwrap(), &sent, &encoded);
    let other = Challenge { nonce: Nonce([9; 32]), ..challenge(None) }.encode().unwrap();
    let check = |challenge: &[u8], fields: &[u8], proof: &[u8]| {
        verify_login(challenge, fields, proof, &world.directory, NOW).map(|_| ())
    };
    assert_eq!(check(&sent, &encoded, &proof), Ok(()));
    assert_eq!(check(&other, &encoded, &proof), Err(LoginError::BadProof));
    let changed = AuthFields { binding: ChannelBinding::TlsExporter([1; 32]), ..fields }.encode().unwrap();
    assert_eq!(check(&sent, &changed, &proof), Err(LoginError::BadProof));
    for bit in 0..512 {
        let mut bad = proof;
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(check(&sent, &encoded, &bad), Err(LoginError::BadProof), "bit {bit}");
    }
    assert_eq!(check(&sent, &encoded, &proof[..63]), Err(LoginError::BadProof));
    assert!(matches!(check(&sent[1..], &encoded, &proof), Err(LoginError::Malformed(_))));
    assert!(matches!(check(&sent, &encoded[1..], &proof), Err(LoginError::Malformed(_))));
}

#[test]
fn nobody_logs_in_as_another() {
    let (world, tax) = setting();
    let police = keyring("police", Suite::X25519);
    let as_police = AuthFields { participant: id("police"), ..fields(&tax, &world) };
    let unknown = LoginError::UnknownKey { participant: id("police"), key: as_police.key };
    assert_eq!(login(&world, &tax, &challenge(None), &as_police), Err(unknown));
    assert_eq!(login(&world, &tax, &challenge(None), &fields(&police, &world)), Err(LoginError::BadProof));
}

#[test]
fn another_network_and_a_version_that_was_not_offered_are_refused() {
    let (world, tax) = setting();
    let fields = fields(&tax, &world);
    let elsewhere = AuthFields { network: name("elsewhere"), ..fields.clone() };
    assert_eq!(login(&world, &tax, &challenge(None), &elsewhere), Err(LoginError::WrongNetwork));
    let from_elsewhere = Challenge { network: name("elsewhere"), ..challenge(None) };
    assert_eq!(login(&world, &tax, &from_elsewhere, &fields), Err(LoginError::WrongNetwork));
    let newer = AuthFields { version: VERSION + 1, ..fields };
    let error = LoginError::UnsupportedVersion { version: VERSION + 1 };
    assert_eq!(login(&world, &tax, &challenge(None), &newer), Err(error));
}

#[test]
fn a_removed_participant_a_revoked_key_and_a_key_out_of_time_are_refused() {
    let (mut world, tax) = setting();
    let fields = fields(&tax, &world);
    let key = fields.key;
    let (sent, encoded) = (challenge(None).encode().unwrap(), fields.encode().unwrap());
    let proof = prove_login(tax.login_key(&world.directory, NOW).unwrap(), &sent, &encoded);
    let late = dmr_core::time::Timestamp(VALIDITY.not_after.0 + 1);
    let at = |now| verify_login(&sent, &encoded, &proof, &world.directory, now).map(|_| ());
    assert_eq!(at(late), Err(LoginError::KeyOutOfValidity { key }));

    world.amend(|directory| directory.participants[0].status = dmr_core::directory::Status::Suspended);
    let inactive = LoginError::Inactive { participant: id("tax") };
    assert_eq!(login(&world, &tax, &challenge(None), &fields), Err(inactive));
    world.amend(|directory| directory.revoked.push(dmr_core::directory::RevokedKey { key, since: NOW }));
    assert_eq!(login(&world, &tax, &challenge(None), &fields), Err(LoginError::RevokedKey { key }));
}

#[test]
fn a_signing_key_without_the_use_login_logs_nobody_in() {
    let (mut world, tax) = setting();
    let fields = fields(&tax, &world);
    world.amend(|directory| {
        directory.participants[0].identity_keys[0].usage = dmr_core::directory::KeyUse { sign: true, login: false };
    });
    let unknown = LoginError::UnknownKey { participant: id("tax"), key: fields.key };
    assert_eq!(login(&world, &tax, &challenge(None), &fields), Err(unknown));
}

#[test]
fn a_listed_server_proves_its_name_and_no_other_does() {
    let (mut world, tax) = setting();
    let relay = ServerKeys::generate(name("relay"), VALIDITY).unwrap();
    let other = ServerKeys::generate(name("other"), VALIDITY).unwrap();
    let check = |world: &World, challenge: &Challenge, signature: &[u8]| {
        verify_challenge(&challenge.encode().unwrap(), signature, &world.directory, NOW)
    };
    let plain = challenge(None);
    assert_eq!(check(&world, &plain, b""), Ok(plain.clone()), "without listed servers none need sign");

    world.add(&[relay.card(), other.card()]);
    assert!(relay.is_listed(&world.directory, NOW));
    let good = challenge(Some(relay.key()));
    let signature = relay.sign_challenge(&good.encode().unwrap());
    assert_eq!(check(&world, &good, &signature), Ok(good.clone()));
    let server = name("relay");
    assert_eq!(check(&world, &plain, b""), Err(ChallengeError::NotSigned { server: server.clone() }));
    let bad = ChallengeError::BadSignature { server: server.clone() };
    assert_eq!(check(&world, &good, b""), Err(bad.clone()));
    let forged = other.sign_challenge(&good.encode().unwrap());
    assert_eq!(check(&world, &good, &forged), Err(bad.clone()));
    let changed = Challenge { directory_revision: 9, ..good.clone() };
    assert_eq!(check(&world, &changed, &signature), Err(bad));

    let borrowed = challenge(Some(other.key()));
    let signature = other.sign_challenge(&borrowed.encode().unwrap());
    let unknown = ChallengeError::UnknownKey { server: server.clone(), key: other.key() };
    assert_eq!(check(&world, &borrowed, &signature), Err(unknown));
    let participant = tax.login_key(&world.directory, NOW).unwrap();
    let by_tax = challenge(Some(participant.id()));
    let signature = sign_challenge(participant, &by_tax.encode().unwrap());
    let unknown = ChallengeError::UnknownKey { server, key: participant.id() };
    assert_eq!(check(&world, &by_tax, &signature), Err(unknown));
}

#[test]
fn a_servers_signature_is_no_login_proof_and_the_other_way_round() {
    let (world, tax) = setting();
    let (sent, fields) = (challenge(None).encode().unwrap(), fields(&tax, &world).encode().unwrap());
    let key = tax.login_key(&world.directory, NOW).unwrap();
    let signature = sign_challenge(key, &sent);
    assert_eq!(verify_login(&sent, &fields, &signature, &world.directory, NOW), Err(LoginError::BadProof));
}
