//! Envelopes that wait for a newer directory: unsettled, so at most as many as the prefetch.

use std::collections::VecDeque;
use std::time::Duration;

use crate::session::DeliveryId;
use bytes::Bytes;

/// How long an envelope waits here before it goes back to the server. A directory that was asked for comes sooner.
const PATIENCE: Duration = Duration::from_secs(5);

/// An envelope that could not be opened under the directory in use.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) delivery: DeliveryId,
    pub(super) attempt: u32,
    pub(super) envelope: Bytes,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct ParkingLot {
    /// By the time at which their patience ends, which is their order of arrival.
    waiting: VecDeque<(Duration, Parked)>,
}

impl ParkingLot {
    pub(super) fn park(&mut self, parked: Parked, elapsed: Duration) {
        self.waiting.push_back((elapsed.saturating_add(PATIENCE), parked));
    }

    /// All of them: there is a new directory, or their link is gone.
    pub(super) fn take_all(&mut self) -> Vec<Parked> {
        self.waiting.drain(..).map(|(_, parked)| parked).collect()
    }

    /// One that has waited long enough.
    pub(super) fn take_overdue(&mut self, elapsed: Duration) -> Option<Parked> {
        self.waiting.pop_front_if(|(until, _)| *until <= elapsed).map(|(_, parked)| parked)
    }

    /// When the next has waited long enough.
    pub(super) fn next_overdue(&self) -> Option<Duration> {
        self.waiting.front().map(|(until, _)| *until)
    }
}
