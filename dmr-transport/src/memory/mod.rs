//! Links and a broker inside one process: for tests, for demonstrations, and for a server that needs no queue of its own.
//!
//! ```text
//!  MemoryLink::pair()      agent ◀──── two bounded pipes ────▶ server
//!  MemoryBroker            clones ──▶ one lock ──▶ QueueModel (pure: time is an argument)
//! ```
//!
//! The broker keeps nothing across a restart, and says so by a new [`StoreId`](dmr_core::id::StoreId) at each start:
//! agents then publish again what was confirmed and has no receipt yet.

mod broker;
#[cfg(any(test, feature = "conformance"))]
mod faults;
mod index;
mod link;
mod mailbox;
mod pipe;
mod queue;

pub use broker::{MemoryAnnouncements, MemoryBroker, MemoryDeadLetters, MemorySubscription};
pub use link::{MemoryLink, MemoryReceiver, MemorySender};
pub use queue::{QueueLimits, QueueModel, SubscriptionId, Taken};
