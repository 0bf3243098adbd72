//! Every decoder against its own values, against every truncation and many mutations of them, and against noise.

mod any_bytes;
mod text;
pub(crate) mod values;

use bytes::Bytes;
use dmr_core::codec::{self, DecodeError};
use dmr_core::content::{Content, Receipts};
use dmr_core::envelope::Envelope;
use dmr_core::frame::{AgentFrame, AuthFields, Challenge, ServerFrame};
use dmr_core::header::Header;
use dmr_core::limit;
use proptest::prelude::*;
use proptest::sample::Index;

/// A small injury to an encoding.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Repeat(Index, Index),
}

impl Mutation {
    fn any() -> impl Strategy<Value = Self> {
        let index = any::<Index>;
        // Low bytes are variant numbers and short lengths, high ones the marks of longer integers.
        let byte = || prop_oneof![any::<u8>(), 0_u8..8, 248_u8..=255];
        prop_oneof![
            (index(), 0_u8..8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            (index(), byte()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (index(), byte()).prop_map(|(at, byte)| Self::Insert(at, byte)),
            index().prop_map(Self::Remove),
            index().prop_map(Self::Truncate),
            (index(), index()).prop_map(|(from, to)| Self::Repeat(from, to)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        if len == 0 {
            return;
        }
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(len))),
            Self::Truncate(at) => bytes.truncate(at.index(len)),
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(len), to.index(len));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
        }
    }
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    proptest::collection::vec(Mutation::any(), 1..6)
}

/// No proper beginning of an encoding is one: all of them when it is short, both ends of it when it is long.
fn truncations_are_refused(bytes: &[u8], accepts: fn(&[u8]) -> bool) {
    let (ends, middle) = (0..bytes.len(), 200..bytes.len().saturating_sub(200));
    for len in ends.filter(|len| !middle.contains(len)) {
        assert!(!accepts(&bytes[..len]), "accepted the first {len} of {} bytes", bytes.len());
    }
}

macro_rules! decoders {
    ($($name:ident: $type:ty, $encode:expr, $decode:expr;)*) => {$(
        mod $name {
            use super::*;

            proptest! {
                #[test]
                fn a_value_survives_its_encoding_and_no_part_of_it_is_taken_for_a_value(value in values::$name()) {
                    let encode: fn(&$type) -> Bytes = $encode;
                    let decode: fn(Bytes) -> $type = $decode;
                    let bytes = encode(&value);
                    prop_assert!(any_bytes::$name(&bytes));
                    truncations_are_refused(&bytes, any_bytes::$name);
                    prop_assert_eq!(decode(bytes), value);
                }

                #[test]
                fn a_mutated_encoding_is_refused_or_canonical(value in values::$name(), mutations in mutations()) {
                    let encode: fn(&$type) -> Bytes = $encode;
                    let mut bytes = encode(&value).to_vec();
                    for mutation in &mutations {
                        mutation.apply(&mut bytes);
                    }
                    any_bytes::$name(&bytes);
                }

                #[test]
                fn noise_is_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
                    any_bytes::$name(&bytes);
                }
            }
        }
    )*};
}

decoders! {
    agent_frame: AgentFrame, |frame| frame.encode().unwrap(), |bytes| AgentFrame::decode(&bytes).unwrap();
    server_frame: ServerFrame, |frame| frame.encode().unwrap(), |bytes| ServerFrame::decode(&bytes).unwrap();
    auth_fields: AuthFields, |fields| fields.encode().unwrap(), |bytes| AuthFields::decode(&bytes).unwrap();
    challenge: Challenge, |challenge| challenge.encode().unwrap(), |bytes| Challenge::decode(&bytes).unwrap();
    header: Header, |header| header.encode().unwrap(), |bytes| Header::decode(&bytes).unwrap();
    envelope: Envelope, |envelope| envelope.bytes().clone(), |bytes| Envelope::decode(bytes).unwrap();
    content: Content, |content| content.encode().unwrap().into(), |bytes| Content::decode(&bytes).unwrap();
    receipts: Receipts, |receipts| codec::encode(receipts).unwrap().into(), |bytes| Receipts::V1(Receipts::decode(&bytes).unwrap());
}

#[test]
fn a_long_envelope_shares_the_frame_it_came_in_and_a_short_one_does_not() {
    for (len, shared) in [(100, false), (20_000, true), (limit::ENVELOPE, true)] {
        let publish = AgentFrame::Publish { envelope: vec![7; len].into() }.encode().unwrap();
        let frame = AgentFrame::decode_shared(&publish);
        let inside = |envelope: &Bytes| publish.as_ptr_range().contains(&envelope.as_ptr());
        assert!(matches!(frame, Ok(AgentFrame::Publish { envelope }) if inside(&envelope) == shared), "{len}");
    }
}

#[test]
fn more_bytes_than_the_limit_are_refused_unread() {
    let too_long = |limit| Err(DecodeError::TooLong { len: limit + 1, limit });
    let zeros = |limit: usize| vec![0; limit + 1];
    assert_eq!(AgentFrame::decode(&zeros(limit::FRAME)).map(drop), too_long(limit::FRAME));
    assert_eq!(ServerFrame::decode(&zeros(limit::FRAME)).map(drop), too_long(limit::FRAME));
    assert_eq!(AuthFields::decode(&zeros(limit::LOGIN_FRAME)).map(drop), too_long(limit::LOGIN_FRAME));
    assert_eq!(Challenge::decode(&zeros(limit::LOGIN_FRAME)).map(drop), too_long(limit::LOGIN_FRAME));
    assert_eq!(Header::decode(&zeros(limit::HEADER)).map(drop), too_long(limit::HEADER));
    assert_eq!(Content::decode(&zeros(limit::MESSAGE)).map(drop), too_long(limit::MESSAGE));
    assert_eq!(Envelope::decode(zeros(limit::ENVELOPE).into()).map(drop), too_long(limit::ENVELOPE));
}

#[test]
fn what_is_too_long_is_not_encoded_either() {
    assert!(AgentFrame::Publish { envelope: vec![0; limit::FRAME].into() }.encode().is_err());
    assert!(AgentFrame::Publish { envelope: vec![0; limit::ENVELOPE].into() }.encode().is_ok());
}

#[test]
fn a_receipt_message_holds_one_to_sixty_four_receipts() {
    let invalid = Err(DecodeError::Invalid("a receipt message holds 1 to 64 receipts"));
    let one = crate::golden::receipt();
    let of = |count| Receipts::decode(&codec::encode(&Receipts::V1(vec![one; count])).unwrap());
    assert_eq!(of(0), invalid);
    assert_eq!(of(1).map(|receipts| receipts.len()), Ok(1));
    assert_eq!(of(64).map(|receipts| receipts.len()), Ok(64));
    assert_eq!(of(65), invalid);
}

#[test]
fn an_error_about_a_content_quotes_none_of_it() {
    let canary = b"correct horse battery staple";
    let mut bytes = vec![0, u8::try_from(canary.len()).unwrap()];
    bytes.extend_from_slice(canary);
    bytes.extend_from_slice(&[9; 40]);
    let error = Content::decode(&bytes).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("horse"), "{error:?}");
}
