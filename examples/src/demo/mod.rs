//! The demo: one server, two agents, a sealed question and its answer.
//!
//! ```text
//!  POST /v1/questions                                                    webhook
//!  ──────────▶ agent ──▶ proxy ──▶ dmr-server ──▶ proxy ──▶ agent ──▶ police's chatbot
//!              tax-authority       (cannot open)            police
//! ```
//!
//! The server and both agents are the real programs, each its own process. The proxies and the chatbot run here.
//!
//! Reading order: [`stage`] starts everyone, [`conversation`] asks, [`police`](crate::police) answers, [`relay_view`] and [`legs`] show
//! what happened, [`tampering`] spoils it.

pub mod conversation;
pub mod legs;
pub mod passage;
pub mod programs;
pub mod question;
pub mod relay_view;
pub mod screen;
pub mod stage;
pub mod tampering;
