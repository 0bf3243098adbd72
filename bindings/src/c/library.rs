//! Which library this is, and what it holds.

use super::argument::plain;
use super::boundary::{boundary, dmr_status};
use super::handle;

/// The version of the interface that this header describes: functions and structs are as here for as long as it is
/// the same. The library's file name ends in it.
pub const DMR_ABI: u16 = 0;

/// Which library is in use.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_library {
    /// Version of the interface: compare it with `DMR_ABI`.
    pub abi: u16,
    /// Version of the library, first number.
    pub major: u16,
    /// Version of the library, second number.
    pub minor: u16,
    /// Version of the library, third number.
    pub patch: u16,
    /// Version of the protocol on the wire.
    pub protocol: u16,
}

plain!(dmr_library);

/// Which library is in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_version(library: *mut dmr_library) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let library = caller.out(library, "library")?;
            let number = |text: &str| text.parse().unwrap_or(0);
            library.put(dmr_library {
                abi: DMR_ABI,
                major: number(env!("CARGO_PKG_VERSION_MAJOR")),
                minor: number(env!("CARGO_PKG_VERSION_MINOR")),
                patch: number(env!("CARGO_PKG_VERSION_PATCH")),
                protocol: dmr_core::frame::VERSION,
            });
            Ok(())
        })
    }
}

/// How many handles of this process are not freed: for finding those that a program forgets. They stand in a table of
/// the library's, so tools that look for lost memory do not see them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_live_handles(count: *mut usize) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            caller.out(count, "count")?.put(handle::live());
            Ok(())
        })
    }
}
