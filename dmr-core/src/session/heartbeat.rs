//! The heartbeat of one link: when to say something, and when the other side has been silent for too long.

use std::time::Duration;

/// Both halves of the heartbeat. Times are `elapsed`, on the driver's monotonic clock.
#[derive(Debug)]
pub(super) struct Heartbeat {
    period: Duration,
    sent: bool,
    next_check: Duration,
    silent_at: Duration,
}

/// What a heartbeat asks for when its time has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Quiet,
    /// Send a heartbeat: nothing else went out for half a period.
    Send,
    /// Nothing was heard for two periods.
    Missed,
}

impl Heartbeat {
    /// A heartbeat that begins now. Each side sends at least every `period`.
    pub(super) fn new(period: Duration, elapsed: Duration) -> Self {
        Self { period, sent: true, next_check: elapsed + period / 2, silent_at: elapsed + period * 2 }
    }

    /// Something was received.
    pub(super) fn heard(&mut self, elapsed: Duration) {
        self.silent_at = elapsed + self.period * 2;
    }

    /// Something was sent.
    pub(super) fn sent(&mut self) {
        self.sent = true;
    }

    /// Looks at the time. Checked twice a period, so that silence never lasts a whole one.
    pub(super) fn beat(&mut self, elapsed: Duration) -> Beat {
        if elapsed >= self.silent_at {
            return Beat::Missed;
        }
        if elapsed < self.next_check {
            return Beat::Quiet;
        }
        self.next_check = elapsed + self.period / 2;
        if std::mem::take(&mut self.sent) { Beat::Quiet } else { Beat::Send }
    }

    /// When to look again.
    pub(super) fn timeout(&self) -> Duration {
        self.next_check.min(self.silent_at)
    }
}
