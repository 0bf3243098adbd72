//! The binary encoding: bincode's standard configuration, read strictly. The one file that names bincode.
//!
//! A value has exactly one encoding here: input with trailing bytes, an unknown variant, a non-minimal
//! integer or anything else that differs from its own re-encoding is refused. The re-encoding is compared,
//! never used: what was sent is what is signed, hashed and verified.

use bincode::config::{Config, Configuration, standard};
use bincode::enc::write::Writer;
use serde::{Deserialize, Serialize};

use crate::limit;

/// Why bytes are not the encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than the kind of value may have.
    #[error("{len} bytes, {limit} allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bytes end too early, name an unknown variant, or break a rule of the type.
    #[error("malformed: {0}")]
    Malformed(Box<str>),
    /// Bytes follow the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// The value has a shorter or other encoding than the one given.
    #[error("not the canonical encoding")]
    NotCanonical,
    /// The value is well formed and breaks a rule of its type.
    #[error("invalid: {0}")]
    Invalid(&'static str),
}

/// A value that cannot be encoded, or is longer encoded than it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The type has no binary encoding.
    #[error("cannot be encoded: {0}")]
    Unsupported(Box<str>),
    /// The encoding is longer than its kind of value may be.
    #[error("{len} bytes encoded, {limit} allowed")]
    TooLong {
        /// Bytes of the encoding.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

const CONFIG: Configuration = standard();

/// bincode allocates a text or byte string at the length it claims, before it looks whether the input is that long;
/// what is claimed in all is bounded by a constant in the configuration. A byte of input is a claim of at most
/// sixteen (an integer of 128 bits).
const CLAIM: usize = 16;
/// Input up to this length, which is all that a stranger can send, claims at most 64 KiB.
const SHORT: usize = limit::LOGIN_FRAME;
/// No input is longer.
const LONG: usize = limit::FRAME;

/// The encoding of `value`.
///
/// # Errors
/// [`EncodeError::Unsupported`] when serde's model of the value has no binary form, such as a sequence of unknown length.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    bincode::serde::encode_to_vec(value, CONFIG).map_err(|error| EncodeError::Unsupported(error.to_string().into()))
}

/// Writes the encoding of `value` behind what `bytes` hold, so that a long value with room made for it is copied once.
///
/// # Errors
/// As for [`encode`]; `bytes` then end in a part of the encoding.
pub fn encode_behind<T: Serialize>(bytes: &mut Vec<u8>, value: &T) -> Result<(), EncodeError> {
    bincode::serde::encode_into_writer(value, Behind(bytes), CONFIG)
        .map_err(|error| EncodeError::Unsupported(error.to_string().into()))
}

/// The value that `bytes` encode; it may borrow from them.
///
/// # Errors
/// [`DecodeError`] for more than `limit` bytes (at most [`limit::FRAME`]) and for anything but the one encoding of a value.
pub fn decode<'a, T: Deserialize<'a> + Serialize>(bytes: &'a [u8], limit: usize) -> Result<T, DecodeError> {
    let limit = limit.min(LONG);
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { len: bytes.len(), limit });
    }
    let (value, used) = if bytes.len() <= SHORT {
        read(bytes, CONFIG.with_limit::<{ CLAIM * SHORT }>())?
    } else {
        read(bytes, CONFIG.with_limit::<{ CLAIM * LONG }>())?
    };
    if used != bytes.len() {
        return Err(DecodeError::Trailing(bytes.len() - used));
    }
    let mut rest = Comparison { expected: bytes };
    bincode::serde::encode_into_writer(&value, &mut rest, CONFIG).map_err(|_| DecodeError::NotCanonical)?;
    if rest.expected.is_empty() { Ok(value) } else { Err(DecodeError::NotCanonical) }
}

/// The value at the start of `bytes`, and how many of them it takes.
fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8], config: impl Config) -> Result<(T, usize), DecodeError> {
    bincode::serde::borrow_decode_from_slice(bytes, config)
        .map_err(|error| DecodeError::Malformed(error.to_string().into()))
}

/// A writer that appends.
struct Behind<'a>(&'a mut Vec<u8>);

impl Writer for Behind<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// A writer that accepts only the bytes it expects.
struct Comparison<'a> {
    expected: &'a [u8],
}

impl Writer for Comparison<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        // Ids and digests come byte by byte.
        if let ([byte], [expected, rest @ ..]) = (bytes, self.expected)
            && byte == expected
        {
            self.expected = rest;
            return Ok(());
        }
        match self.expected.split_at_checked(bytes.len()) {
            // What a value borrows from the input lies where it is expected, and need not be read again to be equal.
            Some((same, rest)) if std::ptr::eq(same, bytes) || same == bytes => {
                self.expected = rest;
                Ok(())
            }
            _ => Err(bincode::error::EncodeError::Other("differs from its re-encoding")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Dot,
        Line(u32),
        Text(String),
    }

    #[test]
    fn a_value_survives_its_encoding() {
        for shape in [Shape::Dot, Shape::Line(70_000), Shape::Text("room".into())] {
            assert_eq!(decode::<Shape>(&encode(&shape).unwrap(), 64), Ok(shape));
        }
    }

    #[test]
    fn an_encoding_written_behind_something_is_the_same_encoding() {
        let shape = Shape::Text("room".into());
        let mut bytes = b"DMR1".to_vec();
        encode_behind(&mut bytes, &shape).unwrap();
        assert_eq!(bytes.split_off(4), encode(&shape).unwrap());
        assert_eq!(bytes, b"DMR1");
    }

    #[test]
    fn a_non_minimal_integer_is_refused() {
        assert_eq!(decode::<u64>(&[5], 64), Ok(5));
        assert_eq!(decode::<u64>(&[251, 5, 0], 64), Err(DecodeError::NotCanonical));
    }

    #[test]
    fn trailing_bytes_unknown_variants_truncation_and_length_are_refused() {
        assert_eq!(decode::<u64>(&[5, 6], 64), Err(DecodeError::Trailing(1)));
        assert!(matches!(decode::<Shape>(&[3], 64), Err(DecodeError::Malformed(_))));
        assert!(matches!(decode::<Shape>(&[2, 200], 64), Err(DecodeError::Malformed(_))));
        assert_eq!(decode::<u64>(&[5, 6], 1), Err(DecodeError::TooLong { len: 2, limit: 1 }));
    }

    #[test]
    fn a_claimed_length_of_gigabytes_allocates_nothing_and_is_refused() {
        for claim in [i64::MAX as u64, 1 << 60, 1 << 40, 1 << 32, 1 << 20] {
            let claim = encode(&claim).unwrap();
            assert!(matches!(decode::<Vec<u64>>(&claim, 64), Err(DecodeError::Malformed(_))));
            assert!(matches!(decode::<&[u8]>(&claim, 64), Err(DecodeError::Malformed(_))));
            assert!(matches!(decode::<String>(&claim, 64), Err(DecodeError::Malformed(_))));
            assert!(matches!(decode::<bytes::Bytes>(&claim, 64), Err(DecodeError::Malformed(_))));
            let long = [claim, vec![0; 2 * SHORT]].concat();
            assert!(matches!(decode::<bytes::Bytes>(&long, LONG), Err(DecodeError::Malformed(_))));
        }
    }

    #[test]
    fn the_longest_input_of_each_kind_is_not_taken_for_too_large_a_claim() {
        for len in [SHORT, SHORT + 1, LONG] {
            let bytes = encode(&bytes::Bytes::from(vec![7; len - 5])).unwrap();
            assert!((len - 2..=len).contains(&bytes.len()));
            assert_eq!(decode::<bytes::Bytes>(&bytes, LONG).map(|value| value.len()), Ok(len - 5));
        }
        let integers = encode(&vec![u64::MAX; 400]).unwrap();
        assert_eq!(decode::<Vec<u64>>(&integers, SHORT), Ok(vec![u64::MAX; 400]));
        assert_eq!(decode::<Vec<u64>>(&encode(&vec![1_u64; 4_000]).unwrap(), SHORT), Ok(vec![1; 4_000]));
    }
}
