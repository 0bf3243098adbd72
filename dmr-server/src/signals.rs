//! Signals: what the rest of the server tells the driver of one link.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dmr_core::id::MessageId;
use dmr_core::reason::FailureReason;
use tokio::sync::Notify;

/// Notices that wait for one link; more are dropped, for a notice is only advice.
const NOTICES: usize = 256;

/// One thing a driver is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A newer link of the same instance took over.
    Supersede,
    /// The server is going away.
    Drain,
    /// There is a newer directory.
    DirectoryChanged,
    /// A message this participant sent has died.
    Notice(MessageId, FailureReason),
}

/// The signals that wait for one link. Its memory is bounded: equal signals are kept once.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    supersede: bool,
    drain: bool,
    directory: bool,
    notices: VecDeque<(MessageId, FailureReason)>,
}

impl Signals {
    /// Leaves a signal for the driver.
    pub(crate) fn send(&self, signal: Signal) {
        let mut waiting = self.waiting();
        match signal {
            Signal::Supersede => waiting.supersede = true,
            Signal::Drain => waiting.drain = true,
            Signal::DirectoryChanged => waiting.directory = true,
            Signal::Notice(id, reason) if waiting.notices.len() < NOTICES => waiting.notices.push_back((id, reason)),
            Signal::Notice(..) => {}
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// The next signal, the most pressing first. For one driver.
    ///
    /// # Cancel safety
    /// Safe: a signal is either returned or still waiting.
    pub(crate) async fn next(&self) -> Signal {
        loop {
            let taken = self.waiting().take();
            match taken {
                Some(signal) => return signal,
                None => self.wake.notified().await,
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Option<Signal> {
        if std::mem::take(&mut self.supersede) {
            return Some(Signal::Supersede);
        }
        if std::mem::take(&mut self.directory) {
            return Some(Signal::DirectoryChanged);
        }
        if std::mem::take(&mut self.drain) {
            return Some(Signal::Drain);
        }
        let (id, reason) = self.notices.pop_front()?;
        if self.notices.is_empty() {
            self.notices = VecDeque::new();
        }
        Some(Signal::Notice(id, reason))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn id(number: u32) -> MessageId {
        MessageId::from_custom_bytes(u128::from(number).to_be_bytes())
    }

    #[tokio::test]
    async fn signals_come_out_by_urgency_and_equal_ones_once() {
        let signals = Signals::default();
        signals.send(Signal::Notice(id(1), FailureReason::Expired));
        signals.send(Signal::DirectoryChanged);
        signals.send(Signal::DirectoryChanged);
        signals.send(Signal::Drain);
        signals.send(Signal::Supersede);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(signals.next().await);
        }
        let notice = Signal::Notice(id(1), FailureReason::Expired);
        assert_eq!(seen, [Signal::Supersede, Signal::DirectoryChanged, Signal::Drain, notice]);
        assert_eq!(signals.waiting().take(), None);
    }

    #[tokio::test]
    async fn a_waiting_driver_is_woken() {
        let signals = Arc::new(Signals::default());
        let driver = tokio::spawn({
            let signals = Arc::clone(&signals);
            async move { signals.next().await }
        });
        tokio::task::yield_now().await;
        signals.send(Signal::Supersede);
        assert_eq!(driver.await.unwrap(), Signal::Supersede);
    }

    #[tokio::test]
    async fn notices_for_a_driver_that_does_not_look_are_bounded() {
        let signals = Signals::default();
        for number in 0..10_000 {
            signals.send(Signal::Notice(id(number), FailureReason::Expired));
        }
        assert_eq!(signals.waiting().notices.len(), NOTICES);
    }
}
