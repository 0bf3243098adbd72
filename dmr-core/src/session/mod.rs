//! The two sessions: everything a link needs to decide, and no IO.
//!
//! ```text
//!             link_up, receive, publish, settle, handle_timeout …
//!                               │ (bytes, time)
//!                               ▼
//!        ┌─────────── AgentSession / ServerSession ───────────┐
//!        │                                                     │
//!  poll_output()                                        poll_transmit()
//!  requests and events, at once                 frames and the close, when the
//!        │                                      link can take one
//!        ▼                                                     ▼
//!     the program                                            the link
//! ```
//!
//! A driver owns a link and a clock. It hands in what happens, then drains `poll_output`, and asks for
//! `poll_transmit` whenever the link is ready. The outlets are two so that a slow link never holds up an event;
//! neither grows without bound, because the credits of both sides bound what can be in them.
//! `poll_timeout` says when `handle_timeout` wants to be called; calling it early is harmless.

mod agent;
mod heartbeat;
mod server;

use bytes::Bytes;

pub use agent::{
    AgentOutput, AgentPublication, AgentPublishError, AgentSession, AgentSessionConfig, AgentState, DeliveryId,
    OutboxDepth,
};
pub use server::{
    Disposed, Login, MAX_PARKED, Refusal, ServerOutput, ServerSession, ServerSessionConfig, ServerState, Ticket,
};

use crate::reason::CloseReason;

/// What a session wants done to its link, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// Send this frame.
    Frame(Bytes),
    /// Close the link with this reason, then report it down. Nothing follows.
    Close(CloseReason),
}
