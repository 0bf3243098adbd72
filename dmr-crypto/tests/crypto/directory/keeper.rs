//! What the keeper makes verifies, and what would not is refused before it is signed.

use std::time::Duration;

use dmr_core::directory::{Card, DirectoryError, Status};
use dmr_core::header::Suite;
use dmr_crypto::authority::{self, AuthorityError, Rotation};
use dmr_crypto::{DirectoryRefused, DirectoryTrust, Offer, RootError, RootPin, VerifiedDirectory};

use crate::world::{NOW, VALID_FOR, World, authority_key, id, keyring, name};

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
fn keys_of_the_keeper_come_and_go_by_a_new_root_document() {
    let founding = authority::found(name("test"), NOW, VALID_FOR).unwrap();
    let (pin, old) = (&founding.pin, &founding.directory_key);
    let others = authority::found(name("test"), NOW, VALID_FOR).unwrap();
    let mut trust = DirectoryTrust::new(pin.clone());
    trust.offer(founding.directory.bundle(), NOW).unwrap();
    // A thief of the directory key signs the highest revision there is but one.
    let stolen = authority::amend(&founding.directory, pin, old, NOW, VALID_FOR, |directory| {
        directory.revision = u64::MAX - 1;
        Ok(())
    });
    trust.offer(stolen.unwrap().bundle(), NOW).unwrap();

    let rotation = Rotation {
        signers: &[&founding.root_key],
        root_keys: &[&founding.root_key, &others.root_key],
        threshold: 2,
        directory_keys: &[&others.directory_key],
    };
    let rotated = authority::rotate(&founding.directory, pin, rotation, NOW, VALID_FOR).unwrap();
    assert_eq!((rotated.root_version(), rotated.revision(), rotated.signed_by()), (2, 2, others.directory_key.id()));
    assert!(matches!(trust.offer(rotated.bundle(), NOW), Ok(Offer::Adopted(_))));
    let error = authority::renew(&rotated, pin, old, NOW, VALID_FOR).unwrap_err();
    assert_eq!(error, AuthorityError::Refused(DirectoryRefused::UnknownKey(old.id())));
    let next = authority::renew(&rotated, pin, &others.directory_key, NOW, VALID_FOR).unwrap();
    assert!(matches!(trust.offer(next.bundle(), NOW), Ok(Offer::Adopted(_))));

    let too_few = Rotation { signers: &[&others.root_key], root_keys: &[&others.root_key], threshold: 1, ..rotation };
    let error = authority::rotate(&rotated, pin, too_few, NOW, VALID_FOR).unwrap_err();
    let not_signed = RootError::NotSigned { version: 3, found: 1, required: 2 };
    assert_eq!(error, AuthorityError::Refused(DirectoryRefused::Root(not_signed)));
    let mixed_up = Rotation { signers: &[old], ..rotation };
    let error = authority::rotate(&rotated, pin, mixed_up, NOW, VALID_FOR).unwrap_err();
    assert_eq!(error, AuthorityError::WrongRole);
}
