//! The C library: `include/dmr.h` is made from these files, in this order, and says for C what is said here.
//!
//! ```text
//!   C ──▶ extern "C" fn ──▶ boundary ──▶ Caller: pointers become slices, names, handles' objects
//!    ▲                         │                         │
//!    └── dmr_status ◀── ErrorCode::of(error) ◀── dmr-crypto, dmr-core
//! ```
//!
//! Read `boundary` first, then `argument` and `handle`: what makes wrong calls harmless is in these three. The other
//! files are the surface, a concept each.

#![expect(non_camel_case_types, reason = "these are the names that C sees")]
#![expect(unsafe_code, reason = "a function of C is given pointers that no type vouches for")]
#![expect(clippy::missing_safety_doc, reason = "the first page of the header says for all what a caller must keep")]

mod argument;
mod authority;
mod boundary;
mod bytes;
mod directory;
mod event;
mod exchange;
mod handle;
mod header;
mod id;
mod keys;
mod last_error;
mod library;
mod login;
mod open;
mod receipt;
mod seal;
mod session;
mod session_config;
mod transmit;
mod trust;

pub use authority::*;
pub use boundary::dmr_status;
pub use bytes::{dmr_bytes, dmr_bytes_free, dmr_slice};
pub use directory::*;
pub use event::*;
pub use exchange::*;
pub use header::*;
pub use id::*;
pub use keys::*;
pub use last_error::*;
pub use library::*;
pub use login::*;
pub use open::*;
pub use receipt::*;
pub use seal::*;
pub use session::*;
pub use session_config::*;
pub use transmit::*;
pub use trust::*;
