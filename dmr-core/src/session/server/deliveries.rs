//! The deliveries of one link: credit, tags, and those parked until their retry is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::frame::DeliveryTag;

/// Deliveries that may wait for a retry without taking credit. Beyond it, each takes one.
pub const MAX_PARKED: usize = 256;

/// Shortest and longest wait before a retry: no hot loop, and well below a broker's own timeout.
const RETRY_DELAY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(600));

/// Deliveries between the broker and the agent.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    prefetch: usize,
    subscribed: bool,
    last_tag: u64,
    unsettled: BTreeMap<DeliveryTag, Unsettled>,
    parked: BTreeSet<(Duration, u64)>,
}

#[derive(Debug)]
struct Unsettled {
    broker_tag: u64,
    deadline: Duration,
}

impl Deliveries {
    /// Sets the agent's prefetch. `false`: it was set before.
    pub(super) fn subscribe(&mut self, prefetch: u16) -> bool {
        let first = self.prefetch == 0;
        if first {
            self.prefetch = usize::from(prefetch);
        }
        first
    }

    /// The mailbox can be read from now on.
    pub(super) fn subscribed(&mut self) {
        self.subscribed = true;
    }

    /// Deliveries that can be taken now.
    pub(super) fn credit(&self) -> usize {
        if !self.subscribed {
            return 0;
        }
        let taken = self.unsettled.len() + self.parked.len().saturating_sub(MAX_PARKED);
        self.prefetch.saturating_sub(taken)
    }

    /// Takes a delivery, to be settled by `deadline`.
    pub(super) fn take(&mut self, broker_tag: u64, deadline: Duration) -> DeliveryTag {
        self.last_tag += 1;
        let tag = DeliveryTag(self.last_tag);
        self.unsettled.insert(tag, Unsettled { broker_tag, deadline });
        tag
    }

    /// Ends a delivery; its broker tag, or `None` when there is no such delivery.
    pub(super) fn settle(&mut self, tag: DeliveryTag) -> Option<u64> {
        self.unsettled.remove(&tag).map(|unsettled| unsettled.broker_tag)
    }

    /// Parks a delivery until its retry is due. `false`: there is no such delivery.
    pub(super) fn park(&mut self, tag: DeliveryTag, after: Duration, elapsed: Duration) -> bool {
        let Some(broker_tag) = self.settle(tag) else { return false };
        let (shortest, longest) = RETRY_DELAY;
        self.parked.insert((elapsed.saturating_add(after.clamp(shortest, longest)), broker_tag));
        true
    }

    /// A parked delivery whose retry is due.
    pub(super) fn unpark(&mut self, elapsed: Duration) -> Option<u64> {
        let &(due, broker_tag) = self.parked.first()?;
        if due > elapsed {
            return None;
        }
        self.parked.pop_first();
        Some(broker_tag)
    }

    /// Whether a delivery was not settled in time.
    pub(super) fn overdue(&self, elapsed: Duration) -> bool {
        self.settle_deadline().is_some_and(|deadline| deadline <= elapsed)
    }

    /// Deliveries the agent has not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled.len()
    }

    /// When to look again.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let due = self.parked.first().map(|&(due, _)| due);
        due.into_iter().chain(self.settle_deadline()).min()
    }

    /// Tags grow with time, so the first is the oldest.
    fn settle_deadline(&self) -> Option<Duration> {
        self.unsettled.first_key_value().map(|(_, unsettled)| unsettled.deadline)
    }

    pub(super) fn check_invariants(&self) {
        debug_assert!(self.unsettled.len() <= self.prefetch, "more unsettled than the prefetch");
        debug_assert!(self.parked.len() <= MAX_PARKED + self.prefetch, "parked past its bound");
    }
}
