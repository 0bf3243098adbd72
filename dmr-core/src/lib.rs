//! The DMR protocol without IO.

pub mod codec;
pub mod content;
pub mod directory;
pub mod envelope;
pub mod frame;
pub mod header;
pub mod id;
pub mod json;
pub mod limit;
pub mod reason;
pub mod session;
pub mod time;
