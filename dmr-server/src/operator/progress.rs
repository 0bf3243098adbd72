//! Progress of long work, on the standard error: nothing for the first second, then a line for each second.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

/// Time between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// Tells how far work has come.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    total: u32,
    last: Instant,
}

impl Progress {
    /// Begins work on so many of `what`.
    pub(crate) fn begin(what: &'static str, total: u32) -> Self {
        Self { what, total, last: Instant::now() }
    }

    /// So many are done.
    pub(crate) fn at(&mut self, done: u32) {
        if self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            // Whoever does not read it does not need it.
            let _ = writeln!(io::stderr(), "{done} of {} {}", self.total, self.what);
        }
    }
}
