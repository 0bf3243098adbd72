//! The protocol of Distributed Message Rooms, without IO: what travels, what it means, and who decides what next.
//!
//! ```text
//!   bytes ──▶ frame ──▶ session ──▶ output ──▶ driver ──▶ link
//!   codec     frame     session     (asks, tells)  (yours)   (dmr-transport)
//! ```
//!
//! Nothing here reads a clock, draws a random number, opens a connection or knows a key as anything but bytes: time,
//! randomness and bytes are arguments. So the same code runs under tokio, in a simulator with virtual time, and
//! inside another language's event loop.
//!
//! # Example
//!
//! An agent and a server greet each other, with a driver of a few lines between them.
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use dmr_core::id::{InstanceId, Nonce, ParticipantId, SessionId, StoreId};
//! use dmr_core::session::{AgentOutput, AgentSession, AgentSessionConfig, Login, Transmit};
//! use dmr_core::session::{ServerOutput, ServerSession, ServerSessionConfig};
//! use dmr_core::frame::{AuthFields, ChannelBinding, VERSION};
//! use dmr_core::time::{Now, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Now { elapsed: Duration::ZERO, wall: Timestamp(1_800_000_000_000) };
//! let police: ParticipantId = "0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f".parse()?;
//! let instance = InstanceId::from_random_bytes([7; 16]);
//!
//! let config = AgentSessionConfig::new("demo".parse()?, police, instance, vec![None], 42);
//! let mut agent = AgentSession::new(config, now);
//! assert_eq!(agent.poll_output(), Some(AgentOutput::Connect { server: 0 }));
//! agent.link_up(now);
//!
//! let (session, store) = (SessionId::from_random_bytes([1; 16]), StoreId::from_random_bytes([2; 16]));
//! let config = ServerSessionConfig::new("demo".parse()?, "relay-1".parse()?, session, store, Nonce([3; 32]));
//! let mut server = ServerSession::new(config, now);
//! assert!(matches!(server.poll_output(), Some(ServerOutput::SignChallenge { .. })));
//! server.challenge_signed(Bytes::new(), now); // this server has no key
//!
//! // Frames go across whenever the link can take one.
//! let Some(Transmit::Frame(challenge)) = server.poll_transmit() else { panic!() };
//! agent.receive(&challenge, now);
//! let Some(AgentOutput::Sign { .. }) = agent.poll_output() else { panic!() };
//! let fields = AuthFields {
//!     network: "demo".parse()?,
//!     participant: police,
//!     key: "00112233445566778899aabbccddeeff".parse()?,
//!     version: VERSION,
//!     nonce: Nonce([4; 32]),
//!     instance,
//!     binding: ChannelBinding::None,
//!     directory_revision: 0,
//! };
//! let proof = Bytes::from_static(&[0; 64]); // dmr-crypto makes a real one
//! agent.challenge_signed(fields.encode()?, proof, now);
//!
//! let Some(Transmit::Frame(login)) = agent.poll_transmit() else { panic!() };
//! server.receive(&login, now);
//! assert!(matches!(server.poll_output(), Some(ServerOutput::CheckLogin { .. })));
//! server.login_checked(Ok(Login { participant: police, instance, directory_revision: 0 }), now);
//!
//! let Some(Transmit::Frame(welcome)) = server.poll_transmit() else { panic!() };
//! agent.receive(&welcome, now);
//! assert!(agent.is_ready());
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//!
//! 1. [`id`], [`time`], [`limit`]: the words and the bounds.
//! 2. [`header`], [`envelope`], [`content`]: a message from outside in. [`codec`] is the one encoding they share.
//! 3. [`directory`]: who takes part. `dmr-crypto` verifies it before it is parsed.
//! 4. [`frame`], [`reason`]: what travels on a link, and the stable numbers for why something failed.
//! 5. [`session`]: the agent's and the server's side of a link, as state machines.
//! 6. [`exchange`]: a whole agent but its IO: answers, receipts, replays and what is tried again.
//! 7. [`backoff`], [`server_choice`], [`replay`], [`retry`]: the decisions an agent makes between links and about
//!    deliveries.
//!
//! # Guaranteed, and not
//!
//! Guaranteed: no input makes it panic or grow without bound; a value has one encoding; a session answers every
//! misuse by its peer with a close and a reason. Not guaranteed: anything about who said something. A decoded
//! envelope, login or directory is unverified until `dmr-crypto` says otherwise.

pub mod backoff;
pub mod codec;
pub mod content;
pub mod directory;
mod draws;
pub mod envelope;
pub mod error_name;
pub mod exchange;
pub mod frame;
pub mod header;
pub mod id;
pub mod json;
pub mod limit;
pub mod reason;
pub mod replay;
pub mod retry;
pub mod server_choice;
pub mod session;
pub mod time;
