//! The envelope: header, wrapped keys, sealed body and signature, as they travel.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, EncodeError};
use crate::header::Header;
use crate::limit;

/// The four bytes every envelope begins with.
pub const MAGIC: [u8; 4] = *b"DMR1";

/// Room for a length in front of a part: no part is as long as 2^32.
const LENGTH: usize = 5;

/// The content key, wrapped to one recipient (HPKE, RFC 9180).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap {
    /// Encapsulated key: [`Suite::enc_len`](crate::header::Suite::enc_len) bytes.
    pub enc: Bytes,
    /// The sealed content key: [`limit::WRAP_CT`] bytes.
    pub ct: Bytes,
}

/// An envelope whose form is right: decoded, bounded, nothing verified.
///
/// Decoding checks everything that needs no key: sizes, canonical encoding, as many wraps as recipients, the
/// wraps' lengths for the suite, a signature of 64 bytes. The parts share the memory of [`Envelope::bytes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    bytes: Bytes,
    header: Header,
    header_bytes: Bytes,
    wraps: Vec<Wrap>,
    body: Bytes,
    signature: [u8; 64],
}

/// What travels after the magic.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(borrow, with = "serde_bytes")]
    header: &'a [u8],
    #[serde(borrow)]
    wraps: Vec<WireWrap<'a>>,
    #[serde(borrow, with = "serde_bytes")]
    body: &'a [u8],
    #[serde(borrow, with = "serde_bytes")]
    signature: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct WireWrap<'a> {
    #[serde(borrow, with = "serde_bytes")]
    enc: &'a [u8],
    #[serde(borrow, with = "serde_bytes")]
    ct: &'a [u8],
}

impl Envelope {
    /// The envelope of these parts.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] past [`limit::ENVELOPE`]; [`EncodeError::Unsupported`] when the parts do not make a
    /// well-formed envelope.
    pub fn encode(header: &[u8], wraps: &[Wrap], body: &[u8], signature: &[u8; 64]) -> Result<Self, EncodeError> {
        let parts = wraps.iter().map(|wrap| wrap.enc.len() + wrap.ct.len() + 2 * LENGTH).sum::<usize>();
        let room = MAGIC.len() + header.len() + parts + body.len() + signature.len() + 4 * LENGTH;
        let mut bytes = Vec::with_capacity(room);
        bytes.extend_from_slice(&MAGIC);
        let wraps = wraps.iter().map(|wrap| WireWrap { enc: &wrap.enc, ct: &wrap.ct }).collect();
        codec::encode_behind(&mut bytes, &Wire { header, wraps, body, signature })?;
        if bytes.len() > limit::ENVELOPE {
            return Err(EncodeError::TooLong { len: bytes.len(), limit: limit::ENVELOPE });
        }
        // Decoding makes the parts share these bytes; it copies none of them.
        Self::decode(bytes.into()).map_err(|error| EncodeError::Unsupported(error.to_string().into()))
    }

    /// The envelope that `bytes` are. They are kept and shared, not copied.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the one encoding of a well-formed envelope.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        if bytes.len() > limit::ENVELOPE {
            return Err(DecodeError::TooLong { len: bytes.len(), limit: limit::ENVELOPE });
        }
        let rest = bytes.strip_prefix(&MAGIC).ok_or(DecodeError::Invalid("not an envelope: no DMR1 at the start"))?;
        let wire: Wire<'_> = codec::decode(rest, limit::ENVELOPE)?;
        let header = Header::decode(wire.header)?;
        let signature = wire.signature.try_into().map_err(|_| DecodeError::Invalid("a signature has 64 bytes"))?;
        if wire.wraps.len() != header.recipients.as_slice().len() {
            return Err(DecodeError::Invalid("not as many wraps as recipients"));
        }
        let right = |wrap: &WireWrap<'_>| wrap.enc.len() == header.suite.enc_len() && wrap.ct.len() == limit::WRAP_CT;
        if !wire.wraps.iter().all(right) {
            return Err(DecodeError::Invalid("a wrap's length is not its suite's"));
        }
        let wraps = wire
            .wraps
            .iter()
            .map(|wrap| Wrap { enc: bytes.slice_ref(wrap.enc), ct: bytes.slice_ref(wrap.ct) })
            .collect();
        let (header_bytes, body) = (bytes.slice_ref(wire.header), bytes.slice_ref(wire.body));
        Ok(Self { header, header_bytes, wraps, body, signature, bytes })
    }

    /// The whole envelope as it travels.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The header, decoded.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header as it was sent: what hashes cover.
    pub fn header_bytes(&self) -> &Bytes {
        &self.header_bytes
    }

    /// One wrap for each recipient, in the same order.
    pub fn wraps(&self) -> &[Wrap] {
        &self.wraps
    }

    /// The padded content, sealed.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The sender's Ed25519 signature, unverified.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}
