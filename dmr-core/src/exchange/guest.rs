//! What is left for others: a mailbox is shared by the replicas of a participant, and what is said of a message may reach
//! another one than the one that sent it.
//!
//! ```text
//! a guest    gives back whatever is not said of its own messages, every time
//! a replica  gives back receipts for messages it did not send, a few times: their sender may be gone for good
//! ```

use std::time::Duration;

use crate::header::Kind;
use crate::session::DeliveryId;

use super::{Exchange, Sealing};

/// When a receipt comes again that another replica waits for.
const RECEIPT_RETRY: Duration = Duration::from_secs(1);
/// Deliveries of a receipt after which nobody waits for it: the process that sent the message has ended.
const RECEIPT_ATTEMPTS: u32 = 5;
/// Longest wait of what a guest gives back: shorter ones would turn over a mailbox that nobody serves meanwhile.
const LONGEST: u32 = 30;

impl<S: Sealing> Exchange<S> {
    /// Whether an envelope of this kind cannot be for a guest, which asks and is never asked.
    pub(super) fn is_for_others(&self, kind: Kind) -> bool {
        self.guest && !matches!(kind, Kind::RECEIPT | Kind::ANSWER | Kind::DECLINE)
    }

    /// Leaves a delivery to whoever serves the participant: it comes again after as many seconds as it was delivered times.
    pub(super) fn leave(&mut self, delivery: DeliveryId, attempt: u32) {
        self.retry(delivery, Duration::from_secs(attempt.clamp(1, LONGEST).into()));
    }

    /// Leaves receipts that name messages of another process to it. `false`: nobody waits for them.
    pub(super) fn leave_receipts(&mut self, delivery: DeliveryId, attempt: u32) -> bool {
        if self.guest {
            self.leave(delivery, attempt);
        } else if attempt < RECEIPT_ATTEMPTS {
            self.retry(delivery, RECEIPT_RETRY);
        } else {
            return false;
        }
        true
    }
}
