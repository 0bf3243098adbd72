//! Publishing: one envelope into the mailbox of each of its recipients, and what becomes of each.

use std::time::Duration;

use dmr_core::envelope::Envelope;
use dmr_core::frame::RecipientResult;
use dmr_core::id::ParticipantId;
use dmr_core::reason::RejectReason;
use dmr_transport::{Broker, Publication, PublishError};
use futures_util::future::join_all;

/// What a sender is asked to wait when a mailbox is full or the broker away.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Publishes to every recipient at once; returns when the broker has spoken on each.
///
/// # Cancel safety
/// Dropped, the outcome is undecided.
pub(crate) async fn publish<B: Broker>(broker: &B, envelope: &Envelope) -> Vec<RecipientResult> {
    let recipients = envelope.header().recipients.as_slice();
    if let [only] = recipients {
        return vec![publish_to(broker, envelope, only.participant).await];
    }
    join_all(recipients.iter().map(|recipient| publish_to(broker, envelope, recipient.participant))).await
}

async fn publish_to<B: Broker>(broker: &B, envelope: &Envelope, mailbox: ParticipantId) -> RecipientResult {
    let header = envelope.header();
    let publication = Publication {
        mailbox,
        sender: header.sender,
        id: header.id,
        expires: header.expires,
        envelope: envelope.bytes().clone(),
    };
    let mut outcome = broker.publish(publication.clone()).await;
    if matches!(outcome, Err(PublishError::Unroutable(_))) && broker.declare(&[mailbox]).await.is_ok() {
        // The directory lists the recipient, so the mailbox was lost: make it again, once.
        outcome = broker.publish(publication).await;
    }
    RecipientResult { participant: mailbox, reason: outcome.err().map(|error| reason(&error)) }
}

/// Never "unknown recipient": that is for the directory to say, and it said otherwise.
fn reason(error: &PublishError) -> RejectReason {
    match error {
        PublishError::Full(_) => RejectReason::MailboxFull,
        PublishError::Undecided => RejectReason::Undecided,
        _ => RejectReason::Unavailable,
    }
}

/// The hint for these results.
pub(crate) fn retry_after(results: &[RecipientResult]) -> Duration {
    let retryable = results.iter().filter_map(|result| result.reason).any(RejectReason::is_retryable);
    if retryable { RETRY_AFTER } else { Duration::ZERO }
}
