//! A broker on RabbitMQ, over AMQP 0-9-1: durable, shared by any number of servers.
//!
//! ```text
//!                     ┌ publish connection ─ channel pool: one publish on each ─▶ dmr.v1 ─▶ dmr.a.<participant>
//!  AmqpBroker clones ─┤                                                                        │
//!                     └ consume connections ─ one channel, one driver for each subscription ◀──┘
//!                       kept: opened again on the next node, whatever ends them
//! ```
//!
//! # Example
//!
//! ```no_run
//! use std::time::{Duration, SystemTime, UNIX_EPOCH};
//! use dmr_core::id::{MessageId, ParticipantId, StoreId};
//! use dmr_core::time::Timestamp;
//! use dmr_transport::amqp::{AmqpBroker, AmqpConfig};
//! use dmr_transport::{Broker, Disposition, Publication, Subscription};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = || Timestamp::default().plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
//! // Both random: the seed another for every process, the store's name another at every call.
//! let (seed, fresh) = (7, || Some(StoreId::from_random_bytes([7; 16])));
//! let broker = AmqpBroker::start(AmqpConfig::new(vec!["amqp://127.0.0.1".parse()?], seed, now), fresh);
//!
//! let police = ParticipantId::from_random_bytes([1; 16]);
//! broker.declare(&[police]).await?;
//! let expires = now().plus(Duration::from_secs(60));
//! let id = MessageId::from_random_bytes([2; 16]);
//! broker.publish(Publication { mailbox: police, sender: police, id, expires, envelope: "sealed".into() }).await?;
//! // From here on a majority of the nodes has it on disk.
//! let mut subscription = broker.subscribe(police, 64).await?;
//! let delivery = subscription.next().await?;
//! subscription.settle(delivery.tag, Disposition::Ack).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//!
//! [`topology`] names everything; [`policy`] is what the operator sets and [`inspection`] compares, through [`management`].
//! `connection.rs` keeps a connection, over `stream.rs`; `publisher.rs` publishes through `channel_pool.rs` and `cork.rs`;
//! `subscription.rs` is driven by `channel_driver.rs`, with `acks.rs` and `graveyard.rs`; `letters.rs`, `kept.rs` dead letters;
//! `announcing.rs`, `store.rs`, `depth.rs`; `broker.rs` puts them together.
//!
//! # What is guaranteed, and what is not
//!
//! - Confirmed means that a majority of the nodes has the message on disk, in the mailbox it was for. A message that was
//!   returned, refused or not sent is told as such; in doubt it is [`Undecided`](crate::PublishError::Undecided).
//! - A delivery that was not settled comes again, to whoever subscribes. The order holds while nothing comes again.
//! - What ends a connection ends its subscriptions; the broker's handle stays and connects again, on the next node.
//! - Nothing acts on what the broker says beside a message but in ways that cost speed: see `facts.rs`.
//! - Every wait has a bound: 10 s for a confirm, 5 s for anything else; deliveries held are bounded by the prefetch.

mod acks;
mod address;
mod announcing;
mod broker;
mod channel_driver;
mod channel_pool;
mod comparison;
mod config;
mod connection;
mod consuming;
mod cork;
mod depth;
mod diagnosis;
mod errors;
mod facts;
pub mod finding;
mod graveyard;
pub mod inspection;
mod kept;
mod letters;
pub mod management;
mod metrics;
mod owned_channel;
mod owned_consumer;
mod passive;
pub mod policy;
mod publisher;
mod sending;
mod shares;
#[cfg(test)]
mod shipped;
mod store;
mod stream;
mod subscription;
pub mod topology;

pub use address::{AmqpAddress, AmqpAddressError};
pub use announcing::AmqpAnnouncements;
pub use broker::AmqpBroker;
pub use config::{AmqpConfig, AmqpLogin, AmqpTls};
pub use connection::log_in;
pub use depth::MailboxDepth;
pub use kept::{KeptLetter, KeptLetters, Redrive};
pub use letters::AmqpDeadLetters;
pub use subscription::AmqpSubscription;
