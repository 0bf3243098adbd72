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
