//! The agent against a small relay in the same process, over links in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod api;
mod chatbot;
mod directory;
mod guarantees;
mod health;
mod links;
mod network;
mod program;
mod receipts;
mod relay;
mod replicas;
mod service;
mod wait;
mod webhook;
