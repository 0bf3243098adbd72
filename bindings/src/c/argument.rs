//! Arguments: how what a caller points to is checked, read and written.

#![expect(unsafe_code, reason = "the one place where the pointers of a caller are followed")]

use std::ffi::c_char;
use std::marker::PhantomData;

use dmr_core::id::Name;

use super::boundary::Failure;
use crate::CallError;

/// The promise of a caller that each of its pointers is null, or leads to what the header asks for.
pub(crate) struct Caller(());

impl Caller {
    /// # Safety
    /// The caller keeps to the header for as long as the call lasts.
    pub(super) unsafe fn that_keeps_the_header() -> Self {
        Self(())
    }

    /// The `len` bytes at `data`; none when `len` is zero, wherever `data` leads.
    pub(crate) fn bytes<'a>(
        &'a self,
        data: *const u8,
        len: usize,
        argument: &'static str,
    ) -> Result<&'a [u8], CallError> {
        self.many(data, len, isize::MAX.unsigned_abs(), argument)
    }

    /// The `len` values at `data`, at most `limit`.
    pub(crate) fn many<'a, T: Plain>(
        &'a self,
        data: *const T,
        len: usize,
        limit: usize,
        argument: &'static str,
    ) -> Result<&'a [T], CallError> {
        if len == 0 {
            return Ok(&[]);
        }
        if len > limit.min(isize::MAX.unsigned_abs() / size_of::<T>().max(1)) {
            return Err(CallError::TooLong { argument, len, limit });
        }
        check(data, argument)?;
        // SAFETY: not null, aligned, no longer than memory can be; the caller promises as many values as it says.
        Ok(unsafe { std::slice::from_raw_parts(data, len) })
    }

    /// The value at `data`.
    pub(crate) fn one<'a, T: Plain>(&'a self, data: *const T, argument: &'static str) -> Result<&'a T, CallError> {
        check(data, argument)?;
        // SAFETY: not null and aligned; the caller promises a value.
        Ok(unsafe { &*data })
    }

    /// The text at `text`, without its zero byte. Not more than `limit` bytes and one are looked at.
    pub(crate) fn text<'a>(
        &'a self,
        text: *const c_char,
        limit: usize,
        argument: &'static str,
    ) -> Result<&'a str, CallError> {
        check(text, argument)?;
        // SAFETY: the caller promises bytes up to and with a zero, and none behind that is read.
        let end = (0..=limit).find(|at| unsafe { *text.add(*at) } == 0);
        let len = end.ok_or(CallError::TooLong { argument, len: limit.saturating_add(1), limit })?;
        let bytes = self.bytes(text.cast(), len, argument)?;
        std::str::from_utf8(bytes).map_err(|_| CallError::NotText { argument })
    }

    /// The name at `text`.
    pub(crate) fn name(&self, text: *const c_char, argument: &'static str) -> Result<Name, Failure> {
        Ok(self.text(text, Name::MAX_LEN, argument)?.parse::<Name>()?)
    }

    /// The place where a result goes, filled with zeros for now.
    pub(crate) fn out<'a, T: Plain>(&'a self, place: *mut T, argument: &'static str) -> Result<Out<'a, T>, CallError> {
        check(place, argument)?;
        // SAFETY: not null and aligned; the caller promises room for a value, and zeros are one.
        unsafe { place.write_bytes(0, 1) };
        Ok(Out { place, call: PhantomData })
    }

    /// `len` characters of the caller's, for a text that is handed out; zeros for now.
    pub(crate) fn room<'a>(
        &'a self,
        data: *mut c_char,
        len: usize,
        argument: &'static str,
    ) -> Result<Room<'a>, CallError> {
        if len > isize::MAX.unsigned_abs() {
            return Err(CallError::TooLong { argument, len, limit: isize::MAX.unsigned_abs() });
        }
        if len > 0 {
            check(data, argument)?;
            // SAFETY: not null; the caller promises this much room. It may never have been written.
            unsafe { data.write_bytes(0, len) };
        }
        Ok(Room { data: data.cast(), len, call: PhantomData })
    }

    /// A value of the caller's that is changed in its place.
    pub(crate) fn change<T: Plain>(
        &self,
        place: *mut T,
        argument: &'static str,
        change: impl FnOnce(&mut T),
    ) -> Result<(), CallError> {
        check(place, argument)?;
        // SAFETY: not null and aligned; the caller promises a value that nobody else uses during the call.
        change(unsafe { &mut *place });
        Ok(())
    }
}

fn check<T>(data: *const T, argument: &'static str) -> Result<(), CallError> {
    if data.is_null() {
        return Err(CallError::Null { argument });
    }
    if !data.is_aligned() {
        return Err(CallError::Misaligned { argument });
    }
    Ok(())
}

/// Where a result goes.
pub(crate) struct Out<'a, T> {
    place: *mut T,
    call: PhantomData<&'a mut T>,
}

impl<T: Plain> Out<'_, T> {
    /// Writes the result.
    pub(crate) fn put(self, value: T) {
        // SAFETY: checked when it was made, and the caller promises that it lasts as long as the call.
        unsafe { self.place.write(value) };
    }
}

/// Where a text goes.
pub(crate) struct Room<'a> {
    data: *mut u8,
    len: usize,
    call: PhantomData<&'a mut u8>,
}

impl Room<'_> {
    /// Writes `text` and a zero, cut between two characters where it does not fit; how much it needs with the zero.
    pub(crate) fn write(self, text: &str) -> usize {
        let fits = self.len.saturating_sub(1).min(text.len());
        let end = (0..=fits).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        if end > 0 {
            // SAFETY: less than the room that the caller promised for the length of the call, and of no text of ours.
            // The zero behind it stands there since the room was made.
            unsafe { self.data.copy_from_nonoverlapping(text.as_ptr(), end) };
        }
        text.len() + 1
    }
}

/// A value of C: numbers and pointers, of which any bytes are one.
///
/// # Safety
/// Any bytes are a value of the type, zeros too, and it needs no drop.
pub(crate) unsafe trait Plain {}

macro_rules! plain {
    ($($type:ty),* $(,)?) => {
        // SAFETY: numbers, pointers, and structs of these with C's layout.
        $(unsafe impl $crate::c::argument::Plain for $type {})*
    };
}

// SAFETY: a pointer, whatever it leads to; it is checked before it is followed.
unsafe impl<T> Plain for *mut T {}
// SAFETY: as above.
unsafe impl<T> Plain for *const T {}

// SAFETY: as many of a type that is one.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

pub(super) use plain;

plain!(u8, i8, u16, u32, u64, usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, len: usize) -> (usize, [u8; 8]) {
        let mut buffer = [9_u8; 8];
        // SAFETY: the buffer is as long as is said.
        let caller = unsafe { Caller::that_keeps_the_header() };
        let needed = caller.room(buffer.as_mut_ptr().cast(), len, "buffer").unwrap().write(text);
        (needed, buffer)
    }

    #[test]
    fn a_text_that_does_not_fit_is_cut_between_characters_and_its_need_is_told() {
        assert_eq!(written("abc", 8), (4, *b"abc\0\0\0\0\0"));
        assert_eq!(written("abc", 4), (4, *b"abc\0\x09\x09\x09\x09"));
        assert_eq!(written("abõ", 4), (5, *b"ab\0\0\x09\x09\x09\x09"));
        assert_eq!(written("abc", 1), (4, *b"\0\x09\x09\x09\x09\x09\x09\x09"));
        assert_eq!(written("abc", 0), (4, [9; 8]));
    }

    #[test]
    fn a_pointer_that_is_not_aligned_is_refused() {
        let numbers = [0_u64; 2];
        let crooked = numbers.as_ptr().cast::<u8>().wrapping_add(1).cast::<u64>();
        // SAFETY: nothing is read at a pointer that is not aligned.
        let caller = unsafe { Caller::that_keeps_the_header() };
        assert!(matches!(caller.one(crooked, "number"), Err(CallError::Misaligned { .. })));
    }
}
