//! Readiness: whether this server should be given links, and if not, why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_core::id::StoreId;
use dmr_crypto::Freshness;
use dmr_transport::Broker;
use dmr_transport::service::health::Health;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::shared::Shared;

/// How often the broker is tried.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Time for one try.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for a look at all mailboxes.
const DEPTH_TIMEOUT: Duration = Duration::from_secs(10);
/// A look at all mailboxes takes at most one part in so many of the time: a broker that is asked for each of them is not
/// asked so often that it has nothing else to do.
const DEPTH_SHARE: u32 = 20;
/// Least time between two looks at all mailboxes.
const DEPTH_EVERY: Duration = Duration::from_secs(1);

/// What stands in the way of serving.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    draining: AtomicBool,
    broker: Mutex<Option<Box<str>>>,
    /// Why the broker must not be used, if so.
    unfit: Mutex<Option<Box<str>>>,
}

impl Readiness {
    /// Nothing stands in the way yet; where somebody `must_look` at the broker's settings first, that does.
    pub(crate) fn new(must_look: bool) -> Self {
        let unfit = must_look.then(|| "the broker's settings have not been looked at yet".into());
        Self { unfit: Mutex::new(unfit), ..Self::default() }
    }

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

    /// Whether the broker must not be used: nobody is given a session then.
    pub(crate) fn is_unfit(&self) -> bool {
        self.unfit.lock().unwrap_or_else(PoisonError::into_inner).is_some()
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

    /// Tries the broker and sees whether it still is the same, for ever.
    pub(crate) async fn watch_broker<B: Broker>(self: Arc<Self>, shared: Arc<Shared<B>>) {
        let mut ticks = interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut store = None;
        loop {
            ticks.tick().await;
            self.try_broker(&shared).await;
            watch_store(&shared, &mut store).await;
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

/// Sees how full the broker is, for ever. Apart from the probe, which a slow look must not hold up.
pub(crate) async fn watch_depth<B: Broker>(shared: Arc<Shared<B>>) {
    loop {
        let began = Instant::now();
        match timeout(DEPTH_TIMEOUT, shared.broker.depth()).await {
            Ok(Ok(depth)) => shared.metrics.depth(depth),
            Ok(Err(error)) => tracing::debug!(%error, "how full the broker is could not be seen"),
            Err(_) => tracing::debug!("how full the broker is could not be seen in time"),
        }
        // Whether it was seen or not: a look that fails costs the broker as much.
        sleep((began.elapsed() * DEPTH_SHARE).max(DEPTH_EVERY)).await;
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
    use crate::limits::Limits;
    use crate::testing::broker::{Troubled, Troubles};
    use crate::testing::network::Network;
    use crate::testing::server;

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_does_not_say_how_full_it_is_is_probed_each_second_and_not_asked_for_ever() {
        let broker = Troubled::new(Troubles { hides_depth: AtomicBool::new(true), ..Troubles::default() });
        let (shared, _publish) = server::shared(&Network::of(&["tax"]), Limits::default(), broker.clone());
        tokio::spawn(Arc::clone(&shared.readiness).watch_broker(Arc::clone(&shared)));
        tokio::spawn(watch_depth(shared));
        let asked = || [&broker.troubles.probes, &broker.troubles.depths].map(|count| count.load(Ordering::Relaxed));
        let half = Duration::from_millis(500);
        sleep(DEPTH_TIMEOUT + half).await;
        assert_eq!(asked(), [11, 1]);
        // It took ten seconds: the next look is two hundred later.
        sleep(DEPTH_TIMEOUT * DEPTH_SHARE - Duration::from_secs(1)).await;
        assert_eq!(asked()[1], 1);
        broker.troubles.hides_depth.store(false, Ordering::Relaxed);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(asked()[1], 2);
        // From now on it answers at once.
        sleep(DEPTH_EVERY * 5).await;
        assert_eq!(asked(), [216, 7]);
    }

    #[test]
    fn a_server_that_must_look_at_its_broker_first_is_not_ready_before_it_has() {
        let readiness = Readiness::new(true);
        assert!(readiness.is_unfit());
        let problems = readiness.health(Freshness::Fresh).problems;
        assert_eq!(problems, ["the broker's settings have not been looked at yet"]);
        readiness.note_unfit(None);
        assert!(!readiness.is_unfit() && readiness.health(Freshness::Fresh).problems.is_empty());
        assert!(!Readiness::new(false).is_unfit());
    }

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
