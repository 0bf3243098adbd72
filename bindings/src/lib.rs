//! The numbers by which C, Python and every other language know DMR's errors.
//!
//! ```text
//!   dmr-core, dmr-crypto          dmr-bindings              C · Python · …
//!   an error with a name    ──▶   name ──▶ number     ──▶   int / exception
//! ```
//!
//! An error crosses a language boundary as a number and its text. The number is stable: it is never changed, and
//! never used again for something else.
//!
//! ```
//! use dmr_bindings::{Category, ErrorCode};
//! use dmr_core::error_name::ErrorName;
//! use dmr_core::id::{IdError, Name};
//!
//! let error = "Not A Name".parse::<Name>().unwrap_err();
//! let code = ErrorCode::of(&error);
//! assert_eq!((code.number(), code.name()), (103, "id.not-name"));
//! assert_eq!(code.category(), Category::Input);
//! assert_eq!(ErrorCode::from_number(103), Some(code));
//! ```
//!
//! Read [`code`]; there is nothing else. Guaranteed: every error of `dmr-core` and `dmr-crypto` has a number of its
//! own, and a test compares the table with the crates. Not guaranteed: the texts, which may become better.

pub mod code;

pub use code::{Category, ErrorCode};
