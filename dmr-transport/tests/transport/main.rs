//! Links, brokers and program plumbing from the outside.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod broker_conformance;
mod closing;
mod http_service;
mod idle_memory;
mod link_conformance;
mod network;
mod process;
mod queue_model;
mod refusals;
mod settings;
mod tls_files;
