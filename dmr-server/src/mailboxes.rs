//! The mailboxes' task: makes sure that every participant of the directory in use has one.
//!
//! Nothing waits for it: publishing and subscribing declare a mailbox that is missing, so a broker that makes none costs
//! time and loses nothing.

use std::collections::VecDeque;
use std::time::Duration;

use dmr_core::backoff::{Backoff, BackoffConfig};
use dmr_core::id::ParticipantId;
use dmr_crypto::VerifiedDirectory;
use dmr_transport::{Broker, BrokerError};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Mailboxes that are declared together.
const GROUP: usize = 16;
/// Time for one group. A broker that is short of memory does not answer before it has some.
const PATIENCE: Duration = Duration::from_secs(30);

/// Mailboxes to be declared, group by group.
type Groups = VecDeque<Vec<ParticipantId>>;

/// Declares the mailboxes of each directory, for ever. A group that fails is tried again mailbox by mailbox behind all
/// others, so that one mailbox keeps no other waiting for longer than one try.
pub(crate) async fn run<B: Broker>(broker: B, mut directory: watch::Receiver<VerifiedDirectory>, seed: u64) {
    let mut backoff = Backoff::new(BackoffConfig::default(), seed);
    let mut groups = all(&mut directory);
    let mut failing = false;
    loop {
        if directory.has_changed().unwrap_or(false) {
            groups = all(&mut directory);
        }
        let Some(group) = groups.pop_front() else {
            if std::mem::take(&mut failing) {
                tracing::info!("every participant has a mailbox");
            }
            match directory.changed().await {
                Ok(()) => groups = all(&mut directory),
                // There will be no other directory.
                Err(_) => return,
            }
            continue;
        };
        match declare(&broker, &group).await {
            Ok(()) => backoff.reset(),
            Err(error) => {
                let delay = backoff.next_delay();
                // Once for each time that it begins: it may go on for as long as the broker is away.
                if std::mem::replace(&mut failing, true) {
                    tracing::debug!(%error, ?delay, "mailboxes could not be declared");
                } else {
                    tracing::warn!(%error, ?delay, "mailboxes could not be declared; trying again until they are");
                }
                groups.extend(group.chunks(1).map(<[ParticipantId]>::to_vec));
                tokio::select! {
                    () = sleep(delay) => {}
                    Ok(()) = directory.changed() => groups = all(&mut directory),
                }
            }
        }
    }
}

async fn declare<B: Broker>(broker: &B, group: &[ParticipantId]) -> Result<(), BrokerError> {
    let late = |_| BrokerError::Unavailable("it did not answer in time".into());
    timeout(PATIENCE, broker.declare(group)).await.map_err(late)?
}

/// Everybody's mailboxes.
fn all(directory: &mut watch::Receiver<VerifiedDirectory>) -> Groups {
    let directory = directory.borrow_and_update();
    let mailboxes: Vec<ParticipantId> = directory.directory().participants.iter().map(|entry| entry.id).collect();
    mailboxes.chunks(GROUP).map(<[ParticipantId]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;
    use crate::testing::broker::{Troubled, Troubles};
    use crate::testing::network::Network;

    async fn reaches(broker: &Troubled, mailboxes: u64) {
        let deadline = Instant::now() + Duration::from_secs(600);
        while broker.mailboxes().await != mailboxes {
            assert!(Instant::now() < deadline, "{} of {mailboxes} mailboxes", broker.mailboxes().await);
            sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn mailboxes_that_are_refused_or_not_answered_for_keep_no_other_from_being_declared() {
        let names: Vec<String> = (0..GROUP + 4).map(|number| format!("member-{number}")).collect();
        let network = Network::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let listed = &network.directory.directory().participants;
        let troubles =
            Troubles { refused: Mutex::new(vec![listed[0].id]), silent: vec![listed[GROUP].id], ..Troubles::default() };
        let broker = Troubled::new(troubles);
        let directory = watch::Sender::new(network.directory.clone());
        tokio::spawn(run(broker.clone(), directory.subscribe(), 1));
        reaches(&broker, names.len() as u64 - 2).await;
        broker.troubles.refused.lock().unwrap().clear();
        reaches(&broker, names.len() as u64 - 1).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_refuses_for_an_hour_is_not_asked_without_a_pause() {
        let network = Network::of(&["tax", "police"]);
        let refused = Mutex::new(vec![network.id("tax"), network.id("police")]);
        let broker = Troubled::new(Troubles { refused, ..Troubles::default() });
        let directory = watch::Sender::new(network.directory.clone());
        tokio::spawn(run(broker.clone(), directory.subscribe(), 1));
        sleep(Duration::from_secs(3_600)).await;
        let asked = broker.troubles.declares.load(std::sync::atomic::Ordering::Relaxed);
        assert!((100..400).contains(&asked), "asked {asked} times");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_new_in_the_directory_gets_a_mailbox() {
        let network = Network::of(&["tax"]);
        let broker = Troubled::new(Troubles::default());
        let directory = watch::Sender::new(network.directory.clone());
        tokio::spawn(run(broker.clone(), directory.subscribe(), 1));
        reaches(&broker, 1).await;
        directory.send_replace(Network::of(&["tax", "police"]).directory);
        reaches(&broker, 2).await;
    }
}
