//! A network of participants with fresh keys, and agents of theirs.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dmr_agent::{Agent, AgentConfig, Clock, Deliveries, Delivery, OutgoingMessage};
use dmr_core::backoff::BackoffConfig;
use dmr_core::directory::{Card, Directory, Validity};
use dmr_core::header::Suite;
use dmr_core::id::{Name, ParticipantId};
use dmr_core::time::Timestamp;
use dmr_crypto::authority::{self, AuthorityKey};
use dmr_crypto::{Keyring, RootPin, VerifiedDirectory};

use tokio::time::Instant;

use crate::relay::{Relay, RelayDialer};
use crate::wait::within;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The wall clock, which goes with tokio's: in a test with paused time it jumps along.
pub(crate) fn now() -> Timestamp {
    static ORIGIN: OnceLock<(Instant, SystemTime)> = OnceLock::new();
    let (origin, wall) = ORIGIN.get_or_init(|| (Instant::now(), SystemTime::now()));
    let since = wall.duration_since(UNIX_EPOCH).unwrap() + origin.elapsed();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}

/// A name.
pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The keeper of a directory, and the key files of everyone.
pub(crate) struct Network {
    pub(crate) pin: RootPin,
    key: AuthorityKey,
    current: Mutex<VerifiedDirectory>,
    keys: Vec<(Name, Vec<u8>)>,
}

impl Network {
    /// A network of these participants.
    pub(crate) fn of(names: &[&str]) -> Self {
        // Long enough ago that directories may be old.
        let founding = authority::found(name("testnet"), now().minus(2 * DAY), DAY).unwrap();
        let keyrings: Vec<_> = (1..).zip(names).map(|(number, text)| keyring(number, text, now())).collect();
        let cards: Vec<Card> = keyrings.iter().map(Keyring::card).collect();
        let (pin, key) = (founding.pin, founding.directory_key);
        let current = authority::add(&founding.directory, &pin, &key, &cards, now(), DAY).unwrap();
        let keys = keyrings.iter().map(|keys| (keys.name().clone(), keys.to_key_file().unwrap().to_vec())).collect();
        Self { pin, key, current: Mutex::new(current), keys }
    }

    /// The directory in use.
    pub(crate) fn directory(&self) -> VerifiedDirectory {
        self.current.lock().unwrap().clone()
    }

    /// The next directory, changed so, and in use from now on.
    pub(crate) fn amend(&self, change: impl FnOnce(&mut Directory)) -> VerifiedDirectory {
        self.amend_for(DAY, now(), change)
    }

    /// The same, issued then and for that long.
    pub(crate) fn amend_for(
        &self,
        valid_for: Duration,
        issued: Timestamp,
        change: impl FnOnce(&mut Directory),
    ) -> VerifiedDirectory {
        let mut current = self.current.lock().unwrap();
        let changed = authority::amend(&current, &self.pin, &self.key, issued, valid_for, |directory| {
            change(directory);
            Ok(())
        });
        *current = changed.unwrap();
        current.clone()
    }

    /// Another document that follows `before`, without becoming the one in use.
    pub(crate) fn fork_of(&self, before: &VerifiedDirectory) -> VerifiedDirectory {
        authority::renew(before, &self.pin, &self.key, now(), 2 * DAY).unwrap()
    }

    /// The id of a participant.
    pub(crate) fn id(&self, who: &str) -> ParticipantId {
        self.directory().participant_by_name(&name(who)).unwrap().id
    }

    /// The keys of a participant.
    pub(crate) fn keyring(&self, who: &str) -> Keyring {
        let (_, text) = self.keys.iter().find(|(known, _)| *known == name(who)).unwrap();
        Keyring::from_key_file(text).unwrap()
    }

    /// How an agent of a participant is set up.
    pub(crate) fn config(&self, who: &str) -> AgentConfig {
        let mut config = AgentConfig::new(self.keyring(who), self.pin.clone(), Vec::new());
        config.clock = Clock::with_wall(now);
        config.backoff = BackoffConfig { base: Duration::from_millis(5), cap: Duration::from_millis(50) };
        config
    }

    /// An agent that is ready.
    pub(crate) async fn agent(&self, who: &str, relay: &Relay) -> Agent {
        start(self.config(who), relay).await
    }

    /// An agent that is ready, and its deliveries.
    pub(crate) async fn receiver(&self, who: &str, relay: &Relay) -> (Agent, Deliveries) {
        let agent = self.agent(who, relay).await;
        let deliveries = agent.deliveries().unwrap();
        (agent, deliveries)
    }
}

/// Keys that are valid since yesterday.
pub(crate) fn keyring(number: u8, text: &str, now: Timestamp) -> Keyring {
    let id = ParticipantId::from_custom_bytes([number; 16]);
    let validity = Validity { not_before: now.minus(DAY), not_after: now.plus(30 * DAY) };
    Keyring::generate(id, name(text), Suite::X25519, validity).unwrap()
}

/// Starts an agent and waits until it is ready.
pub(crate) async fn start(config: AgentConfig, relay: &Relay) -> Agent {
    let agent = Agent::connect_with(config, relay.dialer(), RelayDialer::names()).await.unwrap();
    within("an agent is ready", agent.ready()).await;
    agent
}

/// The next delivery.
pub(crate) async fn next(deliveries: &mut Deliveries) -> Delivery {
    within("a delivery", deliveries.next()).await.unwrap()
}

/// A question.
pub(crate) fn question(to: ParticipantId, text: &'static str) -> OutgoingMessage {
    OutgoingMessage::question(to, "text/plain", text)
}
