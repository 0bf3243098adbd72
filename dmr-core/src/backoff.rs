//! Backoff: how long to wait before trying again, with capped full jitter.
//!
//! ```
//! use std::time::Duration;
//! use dmr_core::backoff::{Backoff, BackoffConfig};
//!
//! let mut backoff = Backoff::new(BackoffConfig::default(), 42);
//! assert!(backoff.next_delay() <= Duration::from_millis(250));
//! assert!(backoff.next_delay() <= Duration::from_millis(500));
//! backoff.reset(); // it worked: the next failure starts again at the base
//! assert_eq!(backoff.attempt(), 0);
//! ```

use std::time::Duration;

use crate::draws::Draws;

/// How far delays reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffConfig {
    /// Upper end of the first delay; it doubles with each attempt. Default 250 ms. Zero: never a wait, which hammers
    /// whoever is down.
    pub base: Duration,
    /// Upper end of every delay. Default 30 s. Below `base` it wins over it; very large values make recovery slow.
    pub cap: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { base: Duration::from_millis(250), cap: Duration::from_secs(30) }
    }
}

/// Delays that are uniform in `0..=min(cap, base · 2^attempt)`: full jitter, so that a thousand agents that lost the
/// same server do not come back in step.
///
/// The same seed gives the same delays. The jitter is seeded, not cryptographic: it hides nothing.
#[derive(Debug, Clone)]
pub struct Backoff {
    config: BackoffConfig,
    draws: Draws,
    attempt: u32,
}

impl Backoff {
    /// A backoff at its first attempt. Give every process another seed, or their delays are the same.
    pub const fn new(config: BackoffConfig, seed: u64) -> Self {
        Self { config, draws: Draws::new(seed), attempt: 0 }
    }

    /// The delay before the next attempt, to the nanosecond; at most 584 years whatever the configuration says.
    pub fn next_delay(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.attempt = self.attempt.saturating_add(1);
        Duration::from_nanos(self.draws.up_to(ceiling))
    }

    /// A delay drawn from the upper half of `delay`, for a wait whose length is given and that others begin too.
    pub fn spread(&mut self, delay: Duration) -> Duration {
        let half = delay / 2;
        half + Duration::from_nanos(self.draws.up_to(u64::try_from(half.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Starts again at the base: what was tried has worked. The draws go on, they do not repeat.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Delays handed out since the start or the last reset.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Nanoseconds of the longest delay at this attempt.
    fn ceiling(&self) -> u64 {
        let factor = 1_u128.checked_shl(self.attempt).unwrap_or(u128::MAX);
        let nanos = self.config.base.as_nanos().saturating_mul(factor).min(self.config.cap.as_nanos());
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(base: u64, cap: u64) -> BackoffConfig {
        BackoffConfig { base: Duration::from_millis(base), cap: Duration::from_millis(cap) }
    }

    #[test]
    fn delays_grow_to_the_cap_and_fill_their_range() {
        let mut longest = [Duration::ZERO; 12];
        let mut shortest = [Duration::MAX; 12];
        for seed in 0..2_000 {
            let mut backoff = Backoff::new(config(100, 10_000), seed);
            for (longest, shortest) in longest.iter_mut().zip(&mut shortest) {
                let delay = backoff.next_delay();
                *longest = delay.max(*longest);
                *shortest = delay.min(*shortest);
            }
        }
        for (attempt, (longest, shortest)) in longest.iter().zip(&shortest).enumerate() {
            let ceiling = Duration::from_millis((100 << attempt).min(10_000));
            assert!(*longest <= ceiling && *longest > ceiling.mul_f64(0.99), "{attempt}: {longest:?} of {ceiling:?}");
            assert!(*shortest < ceiling.mul_f64(0.01), "{attempt}: {shortest:?} of {ceiling:?}");
        }
    }

    #[test]
    fn a_reset_starts_again_at_the_base_with_other_draws() {
        let mut backoff = Backoff::new(config(100, 10_000), 3);
        let first: Vec<_> = (0..6).map(|_| backoff.next_delay()).collect();
        assert_eq!(backoff.attempt(), 6);
        backoff.reset();
        assert_eq!(backoff.attempt(), 0);
        let second: Vec<_> = (0..6).map(|_| backoff.next_delay()).collect();
        assert!(second[0] <= Duration::from_millis(100));
        assert_ne!(first, second);
    }

    #[test]
    fn a_billion_attempts_and_absurd_configurations_do_not_overflow() {
        let mut backoff = Backoff::new(config(250, 30_000), 1);
        backoff.attempt = 1_000_000_000;
        assert!(backoff.next_delay() <= Duration::from_secs(30));
        assert_eq!(backoff.attempt(), 1_000_000_001);
        backoff.attempt = u32::MAX;
        assert!(backoff.next_delay() <= Duration::from_secs(30));
        assert_eq!(backoff.attempt(), u32::MAX);
        let mut absurd = Backoff::new(BackoffConfig { base: Duration::MAX, cap: Duration::MAX }, 1);
        for _ in 0..300 {
            assert!(absurd.next_delay() <= Duration::from_nanos(u64::MAX));
        }
    }

    #[test]
    fn a_spread_delay_fills_the_upper_half_of_what_is_asked_for() {
        let mut backoff = Backoff::new(config(100, 10_000), 3);
        let minute = Duration::from_secs(60);
        let spread: Vec<_> = (0..1_000).map(|_| backoff.spread(minute)).collect();
        assert!(spread.iter().all(|delay| (minute / 2..=minute).contains(delay)));
        assert!(spread.iter().any(|delay| *delay < minute.mul_f64(0.55)));
        assert!(spread.iter().any(|delay| *delay > minute.mul_f64(0.95)));
        assert_eq!(backoff.attempt(), 0);
        assert!(backoff.spread(Duration::MAX) <= Duration::MAX);
        assert_eq!(backoff.spread(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_zero_base_never_waits_and_a_cap_below_the_base_wins() {
        let mut none = Backoff::new(config(0, 1_000), 9);
        assert!((0..100).all(|_| none.next_delay().is_zero()));
        let mut capped = Backoff::new(config(1_000, 10), 9);
        assert!((0..100).all(|_| capped.next_delay() <= Duration::from_millis(10)));
    }

    proptest! {
        #[test]
        fn every_delay_is_within_its_ceiling_and_the_seed_decides_it(
            seed: u64, base in 0_u64..100_000, cap in 0_u64..10_000_000, resets in prop::collection::vec(any::<bool>(), 0..80),
        ) {
            let mut backoff = Backoff::new(config(base, cap), seed);
            let mut twin = backoff.clone();
            for reset in resets {
                if reset {
                    backoff.reset();
                    twin.reset();
                }
                let doubled = base.saturating_mul(1_u64.checked_shl(backoff.attempt()).unwrap_or(u64::MAX));
                let delay = backoff.next_delay();
                prop_assert!(delay <= Duration::from_millis(doubled.min(cap)));
                prop_assert_eq!(delay, twin.next_delay());
            }
        }
    }
}
