//! Each mailbox's share of the channels, so that one whose queue does not answer cannot keep the others waiting.
//!
//! A queue without a leader confirms nothing, and each publish to it holds its channel until the confirm is given up. A mailbox may
//! hold two thirds of the channels; one that let a publish time out may hold one, until it confirms again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_core::id::ParticipantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The shares of all mailboxes that were ever published to: a hundred bytes for each.
#[derive(Debug)]
pub(super) struct Shares {
    most: usize,
    patience: Duration,
    by_mailbox: Mutex<HashMap<ParticipantId, Arc<Share>>>,
}

#[derive(Debug)]
struct Share {
    places: Arc<Semaphore>,
    /// Its last publish was not confirmed in time.
    silent: AtomicBool,
}

/// One of a mailbox's places. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct ShareHeld {
    share: Arc<Share>,
    _place: OwnedSemaphorePermit,
}

impl Shares {
    /// Shares of a pool of so many channels; a publish waits so long for a place.
    pub(super) fn new(channels: u16, patience: Duration) -> Self {
        let most = (usize::from(channels) * 2).div_ceil(3).max(1);
        Self { most, patience, by_mailbox: Mutex::default() }
    }

    /// One of the mailbox's places; `None` where there is none in time.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn take(&self, mailbox: ParticipantId) -> Option<ShareHeld> {
        let share = self.of(mailbox);
        if share.silent.load(Ordering::Relaxed) && share.places.available_permits() < self.most {
            return None;
        }
        let place = timeout(self.patience, Arc::clone(&share.places).acquire_owned()).await.ok()?.ok()?;
        Some(ShareHeld { share, _place: place })
    }

    fn of(&self, mailbox: ParticipantId) -> Arc<Share> {
        let mut by_mailbox = self.by_mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        let share = by_mailbox.entry(mailbox).or_insert_with(|| {
            Arc::new(Share { places: Arc::new(Semaphore::new(self.most)), silent: AtomicBool::new(false) })
        });
        Arc::clone(share)
    }
}

impl ShareHeld {
    /// Whether the mailbox answered in time.
    pub(super) fn answered(&self, in_time: bool) {
        self.share.silent.store(!in_time, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(number: u8) -> ParticipantId {
        ParticipantId::from_custom_bytes([number; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn a_mailbox_holds_two_thirds_of_the_channels_and_leaves_the_rest_to_the_others() {
        let shares = Shares::new(9, Duration::from_secs(2));
        let mut held = Vec::new();
        for _ in 0..6 {
            held.push(shares.take(mailbox(1)).await.unwrap());
        }
        assert!(shares.take(mailbox(1)).await.is_none());
        assert!(shares.take(mailbox(2)).await.is_some());
        held.pop();
        assert!(shares.take(mailbox(1)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_mailbox_that_was_silent_is_tried_by_one_at_a_time_until_it_answers() {
        let shares = Shares::new(9, Duration::from_secs(2));
        shares.take(mailbox(1)).await.unwrap().answered(false);
        let began = tokio::time::Instant::now();
        let one = shares.take(mailbox(1)).await.unwrap();
        assert!(shares.take(mailbox(1)).await.is_none());
        assert_eq!(began.elapsed(), Duration::ZERO);
        one.answered(true);
        assert!(shares.take(mailbox(1)).await.is_some());
    }
}
