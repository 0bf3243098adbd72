//! The options that say which broker holds the messages and how it is reached.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use dmr_transport::amqp::management::{Credentials, Management, ManagementAddress, ManagementConfig};
use dmr_transport::amqp::{AmqpAddress, AmqpAddressError, AmqpConfig, AmqpLogin, AmqpTls};
use dmr_transport::service::state_file;
use dmr_transport::tls::{self, Roots};
use zeroize::Zeroizing;

use crate::broker_inspection::Inspector;
use crate::clock::Clock;
use crate::settings::{SMALL_FILE, SettingsRefused};

/// One value of `--broker`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum BrokerPlace {
    Memory,
    Amqp(AmqpAddress),
}

/// Why a text is no broker.
#[derive(Debug, thiserror::Error)]
enum BrokerPlaceError {
    #[error("neither 'memory' nor an amqp:// or amqps:// address")]
    Neither,
    #[error(transparent)]
    Address(AmqpAddressError),
}

impl FromStr for BrokerPlace {
    type Err = BrokerPlaceError;
    fn from_str(text: &str) -> Result<Self, BrokerPlaceError> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        text.parse().map(Self::Amqp).map_err(|error| match error {
            AmqpAddressError::Scheme => BrokerPlaceError::Neither,
            error => BrokerPlaceError::Address(error),
        })
    }
}

/// What holds the messages.
#[derive(Debug)]
pub enum BrokerPlan {
    /// This process, which keeps nothing across a restart.
    Memory,
    /// A RabbitMQ cluster.
    Amqp(Box<AmqpPlan>),
}

/// Which broker, and how it is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Broker")]
pub struct BrokerSettings {
    /// What holds the messages: 'memory', in this process, which keeps nothing across a restart; or the nodes of a
    /// RabbitMQ cluster, amqp://[user@]host[:port][/vhost] or amqps://…, several separated by commas and tried in turn
    #[arg(long, value_name = "URL", env = "DMR_BROKER", default_value = "memory", value_delimiter = ',')]
    broker: Vec<BrokerPlace>,
    /// File with the line 'user:password' for the broker, readable by its owner alone [default: guest:guest, which
    /// RabbitMQ lets in from loopback only; with --broker-cert, who the certificate says]
    #[arg(long, value_name = "FILE", env = "DMR_BROKER_CREDENTIALS")]
    broker_credentials: Option<PathBuf>,
    /// Certificate authorities for amqps and https, PEM [default: the system's]
    #[arg(long, value_name = "FILE", env = "DMR_BROKER_CA")]
    broker_ca: Option<PathBuf>,
    /// Certificate chain by which the broker knows this server, PEM; with --broker-key. Read anew for each connection
    #[arg(long, value_name = "FILE", env = "DMR_BROKER_CERT")]
    broker_cert: Option<PathBuf>,
    /// Private key to --broker-cert, PEM, readable by its owner alone
    #[arg(long, value_name = "FILE", env = "DMR_BROKER_KEY")]
    broker_key: Option<PathBuf>,
    /// RabbitMQ's management API, several nodes separated by commas, by which the broker's settings are checked
    /// [default: each host of --broker, port 15672, or 15671 with TLS]
    #[arg(long, value_name = "URL", env = "DMR_BROKER_MANAGEMENT", value_delimiter = ',')]
    broker_management: Vec<ManagementAddress>,
    /// File with the line 'user:password' for the management API [default: as for the broker]
    #[arg(long, value_name = "FILE", env = "DMR_BROKER_MANAGEMENT_CREDENTIALS")]
    broker_management_credentials: Option<PathBuf>,
    /// Whether the broker must be set up as deploy/rabbitmq says: 'require' refuses to run otherwise, 'warn' only says
    /// so, 'off' does not look
    #[arg(long, value_name = "HOW", env = "DMR_BROKER_CHECK", value_enum, default_value_t)]
    broker_check: BrokerCheck,
}

/// Whether the broker must be set up as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum BrokerCheck {
    /// A server does not run on one that is not, and is not ready before it has looked.
    #[default]
    Require,
    /// The log says so.
    Warn,
    /// Nobody looks.
    Off,
}

/// A broker on RabbitMQ.
#[derive(Debug)]
pub struct AmqpPlan {
    /// How it is reached.
    pub config: AmqpConfig,
    /// How its settings are looked at; `None`: not at all.
    pub inspector: Option<Inspector>,
}

impl BrokerSettings {
    /// The plan that these settings make. Reads every file once, so that a wrong one is told at the start.
    ///
    /// # Errors
    /// [`SettingsRefused`].
    pub fn plan(&self) -> Result<BrokerPlan, SettingsRefused> {
        let mut addresses = Vec::new();
        for place in &self.broker {
            match place {
                BrokerPlace::Memory if self.broker.len() > 1 => return Err(SettingsRefused::MixedBrokers),
                BrokerPlace::Memory => return Ok(BrokerPlan::Memory),
                BrokerPlace::Amqp(address) => addresses.push(address.clone()),
            }
        }
        let tls = self.tls(&addresses)?;
        let login = self.login(&addresses, &tls)?;
        let inspector = self.inspector(&addresses, &login)?;
        let clock = Clock::system();
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|_| SettingsRefused::Random)?;
        let mut config = AmqpConfig::new(addresses, u64::from_be_bytes(seed), move || clock.now().wall);
        config.login = login;
        config.tls = tls;
        config.name = "dmr-server".into();
        Ok(BrokerPlan::Amqp(Box::new(AmqpPlan { config, inspector })))
    }

    fn tls(&self, addresses: &[AmqpAddress]) -> Result<AmqpTls, SettingsRefused> {
        let roots = self.broker_ca.clone().map_or(Roots::System, Roots::File);
        let identity = match (&self.broker_cert, &self.broker_key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(SettingsRefused::HalfBrokerTls),
        };
        let tls = AmqpTls { roots, identity };
        if addresses.iter().any(AmqpAddress::is_secure) {
            let identity = tls.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
            tls::broker_config(&tls.roots, identity)?;
        } else if tls.identity.is_some() || self.broker_ca.is_some() {
            return Err(SettingsRefused::PlainBrokerTls);
        }
        Ok(tls)
    }

    fn inspector(&self, addresses: &[AmqpAddress], login: &AmqpLogin) -> Result<Option<Inspector>, SettingsRefused> {
        if self.broker_check == BrokerCheck::Off {
            return Ok(None);
        }
        let credentials = match (&self.broker_management_credentials, login) {
            (Some(path), _) => {
                let (user, password) = credentials(path)?;
                Credentials::new(&user, password)
            }
            (None, AmqpLogin::Password { user, password }) => {
                Credentials::new(user, Zeroizing::new(password.to_string()))
            }
            (None, AmqpLogin::Certificate) => return Err(SettingsRefused::NoManagementUser),
        };
        let named = if self.broker_management.is_empty() {
            addresses.iter().map(management_of).collect::<Result<Vec<_>, _>>()?
        } else {
            self.broker_management.clone()
        };
        let vhost = addresses.first().map_or("/", AmqpAddress::vhost);
        let mut nodes = Vec::new();
        for address in named {
            let tls = if address.is_secure() {
                let roots = self.broker_ca.clone().map_or(Roots::System, Roots::File);
                Some(tls::client_config(&roots)?)
            } else {
                None
            };
            let mut config = ManagementConfig::new(address, credentials.clone());
            config.vhost = vhost.into();
            config.tls = tls;
            nodes.push(Management::new(config));
        }
        let mut nodes = nodes.into_iter();
        let required = self.broker_check == BrokerCheck::Require;
        Ok(nodes.next().map(|first| Inspector::new(first, nodes.collect(), required)))
    }

    fn login(&self, addresses: &[AmqpAddress], tls: &AmqpTls) -> Result<AmqpLogin, SettingsRefused> {
        let named = addresses.iter().find_map(AmqpAddress::user);
        if let Some(path) = &self.broker_credentials {
            let (user, password) = credentials(path)?;
            if named.is_some_and(|named| *named != *user) {
                return Err(SettingsRefused::TwoBrokerUsers);
            }
            return Ok(AmqpLogin::Password { user, password: password.as_str().into() });
        }
        if tls.identity.is_some() {
            return Ok(AmqpLogin::Certificate);
        }
        match named {
            Some(_) => Err(SettingsRefused::NoBrokerPassword),
            None => Ok(AmqpLogin::Password { user: "guest".into(), password: "guest".into() }),
        }
    }
}

/// User and password in a file of one line.
fn credentials(path: &Path) -> Result<(Box<str>, Zeroizing<String>), SettingsRefused> {
    let refused = || SettingsRefused::Credentials { path: path.to_owned() };
    let bytes = Zeroizing::new(state_file::read_secret(path, SMALL_FILE)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| refused())?.trim_end_matches(['\r', '\n']);
    let (user, password) = text.split_once(':').ok_or_else(refused)?;
    if user.is_empty() || password.is_empty() || text.contains('\n') {
        return Err(refused());
    }
    Ok((user.into(), Zeroizing::new(password.to_owned())))
}

/// Where RabbitMQ's management API listens by default on the host of an address.
fn management_of(address: &AmqpAddress) -> Result<ManagementAddress, SettingsRefused> {
    let scheme = if address.is_secure() { "https" } else { "http" };
    let (open, close) = if address.host().contains(':') { ("[", "]") } else { ("", "") };
    let text = format!("{scheme}://{open}{}{close}", address.host());
    text.parse().map_err(|_| SettingsRefused::NoManagementAddress)
}
