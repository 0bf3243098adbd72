//! Identifiers as C has them: fixed numbers of bytes.

use std::ffi::c_char;

use dmr_core::id::{Digest, IdError, MessageId, Name, ParticipantId};
use dmr_core::time::Timestamp;
use dmr_crypto::answer_id;

use super::argument::{Caller, plain};
use super::boundary::{Failure, boundary, dmr_status};
use super::bytes::fixed_text;
use crate::CallError;

/// Room for an id as text, with the zero.
pub const DMR_ID_TEXT: usize = 37;

/// A UUID (RFC 9562) of a participant, a message, a conversation, a room, an instance, a session or a store. Sixteen
/// zeros name nothing.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct dmr_id {
    /// The bytes, in the order in which they are written.
    pub bytes: [u8; 16],
}

/// A SHA-256 that names an envelope or a directory.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct dmr_digest {
    /// The bytes.
    pub bytes: [u8; 32],
}

/// The name of a network, a participant or a server: 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or a digit.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_name {
    /// The name and a zero.
    pub text: [c_char; 65],
}

/// Names one envelope beyond doubt.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct dmr_reference {
    /// The envelope's id.
    pub id: dmr_id,
    /// The digest of what its sender signed.
    pub digest: dmr_digest,
}

plain!(dmr_id, dmr_digest, dmr_name, dmr_reference);

macro_rules! ids {
    ($($type:ty),*) => {$(
        impl From<$type> for dmr_id {
            fn from(id: $type) -> Self {
                Self { bytes: *id.as_bytes() }
            }
        }

        impl TryFrom<dmr_id> for $type {
            type Error = IdError;
            fn try_from(id: dmr_id) -> Result<Self, IdError> {
                Self::from_bytes(id.bytes)
            }
        }
    )*};
}

ids!(
    ParticipantId,
    MessageId,
    dmr_core::id::ConversationId,
    dmr_core::id::RoomId,
    dmr_core::id::InstanceId,
    dmr_core::id::SessionId,
    dmr_core::id::StoreId
);

impl dmr_id {
    pub(crate) const NONE: Self = Self { bytes: [0; 16] };
}

impl From<Digest> for dmr_digest {
    fn from(digest: Digest) -> Self {
        Self { bytes: digest.0 }
    }
}

impl From<&Name> for dmr_name {
    fn from(name: &Name) -> Self {
        Self { text: fixed_text(name.as_str()) }
    }
}

impl Caller {
    /// The id at `id`.
    pub(crate) fn id<T: TryFrom<dmr_id, Error = IdError>>(
        &self,
        id: *const dmr_id,
        argument: &'static str,
    ) -> Result<T, Failure> {
        Ok(T::try_from(*self.one(id, argument)?)?)
    }
}

/// `N` random bytes of the system's.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], dmr_crypto::RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| dmr_crypto::RandomError)?;
    Ok(bytes)
}

/// A fresh message id, made of the time and randomness, so that ids ascend roughly with time.
///
/// `now_ms`: milliseconds since 1970.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_id_fresh(now_ms: u64, id: *mut dmr_id) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            caller.out(id, "id")?.put(dmr_crypto::fresh_message_id(Timestamp(now_ms))?.into());
            Ok(())
        })
    }
}

/// The id that `text` writes, in 36 characters and a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_id_parse(text: *const c_char, id: *mut dmr_id) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let id = caller.out(id, "id")?;
            let text = caller.text(text, DMR_ID_TEXT, "text")?;
            id.put(text.parse::<ParticipantId>()?.into());
            Ok(())
        })
    }
}

/// Writes an id as text: 36 characters and a zero.
///
/// `buffer`: room for `len` characters. `DMR_CALL_WRONG_LENGTH` for fewer than `DMR_ID_TEXT`, and an empty text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_id_text(id: *const dmr_id, buffer: *mut c_char, len: usize) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let room = caller.room(buffer, len, "buffer")?;
            if len < DMR_ID_TEXT {
                return Err(CallError::WrongLength { argument: "buffer", len, expected: DMR_ID_TEXT }.into());
            }
            room.write(&caller.id::<ParticipantId>(id, "id")?.to_string());
            Ok(())
        })
    }
}

/// The id of a participant's answer to a question. However often it is asked, it has one answer.
///
/// `question`: the question's id. `answering`: who answers. `answer`: the id under which to seal it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_answer_id(
    question: *const dmr_id,
    answering: *const dmr_id,
    answer: *mut dmr_id,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let answer = caller.out(answer, "answer")?;
            let id = answer_id(caller.id(question, "question")?, caller.id(answering, "answering")?);
            answer.put(id.into());
            Ok(())
        })
    }
}
