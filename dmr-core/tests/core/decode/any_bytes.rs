//! What must hold of any bytes whatever. Plain functions, so that a fuzz target is one call; each says whether the
//! bytes were accepted.

use bytes::Bytes;
use dmr_core::codec::{self, DecodeError};
use dmr_core::content::{Content, Receipts};
use dmr_core::envelope::Envelope;
use dmr_core::frame::{AgentFrame, AuthFields, Challenge, ServerFrame};
use dmr_core::header::Header;

/// An agent's frame: accepted bytes are its one encoding, and sharing makes no difference.
pub(crate) fn agent_frame(bytes: &[u8]) -> bool {
    let shared = AgentFrame::decode_shared(&Bytes::copy_from_slice(bytes));
    assert_eq!(AgentFrame::decode(bytes), shared);
    accepted(bytes, shared, |frame| frame.encode().unwrap())
}

/// A server's frame, likewise.
pub(crate) fn server_frame(bytes: &[u8]) -> bool {
    let shared = ServerFrame::decode_shared(&Bytes::copy_from_slice(bytes));
    assert_eq!(ServerFrame::decode(bytes), shared);
    accepted(bytes, shared, |frame| frame.encode().unwrap())
}

/// What a login signs.
pub(crate) fn auth_fields(bytes: &[u8]) -> bool {
    accepted(bytes, AuthFields::decode(bytes), |fields| fields.encode().unwrap())
}

/// What a server sends first.
pub(crate) fn challenge(bytes: &[u8]) -> bool {
    accepted(bytes, Challenge::decode(bytes), |challenge| challenge.encode().unwrap())
}

/// A header.
pub(crate) fn header(bytes: &[u8]) -> bool {
    accepted(bytes, Header::decode(bytes), |header| header.encode().unwrap())
}

/// An envelope: the parts it shows make the same envelope again.
pub(crate) fn envelope(bytes: &[u8]) -> bool {
    accepted(bytes, Envelope::decode(Bytes::copy_from_slice(bytes)), |envelope| {
        assert_eq!(envelope.header().encode().unwrap(), envelope.header_bytes());
        assert_eq!(envelope.wraps().len(), envelope.header().recipients.as_slice().len());
        let again =
            Envelope::encode(envelope.header_bytes(), envelope.wraps(), envelope.body(), envelope.signature()).unwrap();
        assert_eq!(&again, envelope);
        again.bytes().clone()
    })
}

/// A sealed content.
pub(crate) fn content(bytes: &[u8]) -> bool {
    accepted(bytes, Content::decode(bytes), |content| content.encode().unwrap().into())
}

/// The body of a receipt message.
pub(crate) fn receipts(bytes: &[u8]) -> bool {
    accepted(bytes, Receipts::decode(bytes), |receipts| codec::encode(&Receipts::V1(receipts.clone())).unwrap().into())
}

/// What every decoder here has in common.
fn accepted<T>(bytes: &[u8], decoded: Result<T, DecodeError>, encode: impl Fn(&T) -> Bytes) -> bool {
    match decoded {
        Ok(value) => {
            assert_eq!(encode(&value), bytes, "accepted bytes that are not the value's encoding");
            true
        }
        Err(error) => {
            assert!(error.to_string().len() <= 300, "an error as long as its input");
            false
        }
    }
}
