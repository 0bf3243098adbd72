//! What a broker on RabbitMQ is reached with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dmr_core::backoff::BackoffConfig;
use dmr_core::time::Timestamp;

use super::address::AmqpAddress;
use crate::tls::Roots;

/// How to log in to the broker.
#[derive(Clone, PartialEq, Eq)]
pub enum AmqpLogin {
    /// User and password (SASL PLAIN).
    Password {
        /// The user.
        user: Box<str>,
        /// The password.
        password: Box<str>,
    },
    /// The TLS certificate says who this is (SASL EXTERNAL).
    Certificate,
}

impl fmt::Debug for AmqpLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(f, "Password {{ user: {user:?}, .. }}"),
            Self::Certificate => f.write_str("Certificate"),
        }
    }
}

/// TLS towards the broker. The files are read anew for each connection, so that renewed ones need no restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmqpTls {
    /// Which certificate authorities are trusted.
    pub roots: Roots,
    /// A certificate chain and its key, both PEM, by which the broker may know this server.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How a broker on RabbitMQ is used. Make it with [`AmqpConfig::new`] and change what should differ.
#[derive(Clone)]
#[non_exhaustive]
pub struct AmqpConfig {
    /// The nodes, tried in turn. At least one; all of one cluster and one virtual host.
    pub addresses: Vec<AmqpAddress>,
    /// How to log in. Default: `guest`, `guest`, which RabbitMQ lets in from loopback only.
    pub login: AmqpLogin,
    /// TLS for `amqps` addresses. Default: the system's authorities and no certificate.
    pub tls: AmqpTls,
    /// What the broker's operator sees as the connection's name. Default `dmr`.
    pub name: Box<str>,
    /// Both sides send something at least this often; two missed end the connection. Default 10 s, in whole seconds.
    /// Below 5 s busy machines are taken for dead ones; above 20 s a dead one is noticed late.
    pub heartbeat: Duration,
    /// Time to open a connection: TCP, TLS and login. Default 5 s.
    pub connect_timeout: Duration,
    /// Delay before the next round of addresses when none answered. Default 100 ms, doubling up to 2 s.
    pub backoff: BackoffConfig,
    /// Publishes outstanding at once; each has a channel of its own, opened when it is needed. Default 128, at least 1; one
    /// mailbox may have half of them. More wait for a place; too few limit the throughput, too many cost the broker
    /// memory.
    pub publish_channels: u16,
    /// Time for a confirm. Default 10 s, which is what [`Broker::publish`](crate::Broker::publish) promises at the most.
    pub confirm_timeout: Duration,
    /// Time for any other answer, and for a connection to come back before an operation gives up. Default 5 s.
    pub answer_timeout: Duration,
    /// Spreads delays and names this server's own queue: random, another for every process.
    pub seed: u64,
    /// The wall clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl AmqpConfig {
    /// The defaults, for these nodes, a random seed and the wall clock.
    pub fn new(addresses: Vec<AmqpAddress>, seed: u64, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            addresses,
            login: AmqpLogin::Password { user: "guest".into(), password: "guest".into() },
            tls: AmqpTls { roots: Roots::System, identity: None },
            name: "dmr".into(),
            heartbeat: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            backoff: BackoffConfig { base: Duration::from_millis(100), cap: Duration::from_secs(2) },
            publish_channels: 128,
            confirm_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(5),
            seed,
            clock: Arc::new(clock),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

impl fmt::Debug for AmqpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpConfig")
            .field("addresses", &self.addresses)
            .field("login", &self.login)
            .field("tls", &self.tls)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
