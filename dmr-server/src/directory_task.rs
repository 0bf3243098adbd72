//! The directory's task: looks at the file, and brings what is new to mailboxes, links, metrics and the log.

use std::sync::Arc;
use std::time::Duration;

use dmr_core::id::ParticipantId;
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

/// Makes sure that every participant has a mailbox; says whether it is so.
pub(crate) async fn declare<B: Broker>(broker: &B, directory: &VerifiedDirectory) -> bool {
    let mailboxes: Vec<ParticipantId> = directory.directory().participants.iter().map(|entry| entry.id).collect();
    let declared = broker.declare(&mailboxes).await;
    if let Err(error) = &declared {
        // Publishing and subscribing declare a mailbox that is missing, so this costs time and loses nothing.
        tracing::warn!(%error, "mailboxes could not be declared; trying again");
    }
    declared.is_ok()
}

/// Looks for ever.
pub(crate) async fn run<B: Broker>(
    shared: Arc<Shared<B>>,
    mut watch: DirectoryWatch,
    publish: watch::Sender<VerifiedDirectory>,
) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut freshness = Freshness::Fresh;
    let mut declared = false;
    for look in 0_u64.. {
        ticks.tick().await;
        if !declared {
            declared = declare(&shared.broker, &shared.directory()).await;
        }
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
                declared = declare(&shared.broker, &directory).await;
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
