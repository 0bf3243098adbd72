//! What a server is started with: checked, complete, and independent of where it came from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use dmr_core::id::Name;
use dmr_crypto::{RootPin, ServerKeys};
use dmr_transport::memory::QueueLimits;

use crate::broker_inspection::Inspector;
use crate::limits::Limits;

/// The name of a server that is given none.
pub(crate) const DEFAULT_NAME: &str = "dmr-server";

/// How a server runs. Make it with [`ServerConfig::new`] and change what should differ.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Its name, which agents may insist on. Default: the name in `keys`, or `dmr-server`.
    pub name: Name,
    /// Where agents connect. Default `127.0.0.1:8075`; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are served, without a login: keep it off public networks. Default
    /// `127.0.0.1:8076`; `None` serves them nowhere.
    pub admin: Option<SocketAddr>,
    /// The signed directory, a file that is looked at every two seconds.
    pub directory: PathBuf,
    /// The root keys by which it is known. Their network is the one served.
    pub root: RootPin,
    /// A directory of this server's own, in which the last good directory is kept, so that an older one is refused after
    /// a restart too. Default `None`: only as long as the process runs.
    pub state: Option<PathBuf>,
    /// The key by which this server proves its name. Default `None`: its challenges go unsigned, and agents whose
    /// directory lists servers refuse them.
    pub keys: Option<ServerKeys>,
    /// TLS, where it ends in this process. Default `None`.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether links without TLS are accepted on an address that is not loopback, because TLS ends in front of this
    /// process. Default `false`.
    pub allow_plain: bool,
    /// What links may cost.
    pub limits: Limits,
    /// Looks at how the broker is set up, and keeps the server from being ready on one that is not as it must be. Default
    /// `None`: nothing is looked at. For brokers on RabbitMQ.
    pub inspector: Option<Inspector>,
    /// What the memory broker may hold. Other brokers have bounds of their own.
    pub queues: QueueLimits,
}

impl ServerConfig {
    /// The defaults, for a directory file and the root it is signed under.
    pub fn new(directory: PathBuf, root: RootPin, name: Name) -> Self {
        Self {
            name,
            listen: SocketAddr::from(([127, 0, 0, 1], 8075)),
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 8076))),
            directory,
            root,
            state: None,
            keys: None,
            tls: None,
            allow_plain: false,
            limits: Limits::default(),
            inspector: None,
            queues: QueueLimits::default(),
        }
    }

    /// What is wrong with it, before anything is started.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.tls.is_none() && !self.allow_plain && !self.listen.ip().is_loopback() {
            return Err(ConfigError::PlainNotAllowed { listen: self.listen });
        }
        if self.admin == Some(self.listen) && self.listen.port() != 0 {
            return Err(ConfigError::SameAddress { address: self.listen });
        }
        if let Some(keys) = &self.keys
            && *keys.name() != self.name
        {
            return Err(ConfigError::NameMismatch { name: self.name.clone(), keys: keys.name().clone() });
        }
        let limits = &self.limits;
        let counts = [
            ("connections", limits.connections),
            ("unauthenticated", limits.unauthenticated),
            ("links per participant", limits.links_per_participant),
            ("credit", usize::from(limits.credit)),
            ("queued bytes", usize::try_from(self.queues.total_bytes).unwrap_or(usize::MAX)),
        ];
        let spans = [
            ("login timeout", limits.login_timeout),
            ("heartbeat", limits.heartbeat),
            ("write timeout", limits.write_timeout),
            ("settle timeout", limits.settle_timeout),
        ];
        let none = counts.iter().find(|(_, count)| *count == 0).map(|(what, _)| *what);
        let none = none.or_else(|| spans.iter().find(|(_, span)| span.is_zero()).map(|(what, _)| *what));
        none.map_or(Ok(()), |limit| Err(ConfigError::Zero { limit }))
    }
}

/// Why a server cannot run with what it was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Links without TLS on an address that is not loopback, without leave.
    #[error(
        "links on {listen} would go without tls: give --tls-cert and --tls-key, or --allow-plain where tls ends in front"
    )]
    PlainNotAllowed {
        /// The address.
        listen: SocketAddr,
    },
    /// Agents and operators on one address.
    #[error("--listen and --admin are both {address}: each needs an address of its own")]
    SameAddress {
        /// The address.
        address: SocketAddr,
    },
    /// The key file is another server's.
    #[error("the key file is of server {keys}, and this server is {name}")]
    NameMismatch {
        /// The configured name.
        name: Name,
        /// The name in the key file.
        keys: Name,
    },
    /// A limit of nothing, under which no agent could be served.
    #[error("the limit on {limit} is zero, which would serve nobody")]
    Zero {
        /// Which limit.
        limit: &'static str,
    },
}
