//! A network of participants in a temporary directory: keys, cards and the signed directory, made by the programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::{Doing, Outcome};
use crate::process::run_well;
use crate::programs::dmr_agent;

/// A directory, its keys, and the keys of everyone in it. Dropping it removes the files.
#[derive(Debug)]
pub struct Network {
    files: TempDir,
    name: String,
}

impl Network {
    /// A network of this name that has a root key, a directory key and these participants.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) with the program's words when a step fails.
    pub fn new(name: &str, participants: &[&str]) -> Outcome<Self> {
        let files = tempfile::Builder::new().prefix("dmr-").tempdir().doing("making a temporary directory")?;
        let network = Self { files, name: name.to_owned() };
        network.agent(["directory", "new", "--out", &network.text("directory"), "--network", name])?;
        for participant in participants {
            network.keys_new(participant, &[])?;
        }
        if !participants.is_empty() {
            network.add(participants)?;
        }
        Ok(network)
    }

    /// Makes keys and a card for `name`, who is not in the directory by that.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) with the program's words.
    pub fn keys_new(&self, name: &str, more: &[&str]) -> Outcome {
        let keys = self.text(&format!("{name}.keys"));
        let args = ["keys", "new", "--out", &keys, "--name", name];
        self.agent(args.iter().chain(more)).map(drop)
    }

    /// Adds the cards of these to the directory: one revision more.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) with the program's words.
    pub fn add(&self, names: &[&str]) -> Outcome {
        let cards = names.iter().map(|name| self.text(&format!("{name}.keys.card.json")));
        let args = ["directory", "add", "--dir", &self.text("directory")].map(str::to_owned);
        self.agent(args.into_iter().chain(cards)).map(drop)
    }

    /// Removes a participant from the directory: one revision more.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) with the program's words.
    pub fn remove(&self, name: &str) -> Outcome {
        self.agent(["directory", "remove", "--dir", &self.text("directory"), name]).map(drop)
    }

    /// Signs the directory anew: one revision more.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) with the program's words.
    pub fn renew(&self, more: &[&str]) -> Outcome {
        let directory = self.text("directory");
        let args = ["directory", "renew", "--dir", &directory];
        self.agent(args.iter().chain(more)).map(drop)
    }

    /// Runs `dmr-agent` with these arguments to its good end.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) with what it said when it ended otherwise.
    pub fn agent(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Outcome<String> {
        let args: Vec<_> = args.into_iter().collect();
        run_well(dmr_agent()?, &args)
    }

    /// The network's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file or directory of this name among the network's files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The same as text; the temporary directory's name is ASCII.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// The secret key file of a participant.
    pub fn keys(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.keys"))
    }

    /// The signed directory.
    pub fn bundle(&self) -> PathBuf {
        self.path("directory").join("directory.jws")
    }

    /// The pin of the root keys.
    pub fn root(&self) -> PathBuf {
        self.path("directory").join("root.pub")
    }

    /// The id of a participant, by its card.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when it has no card.
    pub fn id(&self, name: &str) -> Outcome<String> {
        let card = read_json(&self.path(&format!("{name}.keys.card.json")))?;
        card["participant"]["id"].as_str().map(str::to_owned).doing("the id in a card")
    }
}

/// The JSON in a file.
///
/// # Errors
/// [`Failure`](crate::failure::Failure) when there is none.
pub fn read_json(path: &Path) -> Outcome<serde_json::Value> {
    let bytes = std::fs::read(path).doing(path.display())?;
    serde_json::from_slice(&bytes).doing(path.display())
}
