//! A cork: under load, publishes leave together.
//!
//! Each publish that leaves alone wakes the library's thread, costs a system call there and several at the broker, and each
//! confirm the same on its way back. So once a few are outstanding, the next ones wait for the next confirm, which is less than the
//! time that they would wait for their own. The load then clocks itself: what a batch of confirms lets go leaves as a batch.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Publishes that may be outstanding before the cork holds any.
const FREE: usize = 8;
/// Publishes that it holds at most: with the next one all leave.
const HELD: usize = 32;
/// How long it holds one at most, for when the broker confirms nothing.
const TIME: Duration = Duration::from_millis(1);

/// Holds publishes for a moment while others are outstanding.
#[derive(Debug, Default)]
pub(super) struct Cork {
    outstanding: AtomicUsize,
    held: AtomicUsize,
    pull: Notify,
}

/// A publish that passed. Dropped, it is not outstanding any more, and lets those go that are held.
#[derive(Debug)]
pub(super) struct Passed<C: AsRef<Cork>>(C);

impl Cork {
    /// Waits, at most a millisecond, if many are outstanding.
    ///
    /// # Cancel safety
    /// Dropped, it counts no more.
    pub(super) async fn pass<C: AsRef<Self>>(this: C) -> Passed<C> {
        let cork = this.as_ref();
        let before = cork.outstanding.fetch_add(1, Ordering::Relaxed);
        let passed = Passed(this);
        if before >= FREE {
            passed.0.as_ref().hold().await;
        }
        passed
    }

    async fn hold(&self) {
        let held = Held(self);
        if self.held.fetch_add(1, Ordering::Relaxed) >= HELD {
            self.pull.notify_waiters();
        } else {
            let mut pulled = pin!(self.pull.notified());
            // From here on: what is pulled before the first poll counts too.
            pulled.as_mut().enable();
            // Late is as good.
            let _ = timeout(TIME, pulled).await;
        }
        drop(held);
    }
}

struct Held<'a>(&'a Cork);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<C: AsRef<Cork>> Drop for Passed<C> {
    fn drop(&mut self) {
        let cork = self.0.as_ref();
        cork.outstanding.fetch_sub(1, Ordering::Relaxed);
        cork.pull.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_pass_at_once_and_the_next_with_the_next_confirm() {
        let cork = Arc::new(Cork::default());
        let mut passed = Vec::new();
        for _ in 0..FREE {
            passed.push(Cork::pass(Arc::clone(&cork)).now_or_never().unwrap());
        }
        let mut next = pin!(Cork::pass(Arc::clone(&cork)));
        assert!(next.as_mut().now_or_never().is_none());
        passed.pop();
        assert!(next.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_confirm_one_is_held_for_a_millisecond() {
        let cork = Arc::new(Cork::default());
        let mut passed = Vec::new();
        let began = Instant::now();
        for _ in 0..=FREE {
            passed.push(Cork::pass(Arc::clone(&cork)).await);
        }
        assert_eq!(began.elapsed().as_millis(), TIME.as_millis());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_cork_lets_all_go_and_one_that_gives_up_counts_no_more() {
        let cork = Arc::new(Cork::default());
        let first: Vec<_> = (0..FREE).map(|_| Cork::pass(Arc::clone(&cork)).now_or_never().unwrap()).collect();
        let mut held: Vec<_> = (0..HELD).map(|_| Box::pin(Cork::pass(Arc::clone(&cork)))).collect();
        assert!(held.iter_mut().all(|held| held.as_mut().now_or_never().is_none()));
        let last = Cork::pass(Arc::clone(&cork)).now_or_never();
        assert!(last.is_some());
        assert!(held.iter_mut().all(|held| held.as_mut().now_or_never().is_some()));
        let given_up = Box::pin(Cork::pass(Arc::clone(&cork)));
        drop((given_up, held, first, last));
        assert_eq!((cork.outstanding.load(Ordering::Relaxed), cork.held.load(Ordering::Relaxed)), (0, 0));
    }
}
