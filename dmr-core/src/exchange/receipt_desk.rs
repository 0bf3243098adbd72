//! Gathers receipts for each sender, so that under load one sealed message carries many.
//!
//! A receipt leaves at once when no receipt message to that sender is unconfirmed. Otherwise it waits for the confirm,
//! for [`GATHER`] or for [`limit::RECEIPTS`] receipts, whichever comes first: like a log that commits in groups.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::content::Receipt;
use crate::frame::Settlement;
use crate::id::ParticipantId;
use crate::limit;

/// Longest wait of a receipt for others.
pub(super) const GATHER: Duration = Duration::from_millis(50);

/// A receipt to send, and the delivery that is settled once the server has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owed<D> {
    pub(super) receipt: Receipt,
    pub(super) delivery: D,
    pub(super) settlement: Settlement,
}

/// What is owed to one sender.
#[derive(Debug)]
struct Account<D> {
    waiting: VecDeque<Owed<D>>,
    /// When the oldest of them came.
    since: Duration,
    /// Receipt messages without a confirm.
    unconfirmed: usize,
}

/// The receipts that wait. Bounded: `capacity` of them in all.
#[derive(Debug)]
pub(super) struct ReceiptDesk<D> {
    accounts: BTreeMap<ParticipantId, Account<D>>,
    capacity: usize,
    held: usize,
    /// Senders whose receipts nobody takes, and until when they are not tried. Senders are in the directory.
    stuck: BTreeMap<ParticipantId, Duration>,
}

impl<D> ReceiptDesk<D> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { accounts: BTreeMap::new(), capacity, held: 0, stuck: BTreeMap::new() }
    }

    /// Takes a receipt for `sender`. `false`: the desk is full, or the sender is [stuck](Self::stuck_for).
    pub(super) fn owe(&mut self, sender: ParticipantId, owed: Owed<D>, elapsed: Duration) -> bool {
        if self.held >= self.capacity || self.stuck_for(sender, elapsed).is_some() {
            return false;
        }
        self.stuck.remove(&sender);
        self.held += 1;
        let account = self.accounts.entry(sender).or_insert_with(|| Account {
            waiting: VecDeque::new(),
            since: elapsed,
            unconfirmed: 0,
        });
        if account.waiting.is_empty() {
            account.since = elapsed;
        }
        account.waiting.push_back(owed);
        true
    }

    /// The next receipt message that is due: whom to, and 1 to 64 receipts. It then counts as unconfirmed.
    pub(super) fn due(&mut self, elapsed: Duration) -> Option<(ParticipantId, Vec<Owed<D>>)> {
        let (sender, account) = self.accounts.iter_mut().find(|(_, account)| account.is_due(elapsed))?;
        let count = account.waiting.len().min(limit::RECEIPTS);
        let receipts: Vec<_> = account.waiting.drain(..count).collect();
        account.since = elapsed;
        account.unconfirmed += 1;
        self.held -= receipts.len();
        Some((*sender, receipts))
    }

    /// Nobody takes receipts for `sender`: none is tried before `until`. What waits for it is given back.
    pub(super) fn stuck(&mut self, sender: ParticipantId, until: Duration) -> Vec<Owed<D>> {
        self.stuck.insert(sender, until);
        let waiting = self.accounts.get_mut(&sender).map(|account| std::mem::take(&mut account.waiting));
        let waiting = Vec::from(waiting.unwrap_or_default());
        self.held -= waiting.len();
        if self.accounts.get(&sender).is_some_and(|account| account.unconfirmed == 0) {
            self.accounts.remove(&sender);
        }
        waiting
    }

    /// How long receipts for `sender` are not tried yet, if so.
    pub(super) fn stuck_for(&self, sender: ParticipantId, elapsed: Duration) -> Option<Duration> {
        self.stuck.get(&sender)?.checked_sub(elapsed).filter(|left| !left.is_zero())
    }

    /// A receipt message to `sender` was confirmed or given up.
    pub(super) fn concluded(&mut self, sender: ParticipantId) {
        if let Some(account) = self.accounts.get_mut(&sender) {
            account.unconfirmed = account.unconfirmed.saturating_sub(1);
            if account.unconfirmed == 0 && account.waiting.is_empty() {
                self.accounts.remove(&sender);
            }
        }
    }

    /// When [`Self::due`] has something, if nothing else happens.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let waiting = self.accounts.values().filter(|account| !account.waiting.is_empty());
        waiting.map(|account| if account.unconfirmed == 0 { Duration::ZERO } else { account.since + GATHER }).min()
    }
}

impl<D> Account<D> {
    fn is_due(&self, elapsed: Duration) -> bool {
        let enough = self.unconfirmed == 0
            || self.waiting.len() >= limit::RECEIPTS
            || elapsed >= self.since.saturating_add(GATHER);
        !self.waiting.is_empty() && enough
    }
}

#[cfg(test)]
mod tests {
    use crate::content::{Reference, Verdict};
    use crate::id::{Digest, MessageId};
    use crate::time::Timestamp;

    use super::*;

    const ZERO: Duration = Duration::ZERO;

    fn sender(number: u8) -> ParticipantId {
        ParticipantId::from_custom_bytes([number; 16])
    }

    fn owed(delivery: u32) -> Owed<u32> {
        let envelope = Reference { id: MessageId::from_custom_bytes([1; 16]), digest: Digest([1; 32]) };
        let receipt = Receipt { envelope, verdict: Verdict::Delivered, at: Timestamp(1) };
        Owed { receipt, delivery, settlement: Settlement::Ack }
    }

    fn deliveries(due: Option<(ParticipantId, Vec<Owed<u32>>)>) -> Vec<u32> {
        due.map(|(_, owed)| owed.iter().map(|owed| owed.delivery).collect()).unwrap_or_default()
    }

    #[test]
    fn the_first_receipt_leaves_at_once_and_the_next_wait_for_its_confirm() {
        let mut desk = ReceiptDesk::new(100);
        assert!(desk.owe(sender(1), owed(1), ZERO));
        assert_eq!(desk.next_due(), Some(ZERO));
        assert_eq!(deliveries(desk.due(ZERO)), [1]);
        assert!(desk.owe(sender(1), owed(2), ZERO) && desk.owe(sender(1), owed(3), ZERO));
        assert_eq!(desk.due(ZERO), None);
        assert_eq!(desk.next_due(), Some(GATHER));
        desk.concluded(sender(1));
        assert_eq!(deliveries(desk.due(ZERO)), [2, 3]);
    }

    #[test]
    fn without_a_confirm_they_wait_for_fifty_milliseconds_or_sixty_four_of_them() {
        let mut desk = ReceiptDesk::new(1_000);
        desk.owe(sender(1), owed(0), ZERO);
        assert!(desk.due(ZERO).is_some());
        for number in 1..=65 {
            assert!(desk.owe(sender(1), owed(number), ZERO));
        }
        assert_eq!(deliveries(desk.due(ZERO)).len(), limit::RECEIPTS);
        assert_eq!(desk.due(GATHER - Duration::from_millis(1)), None);
        assert_eq!(deliveries(desk.due(GATHER)), [65]);
    }

    #[test]
    fn senders_do_not_wait_for_each_other() {
        let mut desk = ReceiptDesk::new(100);
        desk.owe(sender(1), owed(1), ZERO);
        assert_eq!(deliveries(desk.due(ZERO)), [1]);
        desk.owe(sender(2), owed(2), ZERO);
        assert_eq!(deliveries(desk.due(ZERO)), [2]);
    }

    #[test]
    fn a_sender_whose_receipts_nobody_takes_is_tried_again_later_and_holds_nothing_until_then() {
        let (mut desk, until) = (ReceiptDesk::new(2), Duration::from_secs(60));
        assert!(desk.owe(sender(1), owed(1), ZERO) && desk.due(ZERO).is_some());
        assert!(desk.owe(sender(1), owed(2), ZERO));
        desk.concluded(sender(1));
        assert_eq!(desk.stuck(sender(1), until).iter().map(|owed| owed.delivery).collect::<Vec<_>>(), [2]);
        assert!(desk.accounts.is_empty() && desk.held == 0 && desk.next_due().is_none());
        assert!(!desk.owe(sender(1), owed(3), ZERO) && desk.owe(sender(2), owed(4), ZERO));
        assert!(desk.owe(sender(1), owed(3), until) && desk.stuck.is_empty());
    }

    #[test]
    fn a_full_desk_takes_nothing_and_a_settled_one_keeps_nothing() {
        let mut desk = ReceiptDesk::new(1);
        assert!(desk.owe(sender(1), owed(1), ZERO));
        assert!(!desk.owe(sender(2), owed(2), ZERO));
        assert!(desk.due(ZERO).is_some());
        desk.concluded(sender(1));
        assert!(desk.accounts.is_empty() && desk.held == 0 && desk.next_due().is_none());
    }
}
