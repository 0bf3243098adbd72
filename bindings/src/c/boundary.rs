//! The boundary: every call from C goes through it, and comes back as a number.

use std::cell::RefCell;
use std::ffi::c_int;
use std::fmt::Display;

use dmr_core::error_name::ErrorName;

use super::argument::Caller;
use crate::ErrorCode;
use crate::call::caught;

/// `enum dmr_status` of the header: 0, or the number of an [`ErrorCode`].
pub type dmr_status = c_int;

/// `DMR_OK` of the header.
pub(crate) const OK: dmr_status = 0;

/// Why a call failed: the number, and the words of [`dmr_last_error`](super::last_error::dmr_last_error).
pub(crate) struct Failure {
    code: ErrorCode,
    text: String,
}

impl<E: ErrorName + Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: ErrorCode::of(&error), text: error.to_string() }
    }
}

/// Longest text of an error that is kept, in bytes.
const LONGEST_TEXT: usize = 1_023;

thread_local! {
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The text of the last failure on this thread.
pub(crate) fn last_error() -> String {
    LAST_ERROR.try_with(|text| text.borrow().clone()).unwrap_or_default()
}

/// Does `work`, catches its panics, and turns what went wrong into a number and this thread's last error.
///
/// # Safety
/// Every pointer that `work` reads through its [`Caller`] is null, or leads to what the header asks for.
#[expect(unsafe_code, reason = "whether pointers are what the header asks for is known to the caller alone")]
pub(crate) unsafe fn boundary(work: impl FnOnce(&Caller) -> Result<(), Failure>) -> dmr_status {
    // SAFETY: the caller of this function promises it.
    let caller = unsafe { Caller::that_keeps_the_header() };
    // A value that a panic left half changed is behind a lock, which is then refused.
    let failure = match caught(|| work(&caller)) {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(panicked) => panicked.into(),
    };
    let Failure { code, mut text } = failure;
    let end = (0..=LONGEST_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    // While a thread ends there is nobody left to read it.
    let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = text);
    code.number().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(unsafe_code, reason = "the boundary is what is tested; no pointer is given")]
    fn status(work: impl FnOnce() -> Result<(), Failure>) -> dmr_status {
        // SAFETY: no pointer is read.
        unsafe { boundary(|_| work()) }
    }

    #[test]
    fn a_panic_becomes_a_number_and_a_text_and_the_next_call_is_as_good_as_any() {
        assert_eq!(status(|| panic!("made up")), 807);
        assert!(last_error().contains("panic"));
        assert_eq!(status(|| Ok(())), OK);
        assert!(last_error().contains("panic"), "a success leaves the text alone");
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        let failure = || Failure { code: ErrorCode::UNKNOWN, text: "õ".repeat(5_000) };
        assert_eq!(status(|| Err(failure())), 1);
        assert_eq!(last_error().len(), LONGEST_TEXT - 1);
    }
}
