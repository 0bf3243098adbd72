//! The bounds that keep one peer from costing the others.

use std::time::Duration;

/// What a server grants, in all and to each. Every field has a default that suits a network of some hundred participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Links at once, logged in or not. Default 10,000, at least 1. Each costs a file descriptor and some 10 KiB; too
    /// small sheds honest agents, too large meets the system's own limit on descriptors.
    pub connections: usize,
    /// Links at once that have not logged in. Default 256, at least 1. Too small slows the return of all agents after a
    /// restart, too large lets strangers hold that many buffers.
    pub unauthenticated: usize,
    /// The same from one IPv4 address or one IPv6 /64 network. Default 8; 0: no such bound, for a server behind a proxy,
    /// where every link has the proxy's address.
    pub unauthenticated_per_address: usize,
    /// Handshakes a second from one address, after a burst of four times as many. Default 50; 0: no such bound.
    pub handshakes_per_address: u32,
    /// Links of one participant at once: its replicas. Default 8, at least 1.
    pub links_per_participant: usize,
    /// Messages a second from one participant over all its links, after a burst of as many. Default 2,000; 0: no such
    /// bound.
    pub messages_per_second: u32,
    /// Bytes of envelopes a second from one participant over all its links, after a burst of as many (at least one
    /// envelope of the largest size). Default 64 MiB; 0: no such bound.
    pub bytes_per_second: u32,
    /// Time for the WebSocket and TLS handshake, and again for the login. Default 10 s.
    pub login_timeout: Duration,
    /// Each side of a link sends something at least this often; two missed close it. Default 20 s. Must stay below the
    /// idle timeout of any proxy in between (nginx: 60 s).
    pub heartbeat: Duration,
    /// Time a link may leave a frame unwritten before it is closed as slow. Default 10 s.
    pub write_timeout: Duration,
    /// Time an agent may leave a delivery unsettled. Default 10 min.
    pub settle_timeout: Duration,
    /// Publishes that one link may have unconfirmed. Default 64, at least 1.
    pub credit: u16,
    /// Time that a drain leaves the links to finish. Default 10 s.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            unauthenticated: 256,
            unauthenticated_per_address: 8,
            handshakes_per_address: 50,
            links_per_participant: 8,
            messages_per_second: 2_000,
            bytes_per_second: 64 << 20,
            login_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(20),
            write_timeout: Duration::from_secs(10),
            settle_timeout: Duration::from_secs(600),
            credit: 64,
            grace: Duration::from_secs(10),
        }
    }
}
