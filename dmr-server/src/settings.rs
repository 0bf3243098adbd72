//! The command line of `dmr-server`, its variables and its settings file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use dmr_core::id::Name;
use dmr_crypto::{RootPin, ServerKeys};
use dmr_transport::service::logging::{self, LogSettings};
use dmr_transport::service::settings::ConfigFile;
use dmr_transport::service::state_file::{self};
use dmr_transport::service::units;
use dmr_transport::tls::{self};

use crate::broker_settings::{BrokerPlan, BrokerSettings};
use crate::config::{DEFAULT_NAME, ServerConfig};
use crate::limits::Limits;
use crate::operator::dead::DeadCommand;
use crate::operator::queues::QueuesCommand;
pub use crate::settings_refused::SettingsRefused;

/// Largest root pin or key file, in bytes.
pub(crate) const SMALL_FILE: usize = 64 << 10;

/// Relays sealed messages between agents. It cannot open one: it holds no key that could.
///
/// Every option is also a variable (`--listen` is `DMR_LISTEN`) and a line of the TOML file that `--config` names
/// (`listen = "127.0.0.1:8075"`); the command line comes first, then the variables, then the file.
#[derive(Debug, Parser)]
#[command(name = "dmr-server", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `dmr-server` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve agents until SIGTERM or SIGINT; then let them finish within the grace period. A second signal ends at once.
    Run(Box<RunSettings>),
    /// Validate everything that `run` needs, and start nothing. Exits with 0 or 64.
    Check(Box<RunSettings>),
    /// Look into a signed directory.
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// Say how full each mailbox of a RabbitMQ broker is: messages, age, consumers, rates. Looks at the first message of each
    /// mailbox and gives it back, which the broker counts as a delivery.
    Queues(QueuesCommand),
    /// List, show, redrive or purge the messages that died.
    #[command(subcommand)]
    Dead(DeadCommand),
}

/// What can be done with a directory file.
#[derive(Debug, Subcommand)]
pub enum DirectoryCommand {
    /// Print who takes part, with which keys. Prints nothing that does not verify.
    Show {
        /// Which directory.
        #[command(flatten)]
        source: DirectorySource,
        /// Print the directory's JSON instead of a table.
        #[arg(long, env = "DMR_JSON")]
        json: bool,
    },
    /// Say whether the directory can be used now. Exits with 0 if so, otherwise with 1.
    Verify {
        /// Which directory.
        #[command(flatten)]
        source: DirectorySource,
    },
}

/// A directory file and the root it must be signed under.
#[derive(Debug, Args)]
pub struct DirectorySource {
    /// Signed directory: directory.jws
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    config_file: ConfigFile,
}

#[derive(Debug, Args)]
struct Trust {
    /// Root keys by which the directory is known: root.pub
    #[arg(long, value_name = "FILE", env = "DMR_ROOT")]
    root: PathBuf,
    /// Network served; the root's must be the same
    #[arg(long, value_name = "NAME", env = "DMR_NETWORK")]
    network: Name,
}

/// Where health and metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminAddress {
    /// Nowhere.
    Off,
    /// Here.
    At(SocketAddr),
}

impl FromStr for AdminAddress {
    type Err = std::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" { Ok(Self::Off) } else { text.parse().map(Self::At) }
    }
}

/// The options of `run` and `check`.
#[derive(Debug, Args)]
pub struct RunSettings {
    /// Signed directory (directory.jws); looked at every two seconds, a valid newer one is taken up and sent to agents
    #[arg(long, value_name = "FILE", env = "DMR_DIRECTORY")]
    directory: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// Where agents connect
    #[arg(long, value_name = "ADDRESS", env = "DMR_LISTEN", default_value = "127.0.0.1:8075")]
    listen: SocketAddr,
    /// This server's name, which agents may insist on [default: the name in --keys, or dmr-server]
    #[arg(long, value_name = "NAME", env = "DMR_NAME")]
    name: Option<Name>,
    /// Where /livez, /readyz and /metrics are served without a login, or 'off': keep it off public networks
    #[arg(long, value_name = "ADDRESS", env = "DMR_ADMIN", default_value = "127.0.0.1:8076")]
    admin: AdminAddress,
    /// Directory that keeps the last good directory, so that an older one is refused after a restart too
    #[arg(long, value_name = "DIR", env = "DMR_STATE")]
    state: Option<PathBuf>,
    /// Certificate chain for TLS, PEM; with --tls-key
    #[arg(long, value_name = "FILE", env = "DMR_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Private key for TLS, PEM, readable by its owner alone; with --tls-cert
    #[arg(long, value_name = "FILE", env = "DMR_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Accept links without TLS on an address that is not loopback: for a proxy in front that ends TLS
    #[arg(long, env = "DMR_ALLOW_PLAIN")]
    allow_plain: bool,
    /// Key file by which this server proves its name, readable by its owner alone
    #[arg(long, value_name = "FILE", env = "DMR_KEYS")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    logs: LogSettings,
    #[command(flatten)]
    config_file: ConfigFile,
    // Last, because whatever follows would stand under their headings.
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    limits: LimitSettings,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitSettings {
    /// Links at once
    #[arg(long, value_name = "N", env = "DMR_MAX_CONNECTIONS", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Links at once that have not logged in
    #[arg(long, value_name = "N", env = "DMR_MAX_UNAUTHENTICATED", default_value_t = Limits::default().unauthenticated)]
    max_unauthenticated: usize,
    /// The same from one address; 0 for no bound, as behind a proxy
    #[arg(
        long,
        value_name = "N",
        env = "DMR_MAX_UNAUTHENTICATED_PER_ADDRESS",
        default_value_t = Limits::default().unauthenticated_per_address
    )]
    max_unauthenticated_per_address: usize,
    /// Links at once of one participant
    #[arg(
        long,
        value_name = "N",
        env = "DMR_MAX_LINKS_PER_PARTICIPANT",
        default_value_t = Limits::default().links_per_participant
    )]
    max_links_per_participant: usize,
    /// New links a second from one address, four times as many in a burst; 0 for no bound
    #[arg(long, value_name = "N", env = "DMR_RATE_HANDSHAKES", default_value_t = Limits::default().handshakes_per_address)]
    rate_handshakes: u32,
    /// Messages a second from one participant; 0 for no bound
    #[arg(long, value_name = "N", env = "DMR_RATE_MESSAGES", default_value_t = Limits::default().messages_per_second)]
    rate_messages: u32,
    /// Bytes a second from one participant; 0 for no bound
    #[arg(long, value_name = "SIZE", env = "DMR_RATE_BYTES", default_value = "64MiB", value_parser = units::size)]
    rate_bytes: u64,
    /// Bytes of messages that the memory broker holds in all; past it messages are refused, to be sent again later
    #[arg(long, value_name = "SIZE", env = "DMR_MAX_QUEUED_BYTES", default_value = "1GiB", value_parser = units::size)]
    max_queued_bytes: u64,
    /// Publishes that one link may have unconfirmed
    #[arg(long, value_name = "N", env = "DMR_CREDIT", default_value_t = Limits::default().credit)]
    credit: u16,
    /// Each side of a link sends something at least this often; keep it below a proxy's idle timeout
    #[arg(long, value_name = "TIME", env = "DMR_HEARTBEAT", default_value = "20s", value_parser = units::duration)]
    heartbeat: Duration,
    /// Time for a handshake, and for a login
    #[arg(long, value_name = "TIME", env = "DMR_LOGIN_TIMEOUT", default_value = "10s", value_parser = units::duration)]
    login_timeout: Duration,
    /// Time for links to finish after the first signal
    #[arg(long, value_name = "TIME", env = "DMR_GRACE", default_value = "10s", value_parser = units::duration)]
    grace: Duration,
}

impl LimitSettings {
    fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            unauthenticated: self.max_unauthenticated,
            unauthenticated_per_address: self.max_unauthenticated_per_address,
            handshakes_per_address: self.rate_handshakes,
            links_per_participant: self.max_links_per_participant,
            messages_per_second: self.rate_messages,
            bytes_per_second: u32::try_from(self.rate_bytes).unwrap_or(u32::MAX),
            credit: self.credit,
            heartbeat: self.heartbeat,
            login_timeout: self.login_timeout,
            grace: self.grace,
            ..Limits::default()
        }
    }
}

impl Trust {
    fn pin(&self) -> Result<RootPin, SettingsRefused> {
        read_pin(&self.root, &self.network)
    }
}

/// The root pin of this network in a file.
///
/// # Errors
/// [`SettingsRefused`].
pub(crate) fn read_pin(root: &Path, network: &Name) -> Result<RootPin, SettingsRefused> {
    let path = root.to_owned();
    let Some(bytes) = state_file::read(&path, SMALL_FILE)? else { return Err(SettingsRefused::Missing { path }) };
    let pin = match RootPin::from_json(&bytes) {
        Ok(pin) => pin,
        Err(error) => return Err(SettingsRefused::Root { path, error }),
    };
    if pin.network() == network {
        Ok(pin)
    } else {
        Err(SettingsRefused::Network { path, found: pin.network().clone(), network: network.clone() })
    }
}

impl DirectorySource {
    /// The root pin that the directory must be signed under.
    ///
    /// # Errors
    /// [`SettingsRefused`].
    pub fn pin(&self) -> Result<RootPin, SettingsRefused> {
        self.trust.pin()
    }
}

impl RunSettings {
    /// How to log.
    pub fn logs(&self) -> &LogSettings {
        &self.logs
    }

    /// What holds the messages.
    ///
    /// # Errors
    /// [`SettingsRefused`].
    pub fn broker(&self) -> Result<BrokerPlan, SettingsRefused> {
        self.broker.plan()
    }

    /// The configuration these settings make. Reads every file but the directory.
    ///
    /// # Errors
    /// [`SettingsRefused`].
    pub fn config(&self) -> Result<ServerConfig, SettingsRefused> {
        logging::check(&self.logs)?;
        let keys = self.keys()?;
        let name = match (&self.name, &keys) {
            (Some(name), _) => name.clone(),
            (None, Some(keys)) => keys.name().clone(),
            (None, None) => DEFAULT_NAME.parse()?,
        };
        let mut config = ServerConfig::new(self.directory.clone(), self.trust.pin()?, name);
        config.listen = self.listen;
        config.admin = match self.admin {
            AdminAddress::Off => None,
            AdminAddress::At(address) => Some(address),
        };
        config.state = self.state.clone();
        config.tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(tls::server_config(certificate, key)?),
            (None, None) => None,
            _ => return Err(SettingsRefused::HalfTls),
        };
        config.allow_plain = self.allow_plain;
        config.keys = keys;
        config.limits = self.limits.limits();
        config.queues.total_bytes = self.limits.max_queued_bytes;
        config.check()?;
        Ok(config)
    }

    fn keys(&self) -> Result<Option<ServerKeys>, SettingsRefused> {
        let Some(path) = &self.keys else { return Ok(None) };
        let text = state_file::read_secret(path, SMALL_FILE)?;
        let keys = ServerKeys::from_key_file(&text);
        keys.map(Some).map_err(|error| SettingsRefused::Keys { path: path.clone(), error })
    }
}
