//! Ready-sealed envelopes through the server: what the relay itself can do, without any agent's sealing and opening.
//!
//! Senders and recipients are bare links. Before the clock starts, a [`pool`] of envelopes with distinct ids is sealed
//! for each sender; it is sent round and round. The server verifies every signature every time: it remembers no ids, so
//! to it an envelope that comes again is a new one. None is sent again before it was confirmed.

pub mod journal;
pub mod pool;
pub mod recipients;
pub mod senders;

use std::sync::Arc;

use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_transport::websocket::DialerConfig;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::bare_link::Entrance;
use super::budget::Budget;
use super::counterpart::Counterpart;
use super::options::Options;
use super::party::{Party, keyring, participant};
use super::senders::Sent;
use journal::Departure;
use pool::Pool;

/// Where the links of these options go.
///
/// # Errors
/// [`Failure`] when an option is missing or the directory does not hold.
pub fn entrance(options: &Options) -> Outcome<Entrance> {
    let url = options.server.as_deref().doing("--server")?;
    let (root, bundle) = (options.root.as_deref().doing("--root")?, options.directory.as_deref().doing("--directory")?);
    Entrance::new(url, root, bundle, DialerConfig::default())
}

/// Bytes of the envelope that the first sender's agent makes of a message.
///
/// # Errors
/// [`Failure`] when an option is missing or nothing can be sealed.
pub fn envelope_len(options: &Options) -> Outcome<usize> {
    let party = Party::new(options)?;
    let (from, to) = party.pairs.first().doing("a sender")?;
    let (keyring, to, entrance) = (keyring(from)?, participant(to)?, entrance(options)?);
    Ok(Pool::seal(&keyring, entrance.directory(), to, 0, 1, options.message_len())?.envelope_len())
}

/// The sealed pools of all senders, and the recipients' process.
#[derive(Debug)]
pub struct Relay {
    entrance: Arc<Entrance>,
    party: Party,
    pools: Vec<Pool>,
    /// The receiving process.
    pub recipients: Counterpart,
    in_flight: u32,
    files: TempDir,
}

impl Relay {
    /// Seals the pools and starts the recipients.
    ///
    /// # Errors
    /// [`Failure`] when something cannot be sealed or started.
    pub async fn start(options: &Options) -> Outcome<Self> {
        let party = Party::new(options)?;
        let entrance = Arc::new(entrance(options)?);
        let files = tempfile::Builder::new().prefix("dmr-load-").tempdir().doing("making a temporary directory")?;
        let journal = files.path().join("journal").to_string_lossy().into_owned();
        let directory = options.directory.as_deref().doing("--directory")?.to_string_lossy();
        let recipients =
            Counterpart::start(options, &["--relay", "--journal", &journal, "--directory", &directory]).await?;
        let mut sealing = JoinSet::new();
        for (sender, (from, to)) in (0..).zip(&party.pairs) {
            let (entrance, keyring, to) = (Arc::clone(&entrance), keyring(from)?, participant(to)?);
            let (count, len) = (pool::size(options.agents, options.in_flight), options.message_len());
            sealing.spawn_blocking(move || Pool::seal(&keyring, entrance.directory(), to, sender, count, len));
        }
        let mut pools = Vec::new();
        while let Some(pool) = sealing.join_next().await {
            pools.push(pool.doing("sealing")??);
        }
        pools.sort_by_key(Pool::sender);
        Ok(Self { entrance, party, pools, recipients, in_flight: options.in_flight, files })
    }

    /// Bytes of an envelope.
    pub fn envelope_len(&self) -> usize {
        self.pools.first().map_or(0, Pool::envelope_len)
    }

    /// Sends until the budget is used up, over links of their own for each sender, and waits for what comes of it:
    /// what the senders know, and what the recipients say.
    ///
    /// # Errors
    /// [`Failure`] when a link breaks.
    pub async fn send(&mut self, budget: &Budget) -> Outcome<(Sent, Value)> {
        let mut links = Vec::new();
        for (from, _) in &self.party.pairs {
            let link = self.entrance.log_in(&keyring(from)?).await?;
            if u32::from(link.credit()) < self.in_flight {
                let (credit, wanted) = (link.credit(), self.in_flight);
                return Err(Failure::new(format!("the server lets {credit} be in flight on a link, not {wanted}")));
            }
            links.push(link);
        }
        let (mut senders, in_flight) = (JoinSet::new(), self.in_flight);
        for (link, pool) in links.into_iter().zip(self.pools.drain(..)) {
            senders.spawn(senders::send(link, pool, in_flight, budget.clone()));
        }
        let (mut sent, mut departures) = (Sent::default(), Vec::<Departure>::new());
        while let Some(sender) = senders.join_next().await {
            let (pool, one, departed) = sender.doing("a sender")??;
            self.pools.push(pool);
            sent.merge(one);
            departures.extend(departed);
        }
        self.pools.sort_by_key(Pool::sender);
        let said = self.recipients.conclude(0, sent.accepted).await?;
        let arrivals = journal::read(&self.files.path().join("journal"))?;
        if said.get("arrivals").and_then(Value::as_u64) != u64::try_from(arrivals.len()).ok() {
            return Err(Failure::new("the recipients' journal is not what they say it is"));
        }
        Ok((sent, journal::join(departures, &arrivals)))
    }
}
