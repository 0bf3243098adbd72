//! `dmr.authority`: founding a network, and changing its directory.

use dmr_core::directory::Card;
use dmr_core::id::KeyId;
use dmr_crypto::authority;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};
use zeroize::Zeroizing;

use super::directory::{Directory, Pin};
use super::error::{boundary, raised};
use super::value::{self, buffer, document, made, span, time};
use crate::CallError;

/// Longest key file, in bytes.
const KEY_FILE: usize = 64 << 10;

/// A secret key of a network's keeper: its root key, or the key that signs directories. ``repr`` shows neither.
#[pyclass(frozen, module = "dmr.authority")]
pub(super) struct AuthorityKey {
    inner: authority::AuthorityKey,
}

#[pymethods]
impl AuthorityKey {
    /// The key in the text of a key file, as ``dmr-agent directory new`` writes it.
    ///
    /// Raises:
    ///     dmr.KeyringError: it is no key file of a keeper.
    #[classmethod]
    fn load(class: &Bound<'_, PyType>, text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let text = Zeroizing::new(document(text, "text", KEY_FILE)?.into_owned());
        let inner = boundary(class.py(), || authority::AuthorityKey::from_key_file(&text))?;
        Ok(Self { inner })
    }

    /// The text of the key file: SECRET. Write it with mode 0600, and nowhere else.
    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = boundary(py, || self.inner.to_key_file())?;
        Ok(PyBytes::new(py, &text))
    }

    /// The network it serves.
    #[getter]
    fn network(&self) -> &str {
        self.inner.network().as_str()
    }

    fn __repr__(&self) -> String {
        format!("AuthorityKey({}, {:?})", self.inner.network(), self.inner.role())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("secret keys are not pickled or copied: save() gives the text of their key file"))
    }
}

/// Founds a network: fresh keys, a root document, and a directory without participants that expires after ``valid_for``
/// seconds, by default 30 days.
///
/// Raises:
///     dmr.InputError: the name is none.
///     dmr.DirectoryError: ``valid_for`` is nothing.
#[pyfunction]
#[pyo3(signature = (network, *, now=None, valid_for=2_592_000.0))]
pub(super) fn found<'py>(
    py: Python<'py>,
    network: &str,
    now: Option<&Bound<'py, PyAny>>,
    valid_for: f64,
) -> PyResult<Bound<'py, PyAny>> {
    let network = value::name(py, network)?;
    let (now, valid_for) = (time(now)?, span("valid_for", valid_for)?);
    let founding = boundary(py, || authority::found(network, now, valid_for))?;
    let fields = (
        AuthorityKey { inner: founding.root_key },
        AuthorityKey { inner: founding.directory_key },
        Pin { inner: founding.pin },
        Directory { inner: founding.directory },
    );
    made(py, "dmr.values", "Founding", fields)
}

/// The directory with these cards added or renewed, one revision later, signed with ``key``.
///
/// Raises:
///     dmr.AuthorityError: the key is of another network or role, or a name is taken.
///     dmr.DirectoryError: a card is not well formed.
///     dmr.TrustError: the new directory would not verify.
#[pyfunction]
#[pyo3(signature = (directory, pin, key, cards, *, now=None, valid_for=2_592_000.0))]
pub(super) fn add(
    py: Python<'_>,
    directory: &Bound<'_, Directory>,
    pin: &Bound<'_, Pin>,
    key: &Bound<'_, AuthorityKey>,
    cards: &Bound<'_, PyAny>,
    now: Option<&Bound<'_, PyAny>>,
    valid_for: f64,
) -> PyResult<Directory> {
    let (directory, pin, key) = (directory.get(), pin.get(), key.get());
    let (now, valid_for) = (time(now)?, span("valid_for", valid_for)?);
    let mut read = Vec::new();
    for card in cards.try_iter()? {
        let card = card?;
        let text = document(&card, "card", Card::MAX_LEN)?;
        read.push(boundary(py, || Card::from_json(&text))?);
    }
    let inner = boundary(py, || authority::add(&directory.inner, &pin.inner, &key.inner, &read, now, valid_for))?;
    Ok(Directory { inner })
}

/// The directory in which the participant, or else the server, of this name takes part no more, one revision later.
///
/// Raises:
///     dmr.AuthorityError: nobody has that name, or the key is of another network or role.
#[pyfunction]
#[pyo3(signature = (directory, pin, key, name, *, now=None, valid_for=2_592_000.0))]
pub(super) fn remove(
    py: Python<'_>,
    directory: &Bound<'_, Directory>,
    pin: &Bound<'_, Pin>,
    key: &Bound<'_, AuthorityKey>,
    name: &str,
    now: Option<&Bound<'_, PyAny>>,
    valid_for: f64,
) -> PyResult<Directory> {
    let (directory, pin, key) = (directory.get(), pin.get(), key.get());
    let (name, now, valid_for) = (value::name(py, name)?, time(now)?, span("valid_for", valid_for)?);
    let inner = boundary(py, || authority::remove(&directory.inner, &pin.inner, &key.inner, &name, now, valid_for))?;
    Ok(Directory { inner })
}

/// The directory in which a key is refused at once, whatever it signed and when, one revision later.
///
/// ``revoked`` is the key's id, 16 bytes: see :class:`dmr.Participant` and :attr:`dmr.Envelope.sender_key`.
///
/// Raises:
///     dmr.AuthorityError: the key that signs is of another network or role.
///     dmr.CallError: that is no id of a key.
#[pyfunction]
#[pyo3(signature = (directory, pin, key, revoked, *, now=None, valid_for=2_592_000.0))]
pub(super) fn revoke(
    py: Python<'_>,
    directory: &Bound<'_, Directory>,
    pin: &Bound<'_, Pin>,
    key: &Bound<'_, AuthorityKey>,
    revoked: &Bound<'_, PyAny>,
    now: Option<&Bound<'_, PyAny>>,
    valid_for: f64,
) -> PyResult<Directory> {
    let (directory, pin, key) = (directory.get(), pin.get(), key.get());
    let revoked = buffer(revoked)?;
    let wrong = CallError::WrongLength { argument: "revoked", len: revoked.len(), expected: KeyId::LEN };
    let revoked = KeyId(revoked.as_ref().try_into().map_err(|_| raised(py, &wrong))?);
    let (now, valid_for) = (time(now)?, span("valid_for", valid_for)?);
    let inner = boundary(py, || authority::revoke(&directory.inner, &pin.inner, &key.inner, revoked, now, valid_for))?;
    Ok(Directory { inner })
}

/// The same directory for another ``valid_for`` seconds, one revision later.
///
/// Raises:
///     dmr.AuthorityError: the key is of another network or role.
#[pyfunction]
#[pyo3(signature = (directory, pin, key, *, now=None, valid_for=2_592_000.0))]
pub(super) fn renew(
    py: Python<'_>,
    directory: &Bound<'_, Directory>,
    pin: &Bound<'_, Pin>,
    key: &Bound<'_, AuthorityKey>,
    now: Option<&Bound<'_, PyAny>>,
    valid_for: f64,
) -> PyResult<Directory> {
    let (directory, pin, key) = (directory.get(), pin.get(), key.get());
    let (now, valid_for) = (time(now)?, span("valid_for", valid_for)?);
    let inner = boundary(py, || authority::renew(&directory.inner, &pin.inner, &key.inner, now, valid_for))?;
    Ok(Directory { inner })
}
