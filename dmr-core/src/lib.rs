//! The DMR protocol without IO.

pub mod backoff;
pub mod codec;
pub mod content;
pub mod directory;
mod draws;
pub mod envelope;
pub mod frame;
pub mod header;
pub mod id;
pub mod json;
pub mod limit;
pub mod reason;
pub mod replay;
pub mod retry;
pub mod server_choice;
pub mod session;
pub mod time;
