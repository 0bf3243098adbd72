//! Readiness: whether this server should be given links, and if not, why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_crypto::Freshness;
use dmr_transport::Broker;

use crate::shared::Shared;

/// How often the broker is tried.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Time for one try.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What stands in the way of serving.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    draining: AtomicBool,
    broker: Mutex<Option<Box<str>>>,
}

impl Readiness {
    /// Not ready from now on: the server is going away.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// What stands in the way; nothing when the server is ready.
    pub(crate) fn problems(&self, freshness: Freshness) -> Vec<String> {
        let mut problems = Vec::new();
        if self.draining.load(Ordering::Acquire) {
            problems.push("the server is draining".to_owned());
        }
        if let Some(error) = &*self.broker.lock().unwrap_or_else(PoisonError::into_inner) {
            problems.push(format!("the broker does not work: {error}"));
        }
        if freshness > Freshness::Ageing {
            problems.push("the directory has expired".to_owned());
        }
        problems
    }

    fn note(&self, problem: Option<Box<str>>) {
        let mut known = self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != problem {
            match &problem {
                Some(problem) => tracing::error!(%problem, "the broker does not work"),
                None => tracing::info!("the broker works"),
            }
            *known = problem;
        }
    }

    /// Publishes into the broker and consumes from it, and sees how full it is, for ever.
    pub(crate) async fn watch_broker<B: Broker>(self: Arc<Self>, shared: Arc<Shared<B>>) {
        let mut ticks = tokio::time::interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let problem = match tokio::time::timeout(PROBE_TIMEOUT, shared.broker.probe()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string().into_boxed_str()),
                Err(_) => Some("it does not answer in time".into()),
            };
            self.note(problem);
            if let Ok(Ok(depth)) = tokio::time::timeout(PROBE_TIMEOUT, shared.broker.depth()).await {
                shared.metrics.depth(depth);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_until_it_drains_its_broker_fails_or_its_directory_expires() {
        let readiness = Readiness::default();
        assert!(readiness.problems(Freshness::Fresh).is_empty());
        assert!(readiness.problems(Freshness::Ageing).is_empty());
        assert_eq!(readiness.problems(Freshness::Grace).len(), 1);
        *readiness.broker.lock().unwrap() = Some("gone".into());
        readiness.drain();
        assert_eq!(readiness.problems(Freshness::Expired).len(), 3);
    }
}
