//! How the memory of a process changes while messages pass.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::cost::Cost;

/// Time between two readings.
const EVERY: Duration = Duration::from_millis(100);
/// Readings in the report, evenly spread over the run.
const SHOWN: usize = 10;

/// Reads the memory of a process again and again. Dropping it ends that.
#[derive(Debug)]
pub struct Growth {
    readings: Arc<Mutex<Vec<u64>>>,
    reader: JoinHandle<()>,
}

impl Growth {
    /// Begins.
    pub fn of(process: u32) -> Self {
        let readings = Arc::new(Mutex::new(Vec::new()));
        let reader = tokio::spawn(read(process, Arc::clone(&readings)));
        Self { readings, reader }
    }

    /// `{"before", "after", "over_time"}` in KiB.
    pub fn to_json(&self) -> Value {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        json!({ "before": readings.first(), "after": readings.last(), "over_time": spread(&readings) })
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(process: u32, readings: Arc<Mutex<Vec<u64>>>) {
    // Ends with the process.
    while let Ok(cost) = Cost::of(process) {
        readings.lock().unwrap_or_else(PoisonError::into_inner).push(cost.rss_kib);
        tokio::time::sleep(EVERY).await;
    }
}

/// So many readings, the last of which is the last.
fn spread(readings: &[u64]) -> Vec<u64> {
    (1..=SHOWN).filter_map(|part| readings.get((readings.len() * part / SHOWN).saturating_sub(1))).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_spread_over_the_run_to_its_end() {
        assert_eq!(spread(&[]), Vec::<u64>::new());
        assert_eq!(spread(&[7]), vec![7; SHOWN]);
        assert_eq!(spread(&(1..=100).collect::<Vec<_>>()), (1..=10).map(|tenth| 10 * tenth).collect::<Vec<_>>());
    }
}
