//! `dmr.seal`, `dmr.open`, `dmr.verify` and the envelope between them.

use bytes::Bytes;
use dmr_core::content::{Content, Message, Reference};
use dmr_core::envelope::Envelope as Sealed;
use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::limit;
use dmr_crypto::SealRequest;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple, PyType};

use super::directory::Directory;
use super::error::{boundary, calmly, named};
use super::keys::Keys;
use super::opened::{Facts, Opened};
use super::value::{
    as_reference, buffer, datetime, id, is_uuid, number, optional_id, reference, some_time, span, time, uuid,
};
use crate::code::ErrorCode;

/// A sealed message as it travels: a header that anybody can read, and what only its recipients can open.
///
/// Made by :func:`dmr.seal`, or from bytes by :meth:`decode`, which checks the form alone: believe nothing of it before
/// :func:`dmr.verify` or :func:`dmr.open`. ``bytes(envelope)`` is what is sent. Frozen.
#[pyclass(frozen, module = "dmr")]
pub(super) struct Envelope {
    inner: Sealed,
}

#[pymethods]
impl Envelope {
    /// The envelope in these bytes: a buffer object of at most :data:`dmr.ENVELOPE_LIMIT` bytes.
    ///
    /// Raises:
    ///     dmr.InputError: they are no envelope.
    #[classmethod]
    fn decode(class: &Bound<'_, PyType>, data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let data = buffer(data)?;
        let inner = boundary(class.py(), || Sealed::decode(Bytes::copy_from_slice(&data)))?;
        Ok(Self { inner })
    }

    /// Its id, as its header says; the same for the rest.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        uuid(py, &self.inner.header().id)
    }

    /// Who sealed it.
    #[getter]
    fn sender<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        uuid(py, &self.inner.header().sender)
    }

    /// Who can open it, ascending.
    #[getter]
    fn recipients<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let ids = self.inner.header().recipients.as_slice().iter().map(|recipient| uuid(py, &recipient.participant));
        PyTuple::new(py, ids.collect::<PyResult<Vec<_>>>()?)
    }

    /// The network it belongs to.
    #[getter]
    fn network(&self) -> &str {
        self.inner.header().network.as_str()
    }

    /// What it is for.
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        number(py, "Kind", self.inner.header().kind.0)
    }

    /// Its algorithms.
    #[getter]
    fn suite<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        number(py, "Suite", self.inner.header().suite.number())
    }

    /// When it was sealed, by the sender's clock.
    #[getter]
    fn created<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.inner.header().created)
    }

    /// When it expires.
    #[getter]
    fn expires<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.inner.header().expires)
    }

    /// Revision of the directory it was sealed under.
    #[getter]
    fn directory_revision(&self) -> u64 {
        self.inner.header().directory_revision
    }

    /// Digest of that directory, 32 bytes.
    #[getter]
    fn directory_digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.header().directory_digest.as_bytes())
    }

    /// The id of the sender's key that signed it, 16 bytes.
    #[getter]
    fn sender_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.header().sender_key.as_bytes())
    }

    /// Its id and digest: names it in answers, whether or not it verifies.
    #[getter]
    fn reference<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let digest = calmly(py, || dmr_crypto::digest_of(&self.inner))?;
        reference(py, &Reference { id: self.inner.header().id, digest })
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.bytes())
    }

    fn __len__(&self) -> usize {
        self.inner.bytes().len()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().inner.bytes() == self.inner.bytes())
    }

    fn __hash__(&self) -> u64 {
        self.inner.signature().iter().fold(0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte))
    }

    fn __repr__(&self) -> String {
        let header = self.inner.header();
        format!("Envelope({}, {}, from {}, {} bytes)", header.id, header.kind, header.sender, self.inner.bytes().len())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let bytes = PyBytes::new(slf.py(), slf.get().inner.bytes());
        Ok((slf.get_type().getattr("decode")?, (bytes,)))
    }
}

/// Seals a message for 1 to 64 recipients and signs it.
///
/// Takes the highest suite that every recipient lists. Each call makes other bytes: what is to be sent again is kept, not
/// sealed again.
///
/// Args:
///     keys: the sender's keys.
///     directory: the verified directory in use.
///     to: a recipient, by its name in the directory or its id, or a list of them.
///     body: the message itself: bytes, or text, which is sent as UTF-8. At most :data:`dmr.MESSAGE_LIMIT` bytes, less the
///         few that its type and references take.
///     content_type: media type of ``body``.
///     kind: what the envelope is for, a :class:`dmr.Kind`; default: a question.
///     id: its id; default: a fresh one. Never used for two messages.
///     created: now, by the sender's clock; default: the system's.
///     ttl: seconds that it may take; default: as long as the directory allows, 24 hours where it says no other.
///     expires: the end of that time, instead of ``ttl``.
///     conversation, sequence, room: where it belongs.
///     in_reply_to: the reference of the envelope it answers.
///
/// Raises:
///     dmr.SealError: nothing was sealed, and why.
///     dmr.VerifyError: a recipient is not listed, does not take part, or may not be written to.
///     dmr.AuthorityError: the sender's own entry does not serve its keys.
///
/// >>> from dmr import testing
/// >>> network = testing.network("tax", "police")
/// >>> tax, police = network.keys["tax"], network.keys["police"]
/// >>> envelope = dmr.seal(tax, network.directory, "police", "Is report 2026-00417 known?")
/// >>> dmr.open(police, network.directory, envelope).body
/// b'Is report 2026-00417 known?'
#[pyfunction]
#[pyo3(signature = (keys, directory, to, body, *, content_type="text/plain", kind=1, id=None, created=None, ttl=None,
    expires=None, conversation=None, sequence=None, room=None, in_reply_to=None))]
#[expect(clippy::too_many_arguments, reason = "Python names them")]
pub(super) fn seal(
    py: Python<'_>,
    keys: &Bound<'_, Keys>,
    directory: &Bound<'_, Directory>,
    to: &Bound<'_, PyAny>,
    body: &Bound<'_, PyAny>,
    content_type: &str,
    kind: u16,
    id: Option<&Bound<'_, PyAny>>,
    created: Option<&Bound<'_, PyAny>>,
    ttl: Option<f64>,
    expires: Option<&Bound<'_, PyAny>>,
    conversation: Option<&Bound<'_, PyAny>>,
    sequence: Option<u64>,
    room: Option<&Bound<'_, PyAny>>,
    in_reply_to: Option<&Bound<'_, PyAny>>,
) -> PyResult<Envelope> {
    let (keys, directory) = (keys.get(), directory.get());
    let recipients = recipients(directory, to, "verify.unknown-recipient")?;
    let created = time(created)?;
    let expires = match (expires, ttl) {
        (Some(_), Some(_)) => return Err(PyTypeError::new_err("ttl or expires, not both")),
        (Some(expires), None) => some_time(expires)?,
        (None, Some(seconds)) => created.plus(span("ttl", seconds)?),
        (None, None) => created.plus(directory.inner.directory().max_ttl),
    };
    let id: Option<MessageId> = optional_id(id)?;
    let content = Content::V1(Message {
        content_type: content_type.to_owned(),
        conversation: optional_id(conversation)?,
        sequence,
        room: optional_id(room)?,
        in_reply_to: in_reply_to.map(as_reference).transpose()?,
        body: message_body(body)?,
    });
    let sealed = boundary(py, || {
        let id = id.map_or_else(|| dmr_crypto::fresh_message_id(created), Ok)?;
        let request =
            SealRequest { id, kind: Kind(kind), recipients: &recipients, created, expires, content: &content };
        dmr_crypto::seal(&keys.keyring, &directory.inner, request)
    })?;
    Ok(Envelope { inner: sealed.envelope })
}

/// Opens an envelope, checking everything about its sender first: that it was sealed by it, for this recipient among the
/// others its header names, in this network, within its times, under a key that the directory lists and does not revoke.
///
/// Args:
///     keys: the recipient's keys.
///     directory: the verified directory in use.
///     envelope: a :class:`dmr.Envelope`, or its bytes.
///     now: the time; default: the system's clock.
///
/// An envelope opens as often as it comes: whoever must not handle it twice remembers ``(sender, id)`` until it expires.
///
/// Raises:
///     dmr.VerifyError: the sender is not who it says, or it is not acceptable now.
///     dmr.SealError: it is not for these keys, or cannot be opened. Which step failed is not told.
///     dmr.InputError: the bytes are no envelope.
#[pyfunction]
#[pyo3(signature = (keys, directory, envelope, *, now=None))]
pub(super) fn open(
    py: Python<'_>,
    keys: &Bound<'_, Keys>,
    directory: &Bound<'_, Directory>,
    envelope: &Bound<'_, PyAny>,
    now: Option<&Bound<'_, PyAny>>,
) -> PyResult<Opened> {
    let (keys, directory, now) = (keys.get(), directory.get(), time(now)?);
    let envelope = sealed(py, envelope)?;
    let opened = boundary(py, || dmr_crypto::open(&keys.keyring, &directory.inner, &envelope, now))?;
    let Content::V1(message) = opened.content else {
        let code = ErrorCode::from_name("open.malformed").unwrap_or(ErrorCode::UNKNOWN);
        return Err(named(py, code, "a content of a later version"));
    };
    let (kind, created) = (envelope.header().kind, envelope.header().created);
    let reference = Reference { id: opened.id, digest: opened.digest };
    Ok(Opened { kind, created, reference, sender: opened.sender, expires: opened.expires, message })
}

/// Checks everything that can be known of an envelope without a secret, as relays do: that its sender sealed it, now, under
/// this directory.
///
/// Args:
///     envelope: a :class:`dmr.Envelope`, or its bytes.
///     directory: the verified directory in use.
///     now: the time; default: the system's clock.
///
/// Raises:
///     dmr.VerifyError: the first thing that is wrong.
///     dmr.InputError: the bytes are no envelope.
#[pyfunction]
#[pyo3(signature = (envelope, directory, *, now=None))]
pub(super) fn verify(
    py: Python<'_>,
    envelope: &Bound<'_, PyAny>,
    directory: &Bound<'_, Directory>,
    now: Option<&Bound<'_, PyAny>>,
) -> PyResult<Facts> {
    let (directory, now) = (directory.get(), time(now)?);
    let envelope = sealed(py, envelope)?;
    let inner = boundary(py, || dmr_crypto::verify_envelope(&envelope, &directory.inner, now))?;
    Ok(Facts { inner })
}

fn sealed(py: Python<'_>, envelope: &Bound<'_, PyAny>) -> PyResult<Sealed> {
    if let Ok(envelope) = envelope.cast::<Envelope>() {
        return Ok(envelope.get().inner.clone());
    }
    let data = buffer(envelope)?;
    boundary(py, || Sealed::decode(Bytes::copy_from_slice(&data)))
}

/// A message's body: bytes, or text.
pub(super) fn message_body(body: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    match body.cast::<PyString>() {
        Ok(text) => Ok(Bytes::copy_from_slice(text.to_cow()?.as_bytes())),
        Err(_) => Ok(Bytes::copy_from_slice(&buffer(body)?)),
    }
}

/// The recipients that names and ids mean. A name that the directory does not list is the error `unknown`.
pub(super) fn recipients(
    directory: &Directory,
    to: &Bound<'_, PyAny>,
    unknown: &'static str,
) -> PyResult<Vec<ParticipantId>> {
    if to.is_instance_of::<PyString>() || is_uuid(to)? {
        return Ok(vec![recipient(directory, to, unknown)?]);
    }
    let mut found = Vec::new();
    for each in to.try_iter()? {
        found.push(recipient(directory, &each?, unknown)?);
        // One too many is told by sealing; an iterator without an end is not followed to it.
        if found.len() > limit::RECIPIENTS {
            break;
        }
    }
    Ok(found)
}

fn recipient(directory: &Directory, who: &Bound<'_, PyAny>, unknown: &str) -> PyResult<ParticipantId> {
    let py = who.py();
    if let Some(entry) = directory.find(who)? {
        return Ok(entry.id);
    }
    if is_uuid(who)? {
        return id(who);
    }
    let code = ErrorCode::from_name(unknown).unwrap_or(ErrorCode::UNKNOWN);
    Err(named(py, code, &format!("the directory does not list {}", who.repr()?)))
}

/// A list of ids.
pub(super) fn uuids<'py>(py: Python<'py>, ids: &[ParticipantId]) -> PyResult<Bound<'py, PyTuple>> {
    let ids = ids.iter().map(|each| uuid(py, each)).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, ids)
}
