//! Links, brokers and program plumbing from the outside.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod broker_conformance;
mod link_conformance;
mod network;
mod refusals;
mod settings;
