//! The retry schedule: a bounded number of attempts with growing, jittered waits between them.
//!
//! ```
//! use dmr_core::retry::{RetryConfig, RetrySchedule};
//!
//! // Three attempts: the first at once, a wait before the second and the third, then no more.
//! let mut schedule = RetrySchedule::new(RetryConfig::default(), 42);
//! assert!(schedule.next_delay().is_some());
//! assert!(schedule.next_delay().is_some());
//! assert_eq!(schedule.next_delay(), None);
//! ```

use std::time::Duration;

use crate::backoff::{Backoff, BackoffConfig};

/// How often and how patiently to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryConfig {
    /// Attempts in all, the first included. Default 3; 0 counts as 1. More hold the message longer before its sender
    /// learns that it failed.
    pub attempts: u32,
    /// Waits between attempts. Default: base 500 ms, cap 10 s.
    pub backoff: BackoffConfig,
}

impl Default for RetryConfig {
    fn default() -> Self {
        let backoff = BackoffConfig { base: Duration::from_millis(500), cap: Duration::from_secs(10) };
        Self { attempts: 3, backoff }
    }
}

/// The attempts of one piece of work. It starts at the first attempt, which needs no wait.
#[derive(Debug, Clone)]
pub struct RetrySchedule {
    attempts: u32,
    backoff: Backoff,
}

impl RetrySchedule {
    /// A schedule whose first attempt is about to be made. The same seed gives the same waits.
    pub fn new(config: RetryConfig, seed: u64) -> Self {
        Self { attempts: config.attempts.max(1), backoff: Backoff::new(config.backoff, seed) }
    }

    /// The number of the attempt under way, from 1.
    pub fn attempt(&self) -> u32 {
        self.backoff.attempt().saturating_add(1)
    }

    /// The attempt under way has failed: the wait before the next one, or `None` to give up, now and ever after.
    pub fn next_delay(&mut self) -> Option<Duration> {
        (self.attempt() < self.attempts).then(|| self.backoff.next_delay())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_exhausted_schedule_stays_exhausted() {
        let mut schedule = RetrySchedule::new(RetryConfig { attempts: 2, ..RetryConfig::default() }, 5);
        assert_eq!(schedule.attempt(), 1);
        assert!(schedule.next_delay().is_some_and(|delay| delay <= Duration::from_millis(500)));
        assert_eq!(schedule.attempt(), 2);
        assert!((0..10).all(|_| schedule.next_delay().is_none()));
        assert_eq!(schedule.attempt(), 2);
    }

    #[test]
    fn no_attempts_and_one_attempt_both_mean_one() {
        for attempts in [0, 1] {
            let mut schedule = RetrySchedule::new(RetryConfig { attempts, ..RetryConfig::default() }, 5);
            assert_eq!(schedule.next_delay(), None);
        }
    }

    proptest! {
        #[test]
        fn there_are_as_many_attempts_as_configured_and_no_wait_passes_the_cap(
            seed: u64, attempts in 1_u32..60, base in 0_u64..2_000, cap in 0_u64..20_000,
        ) {
            let backoff = BackoffConfig { base: Duration::from_millis(base), cap: Duration::from_millis(cap) };
            let mut schedule = RetrySchedule::new(RetryConfig { attempts, backoff }, seed);
            let waits: Vec<_> = std::iter::from_fn(|| schedule.next_delay()).collect();
            prop_assert_eq!(waits.len() + 1, usize::try_from(attempts).unwrap());
            for (doublings, wait) in waits.iter().enumerate() {
                let ceiling = u128::from(base).saturating_mul(1_u128 << doublings).min(u128::from(cap));
                prop_assert!(wait.as_millis() <= ceiling);
            }
        }
    }
}
