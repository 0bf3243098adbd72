//! Random sequences of calls: no sequence makes the library panic, crash, leave a result behind a failure, or keep a
//! handle that was freed. The fuzzer in `bindings/fuzz` runs the same sequences for as long as one likes.

#![cfg(feature = "c")]
#![allow(missing_debug_implementations, unreachable_pub, reason = "shared with the fuzzer by path")]
#![expect(unsafe_code, clippy::undocumented_unsafe_blocks, reason = "functions of C are called as C calls them")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where something is wrong")]

mod sequence;
mod world;

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn no_sequence_of_calls_panics_or_leaves_anything_behind() {
    let sequences = if std::env::var_os("DMR_LONG").is_some() { 20_000 } else { 400 };
    for seed in 0..sequences {
        let mut state = seed;
        let len = usize::try_from(draw(&mut state) % 1_500).unwrap();
        let input: Vec<u8> = (0..len).map(|_| draw(&mut state).to_be_bytes()[0]).collect();
        if let Err(panic) = std::panic::catch_unwind(|| sequence::run(&input)) {
            eprintln!("the sequence of seed {seed} fails");
            std::panic::resume_unwind(panic);
        }
        let mut live = usize::MAX;
        // SAFETY: a place for a number.
        let status = unsafe { dmr::c::dmr_live_handles(&mut live) };
        assert_eq!((status, live), (0, 0), "seed {seed} leaves handles behind");
    }
}
