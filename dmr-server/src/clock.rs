//! The server's two clocks: one that times links, one that is compared with what envelopes say.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dmr_core::time::{Now, Timestamp};
use governor::clock::Clock as GovernorClock;
use governor::nanos::Nanos;
use tokio::time::Instant;

/// Reads both clocks. Copies share the origin of `elapsed`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    wall: Wall,
}

#[derive(Debug, Clone, Copy)]
enum Wall {
    /// The machine's.
    System,
    /// A fixed start that moves with `elapsed`, so that paused time moves it too.
    #[cfg(test)]
    From(Timestamp),
}

impl Clock {
    /// The machine's clocks; `elapsed` counts from this call.
    pub(crate) fn system() -> Self {
        Self { origin: Instant::now(), wall: Wall::System }
    }

    /// A wall clock that says `start` now and moves with tokio's time.
    #[cfg(test)]
    pub(crate) fn starting_at(start: Timestamp) -> Self {
        Self { origin: Instant::now(), wall: Wall::From(start) }
    }

    /// Both clocks, now.
    pub(crate) fn now(&self) -> Now {
        let elapsed = self.origin.elapsed();
        let wall = match self.wall {
            Wall::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::default().plus(since)
            }
            #[cfg(test)]
            Wall::From(start) => start.plus(elapsed),
        };
        Now { elapsed, wall }
    }

    /// The moment at which `elapsed` reads this; a century from now at the latest.
    pub(crate) fn instant(&self, elapsed: Duration) -> Instant {
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.origin + elapsed.min(CENTURY)
    }
}

/// Rate limits follow the same clock, so that paused time moves them too.
impl GovernorClock for Clock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.origin.elapsed())
    }
}
