//! Age, rollback, forks and stolen keys: what was seen before decides what may follow.

use std::time::Duration;

use dmr_core::header::Suite;
use dmr_core::id::Digest;
use dmr_core::time::Timestamp;
use dmr_crypto::{DirectoryRefused, DirectoryTrust, Freshness, Offer, SealError, TrustError, seal};

use super::{first_json, verify};
use crate::documents::{Root, bundle, directory_line, first_directory, pin};
use crate::world::{NOW, VALID_FOR, World, authority_key, content, id, keyring, message_id, sealed};

#[test]
fn a_directory_lies_within_the_validity_of_its_key_and_not_in_the_future() {
    let at = |issued: u64, expires: u64| {
        let mut directory = first_directory();
        (directory.issued, directory.expires) = (Timestamp(issued), Timestamp(expires));
        verify(&bundle(&directory)).map(|_| ())
    };
    let begin = Root::first().validity.0;
    assert_eq!(at(begin, Root::END), Ok(()));
    assert_eq!(at(begin - 1, NOW.0), Err(DirectoryRefused::OutsideValidity));
    assert_eq!(at(NOW.0, Root::END + 1), Err(DirectoryRefused::OutsideValidity));
    assert_eq!(at(NOW.0 + 120_000, Root::END), Ok(()));
    let issued = Timestamp(NOW.0 + 120_001);
    assert_eq!(at(issued.0, Root::END), Err(DirectoryRefused::NotYetIssued { issued }));
}

#[test]
fn freshness_goes_from_half_life_over_grace_to_expiry_and_ends_with_the_root() {
    let directory = verify(&bundle(&first_directory())).unwrap();
    let (half, day, ms) = (VALID_FOR / 2, Duration::from_hours(24), Duration::from_millis(1));
    for (age, expected) in [
        (half - ms, Freshness::Fresh),
        (half, Freshness::Ageing),
        (VALID_FOR, Freshness::Ageing),
        (VALID_FOR + ms, Freshness::Grace),
        (VALID_FOR + day, Freshness::Grace),
        (VALID_FOR + day + ms, Freshness::Expired),
    ] {
        assert_eq!(directory.freshness(NOW.plus(age)), expected, "{age:?}");
    }
    let root = Root { expires: NOW.0 + 1000, ..Root::first() };
    let bundle = root.signed_by(&["root key"]) + &directory_line(first_json().as_bytes(), "directory key");
    assert_eq!(verify(&bundle).unwrap().expires(), Timestamp(NOW.0 + 1000));
}

/// Trust that has adopted the world's directory.
fn trusting(world: &World) -> DirectoryTrust {
    let mut trust = DirectoryTrust::new(world.pin.clone());
    assert!(matches!(trust.offer(world.directory.bundle(), NOW), Ok(Offer::Adopted(_))));
    trust
}

fn clone(world: &World) -> World {
    World { pin: world.pin.clone(), key: authority_key("directory"), directory: world.directory.clone() }
}

#[test]
fn an_older_revision_is_refused_and_the_same_one_changes_nothing() {
    let mut world = World::of(&["tax"], Suite::X25519);
    let older = world.directory.clone();
    world.amend(|_| {});
    let mut trust = trusting(&world);
    let rollback = TrustError::Rollback { known: 3, found: 2 };
    assert_eq!(trust.offer(older.bundle(), NOW).unwrap_err(), rollback);
    assert!(matches!(trust.offer(world.directory.bundle(), NOW), Ok(Offer::Unchanged)));
    assert_eq!(trust.current().unwrap().revision(), 3);
    let next = world.next(|_| {});
    assert!(matches!(trust.offer(next.bundle(), NOW), Ok(Offer::Adopted(_))));
    assert_eq!(trust.offer(older.bundle(), NOW).unwrap_err(), TrustError::Rollback { known: 4, found: 2 });
}

#[test]
fn an_older_revision_is_refused_after_a_restart_too() {
    let mut world = World::of(&["tax"], Suite::X25519);
    let older = world.directory.clone();
    world.amend(|_| {});
    let mut restarted = DirectoryTrust::new(world.pin.clone());
    restarted.restore(world.directory.bundle(), NOW).unwrap();
    assert_eq!(restarted.offer(older.bundle(), NOW).unwrap_err(), TrustError::Rollback { known: 3, found: 2 });
}

#[test]
fn a_bad_offer_leaves_the_last_good_directory_in_use() {
    let world = World::of(&["tax"], Suite::X25519);
    let mut trust = trusting(&world);
    for bad in [&b""[..], b"\n", b"garbage\n", &world.directory.bundle()[1..]] {
        assert!(matches!(trust.offer(bad, NOW), Err(TrustError::Refused(_))));
    }
    let current = trust.current().unwrap();
    assert_eq!((current.digest(), current.is_forked()), (world.directory.digest(), false));
}

#[test]
fn an_expired_offer_is_refused_but_the_one_of_before_a_restart_is_taken_up() {
    let world = World::of(&["tax"], Suite::X25519);
    let late = world.directory.expires().plus(Duration::from_hours(25));
    let mut trust = DirectoryTrust::new(world.pin.clone());
    assert_eq!(trust.offer(world.directory.bundle(), late).unwrap_err(), TrustError::Expired);
    assert!(trust.current().is_none());
    assert!(matches!(trust.restore(world.directory.bundle(), late), Ok(Offer::Adopted(_))));
    assert_eq!(trust.current().unwrap().freshness(late), Freshness::Expired);
}

#[test]
fn a_fork_of_one_revision_stops_sealing_and_keeps_both_documents() {
    let world = World::of(&["tax", "police"], Suite::X25519);
    let (one, other) = (world.next(|_| {}), world.next(|directory| directory.max_ttl = Duration::from_hours(1)));
    assert_eq!((one.revision(), other.revision()), (3, 3));
    let mut trust = trusting(&world);
    trust.offer(one.bundle(), NOW).unwrap();
    assert_eq!(trust.offer(other.bundle(), NOW).unwrap_err(), TrustError::Forked { revision: 3 });
    let fork = trust.fork().unwrap();
    assert_eq!((&fork.ours, &fork.other), (one.bundle(), other.bundle()));

    let current = trust.current().unwrap().clone();
    assert!(current.is_forked() && current.digest() == one.digest());
    let tax = keyring("tax", Suite::X25519);
    let content = content("a question");
    let recipients = [id("police")];
    let request = dmr_crypto::SealRequest {
        id: message_id(1),
        kind: dmr_core::header::Kind::QUESTION,
        recipients: &recipients,
        created: NOW,
        expires: NOW.plus(Duration::from_secs(60)),
        content: &content,
    };
    assert_eq!(seal(&tax, &current, request).unwrap_err(), SealError::DirectoryForked { revision: 3 });
    let envelope = seal(&tax, &one, request).unwrap().envelope;
    let police = keyring("police", Suite::X25519);
    assert!(dmr_crypto::open(&police, &current, &envelope, NOW).is_ok(), "opening goes on");
}

#[test]
fn a_successor_of_our_side_of_a_fork_resolves_it_and_one_of_the_other_side_does_not() {
    let world = World::of(&["tax"], Suite::X25519);
    let ours = World { directory: world.next(|_| {}), ..clone(&world) };
    let other = World { directory: world.next(|directory| directory.suite_floor = Suite::XWing), ..clone(&world) };
    let mut trust = trusting(&ours);
    trust.offer(other.directory.bundle(), NOW).unwrap_err();
    assert_eq!(trust.offer(other.next(|_| {}).bundle(), NOW).unwrap_err(), TrustError::Forked { revision: 3 });
    assert!(trust.current().unwrap().is_forked());
    trust.offer(ours.next(|_| {}).bundle(), NOW).unwrap();
    assert!(trust.fork().is_none() && !trust.current().unwrap().is_forked());
}

#[test]
fn a_successor_with_another_predecessor_is_a_fork() {
    let world = World::of(&["tax"], Suite::X25519);
    let mut trust = trusting(&world);
    let strange = world.next(|directory| directory.previous = Some(Digest([7; 32])));
    assert_eq!(trust.offer(strange.bundle(), NOW).unwrap_err(), TrustError::Forked { revision: 2 });
}

#[test]
fn a_later_revision_of_unknown_descent_is_followed_but_does_not_resolve_a_fork() {
    let world = World::of(&["tax"], Suite::X25519);
    let other = world.next(|directory| directory.suite_floor = Suite::XWing);
    let ours = World { directory: world.next(|_| {}), ..clone(&world) };
    let mut trust = trusting(&ours);
    trust.offer(other.bundle(), NOW).unwrap_err();
    let later = ours.next(|directory| {
        directory.revision += 5;
        directory.previous = Some(Digest([7; 32]));
    });
    assert!(matches!(trust.offer(later.bundle(), NOW), Ok(Offer::Adopted(_))));
    assert!(trust.current().unwrap().is_forked() && trust.current().unwrap().revision() == later.revision());
}

#[test]
fn a_header_that_speaks_of_another_directory_raises_the_alarm_without_stopping_anything() {
    let world = World::of(&["tax", "police"], Suite::X25519);
    let trust = trusting(&world);
    let header = sealed(&world, &keyring("tax", Suite::X25519), &["police"], "x").envelope.header().clone();
    assert!(!trust.is_contradicted_by(&header));
    let forked = dmr_core::header::Header { directory_digest: Digest([7; 32]), ..header.clone() };
    assert!(trust.is_contradicted_by(&forked));
    let newer = dmr_core::header::Header { directory_revision: 9, ..forked };
    assert!(!trust.is_contradicted_by(&newer));
    assert!(!trust.current().unwrap().is_forked());
}

/// A directory of this revision by this key, under root version 1 or 2.
fn signed(revision: u64, signer: &str, root: u64) -> String {
    signed_at(revision, signer, root, NOW)
}

/// The same, issued at another time.
fn signed_at(revision: u64, signer: &str, root: u64, issued: Timestamp) -> String {
    let mut directory = first_directory();
    (directory.revision, directory.issued) = (revision, issued);
    let roots = match root {
        1 => {
            Root { directory_keys: vec!["directory key", "directory key 2"], ..Root::first() }.signed_by(&["root key"])
        }
        _ => {
            let first = Root { directory_keys: vec!["directory key", "directory key 2"], ..Root::first() };
            let second = Root { version: 2, directory_keys: vec!["directory key 2"], ..Root::first() };
            first.signed_by(&["root key"]) + &second.signed_by(&["root key"])
        }
    };
    roots + &directory_line(&directory.to_json().unwrap(), signer)
}

#[test]
fn a_stolen_key_that_signed_a_huge_revision_cannot_freeze_the_network_after_it_was_dropped() {
    let mut trust = DirectoryTrust::new(pin(&["root key"], 1));
    trust.offer(signed(5, "directory key 2", 1).as_bytes(), NOW).unwrap();
    trust.offer(signed(1 << 63, "directory key", 1).as_bytes(), NOW).unwrap();
    let known = 1 << 63;
    let frozen = trust.offer(signed(6, "directory key 2", 1).as_bytes(), NOW).unwrap_err();
    assert_eq!(frozen, TrustError::Rollback { known, found: 6 });
    assert!(trust.offer(signed(6, "directory key 2", 2).as_bytes(), NOW).is_ok());
    assert_eq!(trust.current().unwrap().revision(), 6);
    let stolen = trust.offer(signed(u64::MAX, "directory key", 1).as_bytes(), NOW).unwrap_err();
    assert_eq!(stolen, TrustError::RootRollback { known: 2, found: 1 });
}

#[test]
fn the_remaining_key_cannot_roll_back_behind_its_own_revisions() {
    let mut trust = DirectoryTrust::new(pin(&["root key"], 1));
    trust.offer(signed(5, "directory key 2", 1).as_bytes(), NOW).unwrap();
    trust.offer(signed(1 << 63, "directory key", 1).as_bytes(), NOW).unwrap();
    let rollback = trust.offer(signed(4, "directory key 2", 2).as_bytes(), NOW).unwrap_err();
    assert_eq!(rollback, TrustError::Rollback { known: 5, found: 4 });
}

#[test]
fn a_dropped_key_opens_no_way_back_in_time_even_after_a_restart() {
    let mut trust = DirectoryTrust::new(pin(&["root key"], 1));
    trust.offer(signed(5, "directory key 2", 1).as_bytes(), NOW).unwrap();
    let later = NOW.plus(Duration::from_secs(60));
    let huge = signed_at(1 << 63, "directory key", 1, later);
    trust.offer(huge.as_bytes(), later).unwrap();
    // What is kept over a restart is the directory in use; that the other key signed revision 5 is forgotten.
    let mut restarted = DirectoryTrust::new(pin(&["root key"], 1));
    restarted.restore(huge.as_bytes(), later).unwrap();
    let (known, later) = (1 << 63, later.plus(Duration::from_secs(60)));
    for old in [4, 5, 6] {
        let error = restarted.offer(signed(old, "directory key 2", 2).as_bytes(), later).unwrap_err();
        assert_eq!(error, TrustError::Rollback { known, found: old });
    }
    assert!(restarted.offer(signed_at(6, "directory key 2", 2, later).as_bytes(), later).is_ok());
    assert_eq!(restarted.current().unwrap().revision(), 6);
}

#[test]
fn two_root_documents_of_one_version_are_refused() {
    let mut trust = DirectoryTrust::new(pin(&["root key"], 1));
    trust.offer(bundle(&first_directory()).as_bytes(), NOW).unwrap();
    let mut second = first_directory();
    second.revision = 2;
    let other = Root { expires: Root::END + 1, ..Root::first() }.signed_by(&["root key"])
        + &directory_line(&second.to_json().unwrap(), "directory key");
    assert_eq!(trust.offer(other.as_bytes(), NOW).unwrap_err(), TrustError::RootForked { version: 1 });
}
