//! The directory's task: looks at the file, and brings what is new to links, metrics and the log. It never waits for the
//! broker: a key that was revoked is refused while the broker is away, too.

use std::sync::Arc;
use std::time::Duration;

use dmr_crypto::{Freshness, VerifiedDirectory};
use dmr_transport::Broker;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::directory_watch::{DirectoryWatch, Look};
use crate::shared::Shared;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Every so many looks, each link's login is checked against the clock too: keys end without a new directory.
const RECHECK_EVERY: u64 = 30;

/// Looks for ever.
pub(crate) async fn run<B: Broker>(
    shared: Arc<Shared<B>>,
    mut watch: DirectoryWatch,
    publish: watch::Sender<VerifiedDirectory>,
) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut freshness = Freshness::Fresh;
    for look in 0_u64.. {
        ticks.tick().await;
        let now = shared.clock.now().wall;
        // Off the event loop: reading a file and checking a large directory block.
        let looked = tokio::task::spawn_blocking(move || {
            let seen = watch.look(now);
            (watch, seen)
        });
        let Ok((back, seen)) = looked.await else {
            tracing::error!("looking at the directory failed; the one in use stays until a restart");
            return;
        };
        watch = back;
        match seen {
            Look::Newer(directory) => {
                tracing::info!(revision = directory.revision(), digest = %directory.digest(), "directory taken up");
                publish.send_replace(directory);
                shared.registry.directory_changed();
            }
            Look::Refused(error) => {
                shared.metrics.directory_refused();
                tracing::error!(%error, "directory refused; the last good one stays in use");
            }
            Look::Same if look % RECHECK_EVERY == RECHECK_EVERY - 1 => shared.registry.directory_changed(),
            Look::Same => {}
        }
        freshness = tell(&shared, freshness);
    }
}

/// Tells the metrics how old the directory is, and the log when that changes for the worse.
fn tell<B: Broker>(shared: &Shared<B>, before: Freshness) -> Freshness {
    let directory = shared.directory();
    let now = shared.clock.now().wall;
    let freshness = directory.freshness(now);
    shared.metrics.directory(&directory, now.since(directory.issued()), freshness > Freshness::Fresh);
    if freshness != before {
        let (revision, left) = (directory.revision(), directory.expires().since(now));
        match freshness {
            Freshness::Fresh => tracing::info!(revision, "the directory is fresh again"),
            Freshness::Ageing => tracing::warn!(revision, ?left, "the directory is past half of its life: renew it"),
            Freshness::Grace => {
                tracing::error!(revision, "the directory has expired: agents stop sealing within a day")
            }
            Freshness::Expired => tracing::error!(revision, "the directory has expired: nothing new is accepted"),
        }
    }
    freshness
}

#[cfg(test)]
mod tests {
    use dmr_core::directory::RevokedKey;
    use dmr_core::id::SessionId;

    use super::*;
    use crate::limits::Limits;
    use crate::mailboxes;
    use crate::signals::Signal;
    use crate::testing::broker::{Troubled, Troubles};
    use crate::testing::network::{Network, now};
    use crate::testing::server;

    #[tokio::test(start_paused = true)]
    async fn a_revocation_is_taken_up_while_the_broker_answers_no_declaration() {
        let mut network = Network::of(&["tax", "police"]);
        let silent = vec![network.id("tax"), network.id("police")];
        let broker = Troubled::new(Troubles { silent, ..Troubles::default() });
        let (shared, publish) = server::shared(&network, Limits::default(), broker.clone());
        let (path, pin) = (network.directory_file(), network.pin.clone());
        let (watch, _, _) = DirectoryWatch::load(&path, None, pin, true, now()).unwrap();
        tokio::spawn(mailboxes::run(broker.clone(), publish.subscribe(), 1));
        tokio::spawn(run(Arc::clone(&shared), watch, publish));
        let seat = shared.registry.open(SessionId::from_bytes([1; 16]).unwrap());
        // Twice: what the first leaves behind must not keep the second out either.
        for member in ["tax", "police"] {
            let key = network.keys(member).any_login_key(now()).unwrap().id();
            network.amend(|directory| directory.revoked.push(RevokedKey { key, since: now() }));
            network.publish();
            let told = tokio::time::timeout(LOOK_EVERY * 3, seat.signals().next()).await;
            assert_eq!(told, Ok(Signal::DirectoryChanged));
            assert_eq!(shared.directory().digest(), network.directory.digest());
        }
        assert_eq!(broker.mailboxes().await, 0);
    }
}
