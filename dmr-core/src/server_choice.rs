//! Which server of the list to dial next.
//!
//! ```
//! use std::time::Duration;
//! use dmr_core::server_choice::ServerChoice;
//!
//! let mut choice = ServerChoice::new(2, 42);
//! let first = choice.next(Duration::ZERO);
//! choice.avoid(first, Duration::from_secs(60)); // it is draining
//! assert_ne!(choice.next(Duration::ZERO), first);
//! assert_ne!(choice.next(Duration::from_secs(1)), first);
//! ```

use std::time::Duration;

use crate::draws::Draws;

/// Goes round the servers in an order shuffled once by a seed, so that agents with the same list spread over it.
///
/// A server can be avoided until a time. When all are, the one whose time ends first is chosen: there is always a
/// next server, and how fast to dial is the [backoff](crate::backoff)'s business.
#[derive(Debug, Clone)]
pub struct ServerChoice {
    /// Every server once, in the order they are tried; the next to be looked at is in front.
    order: std::collections::VecDeque<Candidate>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    server: usize,
    avoided_until: Duration,
}

impl ServerChoice {
    /// A choice among servers `0..count`. No servers count as one.
    pub fn new(count: usize, seed: u64) -> Self {
        let mut order: Vec<_> =
            (0..count.max(1)).map(|server| Candidate { server, avoided_until: Duration::ZERO }).collect();
        // Fisher and Yates: each order is as likely as any other.
        let mut draws = Draws::new(seed);
        for last in (1..order.len()).rev() {
            let drawn = usize::try_from(draws.up_to(u64::try_from(last).unwrap_or(u64::MAX))).unwrap_or(last);
            order.swap(last, drawn);
        }
        Self { order: order.into() }
    }

    /// The server to dial at `elapsed`; the one after it is looked at first next time.
    pub fn next(&mut self, elapsed: Duration) -> usize {
        // `min_by_key` keeps the first of equals, so free servers come in turn.
        let (position, server) = self
            .order
            .iter()
            .enumerate()
            .min_by_key(
                |(_, candidate)| {
                    if candidate.avoided_until <= elapsed { Duration::ZERO } else { candidate.avoided_until }
                },
            )
            .map_or((0, 0), |(position, candidate)| (position, candidate.server));
        // Those that were passed over keep their turn: only the chosen one goes to the end.
        if let Some(chosen) = self.order.remove(position) {
            self.order.push_back(chosen);
        }
        server
    }

    /// Does not choose `server` before `until` while another can be had: it drains, or it refused this agent. The last
    /// word counts; a server that is not in the list is ignored.
    pub fn avoid(&mut self, server: usize, until: Duration) {
        for candidate in self.order.iter_mut().filter(|candidate| candidate.server == server) {
            candidate.avoided_until = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Duration = Duration::ZERO;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn every_server_is_chosen_once_in_each_round() {
        let mut choice = ServerChoice::new(5, 8);
        let round: Vec<_> = (0..5).map(|_| choice.next(START)).collect();
        let mut sorted = round.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
        assert_eq!((0..5).map(|_| choice.next(START)).collect::<Vec<_>>(), round);
    }

    #[test]
    fn agents_with_different_seeds_start_at_different_servers() {
        let mut starts = [0_u32; 4];
        for seed in 0..4_000 {
            starts[ServerChoice::new(4, seed).next(START)] += 1;
        }
        assert!(starts.iter().all(|count| (800..1_200).contains(count)), "{starts:?}");
    }

    #[test]
    fn an_avoided_server_comes_back_when_its_time_is_over() {
        let mut choice = ServerChoice::new(3, 1);
        choice.avoid(1, seconds(10));
        assert!((0..20).all(|_| choice.next(seconds(9)) != 1));
        assert!((0..3).any(|_| choice.next(seconds(10)) == 1));
    }

    #[test]
    fn when_all_are_avoided_the_one_that_is_free_first_is_chosen() {
        let mut choice = ServerChoice::new(3, 1);
        for (server, until) in [(0, 30), (1, 10), (2, 20)] {
            choice.avoid(server, seconds(until));
        }
        assert_eq!(choice.next(START), 1);
        choice.avoid(1, seconds(40));
        assert_eq!(choice.next(START), 2);
    }

    #[test]
    fn the_only_server_is_always_chosen_even_when_avoided_for_ever() {
        for count in [0, 1] {
            let mut choice = ServerChoice::new(count, 1);
            choice.avoid(0, Duration::MAX);
            choice.avoid(7, Duration::MAX);
            assert!((0..10).all(|_| choice.next(START) == 0));
        }
    }

    #[test]
    fn the_last_word_about_a_server_counts() {
        let mut choice = ServerChoice::new(2, 1);
        choice.avoid(0, seconds(60));
        choice.avoid(0, START);
        assert_ne!(choice.next(START), choice.next(START));
    }

    proptest! {
        #[test]
        fn no_avoided_server_is_chosen_while_another_is_free_and_nobody_free_waits_longer_than_a_round(
            count in 1_usize..9, seed: u64,
            steps in prop::collection::vec((0_usize..10, 0_u64..50, 0_u64..5, any::<bool>()), 0..200),
        ) {
            let mut choice = ServerChoice::new(count, seed);
            let mut twin = ServerChoice::new(count, seed);
            let mut avoided = vec![START; count];
            let mut waited = vec![0; count];
            let mut elapsed = START;
            for (server, until, step, avoid) in steps {
                elapsed += seconds(step);
                if avoid {
                    choice.avoid(server, elapsed + seconds(until));
                    twin.avoid(server, elapsed + seconds(until));
                    if let Some(known) = avoided.get_mut(server) {
                        *known = elapsed + seconds(until);
                    }
                }
                let chosen = choice.next(elapsed);
                prop_assert_eq!(chosen, twin.next(elapsed));
                let free: Vec<_> = (0..count).filter(|server| avoided[*server] <= elapsed).collect();
                prop_assert!(free.is_empty() || free.contains(&chosen));
                for (server, waited) in waited.iter_mut().enumerate() {
                    *waited = if server == chosen || !free.contains(&server) { 0 } else { *waited + 1 };
                    prop_assert!(*waited < count);
                }
            }
        }
    }
}
