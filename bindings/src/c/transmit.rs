//! What a session sends, and when it wants to be looked at.

use dmr_core::session::{AgentState, Transmit};

use super::argument::plain;
use super::boundary::{boundary, dmr_status};
use super::bytes::dmr_bytes;
use super::event::up;
use super::handle::Handle;
use super::session::dmr_session;
use super::trust::locked;

/// Nothing for now.
pub const DMR_TRANSMIT_NONE: u32 = 0;
/// Send `frame`: one binary WebSocket message.
pub const DMR_TRANSMIT_FRAME: u32 = 1;
/// Close the link with `close_code`, then report it down. Nothing follows on this link.
pub const DMR_TRANSMIT_CLOSE: u32 = 2;

/// No deadline.
pub const DMR_NEVER: u64 = u64::MAX;

/// Between two links.
pub const DMR_STATE_WAITING: u32 = 0;
/// The program opens a link.
pub const DMR_STATE_CONNECTING: u32 = 1;
/// The link is open.
pub const DMR_STATE_AWAITING_CHALLENGE: u32 = 2;
/// The program checks the challenge and signs the login.
pub const DMR_STATE_SIGNING: u32 = 3;
/// The login is out.
pub const DMR_STATE_AWAITING_WELCOME: u32 = 4;
/// Frames flow.
pub const DMR_STATE_READY: u32 = 5;
/// The server or the program asked to finish.
pub const DMR_STATE_DRAINING: u32 = 6;
/// The close is to be sent.
pub const DMR_STATE_CLOSING: u32 = 7;
/// Over.
pub const DMR_STATE_STOPPED: u32 = 8;

/// What is to be done to the link. Freed with `dmr_transmit_free`.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_transmit {
    /// `DMR_TRANSMIT_…`.
    pub kind: u32,
    /// Close code of the WebSocket, `DMR_CLOSE_…`.
    pub close_code: u16,
    /// The frame.
    pub frame: dmr_bytes,
}

/// Where a session stands.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_session_view {
    /// `DMR_STATE_…`.
    pub state: u32,
    /// Not 0: `dmr_session_poll_transmit` may have something.
    pub wants_transmit: u8,
    /// Messages in the outbox.
    pub outbox_messages: usize,
    /// Bytes of their envelopes.
    pub outbox_bytes: usize,
    /// Those on the link without an answer.
    pub unconfirmed: usize,
    /// Deliveries that are not settled.
    pub unsettled: usize,
}

plain!(dmr_transmit, dmr_session_view);

/// Takes the next frame, or the close. Ask when the link can take one; publishes become frames only then.
///
/// `transmit`: to be freed with `dmr_transmit_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_poll_transmit(
    session: *mut dmr_session,
    transmit: *mut dmr_transmit,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let out = caller.out(transmit, "transmit")?;
            let session = dmr_session::get(session)?;
            let next = locked(&session)?.inner.poll_transmit();
            let nothing = dmr_transmit { kind: DMR_TRANSMIT_NONE, close_code: 0, frame: dmr_bytes::NONE };
            out.put(match next {
                None => nothing,
                Some(Transmit::Frame(frame)) => {
                    dmr_transmit { kind: DMR_TRANSMIT_FRAME, frame: dmr_bytes::copy_of(&frame), ..nothing }
                }
                Some(Transmit::Close(reason)) => {
                    dmr_transmit { kind: DMR_TRANSMIT_CLOSE, close_code: reason.number(), ..nothing }
                }
            });
            Ok(())
        })
    }
}

/// Frees what `transmit` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must not be
/// freed as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_transmit_free(transmit: *mut dmr_transmit) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            caller.change(transmit, "transmit", |transmit| transmit.frame.release())?;
            caller.out(transmit, "transmit")?;
            Ok(())
        })
    }
}

/// When `dmr_session_handle_timeout` wants to be called, on the clock of `elapsed_ms`; `DMR_NEVER` when not at all. Every
/// other call may change it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_poll_timeout(session: *const dmr_session, elapsed_ms: *mut u64) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let deadline = caller.out(elapsed_ms, "elapsed_ms")?;
            let session = dmr_session::get(session)?;
            deadline.put(locked(&session)?.inner.poll_timeout().map_or(DMR_NEVER, up));
            Ok(())
        })
    }
}

/// Where the session stands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_read(session: *const dmr_session, view: *mut dmr_session_view) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let view = caller.out(view, "view")?;
            let session = dmr_session::get(session)?;
            let session = locked(&session)?;
            let depth = session.inner.outbox();
            view.put(dmr_session_view {
                state: match session.inner.state() {
                    AgentState::Waiting => DMR_STATE_WAITING,
                    AgentState::Connecting => DMR_STATE_CONNECTING,
                    AgentState::AwaitingChallenge => DMR_STATE_AWAITING_CHALLENGE,
                    AgentState::Signing => DMR_STATE_SIGNING,
                    AgentState::AwaitingWelcome => DMR_STATE_AWAITING_WELCOME,
                    AgentState::Ready => DMR_STATE_READY,
                    AgentState::Draining => DMR_STATE_DRAINING,
                    AgentState::Closing => DMR_STATE_CLOSING,
                    AgentState::Stopped => DMR_STATE_STOPPED,
                },
                wants_transmit: session.inner.wants_transmit().into(),
                outbox_messages: depth.messages,
                outbox_bytes: depth.bytes,
                unconfirmed: depth.unconfirmed,
                unsettled: session.inner.unsettled(),
            });
            Ok(())
        })
    }
}
