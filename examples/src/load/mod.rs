//! The load program: how many messages, how fast, and what they cost.
//!
//! ```text
//!   this process                  its own process          started by this process
//!   senders: N agents  ─────────▶ dmr-server ────────────▶ recipients: N agents
//!        └────────────── echo over a bare WebSocket ──────────────┘
//! ```
//!
//! Three processes, so that the memory and the CPU time of each mean something. Every sender has a recipient of its
//! own and keeps so many messages in flight: with receipts until it holds the signed receipt, without until the server
//! has confirmed. The echo goes between the same two processes over the same library, with frames of the same size; what
//! a message takes beyond it is what DMR costs. A message counts as settled when its sender holds the receipt, or without
//! receipts when the recipient's program has settled it.
//!
//! Reading order: [`options`], [`senders`] and [`recipients`], [`run`], which puts them together, and [`idle`], which
//! measures links that do nothing.

pub mod cost;
pub mod echo;
pub mod idle;
pub mod options;
pub mod party;
pub mod recipients;
pub mod report;
pub mod run;
pub mod senders;
pub mod spread;
pub mod stamp;
