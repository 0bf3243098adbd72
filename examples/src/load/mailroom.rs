//! What has come, by run: counted, and how long it took. For messages that begin with a [`Stamp`].

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::spread::Spread;
use super::stamp::{Stamp, now};

/// Time without a message after which no more are expected.
pub const SILENCE: Duration = Duration::from_secs(10);

/// What came of one run.
#[derive(Debug, Default)]
struct Received {
    seen: HashSet<(u32, u64)>,
    duplicated: usize,
    deliver: Spread,
    settled: Spread,
    last: u64,
}

/// What has come of every run that has not been concluded.
#[derive(Debug, Default)]
pub struct Mailroom {
    runs: Mutex<HashMap<u64, Received>>,
    came: Notify,
}

impl Mailroom {
    /// Notes a message that came at this moment and has been settled now.
    pub fn note(&self, stamp: Stamp, came: u64) {
        let last = now();
        let since = |moment: u64| Duration::from_nanos(moment.saturating_sub(stamp.at));
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let received = runs.entry(stamp.run).or_default();
        received.last = last;
        if received.seen.insert((stamp.sender, stamp.sequence)) {
            received.deliver.add(since(came));
            received.settled.add(since(last));
        } else {
            received.duplicated += 1;
        }
        drop(runs);
        self.came.notify_one();
    }

    /// What came of the run, once that many have come or nothing comes any more. `last` is when the last was settled.
    pub async fn conclude(&self, run: u64, count: usize) -> Value {
        while self.received(run) < count && timeout(SILENCE, self.came.notified()).await.is_ok() {}
        let mut received = self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(&run).unwrap_or_default();
        json!({
            "received": received.seen.len(),
            "duplicated": received.duplicated,
            "deliver": received.deliver.to_json(),
            "settled": received.settled.to_json(),
            "last": received.last,
        })
    }

    fn received(&self, run: u64) -> usize {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&run).map_or(0, |received| received.seen.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_run_is_counted_by_itself_and_a_second_copy_is_a_duplicate() {
        let mailroom = Mailroom::default();
        for (run, sequence) in [(1, 0), (2, 0), (1, 1), (1, 0)] {
            mailroom.note(Stamp { run, sender: 0, sequence, at: now() }, now());
        }
        let concluded = mailroom.conclude(1, 2).await;
        assert_eq!((concluded["received"].as_u64(), concluded["duplicated"].as_u64()), (Some(2), Some(1)));
        // Of the second, one is missing: silence ends the wait.
        assert_eq!(mailroom.conclude(2, 2).await["received"], 1);
    }
}
