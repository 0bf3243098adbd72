//! What a session asks its program for, and tells it.

use std::time::Duration;

use dmr_core::frame::RecipientResult;
use dmr_core::session::AgentOutput;

use super::argument::plain;
use super::boundary::{boundary, dmr_status};
use super::bytes::dmr_bytes;
use super::handle::Handle;
use super::header::DMR_RECIPIENTS;
use super::id::dmr_id;
use super::session::{Session, dmr_session};
use super::trust::locked;

/// Nothing for now.
pub const DMR_EVENT_NONE: u32 = 0;
/// Open a link to the server at `server`, giving up any other; answer with `dmr_session_link_up` or
/// `dmr_session_link_down`.
pub const DMR_EVENT_CONNECT: u32 = 1;
/// Log in: answer with `dmr_session_sign`, or with `dmr_session_challenge_signed` or `dmr_session_challenge_refused`.
/// `data` is the challenge, `signature` the server's over it, empty when it has no key.
pub const DMR_EVENT_SIGN: u32 = 2;
/// Logged in at `server`: `id` names the session in both sides' logs, `store` the broker's memory.
pub const DMR_EVENT_READY: u32 = 3;
/// The link is gone for `reason`, `DMR_CLOSE_…`; another is asked for after `delay_ms`.
pub const DMR_EVENT_DOWN: u32 = 4;
/// The server has the message `id`, by the broker's word. May come again.
pub const DMR_EVENT_CONFIRMED: u32 = 5;
/// The server does not take the message `id` for `reason`, `DMR_REJECT_…`; the session has forgotten it. Not to be
/// published again before `delay_ms`. `recipients`: each one's result, when they differ.
pub const DMR_EVENT_REJECTED: u32 = 6;
/// An envelope came in: `data`. Settle it by `delivery`. `attempt` is 1 for the first time; a hint.
pub const DMR_EVENT_DELIVERED: u32 = 7;
/// The message `id` expired without a receipt, or without a confirm; the session has forgotten it.
pub const DMR_EVENT_EXPIRED: u32 = 8;
/// A directory came in, unverified: `data`. Offer it to `dmr_trust_offer`.
pub const DMR_EVENT_DIRECTORY: u32 = 9;
/// A server's unsigned word about the confirmed message `id`: `reason`, `DMR_FAILURE_…`.
pub const DMR_EVENT_NOTICE: u32 = 10;
/// The session has shut down. Nothing follows.
pub const DMR_EVENT_STOPPED: u32 = 11;

/// One recipient's part in a publish that was not confirmed as a whole.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_recipient_result {
    /// The recipient.
    pub participant: dmr_id,
    /// Why its mailbox does not have the envelope, `DMR_REJECT_…`; 0: it does.
    pub reason: u16,
}

/// What a session asks for or tells: `kind` says which fields count, the others are zeros. Freed with `dmr_event_free`.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_event {
    /// `DMR_EVENT_…`.
    pub kind: u32,
    /// Attempt of a delivery.
    pub attempt: u32,
    /// Position in the list of servers.
    pub server: usize,
    /// A message, or the login's session.
    pub id: dmr_id,
    /// The broker's memory.
    pub store: dmr_id,
    /// Names a delivery of this session.
    pub delivery: u64,
    /// A delay, in milliseconds.
    pub delay_ms: u64,
    /// The challenge, the envelope or the directory.
    pub data: dmr_bytes,
    /// A server's signature.
    pub signature: dmr_bytes,
    /// A number of `DMR_CLOSE_…`, `DMR_REJECT_…` or `DMR_FAILURE_…`; or one of a newer version.
    pub reason: u16,
    /// How many of `recipients` count.
    pub recipient_count: usize,
    /// Each recipient's result.
    pub recipients: [dmr_recipient_result; 64],
}

plain!(dmr_recipient_result, dmr_event);

impl dmr_event {
    fn of_kind(kind: u32) -> Self {
        let nobody = dmr_recipient_result { participant: dmr_id::NONE, reason: 0 };
        Self {
            kind,
            attempt: 0,
            server: 0,
            id: dmr_id::NONE,
            store: dmr_id::NONE,
            delivery: 0,
            delay_ms: 0,
            data: dmr_bytes::NONE,
            signature: dmr_bytes::NONE,
            reason: 0,
            recipient_count: 0,
            recipients: [nobody; DMR_RECIPIENTS],
        }
    }

    fn about(kind: u32, id: impl Into<dmr_id>) -> Self {
        Self { id: id.into(), ..Self::of_kind(kind) }
    }

    fn with_data(kind: u32, data: &[u8]) -> Self {
        Self { data: dmr_bytes::copy_of(data), ..Self::of_kind(kind) }
    }

    /// The event of an output. What the session has to remember of it, it remembers.
    fn of(output: AgentOutput, session: &mut Session) -> Self {
        match output {
            AgentOutput::Connect { server } => Self { server, ..Self::of_kind(DMR_EVENT_CONNECT) },
            AgentOutput::Sign { challenge_bytes, signature, .. } => {
                let event = Self {
                    signature: dmr_bytes::copy_of(&signature),
                    ..Self::with_data(DMR_EVENT_SIGN, &challenge_bytes)
                };
                session.challenge = Some((challenge_bytes, signature));
                event
            }
            AgentOutput::Ready { server, session: id, store } => {
                Self { server, store: store.into(), ..Self::about(DMR_EVENT_READY, id) }
            }
            AgentOutput::Down { reason, retry_in } => {
                session.forget_link();
                Self { reason: reason.number(), delay_ms: up(retry_in), ..Self::of_kind(DMR_EVENT_DOWN) }
            }
            AgentOutput::Confirmed { id } => Self::about(DMR_EVENT_CONFIRMED, id),
            AgentOutput::Rejected { id, reason, retry_after, recipients } => Self {
                reason: reason.number(),
                delay_ms: up(retry_after),
                ..Self::about(DMR_EVENT_REJECTED, id).with_results(&recipients)
            },
            AgentOutput::Delivered { delivery, attempt, envelope } => {
                let delivery = session.remember(delivery);
                Self { delivery, attempt, ..Self::with_data(DMR_EVENT_DELIVERED, &envelope) }
            }
            AgentOutput::Expired { id } => Self::about(DMR_EVENT_EXPIRED, id),
            AgentOutput::Directory { document } => Self::with_data(DMR_EVENT_DIRECTORY, &document),
            AgentOutput::Notice { id, reason } => Self { reason: reason.number(), ..Self::about(DMR_EVENT_NOTICE, id) },
            AgentOutput::Stopped => Self::of_kind(DMR_EVENT_STOPPED),
        }
    }

    fn with_results(mut self, results: &[RecipientResult]) -> Self {
        for (to, from) in self.recipients.iter_mut().zip(results) {
            let reason = from.reason.map_or(0, dmr_core::reason::RejectReason::number);
            *to = dmr_recipient_result { participant: from.participant.into(), reason };
        }
        self.recipient_count = results.len().min(self.recipients.len());
        self
    }
}

/// Whole milliseconds, none too few.
pub(crate) fn up(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Takes the next thing to do. Ask after every call that feeds the session, until `DMR_EVENT_NONE`.
///
/// `event`: to be freed with `dmr_event_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_poll_event(session: *mut dmr_session, event: *mut dmr_event) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let out = caller.out(event, "event")?;
            let session = dmr_session::get(session)?;
            let mut session = locked(&session)?;
            let output = session.inner.poll_output();
            out.put(
                output.map_or_else(|| dmr_event::of_kind(DMR_EVENT_NONE), |output| dmr_event::of(output, &mut session)),
            );
            Ok(())
        })
    }
}

/// Frees what `event` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must not be
/// freed as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_event_free(event: *mut dmr_event) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            caller.change(event, "event", |event| {
                event.data.release();
                event.signature.release();
            })?;
            caller.out(event, "event")?;
            Ok(())
        })
    }
}
