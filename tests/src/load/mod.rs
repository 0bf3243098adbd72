//! Messages in a steady stream while a drill does its harm, each of them in the history.
//!
//! ```text
//!   Load ── N callers ──POST, again with the same id──▶ Agent ~~▶ Server ~~▶ Agent ──webhook──▶ service()
//!    │         │                                          │                                        │
//!    └─────────┴── send, accepted, refused, unknown ──────┴── receipt ──────▶ History ◀── sink ────┘
//! ```
//!
//! Reading order: [`plan`] for how many and how fast, [`stream`] for what runs, [`mod@service`] for the other end.

pub mod plan;
pub mod service;
pub mod stream;

pub use plan::{Lane, LoadPlan};
pub use service::service;
pub use stream::Load;
