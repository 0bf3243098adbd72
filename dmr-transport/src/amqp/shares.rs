//! Each mailbox's share of the channels, so that one whose queue does not answer cannot keep the others waiting.
//!
//! A queue without a leader confirms nothing, and each publish to it holds its channel until the confirm is given up. A
//! mailbox may hold half of the channels; one that let a publish time out may hold one until it confirms again, and all of
//! those together a third.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_core::id::ParticipantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The shares of all mailboxes that were ever published to: some two hundred bytes for each.
#[derive(Debug)]
pub(super) struct Shares {
    most: usize,
    patience: Duration,
    /// Places for all that are silent.
    silent: Arc<Semaphore>,
    dead_letters: Arc<Share>,
    by_mailbox: Mutex<HashMap<ParticipantId, Arc<Share>>>,
}

#[derive(Debug)]
struct Share {
    places: Arc<Semaphore>,
    /// The one place of a silent queue.
    trial: Arc<Semaphore>,
    /// Its last publish was not confirmed in time.
    is_silent: AtomicBool,
    /// Its last publish was refused at its bound.
    is_full: AtomicBool,
}

impl Share {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(most)),
            trial: Arc::new(Semaphore::new(1)),
            is_silent: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
        })
    }
}

/// One of a mailbox's places. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct ShareHeld {
    share: Arc<Share>,
    _places: Vec<OwnedSemaphorePermit>,
}

impl Shares {
    /// Shares of a pool of so many channels; a publish waits so long for a place.
    pub(super) fn new(channels: u16, patience: Duration) -> Self {
        let part = |parts: usize| usize::from(channels).div_ceil(parts).max(1);
        Self {
            most: part(2),
            patience,
            silent: Arc::new(Semaphore::new(part(3))),
            dead_letters: Share::new(part(8)),
            by_mailbox: Mutex::default(),
        }
    }

    /// One of the mailbox's places; `None` where there is none in time.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn of_mailbox(&self, mailbox: ParticipantId) -> Option<ShareHeld> {
        let share = {
            let mut by_mailbox = self.by_mailbox.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(by_mailbox.entry(mailbox).or_insert_with(|| Share::new(self.most)))
        };
        self.take(share).await
    }

    /// One of the places for dead letters: an eighth of the channels.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn of_dead_letters(&self) -> Option<ShareHeld> {
        self.take(Arc::clone(&self.dead_letters)).await
    }

    async fn take(&self, share: Arc<Share>) -> Option<ShareHeld> {
        let place = timeout(self.patience, Arc::clone(&share.places).acquire_owned()).await.ok()?.ok()?;
        let mut places = vec![place];
        // Looked at last: it may have become silent during the wait.
        if share.is_silent.load(Ordering::Relaxed) {
            places.push(Arc::clone(&share.trial).try_acquire_owned().ok()?);
            places.push(Arc::clone(&self.silent).try_acquire_owned().ok()?);
        }
        Some(ShareHeld { share, _places: places })
    }
}

impl ShareHeld {
    /// Whether the queue answered in time.
    pub(super) fn answered(&self, in_time: bool) {
        self.share.is_silent.store(!in_time, Ordering::Relaxed);
    }

    /// Whether the queue is at its bound.
    pub(super) fn full(&self, full: bool) {
        self.share.is_full.store(full, Ordering::Relaxed);
    }

    /// Whether the queue was at its bound when it was last asked.
    pub(super) fn was_full(&self) -> bool {
        self.share.is_full.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(number: u8) -> ParticipantId {
        ParticipantId::from_custom_bytes([number; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn a_mailbox_holds_half_of_the_channels_and_leaves_the_rest_to_the_others() {
        let shares = Shares::new(12, Duration::from_secs(2));
        let mut held = Vec::new();
        for _ in 0..6 {
            held.push(shares.of_mailbox(mailbox(1)).await.unwrap());
        }
        assert!(shares.of_mailbox(mailbox(1)).await.is_none());
        assert!(shares.of_mailbox(mailbox(2)).await.is_some());
        held.pop();
        assert!(shares.of_mailbox(mailbox(1)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_mailbox_that_was_silent_is_tried_by_one_at_a_time_until_it_answers() {
        let shares = Shares::new(12, Duration::from_secs(2));
        shares.of_mailbox(mailbox(1)).await.unwrap().answered(false);
        let began = tokio::time::Instant::now();
        let one = shares.of_mailbox(mailbox(1)).await.unwrap();
        assert!(shares.of_mailbox(mailbox(1)).await.is_none());
        assert_eq!(began.elapsed(), Duration::ZERO);
        one.answered(true);
        assert!(shares.of_mailbox(mailbox(1)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_are_silent_hold_a_third_and_dead_letters_an_eighth() {
        let shares = Shares::new(24, Duration::from_secs(2));
        let mut held = Vec::new();
        for number in 1..=9 {
            shares.of_mailbox(mailbox(number)).await.unwrap().answered(false);
            held.extend(shares.of_mailbox(mailbox(number)).await);
        }
        assert_eq!(held.len(), 8);
        let mut letters = Vec::new();
        for _ in 0..3 {
            letters.push(shares.of_dead_letters().await.unwrap());
        }
        assert!(shares.of_dead_letters().await.is_none());
    }
}
