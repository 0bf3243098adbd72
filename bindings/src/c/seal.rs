//! Sealing.

use std::ffi::c_char;

use bytes::Bytes;
use dmr_core::codec::EncodeError;
use dmr_core::content::{Content, Message, Reference};
use dmr_core::header::Kind;
use dmr_core::id::{Digest, MessageId, ParticipantId};
use dmr_core::limit;
use dmr_core::time::Timestamp;
use dmr_crypto::SealRequest;
use zeroize::Zeroizing;

use super::argument::{Caller, plain};
use super::boundary::{Failure, boundary, dmr_status};
use super::bytes::dmr_bytes;
use super::directory::dmr_directory;
use super::handle::Handle;
use super::id::{dmr_digest, dmr_id, dmr_reference};
use super::keys::dmr_keys;

/// Asks for an answer.
pub const DMR_KIND_QUESTION: u16 = 1;
/// Answers a question, which `in_reply_to` names.
pub const DMR_KIND_ANSWER: u16 = 2;
/// Says that a question, which `in_reply_to` names, will not be answered.
pub const DMR_KIND_DECLINE: u16 = 3;
/// Tells something and expects no answer.
pub const DMR_KIND_EVENT: u16 = 4;
/// Says what became of envelopes: see `dmr_receipts_encode`.
pub const DMR_KIND_RECEIPT: u16 = 5;
/// Between agents, about the exchange itself.
pub const DMR_KIND_CONTROL: u16 = 6;

/// A message to be sealed. Start from all zeros; a field whose `has_…` is 0 is not there, whatever it holds. Everything
/// stays the caller's.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_content {
    /// Media type of the body, ending in zero.
    pub content_type: *const c_char,
    /// The message itself; may be null when `body_len` is 0.
    pub body: *const u8,
    /// Bytes of the body; about 1 MiB at most.
    pub body_len: usize,
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

/// What an envelope is for, and for whom. Start from all zeros; everything stays the caller's.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_seal_request {
    /// Who shall open it: 1 to 64 participants, none twice, in any order.
    pub recipients: *const dmr_id,
    /// How many recipients.
    pub recipient_count: usize,
    /// Now, in milliseconds since 1970.
    pub created_ms: u64,
    /// After this it is not delivered, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Unique for the sender; sixteen zeros: a fresh one is made.
    pub id: dmr_id,
    /// `DMR_KIND_…`, or a number of the callers' own from 7 up.
    pub kind: u16,
}

/// A sealed envelope. Freed with `dmr_sealed_free`.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_sealed {
    /// What travels.
    pub envelope: dmr_bytes,
    /// Its id.
    pub id: dmr_id,
    /// Names it in receipts and answers.
    pub digest: dmr_digest,
}

plain!(dmr_content, dmr_seal_request, dmr_sealed);

impl TryFrom<dmr_reference> for Reference {
    type Error = dmr_core::id::IdError;
    fn try_from(reference: dmr_reference) -> Result<Self, Self::Error> {
        Ok(Self { id: reference.id.try_into()?, digest: Digest(reference.digest.bytes) })
    }
}

fn content(caller: &Caller, content: &dmr_content) -> Result<Content, Failure> {
    let too_long = |len| EncodeError::TooLong { len, limit: limit::MESSAGE };
    if content.body_len > limit::MESSAGE {
        return Err(too_long(content.body_len).into());
    }
    let body = caller.bytes(content.body, content.body_len, "content.body")?;
    let content_type = caller.text(content.content_type, limit::MESSAGE, "content.content_type")?;
    let id = |has: u8, id: dmr_id| (has != 0).then_some(id);
    Ok(Content::V1(Message {
        content_type: content_type.to_owned(),
        conversation: id(content.has_conversation, content.conversation).map(TryInto::try_into).transpose()?,
        sequence: (content.has_sequence != 0).then_some(content.sequence),
        room: id(content.has_room, content.room).map(TryInto::try_into).transpose()?,
        in_reply_to: (content.has_in_reply_to != 0).then(|| content.in_reply_to.try_into()).transpose()?,
        // The copy is wiped when it was sealed.
        body: Bytes::from_owner(Zeroizing::new(body.to_vec())),
    }))
}

/// Seals and signs a message. Each call makes other bytes: what is to be sent again is kept, not sealed again.
///
/// `keys`: the sender's. `directory`: under which it is sealed. `request`, `content`: what, and for whom. `sealed`: to be
/// freed with `dmr_sealed_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_seal(
    keys: *const dmr_keys,
    directory: *const dmr_directory,
    request: *const dmr_seal_request,
    content: *const dmr_content,
    sealed: *mut dmr_sealed,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let sealed = caller.out(sealed, "sealed")?;
            let (keys, directory) = (dmr_keys::get(keys)?, dmr_directory::get(directory)?);
            let request = caller.one(request, "request")?;
            let count = request.recipient_count;
            if count > limit::RECIPIENTS {
                return Err(dmr_crypto::SealError::RecipientCount { count }.into());
            }
            let recipients = caller.many(request.recipients, count, limit::RECIPIENTS, "request.recipients")?;
            let recipients = recipients.iter().map(|id| ParticipantId::try_from(*id)).collect::<Result<Vec<_>, _>>()?;
            let content = self::content(caller, caller.one(content, "content")?)?;
            let created = Timestamp(request.created_ms);
            let id = match request.id {
                dmr_id::NONE => dmr_crypto::fresh_message_id(created)?,
                id => MessageId::try_from(id)?,
            };
            let request = SealRequest {
                id,
                kind: Kind(request.kind),
                recipients: &recipients,
                created,
                expires: Timestamp(request.expires_ms),
                content: &content,
            };
            let made = dmr_crypto::seal(&keys, &directory, request)?;
            sealed.put(dmr_sealed {
                envelope: dmr_bytes::copy_of(made.envelope.bytes()),
                id: id.into(),
                digest: made.digest.into(),
            });
            Ok(())
        })
    }
}

/// Frees what `sealed` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must not be
/// freed as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_sealed_free(sealed: *mut dmr_sealed) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            Ok(caller.change(sealed, "sealed", |sealed| {
                sealed.envelope.release();
                *sealed =
                    dmr_sealed { envelope: dmr_bytes::NONE, id: dmr_id::NONE, digest: dmr_digest { bytes: [0; 32] } };
            })?)
        })
    }
}
