//! `dmr.Exchange`: an agent without its IO, for whoever owns a link and an event loop.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dmr_core::content::Message;
use dmr_core::exchange::{
    Exchange as Pure, ExchangeConfig, InHand as Held, Limits, MessageStatus, Outcome, OutgoingMessage, Records,
    SealedMessage as Sealed, SendError,
};
use dmr_core::frame::ChannelBinding;
use dmr_core::header::Kind;
use dmr_core::id::{InstanceId, MessageId, Name};
use dmr_core::reason::{CloseReason, FailureReason};
use dmr_core::session::{AgentSessionConfig, Transmit};
use dmr_core::time::Now;
use dmr_crypto::{RandomError, Sealer};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::directory::{Directory, Pin};
use super::envelope::{message_body, recipients};
use super::error::{boundary, calmly, named, out_of_range, send_failed};
use super::keys::Keys;
use super::output;
use super::value::{as_reference, buffer, id, made, name, now, optional_id, span, uuid};
use crate::code::ErrorCode;

/// A message in the program's hands, to be settled once.
#[pyclass(frozen, module = "dmr")]
pub(super) struct InHand {
    held: Mutex<Option<Held>>,
    message: dmr_core::exchange::IncomingMessage,
}

impl InHand {
    pub(super) fn new(held: Held, message: dmr_core::exchange::IncomingMessage) -> Self {
        Self { held: Mutex::new(Some(held)), message }
    }

    fn take(&self) -> PyResult<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        held.ok_or_else(|| PyRuntimeError::new_err("this delivery is settled already"))
    }
}

#[pymethods]
impl InHand {
    fn __repr__(&self) -> String {
        format!("InHand({})", self.message.reference.id)
    }
}

/// An answer, sealed and not yet on its way.
#[pyclass(frozen, module = "dmr")]
pub(super) struct SealedMessage {
    inner: Sealed,
}

#[pymethods]
impl SealedMessage {
    /// Its id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        uuid(py, &self.inner.reference.id)
    }

    fn __repr__(&self) -> String {
        format!("SealedMessage({}, {} bytes)", self.inner.reference.id, self.inner.envelope.len())
    }
}

/// An agent without its IO: the state machine that ``dmr-agent`` runs too. It reconnects, backs off, deduplicates, answers
/// receipts and drains; whoever drives it opens links, moves frames and wakes those who wait. :class:`dmr.aio.Agent` does.
///
/// After every call take :meth:`poll_event` until it returns ``None``. Locked inside: calls from several threads follow one
/// another. It reads the system's clocks.
#[pyclass(frozen, module = "dmr")]
pub(super) struct Exchange {
    inner: Mutex<Pure<Sealer>>,
    sealer: Sealer,
    records: Records,
    since: Instant,
}

impl Exchange {
    fn now(&self) -> Now {
        Now { elapsed: self.since.elapsed(), wall: now() }
    }

    /// A panic poisons the lock; the exchange then goes on from its last whole step, as far as it is whole.
    fn lock(&self) -> MutexGuard<'_, Pure<Sealer>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Pure<Sealer>, Now) -> T + Send) -> PyResult<T> {
        calmly(py, || work(&mut self.lock(), self.now()))
    }

    fn settle(&self, py: Python<'_>, in_hand: &InHand, outcome: Outcome) -> PyResult<()> {
        let held = in_hand.take()?;
        self.with(py, |exchange, now| exchange.settle(held, outcome, now))?.map_err(|error| send_failed(py, &error))
    }
}

#[pymethods]
impl Exchange {
    /// An exchange that begins to connect at once.
    ///
    /// Args:
    ///     keys: the participant's keys, of which it makes a copy of its own.
    ///     pin: the root keys of the network.
    ///     servers: for each server, the name that its challenge must bear; ``None``: any.
    ///     directory: the directory that was kept from before, if any.
    ///     prefetch: messages that the program may have unsettled at once, 1 to 1,024; ``None``: it only sends.
    ///     allow_unbound: whether to log in over TLS that ends before the server's process.
    ///     outbox_messages, outbox_bytes: bounds of what is kept until its receipt.
    #[new]
    #[pyo3(signature = (keys, pin, servers, *, directory=None, prefetch=64, allow_unbound=false, outbox_messages=10_000,
        outbox_bytes=67_108_864))]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    fn new(
        py: Python<'_>,
        keys: &Bound<'_, Keys>,
        pin: &Bound<'_, Pin>,
        servers: Vec<Option<String>>,
        directory: Option<&Bound<'_, Directory>>,
        prefetch: Option<u16>,
        allow_unbound: bool,
        outbox_messages: usize,
        outbox_bytes: usize,
    ) -> PyResult<Self> {
        if servers.is_empty() {
            return Err(out_of_range(py, "servers", 0));
        }
        if let Some(wrong) = prefetch.filter(|prefetch| !(1..=1_024).contains(prefetch)) {
            return Err(out_of_range(py, "prefetch", wrong.into()));
        }
        let named_servers = servers.into_iter().map(|server| server.map(|text| name(py, &text)).transpose());
        let servers: Vec<Option<Name>> = named_servers.collect::<PyResult<_>>()?;
        let keys = keys.get();
        let keyring = boundary(py, || keys.copied())?;
        let mut random = [0_u8; 24];
        boundary(py, || getrandom::fill(&mut random).map_err(|_| RandomError))?;
        let [a, b, c, d, e, f, g, h, instance @ ..] = random;
        let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let instance = InstanceId::from_random_bytes(instance);
        let network = pin.get().inner.network().clone();
        let mut session = AgentSessionConfig::new(network, keyring.participant(), instance, servers, seed);
        session.prefetch = prefetch;
        let limits = Limits { outbox_messages, outbox_bytes, ..Limits::default() };
        let config = ExchangeConfig { limits, allow_unbound, ..ExchangeConfig::new(session) };
        let records = config.records.clone();
        let sealer = Sealer::new(keyring, directory.map(|directory| directory.get().inner.clone()));
        let since = Instant::now();
        let exchange = Pure::new(config, sealer.clone(), Now { elapsed: Duration::ZERO, wall: now() });
        Ok(Self { inner: Mutex::new(exchange), sealer, records, since })
    }

    /// The link that was asked for is open. ``binding``: the TLS exporter of RFC 9266, 32 bytes; ``None`` without TLS.
    #[pyo3(signature = (binding=None))]
    fn link_up(&self, py: Python<'_>, binding: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let binding = match binding {
            None => ChannelBinding::None,
            Some(exporter) => {
                let exporter = buffer(exporter)?;
                let exporter: [u8; 32] =
                    exporter.as_ref().try_into().map_err(|_| PyValueError::new_err("a TLS exporter has 32 bytes"))?;
                ChannelBinding::TlsExporter(exporter)
            }
        };
        self.with(py, |exchange, now| exchange.link_up(binding, now))
    }

    /// The link is gone, or could not be opened: the code of the close, or 3009 (lost) or 3010 (not opened).
    fn link_down(&self, py: Python<'_>, reason: u16) -> PyResult<()> {
        self.with(py, |exchange, now| exchange.link_down(CloseReason::from_number(reason), now))
    }

    /// A frame came in: one binary WebSocket message.
    fn receive(&self, py: Python<'_>, frame: &Bound<'_, PyAny>) -> PyResult<()> {
        let frame = buffer(frame)?;
        self.with(py, |exchange, now| exchange.receive(&Bytes::copy_from_slice(&frame), now))
    }

    /// The next event, one of :mod:`dmr.events`.
    fn poll_event<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        loop {
            let Some(output) = self.with(py, |exchange, _| exchange.poll_output())? else { return Ok(None) };
            if let Some(event) = output::event(py, output)? {
                return Ok(Some(event));
            }
        }
    }

    /// The next frame for the link, or the close, a :class:`dmr.events.Close`. Ask when the link can take one.
    fn poll_transmit<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(match self.with(py, |exchange, _| exchange.poll_transmit())? {
            None => None,
            Some(Transmit::Frame(frame)) => Some(PyBytes::new(py, &frame).into_any()),
            Some(Transmit::Close(reason)) => {
                Some(made(py, "dmr.events", "Close", (reason.number(), reason.to_string()))?)
            }
        })
    }

    /// Whether :meth:`poll_transmit` may have something.
    fn wants_transmit(&self) -> bool {
        self.lock().wants_transmit()
    }

    /// In how many seconds :meth:`handle_timeout` wants to be called; ``None``: not at all.
    fn timeout(&self) -> Option<f64> {
        let at = self.lock().poll_timeout()?;
        // A millisecond more, so that the time has come when the timer says so.
        Some(at.saturating_sub(self.since.elapsed()).as_secs_f64() + 0.001)
    }

    /// Looks at the time.
    fn handle_timeout(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |exchange, now| exchange.handle_timeout(now))
    }

    /// Uses this directory from now on.
    fn use_directory(&self, py: Python<'_>, directory: &Bound<'_, Directory>) -> PyResult<()> {
        self.sealer.use_directory(Some(directory.get().inner.clone()));
        self.with(py, |exchange, now| exchange.directory_changed(now))
    }

    /// Finishes what is in flight within 5 s, and stops.
    fn shutdown(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |exchange, now| exchange.shutdown(now))
    }

    /// Seals a message and takes it for publishing; :class:`dmr.events.Published` tells its end. With ``asks`` its answer is
    /// told, too. Returns its id. Arguments are those of :meth:`dmr.aio.Agent.send`.
    ///
    /// Raises:
    ///     dmr.SendError: nothing was taken.
    #[pyo3(signature = (to, kind, content_type, body, *, asks, id=None, expires_in=None, conversation=None, sequence=None,
        room=None, in_reply_to=None))]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    fn publish<'py>(
        &self,
        py: Python<'py>,
        to: &Bound<'py, PyAny>,
        kind: u16,
        content_type: String,
        body: &Bound<'py, PyAny>,
        asks: bool,
        id: Option<&Bound<'py, PyAny>>,
        expires_in: Option<f64>,
        conversation: Option<&Bound<'py, PyAny>>,
        sequence: Option<u64>,
        room: Option<&Bound<'py, PyAny>>,
        in_reply_to: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(directory) = self.sealer.directory() else {
            return Err(send_failed(py, &dmr_core::exchange::Unsealable::NoDirectory.into()));
        };
        let content = Message {
            content_type,
            conversation: optional_id(conversation)?,
            sequence,
            room: optional_id(room)?,
            in_reply_to: in_reply_to.map(as_reference).transpose()?,
            body: message_body(body)?,
        };
        let to = recipients(&Directory { inner: directory }, to)?;
        let mut message = OutgoingMessage::to(to, Kind(kind), content);
        message.id = optional_id(id)?;
        message.expires_in = expires_in.map(|seconds| span("expires_in", seconds)).transpose()?;
        let taken = calmly(py, || {
            let sealed = self.sealer.seal(message, now())?;
            let id = sealed.reference.id;
            self.lock().publish(sealed, asks, self.now()).map(|()| id)
        })?;
        uuid(py, &taken.map_err(|error: SendError| send_failed(py, &error))?)
    }

    /// Nobody waits for the answer to this question any more: it comes as a delivery.
    fn stop_asking(&self, py: Python<'_>, question: &Bound<'_, PyAny>) -> PyResult<()> {
        let question: MessageId = id(question)?;
        self.with(py, |exchange, _| exchange.stop_asking(question))
    }

    /// Takes a message back that was never on any link.
    fn withdraw(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<bool> {
        let message: MessageId = id(message)?;
        self.with(py, |exchange, now| exchange.withdraw(message, now))
    }

    /// What is known of a message that this exchange published; ``None`` for any other.
    fn status<'py>(&self, py: Python<'py>, message: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.records.status(id(message)?).map(|status| status_tuple(py, status)).transpose()
    }

    /// The program has taken the message.
    fn ack(&self, py: Python<'_>, in_hand: &Bound<'_, InHand>) -> PyResult<()> {
        self.settle(py, in_hand.get(), Outcome::Ack)
    }

    /// The program will never take it.
    fn reject(&self, py: Python<'_>, in_hand: &Bound<'_, InHand>, reason: u16) -> PyResult<()> {
        self.settle(py, in_hand.get(), Outcome::Reject(FailureReason::from_number(reason)))
    }

    /// The message comes again after so many seconds, at most 600.
    fn retry(&self, py: Python<'_>, in_hand: &Bound<'_, InHand>, after: f64) -> PyResult<()> {
        let after = span("after", after)?;
        self.settle(py, in_hand.get(), Outcome::Retry(after))
    }

    /// Seals the answer to a question in hand, under the id that follows from the question's.
    ///
    /// Raises:
    ///     dmr.SendError: nothing was sealed; the question is still in hand.
    fn seal_answer(
        &self,
        py: Python<'_>,
        in_hand: &Bound<'_, InHand>,
        content_type: String,
        body: &Bound<'_, PyAny>,
    ) -> PyResult<SealedMessage> {
        let question = &in_hand.get().message;
        if question.kind != Kind::QUESTION {
            return Err(send_failed(py, &SendError::NotAQuestion));
        }
        let content = Message {
            content_type,
            conversation: question.content.conversation,
            sequence: None,
            room: question.content.room,
            in_reply_to: None,
            body: message_body(body)?,
        };
        let (reference, asker) = (question.reference, question.sender);
        let sealed = calmly(py, || self.sealer.seal_answer(reference, asker, content, now()))?;
        Ok(SealedMessage { inner: sealed.map_err(|error| send_failed(py, &error))? })
    }

    /// Settles a question with its answer; :class:`dmr.events.Published` tells its end. Returns its id.
    ///
    /// Raises:
    ///     dmr.SendError: there is no room for it, and the question comes again; or it was answered before.
    fn answer<'py>(
        &self,
        py: Python<'py>,
        in_hand: &Bound<'py, InHand>,
        answer: &Bound<'py, SealedMessage>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let sealed = answer.get().inner.clone();
        let id = sealed.reference.id;
        self.settle(py, in_hand.get(), Outcome::Answer(sealed))?;
        uuid(py, &id)
    }

    /// Erases sealing keys that nothing in flight needs any more. Returns how many.
    fn erase_expired_keys(&self, py: Python<'_>) -> PyResult<usize> {
        calmly(py, || self.sealer.erase_expired_keys(now()))
    }

    /// Why nothing can be sealed now, in a stable word; ``None``: it can.
    fn unsealable(&self) -> Option<&'static str> {
        self.sealer.unsealable(now()).map(dmr_core::exchange::Unsealable::as_str)
    }

    /// The number of a reason for a failure, such as ``refused``.
    ///
    /// Raises:
    ///     dmr.CallError: there is no such reason.
    #[staticmethod]
    fn failure_reason(py: Python<'_>, word: &str) -> PyResult<u16> {
        let reason = FailureReason::ALL.iter().find(|reason| reason.as_str() == word);
        let code = ErrorCode::from_name("call.out-of-range").unwrap_or(ErrorCode::UNKNOWN);
        reason
            .map(|reason| reason.number())
            .ok_or_else(|| named(py, code, &format!("{word:?} is no reason for a failure")))
    }

    fn __repr__(&self) -> String {
        format!("Exchange({})", self.sealer.participant())
    }
}

fn status_tuple<'py>(py: Python<'py>, status: MessageStatus) -> PyResult<Bound<'py, PyAny>> {
    let (reason, answer) = match status {
        MessageStatus::Failed { reason, .. } => (Some(reason.to_string()), None),
        MessageStatus::Answered { answer } => (None, Some(uuid(py, &answer)?)),
        _ => (None, None),
    };
    made(py, "dmr.values", "MessageStatus", (status.as_str(), status.is_final(), status.is_signed(), reason, answer))
}
