//! How an agent is set up.

use std::path::PathBuf;
use std::time::Duration;

use dmr_core::backoff::BackoffConfig;
use dmr_core::id::Name;
use dmr_crypto::{Keyring, RootPin};
use dmr_transport::websocket::{DialerConfig, ServerAddress};

use crate::clock::Clock;
use dmr_core::exchange::Limits;

/// How an agent behaves. [`AgentConfig::new`] has the defaults.
#[derive(Debug)]
pub struct AgentConfig {
    /// This participant's keys.
    pub keyring: Keyring,
    /// The root keys by which directories are known, obtained beforehand and never from a server.
    pub pin: RootPin,
    /// The network; must be the pin's.
    pub network: Name,
    /// Servers to connect to, in no order of preference: the agent shuffles them and goes on to the next when one
    /// fails. A name before `=` must be the one in that server's challenge.
    pub servers: Vec<ServerAddress>,
    /// How links are opened: TLS roots, whether plain links may leave this machine, timeouts.
    pub dialer: DialerConfig,
    /// Where the last good directory is kept, so that an older one is refused after a restart too. Default: nowhere.
    /// One agent process for each such directory.
    pub state: Option<PathBuf>,
    /// Messages that the program may have unsettled at once. Default 64; `None`: the agent only sends. Too small
    /// leaves the link idle between settlements, too large holds messages that a replica could handle.
    pub prefetch: Option<u16>,
    /// Whether this process is a guest beside the one that serves the participant. A guest takes from the participant's
    /// mailbox only what is said of its own messages; everything else goes back, unopened where the header tells, and
    /// comes again after some seconds, here or to a replica. It reads [`state`](Self::state) and writes nothing there.
    /// Default `false`.
    pub guest: bool,
    /// Bounds of memory.
    pub limits: Limits,
    /// Whether receipts are sent and expected. Default `true`. `false` is for measuring loads: a message then counts
    /// as done with the server's confirm, and every agent of the measurement must be set alike.
    pub receipts: bool,
    /// Whether to log in over TLS that ends before the server's process, so that the login cannot be bound to it.
    /// Default `false`.
    pub allow_unbound: bool,
    /// Delay before connecting again. Default 250 ms doubling to 30 s, full jitter.
    pub backoff: BackoffConfig,
    /// Delay after every server refused this agent for a reason that does not pass soon. Default 60 s.
    pub refused_delay: Duration,
    /// The clocks. Default: the system's.
    pub clock: Clock,
}

impl AgentConfig {
    /// The defaults, for what has no default.
    pub fn new(keyring: Keyring, pin: RootPin, servers: Vec<ServerAddress>) -> Self {
        Self {
            keyring,
            network: pin.network().clone(),
            pin,
            servers,
            dialer: DialerConfig::default(),
            state: None,
            prefetch: Some(64),
            guest: false,
            limits: Limits::default(),
            receipts: true,
            allow_unbound: false,
            backoff: BackoffConfig { base: Duration::from_millis(250), cap: Duration::from_secs(30) },
            refused_delay: Duration::from_secs(60),
            clock: Clock::system(),
        }
    }
}
