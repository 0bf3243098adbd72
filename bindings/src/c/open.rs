//! Opening, and verifying alone.

use bytes::Bytes;
use dmr_core::codec::DecodeError;
use dmr_core::content::{Content, Reference};
use dmr_core::envelope::Envelope;
use dmr_core::limit;
use dmr_core::time::Timestamp;
use dmr_crypto::{OpenError, verify_envelope};
use zeroize::Zeroize;

use super::argument::{Caller, plain};
use super::boundary::{Failure, boundary, dmr_status};
use super::bytes::{dmr_bytes, wipe};
use super::directory::dmr_directory;
use super::handle::Handle;
use super::id::{dmr_digest, dmr_id, dmr_reference};
use super::keys::dmr_keys;

/// What a verified signature vouches for.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_facts {
    /// Names the envelope in receipts, in answers, and for a guard against replays.
    pub digest: dmr_digest,
    /// Its id.
    pub id: dmr_id,
    /// Who sealed it.
    pub sender: dmr_id,
    /// When it was sealed, by the sender's clock, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: u64,
    /// `DMR_KIND_…`, or another number, which is treated like an event.
    pub kind: u16,
}

/// An opened message. A field whose `has_…` is 0 is not there. Freed with `dmr_opened_free`, which wipes it.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_opened {
    /// Where it comes from. Remember digests by sender and id until they expire: the same envelope opens again.
    pub facts: dmr_facts,
    /// Media type of the body: UTF-8, and a zero behind it. Its `data` is not null, also when it is empty.
    pub content_type: dmr_bytes,
    /// The message itself.
    pub body: dmr_bytes,
    /// Not 0: `conversation` counts.
    pub has_conversation: u8,
    /// Not 0: `sequence` counts.
    pub has_sequence: u8,
    /// Not 0: `room` counts.
    pub has_room: u8,
    /// Not 0: `in_reply_to` counts.
    pub has_in_reply_to: u8,
    /// Conversation that the message belongs to.
    pub conversation: dmr_id,
    /// Position in the conversation, from 0.
    pub sequence: u64,
    /// Room that the message belongs to.
    pub room: dmr_id,
    /// The envelope that this one answers.
    pub in_reply_to: dmr_reference,
}

plain!(dmr_facts, dmr_opened);

impl From<Reference> for dmr_reference {
    fn from(reference: Reference) -> Self {
        Self { id: reference.id.into(), digest: reference.digest.into() }
    }
}

const NO_REFERENCE: dmr_reference = dmr_reference { id: dmr_id::NONE, digest: dmr_digest { bytes: [0; 32] } };

/// The envelope in these bytes of the caller's.
pub(crate) fn decode(caller: &Caller, data: *const u8, len: usize) -> Result<Envelope, Failure> {
    if len > limit::ENVELOPE {
        return Err(DecodeError::TooLong { len, limit: limit::ENVELOPE }.into());
    }
    Ok(Envelope::decode(Bytes::copy_from_slice(caller.bytes(data, len, "envelope")?))?)
}

/// Opens an envelope as the participant of `keys`, checking everything about its sender first.
///
/// `keys`: the recipient's. `directory`: the newest there is. `envelope`, `len`: as it came. `now_ms`: milliseconds since
/// 1970. `opened`: to be freed with `dmr_opened_free`. On an error nothing of the message gets out; for
/// `DMR_VERIFY_STALE_DIRECTORY`, `DMR_VERIFY_UNKNOWN_SENDER_KEY`, `DMR_VERIFY_DIRECTORY_FORKED` and
/// `DMR_VERIFY_UNKNOWN_RECIPIENT` a newer directory may help.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_open(
    keys: *const dmr_keys,
    directory: *const dmr_directory,
    envelope: *const u8,
    len: usize,
    now_ms: u64,
    opened: *mut dmr_opened,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let out = caller.out(opened, "opened")?;
            let (keys, directory) = (dmr_keys::get(keys)?, dmr_directory::get(directory)?);
            let envelope = decode(caller, envelope, len)?;
            let opened = dmr_crypto::open(&keys, &directory, &envelope, Timestamp(now_ms))?;
            let Content::V1(mut message) = opened.content else { return Err(OpenError::Malformed.into()) };
            let header = envelope.header();
            out.put(dmr_opened {
                facts: dmr_facts {
                    digest: opened.digest.into(),
                    id: opened.id.into(),
                    sender: opened.sender.into(),
                    created_ms: header.created.0,
                    expires_ms: opened.expires.0,
                    kind: header.kind.0,
                },
                content_type: dmr_bytes::text(&message.content_type),
                body: dmr_bytes::copy_of(&message.body),
                has_conversation: message.conversation.is_some().into(),
                has_sequence: message.sequence.is_some().into(),
                has_room: message.room.is_some().into(),
                has_in_reply_to: message.in_reply_to.is_some().into(),
                conversation: message.conversation.map_or(dmr_id::NONE, Into::into),
                sequence: message.sequence.unwrap_or(0),
                room: message.room.map_or(dmr_id::NONE, Into::into),
                in_reply_to: message.in_reply_to.map_or(NO_REFERENCE, Into::into),
            });
            // The caller has its own copy of both now.
            message.content_type.zeroize();
            if let Ok(mut body) = message.body.try_into_mut() {
                wipe(&mut body);
            }
            Ok(())
        })
    }
}

/// Wipes and frees what `opened` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must
/// not be freed as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_opened_free(opened: *mut dmr_opened) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            caller.change(opened, "opened", |opened| {
                opened.content_type.release();
                opened.body.release();
            })?;
            caller.out(opened, "opened")?;
            Ok(())
        })
    }
}

/// Checks everything about the sender of an envelope, as a relay does: it takes no secret, and opens nothing.
///
/// As for `dmr_open`. `facts`: nothing in it needs freeing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_verify(
    directory: *const dmr_directory,
    envelope: *const u8,
    len: usize,
    now_ms: u64,
    facts: *mut dmr_facts,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let out = caller.out(facts, "facts")?;
            let directory = dmr_directory::get(directory)?;
            let envelope = decode(caller, envelope, len)?;
            let facts = verify_envelope(&envelope, &directory, Timestamp(now_ms))?;
            out.put(dmr_facts {
                digest: facts.digest.into(),
                id: facts.id.into(),
                sender: facts.sender.into(),
                created_ms: envelope.header().created.0,
                expires_ms: facts.expires.0,
                kind: envelope.header().kind.0,
            });
            Ok(())
        })
    }
}
