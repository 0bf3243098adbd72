//! Rate limits of participants: messages and bytes a second, shared by all links of one participant.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_core::id::ParticipantId;
use dmr_core::limit;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};

use crate::clock::Clock;
use crate::limits::Limits;

type Bucket = RateLimiter<NotKeyed, InMemoryState, Clock, NoOpMiddleware<Nanos>>;

/// What one participant may still publish.
#[derive(Debug)]
pub(crate) struct Allowance {
    clock: Clock,
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl Allowance {
    fn new(limits: &Limits, clock: Clock) -> Self {
        let bucket = |rate: u32, least: u32| {
            let rate = NonZeroU32::new(rate)?;
            let burst = rate.max(NonZeroU32::new(least)?);
            Some(RateLimiter::new(Quota::per_second(rate).allow_burst(burst), InMemoryState::default(), clock))
        };
        let largest = u32::try_from(limit::ENVELOPE).unwrap_or(u32::MAX);
        Self { clock, messages: bucket(limits.messages_per_second, 1), bytes: bucket(limits.bytes_per_second, largest) }
    }

    /// Takes one message of `len` bytes from the allowance.
    ///
    /// # Errors
    /// How long until it would be there. A message that is short of bytes has still counted as a message.
    pub(crate) fn take(&self, len: usize) -> Result<(), Duration> {
        if let Some(messages) = &self.messages {
            messages.check().map_err(|until| self.wait(&until))?;
        }
        if let (Some(bytes), Some(len)) = (&self.bytes, NonZeroU32::new(u32::try_from(len).unwrap_or(u32::MAX))) {
            match bytes.check_n(len) {
                Ok(outcome) => outcome.map_err(|until| self.wait(&until))?,
                // Longer than any envelope may be: it would never fit.
                Err(_) => return Err(Duration::MAX),
            }
        }
        Ok(())
    }

    fn wait(&self, until: &NotUntil<Nanos>) -> Duration {
        until.wait_time_from(GovernorClock::now(&self.clock))
    }
}

/// The allowances of all participants that have logged in. Bounded by the directory: strangers have none.
#[derive(Debug)]
pub(crate) struct Allowances {
    limits: Limits,
    clock: Clock,
    of: Mutex<HashMap<ParticipantId, Arc<Allowance>>>,
}

impl Allowances {
    pub(crate) fn new(limits: Limits, clock: Clock) -> Self {
        Self { limits, clock, of: Mutex::default() }
    }

    /// The allowance that all links of `participant` share. It outlives them: reconnecting refills nothing.
    pub(crate) fn of(&self, participant: ParticipantId) -> Arc<Allowance> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(of.entry(participant).or_insert_with(|| Arc::new(Allowance::new(&self.limits, self.clock))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(number: u8) -> ParticipantId {
        ParticipantId::from_bytes([number; 16]).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn links_of_one_participant_share_its_messages_and_others_have_their_own() {
        let limits = Limits { messages_per_second: 2, ..Limits::default() };
        let allowances = Allowances::new(limits, Clock::system());
        allowances.of(participant(1)).take(10).unwrap();
        allowances.of(participant(1)).take(10).unwrap();
        let wait = allowances.of(participant(1)).take(10).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        allowances.of(participant(2)).take(10).unwrap();
        tokio::time::advance(wait).await;
        allowances.of(participant(1)).take(10).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_limited_and_the_largest_envelope_always_fits_in_time() {
        let limits = Limits { bytes_per_second: 1_000, ..Limits::default() };
        let allowance = Allowances::new(limits, Clock::system()).of(participant(1));
        allowance.take(limit::ENVELOPE).unwrap();
        let wait = allowance.take(1_000).unwrap_err();
        assert!(wait <= Duration::from_secs(1) && wait > Duration::from_millis(900), "{wait:?}");
        tokio::time::advance(wait).await;
        allowance.take(1_000).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn zero_means_no_bound() {
        let limits = Limits { messages_per_second: 0, bytes_per_second: 0, ..Limits::default() };
        let allowance = Allowances::new(limits, Clock::system()).of(participant(1));
        for _ in 0..100_000 {
            allowance.take(limit::ENVELOPE).unwrap();
        }
    }
}
