//! What an envelope withstands. Each property is a test of its own.

use std::time::Duration;

use dmr_core::envelope::Envelope;
use dmr_core::header::{Kind, Recipient, Recipients, Suite};
use dmr_core::id::{Digest, KeyCommitment, KeyId};
use dmr_core::reason::{FailureReason, RejectReason};
use dmr_core::time::Timestamp;
use dmr_crypto::authority;
use dmr_crypto::{
    Keyring, OpenError, SealError, SealRequest, SealingSecret, StandingError, VerifyError, check_recipients, open,
    seal, verify_envelope,
};

use crate::reference::{self, Draft, Parts};
use crate::world::{
    NOW, VALID_FOR, VALIDITY, World, content, id, keyring, keyring_with, message_id, name, sealed, seed, signing_key,
};

const HOUR: Duration = Duration::from_hours(1);
const SKEW: Duration = Duration::from_secs(120);

/// Tax and police, and a third party, at suite 2.
fn world() -> World {
    World::of(&["tax", "police", "press"], Suite::XWing)
}

fn tax() -> Keyring {
    keyring("tax", Suite::XWing)
}

fn police() -> Keyring {
    keyring("police", Suite::XWing)
}

fn open_as(world: &World, who: &Keyring, envelope: &Envelope) -> Result<String, OpenError> {
    open(who, &world.directory, envelope, NOW).map(|opened| {
        let dmr_core::content::Content::V1(message) = opened.content else { panic!("another content") };
        String::from_utf8(message.body.to_vec()).unwrap()
    })
}

fn refused(error: VerifyError) -> Result<String, OpenError> {
    Err(OpenError::Refused(error))
}

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
fn every_flipped_bit_is_rejected() {
    let world = World::of(&["tax", "police"], Suite::X25519);
    let envelope = sealed(&world, &keyring("tax", Suite::X25519), &["police"], "a question").envelope;
    let police = keyring("police", Suite::X25519);
    let mut bytes = envelope.bytes().to_vec();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = Envelope::decode(bytes.clone().into()) {
            assert!(open(&police, &world.directory, &changed, NOW).is_err(), "bit {bit}");
            assert!(verify_envelope(&changed, &world.directory, NOW).is_err(), "bit {bit}");
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(open(&police, &world.directory, &envelope, NOW).is_ok());
}

#[test]
fn every_truncation_and_every_addition_is_rejected() {
    let world = world();
    let bytes = sealed(&world, &tax(), &["police"], "a question").envelope.bytes().clone();
    for len in 0..bytes.len() {
        assert!(Envelope::decode(bytes.slice(..len)).is_err(), "{len}");
    }
    assert!(Envelope::decode([&bytes[..], &[0]].concat().into()).is_err());
}

#[test]
fn stripped_and_signed_again_by_another_it_does_not_open() {
    let world = world();
    let envelope = sealed(&world, &tax(), &["police"], "a question").envelope;
    let stolen = Parts::of(&envelope)
        .with_header(|header| {
            header.sender = id("press");
            header.sender_key = dmr_crypto::key_id(
                dmr_core::directory::Algorithm::Ed25519,
                signing_key("press").verifying_key().as_bytes(),
            );
        })
        .signed_by(&signing_key("press"))
        .envelope();
    assert!(verify_envelope(&stolen, &world.directory, NOW).is_ok(), "the signature as such is good");
    assert_eq!(open_as(&world, &police(), &stolen), Err(OpenError::Undecryptable));
}

#[test]
fn signed_by_another_under_the_senders_name_it_is_rejected() {
    let world = world();
    let envelope = sealed(&world, &tax(), &["police"], "a question").envelope;
    let forged = Parts::of(&envelope).signed_by(&signing_key("press")).envelope();
    assert_eq!(open_as(&world, &police(), &forged), refused(VerifyError::BadSignature));
    let own_key = tax().signing_key(&world.directory, NOW).unwrap().id();
    let borrowed = Parts::of(&envelope).with_header(|header| header.sender = id("press")).envelope();
    let unknown = VerifyError::UnknownSenderKey { sender: id("press"), key: own_key };
    assert_eq!(open_as(&world, &police(), &borrowed), refused(unknown));
}

#[test]
fn a_body_spliced_in_from_another_envelope_is_rejected_even_when_the_sender_signs_it() {
    let world = world();
    let one = Parts::of(&sealed(&world, &tax(), &["police"], "one").envelope);
    let other = Parts::of(&sealed(&world, &tax(), &["police"], "two").envelope);
    let spliced = Parts { body: other.body.clone(), ..one.clone() };
    assert_eq!(open_as(&world, &police(), &spliced.envelope()), refused(VerifyError::BadSignature));
    let signed = spliced.signed_by(&signing_key("tax"));
    assert_eq!(open_as(&world, &police(), &signed.envelope()), Err(OpenError::Undecryptable));
    let wraps = Parts { wraps: other.wraps, ..one }.signed_by(&signing_key("tax"));
    assert_eq!(open_as(&world, &police(), &wraps.envelope()), Err(OpenError::Undecryptable));
}

#[test]
fn dropped_added_and_swapped_wraps_are_rejected() {
    let world = world();
    let envelope = sealed(&world, &tax(), &["police", "press"], "a question").envelope;
    let parts = Parts::of(&envelope);
    let mut swapped = parts.clone();
    swapped.wraps.swap(0, 1);
    assert_eq!(open_as(&world, &police(), &swapped.envelope()), refused(VerifyError::BadSignature));
    let swapped = swapped.signed_by(&signing_key("tax")).envelope();
    assert_eq!(open_as(&world, &police(), &swapped), Err(OpenError::Undecryptable));

    let mut dropped = parts.clone();
    dropped.wraps.pop();
    let mut added = parts.clone();
    added.wraps.push(parts.wraps[0].clone());
    for bad in [dropped, added] {
        assert!(Envelope::encode(&bad.header, &bad.wraps, &bad.body, &bad.signature).is_err());
    }
}

#[test]
fn a_recipient_cannot_pass_the_envelope_on_as_if_it_was_meant_for_a_third_party() {
    let world = world();
    let envelope = sealed(&world, &tax(), &["police"], "a question").envelope;
    let press_key = sealed(&world, &tax(), &["press"], "").envelope.header().recipients.as_slice()[0];
    let passed_on = Parts::of(&envelope)
        .with_header(|header| header.recipients = Recipients::new(vec![press_key]).unwrap())
        .envelope();
    let press = keyring("press", Suite::XWing);
    assert_eq!(open_as(&world, &press, &passed_on), refused(VerifyError::BadSignature));
    assert_eq!(open_as(&world, &press, &envelope), Err(OpenError::NotRecipient));
}

#[test]
fn every_header_field_is_covered_by_the_signature() {
    let world = world();
    let parts = Parts::of(&sealed(&world, &tax(), &["police", "press"], "a question").envelope);
    let press = parts.clone().envelope().header().recipients.as_slice()[1];
    type Change = Box<dyn Fn(&mut dmr_core::header::Header)>;
    let changes: Vec<(&str, Change)> = vec![
        ("id", Box::new(|header| header.id = message_id(2))),
        ("kind", Box::new(|header| header.kind = Kind::EVENT)),
        ("created", Box::new(|header| header.created = NOW.minus(Duration::from_secs(1)))),
        ("expires", Box::new(|header| header.expires = header.expires.plus(Duration::from_secs(1)))),
        ("revision", Box::new(|header| header.directory_revision -= 1)),
        ("digest", Box::new(|header| header.directory_digest = Digest([0; 32]))),
        ("commitment", Box::new(|header| header.key_commitment = KeyCommitment([0; 32]))),
        (
            "recipients",
            Box::new(move |header| {
                let police = header.recipients.as_slice()[0];
                let changed = Recipient { participant: press.participant, key: KeyId([9; 16]) };
                header.recipients = Recipients::new(vec![police, changed]).unwrap();
            }),
        ),
    ];
    for (field, change) in changes {
        let changed = parts.clone().with_header(|header| change(header)).envelope();
        assert_eq!(open_as(&world, &police(), &changed), refused(VerifyError::BadSignature), "{field}");
        assert_eq!(
            verify_envelope(&changed, &world.directory, NOW).unwrap_err().reject_reason(),
            RejectReason::BadSignature,
            "{field}"
        );
    }
}

#[test]
fn no_header_field_can_be_changed_by_the_sender_without_sealing_again() {
    let world = world();
    let parts = Parts::of(&sealed(&world, &tax(), &["police"], "a question").envelope);
    let changed = parts.with_header(|header| header.kind = Kind::EVENT).signed_by(&signing_key("tax")).envelope();
    assert!(verify_envelope(&changed, &world.directory, NOW).is_ok());
    assert_eq!(open_as(&world, &police(), &changed), Err(OpenError::Undecryptable));
}

#[test]
fn a_suite_cannot_be_exchanged_for_another() {
    let world = world();
    let parts = Parts::of(&sealed(&world, &tax(), &["police"], "a question").envelope);
    let header = parts.clone().with_header(|header| header.suite = Suite::X25519).header;
    assert!(Envelope::encode(&header, &parts.wraps, &parts.body, &parts.signature).is_err());
}

#[test]
fn a_replay_has_the_digest_of_the_first() {
    let world = world();
    let sealed = sealed(&world, &tax(), &["police"], "a question");
    let first = open(&police(), &world.directory, &sealed.envelope, NOW).unwrap();
    let again = Envelope::decode(sealed.envelope.bytes().clone()).unwrap();
    let second = open(&police(), &world.directory, &again, NOW.plus(HOUR)).unwrap();
    assert_eq!((first.sender, first.id, first.digest), (second.sender, second.id, second.digest));
}

#[test]
fn the_same_id_sealed_again_has_another_digest() {
    let world = world();
    let one = sealed(&world, &tax(), &["police"], "a question");
    let other = sealed(&world, &tax(), &["police"], "a question");
    assert_ne!(one.digest, other.digest);
    assert_ne!(one.envelope.body(), other.envelope.body());
    assert_ne!(one.envelope.header().key_commitment, other.envelope.header().key_commitment);
}

#[test]
fn what_lies_in_the_future_or_lives_too_long_is_rejected() {
    let world = world();
    let parts = Parts::of(&sealed(&world, &tax(), &["police"], "a question").envelope);
    let resigned = |created: Timestamp, expires: Timestamp| {
        let changed = parts.clone().with_header(|header| {
            header.created = created;
            header.expires = expires;
        });
        verify_envelope(&changed.signed_by(&signing_key("tax")).envelope(), &world.directory, NOW)
    };
    let ms = Duration::from_millis(1);
    let max = world.directory.directory().max_ttl;
    assert!(resigned(NOW.plus(SKEW), NOW.plus(HOUR)).is_ok());
    let created = NOW.plus(SKEW).plus(ms);
    assert_eq!(resigned(created, NOW.plus(HOUR)), Err(VerifyError::CreatedInFuture { created }));
    assert!(resigned(NOW, NOW.plus(max)).is_ok());
    assert_eq!(resigned(NOW, NOW.plus(max + ms)), Err(VerifyError::BadLifetime { lifetime: max + ms, max }));
    assert_eq!(resigned(NOW, NOW), Err(VerifyError::BadLifetime { lifetime: Duration::ZERO, max }));
    assert_eq!(resigned(NOW, NOW.minus(ms)), Err(VerifyError::BadLifetime { lifetime: Duration::ZERO, max }));
    let endless = resigned(NOW, Timestamp(u64::MAX)).unwrap_err();
    assert_eq!(endless.reject_reason(), RejectReason::BadLifetime);
}

#[test]
fn what_has_expired_is_rejected() {
    let world = world();
    let envelope = sealed(&world, &tax(), &["police"], "a question").envelope;
    let last = NOW.plus(HOUR).plus(SKEW);
    assert!(open(&police(), &world.directory, &envelope, last).is_ok());
    let after = last.plus(Duration::from_millis(1));
    let error = open(&police(), &world.directory, &envelope, after).unwrap_err();
    assert_eq!(error, OpenError::Refused(VerifyError::Expired { expires: NOW.plus(HOUR) }));
    assert_eq!(error.failure_reason(), FailureReason::Expired);
}

#[test]
fn what_was_created_before_its_senders_key_is_rejected() {
    let before = VALIDITY.not_before.minus(Duration::from_millis(1));
    let mut long = World::of(&["tax", "police"], Suite::XWing);
    long.amend(|directory| directory.max_ttl = Duration::from_hours(7 * 24));
    let backdated = Parts::of(&sealed(&long, &tax(), &["police"], "a question").envelope)
        .with_header(|header| header.created = before)
        .signed_by(&signing_key("tax"))
        .envelope();
    let key = tax().signing_key(&long.directory, NOW).unwrap().id();
    assert_eq!(open_as(&long, &police(), &backdated), refused(VerifyError::KeyOutOfValidity { key }));
}

#[test]
fn what_was_created_outside_the_validity_of_the_sealing_key_is_rejected() {
    let mut world = World::empty();
    let short = dmr_core::directory::Validity { not_before: NOW, not_after: NOW.plus(HOUR) };
    let police = keyring_with("police", &[1], short);
    let tax = keyring_with("tax", &[1], VALIDITY);
    world.add(&[police.card(), tax.card()]);
    let envelope = sealed(&world, &tax, &["police"], "a question").envelope;
    let earlier = Parts::of(&envelope)
        .with_header(|header| header.created = NOW.minus(Duration::from_secs(1)))
        .signed_by(&signing_key("tax"))
        .envelope();
    let key = envelope.header().recipients.as_slice()[0].key;
    assert_eq!(open_as(&world, &police, &earlier), Err(OpenError::KeyOutOfValidity { key }));
}

#[test]
fn another_networks_envelope_is_rejected() {
    let world = world();
    let elsewhere = Parts::of(&sealed(&world, &tax(), &["police"], "a question").envelope)
        .with_header(|header| header.network = name("elsewhere"))
        .signed_by(&signing_key("tax"))
        .envelope();
    assert_eq!(open_as(&world, &police(), &elsewhere), refused(VerifyError::WrongNetwork));
}

#[test]
fn a_revoked_key_is_refused_at_once_whatever_the_envelope_says_of_its_age() {
    let mut world = world();
    let key = tax().signing_key(&world.directory, NOW).unwrap().id();
    let sealed_before = sealed(&world, &tax(), &["police"], "a question").envelope;
    world.directory = authority::revoke(&world.directory, &world.pin, &world.key, key, NOW, VALID_FOR).unwrap();
    let backdated = Parts::of(&sealed_before)
        .with_header(|header| header.created = NOW.minus(HOUR))
        .signed_by(&signing_key("tax"))
        .envelope();
    for envelope in [sealed_before, backdated] {
        assert_eq!(open_as(&world, &police(), &envelope), refused(VerifyError::RevokedKey { key }));
    }
    assert_eq!(tax().standing(&world.directory, NOW), Err(StandingError::NoSigningKey));
}

#[test]
fn a_removed_or_suspended_sender_is_refused() {
    let mut world = world();
    let envelope = sealed(&world, &tax(), &["police"], "a question").envelope;
    for status in [dmr_core::directory::Status::Removed, dmr_core::directory::Status::Suspended] {
        world.amend(|directory| {
            directory.participants.iter_mut().find(|entry| entry.name == name("tax")).unwrap().status = status;
        });
        let error = open(&police(), &world.directory, &envelope, NOW).unwrap_err();
        assert_eq!(error, OpenError::Refused(VerifyError::SenderInactive { sender: id("tax") }));
        assert_eq!(error.failure_reason(), FailureReason::Revoked);
        let inactive = StandingError::Inactive { participant: id("tax"), status };
        assert_eq!(tax().standing(&world.directory, NOW), Err(inactive));
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
fn the_policy_holds_for_sealing_for_relays_and_for_opening() {
    let mut world = world();
    let envelope = sealed(&world, &tax(), &["police"], "a question").envelope;
    world.amend(|directory| {
        directory.policy = vec![dmr_core::directory::Permission { from: vec![name("police")], to: vec![] }];
    });
    let refusal = VerifyError::PolicyRefused { recipient: id("police") };
    assert_eq!(try_seal(&world, &tax(), &["police"]), Err(SealError::Recipient(refusal)));
    assert_eq!(check_recipients(envelope.header(), &world.directory), Err(refusal));
    assert_eq!(open_as(&world, &police(), &envelope), refused(refusal));
    assert!(try_seal(&world, &police(), &["tax", "press"]).is_ok());
}

#[test]
fn an_envelope_of_a_newer_directory_asks_for_that_directory() {
    let mut world = world();
    let old = world.directory.clone();
    world.amend(|_| {});
    let envelope = sealed(&world, &tax(), &["police"], "a question").envelope;
    let error = open(&police(), &old, &envelope, NOW).unwrap_err();
    assert_eq!(error, OpenError::Refused(VerifyError::StaleDirectory { ours: 2, theirs: 3 }));
    assert!(error.wants_directory());
    assert_eq!(verify_envelope(&envelope, &old, NOW).unwrap_err().reject_reason(), RejectReason::StaleDirectory);
    assert!(open(&police(), &world.directory, &envelope, NOW).is_ok());
    let newcomer = World::of(&["police"], Suite::XWing);
    let unknown = Parts::of(&envelope).envelope();
    assert!(verify_envelope(&unknown, &newcomer.directory, NOW).unwrap_err().wants_directory());
}

#[test]
fn an_envelope_of_an_older_directory_opens_while_its_sender_is_still_good() {
    let mut world = world();
    let envelope = sealed(&world, &tax(), &["police"], "a question").envelope;
    world.amend(|_| {});
    assert_eq!(open_as(&world, &police(), &envelope), Ok("a question".into()));
}

#[test]
fn another_directory_of_the_same_revision_is_not_trusted() {
    let world = world();
    let forked = world.directory.clone();
    let parts = Parts::of(&sealed(&world, &tax(), &["police"], "a question").envelope);
    let other = parts.with_header(|header| header.directory_digest = Digest([7; 32])).signed_by(&signing_key("tax"));
    let error = open(&police(), &forked, &other.envelope(), NOW).unwrap_err();
    assert_eq!(error, OpenError::Refused(VerifyError::DirectoryForked { revision: 2 }));
    assert!(error.wants_directory());
}

#[test]
fn all_who_open_an_envelope_open_the_same_text() {
    // A sender who wraps one key to one recipient and another key to another can commit to one of them only.
    let world = world();
    let parts = Parts::of(&sealed(&world, &tax(), &["police", "press"], "a question").envelope);
    let header_hash = reference::sha256(&parts.header);
    let recipients = dmr_core::header::Header::decode(&parts.header).unwrap().recipients;
    let position = recipients.position(id("press")).unwrap();
    let key = recipients.as_slice()[position].key;
    let participant = world.directory.participant(id("press")).unwrap();
    let public = participant.sealing_keys.iter().find(|entry| entry.public.len() == 1216).unwrap();
    let info = reference::wrap_info(2, key.as_bytes(), &header_hash);
    let mut forged = parts.clone();
    forged.wraps[position] =
        reference::wrap(Suite::XWing, &public.public, &info, &seed("another content key"), &[7; 64]);
    let forged = forged.signed_by(&signing_key("tax")).envelope();
    assert_eq!(open_as(&world, &police(), &forged), Ok("a question".into()));
    assert_eq!(open_as(&world, &keyring("press", Suite::XWing), &forged), Err(OpenError::Undecryptable));
}

#[test]
fn wrong_padding_is_rejected_even_when_everything_else_is_right() {
    let world = World::of(&["tax", "police"], Suite::X25519);
    let police = keyring("police", Suite::X25519);
    let good = content("a question").encode().unwrap();
    let padded = reference::pad(&good);
    let mut not_zero = padded.clone();
    *not_zero.last_mut().unwrap() = 1;
    let mut longer = padded.clone();
    longer.extend([0; 16]);
    let mut lying = padded.clone();
    lying[0] = 0xff;
    let cases = [
        (padded, Ok("a question".to_owned())),
        (not_zero, Err(OpenError::Undecryptable)),
        (longer, Err(OpenError::Undecryptable)),
        (lying, Err(OpenError::Undecryptable)),
        (good, Err(OpenError::Undecryptable)),
        (reference::pad(b"no content"), Err(OpenError::Malformed)),
    ];
    for (number, (plain, expected)) in cases.into_iter().enumerate() {
        let mut draft = Draft::new(&world.directory, Suite::X25519, "tax", &["police"], b"");
        draft.padded = plain;
        let envelope = draft.envelope();
        assert_eq!(open_as(&world, &police, &envelope), expected, "case {number}");
    }
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
fn opening_goes_on_after_the_directory_expired() {
    let mut world = world();
    world.amend(|directory| directory.max_ttl = Duration::from_hours(60 * 24));
    let content = content("a question");
    let (sender, recipients) = (tax(), [id("police")]);
    let request = SealRequest {
        id: message_id(1),
        kind: Kind::QUESTION,
        recipients: &recipients,
        created: NOW,
        expires: NOW.plus(Duration::from_hours(60 * 24)),
        content: &content,
    };
    let envelope = seal(&sender, &world.directory, request).unwrap().envelope;
    let late = world.directory.expires().plus(Duration::from_hours(48));
    assert!(open(&police(), &world.directory, &envelope, late).is_ok());
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

fn try_seal(world: &World, sender: &Keyring, recipients: &[&str]) -> Result<(), SealError> {
    let recipients: Vec<_> = recipients.iter().map(|recipient| id(recipient)).collect();
    let content = content("a question");
    let request = SealRequest {
        id: message_id(1),
        kind: Kind::QUESTION,
        recipients: &recipients,
        created: NOW,
        expires: NOW.plus(HOUR),
        content: &content,
    };
    seal(sender, &world.directory, request).map(|_| ())
}
