//! What comes out of `dmr.open` and `dmr.verify`.

use dmr_core::content::{Message, Reference};
use dmr_core::header::Kind;
use dmr_core::id::ParticipantId;
use dmr_core::time::Timestamp;
use dmr_crypto::EnvelopeFacts;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::value::{datetime, number, reference, uuid};

/// What a verified signature vouches for.
#[pyclass(frozen, module = "dmr")]
pub(super) struct Facts {
    pub(super) inner: EnvelopeFacts,
}

#[pymethods]
impl Facts {
    /// The envelope's id and digest.
    #[getter]
    fn reference<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        reference(py, &Reference { id: self.inner.id, digest: self.inner.digest })
    }

    /// The envelope's id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        uuid(py, &self.inner.id)
    }

    /// Who sealed it.
    #[getter]
    fn sender<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        uuid(py, &self.inner.sender)
    }

    /// When it expires.
    #[getter]
    fn expires<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.inner.expires)
    }

    fn __repr__(&self) -> String {
        format!("Facts({}, from {})", self.inner.id, self.inner.sender)
    }
}

/// An opened message. ``repr`` shows references and sizes, never the text.
#[pyclass(frozen, module = "dmr")]
pub(super) struct Opened {
    pub(super) kind: Kind,
    pub(super) created: Timestamp,
    pub(super) reference: Reference,
    pub(super) sender: ParticipantId,
    pub(super) expires: Timestamp,
    pub(super) message: Message,
}

#[pymethods]
impl Opened {
    /// Its id and digest: names it in an answer's ``in_reply_to``.
    #[getter]
    fn reference<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        reference(py, &self.reference)
    }

    /// Its id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        uuid(py, &self.reference.id)
    }

    /// Who sealed and signed it.
    #[getter]
    fn sender<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        uuid(py, &self.sender)
    }

    /// What it is for.
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        number(py, "Kind", self.kind.0)
    }

    /// When it was sealed, by the sender's clock.
    #[getter]
    fn created<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.created)
    }

    /// When it expires.
    #[getter]
    fn expires<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.expires)
    }

    /// Media type of :attr:`body`.
    #[getter]
    fn content_type(&self) -> &str {
        &self.message.content_type
    }

    /// The message itself.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.message.body)
    }

    /// Conversation it belongs to.
    #[getter]
    fn conversation<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.message.conversation.map(|id| uuid(py, &id)).transpose()
    }

    /// Position in the conversation, from 0.
    #[getter]
    fn sequence(&self) -> Option<u64> {
        self.message.sequence
    }

    /// Room it belongs to.
    #[getter]
    fn room<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.message.room.map(|id| uuid(py, &id)).transpose()
    }

    /// The envelope it answers.
    #[getter]
    fn in_reply_to<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.message.in_reply_to.map(|question| reference(py, &question)).transpose()
    }

    fn __repr__(&self) -> String {
        format!("Opened({}, from {}, {} bytes)", self.reference.id, self.sender, self.message.body.len())
    }
}
