//! The agent's clocks.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use dmr_core::time::{Now, Timestamp};
use tokio::time::Instant;

/// Where an agent reads the time: tokio's clock for waits, a wall clock for what envelopes say.
///
/// Clones read the same clocks.
#[derive(Clone)]
pub struct Clock {
    origin: Instant,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Clock {
    /// The system's clocks. Before 1970 the wall clock reads 1970.
    pub fn system() -> Self {
        Self::with_wall(|| {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// Another wall clock, for simulations and tests.
    pub fn with_wall(wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { origin: Instant::now(), wall: Arc::new(wall) }
    }

    /// Both clocks now.
    pub fn now(&self) -> Now {
        Now { elapsed: self.origin.elapsed(), wall: self.wall() }
    }

    /// The wall clock now.
    pub fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// The instant at which `elapsed` of [`Self::now`] will have passed.
    pub(crate) fn instant(&self, elapsed: std::time::Duration) -> Instant {
        self.origin + elapsed
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}
