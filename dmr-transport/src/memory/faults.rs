//! What a memory broker can be told to do wrong, for tests.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::broker::PublishError;

#[derive(Debug)]
pub(super) struct Faults {
    held: watch::Sender<bool>,
    failure: Mutex<Option<PublishError>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { held: watch::Sender::new(false), failure: Mutex::new(None) }
    }
}

impl Faults {
    pub(super) fn hold_confirms(&self, hold: bool) {
        self.held.send_replace(hold);
    }

    pub(super) fn fail_next_publish(&self, error: PublishError) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(super) fn take_failure(&self) -> Option<PublishError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until confirms are not held.
    pub(super) async fn confirmed(&self) {
        if *self.held.borrow() {
            // The sender lives as long as `self`.
            let _ = self.held.subscribe().wait_for(|held| !held).await;
        }
    }
}
