//! DMR for other languages: a C library (feature `c`), a Python module (feature `python`), and the numbers by which both
//! know DMR's errors.
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
//! use dmr::{Category, ErrorCode};
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
//! Read [`code`] first. Guaranteed: every error of `dmr-core` and `dmr-crypto` has a number of its
//! own, and a test compares the table with the crates. Not guaranteed: the texts, which may become better.

#[cfg(feature = "c")]
pub mod c;
mod call;
mod category;
pub mod code;
#[cfg(feature = "python")]
mod python;

pub use call::CallError;
pub use category::Category;
pub use code::ErrorCode;
