//! The agent's session, for a program that owns its WebSocket.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::exchange::{LoginRefusal, SignedLogin};
use dmr_core::frame::{Challenge, Settlement};
use dmr_core::id::InstanceId;
use dmr_core::limit;
use dmr_core::reason::CloseReason;
use dmr_core::session::{AgentSession, DeliveryId};
use dmr_core::time::{Now, Timestamp};
use dmr_crypto::{Keyring, VerifiedDirectory, verify_challenge};

use super::boundary::{Failure, boundary, dmr_status};
use super::directory::dmr_directory;
use super::handle::{Handle, handle};
use super::keys::dmr_keys;
use super::login::{dmr_login_options, prove};
use super::session_config::dmr_session_config;
use super::trust::locked;
use crate::CallError;

/// WebSocket subprotocol that both sides name.
pub const DMR_SUBPROTOCOL: &str = "dmr.v1";

/// An agent's session, without a connection of its own. The program opens a WebSocket to the path
/// `/v1/link` of the server with the one subprotocol `DMR_SUBPROTOCOL` when `DMR_EVENT_CONNECT` says so, hands each binary message to `dmr_session_receive`, sends what
/// `dmr_session_poll_transmit` gives as one binary message each, does what `dmr_session_poll_event` asks for, and calls
/// `dmr_session_handle_timeout` when `dmr_session_poll_timeout` is reached. It needs no clock: both readings are given,
/// `wall_ms` in milliseconds since 1970, and `elapsed_ms` of a clock that never goes back, from any origin.
///
/// Locked within, so any number of threads may call it; what the calls mean depends on their order, which is for the program
/// to keep. Freed with `dmr_session_free`.
#[derive(Debug)]
pub struct dmr_session;

handle!(dmr_session, Mutex<Session>);

/// The session, and what C names by numbers.
#[derive(Debug)]
pub struct Session {
    pub(crate) inner: AgentSession,
    /// The challenge that is to be signed, and the server's signature.
    pub(crate) challenge: Option<(Bytes, Bytes)>,
    instance: InstanceId,
    /// Deliveries of this link that are not settled: no more than the prefetch.
    deliveries: BTreeMap<u64, DeliveryId>,
    next_delivery: u64,
}

impl Session {
    pub(crate) fn remember(&mut self, delivery: DeliveryId) -> u64 {
        self.next_delivery = self.next_delivery.saturating_add(1);
        self.deliveries.insert(self.next_delivery, delivery);
        self.next_delivery
    }

    pub(crate) fn forget_link(&mut self) {
        self.deliveries.clear();
        self.challenge = None;
    }

    /// Settles the delivery of this number; one of an older link is left alone.
    pub(crate) fn settle(&mut self, number: u64, settlement: Settlement) -> Result<(), CallError> {
        if let Some(delivery) = self.deliveries.remove(&number) {
            self.inner.settle(delivery, settlement);
        } else if number == 0 || number > self.next_delivery {
            return Err(CallError::OutOfRange { argument: "delivery", value: number });
        }
        Ok(())
    }

    /// Answers the challenge. What is wrong with it is told to the session as well, which then closes the link.
    fn sign(
        &mut self,
        keys: &Keyring,
        directory: Option<&VerifiedDirectory>,
        options: &dmr_login_options,
        now: Now,
    ) -> Result<(), Failure> {
        let none = CallError::OutOfTurn { what: "the session has no challenge to sign" };
        let (challenge, signature) = self.challenge.take().ok_or(none)?;
        if let Some(directory) = directory
            && let Err(error) = verify_challenge(&challenge, &signature, directory, now.wall)
        {
            self.inner.challenge_refused(CloseReason::WrongServer, now);
            return Err(error.into());
        }
        let mut options = *options;
        options.instance = self.instance.into();
        if options.has_binding != 0 && !Challenge::decode(&challenge)?.binds_channel {
            if options.allows_unbound == 0 {
                self.inner.challenge_refused(CloseReason::NoChannelBinding, now);
                return Err(LoginRefusal::NoChannelBinding.into());
            }
            options.has_binding = 0;
        }
        match prove(keys, directory, &challenge, &options, now.wall) {
            Ok(SignedLogin { fields, proof }) => {
                self.inner.challenge_signed(fields, proof, now);
                Ok(())
            }
            Err(failure) => {
                self.inner.challenge_refused(CloseReason::LoginRefused, now);
                Err(failure)
            }
        }
    }
}

/// A reading of both clocks.
pub(crate) fn now(wall_ms: u64, elapsed_ms: u64) -> Now {
    Now { elapsed: Duration::from_millis(elapsed_ms), wall: Timestamp(wall_ms) }
}

/// A reason that may close a WebSocket.
fn close_reason(number: u16) -> Result<CloseReason, CallError> {
    if (3_000..4_000).contains(&number) {
        Ok(CloseReason::from_number(number))
    } else {
        Err(CallError::OutOfRange { argument: "reason", value: number.into() })
    }
}

/// Feeds the session behind `session`.
///
/// # Safety
/// As for [`boundary`].
pub(crate) unsafe fn with(
    session: *mut dmr_session,
    work: impl FnOnce(&mut Session) -> Result<(), Failure>,
) -> dmr_status {
    // SAFETY: the caller of this function promises it.
    unsafe {
        boundary(|_| {
            let session = dmr_session::get(session)?;
            let mut session = locked(&session)?;
            work(&mut session)
        })
    }
}

/// [`with`], for what cannot fail.
///
/// # Safety
/// As for [`boundary`].
unsafe fn feed(session: *mut dmr_session, work: impl FnOnce(&mut AgentSession)) -> dmr_status {
    // SAFETY: the caller of this function promises it.
    unsafe {
        with(session, |session| {
            work(&mut session.inner);
            Ok(())
        })
    }
}

/// A session, which asks for a link at once.
///
/// `config`: how it behaves. `session`: a handle, to be freed with `dmr_session_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_new(
    config: *const dmr_session_config,
    wall_ms: u64,
    elapsed_ms: u64,
    session: *mut *mut dmr_session,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let session = caller.out(session, "session")?;
            let config = caller.one(config, "config")?.read(caller)?;
            let instance = config.instance;
            let inner = AgentSession::new(config, now(wall_ms, elapsed_ms));
            let (deliveries, next_delivery) = (BTreeMap::new(), 0);
            dmr_session::put(
                session,
                Mutex::new(Session { inner, challenge: None, instance, deliveries, next_delivery }),
            );
            Ok(())
        })
    }
}

/// The link that was asked for is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_link_up(session: *mut dmr_session, wall_ms: u64, elapsed_ms: u64) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { feed(session, |inner| inner.link_up(now(wall_ms, elapsed_ms))) }
}

/// The link is gone or could not be opened.
///
/// `reason`: the close code of the WebSocket when it is 3000 to 3999, else `DMR_CLOSE_LINK_LOST` or
/// `DMR_CLOSE_CONNECT_FAILED`. `DMR_CALL_OUT_OF_RANGE` for any other number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_link_down(
    session: *mut dmr_session,
    reason: u16,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        with(session, |session| {
            session.inner.link_down(close_reason(reason)?, now(wall_ms, elapsed_ms));
            Ok(())
        })
    }
}

/// A frame came in: one binary message of the WebSocket. What is wrong with it closes the link, and is no error here.
///
/// `frame`, `len`: the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_receive(
    session: *mut dmr_session,
    frame: *const u8,
    len: usize,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let session = dmr_session::get(session)?;
            let frame = caller.bytes(frame, len, "frame")?;
            // A frame that is too long is refused whatever is in it: one byte past the bound is enough to see that.
            let frame = Bytes::copy_from_slice(frame.get(..=limit::FRAME).unwrap_or(frame));
            locked(&session)?.inner.receive(&frame, now(wall_ms, elapsed_ms));
            Ok(())
        })
    }
}

/// Answers `DMR_EVENT_SIGN`: checks the server where the directory lists any, and logs in. On an error below 800 or above
/// 899 the session has been told that the challenge is refused, and closes the link: `DMR_CHALLENGE_…` for a server that
/// does not prove its name, `DMR_LOGIN_REFUSAL_NO_CHANNEL_BINDING` for one that cannot bind where that is demanded. The
/// others are of the call itself and change nothing; `DMR_CALL_OUT_OF_TURN` when there is no challenge to answer.
///
/// `keys`: who logs in. `directory`: the newest, or null when there is none yet. `options`: of this connection; its
/// `instance` is not looked at, the session has one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_sign(
    session: *mut dmr_session,
    keys: *const dmr_keys,
    directory: *const dmr_directory,
    options: *const dmr_login_options,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let session = dmr_session::get(session)?;
            let (keys, directory) = (dmr_keys::get(keys)?, dmr_directory::get_optional(directory)?);
            let options = caller.one(options, "options")?;
            locked(&session)?.sign(&keys, directory.as_deref(), options, now(wall_ms, elapsed_ms))
        })
    }
}

/// Answers `DMR_EVENT_SIGN` with a login of the program's own making: see `dmr_login_prove`.
///
/// `fields`: at most 4 KiB. `proof`: 64 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_challenge_signed(
    session: *mut dmr_session,
    fields: *const u8,
    fields_len: usize,
    proof: *const u8,
    proof_len: usize,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let session = dmr_session::get(session)?;
            let fields = caller.many(fields, fields_len, limit::LOGIN_FRAME, "fields")?;
            let (argument, expected) = ("proof", 64);
            if proof_len != expected {
                return Err(CallError::WrongLength { argument, len: proof_len, expected }.into());
            }
            let proof = Bytes::copy_from_slice(caller.bytes(proof, proof_len, argument)?);
            let fields = Bytes::copy_from_slice(fields);
            let mut session = locked(&session)?;
            session.challenge = None;
            session.inner.challenge_signed(fields, proof, now(wall_ms, elapsed_ms));
            Ok(())
        })
    }
}

/// Answers `DMR_EVENT_SIGN`: the program does not log in here, and the link closes.
///
/// `reason`: `DMR_CLOSE_…`; `DMR_CLOSE_WRONG_SERVER` for a server that does not prove its name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_challenge_refused(
    session: *mut dmr_session,
    reason: u16,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        with(session, |session| {
            let reason = close_reason(reason)?;
            session.challenge = None;
            session.inner.challenge_refused(reason, now(wall_ms, elapsed_ms));
            Ok(())
        })
    }
}

/// Asks for the directory; at most every 5 s, and after the next login when there is no link.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_fetch_directory(
    session: *mut dmr_session,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { feed(session, |inner| inner.fetch_directory(now(wall_ms, elapsed_ms))) }
}

/// Another directory is in use: the session does not ask for that again.
///
/// `revision`: as `dmr_directory_read` tells it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_directory_changed(session: *mut dmr_session, revision: u64) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { feed(session, |inner| inner.directory_changed(revision)) }
}

/// From now on deliveries can be handled: subscribes, for a session whose `subscribes_at_once` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_accept_deliveries(session: *mut dmr_session) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { feed(session, |inner| inner.accept_deliveries()) }
}

/// Closes the link for `reason`, `DMR_CLOSE_…`, and opens another.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_reconnect(
    session: *mut dmr_session,
    reason: u16,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        with(session, |session| {
            session.inner.reconnect(close_reason(reason)?, now(wall_ms, elapsed_ms));
            Ok(())
        })
    }
}

/// Takes nothing new, waits for confirms and settles for the grace period, closes the link, and tells
/// `DMR_EVENT_STOPPED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_shutdown(session: *mut dmr_session, wall_ms: u64, elapsed_ms: u64) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { feed(session, |inner| inner.shutdown(now(wall_ms, elapsed_ms))) }
}

/// Looks at the time. Calling it too early does no harm.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_handle_timeout(
    session: *mut dmr_session,
    wall_ms: u64,
    elapsed_ms: u64,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { feed(session, |inner| inner.handle_timeout(now(wall_ms, elapsed_ms))) }
}

/// Frees the session with all it holds, and sets `*session` to null. A handle that was freed before gives
/// `DMR_CALL_WRONG_HANDLE`, null nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_free(session: *mut *mut dmr_session) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe { boundary(|caller| Ok(dmr_session::free(caller, session)?)) }
}
