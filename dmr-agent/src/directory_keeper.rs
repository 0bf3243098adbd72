//! Keeps the directory in use: verifies what comes, persists what is adopted, raises the alarms.
//!
//! ```text
//! server ─▶ session ─▶ documents ─▶ verify ─▶ compare ─▶ expiry ─▶ persist ─▶ use (watch) ─▶ sealing, opening, login
//! ```

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::exchange::Unsealable;
use dmr_core::limit;
use dmr_core::time::Timestamp;
use dmr_crypto::{DirectoryTrust, Freshness, Offer, RootPin, TrustError, VerifiedDirectory};
use dmr_transport::service::state_file;
use tokio::sync::{mpsc, watch};

use crate::error::ConnectError;
use crate::observe;
use crate::sealing::Sealer;

/// How often age and alarms are looked at when nothing happens.
const LOOK: Duration = Duration::from_secs(30);
/// How often an alarm that stays is said again.
const REMIND: u32 = 20;
/// The kept directory, in the state directory.
const FILE: &str = "directory.jws";

/// The trust in directories and where the last good one is kept.
#[derive(Debug)]
pub(crate) struct DirectoryStore {
    trust: DirectoryTrust,
    dir: Option<PathBuf>,
    /// The directory in use could not be written yet.
    unkept: bool,
}

impl DirectoryStore {
    /// Takes up the directory that was kept before a restart. Blocks.
    ///
    /// # Errors
    /// [`ConnectError::State`]: an unreadable or unverifiable file is the operator's to look at, as starting without
    /// it would let an older directory in.
    pub(crate) fn open(pin: RootPin, dir: Option<PathBuf>, now: Timestamp) -> Result<Self, ConnectError> {
        let mut trust = DirectoryTrust::new(pin);
        if let Some(dir) = &dir {
            let file = dir.join(FILE);
            let failed = |reason: String| ConnectError::State { path: file.clone(), reason: reason.into() };
            if let Some(bundle) =
                state_file::read(&file, limit::DIRECTORY).map_err(|error| failed(error.to_string()))?
            {
                trust.restore(&bundle, now).map_err(|error| failed(error.to_string()))?;
            }
        }
        let mut store = Self { trust, dir, unkept: false };
        store.restore_fork(now)?;
        Ok(store)
    }

    /// A fork of the directory in use that was seen before a restart still stops sealing: only a newer directory, or an
    /// operator who takes the evidence away, ends that.
    fn restore_fork(&mut self, now: Timestamp) -> Result<(), ConnectError> {
        let (Some(dir), Some(current)) = (&self.dir, self.trust.current()) else { return Ok(()) };
        let file = dir.join(fork_file(current.revision(), "other"));
        let failed = |error: state_file::StateFileError| ConnectError::State {
            path: file.clone(),
            reason: error.to_string().into(),
        };
        if let Some(other) = state_file::read(&file, limit::DIRECTORY).map_err(failed)? {
            match self.trust.offer(&other, now) {
                Err(TrustError::Forked { .. }) => tracing::error!(
                    evidence = %file.display(),
                    "EQUIVOCATION, seen before a restart: nothing is sealed until a newer directory resolves it"
                ),
                judged => tracing::warn!(evidence = %file.display(), ?judged, "kept evidence is of no fork"),
            }
        }
        Ok(())
    }

    /// The same, and nothing is written any more: the directory is another process's.
    pub(crate) fn unwritten(mut self) -> Self {
        self.dir = None;
        self
    }

    /// Makes the state directory. Blocks.
    ///
    /// # Errors
    /// [`ConnectError::State`] when it cannot be made.
    pub(crate) fn make_dir(&self) -> Result<(), ConnectError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        std::fs::create_dir_all(dir)
            .map_err(|error| ConnectError::State { path: dir.clone(), reason: error.to_string().into() })
    }

    pub(crate) fn current(&self) -> Option<VerifiedDirectory> {
        self.trust.current().cloned()
    }

    /// Judges an offered document and persists it when it is adopted. Blocks: 30 µs for each key, and a disk.
    fn offer(&mut self, document: &[u8], now: Timestamp) -> Result<Offer, TrustError> {
        let offer = self.trust.offer(document, now);
        match &offer {
            Ok(Offer::Adopted(directory)) => self.unkept = !self.keep(FILE, directory.bundle()),
            Err(TrustError::Forked { revision }) => self.keep_evidence(*revision),
            Ok(Offer::Unchanged) | Err(_) => {}
        }
        offer
    }

    /// Writes the directory in use where that failed before. Blocks.
    fn keep_again(&mut self) {
        if self.unkept
            && let Some(directory) = self.trust.current()
        {
            self.unkept = !self.keep(FILE, directory.bundle());
        }
    }

    /// A document that cannot be written is used all the same: it may revoke a key. Until it is written it would be
    /// unknown after a restart. `false`: it is not.
    fn keep(&self, name: &str, bundle: &[u8]) -> bool {
        let Some(dir) = &self.dir else { return true };
        match state_file::replace(&dir.join(name), bundle) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the directory cannot be kept; after a restart an older one would be accepted");
                false
            }
        }
    }

    fn keep_evidence(&self, revision: u64) {
        if let Some(fork) = self.trust.fork() {
            self.keep(&fork_file(revision, "ours"), &fork.ours);
            self.keep(&fork_file(revision, "other"), &fork.other);
        }
    }
}

/// Where one side of a fork is kept.
fn fork_file(revision: u64, side: &str) -> String {
    format!("fork-{revision}-{side}.jws")
}

/// The task that owns the store.
pub(crate) struct DirectoryKeeper {
    pub(crate) store: DirectoryStore,
    pub(crate) documents: mpsc::Receiver<Bytes>,
    pub(crate) directory: watch::Sender<()>,
    pub(crate) sealer: Sealer,
}

impl DirectoryKeeper {
    /// Runs until the session that brings documents is gone.
    pub(crate) async fn run(self) {
        let Self { mut store, mut documents, directory, sealer } = self;
        let mut look = tokio::time::interval(LOOK);
        let mut alarms = Alarms::default();
        loop {
            let document = tokio::select! {
                document = documents.recv() => match document {
                    Some(document) => Some(document),
                    None => return,
                },
                _ = look.tick() => {
                    sealer.erase_expired_keys();
                    alarms.look(&sealer);
                    if !store.unkept {
                        continue;
                    }
                    None
                }
            };
            let now = sealer.clock().wall();
            let judged = tokio::task::spawn_blocking(move || {
                let offer = match document {
                    Some(document) => store.offer(&document, now),
                    None => {
                        store.keep_again();
                        Ok(Offer::Unchanged)
                    }
                };
                (store, offer)
            });
            // The closure cannot be cancelled; were it to panic, there is no store to go on with.
            let Ok((back, offer)) = judged.await else {
                tracing::error!("verifying a directory failed; the one in use stays");
                return;
            };
            store = back;
            report(offer.as_ref());
            if !matches!(offer, Ok(Offer::Unchanged)) {
                // After a fork, too: the directory in use then carries the mark that stops sealing.
                sealer.inner().use_directory(store.current());
                directory.send_replace(());
            }
            alarms.look(&sealer);
        }
    }
}

fn report(offer: Result<&Offer, &TrustError>) {
    match offer {
        Ok(Offer::Adopted(directory)) => {
            tracing::info!(revision = directory.revision(), digest = %directory.digest(), "a new directory is in use");
        }
        Ok(Offer::Unchanged) => {}
        Err(error @ TrustError::Forked { .. }) => {
            tracing::error!(%error, "EQUIVOCATION: both documents are kept as evidence where there is a state directory");
        }
        Err(error) => tracing::error!(%error, "an offered directory is refused; the one in use stays"),
    }
}

/// What was said last, so that an alarm is said when it begins and then now and then.
#[derive(Debug, Default)]
struct Alarms {
    unsealable: Option<Unsealable>,
    freshness: Option<Freshness>,
    looks: u32,
}

impl Alarms {
    fn look(&mut self, sealer: &Sealer) {
        self.looks = self.looks.wrapping_add(1);
        let again = self.looks.is_multiple_of(REMIND);
        let (now, unsealable) = (sealer.clock().wall(), sealer.unsealable());
        for reason in [Unsealable::NoDirectory, Unsealable::Expired, Unsealable::Forked, Unsealable::OwnEntry] {
            observe::alarm(reason.as_str(), unsealable == Some(reason));
        }
        if let Some(reason) = unsealable
            && reason != Unsealable::NoDirectory
            && (again || self.unsealable != unsealable)
        {
            tracing::error!(%reason, "ALARM: nothing is sealed; opening goes on");
        }
        self.unsealable = unsealable;
        if let Some(directory) = sealer.directory() {
            let freshness = directory.freshness(now);
            if freshness != Freshness::Fresh && (again || self.freshness != Some(freshness)) {
                tracing::warn!(freshness = freshness.as_str(), expires = %directory.expires(), "the directory is ageing");
            }
            self.freshness = Some(freshness);
            let left = directory.expires().since(now).as_secs_f64() - now.since(directory.expires()).as_secs_f64();
            observe::directory(directory.revision(), now.since(directory.issued()), left);
        }
    }
}

/// Documents that may wait to be verified; a newer one comes again when it is asked for.
pub(crate) const WAITING: usize = 2;
