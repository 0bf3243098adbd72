//! A broker on RabbitMQ, over AMQP 0-9-1: durable, shared by any number of servers.

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
pub mod policy;
mod publisher;
#[cfg(test)]
mod shipped;
mod store;
mod stream;
mod subscription;
mod tentative;
pub mod topology;

pub use address::{AmqpAddress, AmqpAddressError};
pub use announcing::AmqpAnnouncements;
pub use broker::AmqpBroker;
pub use config::{AmqpConfig, AmqpLogin, AmqpTls};
pub use depth::MailboxDepth;
pub use kept::{KeptLetter, KeptLetters, Redrive};
pub use letters::AmqpDeadLetters;
pub use subscription::AmqpSubscription;
