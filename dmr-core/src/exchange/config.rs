//! How an exchange is set up.

use super::{Limits, Records};
use crate::session::AgentSessionConfig;

/// How an exchange behaves. [`ExchangeConfig::new`] has the defaults.
#[derive(Debug)]
pub struct ExchangeConfig {
    /// The session's. Its outbox is sized from [`limits`](Self::limits), and it subscribes once there is a directory.
    pub session: AgentSessionConfig,
    /// Bounds of memory.
    pub limits: Limits,
    /// Whether receipts are sent and expected. Default `true`. `false` is for measuring loads: a message then counts as
    /// done with the server's confirm, and every agent of the measurement must be set alike.
    pub receipts: bool,
    /// Whether this process is a guest beside the one that serves the participant: it takes from the mailbox only what
    /// is said of its own messages, and everything else goes back. Default `false`.
    pub guest: bool,
    /// Whether to log in over TLS that ends before the server's process, so that the login cannot be bound to it.
    /// Default `false`.
    pub allow_unbound: bool,
    /// Where it is noted what became of messages.
    pub records: Records,
}

impl ExchangeConfig {
    /// Refused logins in a row that are answered by an ordinary backoff, some seconds in all: a server may not yet have
    /// read the directory that lists this participant, or may know another of its keys.
    const FIRST_REFUSALS: usize = 6;

    /// The defaults, for what has no default.
    pub fn new(mut session: AgentSessionConfig) -> Self {
        let limits = Limits::default();
        session.first_refusals = Self::FIRST_REFUSALS;
        Self {
            session,
            limits,
            receipts: true,
            guest: false,
            allow_unbound: false,
            records: Records::new(limits.statuses),
        }
    }

    /// Messages that the program may have at once with this prefetch: twice as many, since what it has taken over from a
    /// lost link does not count at the server any more.
    pub fn most_in_hand(prefetch: Option<u16>) -> usize {
        2 * usize::from(prefetch.unwrap_or(1)).max(1)
    }
}
