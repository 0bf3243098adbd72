//! The relay: agents connect, sealed envelopes pass through, and none can be opened here.
//!
//! ```text
//!               ┌─────────────────────────── Server ───────────────────────────┐
//!  agent ──ws──▶│ listener ─▶ gate      one task per link                       │
//!               │              │      ┌───────────────────────────┐             │
//!               │              └────▶ │ link driver ⇄ session     │ ⇄ broker    │
//!               │                     │      │ login, policy      │  (mailboxes)│
//!               │                     └──────┼────────────────────┘             │
//!               │  directory file ─▶ watch ──┴─▶ registry ─▶ every link         │
//!  operator ───▶│ /livez /readyz /metrics                                       │
//!               └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! ```
//! use std::time::{Duration, SystemTime, UNIX_EPOCH};
//! use dmr_core::time::Timestamp;
//! use dmr_server::{Server, ServerConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A network without participants; `dmr-agent directory new` makes the same.
//! let now = Timestamp::default().plus(SystemTime::now().duration_since(UNIX_EPOCH)?);
//! let network = dmr_crypto::authority::found("testnet".parse()?, now, Duration::from_secs(3_600))?;
//! let home = tempfile::tempdir()?;
//! let directory = home.path().join("directory.jws");
//! std::fs::write(&directory, network.directory.bundle())?;
//!
//! let mut config = ServerConfig::new(directory, network.pin, "relay".parse()?);
//! config.listen = "127.0.0.1:0".parse()?;
//! config.admin = None;
//! let server = Server::bind(config).await?;
//! assert!(server.local_addr().ip().is_loopback());
//! let stop = async { /* returns when the server shall drain: a signal, say */ };
//! server.serve(stop).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//! `config` and `limits` say what a server is given. `server` composes it: `listener` accepts and `gate` counts;
//! `link_driver` drives one link and its `dmr_core` session; `access` decides for it, with `login`, `policy` and
//! `allowance`; `feed` and `publish` are its two ways to the broker. `registry` and `signals` reach links from
//! elsewhere: `directory_task` (over `directory_watch`) and `dead_letters`. `mailboxes` declares them. `readiness` and `metrics` are what operators
//! see. `settings`, `program` and `directory_report` are the program's.
//!
//! # What is guaranteed
//! - An envelope is confirmed only after the broker has confirmed it for every recipient.
//! - It passes only if its sender is who logged in on that link, its signature holds, and the directory knows and
//!   allows sender and recipients; on its way out revocation and expiry are looked at again.
//! - A delivery is settled at the broker only when the agent says so; what a lost link had not settled comes again.
//! - A directory is taken up whole or not at all: verified under the pinned root, newer than every one before it, kept
//!   (with a state directory) before it is used.
//! - Any peer costs bounded memory: every queue, rate, size and wait has a bound ([`Limits`], `dmr_core::limit`).
//!
//! # What is not
//! - Confidentiality does not rest on the server, and it cannot harm it: there is no decryption in its dependencies.
//! - Exactly once: it delivers at least once. Recipients' agents deduplicate.
//! - Order beyond one sender and recipient while nothing is redelivered.
//! - With the memory broker, anything across a restart: agents publish again what was not answered for.

mod access;
mod allowance;
mod announcements;
mod broker_inspection;
pub mod broker_settings;
mod clock;
mod config;
mod dead_letters;
pub mod directory_report;
mod directory_task;
mod directory_watch;
mod feed;
mod gate;
mod limits;
mod link_driver;
mod listener;
mod login;
mod mailboxes;
mod metrics;
pub mod operator;
mod policy;
pub mod program;
mod publish;
mod readiness;
mod registry;
mod server;
pub mod settings;
mod settings_refused;
mod shared;
mod signals;

#[cfg(test)]
mod testing;

pub use broker_inspection::Inspector;
pub use config::{ConfigError, ServerConfig};
pub use directory_watch::DirectoryLoadError;
pub use limits::Limits;
pub use server::{BindError, Server};
