//! Readiness: whether this server should be given links, and if not, why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_core::id::StoreId;
use dmr_crypto::Freshness;
use dmr_transport::Broker;
use dmr_transport::service::health::Health;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::shared::Shared;

/// How often the broker is tried.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Time for one try.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for a look at all mailboxes.
const DEPTH_TIMEOUT: Duration = Duration::from_secs(10);
/// A look at all mailboxes takes at most one part in so many of the time.
const DEPTH_SHARE: u32 = 20;

/// What stands in the way of serving.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    draining: AtomicBool,
    broker: Mutex<Option<Box<str>>>,
    /// Why the broker must not be used, if so.
    unfit: Mutex<Option<Box<str>>>,
}

impl Readiness {
    /// Not ready from now on: the server is going away.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// What stands in the way of serving, and what soon will.
    pub(crate) fn health(&self, freshness: Freshness) -> Health {
        let mut health = Health::default();
        if self.draining.load(Ordering::Acquire) {
            health.problems.push("the server is draining".to_owned());
        }
        if let Some(error) = &*self.broker.lock().unwrap_or_else(PoisonError::into_inner) {
            health.problems.push(format!("the broker does not work: {error}"));
        }
        health.problems.extend(self.unfit.lock().unwrap_or_else(PoisonError::into_inner).as_deref().map(str::to_owned));
        match freshness {
            Freshness::Fresh => {}
            Freshness::Ageing => health.warnings.push("the directory is past half of its life: renew it".to_owned()),
            Freshness::Grace | Freshness::Expired => health.problems.push("the directory has expired".to_owned()),
        }
        health
    }

    /// Why the broker must not be used; `None` when it may.
    pub(crate) fn note_unfit(&self, problem: Option<Box<str>>) {
        *self.unfit.lock().unwrap_or_else(PoisonError::into_inner) = problem;
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

    /// Tries the broker, sees how full it is and whether it still is the same, for ever.
    pub(crate) async fn watch_broker<B: Broker>(self: Arc<Self>, shared: Arc<Shared<B>>) {
        let mut ticks = interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut store, mut next_depth) = (None, Instant::now());
        loop {
            ticks.tick().await;
            self.try_broker(&shared).await;
            watch_store(&shared, &mut store).await;
            let began = Instant::now();
            if began >= next_depth
                && let Ok(Ok(depth)) = timeout(DEPTH_TIMEOUT, shared.broker.depth()).await
            {
                shared.metrics.depth(depth);
                // A broker that is asked for each mailbox is not asked so often that it has nothing else to do.
                next_depth = Instant::now() + began.elapsed() * DEPTH_SHARE;
            }
        }
    }

    /// Publishes into the broker and consumes from it once, in at most two seconds.
    pub(crate) async fn try_broker<B: Broker>(&self, shared: &Shared<B>) {
        let problem = match timeout(PROBE_TIMEOUT, shared.broker.probe()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string().into_boxed_str()),
            Err(_) => Some("it does not answer in time".into()),
        };
        self.note(problem);
    }
}

/// Sends every agent to log in again when the broker's memory is another one: what was confirmed may be gone, and
/// agents, who learn the store's name at login, publish again what was not answered for.
async fn watch_store<B: Broker>(shared: &Shared<B>, known: &mut Option<StoreId>) {
    let Ok(Ok(store)) = timeout(PROBE_TIMEOUT, shared.broker.store()).await else { return };
    if let Some(before) = known.replace(store)
        && before != store
    {
        tracing::error!(%before, now = %store, "the broker's memory is another one; agents are asked to log in again");
        shared.registry.renew();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_until_it_drains_its_broker_fails_or_its_directory_expires() {
        let readiness = Readiness::default();
        let counts = |freshness| {
            let health = readiness.health(freshness);
            (health.problems.len(), health.warnings.len())
        };
        assert_eq!(counts(Freshness::Fresh), (0, 0));
        assert_eq!(counts(Freshness::Ageing), (0, 1));
        assert_eq!(counts(Freshness::Grace), (1, 0));
        readiness.note(Some("gone".into()));
        assert_eq!(counts(Freshness::Fresh), (1, 0));
        readiness.drain();
        assert_eq!(counts(Freshness::Expired), (3, 0));
        readiness.note(None);
        assert_eq!(counts(Freshness::Ageing), (1, 1));
    }
}
