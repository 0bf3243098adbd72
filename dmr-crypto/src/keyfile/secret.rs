//! 32 secret bytes in JSON: base64url, read and written without a copy that stays.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// Characters of 32 bytes in base64url.
const ENCODED: usize = 43;

/// A secret on its way between a key and a file. Erased when dropped.
pub(super) struct Secret(pub(super) Zeroizing<[u8; 32]>);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = Zeroizing::new([0; ENCODED]);
        let text = Base64UrlUnpadded::encode(self.0.as_slice(), text.as_mut_slice());
        serializer.serialize_str(text.map_err(|_| serde::ser::Error::custom("too long"))?)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SecretVisitor)
    }
}

/// Takes only text that stands in the file as it is: one with escapes would be unescaped into memory that is not
/// erased.
struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 bytes in base64url")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Secret, E> {
        let mut secret = Secret(Zeroizing::new([0; 32]));
        match Base64UrlUnpadded::decode(text, secret.0.as_mut_slice()) {
            Ok(bytes) if bytes.len() == 32 => Ok(secret),
            _ => Err(E::custom("not 32 bytes in base64url")),
        }
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Secret, E> {
        Err(E::custom("a secret with escapes"))
    }
}
