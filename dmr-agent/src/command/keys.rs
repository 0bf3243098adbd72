//! `dmr-agent keys new`: a secret key file and the public card that goes to the directory's keeper.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use dmr_core::directory::{Card, Validity};
use dmr_core::header::Suite;
use dmr_core::id::{Name, ParticipantId};
use dmr_core::limit::CLOCK_SKEW;
use dmr_crypto::{KeyFileError, KeyFileText, Keyring, ServerKeys};
use dmr_transport::service::settings::ConfigFile;
use dmr_transport::service::{state_file, units};

use super::Failure;
use crate::clock::Clock;

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make fresh keys: a secret file (mode 0600, never overwritten) and FILE.card.json, the public card, which goes
    /// to the keeper of the directory. The secret file never leaves this machine.
    New(NewKeys),
}

#[derive(Debug, Args)]
pub(crate) struct NewKeys {
    /// Secret key file to write
    #[arg(long, value_name = "FILE", env = "DMR_OUT")]
    out: PathBuf,
    /// The participant's name: a-z 0-9 . _ -
    #[arg(long, value_name = "NAME", env = "DMR_NAME")]
    name: Name,
    /// The participant's id, to give new keys to one that is known [default: a fresh one]
    #[arg(long, value_name = "UUID", env = "DMR_ID")]
    id: Option<ParticipantId>,
    /// Highest suite: 1 is X25519; 2 adds X-Wing, which resists quantum computers, and is used where every recipient
    /// has it
    #[arg(long, value_name = "1|2", env = "DMR_SUITE", default_value = "1", value_parser = suite)]
    suite: Suite,
    /// How long the keys serve; make new ones in time and have them added
    #[arg(long, value_name = "TIME", env = "DMR_VALID_FOR", default_value = "730d", value_parser = units::duration)]
    valid_for: Duration,
    /// Make the key of a relay server instead, by which it proves its name
    #[arg(long, env = "DMR_SERVER_KEYS", conflicts_with_all = ["id", "suite"])]
    server: bool,
    #[command(flatten)]
    config_file: ConfigFile,
}

fn suite(text: &str) -> Result<Suite, &'static str> {
    match text {
        "1" => Ok(Suite::X25519),
        "2" => Ok(Suite::XWing),
        _ => Err("a suite is 1 or 2"),
    }
}

/// Runs the command.
pub(crate) fn run(command: &KeysCommand) -> Result<(), Failure> {
    let KeysCommand::New(new) = command;
    let now = Clock::system().wall();
    // A little earlier than now, so that a server whose clock is behind lets these keys in.
    let validity = Validity { not_before: now.minus(CLOCK_SKEW), not_after: now.plus(new.valid_for) };
    if new.server {
        let keys = ServerKeys::generate(new.name.clone(), validity)?;
        return write(&new.out, keys.to_key_file(), &keys.card(), &format!("server {}", keys.name()));
    }
    let id = match new.id {
        Some(id) => id,
        None => fresh_participant()?,
    };
    let keyring = Keyring::generate(id, new.name.clone(), new.suite, validity)?;
    write(&new.out, keyring.to_key_file(), &keyring.card(), &format!("participant {} ({id})", keyring.name()))
}

fn fresh_participant() -> Result<ParticipantId, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| dmr_crypto::RandomError)?;
    Ok(ParticipantId::from_random_bytes(random))
}

fn write(out: &Path, text: Result<KeyFileText, KeyFileError>, card: &Card, whose: &str) -> Result<(), Failure> {
    let text = text.map_err(|error| Failure::KeyFile { file: out.to_owned(), error })?;
    let card_file = card_file(out);
    let card = card.to_json().map_err(|error| Failure::Card { file: card_file.clone(), error })?;
    state_file::create_secret(out, &text)?;
    state_file::replace(&card_file, &card)?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "secret keys of {whose}: {}", out.display())?;
    writeln!(stdout, "public card, for the keeper of the directory: {}", card_file.display())?;
    Ok(())
}

/// `FILE.card.json`.
fn card_file(out: &Path) -> PathBuf {
    let mut name = OsString::from(out);
    name.push(".card.json");
    name.into()
}
