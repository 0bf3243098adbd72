//! The options by which an agent gets to its servers: those of every command that connects.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use dmr_core::id::Name;
use dmr_crypto::Keyring;
use dmr_transport::service::logging::LogSettings;
use dmr_transport::service::settings::ConfigFile;
use dmr_transport::service::state_file;
use dmr_transport::tls::{self, Roots};
use dmr_transport::websocket::{DialerConfig, ServerAddress};

use super::{Failure, SMALL_FILE, read_pin};
use crate::config::AgentConfig;

/// Who connects, and to which servers.
#[derive(Debug, Args)]
pub(crate) struct LinkSettings {
    /// This participant's secret keys, as `keys new` wrote them; readable by their owner alone
    #[arg(long, value_name = "FILE", env = "DMR_KEYS")]
    keys: PathBuf,
    /// Root keys by which the directory is known: root.pub, obtained beforehand
    #[arg(long, value_name = "FILE", env = "DMR_ROOT")]
    root: PathBuf,
    /// The network; the root's must be the same
    #[arg(long, value_name = "NAME", env = "DMR_NETWORK")]
    network: Name,
    /// Servers, separated by commas: [NAME=]ws[s]://HOST[:PORT]. With a NAME, that server must bear it
    #[arg(long, value_name = "ADDRESS", env = "DMR_SERVER", value_delimiter = ',', required = true)]
    server: Vec<ServerAddress>,
    /// Directory that keeps the last good directory, so that an older one is refused after a restart too
    #[arg(long, value_name = "DIR", env = "DMR_STATE")]
    state: Option<PathBuf>,
    /// Roots that servers' certificates must chain to, PEM [default: the system's]
    #[arg(long, value_name = "FILE", env = "DMR_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// Connect over plain ws to servers that are not on this machine
    #[arg(long, env = "DMR_ALLOW_PLAIN")]
    allow_plain: bool,
    /// Log in over TLS that ends at a proxy before the server, so that the login cannot be bound to it
    #[arg(long, env = "DMR_ALLOW_UNBOUND")]
    allow_unbound: bool,
    #[command(flatten)]
    pub(crate) logs: LogSettings,
    #[command(flatten)]
    config_file: ConfigFile,
}

impl LinkSettings {
    /// Reads and checks everything the settings name.
    ///
    /// # Errors
    /// [`Failure`], saying what to change.
    pub(crate) fn config(&self) -> Result<AgentConfig, Failure> {
        let text = state_file::read_secret(&self.keys, SMALL_FILE)?;
        let keyring =
            Keyring::from_key_file(&text).map_err(|error| Failure::KeyFile { file: self.keys.clone(), error })?;
        let pin = read_pin(&self.root)?;
        if *pin.network() != self.network {
            let (found, network) = (pin.network().clone(), self.network.clone());
            return Err(Failure::Network { file: self.root.clone(), found, network });
        }
        if !self.allow_plain {
            self.refuse_plain()?;
        }
        let mut agent = AgentConfig::new(keyring, pin, self.server.clone());
        agent.dialer = DialerConfig { tls: self.tls()?, allow_plain: self.allow_plain, ..DialerConfig::default() };
        agent.state.clone_from(&self.state);
        agent.allow_unbound = self.allow_unbound;
        Ok(agent)
    }

    /// Where the name resolves to is checked again at each dial; this says at the start what can never work.
    fn refuse_plain(&self) -> Result<(), Failure> {
        let beyond = |server: &&ServerAddress| {
            let host = server.host().trim_start_matches('[').trim_end_matches(']');
            let is_loopback = host.parse::<IpAddr>().map_or(host == "localhost", |ip| ip.is_loopback());
            !server.is_secure() && !is_loopback
        };
        match self.server.iter().find(beyond) {
            None => Ok(()),
            Some(server) => Err(Failure::Settings(format!(
                "plain ws to {}, which is not this machine: use wss, or allow it with --allow-plain",
                server.host()
            ))),
        }
    }

    /// TLS settings where a server needs them; a root file that is given is read in any case.
    fn tls(&self) -> Result<Option<Arc<rustls::ClientConfig>>, Failure> {
        let roots = match &self.tls_ca {
            Some(file) => Roots::File(file.clone()),
            None if self.server.iter().any(ServerAddress::is_secure) => Roots::System,
            None => return Ok(None),
        };
        Ok(Some(tls::client_config(&roots)?))
    }
}
