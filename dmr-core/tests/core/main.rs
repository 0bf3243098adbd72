//! What `dmr-core` promises to everyone who links it, seen from outside.
//!
//! - [`decode`]: any bytes at all, against every decoder;
//! - [`exchange`]: the agent without its IO, with a stand-in for cryptography;
//! - [`golden`]: the byte layouts, frozen in hexadecimal;
//! - [`pair`]: the two sessions against each other, on a virtual clock;
//! - [`replay`]: the replay guard beside a naive one.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first thing that is wrong")]

mod decode;
mod exchange;
mod golden;
mod pair;
mod replay;
