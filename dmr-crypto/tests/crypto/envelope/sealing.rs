//! What sealing chooses, and what it refuses.

use std::time::Duration;

use dmr_core::header::{Kind, Suite};
use dmr_core::time::Timestamp;
use dmr_crypto::{
    OpenError, SealError, SealRequest, SealingSecret, StandingError, VerifyError, check_recipients, open, seal,
    verify_envelope,
};

use super::{HOUR, SKEW, open_as, police, refused, tax, try_seal, world};
use crate::world::{NOW, VALIDITY, World, content, id, keyring, keyring_with, message_id, name, sealed};

#[test]
fn what_is_sealed_is_opened_by_each_recipient_and_by_nobody_else() {
    for suite in [Suite::X25519, Suite::XWing] {
        let names: Vec<String> = (0..65).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = World::of(&names, suite);
        let sender = keyring("p0", suite);
        for recipients in [&names[1..2], &names[1..]] {
            let sealed = sealed(&world, &sender, recipients, "a question");
            assert_eq!(sealed.envelope.header().suite, suite);
            for recipient in recipients {
                let opened = open(&keyring(recipient, suite), &world.directory, &sealed.envelope, NOW).unwrap();
                assert_eq!(opened.content, content("a question"));
                assert_eq!((opened.sender, opened.id, opened.digest), (id("p0"), message_id(1), sealed.digest));
            }
            assert_eq!(open_as(&world, &sender, &sealed.envelope), Err(OpenError::NotRecipient));
            let facts = verify_envelope(&sealed.envelope, &world.directory, NOW).unwrap();
            assert_eq!(facts.digest, sealed.digest);
            assert_eq!(check_recipients(sealed.envelope.header(), &world.directory), Ok(()));
        }
    }
}

#[test]
fn a_suite_below_the_floor_is_neither_sealed_nor_opened() {
    let mut world = World::of(&["tax", "police"], Suite::X25519);
    let (tax, police) = (keyring("tax", Suite::X25519), keyring("police", Suite::X25519));
    let envelope = sealed(&world, &tax, &["police"], "a question").envelope;
    world.amend(|directory| directory.suite_floor = Suite::XWing);
    let too_low = VerifyError::SuiteTooLow { suite: Suite::X25519, floor: Suite::XWing };
    assert_eq!(open_as(&world, &police, &envelope), refused(too_low));
    assert_eq!(try_seal(&world, &tax, &["police"]), Err(SealError::NoCommonSuite { floor: Suite::XWing }));
}

#[test]
fn the_highest_suite_common_to_all_recipients_is_taken() {
    let mut world = World::empty();
    let old = keyring_with("old", &[1], VALIDITY);
    let new_only = keyring_with("new-only", &[2], VALIDITY);
    world.add(&[tax().card(), police().card(), old.card(), new_only.card()]);
    let suite = |recipients: &[&str]| sealed(&world, &tax(), recipients, "x").envelope.header().suite;
    assert_eq!(suite(&["police"]), Suite::XWing);
    assert_eq!(suite(&["police", "new-only"]), Suite::XWing);
    assert_eq!(suite(&["police", "old"]), Suite::X25519);
    let none = SealError::NoCommonSuite { floor: Suite::X25519 };
    assert_eq!(try_seal(&world, &tax(), &["old", "new-only"]), Err(none));
}

#[test]
fn the_newest_sealing_key_is_taken_and_the_older_generation_still_opens() {
    let mut world = World::of(&["tax"], Suite::X25519);
    let mut police = keyring("police", Suite::X25519);
    world.add(&[police.card()]);
    let tax = keyring("tax", Suite::X25519);
    let older = sealed(&world, &tax, &["police"], "older").envelope;
    let newer = dmr_core::directory::Validity { not_before: NOW, not_after: VALIDITY.not_after };
    assert!(police.add_sealing_key(SealingSecret::generate(Suite::X25519, newer).unwrap()));
    world.add(&[police.card()]);
    let newest = sealed(&world, &tax, &["police"], "newest").envelope;
    assert_eq!(newest.header().recipients.as_slice()[0].key, police.sealing()[1].id());
    assert_eq!(open_as(&world, &police, &older), Ok("older".into()));
    assert_eq!(open_as(&world, &police, &newest), Ok("newest".into()));
    let key = newest.header().recipients.as_slice()[0].key;
    let without = keyring("police", Suite::X25519);
    assert_eq!(open_as(&world, &without, &newest), Err(OpenError::UnknownKey { key }));
}

#[test]
fn a_revoked_sealing_key_is_not_sealed_to() {
    let mut world = World::of(&["tax", "police"], Suite::X25519);
    let police = keyring("police", Suite::X25519);
    let revoked = police.sealing()[0].id();
    world.amend(|directory| {
        directory.revoked.push(dmr_core::directory::RevokedKey { key: revoked, since: NOW });
    });
    let none = SealError::NoSealingKey { recipient: id("police") };
    assert_eq!(try_seal(&world, &keyring("tax", Suite::X25519), &["police"]), Err(none));
    assert_eq!(police.standing(&world.directory, NOW), Err(StandingError::NoSealingKey));
}

#[test]
fn sealing_secrets_are_erased_once_nothing_in_flight_needs_them() {
    let mut police = police();
    let max_ttl = Duration::from_hours(24);
    let last = VALIDITY.not_after.plus(max_ttl).plus(SKEW * 2);
    assert_eq!(police.erase_expired(last, max_ttl), 0);
    assert_eq!(police.erase_expired(last.plus(Duration::from_millis(1)), max_ttl), 2);
    assert!(police.sealing().is_empty());
}

#[test]
fn nothing_is_sealed_without_a_directory_in_its_life() {
    let world = world();
    let expires = world.directory.expires();
    let at = |created: Timestamp| {
        let content = content("a question");
        let recipients = [id("police")];
        let request = SealRequest {
            id: message_id(1),
            kind: Kind::QUESTION,
            recipients: &recipients,
            created,
            expires: created.plus(HOUR),
            content: &content,
        };
        seal(&tax(), &world.directory, request).map(|_| ())
    };
    assert_eq!(at(expires.plus(Duration::from_hours(24))), Ok(()));
    let late = expires.plus(Duration::from_hours(24)).plus(Duration::from_millis(1));
    assert_eq!(at(late), Err(SealError::DirectoryExpired { expires }));
}

#[test]
fn a_sender_whose_own_entry_lacks_its_keys_seals_nothing() {
    let world = world();
    let stranger = keyring("stranger", Suite::XWing);
    let not_listed = StandingError::NotListed { participant: id("stranger") };
    assert_eq!(stranger.standing(&world.directory, NOW), Err(not_listed));
    let mut world = world;
    world.amend(|directory| {
        let entry = directory.participants.iter_mut().find(|entry| entry.name == name("tax")).unwrap();
        entry.identity_keys.clear();
        entry.sealing_keys.clear();
    });
    assert_eq!(try_seal(&world, &tax(), &["police"]), Err(SealError::Standing(StandingError::NoSigningKey)));
    assert!(try_seal(&world, &stranger, &["police"]).is_err());
}

#[test]
fn recipients_are_one_to_sixty_four_and_none_twice() {
    let world = world();
    assert_eq!(try_seal(&world, &tax(), &[]), Err(SealError::RecipientCount { count: 0 }));
    assert_eq!(try_seal(&world, &tax(), &["police"; 65]), Err(SealError::RecipientCount { count: 65 }));
    assert_eq!(try_seal(&world, &tax(), &["police", "police"]), Err(SealError::RepeatedRecipient));
    let unknown = SealError::Recipient(VerifyError::UnknownRecipient { recipient: id("nobody") });
    assert_eq!(try_seal(&world, &tax(), &["nobody"]), Err(unknown));
}

#[test]
fn a_content_at_the_limit_is_sealed_and_one_above_is_not() {
    let world = World::of(&["tax", "police"], Suite::X25519);
    let (tax, police) = (keyring("tax", Suite::X25519), keyring("police", Suite::X25519));
    let overhead = content("").encode().unwrap().len() + 4;
    let text = "x".repeat(dmr_core::limit::MESSAGE - overhead);
    let envelope = sealed(&world, &tax, &["police"], &text).envelope;
    assert!(envelope.bytes().len() <= dmr_core::limit::ENVELOPE);
    assert_eq!(open_as(&world, &police, &envelope), Ok(text.clone()));
    let content = content(&(text + "xxxxx"));
    let recipients = [id("police")];
    let request = SealRequest {
        id: message_id(1),
        kind: Kind::QUESTION,
        recipients: &recipients,
        created: NOW,
        expires: NOW.plus(HOUR),
        content: &content,
    };
    assert!(matches!(seal(&tax, &world.directory, request), Err(SealError::Content(_))));
}
