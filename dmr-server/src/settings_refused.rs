//! Why settings do not make a configuration.

use std::path::PathBuf;

use dmr_core::id::{IdError, Name};
use dmr_crypto::{KeyFileError, RootError};
use dmr_transport::service::logging::LogError;
use dmr_transport::service::state_file::StateFileError;
use dmr_transport::tls::TlsError;

use crate::config::ConfigError;

/// Why the settings do not make a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsRefused {
    /// They contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// One of the two TLS files without the other.
    #[error("--tls-cert and --tls-key go together")]
    HalfTls,
    /// A broker in memory and another.
    #[error("--broker: 'memory' stands alone")]
    MixedBrokers,
    /// One of the two files of the broker's certificate without the other.
    #[error("--broker-cert and --broker-key go together")]
    HalfBrokerTls,
    /// TLS settings for a broker that is reached without.
    #[error("--broker-ca, --broker-cert and --broker-key are for amqps:// addresses, and --broker names none")]
    PlainBrokerTls,
    /// The credentials are not one line with a user and a password.
    #[error("{}: not one line 'user:password'", path.display())]
    Credentials {
        /// Which file.
        path: PathBuf,
    },
    /// The address and the credentials name different users.
    #[error("--broker and --broker-credentials name different users")]
    TwoBrokerUsers,
    /// A user without a password.
    #[error("--broker names a user: give its password with --broker-credentials")]
    NoBrokerPassword,
    /// The broker knows this server by its certificate, and the management API knows nobody by one.
    #[error("the management api asks for a user: --broker-management-credentials, or --broker-check off")]
    NoManagementUser,
    /// The host of the broker makes no address of its management API.
    #[error("--broker names a host whose management api needs --broker-management")]
    NoManagementAddress,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
    /// A TLS file is wrong.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file cannot be read, or lets others read a secret.
    #[error(transparent)]
    File(#[from] StateFileError),
    /// There is no such file.
    #[error("{}: no such file", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// The root pin is wrong.
    #[error("{}: {error}", path.display())]
    Root {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: RootError,
    },
    /// The root pin is another network's.
    #[error("{}: a root of the network {found}, and --network is {network}", path.display())]
    Network {
        /// Which file.
        path: PathBuf,
        /// The pin's network.
        found: Name,
        /// The configured one.
        network: Name,
    },
    /// The key file is wrong.
    #[error("{}: {error}", path.display())]
    Keys {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyFileError,
    },
    /// A directory without what it is verified by.
    #[error("--directory goes with --root and --network")]
    HalfNames,
    /// The log filter is wrong.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The name is none.
    #[error("--name: {0}")]
    Name(#[from] IdError),
}
