//! Strict JSON: how every signed, public or secret document of DMR is read.
//!
//! A document is one value with nothing after it; its objects are objects (serde alone would take arrays for
//! them), have no unknown and no repeated members; binary values are base64url without padding or hexadecimal.

use std::fmt;
use std::marker::PhantomData;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why bytes are not the JSON of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct JsonError {
    /// Line of the error, from 1; 0 when it has no place.
    pub line: usize,
    /// Column of the error, from 1; 0 when it has no place.
    pub column: usize,
    /// What is wrong, at most 200 characters. It may quote the document: not for secret ones.
    pub detail: Box<str>,
}

impl JsonError {
    const MAX_DETAIL: usize = 200;

    fn new(error: &serde_json::Error) -> Self {
        let detail: String = error.to_string().chars().take(Self::MAX_DETAIL).collect();
        Self { line: error.line(), column: error.column(), detail: detail.into() }
    }
}

/// The one value that `bytes` hold.
///
/// # Errors
/// [`JsonError`] for anything but the strict JSON of a `T`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    serde_json::from_slice::<Object<T>>(bytes).map(|object| object.0).map_err(|error| JsonError::new(&error))
}

/// The JSON of `value`, without white space.
///
/// # Errors
/// [`JsonError`] when the value has no JSON form; the documents of this project all have one.
pub fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    serde_json::to_vec(value).map_err(|error| JsonError::new(&error))
}

/// A `T` that is written as an object and as nothing else.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// For serde's `deserialize_with`: a value that is written as an object.
///
/// # Errors
/// The deserializer's, also for an array in the place of the object.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|object| object.0)
}

/// For serde's `deserialize_with`: a list of values that are each written as an object.
///
/// # Errors
/// The deserializer's, also for an array in the place of an object.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let objects: Vec<Object<T>> = Vec::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|object| object.0).collect())
}

/// For serde's `with`: bytes as base64url without padding (RFC 4648, section 5).
pub mod base64url {
    use super::{Base64UrlUnpadded, Deserialize, Deserializer, Encoding, Serializer};
    use serde::de::Error as _;

    /// Writes the bytes.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer, B: AsRef<[u8]>>(bytes: &B, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64UrlUnpadded::encode_string(bytes.as_ref()))
    }

    /// Reads the bytes, of the right number for an array.
    ///
    /// # Errors
    /// The deserializer's; for anything but canonical base64url; for a wrong length.
    pub fn deserialize<'de, D: Deserializer<'de>, B: TryFrom<Vec<u8>>>(deserializer: D) -> Result<B, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = Base64UrlUnpadded::decode_vec(&text).map_err(|_| D::Error::custom("not base64url"))?;
        let len = bytes.len();
        B::try_from(bytes).map_err(|_| D::Error::custom(format_args!("{len} bytes are not the right number")))
    }
}

/// For serde's `with`: key ids and digests in hexadecimal, as they are shown everywhere.
pub mod hex {
    use super::{Deserialize, Deserializer, Serializer, fmt};
    use serde::de::Error as _;
    use std::str::FromStr;

    /// Writes the id.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer, T: fmt::Display>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    /// Reads the id.
    ///
    /// # Errors
    /// The deserializer's; for anything but the right number of hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// For serde's `with`: an optional digest in hexadecimal, `null` for none.
pub mod optional_hex {
    use super::{Deserialize, Deserializer, Serializer, fmt};
    use serde::de::Error as _;
    use std::str::FromStr;

    /// Writes the id or `null`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer, T: fmt::Display>(id: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the id or `null`.
    ///
    /// # Errors
    /// The deserializer's; for anything but `null` or the right number of hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// For serde's `with`: a span in whole milliseconds.
pub mod milliseconds {
    use super::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    /// Writes the milliseconds.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(crate::time::millis(*span))
    }

    /// Reads the milliseconds.
    ///
    /// # Errors
    /// The deserializer's, for anything but an integer from 0.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Card {
        #[serde(with = "base64url")]
        key: [u8; 2],
        age: u64,
    }

    #[test]
    fn a_document_survives_its_json() {
        let card = Card { key: [1, 0xff], age: 7 };
        assert_eq!(parse(&write(&card).unwrap()), Ok(card));
    }

    #[test]
    fn anything_but_the_strict_form_is_refused() {
        for bad in [
            r#"["Af8",7]"#,
            r#"{"key":"Af8","age":7,"age":7}"#,
            r#"{"key":"Af8","age":7,"more":1}"#,
            r#"{"key":"Af8","age":7} x"#,
            r#"{"key":"Af8","age":7.0}"#,
            r#"{"key":"Af8","age":-0}"#,
            r#"{"key":"Af8=","age":7}"#,
            r#"{"key":"Af9","age":7}"#,
            r#"{"key":"Af8A","age":7}"#,
            r#"{"key":"A/8","age":7}"#,
            r#"{"key":"Af8"}"#,
            "{",
            "",
        ] {
            assert!(parse::<Card>(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_is_short_however_long_the_document() {
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(100_000));
        assert!(parse::<Card>(long.as_bytes()).unwrap_err().detail.chars().count() <= JsonError::MAX_DETAIL);
    }
}
