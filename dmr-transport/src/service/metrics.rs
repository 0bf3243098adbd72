//! Metrics of this process, in Prometheus' text format.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// How often histograms are folded, so that they do not grow between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);
/// Upper bounds of latency histograms, in seconds: 100 µs to 10 s.
const LATENCIES: &[f64] =
    &[0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of connection durations, in seconds: one second to a week.
const LIFETIMES: &[f64] = &[1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 259_200.0, 604_800.0];

static INSTALLED: OnceLock<Metrics> = OnceLock::new();

/// Why metrics could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// Another recorder serves this process.
    #[error("another metrics recorder is installed in this process")]
    Taken,
    /// The exporter refuses its settings.
    #[error("the metrics exporter refuses its settings: {0}")]
    Refused(Box<str>),
}

/// The metrics of this process. Clones are handles.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// The recorder of this process, installed at the first call. Histograms named `…_duration_seconds` have fixed
    /// buckets: for [`CONNECTION_DURATION`](super::socket_metrics::CONNECTION_DURATION) from a second to a week, for
    /// all others from 100 µs to 10 s.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn install() -> Result<Self, MetricsError> {
        if let Some(installed) = INSTALLED.get() {
            return Ok(installed.clone());
        }
        let lifetimes = Matcher::Full(super::socket_metrics::CONNECTION_DURATION.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets(LATENCIES)
            .and_then(|builder| builder.set_buckets_for_metric(lifetimes, LIFETIMES))
            .map_err(|error| MetricsError::Refused(error.to_string().into()))?
            .build_recorder();
        let installed = Self { handle: recorder.handle() };
        match metrics::set_global_recorder(recorder) {
            Ok(()) => Ok(INSTALLED.get_or_init(|| installed).clone()),
            // Another thread was faster, or another recorder was there before.
            Err(_) => INSTALLED.get().cloned().ok_or(MetricsError::Taken),
        }
    }

    /// All metrics as text, version 0.0.4 of the exposition format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Keeps histograms bounded for ever. Run it beside the program's work and drop it at the end.
    pub async fn upkeep(self) {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            self.handle.run_upkeep();
        }
    }
}
