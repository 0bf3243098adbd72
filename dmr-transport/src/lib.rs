//! Links and brokers of DMR.

mod broker;
#[cfg(feature = "conformance")]
pub mod conformance;
mod link;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "websocket")]
pub mod tls;
#[cfg(feature = "websocket")]
pub mod websocket;

pub use broker::{
    Broker, BrokerError, DeadLetter, DeadLetters, Delivery, Depth, Disposition, Publication, PublishError,
    Subscription, Tag,
};
pub use link::{Link, LinkError, LinkReceiver, LinkSender, Received};
