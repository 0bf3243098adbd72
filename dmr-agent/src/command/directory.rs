//! `dmr-agent directory`: founding a network and keeping its signed directory.
//!
//! ```text
//! DIR/root.key       signs root documents; move it offline        0600
//! DIR/directory.key  signs directories                            0600
//! DIR/root.pub       the pin: goes to every agent and server
//! DIR/directory.jws  the signed directory: goes to every server, which hands it to the agents
//! ```

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use dmr_core::directory::Card;
use dmr_core::id::Name;
use dmr_core::limit;
use dmr_core::time::Timestamp;
use dmr_crypto::authority::{self, AuthorityError, AuthorityKey};
use dmr_crypto::{KeyFileError, RootPin, VerifiedDirectory};
use dmr_transport::service::settings::ConfigFile;
use dmr_transport::service::{state_file, units};

use super::{Failure, SMALL_FILE, read, read_pin};
use crate::clock::Clock;

const ROOT_KEY: &str = "root.key";
const DIRECTORY_KEY: &str = "directory.key";
const PIN: &str = "root.pub";
const BUNDLE: &str = "directory.jws";

/// What can be done with a directory.
#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryCommand {
    /// Found a network: a root key, a directory key (both 0600), the root file for everyone, and directory revision 1.
    New {
        /// Directory to write to; files that are there are never overwritten
        #[arg(long, value_name = "DIR", env = "DMR_OUT")]
        out: PathBuf,
        /// The network's name: a-z 0-9 . _ -
        #[arg(long, value_name = "NAME", env = "DMR_NETWORK")]
        network: Name,
        #[command(flatten)]
        validity: ValidFor,
    },
    /// Add the participants and servers of these cards, or give new keys to those that are listed. Revision + 1.
    Add {
        #[command(flatten)]
        place: Place,
        /// Public cards, as `keys new` writes them
        #[arg(value_name = "CARD.json", required = true)]
        cards: Vec<PathBuf>,
    },
    /// Remove a participant or a server: it can no longer connect, send or receive. Revision + 1.
    Remove {
        #[command(flatten)]
        place: Place,
        /// Its name
        #[arg(value_name = "NAME")]
        name: Name,
    },
    /// Sign the directory again before it expires. Revision + 1.
    Renew {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Directory that `directory new` wrote
    #[arg(long, value_name = "DIR", env = "DMR_DIR")]
    dir: PathBuf,
    #[command(flatten)]
    validity: ValidFor,
}

#[derive(Debug, Args)]
pub(crate) struct ValidFor {
    /// How long the directory serves; agents and servers warn from half of it
    #[arg(long, value_name = "TIME", env = "DMR_VALID_FOR", default_value = "30d", value_parser = units::duration)]
    valid_for: Duration,
    #[command(flatten)]
    config_file: ConfigFile,
}

/// Runs the command.
pub(crate) fn run(command: &DirectoryCommand) -> Result<(), Failure> {
    match command {
        DirectoryCommand::New { out, network, validity } => found(out, network, validity.valid_for),
        DirectoryCommand::Add { place, cards } => {
            let cards = cards.iter().map(|file| read_card(file)).collect::<Result<Vec<_>, _>>()?;
            amend(place, |kept, now, valid_for| {
                authority::add(&kept.current, &kept.pin, &kept.key, &cards, now, valid_for)
            })
        }
        DirectoryCommand::Remove { place, name } => amend(place, |kept, now, valid_for| {
            authority::remove(&kept.current, &kept.pin, &kept.key, name, now, valid_for)
        }),
        DirectoryCommand::Renew { place } => {
            amend(place, |kept, now, valid_for| authority::renew(&kept.current, &kept.pin, &kept.key, now, valid_for))
        }
    }
}

fn found(out: &Path, network: &Name, valid_for: Duration) -> Result<(), Failure> {
    let founding = authority::found(network.clone(), Clock::system().wall(), valid_for)?;
    let key_file = |key: &AuthorityKey, file: &Path| {
        key.to_key_file().map_err(|error| Failure::KeyFile { file: file.to_owned(), error })
    };
    let pin_file = out.join(PIN);
    let pin = founding.pin.to_json().map_err(|error| Failure::Root { file: pin_file.clone(), error })?;
    fs::create_dir_all(out).map_err(|error| Failure::Settings(format!("{}: {error}", out.display())))?;
    for file in [&pin_file, &out.join(BUNDLE)] {
        if file.exists() {
            return Err(Failure::Settings(format!("{}: exists already; nothing was changed", file.display())));
        }
    }
    // The keys first: they refuse to overwrite, and without them nothing else may be replaced.
    let (root_key, directory_key) = (out.join(ROOT_KEY), out.join(DIRECTORY_KEY));
    state_file::create_secret(&root_key, &key_file(&founding.root_key, &root_key)?)?;
    state_file::create_secret(&directory_key, &key_file(&founding.directory_key, &directory_key)?)?;
    state_file::replace(&pin_file, &pin)?;
    write(out, &founding.directory)?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{} goes to every agent and server; keep {} offline", pin_file.display(), root_key.display())?;
    Ok(())
}

/// What `directory new` wrote, read back and verified.
struct Kept {
    pin: RootPin,
    key: AuthorityKey,
    current: VerifiedDirectory,
}

fn amend(
    place: &Place,
    change: impl FnOnce(&Kept, Timestamp, Duration) -> Result<VerifiedDirectory, AuthorityError>,
) -> Result<(), Failure> {
    let now = Clock::system().wall();
    let pin = read_pin(&place.dir.join(PIN))?;
    let key = read_key(&place.dir.join(DIRECTORY_KEY))?;
    let file = place.dir.join(BUNDLE);
    let bundle = read(&file, limit::DIRECTORY)?;
    let current = VerifiedDirectory::verify(&bundle, &pin, now).map_err(|error| Failure::Directory { file, error })?;
    let next = change(&Kept { pin, key, current }, now, place.validity.valid_for)?;
    write(&place.dir, &next)
}

fn write(dir: &Path, directory: &VerifiedDirectory) -> Result<(), Failure> {
    let file = dir.join(BUNDLE);
    state_file::replace(&file, directory.bundle())?;
    let listed = directory.directory();
    let mut stdout = io::stdout().lock();
    writeln!(
        stdout,
        "{}: network {}, revision {}, {} participants, {} servers",
        file.display(),
        listed.network,
        listed.revision,
        listed.participants.len(),
        listed.servers.len(),
    )?;
    Ok(())
}

fn read_key(file: &Path) -> Result<AuthorityKey, Failure> {
    let text = state_file::read_secret(file, SMALL_FILE)?;
    AuthorityKey::from_key_file(&text).map_err(|error: KeyFileError| Failure::KeyFile { file: file.to_owned(), error })
}

fn read_card(file: &Path) -> Result<Card, Failure> {
    let bytes = read(file, Card::MAX_LEN)?;
    Card::from_json(&bytes).map_err(|error| Failure::Card { file: file.to_owned(), error })
}
