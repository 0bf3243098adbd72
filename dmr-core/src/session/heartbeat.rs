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
        let mut heartbeat = Self { period, sent: true, next_check: elapsed, silent_at: elapsed };
        heartbeat.next_check = elapsed.saturating_add(period / 2);
        heartbeat.heard(elapsed);
        heartbeat
    }

    /// Something was received.
    pub(super) fn heard(&mut self, elapsed: Duration) {
        self.silent_at = elapsed.saturating_add(self.period.saturating_mul(2));
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
        self.next_check = elapsed.saturating_add(self.period / 2);
        if std::mem::take(&mut self.sent) { Beat::Quiet } else { Beat::Send }
    }

    /// When to look again.
    pub(super) fn timeout(&self) -> Duration {
        self.next_check.min(self.silent_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_period_does_not_overflow() {
        let mut heartbeat = Heartbeat::new(Duration::MAX, Duration::from_secs(5));
        heartbeat.heard(Duration::from_secs(6));
        assert_eq!(heartbeat.beat(Duration::from_secs(7)), Beat::Quiet);
        assert!(heartbeat.timeout() > Duration::from_secs(7));
    }

    #[test]
    fn nothing_sent_for_half_a_period_asks_for_a_beat_and_silence_of_two_is_missed() {
        let second = Duration::from_secs(1);
        let mut heartbeat = Heartbeat::new(2 * second, Duration::ZERO);
        assert_eq!(heartbeat.beat(second), Beat::Quiet, "it began with something sent");
        assert_eq!(heartbeat.beat(2 * second), Beat::Send);
        heartbeat.sent();
        assert_eq!(heartbeat.beat(3 * second), Beat::Quiet);
        assert_eq!(heartbeat.beat(4 * second), Beat::Missed);
    }
}
