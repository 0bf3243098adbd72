//! The server over real WebSockets, and its program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

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
