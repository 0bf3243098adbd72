//! Bytes that go to the caller, and views of the caller's.

#![expect(unsafe_code, reason = "memory that is handed out has to be taken back")]

use std::ffi::c_char;

use super::argument::plain;
use super::boundary::{boundary, dmr_status};

/// Bytes that this library has allocated. Whoever received them frees them with `dmr_bytes_free`, which wipes them
/// first. Behind the last byte stands one zero, which `len` does not count, so that a text can be read as one of C's.
/// Of no bytes, `data` is null unless a description says otherwise.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_bytes {
    /// The bytes. Read them; change neither the pointer nor `len`.
    pub data: *mut u8,
    /// How many.
    pub len: usize,
}

/// Bytes of the caller's, borrowed for the length of a call.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_slice {
    /// The bytes; may be null when `len` is 0.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

plain!(dmr_bytes, dmr_slice);

impl dmr_bytes {
    /// No bytes.
    pub(crate) const NONE: Self = Self { data: std::ptr::null_mut(), len: 0 };

    /// A copy of `bytes` for the caller.
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        if bytes.is_empty() { Self::NONE } else { Self::with_zero(bytes) }
    }

    /// A copy of `text` for the caller, who may read it as one of C's whatever its length.
    pub(crate) fn text(text: &str) -> Self {
        Self::with_zero(text.as_bytes())
    }

    fn with_zero(bytes: &[u8]) -> Self {
        let mut copy = Vec::with_capacity(bytes.len() + 1);
        copy.extend_from_slice(bytes);
        copy.push(0);
        Self { data: Box::into_raw(copy.into_boxed_slice()).cast(), len: bytes.len() }
    }

    /// Wipes and frees what it holds, and holds nothing from then on.
    pub(crate) fn release(&mut self) {
        let Self { data, len } = std::mem::replace(self, Self::NONE);
        if data.is_null() {
            return;
        }
        let all = std::ptr::slice_from_raw_parts_mut(data, len.saturating_add(1));
        // SAFETY: made by `with_zero`, which allocated one byte more; the header forbids to change either field, and
        // what was freed once holds nothing.
        let mut bytes = unsafe { Box::from_raw(all) };
        wipe(&mut bytes);
    }
}

/// Overwrites `bytes` with zeros, all at once.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}

/// Wipes and frees `bytes` and sets it to nothing; freeing that again does no harm.
///
/// `bytes`: as this library filled it in, or all zero. A copy of the struct must not be freed as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_bytes_free(bytes: *mut dmr_bytes) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { boundary(|caller| Ok(caller.change(bytes, "bytes", dmr_bytes::release)?)) }
}

/// `text` in a field of `N` characters, the last of which is zero.
pub(crate) fn fixed_text<const N: usize>(text: &str) -> [c_char; N] {
    let mut field = [0; N];
    let bytes = text.bytes().take(N.saturating_sub(1));
    field.iter_mut().zip(bytes).for_each(|(to, from)| *to = c_char::from_ne_bytes([from]));
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_freed_twice_are_freed_once() {
        let mut bytes = dmr_bytes::copy_of(b"abc");
        assert_eq!(bytes.len, 3);
        bytes.release();
        assert!(bytes.data.is_null() && bytes.len == 0);
        bytes.release();
    }
}
