//! Agents of the load, from their key files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmr_agent::{Agent, AgentConfig};
use dmr_core::id::ParticipantId;
use dmr_crypto::{Keyring, RootPin};
use dmr_tests::failure::{Doing as _, Failure, Outcome};

use super::options::{Options, Receipts};

/// Longest time until every agent is logged in.
const LOGIN: Duration = Duration::from_secs(60);

/// Key files of both sides, and what all agents have in common.
#[derive(Debug)]
pub struct Party {
    /// Who sends, and to whom.
    pub pairs: Vec<(PathBuf, PathBuf)>,
    root: PathBuf,
    server: String,
    receipts: Receipts,
}

impl Party {
    /// The senders and recipients of these options.
    ///
    /// # Errors
    /// [`Failure`] when there are too few key files.
    pub fn new(options: &Options) -> Outcome<Self> {
        let agents = usize::try_from(options.agents).unwrap_or(usize::MAX);
        if options.keys.len() < 2 * agents {
            return Err(Failure::new(format!("{agents} agents need {} files in --keys", 2 * agents)));
        }
        let (senders, recipients) = options.keys.split_at(options.keys.len() / 2);
        let pairs = senders.iter().cloned().zip(recipients.iter().cloned()).take(agents).collect();
        let root = options.root.clone().doing("--root")?;
        let server = options.server.clone().doing("--server")?;
        Ok(Self { pairs, root, server, receipts: options.receipts })
    }

    /// Connects an agent for each of these key files, and waits until all are logged in.
    ///
    /// # Errors
    /// [`Failure`] when one cannot log in.
    pub async fn connect(&self, keys: impl Iterator<Item = &PathBuf>) -> Outcome<Vec<Agent>> {
        let mut agents = Vec::new();
        for file in keys {
            let pin = RootPin::from_json(&read(&self.root)?).doing(self.root.display())?;
            let mut config = AgentConfig::new(keyring(file)?, pin, vec![self.server.parse().doing(&self.server)?]);
            config.receipts = self.receipts == Receipts::On;
            agents.push(Agent::connect(config).await.doing("connecting an agent")?);
        }
        for agent in &agents {
            let waited = tokio::time::timeout(LOGIN, agent.ready()).await;
            waited.doing(format_args!("participant {} logs in at {}", agent.participant(), self.server))?;
        }
        Ok(agents)
    }
}

/// The keys in a file.
///
/// # Errors
/// [`Failure`] when it holds none.
pub fn keyring(file: &Path) -> Outcome<Keyring> {
    Keyring::from_key_file(&read(file)?).doing(file.display())
}

/// Whose keys a file holds.
///
/// # Errors
/// [`Failure`] when it holds none.
pub fn participant(file: &Path) -> Outcome<ParticipantId> {
    keyring(file).map(|keyring| keyring.participant())
}

/// What a file holds.
///
/// # Errors
/// [`Failure`] when it cannot be read.
pub fn read(file: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(file).doing(file.display())
}
