//! The options that say which broker holds the messages and how it is reached.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use dmr_transport::amqp::{AmqpAddress, AmqpAddressError, AmqpConfig, AmqpLogin, AmqpTls};
use dmr_transport::service::state_file;
use dmr_transport::tls::{self, Roots};

use crate::clock::Clock;
use crate::settings::{SMALL_FILE, SettingsRefused};

/// One value of `--broker`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum BrokerPlace {
    Memory,
    Amqp(AmqpAddress),
}

impl FromStr for BrokerPlace {
    type Err = AmqpAddressError;
    fn from_str(text: &str) -> Result<Self, AmqpAddressError> {
        if text == "memory" { Ok(Self::Memory) } else { text.parse().map(Self::Amqp) }
    }
}

/// What holds the messages.
#[derive(Debug)]
pub enum BrokerPlan {
    /// This process, which keeps nothing across a restart.
    Memory,
    /// A RabbitMQ cluster.
    Amqp(Box<AmqpConfig>),
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
        let clock = Clock::system();
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|_| SettingsRefused::Random)?;
        let mut config = AmqpConfig::new(addresses, u64::from_be_bytes(seed), move || clock.now().wall);
        config.login = login;
        config.tls = tls;
        config.name = "dmr-server".into();
        Ok(BrokerPlan::Amqp(Box::new(config)))
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

    fn login(&self, addresses: &[AmqpAddress], tls: &AmqpTls) -> Result<AmqpLogin, SettingsRefused> {
        let named = addresses.iter().find_map(AmqpAddress::user);
        if let Some(path) = &self.broker_credentials {
            let refused = || SettingsRefused::Credentials { path: path.clone() };
            let text = String::from_utf8(state_file::read_secret(path, SMALL_FILE)?).map_err(|_| refused())?;
            let (user, password) = text.trim_end_matches(['\r', '\n']).split_once(':').ok_or_else(refused)?;
            if user.is_empty() || password.is_empty() || text.trim_end().contains('\n') {
                return Err(refused());
            }
            if named.is_some_and(|named| named != user) {
                return Err(SettingsRefused::TwoBrokerUsers);
            }
            return Ok(AmqpLogin::Password { user: user.into(), password: password.into() });
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
