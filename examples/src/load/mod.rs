//! The load program: how many messages, how fast, and what they cost.
//!
//! ```text
//!   this process                  its own process          started by this process
//!   senders: N agents  ─────────▶ dmr-server ────────────▶ recipients: N agents
//!        ├────────────── echo over a bare WebSocket ──────────────┤
//!        └─────────────▶ the broker by itself, if asked ──────────┘
//! ```
//!
//! Three processes, so that the memory and the CPU time of each mean something. Every sender has a recipient of its
//! own and keeps so many messages in flight: with receipts until it holds the signed receipt, without until the server
//! has confirmed. The echo goes between the same two processes over the same library, with frames of the same size; what
//! a message takes beyond it is what DMR costs. A message counts as settled when its sender holds the receipt, or without
//! receipts when the recipient's program has settled it.
//!
//! Two more sides can be measured in the same way: [`relay`] sends ready-sealed envelopes over bare links, so that only
//! the server works, and [`baseline`] sends messages of the same size through the broker without DMR.
//!
//! Reading order: [`options`], [`senders`] and [`recipients`], [`side`], which measures a round, [`run`], which puts the
//! rounds together, and [`idle`], which measures links that do nothing.

pub mod agents;
pub mod bare_link;
pub mod baseline;
pub mod budget;
pub mod cost;
pub mod counterpart;
pub mod echo;
pub mod growth;
pub mod idle;
pub mod mailroom;
pub mod options;
pub mod party;
pub mod recipients;
pub mod relay;
pub mod report;
pub mod rounds;
pub mod run;
pub mod senders;
pub mod side;
pub mod spread;
pub mod stamp;
