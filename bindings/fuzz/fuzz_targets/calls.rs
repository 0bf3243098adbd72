//! Random sequences of calls of the C library: the sequences of `bindings/tests/calls`, chosen by libFuzzer.

#![no_main]

#[path = "../../tests/calls/sequence.rs"]
mod sequence;
#[path = "../../tests/calls/world.rs"]
mod world;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    sequence::run(input);
    let mut live = usize::MAX;
    // SAFETY: a place for a number.
    let status = unsafe { dmr::c::dmr_live_handles(&mut live) };
    assert_eq!((status, live), (0, 0), "handles are left behind");
});
