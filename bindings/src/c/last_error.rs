//! Errors in words, and their stable names.

use std::ffi::c_char;

use super::boundary::{boundary, dmr_status, last_error};
use crate::{CallError, ErrorCode};

/// Writes what went wrong in the last call on this thread that failed, in English and without secrets, and a zero.
/// A call that succeeds leaves the text alone; before the first failure it is empty.
///
/// `buffer`: room for `len` characters, may be null when `len` is 0. A text that does not fit is cut. At most 1,024
/// are ever needed. `needed`: how many characters the whole text takes, with the zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_last_error(buffer: *mut c_char, len: usize, needed: *mut usize) -> dmr_status {
    let text = last_error();
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let room = caller.room(buffer, len, "buffer");
            let (needed, room) = (caller.out(needed, "needed")?, room?);
            needed.put(room.write(&text));
            Ok(())
        })
    }
}

/// Writes the stable name of `status`, such as `verify.bad-signature`, and a zero: what logs and the other languages
/// call the same error. `DMR_OK` is called `ok`.
///
/// `buffer`, `len` and `needed` as for `dmr_last_error`; 64 characters are enough. `DMR_CALL_OUT_OF_RANGE` for a
/// number that is none of `dmr_status`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_status_name(
    status: u32,
    buffer: *mut c_char,
    len: usize,
    needed: *mut usize,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let room = caller.room(buffer, len, "buffer");
            let (needed, room) = (caller.out(needed, "needed")?, room?);
            let name = if status == 0 {
                "ok"
            } else {
                let code = u16::try_from(status).ok().and_then(ErrorCode::from_number);
                code.ok_or(CallError::OutOfRange { argument: "status", value: status.into() })?.name()
            };
            needed.put(room.write(name));
            Ok(())
        })
    }
}
