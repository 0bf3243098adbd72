//! What the links of a server share, without the server.

use std::sync::Arc;

use dmr_core::id::StoreId;
use dmr_crypto::VerifiedDirectory;
use dmr_transport::Broker;
use dmr_transport::memory::{MemoryBroker, QueueLimits};
use tokio::sync::watch;

use super::network::{Network, name, now};
use crate::allowance::Allowances;
use crate::announcements;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::limits::Limits;
use crate::metrics::ServerMetrics;
use crate::readiness::Readiness;
use crate::registry::Registry;
use crate::shared::Shared;

/// A broker in memory that has a mailbox for nobody.
pub(crate) fn memory() -> MemoryBroker {
    let clock = Clock::starting_at(now());
    let store = StoreId::from_custom_bytes([1; 16]);
    MemoryBroker::new(store, QueueLimits::default(), move || clock.now().wall)
}

/// A server's shared part over this broker, and the way to give it another directory.
pub(crate) fn shared<B: Broker>(
    network: &Network,
    limits: Limits,
    broker: B,
) -> (Arc<Shared<B>>, watch::Sender<VerifiedDirectory>) {
    let clock = Clock::starting_at(now());
    let publish = watch::Sender::new(network.directory.clone());
    let shared = Shared {
        network: name("testnet"),
        name: name("relay"),
        keys: None,
        clock,
        broker,
        directory: publish.subscribe(),
        readiness: Arc::new(Readiness::default()),
        gate: Gate::new(limits.clone(), clock),
        registry: Registry::new(limits.links_per_participant),
        announcer: announcements::announcer().0,
        allowances: Allowances::new(limits.clone(), clock),
        metrics: ServerMetrics::register(&name("testnet")),
        limits,
    };
    (Arc::new(shared), publish)
}
