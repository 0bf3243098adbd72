//! When each envelope departed and arrived. The two processes share one machine's clock; what each knows is put together
//! after the run, through a file.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dmr_tests::failure::{Doing as _, Outcome};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::pool::Slot;
use crate::load::mailroom::SILENCE;
use crate::load::spread::Spread;

/// An envelope that was handed to a link and confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// Which.
    pub slot: Slot,
    /// When it was handed to the link, in nanoseconds since 1970.
    pub at: u64,
}

/// An envelope that was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Which.
    pub slot: Slot,
    /// When it came, in nanoseconds since 1970.
    pub came: u64,
    /// When its settlement had been written.
    pub settled: u64,
}

impl Arrival {
    const LEN: usize = 24;

    fn to_bytes(self) -> impl Iterator<Item = u8> {
        let Self { slot: Slot { sender, index }, came, settled } = self;
        sender
            .to_be_bytes()
            .into_iter()
            .chain(index.to_be_bytes())
            .chain(came.to_be_bytes())
            .chain(settled.to_be_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sender, rest) = bytes.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (came, rest) = rest.split_first_chunk()?;
        let (settled, _) = rest.split_first_chunk()?;
        Some(Self {
            slot: Slot { sender: u32::from_be_bytes(*sender), index: u32::from_be_bytes(*index) },
            came: u64::from_be_bytes(*came),
            settled: u64::from_be_bytes(*settled),
        })
    }
}

/// What has arrived since it was last asked.
#[derive(Debug, Default)]
pub struct Journal {
    arrivals: Mutex<Vec<Arrival>>,
    came: Notify,
}

impl Journal {
    /// Notes these.
    pub fn note(&self, arrivals: impl Iterator<Item = Arrival>) {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).extend(arrivals);
        self.came.notify_one();
    }

    /// Takes what has arrived, once it is that many or nothing comes any more.
    pub async fn conclude(&self, count: usize) -> Vec<Arrival> {
        while self.count() < count && timeout(SILENCE, self.came.notified()).await.is_ok() {}
        std::mem::take(&mut *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self) -> usize {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Writes arrivals to a file, in place of what it held.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when it cannot be written.
pub fn write(path: &Path, arrivals: &[Arrival]) -> Outcome {
    let bytes: Vec<u8> = arrivals.iter().flat_map(|arrival| arrival.to_bytes()).collect();
    std::fs::write(path, bytes).doing(path.display())
}

/// The arrivals in a file.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when it cannot be read.
pub fn read(path: &Path) -> Outcome<Vec<Arrival>> {
    let bytes = std::fs::read(path).doing(path.display())?;
    Ok(bytes.chunks_exact(Arrival::LEN).filter_map(Arrival::from_bytes).collect())
}

/// What the recipients of agents would say: how many came, how many twice, and how long it took.
///
/// The pool goes round, so a slot departs many times: its first arrival belongs to its first departure, and so on. That
/// is exact as long as nothing comes twice.
pub fn join(departures: Vec<Departure>, arrivals: &[Arrival]) -> Value {
    let mut departed: HashMap<Slot, VecDeque<u64>> = HashMap::new();
    for Departure { slot, at } in departures {
        departed.entry(slot).or_default().push_back(at);
    }
    let (mut received, mut duplicated, mut last) = (0, 0, 0);
    let (mut deliver, mut settled) = (Spread::default(), Spread::default());
    for arrival in arrivals {
        last = last.max(arrival.settled);
        match departed.get_mut(&arrival.slot).and_then(VecDeque::pop_front) {
            Some(at) => {
                received += 1;
                deliver.add(Duration::from_nanos(arrival.came.saturating_sub(at)));
                settled.add(Duration::from_nanos(arrival.settled.saturating_sub(at)));
            }
            None => duplicated += 1,
        }
    }
    json!({
        "received": received,
        "duplicated": duplicated,
        "deliver": deliver.to_json(),
        "settled": settled.to_json(),
        "last": last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot { sender: 1, index: 2 };

    #[test]
    fn arrivals_are_matched_with_departures_in_turn_and_what_is_over_is_a_duplicate() {
        let departures = vec![Departure { slot: SLOT, at: 1_000_000 }, Departure { slot: SLOT, at: 5_000_000 }];
        let arrival = |came| Arrival { slot: SLOT, came, settled: came + 1_000_000 };
        let joined = join(departures, &[arrival(2_000_000), arrival(8_000_000), arrival(9_000_000)]);
        assert_eq!(
            (&joined["received"], &joined["duplicated"], &joined["last"]),
            (&json!(2), &json!(1), &json!(10_000_000))
        );
        assert_eq!((&joined["deliver"]["p50"], &joined["settled"]["max"]), (&json!(1.0), &json!(4.0)));
    }

    #[test]
    fn a_journal_survives_its_file() {
        let arrivals =
            [Arrival { slot: SLOT, came: u64::MAX, settled: 3 }, Arrival { slot: SLOT, came: 1, settled: 2 }];
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), &arrivals).unwrap();
        assert_eq!(read(file.path()).unwrap(), arrivals);
    }
}
