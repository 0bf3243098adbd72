//! What can be wrong with a call itself, before anything of DMR is asked.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dmr_core::error_names;

/// Why a call from another language was not carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A pointer that must lead somewhere is null.
    #[error("{argument} is null")]
    Null {
        /// The argument.
        argument: &'static str,
    },
    /// An argument is longer than anything valid could be. It was not read.
    #[error("{argument} is {len} long, {limit} allowed")]
    TooLong {
        /// The argument.
        argument: &'static str,
        /// Bytes given, or values where it is an array of others.
        len: usize,
        /// As many are allowed.
        limit: usize,
    },
    /// A text is not UTF-8.
    #[error("{argument} is not UTF-8")]
    NotText {
        /// The argument.
        argument: &'static str,
    },
    /// An argument has one length only, and this is another.
    #[error("{argument} has {len} bytes, and needs {expected}")]
    WrongLength {
        /// The argument.
        argument: &'static str,
        /// Bytes given.
        len: usize,
        /// Bytes needed.
        expected: usize,
    },
    /// A number is none of those that mean something.
    #[error("{argument} is {value}, which is out of range")]
    OutOfRange {
        /// The argument.
        argument: &'static str,
        /// The number.
        value: u64,
    },
    /// A handle was freed, is of another kind, or leads to no object of this library.
    #[error("{argument} is no live handle of its kind")]
    WrongHandle {
        /// The argument.
        argument: &'static str,
    },
    /// A pointer is not aligned as what it must lead to.
    #[error("{argument} is not aligned")]
    Misaligned {
        /// The argument.
        argument: &'static str,
    },
    /// What was asked for is not to be done now.
    #[error("{what}")]
    OutOfTurn {
        /// What there is none of, or what comes first.
        what: &'static str,
    },
    /// A fault of this library. The call had no effect that can be relied on; please report it.
    #[error("a fault in dmr: a panic was caught")]
    Panicked,
}

error_names!(CallError, "call", own {
    Null = "null",
    TooLong = "too-long",
    NotText = "not-text",
    WrongLength = "wrong-length",
    OutOfRange = "out-of-range",
    WrongHandle = "wrong-handle",
    Panicked = "panicked",
    OutOfTurn = "out-of-turn",
    Misaligned = "misaligned",
} wraps {});

/// Does something and lets no panic through: the other language's frames above cannot be unwound.
///
/// What a panic leaves half done must not be used again, or be whole at every step: the callers say which.
///
/// # Errors
/// [`CallError::Panicked`].
#[cfg_attr(
    not(any(test, feature = "c", feature = "python")),
    expect(dead_code, reason = "only other languages need it")
)]
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, CallError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| CallError::Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(caught(|| 7), Ok(7));
        assert_eq!(caught(|| panic!("on purpose")), Err::<(), _>(CallError::Panicked));
    }
}
