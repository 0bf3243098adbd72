//! The directory in use: loaded, kept across restarts, and replaced when its file holds a valid newer one.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dmr_core::id::Digest;
use dmr_core::limit;
use dmr_core::time::Timestamp;
use dmr_crypto::{DirectoryTrust, Offer, RootPin, TrustError, VerifiedDirectory};
use dmr_transport::service::state_file::{self, StateFileError};

/// File name of the last good directory inside the state directory.
const STATE_FILE: &str = "directory.jws";
/// A file that changed this recently is read again even if it looks the same: it may have been half written.
const SETTLED: Duration = Duration::from_secs(10);

/// Why there is no directory to start with, or why a newer one could not be taken up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryLoadError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file does not hold a directory to be used.
    #[error("{}: {error}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why it is refused.
        error: TrustError,
    },
    /// The last good directory cannot be kept, or what was kept cannot be used. Without it an older directory would
    /// be accepted.
    #[error("{}: the directory kept there cannot be used: {error} (remove it if the root was changed on purpose)", path.display())]
    State {
        /// The file in the state directory.
        path: PathBuf,
        /// Why it is refused.
        error: TrustError,
    },
    /// A file cannot be read or written, or is too long.
    #[error(transparent)]
    StateFile(#[from] StateFileError),
}

/// What a look at the file showed.
#[derive(Debug)]
pub(crate) enum Look {
    /// Nothing new.
    Same,
    /// A newer directory, kept already: use it.
    Newer(VerifiedDirectory),
    /// Something that is refused; the directory in use stays.
    Refused(DirectoryLoadError),
}

/// Watches one directory file. Its calls block: they read files and check signatures.
#[derive(Debug)]
pub(crate) struct DirectoryWatch {
    path: PathBuf,
    state: Option<PathBuf>,
    trust: DirectoryTrust,
    /// Digest of the directory that was last given out.
    used: Option<Digest>,
    seen: Option<Fingerprint>,
    /// The last refusal that was reported, of which state of the file.
    refused: Option<(Option<Fingerprint>, String)>,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    modified: SystemTime,
    len: u64,
    inode: u64,
}

impl DirectoryWatch {
    /// Loads the directory that was kept in `state` and the one in the file `path`, and uses the newer. Keeps it only
    /// if `keep` says so: a check changes nothing.
    ///
    /// When one was kept, a bad file is only a warning: the third result says what is wrong with it.
    ///
    /// # Errors
    /// [`DirectoryLoadError`] when there is no directory to use, or what was kept cannot be used.
    pub(crate) fn load(
        path: &Path,
        state: Option<&Path>,
        pin: RootPin,
        keep: bool,
        now: Timestamp,
    ) -> Result<(Self, VerifiedDirectory, Option<DirectoryLoadError>), DirectoryLoadError> {
        let mut trust = DirectoryTrust::new(pin);
        let state = state.map(|state| state.join(STATE_FILE));
        if let Some(file) = &state
            && let Some(kept) = state_file::read(file, limit::DIRECTORY)?
        {
            let restored = trust.restore(&kept, now);
            restored.map_err(|error| DirectoryLoadError::State { path: file.clone(), error })?;
        }
        let (kept, used) = (trust.current().cloned(), trust.digest());
        let state = state.filter(|_| keep);
        let mut watch = Self { path: path.to_owned(), state, trust, used, seen: None, refused: None };
        match (watch.look(now), kept) {
            (Look::Newer(directory), _) | (Look::Same, Some(directory)) => Ok((watch, directory, None)),
            (Look::Refused(error), Some(kept)) => Ok((watch, kept, Some(error))),
            (Look::Refused(error), None) => Err(error),
            (Look::Same, None) => {
                Err(DirectoryLoadError::Read { path: watch.path, error: io::ErrorKind::NotFound.into() })
            }
        }
    }

    /// Looks at the file. The same refusal is reported once.
    pub(crate) fn look(&mut self, now: Timestamp) -> Look {
        match self.take_up(now) {
            Ok(None) => Look::Same,
            Ok(Some(directory)) => {
                self.refused = None;
                Look::Newer(directory)
            }
            Err(error) => {
                let refused = Some((self.seen, error.to_string()));
                if self.refused == refused {
                    return Look::Same;
                }
                self.refused = refused;
                Look::Refused(error)
            }
        }
    }

    fn take_up(&mut self, now: Timestamp) -> Result<Option<VerifiedDirectory>, DirectoryLoadError> {
        let read_error = |error| DirectoryLoadError::Read { path: self.path.clone(), error };
        let metadata = fs::metadata(&self.path).map_err(read_error).inspect_err(|_| self.seen = None)?;
        if !metadata.is_file() {
            // Reading a pipe might never end.
            return Err(read_error(io::Error::new(io::ErrorKind::InvalidInput, "not a file")));
        }
        let modified = metadata.modified().map_err(read_error)?;
        let fingerprint = Fingerprint { modified, len: metadata.len(), inode: metadata.ino() };
        let settled = modified.elapsed().is_ok_and(|age| age >= SETTLED);
        if settled && self.seen == Some(fingerprint) {
            return Ok(None);
        }
        self.seen = Some(fingerprint);
        let bundle = match state_file::read(&self.path, limit::DIRECTORY)? {
            Some(bundle) => bundle,
            None => return Err(read_error(io::ErrorKind::NotFound.into())),
        };
        let offer = self.trust.offer(&bundle, now);
        let offer = offer.map_err(|error| DirectoryLoadError::Refused { path: self.path.clone(), error })?;
        // Verified, compared, then kept, then used: one that could not be kept is tried again with the next look.
        let directory = match (offer, self.trust.current()) {
            (Offer::Adopted(directory), _) => directory,
            (Offer::Unchanged, Some(current)) if self.used != Some(current.digest()) => current.clone(),
            (Offer::Unchanged, _) => return Ok(None),
        };
        if let Some(state) = &self.state {
            state_file::replace(state, directory.bundle()).inspect_err(|_| self.seen = None)?;
        }
        self.used = Some(directory.digest());
        Ok(Some(directory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::network::{Network, now};

    fn load(network: &Network, state: Option<&Path>) -> Result<DirectoryWatch, DirectoryLoadError> {
        let loaded = DirectoryWatch::load(&network.directory_file(), state, network.pin.clone(), true, now());
        loaded.map(|(watch, _, _)| watch)
    }

    #[test]
    fn only_a_newer_directory_is_given_out_and_it_is_kept_first() {
        let mut network = Network::of(&["tax"]);
        let state = network.home().join("state");
        fs::create_dir(&state).unwrap();
        let mut watch = load(&network, Some(&state)).unwrap();
        assert_eq!(fs::read(state.join(STATE_FILE)).unwrap(), &network.directory.bundle()[..]);
        assert!(matches!(watch.look(now()), Look::Same));
        network.publish();
        assert!(matches!(watch.look(now()), Look::Same), "the same directory, written again");
        network.amend(|_| ());
        network.publish();
        // It cannot be kept, so it is not used; once it can, it is.
        fs::rename(&state, network.home().join("away")).unwrap();
        assert!(matches!(watch.look(now()), Look::Refused(DirectoryLoadError::StateFile(_))));
        assert!(matches!(watch.look(now()), Look::Same), "the same refusal is told once");
        fs::create_dir(&state).unwrap();
        let Look::Newer(directory) = watch.look(now()) else { panic!("it can be kept now") };
        assert_eq!(directory.digest(), network.directory.digest());
        assert_eq!(fs::read(state.join(STATE_FILE)).unwrap(), &network.directory.bundle()[..]);
    }

    #[test]
    fn a_half_written_file_is_refused_and_read_again() {
        let mut network = Network::of(&["tax"]);
        let mut watch = load(&network, None).unwrap();
        network.amend(|_| ());
        let bundle = network.directory.bundle().clone();
        fs::write(network.directory_file(), &bundle[..bundle.len() / 2]).unwrap();
        assert!(matches!(watch.look(now()), Look::Refused(DirectoryLoadError::Refused { .. })));
        fs::write(network.directory_file(), &bundle).unwrap();
        assert!(matches!(watch.look(now()), Look::Newer(_)));
        fs::remove_file(network.directory_file()).unwrap();
        assert!(matches!(watch.look(now()), Look::Refused(DirectoryLoadError::Read { .. })));
        assert!(matches!(watch.look(now()), Look::Same));
    }

    #[test]
    fn a_bad_file_is_only_a_warning_where_a_good_directory_was_kept() {
        let network = Network::of(&["tax"]);
        let state = network.home().join("state");
        fs::create_dir(&state).unwrap();
        fs::write(state.join(STATE_FILE), network.directory.bundle()).unwrap();
        network.write_directory(b"nothing\n");
        let (path, pin) = (network.directory_file(), network.pin.clone());
        let (_, kept, refused) = DirectoryWatch::load(&path, Some(&state), pin, true, now()).unwrap();
        assert_eq!(kept.digest(), network.directory.digest());
        assert!(matches!(refused, Some(DirectoryLoadError::Refused { .. })));
        assert!(matches!(load(&network, None), Err(DirectoryLoadError::Refused { .. })));
    }

    #[test]
    fn a_newer_directory_that_cannot_be_kept_at_the_start_is_not_used_yet() {
        let mut network = Network::of(&["tax"]);
        let state = network.home().join("state");
        fs::create_dir(&state).unwrap();
        let older = load(&network, Some(&state)).unwrap().trust.digest();
        network.amend(|_| ());
        network.publish();
        // Where the new file would be written, something is in the way.
        let obstacle = state.join(".directory.jws.new");
        fs::create_dir(&obstacle).unwrap();
        let (path, pin) = (network.directory_file(), network.pin.clone());
        let (mut watch, used, refused) = DirectoryWatch::load(&path, Some(&state), pin, true, now()).unwrap();
        assert_eq!(Some(used.digest()), older);
        assert!(matches!(refused, Some(DirectoryLoadError::StateFile(_))));
        fs::remove_dir(&obstacle).unwrap();
        let Look::Newer(directory) = watch.look(now()) else { panic!("it can be kept now") };
        assert_eq!(directory.digest(), network.directory.digest());
    }

    #[test]
    fn a_pipe_in_the_files_place_holds_nothing_up() {
        let network = Network::of(&["tax"]);
        let mut watch = load(&network, None).unwrap();
        fs::remove_file(network.directory_file()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(network.directory_file()).status().unwrap();
        assert!(made.success());
        assert!(matches!(watch.look(now()), Look::Refused(DirectoryLoadError::Read { .. })));
    }

    #[test]
    fn what_was_kept_must_verify() {
        let network = Network::of(&["tax"]);
        let state = network.home().join("state");
        fs::create_dir(&state).unwrap();
        fs::write(state.join(STATE_FILE), Network::of(&["tax"]).directory.bundle()).unwrap();
        let error = load(&network, Some(&state)).unwrap_err();
        assert!(matches!(error, DirectoryLoadError::State { .. }), "{error}");
    }
}
