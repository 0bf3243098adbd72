//! What is changed, forged, spliced or passed on does not open. Each way is a test of its own.

use std::time::Duration;

use dmr_core::envelope::Envelope;
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::{Digest, KeyCommitment, KeyId};
use dmr_core::reason::RejectReason;
use dmr_crypto::{OpenError, VerifyError, open, verify_envelope};

use super::{open_as, police, refused, tax, world};
use crate::reference::{self, Draft, Parts};
use crate::world::{NOW, World, content, id, keyring, message_id, sealed, seed, signing_key};

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
fn a_wrap_dropped_or_added_together_with_its_recipient_is_rejected() {
    let world = world();
    let both = Parts::of(&sealed(&world, &tax(), &["police", "press"], "a question").envelope);
    let one = Parts::of(&sealed(&world, &tax(), &["police"], "a question").envelope);
    let position = Header::decode(&both.header).unwrap().recipients.position(id("press")).unwrap();
    let press = Header::decode(&both.header).unwrap().recipients.as_slice()[position];

    let mut dropped = both.clone().with_header(|header| {
        let rest = header.recipients.as_slice().iter().copied().filter(|recipient| *recipient != press);
        header.recipients = Recipients::new(rest.collect()).unwrap();
    });
    dropped.wraps.remove(position);
    let mut added = one.with_header(|header| {
        let all = header.recipients.as_slice().iter().copied().chain([press]);
        header.recipients = Recipients::new(all.collect()).unwrap();
    });
    added.wraps.insert(position, both.wraps[position].clone());
    for (what, changed) in [("dropped", dropped), ("added", added)] {
        assert_eq!(open_as(&world, &police(), &changed.envelope()), refused(VerifyError::BadSignature), "{what}");
        // Not even the sender can change who reads it without sealing again.
        let signed = changed.signed_by(&signing_key("tax")).envelope();
        assert_eq!(open_as(&world, &police(), &signed), Err(OpenError::Undecryptable), "{what}");
    }
}

#[test]
fn a_recipient_who_seals_it_again_to_a_third_party_cannot_keep_its_authors_name() {
    // The police opened it, so it has the content key, and makes everything anew for the press but the signature.
    let world = world();
    let content = content("a question").encode().unwrap();
    let to_police = Draft::new(&world.directory, Suite::XWing, "tax", &["police"], &content);
    let to_press = Draft::new(&world.directory, Suite::XWing, "tax", &["press"], &content);
    let press = keyring("press", Suite::XWing);
    assert_eq!(open_as(&world, &press, &to_press.envelope()), Ok("a question".into()), "if tax had signed it");

    let signature = to_police.seal().parts.signature;
    let old_signature = Parts { signature, ..to_press.seal().parts };
    let own_signature = to_press.seal().parts.signed_by(&signing_key("police"));
    for resealed in [old_signature, own_signature] {
        assert_eq!(open_as(&world, &press, &resealed.envelope()), refused(VerifyError::BadSignature));
    }
    let mut as_police = Draft::new(&world.directory, Suite::XWing, "police", &["press"], &content);
    as_police.content_key = to_police.content_key;
    as_police.header.key_commitment = to_police.header.key_commitment;
    let opened = open(&press, &world.directory, &as_police.envelope(), NOW).unwrap();
    assert_eq!(opened.sender, id("police"), "it is a message of the police's own");
}

#[test]
fn every_header_field_is_covered_by_the_signature() {
    let world = world();
    let parts = Parts::of(&sealed(&world, &tax(), &["police", "press"], "a question").envelope);
    let press = parts.clone().envelope().header().recipients.as_slice()[1];
    let police_key = police().signing_key(&world.directory, NOW).unwrap().id();
    type Change = Box<dyn Fn(&mut Header)>;
    let changes: Vec<(&str, Change)> = vec![
        ("sender and its key", Box::new(move |header| (header.sender, header.sender_key) = (id("police"), police_key))),
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
    // The lengths of its wraps give it away, whoever signs.
    let header = parts.clone().with_header(|header| header.suite = Suite::X25519).header;
    assert!(Envelope::encode(&header, &parts.wraps, &parts.body, &parts.signature).is_err());
}

#[test]
fn all_who_open_an_envelope_open_the_same_text() {
    // A sender who wraps one key to one recipient and another key to another can commit to one of them only.
    let world = world();
    let parts = Parts::of(&sealed(&world, &tax(), &["police", "press"], "a question").envelope);
    let header_hash = reference::sha256(&parts.header);
    let recipients = Header::decode(&parts.header).unwrap().recipients;
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
