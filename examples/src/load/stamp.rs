//! What a message of the load says: which one it is, and when it was handed to the sender's agent.

use std::time::{SystemTime, UNIX_EPOCH};

/// The first bytes of a message; the rest is filling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Of this run: what an earlier one left in a mailbox does not count.
    pub run: u64,
    /// Which sender.
    pub sender: u32,
    /// Which of its messages, from 0.
    pub sequence: u64,
    /// When, in nanoseconds since 1970. Both processes are on one machine and read the same clock.
    pub at: u64,
}

impl Stamp {
    /// Bytes of a stamp.
    pub const LEN: usize = 28;

    /// A message of `len` bytes that begins with this stamp.
    pub fn message(self, len: usize) -> Vec<u8> {
        let mut message = Vec::with_capacity(len.max(Self::LEN));
        message.extend_from_slice(&self.run.to_be_bytes());
        message.extend_from_slice(&self.sender.to_be_bytes());
        message.extend_from_slice(&self.sequence.to_be_bytes());
        message.extend_from_slice(&self.at.to_be_bytes());
        message.resize(len.max(Self::LEN), 0x5a);
        message
    }

    /// The stamp of a message; `None` for one that has none.
    pub fn of(message: &[u8]) -> Option<Self> {
        let (run, rest) = message.split_first_chunk()?;
        let (sender, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (at, _) = rest.split_first_chunk()?;
        Some(Self {
            run: u64::from_be_bytes(*run),
            sender: u32::from_be_bytes(*sender),
            sequence: u64::from_be_bytes(*sequence),
            at: u64::from_be_bytes(*at),
        })
    }
}

/// Now, in nanoseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_its_message() {
        let stamp = Stamp { run: 1, sender: 2, sequence: u64::MAX, at: now() };
        for len in [0, Stamp::LEN, 1024] {
            let message = stamp.message(len);
            assert_eq!((message.len(), Stamp::of(&message)), (len.max(Stamp::LEN), Some(stamp)));
        }
        assert_eq!(Stamp::of(&[0; Stamp::LEN - 1]), None);
    }
}
