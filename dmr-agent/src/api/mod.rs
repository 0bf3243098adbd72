//! The local HTTP API.
mod chat;
mod field;
mod fingerprint;
mod request;
mod timestamp;
