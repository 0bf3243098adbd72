//! What all drills have in common: they take turns, and they are short or long.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no other drill of this process runs, and keeps the others waiting as long as the value is held: two
/// brokers on two cores would measure each other.
pub async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// Whether the full counts are asked for: `tests/run --long`.
pub fn is_long() -> bool {
    std::env::var_os("DMR_LONG").is_some_and(|value| value == "1")
}

/// `short`, or `long` when the full counts are asked for.
pub fn count<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// The seed in the variable `DMR_SEED`, with which a drill runs as it did before; another one each time without.
pub fn seed() -> u64 {
    let given = std::env::var("DMR_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_micros()).unwrap_or_default();
    // Its low bits are those that change.
    given.unwrap_or_else(|| u64::try_from(now % 1_000_000_007).unwrap_or_default())
}

/// Shows a line. Cargo shows it when the test fails, or with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a drill's seed and verdict are what one wants to read of it")]
pub fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
