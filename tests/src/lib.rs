//! What the end-to-end tests, the demo and the load program stand on: the real programs, started, watched and ended.
//!
//! ```text
//!   Chatbot ◀─webhook── Agent ──▶ Proxy ──▶ Server ◀── Agent ◀──HTTP── Caller
//!                       (process)           (process)  (process)
//!        Network: keys, cards and the signed directory in a temporary directory, made by `dmr-agent` itself
//! ```
//!
//! # Example
//!
//! ```no_run
//! use dmr_tests::agent::AgentPlan;
//! use dmr_tests::chatbot::{Chatbot, Reply};
//! use dmr_tests::network::Network;
//! use dmr_tests::server::ServerPlan;
//!
//! # async fn example() -> dmr_tests::failure::Outcome {
//! let network = Network::new("demo", &["tax-authority", "police"])?;
//! let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
//! let chatbot = Chatbot::start(|_| Reply::Taken).await?;
//! let police = AgentPlan::new(&network, "police", server.url())?.deliver_to(chatbot.url()).start(&network).await?;
//! let tax = AgentPlan::new(&network, "tax-authority", server.url())?.start(&network).await?;
//! let id = tax.send_well("police", "Is anybody there?").await?;
//! tax.api.message(&id, "delivered").await?;
//! # drop(police);
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//!
//! 1. [`failure`], [`patience`], [`port`]: how a step fails, how one waits, where one listens.
//! 2. [`programs`], [`process`]: the programs as cargo builds them for shipping, and as they run.
//! 3. [`network`], [`certificate`], [`server`], [`agent`], [`sender`], [`chatbot`], [`caller`]: the parties.
//! 4. [`wire`], [`proxy`], [`memory`]: where one looks for what must not be there.
//! 5. [`bindings`]: the libraries for other languages as they are shipped.
//! 6. [`rabbitmq`]: brokers to kill. [`load`], [`history`], [`drill`], [`draws`]: messages meanwhile, and what became of them.
//!
//! # Guaranteed, and not
//!
//! Guaranteed: every process that is started here is ended when its value is dropped, by its own id; nothing listens
//! beyond loopback; nothing waits without a bound. Not guaranteed, save for the
//! brokers: anything if the test process itself is killed.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value yields null; it never panics")]

pub mod agent;
pub mod bindings;
pub mod caller;
pub mod certificate;
pub mod chatbot;
pub mod draws;
pub mod drill;
pub mod failure;
pub mod history;
pub mod load;
pub mod memory;
pub mod network;
pub mod patience;
pub mod port;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod rabbitmq;
pub mod sender;
pub mod server;
pub mod wire;
