//! The policy: what an envelope must fulfil on its way in, and again on its way out.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::directory::Status;
use dmr_core::envelope::Envelope;
use dmr_core::id::ParticipantId;
use dmr_core::reason::{FailureReason, RejectReason};
use dmr_core::session::Refusal;
use dmr_core::time::Timestamp;
use dmr_crypto::{VerifiedDirectory, VerifyError, check_recipients, verify_envelope};

use crate::allowance::Allowance;

/// Within this the watch has seen a newer directory file, if there is one.
const DIRECTORY_RETRY: Duration = Duration::from_secs(2);

/// Whether an envelope may go into its recipients' mailboxes. The session has compared sender, network and size.
///
/// The cheap checks come first: a flood costs its sender the allowance before it costs this server a signature.
///
/// # Errors
/// [`Refusal`], with the time after which the same bytes may be tried again where that helps.
pub(crate) fn admit(
    envelope: &Envelope,
    directory: &VerifiedDirectory,
    allowance: &Allowance,
    now: Timestamp,
) -> Result<(), Refusal> {
    allowance
        .take(envelope.bytes().len())
        .map_err(|retry_after| Refusal { reason: RejectReason::RateLimited, retry_after })?;
    if !directory.freshness(now).allows_sealing() {
        return Err(Refusal { reason: RejectReason::StaleDirectory, retry_after: DIRECTORY_RETRY });
    }
    let header = envelope.header();
    check_recipients(header, directory)
        .and_then(|()| verify_envelope(envelope, directory, now))
        .map(|_| ())
        .map_err(|error| refusal(&error, header.directory_revision > directory.revision()))
}

/// What a newer directory may cure is not refused for good when the sender has one.
fn refusal(error: &VerifyError, sender_is_ahead: bool) -> Refusal {
    let reason = match error.reject_reason() {
        _ if sender_is_ahead && error.wants_directory() => RejectReason::StaleDirectory,
        reason => reason,
    };
    let retry_after = if reason.is_retryable() { DIRECTORY_RETRY } else { Duration::ZERO };
    Refusal { reason, retry_after }
}

/// Whether an envelope from the mailbox of `owner` may still be handed to its agent: much may have changed while it
/// waited.
///
/// # Errors
/// Why it is dead.
pub(crate) fn release(
    envelope: &Bytes,
    owner: ParticipantId,
    directory: &VerifiedDirectory,
    now: Timestamp,
) -> Result<(), FailureReason> {
    let envelope = Envelope::decode(envelope.clone()).map_err(|_| FailureReason::Malformed)?;
    let header = envelope.header();
    if !header.recipients.contains(owner) || header.network != *directory.network() {
        return Err(FailureReason::Rejected);
    }
    if now > header.expires {
        return Err(FailureReason::Expired);
    }
    // Only an entry that says so removes a sender; absence does not.
    let gone = directory.participant(header.sender).is_some_and(|sender| sender.status != Status::Active);
    if gone || directory.is_revoked(header.sender_key) { Err(FailureReason::Revoked) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use dmr_core::directory::Status;

    use super::*;
    use crate::allowance::Allowances;
    use crate::clock::Clock;
    use crate::limits::Limits;
    use crate::testing::network::{Network, VALID_FOR, now};

    #[tokio::test]
    async fn an_envelope_is_released_to_its_recipients_until_it_expires() {
        let network = Network::of(&["tax", "police", "rescue"]);
        let envelope = network.seal("tax", &["police"]);
        let (bytes, expires) = (envelope.bytes(), envelope.header().expires);
        let release = |owner, at| release(bytes, network.id(owner), &network.directory, at);
        assert_eq!(release("police", expires), Ok(()));
        assert_eq!(release("police", expires.plus(Duration::from_millis(1))), Err(FailureReason::Expired));
        assert_eq!(release("rescue", now()), Err(FailureReason::Rejected));
    }

    #[tokio::test]
    async fn a_sender_that_was_removed_or_revoked_is_not_heard_and_one_that_is_absent_is() {
        let mut network = Network::of(&["tax", "police"]);
        let envelope = network.seal("tax", &["police"]);
        let (tax, police) = (network.id("tax"), network.id("police"));
        let outcome = |network: &Network| release(envelope.bytes(), police, &network.directory, now());
        network.set_status("tax", Status::Suspended);
        assert_eq!(outcome(&network), Err(FailureReason::Revoked));
        network.set_status("tax", Status::Active);
        assert_eq!(outcome(&network), Ok(()));
        let revoked = dmr_core::directory::RevokedKey { key: envelope.header().sender_key, since: now() };
        network.amend(|directory| directory.revoked.push(revoked));
        assert_eq!(outcome(&network), Err(FailureReason::Revoked));
        network.amend(|directory| directory.revoked.clear());
        network.amend(|directory| directory.participants.retain(|entry| entry.id != tax));
        assert_eq!(outcome(&network), Ok(()));
    }

    #[tokio::test]
    async fn nothing_is_admitted_under_a_directory_that_expired_a_day_ago() {
        let network = Network::of(&["tax", "police"]);
        let allowance = Allowances::new(Limits::default(), Clock::system()).of(network.id("tax"));
        let envelope = network.seal("tax", &["police"]);
        let admit = |at| admit(&envelope, &network.directory, &allowance, at);
        assert_eq!(admit(now()), Ok(()));
        let late = network.directory.issued().plus(VALID_FOR + Duration::from_secs(25 * 60 * 60));
        let refusal = Refusal { reason: RejectReason::StaleDirectory, retry_after: DIRECTORY_RETRY };
        assert_eq!(admit(late), Err(refusal));
        let expired = Refusal { reason: RejectReason::Expired, retry_after: Duration::ZERO };
        assert_eq!(admit(now().plus(Duration::from_secs(2 * 60 * 60))), Err(expired));
    }
}
