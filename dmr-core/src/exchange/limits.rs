//! The bounds of an agent's memory.

/// How much an agent holds at most. Every queue and table of an agent is under one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages of the program's kept until their receipt. Default 10,000. Too small: senders are told to wait while
    /// recipients are away; too large: memory.
    pub outbox_messages: usize,
    /// Bytes of their envelopes. Default 64 MiB.
    pub outbox_bytes: usize,
    /// Statuses kept after a message's end, the oldest forgotten first. Default 10,000, about 200 bytes each.
    pub statuses: usize,
    /// Questions whose answer somebody waits for. Default 10,000.
    pub asks: usize,
    /// Envelopes that the replay guard remembers until they expire. Default 1,000,000, about 200 bytes each. While it
    /// is full, senders are told to retry.
    pub replay_guard: usize,
    /// Receipts that wait to be sent. Default 4,096.
    pub receipts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            outbox_messages: 10_000,
            outbox_bytes: 64 << 20,
            statuses: 10_000,
            asks: 10_000,
            replay_guard: 1_000_000,
            receipts: 4_096,
        }
    }
}

impl Limits {
    /// Room in the session's outbox beyond the program's, so that receipts and answers get through when the program
    /// has filled its own share.
    pub(crate) const RESERVED_MESSAGES: usize = 2_048;
    /// The same in bytes.
    pub(crate) const RESERVED_BYTES: usize = 16 << 20;
}
