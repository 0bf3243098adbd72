//! Who may send, when, and under which directory: a good signature is not enough.

use std::time::Duration;

use dmr_core::content::Reference;
use dmr_core::envelope::Envelope;
use dmr_core::header::{Kind, Suite};
use dmr_core::id::Digest;
use dmr_core::reason::{FailureReason, RejectReason};
use dmr_core::replay::{Admission, ReplayGuard};
use dmr_core::time::Timestamp;
use dmr_crypto::{
    OpenError, SealError, SealRequest, StandingError, VerifyError, authority, check_recipients, open, seal,
    verify_envelope,
};

use super::{HOUR, SKEW, open_as, police, refused, tax, try_seal, world};
use crate::reference::Parts;
use crate::world::{NOW, VALID_FOR, VALIDITY, World, content, id, keyring_with, message_id, name, sealed, signing_key};

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
fn a_replay_is_not_processed_again_and_another_envelope_under_its_id_is_rejected() {
    let world = world();
    let mut guard = ReplayGuard::new(8);
    let mut arrive = |envelope: &Envelope| {
        let opened = open(&police(), &world.directory, envelope, NOW).unwrap();
        let reference = Reference { id: opened.id, digest: opened.digest };
        let admission = guard.admit(opened.sender, reference, opened.expires, HOUR, NOW);
        if admission == Admission::Process {
            guard.finish(opened.sender, reference, "delivered");
        }
        admission
    };
    let first = sealed(&world, &tax(), &["police"], "a question").envelope;
    assert_eq!(arrive(&first), Admission::Process);
    assert_eq!(arrive(&first), Admission::Done("delivered"));
    let other = sealed(&world, &tax(), &["police"], "a question").envelope;
    assert_eq!(other.header().id, first.header().id);
    assert_eq!(arrive(&other), Admission::Conflict);
    let others = Parts::of(&first).signed_by(&signing_key("press")).envelope();
    assert!(open(&police(), &world.directory, &others, NOW).is_err(), "nobody else fills the guard");
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
