//! What a process costs: its memory and its CPU time, as Linux counts them.

use dmr_tests::failure::{Doing as _, Outcome};
use serde_json::{Value, json};

/// Ticks a second of the times in `/proc/PID/stat`. Fixed by Linux for programs, whatever the kernel's own clock is.
const TICKS: f64 = 100.0;

/// A reading of one process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    /// The most it ever was, in KiB.
    pub peak_rss_kib: u64,
    /// CPU time since its start, user and system together, in seconds.
    pub cpu_seconds: f64,
}

impl Cost {
    /// What the process costs now.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when there is no such process.
    pub fn of(process: u32) -> Outcome<Self> {
        let status = format!("/proc/{process}/status");
        let status = std::fs::read_to_string(&status).doing(&status)?;
        let stat = format!("/proc/{process}/stat");
        let stat = std::fs::read_to_string(&stat).doing(&stat)?;
        // The name comes second, in brackets, and may hold anything: count from behind it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).doing("a CPU time");
        Ok(Self {
            rss_kib: kib(&status, "VmRSS:").doing("the resident memory")?,
            peak_rss_kib: kib(&status, "VmHWM:").doing("the peak of the resident memory")?,
            cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS,
        })
    }

    /// This process's.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when the system does not say.
    pub fn own() -> Outcome<Self> {
        Self::of(std::process::id())
    }

    /// Memory now, and CPU time since an earlier reading, in all and for each of so many messages.
    pub fn since(&self, earlier: &Self, messages: usize) -> Value {
        let cpu = self.cpu_seconds - earlier.cpu_seconds;
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        json!({
            "rss_kib": self.rss_kib,
            "peak_rss_kib": self.peak_rss_kib,
            "cpu_s": round(cpu),
            "cpu_ms_per_message": (messages > 0).then(|| round(cpu * 1e3 / f64::from(messages))),
        })
    }
}

fn kib(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// To three places.
pub fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let before = Cost::own().unwrap();
        assert!(before.rss_kib > 0 && before.peak_rss_kib >= before.rss_kib);
        let mut sum = 0_u64;
        while Cost::own().unwrap().cpu_seconds <= before.cpu_seconds {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(Cost::of(u32::MAX).is_err());
    }
}
