//! The options of `run` and `check`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dmr_core::id::Name;
use dmr_core::retry::RetryConfig;
use dmr_crypto::Keyring;
use dmr_transport::service::logging::LogSettings;
use dmr_transport::service::settings::ConfigFile;
use dmr_transport::service::{state_file, units};
use dmr_transport::tls::{self, Roots};
use dmr_transport::websocket::{DialerConfig, ServerAddress};

use super::{Failure, SMALL_FILE, read_pin};
use crate::api::BearerToken;
use crate::config::AgentConfig;
use crate::service::ServiceConfig;
use crate::webhook::{LONGEST_WAIT, WebhookConfig, WebhookUrl};

/// Time for all calls of the webhook for one message: less than servers wait for a settlement.
const LONGEST_DELIVERY: Duration = Duration::from_secs(9 * 60);
/// Longest token file, in bytes.
const TOKEN_FILE: usize = 4 << 10;

/// The options of `run` and `check`.
#[derive(Debug, Args)]
pub(crate) struct RunSettings {
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
    /// Where the local HTTP API is served; an address that is not loopback needs --token-file
    #[arg(long, value_name = "ADDRESS", env = "DMR_LISTEN", default_value = "127.0.0.1:8077")]
    listen: SocketAddr,
    /// Bearer token that callers of the HTTP API must show: the first line of this file, readable by its owner alone
    #[arg(long, value_name = "FILE", env = "DMR_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Webhook that is told every message and may answer questions. Without it nothing unsolicited is acknowledged
    #[arg(long, value_name = "URL", env = "DMR_DELIVER_TO")]
    deliver_to: Option<WebhookUrl>,
    /// Roots that an https webhook's certificate must chain to, PEM [default: the system's]
    #[arg(long, value_name = "FILE", env = "DMR_DELIVER_CA")]
    deliver_ca: Option<PathBuf>,
    /// Calls of the webhook for one message, before it is refused and its sender told
    #[arg(long, value_name = "N", env = "DMR_DELIVER_ATTEMPTS", default_value_t = RetryConfig::default().attempts)]
    deliver_attempts: u32,
    /// Time for one call of the webhook, the answer's body included
    #[arg(long, value_name = "TIME", env = "DMR_DELIVER_TIMEOUT", default_value = "10s", value_parser = units::duration)]
    deliver_timeout: Duration,
    /// Messages that may be at the webhook at once. 1 keeps their order
    #[arg(long, value_name = "N", env = "DMR_PREFETCH", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    prefetch: u16,
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
    /// For measuring loads only: send and expect no receipts. Every agent must be set alike
    #[arg(long, env = "DMR_NO_RECEIPTS", hide = true)]
    no_receipts: bool,
    #[command(flatten)]
    pub(crate) logs: LogSettings,
    #[command(flatten)]
    config_file: ConfigFile,
}

impl RunSettings {
    /// Reads and checks everything the settings name.
    ///
    /// # Errors
    /// [`Failure`], saying what to change.
    pub(crate) fn config(&self) -> Result<ServiceConfig, Failure> {
        let text = state_file::read_secret(&self.keys, SMALL_FILE)?;
        let keyring =
            Keyring::from_key_file(&text).map_err(|error| Failure::KeyFile { file: self.keys.clone(), error })?;
        let pin = read_pin(&self.root)?;
        if *pin.network() != self.network {
            let (found, network) = (pin.network().clone(), self.network.clone());
            return Err(Failure::Network { file: self.root.clone(), found, network });
        }
        self.check_delivery()?;
        if !self.allow_plain {
            self.refuse_plain()?;
        }
        let mut agent = AgentConfig::new(keyring, pin, self.server.clone());
        agent.dialer = DialerConfig { tls: self.tls()?, allow_plain: self.allow_plain, ..DialerConfig::default() };
        agent.state.clone_from(&self.state);
        agent.prefetch = Some(self.prefetch);
        agent.allow_unbound = self.allow_unbound;
        agent.receipts = !self.no_receipts;
        let mut config = ServiceConfig::new(agent);
        config.listen = self.listen;
        config.token = self.token_file.as_deref().map(read_token).transpose()?;
        config.webhook = self.webhook()?;
        config.check()?;
        Ok(config)
    }

    /// All attempts for one message must be over before the server takes it for forgotten, after ten minutes.
    fn check_delivery(&self) -> Result<(), Failure> {
        let waits = LONGEST_WAIT.saturating_mul(self.deliver_attempts.saturating_sub(1));
        let calls = self.deliver_timeout.saturating_mul(self.deliver_attempts);
        if self.deliver_attempts == 0
            || self.deliver_timeout.is_zero()
            || calls.saturating_add(waits) > LONGEST_DELIVERY
        {
            return Err(Failure::Settings(
                "--deliver-attempts and --deliver-timeout: at least one attempt, and all of them, with up to a minute between \
                 two, must be over in nine minutes"
                    .to_owned(),
            ));
        }
        Ok(())
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

    fn webhook(&self) -> Result<Option<WebhookConfig>, Failure> {
        let Some(url) = self.deliver_to.clone() else { return Ok(None) };
        let roots = match &self.deliver_ca {
            Some(file) => Some(Roots::File(file.clone())),
            None => url.is_secure().then_some(Roots::System),
        };
        Ok(Some(WebhookConfig {
            url,
            tls: roots.map(|roots| tls::client_config(&roots)).transpose()?,
            retry: RetryConfig { attempts: self.deliver_attempts, ..RetryConfig::default() },
            timeout: self.deliver_timeout,
        }))
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

fn read_token(file: &Path) -> Result<BearerToken, Failure> {
    let bytes = state_file::read_secret(file, TOKEN_FILE)?;
    BearerToken::from_file(&bytes).ok_or_else(|| {
        Failure::Settings(format!("{}: a token is one line of at least 16 visible ASCII characters", file.display()))
    })
}
