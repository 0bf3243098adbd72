//! What a session carries: envelopes published, deliveries settled.

use dmr_core::frame::Settlement;
use dmr_core::reason::FailureReason;
use dmr_core::session::AgentPublication;

use super::boundary::{boundary, dmr_status};
use super::handle::Handle;
use super::id::dmr_id;
use super::open::decode;
use super::session::{dmr_session, now, with};
use super::trust::locked;

/// Takes an envelope for publishing, over this link or later ones. Its id and expiry are those of its header. It is not
/// verified.
///
/// `envelope`, `len`: as sealed; copied. `keep`: not 0: kept until `dmr_session_receipted` or its expiry; 0, for receipts:
/// until confirmed. `DMR_PUBLISH_FULL` when the outbox is at its bound: try again later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_publish(
    session: *mut dmr_session,
    envelope: *const u8,
    len: usize,
    keep: u8,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let session = dmr_session::get(session)?;
            let envelope = decode(caller, envelope, len)?;
            let (id, expires) = (envelope.header().id, envelope.header().expires);
            let publication = AgentPublication { id, envelope: envelope.bytes().clone(), expires, keep: keep != 0 };
            Ok(locked(&session)?.inner.publish(publication, now(wall_ms, elapsed_ms))?)
        })
    }
}

/// Forgets a message that was never on any link.
///
/// `withdrawn`: 1 when nothing of it was or will be sent; 0 when it was on a link, or is not in the outbox.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_withdraw(
    session: *mut dmr_session,
    id: *const dmr_id,
    withdrawn: *mut u8,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let withdrawn = caller.out(withdrawn, "withdrawn")?;
            let session = dmr_session::get(session)?;
            let id = caller.id(id, "id")?;
            withdrawn.put(locked(&session)?.inner.withdraw(id).into());
            Ok(())
        })
    }
}

/// Stops keeping a message: a receipt or an answer of its recipient was opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_receipted(session: *mut dmr_session, id: *const dmr_id) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let session = dmr_session::get(session)?;
            let id = caller.id(id, "id")?;
            locked(&session)?.inner.receipted(id);
            Ok(())
        })
    }
}

/// Settles a delivery: it was taken, and is forgotten by the server. One of a link that is gone is left alone: the server
/// has given it to someone again. `DMR_CALL_OUT_OF_RANGE` for a number that named no delivery.
///
/// `delivery`: of `dmr_event`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_ack(session: *mut dmr_session, delivery: u64) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { with(session, |session| Ok(session.settle(delivery, Settlement::Ack)?)) }
}

/// Settles a delivery: it is to come again, not before `after_ms`, at most ten minutes. As `dmr_session_ack` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_retry(session: *mut dmr_session, delivery: u64, after_ms: u32) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { with(session, |session| Ok(session.settle(delivery, Settlement::Retry { after_ms })?)) }
}

/// Settles a delivery: it is never to come again, for `reason`, `DMR_FAILURE_…`. As `dmr_session_ack` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_reject(session: *mut dmr_session, delivery: u64, reason: u16) -> dmr_status {
    let reason = FailureReason::from_number(reason);
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { with(session, |session| Ok(session.settle(delivery, Settlement::Reject { reason })?)) }
}
