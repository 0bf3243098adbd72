//! The command line of `dmr-agent`, its variables and its settings file.

pub(crate) mod directory;
pub(crate) mod keys;
mod link_settings;
pub(crate) mod run;
pub(crate) mod send;
mod settings;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use dmr_core::directory::DirectoryError;
use dmr_core::id::Name;
use dmr_crypto::authority::AuthorityError;
use dmr_crypto::{DirectoryRefused, KeyFileError, RandomError, RootError, RootPin};
use dmr_transport::service::logging::LogError;
use dmr_transport::service::state_file::{self, StateFileError};
use dmr_transport::tls::TlsError;

use crate::api::FieldError;
use crate::error::ConnectError;
use crate::service::ServiceError;
use send::SendSettings;
use settings::RunSettings;

/// Largest key file, card or root file, in bytes.
pub(crate) const SMALL_FILE: usize = 64 << 10;

/// An institution's end of a DMR network: seals and opens its messages, keeps its keys, and talks to a relay server.
///
/// Every option is also a variable (`--listen` is `DMR_LISTEN`) and a line of the TOML file that `--config` names
/// (`listen = "127.0.0.1:8077"`); the command line comes first, then the variables, then the file.
#[derive(Debug, Parser)]
#[command(name = "dmr-agent", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `dmr-agent` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the keys of a participant or of a relay server.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Keep a network's signed directory: who takes part, with which keys.
    #[command(subcommand)]
    Directory(directory::DirectoryCommand),
    /// Connect to a server and serve the local HTTP API until SIGTERM or SIGINT; then finish what is in flight. A
    /// second signal ends at once.
    Run(Box<RunSettings>),
    /// Send one message, given as JSON on the standard input, and print its fate as a line of JSON.
    Send(Box<SendSettings>),
    /// Validate everything that `run` needs, and start nothing. Exits with 0 or 64.
    Check(Box<RunSettings>),
}

/// Why the program ends without success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Settings(String),
    #[error(transparent)]
    File(#[from] StateFileError),
    #[error("{}: no such file", .0.display())]
    Missing(PathBuf),
    #[error("{}: {error}", file.display())]
    KeyFile { file: PathBuf, error: KeyFileError },
    #[error("{}: {error}", file.display())]
    Root { file: PathBuf, error: RootError },
    #[error("{}: a root of the network {found}, and --network is {network}", file.display())]
    Network { file: PathBuf, found: Name, network: Name },
    #[error("{}: {error}", file.display())]
    Card { file: PathBuf, error: DirectoryError },
    #[error("{}: {error}", file.display())]
    Directory { file: PathBuf, error: DirectoryRefused },
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("the standard input: {}{}{error}", .error.pointer, if .error.pointer.is_empty() { "" } else { " " })]
    Message { error: FieldError },
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Failure {
    /// 64 where a human must change the command line or a file it names, otherwise 1.
    pub(crate) fn exit_code(&self) -> u8 {
        /// `EX_USAGE` of sysexits.h.
        const USAGE: u8 = 64;
        match self {
            Self::Settings(_)
            | Self::File(_)
            | Self::Missing(_)
            | Self::KeyFile { .. }
            | Self::Root { .. }
            | Self::Network { .. }
            | Self::Card { .. }
            | Self::Directory { .. }
            | Self::Authority(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Log(_)
            | Self::Message { .. } => USAGE,
            Self::Service(error) if error.is_configuration() => USAGE,
            Self::Service(_) | Self::Random(_) | Self::Io(_) => 1,
        }
    }
}

/// The content of a public file that must be there.
pub(crate) fn read(file: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    state_file::read(file, limit)?.ok_or_else(|| Failure::Missing(file.to_owned()))
}

/// The root keys in this file.
pub(crate) fn read_pin(file: &Path) -> Result<RootPin, Failure> {
    let bytes = read(file, SMALL_FILE)?;
    RootPin::from_json(&bytes).map_err(|error| Failure::Root { file: file.to_owned(), error })
}
