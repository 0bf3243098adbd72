//! The server over real WebSockets, and its program.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod admin;
mod agent;
mod directory;
mod harness;
mod hostile;
mod idle;
mod login;
mod messages;
mod network;
mod program;
mod sessions;
mod tls;
