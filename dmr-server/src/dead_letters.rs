//! The dead letters: counted, logged, and announced to the servers, who tell the senders. Unsigned advice.

use std::sync::Arc;

use dmr_core::backoff::{Backoff, BackoffConfig};
use dmr_transport::{Announcement, Broker, BrokerError, DeadLetter, DeadLetters};

use crate::shared::Shared;

/// Consumes the dead letters for ever, subscribing again with a backoff.
pub(crate) async fn run<B: Broker>(shared: Arc<Shared<B>>, seed: u64) {
    let mut backoff = Backoff::new(BackoffConfig::default(), seed);
    loop {
        let error = match shared.broker.dead_letters().await {
            Ok(letters) => {
                backoff.reset();
                consume(&shared, letters, seed).await
            }
            Err(error) => error,
        };
        let delay = backoff.next_delay();
        tracing::warn!(%error, ?delay, "no dead letters; subscribing again");
        tokio::time::sleep(delay).await;
    }
}

/// Tells every server, this one included: any of them may hold the sender's session. The letter is the broker's until that is done.
async fn tell<B: Broker>(shared: &Shared<B>, letter: DeadLetter, seed: u64) {
    let mut backoff = Backoff::new(BackoffConfig::default(), seed);
    while !shared.broker.announce(Announcement::Died(letter.clone())).await {
        // Those who are here need not wait for the broker, and may hear it twice.
        shared.registry.notify(letter.sender, letter.id, letter.reason);
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

async fn consume<B: Broker>(shared: &Shared<B>, mut letters: impl DeadLetters, seed: u64) -> BrokerError {
    loop {
        match letters.next().await {
            Ok(letter) => {
                shared.metrics.dead_lettered(letter.reason);
                tracing::info!(
                    id = %letter.id, sender = %letter.sender, mailbox = %letter.mailbox, reason = %letter.reason,
                    "dead letter"
                );
                tell(shared, letter, seed).await;
            }
            Err(error) => return error,
        }
    }
}
