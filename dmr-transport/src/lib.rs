//! How frames travel between agents and servers, and how envelopes wait between servers: links and brokers.
//!
//! ```text
//!   agent                         server                            server                        agent
//!  ┌────────┐    Link    ┌────────────────────┐    Broker    ┌────────────────────┐    Link    ┌────────┐
//!  │ dialer │ ◀────────▶ │ accept    publish ─┼──▶ mailbox ──┼─ subscribe         │ ◀────────▶ │ dialer │
//!  └────────┘   frames   └────────────────────┘   envelopes  └────────────────────┘   frames   └────────┘
//! ```
//!
//! Two traits say what the rest of DMR may rely on; everything else in this crate is a way to keep them:
//!
//! | | [`Link`]: whole frames, in order, while it lasts | [`Broker`]: envelopes at rest, until settled or expired |
//! |---|---|---|
//! | in one process | [`memory::MemoryLink`] | [`memory::MemoryBroker`] |
//! | on a network | [`websocket::WebSocketLink`] | `amqp::AmqpBroker`, on RabbitMQ |
//! | what proves it | [`conformance::link`] | [`conformance::broker`] |
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use dmr_core::reason::CloseReason;
//! use dmr_transport::memory::MemoryLink;
//! use dmr_transport::{Link, LinkError, LinkReceiver, LinkSender, Received};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), LinkError> {
//! let (agent, server) = MemoryLink::pair();
//! let ((mut sender, _), (_, mut receiver)) = (agent.split(), server.split());
//! sender.ready().await?;
//! sender.queue(Bytes::from_static(b"a frame"))?;
//! sender.flush().await?;
//! sender.close(CloseReason::Shutdown).await?;
//! assert_eq!(receiver.receive().await?, Received::Frame(Bytes::from_static(b"a frame")));
//! assert_eq!(receiver.receive().await?, Received::Closed(Some(CloseReason::Shutdown)));
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//!
//! `link.rs` and `broker.rs`, the contracts; `conformance/`, the same contracts as rules that run; `memory/queue.rs`, what a
//! broker does without any IO; `memory/broker.rs`; `amqp/mod.rs`; `websocket/link.rs`, then `dial.rs` and `accept.rs`; `tls.rs`;
//! `service/`, which has nothing to do with links and which both programs share.
//!
//! # What is guaranteed, and what is not
//!
//! - A link delivers whole frames in order or ends; it never loses one in the middle. Frames that were queued and not
//!   received when it ended are lost: sessions confirm and settle for that reason.
//! - A broker that has confirmed a publish delivers it at least once, or dead-letters it, as long as its memory lasts.
//!   [`Broker::store`] names that memory; the memory broker's lasts as long as the process.
//! - Every buffer, queue and wait is bounded, and the bound is said where it is set.
//! - Nothing here sees a plaintext or a secret key. Certificates' keys go from their file into rustls.
//!
//! # Features
//!
//! `memory`, `websocket` and `conformance` are on by default. `amqp` adds the broker on RabbitMQ. `service` adds what the programs need: settings, logs,
//! signals, an HTTP listener, metrics and state files.

#[cfg(feature = "amqp")]
pub mod amqp;
#[cfg(feature = "websocket")]
mod authority;
mod broker;
#[cfg(feature = "conformance")]
pub mod conformance;
mod link;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "service")]
pub mod service;
#[cfg(any(feature = "amqp", feature = "websocket"))]
pub mod tls;
#[cfg(feature = "websocket")]
pub mod websocket;

pub use broker::{
    Announcement, Announcements, Broker, BrokerError, DeadLetter, DeadLetters, Delivery, Depth, Disposition,
    Publication, PublishError, Subscription, Tag,
};
pub use link::{Link, LinkError, LinkReceiver, LinkSender, Received};
