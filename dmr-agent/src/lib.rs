//! An institution's end of a DMR network: it seals what its programs send, opens what comes in, and gives back to the
//! server nothing that its program has not settled.
//!
//! ```text
//!            your Rust program                        services in any language
//!      send, ask │      ▲ Delivery: ack,           POST /v1/… │      ▲ webhook
//!                ▼      │ answer, reject, retry               ▼      │
//!   ┌──────────────── Agent ───────────────┐◀──────────── Service ───────────┐
//!   │ sealing        in the sender's task  │   HTTP API, ledger, webhook     │
//!   │ exchange driver  (dmr_core::exchange:│─────────────────────────────────┘
//!   │   opening, guard, receipts, answers) │
//!   │ link driver    one task, one link    │      directory keeper: verify,
//!   └──────┬───────────────────────────────┘◀──── compare, persist, use
//!          │ sealed envelopes only
//!          ▼
//!     dmr-server
//! ```
//!
//! ```
//! use std::time::{Duration, SystemTime, UNIX_EPOCH};
//! use dmr_agent::{Agent, AgentConfig, OutgoingMessage, SendError, Unsealable};
//! use dmr_core::{directory::Validity, header::Suite, id::ParticipantId, time::Timestamp};
//! use dmr_crypto::{Keyring, authority};
//!
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # runtime.block_on(async {
//! // A network and keys; a program reads them from files that `dmr-agent directory new` and `keys new` wrote.
//! let now = Timestamp(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?);
//! let founding = authority::found("example".parse()?, now, Duration::from_secs(3_600))?;
//! let (tax, police) = (ParticipantId::from_random_bytes([1; 16]), ParticipantId::from_random_bytes([2; 16]));
//! let validity = Validity { not_before: now, not_after: now.plus(Duration::from_secs(3_600)) };
//! let keyring = Keyring::generate(tax, "tax".parse()?, Suite::X25519, validity)?;
//!
//! // The agent connects in the background. No server listens at port 1, so no directory comes, and nothing is sealed.
//! let agent = Agent::connect(AgentConfig::new(keyring, founding.pin, vec!["ws://127.0.0.1:1".parse()?])).await?;
//! let question = OutgoingMessage::question(police, "text/plain", "Is plate 123 ABC reported stolen?");
//! let refused = agent.ask(question.clone(), Duration::from_secs(1)).await;
//! assert!(!agent.is_ready() && refused.is_err());
//! assert_eq!(agent.send(question).await, Err(SendError::Unsealable(Unsealable::NoDirectory)));
//! agent.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Reading order
//! 1. [`Agent`], [`OutgoingMessage`], [`Delivery`]: what a program does with an agent.
//! 2. [`AgentConfig`], [`Limits`]: how it is set up, and what bounds its memory.
//! 3. [`dmr_core::exchange`]: what happens to a message in between; `exchange_driver` carries it out.
//! 4. `link_driver`: the one task that does IO. `directory_keeper`: the one that verifies directories.
//! 5. `errand`, `fate`: one message sent by a process of its own, as `dmr-agent send` does.
//! 6. [`Service`]: the HTTP API (`api`) and the webhook (`webhook`) on top of an agent. [`program`]: the command line.
//!
//! # What is guaranteed
//! - **Accepted means stored**: [`Agent::send`] resolves when the server has the broker's confirm for every recipient.
//! - **Kept until receipted**: the sealed bytes of an accepted message stay here until every recipient has signed a
//!   receipt or the message has expired, and are published again, unchanged, to a server that forgot them.
//! - **Settled by the program**: a delivery is acknowledged only after the program settled it, and only after its
//!   receipt or answer was confirmed. A dropped delivery comes again.
//! - **Handled once in this process's life**: a copy of a handled message repeats its verdict, and its sender's id with
//!   another text is refused. Answers and receipts are believed only from those who were asked, about that very text.
//! - **One answer**: its id is derived from the question's, and its bytes are sealed once.
//! - **Bounded**: see [`Limits`]; what does not fit is refused with a hint, or stays at the server.
//!
//! # What is not
//! - After a restart, and between replicas, copies are not recognised: the service behind the webhook must honour the
//!   `Idempotency-Key`. What was accepted and not yet receipted is kept in memory only.
//! - With several replicas an answer may reach another one than the one that asked. There it comes as a delivery. Receipts
//!   are given back a few times, for the replica that waits for them.
//! - Order holds from one sender while nothing is delivered again; calls of the webhook run at once and keep none.
//! - A server can delay, drop, repeat and reorder. Its notices are unsigned: a signed receipt overrides them.

mod agent;
mod api;
mod clock;
mod command;
mod config;
mod delivery;
mod dialer;
mod directory_keeper;
mod errand;
mod error;
mod exchange_driver;
mod fate;
mod json_message;
mod link_driver;
mod message_view;
mod observe;
mod outcomes;
pub mod program;
mod questions;
mod sealing;
mod service;
mod webhook;

pub use agent::Agent;
pub use api::BearerToken;
pub use clock::Clock;
pub use config::AgentConfig;
pub use delivery::{Deliveries, Delivery};
pub use dialer::Dialer;
pub use dmr_core::exchange::{
    Accepted, Answer, IncomingMessage, Limits, MessageStatus, OutgoingMessage, SendError, Unsealable,
};
pub use error::{AskError, ConnectError};
pub use json_message::MESSAGE_TYPE;
pub use service::{Service, ServiceConfig, ServiceError};
pub use webhook::{CallerError, WebhookConfig, WebhookUrl, WebhookUrlError};
