//! Envelopes that were sealed before the clock started.

use bytes::Bytes;
use dmr_core::content::{Content, Message};
use dmr_core::frame::AgentFrame;
use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_crypto::{Keyring, SealRequest, VerifiedDirectory, seal};
use dmr_tests::failure::{Doing as _, Outcome};

use crate::load::bare_link::wall;

/// Envelopes of all pools together: sealed in about a second, and more than any processor's cache holds.
const ENVELOPES: u32 = 8192;

/// Envelopes in the pool of each sender: enough that none is needed again while it is in flight.
pub fn size(senders: u32, in_flight: u32) -> u32 {
    (ENVELOPES / senders.max(1)).max(2 * in_flight)
}

/// Which envelope of which sender. It is in the envelope's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Which sender.
    pub sender: u32,
    /// Which of its envelopes, from 0.
    pub index: u32,
}

impl Slot {
    /// The id, with six random bytes in front.
    fn id(self, random: [u8; 6]) -> MessageId {
        let mut bytes = [0; 16];
        // Bytes 6 and 8 hold the version and the variant of a UUID.
        let parts = random.into_iter().chain([0; 3]).chain(self.sender.to_be_bytes().into_iter().skip(1));
        for (byte, part) in bytes.iter_mut().zip(parts.chain(self.index.to_be_bytes())) {
            *byte = part;
        }
        MessageId::from_custom_bytes(bytes)
    }

    /// The slot in an id.
    pub fn of(id: MessageId) -> Self {
        let [.., a, b, c, d, e, f, g] = *id.as_bytes();
        Self { sender: u32::from_be_bytes([0, a, b, c]), index: u32::from_be_bytes([d, e, f, g]) }
    }
}

/// The envelopes of one sender to one recipient, each in its frame, sent in turn.
#[derive(Debug)]
pub struct Pool {
    sender: u32,
    frames: Vec<Bytes>,
    next: u32,
    envelope_len: usize,
}

impl Pool {
    /// Seals so many envelopes, each with a message of so many bytes, valid for as long as the directory allows.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the directory does not let this participant seal for that one.
    pub fn seal(
        keyring: &Keyring,
        directory: &VerifiedDirectory,
        to: ParticipantId,
        sender: u32,
        count: u32,
        len: usize,
    ) -> Outcome<Self> {
        let mut random = [0; 6];
        getrandom::fill(&mut random).doing("randomness for ids")?;
        let created = wall();
        let content = Content::V1(Message {
            content_type: "application/octet-stream".to_owned(),
            conversation: None,
            sequence: None,
            room: None,
            in_reply_to: None,
            body: vec![0x5a; len].into(),
        });
        let (mut frames, mut envelope_len) = (Vec::new(), 0);
        for index in 0..count {
            let request = SealRequest {
                id: Slot { sender, index }.id(random),
                kind: Kind::EVENT,
                recipients: &[to],
                created,
                expires: created.plus(directory.directory().max_ttl),
                content: &content,
            };
            let envelope = seal(keyring, directory, request).doing("sealing")?.envelope.bytes().clone();
            envelope_len = envelope.len();
            frames.push(AgentFrame::Publish { envelope }.encode().doing("a frame")?);
        }
        Ok(Self { sender, frames, next: 0, envelope_len })
    }

    /// Whose it is.
    pub fn sender(&self) -> u32 {
        self.sender
    }

    /// Bytes of an envelope.
    pub fn envelope_len(&self) -> usize {
        self.envelope_len
    }

    /// The next one that does not fly, with its frame. `None`: all do.
    pub fn next(&mut self, flies: impl Fn(u32) -> bool) -> Option<(u32, Bytes)> {
        for _ in 0..self.frames.len() {
            let index = self.next;
            let frame = self.frames.get(usize::try_from(index).ok()?)?;
            self.next = if usize::try_from(index + 1).ok()? == self.frames.len() { 0 } else { index + 1 };
            if !flies(index) {
                return Some((index, frame.clone()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_slot() {
        for slot in [Slot { sender: 0, index: 0 }, Slot { sender: 255, index: u32::MAX }] {
            assert_eq!(Slot::of(slot.id([0xff; 6])), slot);
        }
    }

    #[test]
    fn a_pool_goes_round_and_leaves_out_what_flies() {
        let frames = (0..3).map(|number| Bytes::from(vec![number])).collect();
        let mut pool = Pool { sender: 0, frames, next: 0, envelope_len: 0 };
        let mut next = |flying: &[u32]| pool.next(|index| flying.contains(&index)).map(|(index, _)| index);
        assert_eq!(
            [next(&[]), next(&[]), next(&[]), next(&[]), next(&[1])],
            [Some(0), Some(1), Some(2), Some(0), Some(2)]
        );
        assert_eq!(next(&[0, 1, 2]), None);
        assert!(size(256, 4096) >= 2 * 4096 && size(1, 1) == 8192);
    }
}
