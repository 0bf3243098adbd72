//! Identifiers: UUIDs, key ids, digests and the names of networks and participants.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Timestamp;

/// Why a text or some bytes are not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is not a UUID of 8-4-4-4-12 hexadecimal digits.
    #[error("not a UUID")]
    NotUuid,
    /// The UUID is nil (all zeros), which names nothing.
    #[error("the nil UUID names nothing")]
    Nil,
    /// The text is not `[a-z0-9][a-z0-9._-]{0,63}`.
    #[error("not a name: 1 to 64 of a-z 0-9 . _ - beginning with a letter or a digit")]
    NotName,
    /// The text is not hexadecimal of the right length.
    #[error("not {expected} bytes in hexadecimal")]
    NotHex {
        /// Bytes expected.
        expected: usize,
    },
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id made of these 16 bytes.
            ///
            /// # Errors
            /// [`IdError::Nil`] for sixteen zeros.
            pub const fn from_bytes(bytes: [u8; 16]) -> Result<Self, IdError> {
                if u128::from_be_bytes(bytes) == 0 {
                    return Err(IdError::Nil);
                }
                Ok(Self(bytes))
            }

            /// The 16 bytes, in the order of RFC 9562.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// A version 8 UUID (RFC 9562, section 5.8) of these bytes; never nil.
            pub const fn from_custom_bytes(bytes: [u8; 16]) -> Self {
                Self(*uuid::Builder::from_custom_bytes(bytes).as_uuid().as_bytes())
            }

            /// A version 7 UUID (RFC 9562, section 5.7) of this time and these random bytes; never nil.
            pub const fn from_time(time: Timestamp, random: [u8; 10]) -> Self {
                Self(*uuid::Builder::from_unix_timestamp_millis(time.0, &random).as_uuid().as_bytes())
            }

            /// A version 4 UUID (RFC 9562, section 5.4) of these random bytes; never nil.
            pub const fn from_random_bytes(bytes: [u8; 16]) -> Self {
                Self(*uuid::Builder::from_random_bytes(bytes).as_uuid().as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Uuid::from_bytes(self.0), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.len() != 36 {
                    return Err(IdError::NotUuid);
                }
                let uuid = Uuid::try_parse(text).map_err(|_| IdError::NotUuid)?;
                Self::from_bytes(uuid.into_bytes())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
                } else {
                    Self::from_bytes(<[u8; 16]>::deserialize(deserializer)?).map_err(D::Error::custom)
                }
            }
        }
    };
}

uuid_id! {
    /// An institution's installation, for as long as it takes part.
    ParticipantId
}
uuid_id! {
    /// A message; version 7 when this code makes one, version 8 for an answer (derived from its question).
    MessageId
}
uuid_id! {
    /// A room: a conversation that several participants share. Carried, not interpreted.
    RoomId
}
uuid_id! {
    /// A conversation between two participants. Carried sealed, not interpreted.
    ConversationId
}
uuid_id! {
    /// One logged-in link between an agent and a server.
    SessionId
}
uuid_id! {
    /// One running agent process; replicas of a participant differ in it.
    InstanceId
}
uuid_id! {
    /// The broker's memory. When it changes, what was confirmed before may be gone.
    StoreId
}

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let not_hex = IdError::NotHex { expected: $len };
                if text.len() != 2 * $len || !text.is_ascii() {
                    return Err(not_hex);
                }
                let mut bytes = [0; $len];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    *byte = std::str::from_utf8(pair)
                        .ok()
                        .filter(|pair| !pair.starts_with('+'))
                        .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                        .ok_or(IdError::NotHex { expected: $len })?;
                }
                Ok(Self(bytes))
            }
        }
    };
}

fixed_bytes! {
    /// The first 16 bytes of a public key's labelled SHA-256: a lookup hint, never a proof.
    KeyId, 16
}
fixed_bytes! {
    /// A SHA-256: of an envelope's signed bytes (its name in receipts and answers) or of a directory document.
    Digest, 32
}
fixed_bytes! {
    /// 32 fresh random bytes of one side of a login.
    Nonce, 32
}
fixed_bytes! {
    /// HKDF output that commits an envelope to one content key.
    KeyCommitment, 32
}

/// The name of a network, a participant, a server, a group or a service: `[a-z0-9][a-z0-9._-]{0,63}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// Longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut bytes = text.bytes();
        let starts_well = bytes.next().is_some_and(plain);
        let goes_on_well = bytes.all(|byte| plain(byte) || b"._-".contains(&byte));
        if starts_well && goes_on_well && text.len() <= Self::MAX_LEN {
            Ok(Self(text.into()))
        } else {
            Err(IdError::NotName)
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nil_uuid_is_refused_in_every_form() {
        assert_eq!(ParticipantId::from_bytes([0; 16]), Err(IdError::Nil));
        assert_eq!("00000000-0000-0000-0000-000000000000".parse::<MessageId>(), Err(IdError::Nil));
        assert!(crate::codec::decode::<SessionId>(&[0; 16], 16).is_err());
    }

    #[test]
    fn an_id_survives_text_and_binary() {
        let id: ParticipantId = "0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f".parse().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(crate::codec::decode::<ParticipantId>(&crate::codec::encode(&id).unwrap(), 16), Ok(id));
        assert_eq!("{0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f}".parse::<ParticipantId>(), Err(IdError::NotUuid));
    }

    #[test]
    fn names_are_lower_case_and_bounded() {
        for good in ["a", "police", "tax-authority.gov_1", "0", &"x".repeat(64)] {
            assert_eq!(good.parse::<Name>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "Police", "-police", "police authority", "pölitsei", "a/b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Name>(), Err(IdError::NotName), "{bad}");
        }
    }

    #[test]
    fn fixed_bytes_survive_hexadecimal_and_refuse_anything_else() {
        let id = KeyId([0xa5; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "a5", "+5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5", "é5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad}");
        }
    }
}
