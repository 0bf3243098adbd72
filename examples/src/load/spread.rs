//! How latencies are spread: the median, the tail and the worst.

use std::time::Duration;

use serde_json::{Value, json};

/// Latencies in microseconds, four bytes each.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    micros: Vec<u32>,
}

impl Spread {
    /// Takes one more.
    pub fn add(&mut self, span: Duration) {
        self.micros.push(u32::try_from(span.as_micros()).unwrap_or(u32::MAX));
    }

    /// Takes all of another's.
    pub fn merge(&mut self, other: Self) {
        self.micros.extend(other.micros);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// The smallest latency that so many of a thousand do not exceed, in milliseconds; `None` when there are none.
    pub fn per_mille(&mut self, part: usize) -> Option<f64> {
        self.micros.sort_unstable();
        let rank = (self.micros.len() * part).div_ceil(1000).saturating_sub(1);
        self.micros.get(rank).map(|micros| f64::from(*micros) / 1e3)
    }

    /// `{"p50", "p95", "p99", "max"}` in milliseconds.
    pub fn to_json(&mut self) -> Value {
        json!({
            "p50": self.per_mille(500),
            "p95": self.per_mille(950),
            "p99": self.per_mille(990),
            "max": self.per_mille(1000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_ranks() {
        let mut spread = Spread::default();
        assert_eq!(spread.to_json(), json!({"p50": null, "p95": null, "p99": null, "max": null}));
        for millis in (1..=100).rev() {
            spread.add(Duration::from_millis(millis));
        }
        assert_eq!(spread.to_json(), json!({"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}));
    }
}
