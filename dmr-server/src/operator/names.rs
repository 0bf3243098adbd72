//! Participants by name, where a directory says how they are called.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use dmr_core::id::{Name, ParticipantId};

use crate::clock::Clock;
use crate::directory_report;
use crate::program::Failure;
use crate::settings::{SettingsRefused, read_pin};

/// Where names come from. All three or none.
#[derive(Debug, Args)]
#[command(next_help_heading = "Names")]
pub(crate) struct NameSettings {
    /// Signed directory that says how participants are called; with --root and --network. Without it they are shown by id
    #[arg(long, value_name = "FILE", env = "DMR_DIRECTORY")]
    directory: Option<PathBuf>,
    /// Root keys by which the directory is known: root.pub
    #[arg(long, value_name = "FILE", env = "DMR_ROOT")]
    root: Option<PathBuf>,
    /// Network of the directory
    #[arg(long, value_name = "NAME", env = "DMR_NETWORK")]
    network: Option<Name>,
}

/// Who is called what.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_id: HashMap<ParticipantId, Name>,
}

impl NameSettings {
    /// The names that these settings give.
    ///
    /// # Errors
    /// [`Failure`] when a file is missing or the directory does not verify.
    pub(crate) fn names(&self) -> Result<Names, Failure> {
        let Some(directory) = &self.directory else { return Ok(Names::default()) };
        let (Some(root), Some(network)) = (&self.root, &self.network) else {
            return Err(SettingsRefused::HalfNames.into());
        };
        let pin = read_pin(root, network)?;
        let directory = directory_report::read(directory, &pin, Clock::system().now().wall)?;
        let entries = directory.directory().participants.iter();
        Ok(Names { by_id: entries.map(|entry| (entry.id, entry.name.clone())).collect() })
    }
}

impl Names {
    /// A participant's name, or its id where it has none here.
    pub(crate) fn of(&self, participant: ParticipantId) -> String {
        self.by_id.get(&participant).map_or_else(|| participant.to_string(), ToString::to_string)
    }

    /// Every participant that has a name.
    pub(crate) fn participants(&self) -> impl Iterator<Item = ParticipantId> {
        self.by_id.keys().copied()
    }
}
