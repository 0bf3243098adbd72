//! `dmr.Pin`, `dmr.Directory`, `dmr.DirectoryTrust`.

use std::sync::{Mutex, PoisonError};

use dmr_core::directory::{Algorithm, Participant, Status};
use dmr_core::id::{KeyId, Name, ParticipantId};
use dmr_crypto::{DirectoryTrust as Trust, Offer, RootPin, VerifiedDirectory, key_id};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple, PyType};

use super::error::{boundary, calmly};
use super::value::{buffer, datetime, document, id, is_uuid, made, time, uuid};

/// Longest pin file, in bytes.
const PIN: usize = 64 << 10;

/// The root keys by which directories are known. Obtained beforehand, and never from a server.
#[pyclass(frozen, module = "dmr")]
pub(super) struct Pin {
    pub(super) inner: RootPin,
}

#[pymethods]
impl Pin {
    /// The pin in the text of a root file, ``root.pub``.
    ///
    /// Raises:
    ///     dmr.TrustError: says what is wrong.
    #[classmethod]
    fn load(class: &Bound<'_, PyType>, text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let text = document(text, "text", PIN)?;
        let inner = boundary(class.py(), || RootPin::from_json(&text))?;
        Ok(Self { inner })
    }

    /// The text of the root file.
    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = boundary(py, || self.inner.to_json())?;
        Ok(PyBytes::new(py, &text))
    }

    /// The network it belongs to.
    #[getter]
    fn network(&self) -> &str {
        self.inner.network().as_str()
    }

    fn __repr__(&self) -> String {
        format!("Pin({})", self.inner.network())
    }
}

/// A directory whose whole chain of signatures holds: the only thing that sealing and opening accept.
///
/// ``bytes(directory)`` is the document as it travels and is kept. Frozen, and safe to share between threads.
#[pyclass(frozen, module = "dmr")]
pub(super) struct Directory {
    pub(super) inner: VerifiedDirectory,
}

impl Directory {
    /// The participant that a name or an id means.
    pub(super) fn find(&self, who: &Bound<'_, PyAny>) -> PyResult<Option<&Participant>> {
        if is_uuid(who)? {
            return Ok(self.inner.participant(id(who)?));
        }
        let text = who.cast::<PyString>()?;
        let text = text.to_cow()?;
        if let Ok(id) = text.parse::<ParticipantId>() {
            return Ok(self.inner.participant(id));
        }
        Ok(text.parse::<Name>().ok().and_then(|name| self.inner.participant_by_name(&name)))
    }
}

fn participant<'py>(py: Python<'py>, entry: &Participant) -> PyResult<Bound<'py, PyAny>> {
    let status = match entry.status {
        Status::Active => "active",
        Status::Suspended => "suspended",
        Status::Removed => "removed",
    };
    let identity = entry.identity_keys.iter().map(|key| key_id(Algorithm::Ed25519, &key.public));
    let sealing = entry.sealing_keys.iter().map(|key| key_id(key.algorithm, &key.public));
    let (identity, sealing) = (key_ids(py, identity)?, key_ids(py, sealing)?);
    made(py, "dmr.values", "Participant", (uuid(py, &entry.id)?, entry.name.as_str(), status, identity, sealing))
}

fn key_ids<'py>(py: Python<'py>, ids: impl Iterator<Item = KeyId>) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, ids.map(|id| PyBytes::new(py, id.as_bytes())).collect::<Vec<_>>())
}

#[pymethods]
impl Directory {
    /// Verifies a directory document: root documents and the directory, each signed. It is refused whole.
    ///
    /// This looks at one document. An agent that has seen others uses :class:`dmr.DirectoryTrust`, which refuses older ones
    /// and forks too.
    ///
    /// Raises:
    ///     dmr.TrustError: the first thing that is wrong.
    ///     dmr.DirectoryError: it is signed, and not well formed.
    #[classmethod]
    #[pyo3(signature = (document, pin, *, now=None))]
    fn verify(
        class: &Bound<'_, PyType>,
        document: &Bound<'_, PyAny>,
        pin: &Bound<'_, Pin>,
        now: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let document = buffer(document)?;
        let (pin, now) = (&pin.get().inner, time(now)?);
        let inner = boundary(class.py(), || VerifiedDirectory::verify(&document, pin, now))?;
        Ok(Self { inner })
    }

    /// The network.
    #[getter]
    fn network(&self) -> &str {
        self.inner.network().as_str()
    }

    /// The revision: grows with every change.
    #[getter]
    fn revision(&self) -> u64 {
        self.inner.revision()
    }

    /// SHA-256 of the signed document, 32 bytes.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.digest().as_bytes())
    }

    /// When it was signed.
    #[getter]
    fn issued<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.inner.issued())
    }

    /// When it ends.
    #[getter]
    fn expires<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.inner.expires())
    }

    /// Whether another document of the same revision exists: nothing is sealed under it.
    #[getter]
    fn is_forked(&self) -> bool {
        self.inner.is_forked()
    }

    /// Longest lifetime of an envelope, in seconds.
    #[getter]
    fn max_ttl(&self) -> f64 {
        self.inner.directory().max_ttl.as_secs_f64()
    }

    /// How far it is through its life: ``fresh``, ``ageing``, ``grace`` (it has expired, and seals for a day more) or
    /// ``expired``.
    #[pyo3(signature = (*, now=None))]
    fn freshness(&self, now: Option<&Bound<'_, PyAny>>) -> PyResult<&'static str> {
        Ok(self.inner.freshness(time(now)?).as_str())
    }

    /// The participant with this name or id, whatever its status; ``None`` when there is none.
    fn participant<'py>(&self, py: Python<'py>, who: &Bound<'_, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.find(who)?.map(|entry| participant(py, entry)).transpose()
    }

    /// Every participant, whatever its status.
    fn participants<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.inner.directory().participants.iter().map(|entry| participant(py, entry)).collect()
    }

    /// Whether the policy lets one participant write to another; ``False`` when either is not listed.
    fn allows(&self, sender: &Bound<'_, PyAny>, recipient: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (Some(from), Some(to)) = (self.find(sender)?, self.find(recipient)?) else { return Ok(false) };
        Ok(self.inner.allows(from.id, to.id))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.bundle())
    }

    fn __repr__(&self) -> String {
        let forked = if self.inner.is_forked() { ", FORKED" } else { "" };
        format!("Directory({}, revision {}{forked})", self.inner.network(), self.inner.revision())
    }
}

/// The directory in use, and the memory that refuses older ones and forks.
///
/// Safe to share between threads. It keeps nothing on a disk: persist ``bytes(trust.current)`` when it changes, and give
/// it to :meth:`restore` after a restart.
#[pyclass(frozen, module = "dmr")]
pub(super) struct DirectoryTrust {
    inner: Mutex<Trust>,
}

impl DirectoryTrust {
    fn with<T>(&self, look: impl FnOnce(&mut Trust) -> T) -> T {
        // A bad offer changes nothing, so a panic in one leaves it whole.
        look(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl DirectoryTrust {
    /// Trust in this pin, and no directory yet.
    #[new]
    fn new(pin: &Bound<'_, Pin>) -> Self {
        Self { inner: Mutex::new(Trust::new(pin.get().inner.clone())) }
    }

    /// Takes up the directory that was in use before a restart. Unlike an offer it may have expired.
    ///
    /// Raises:
    ///     dmr.TrustError: as for :meth:`offer`.
    #[pyo3(signature = (document, *, now=None))]
    fn restore(
        &self,
        py: Python<'_>,
        document: &Bound<'_, PyAny>,
        now: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Directory>> {
        let (document, now) = (buffer(document)?, time(now)?);
        boundary(py, || self.with(|trust| trust.restore(&document, now))).map(adopted)
    }

    /// Takes up a directory document if it verifies, is newer than what was seen, and has not expired. Returns the directory
    /// that is in use from now on, or ``None`` when it is in use already.
    ///
    /// Raises:
    ///     dmr.TrustError: the directory in use stays in use. After ``trust.forked`` it no longer seals.
    #[pyo3(signature = (document, *, now=None))]
    fn offer(
        &self,
        py: Python<'_>,
        document: &Bound<'_, PyAny>,
        now: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Directory>> {
        let (document, now) = (buffer(document)?, time(now)?);
        boundary(py, || self.with(|trust| trust.offer(&document, now))).map(adopted)
    }

    /// The directory in use.
    #[getter]
    fn current(&self, py: Python<'_>) -> PyResult<Option<Directory>> {
        let current = calmly(py, || self.with(|trust| trust.current().cloned()))?;
        Ok(current.map(|inner| Directory { inner }))
    }

    /// The evidence of equivocation, two documents of one revision: the one in use, and the other.
    #[getter]
    fn fork<'py>(&self, py: Python<'py>) -> PyResult<Option<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>> {
        let fork = calmly(py, || self.with(|trust| trust.fork().cloned()))?;
        Ok(fork.map(|fork| (PyBytes::new(py, &fork.ours), PyBytes::new(py, &fork.other))))
    }
}

fn adopted(offer: Offer) -> Option<Directory> {
    match offer {
        Offer::Adopted(inner) => Some(Directory { inner }),
        Offer::Unchanged => None,
    }
}
