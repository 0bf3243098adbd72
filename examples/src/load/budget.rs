//! How much is sent: for so long, or so many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What all senders of a run may send together. Clones share it.
#[derive(Debug, Clone)]
pub enum Budget {
    /// Until then.
    Until(Instant),
    /// So many more.
    Messages(Arc<AtomicU64>),
}

impl Budget {
    /// For so long from now.
    pub fn lasting(span: Duration) -> Self {
        Self::Until(Instant::now() + span)
    }

    /// So many messages.
    pub fn of(messages: u64) -> Self {
        Self::Messages(Arc::new(AtomicU64::new(messages)))
    }

    /// Whether one more may be sent. It counts as sent then.
    pub fn take(&self) -> bool {
        match self {
            Self::Until(end) => Instant::now() < *end,
            Self::Messages(left) => {
                left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shared_and_is_kept_to() {
        let budget = Budget::of(3);
        let other = budget.clone();
        assert_eq!(
            [budget.take(), other.take(), budget.take(), other.take(), budget.take()],
            [true, true, true, false, false]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_ends() {
        let budget = Budget::lasting(Duration::from_secs(1));
        assert!(budget.take() && budget.take());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!budget.take());
    }
}
