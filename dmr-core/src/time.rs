//! Time as an argument: the wall clock in milliseconds and a reading of both clocks.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment on the wall clock: milliseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates: no timestamp from outside can overflow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The moment `span` earlier, at the least 1970.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// The time from `earlier` to this moment, zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// One reading of both clocks, taken by the driver and handed to a session.
///
/// `elapsed` never jumps and times links; `wall` may be set by anyone and is compared with what envelopes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since an origin of the driver's choice, from a clock that never goes back.
    pub elapsed: Duration,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Now {
    /// The reading `span` later on both clocks.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self { elapsed: self.elapsed.saturating_add(span), wall: self.wall.plus(span) }
    }
}

/// A span in whole milliseconds, at most `u64::MAX` of them.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_from_outside_overflows() {
        let end = Timestamp(u64::MAX);
        assert_eq!(end.plus(Duration::MAX), end);
        assert_eq!(Timestamp(5).minus(Duration::MAX), Timestamp(0));
        assert_eq!(Timestamp(5).since(end), Duration::ZERO);
        assert_eq!(end.since(Timestamp(0)), Duration::from_millis(u64::MAX));
        let now = Now { elapsed: Duration::MAX, wall: end };
        assert_eq!(now.plus(Duration::from_secs(1)), now);
    }

    #[test]
    fn a_span_counts_in_whole_milliseconds() {
        assert_eq!(Timestamp(1_000).plus(Duration::from_micros(2_999)), Timestamp(1_002));
        assert_eq!(Timestamp(1_000).minus(Duration::from_secs(1)), Timestamp(0));
        assert_eq!(Timestamp(1_002).since(Timestamp(1_000)), Duration::from_millis(2));
        assert_eq!(Timestamp(7).to_string(), "7 ms");
    }
}
