//! `dmr.Keys`.

use std::sync::Arc;

use dmr_core::directory::{KeyUse, Validity};
use dmr_core::header::Suite;
use dmr_core::id::{Name, ParticipantId};
use dmr_core::time::Timestamp;
use dmr_crypto::{IdentitySecret, KeyFileError, Keyring, RandomError, SealingSecret};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};
use zeroize::Zeroizing;

use super::directory::Directory;
use super::error::{boundary, out_of_range, raised};
use super::value::{self, datetime, document, id, some_time, span, time, uuid};

/// How long fresh keys serve where nothing else is said: a year.
const LIFETIME_MS: u64 = 365 * 24 * 3_600 * 1_000;
/// Longest key file, in bytes.
const KEY_FILE: usize = 64 << 10;

/// A participant's secret keys.
///
/// Made by :meth:`generate` or :meth:`load`. Frozen, and safe to share between threads. Its secrets are erased from memory
/// when it is; ``repr`` shows the name and the id only, and it cannot be pickled or copied: :meth:`save` is the one way out.
#[pyclass(frozen, module = "dmr")]
pub(super) struct Keys {
    pub(super) keyring: Arc<Keyring>,
}

impl Keys {
    /// A second keyring with the same keys.
    pub(super) fn copied(&self) -> Result<Keyring, KeyFileError> {
        Keyring::from_key_file(&self.keyring.to_key_file()?)
    }

    /// The same keys and one more, which `add` makes and puts in its place where there is one.
    fn and(
        &self,
        py: Python<'_>,
        add: impl FnOnce(&mut Keyring) -> Result<bool, RandomError> + Send,
    ) -> PyResult<Self> {
        let mut keyring = boundary(py, || self.copied())?;
        if !boundary(py, || add(&mut keyring))? {
            return Err(PyValueError::new_err(format!("a keyring holds {} such keys at most", Keyring::MAX_KEYS)));
        }
        Ok(Self { keyring: Arc::new(keyring) })
    }
}

/// When keys serve: from now and for a year, where nothing else is said.
fn validity(not_before: Option<&Bound<'_, PyAny>>, not_after: Option<&Bound<'_, PyAny>>) -> PyResult<Validity> {
    let not_before = time(not_before)?;
    let year = Timestamp(not_before.0.saturating_add(LIFETIME_MS));
    let not_after = not_after.map_or(Ok(year), some_time)?;
    if not_before < not_after {
        Ok(Validity { not_before, not_after })
    } else {
        Err(PyValueError::new_err("not_after must be later than not_before"))
    }
}

#[pymethods]
impl Keys {
    /// Fresh keys: one identity key for signing and login, and a sealing key for each suite up to ``suite``.
    ///
    /// Args:
    ///     participant: the participant's id.
    ///     name: its name in the directory: 1 to 64 of ``a-z 0-9 . _ -``.
    ///     suite: :attr:`dmr.Suite.X25519`, or :attr:`dmr.Suite.X_WING` for keys of both suites.
    ///     not_before: from when they serve; default: now.
    ///     not_after: until when; default: a year later.
    ///
    /// Raises:
    ///     dmr.InputError: the name or the id is none.
    ///     dmr.KeyringError: the system gives no randomness.
    ///     ValueError: they would serve for no time at all.
    #[classmethod]
    #[pyo3(signature = (participant, name, *, suite=2, not_before=None, not_after=None))]
    fn generate(
        class: &Bound<'_, PyType>,
        participant: &Bound<'_, PyAny>,
        name: &str,
        suite: u16,
        not_before: Option<&Bound<'_, PyAny>>,
        not_after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = class.py();
        let participant: ParticipantId = id(participant)?;
        let name: Name = value::name(py, name)?;
        let suite = Suite::try_from(suite).map_err(|_| out_of_range(py, "suite", suite.into()))?;
        let validity = validity(not_before, not_after)?;
        let keyring = boundary(py, || Keyring::generate(participant, name, suite, validity))?;
        Ok(Self { keyring: Arc::new(keyring) })
    }

    /// The keys in the text of a key file, as ``dmr-agent keys new`` writes it: what stands in the file, not its path.
    ///
    /// Raises:
    ///     dmr.KeyringError: it is no key file of a participant. The message holds nothing of it.
    #[classmethod]
    fn load(class: &Bound<'_, PyType>, text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let text = Zeroizing::new(document(text, "text", KEY_FILE)?.into_owned());
        let keyring = boundary(class.py(), || Keyring::from_key_file(&text))?;
        Ok(Self { keyring: Arc::new(keyring) })
    }

    /// The text of the key file: SECRET. Write it with mode 0600, and nowhere else.
    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = boundary(py, || self.keyring.to_key_file())?;
        Ok(PyBytes::new(py, &text))
    }

    /// The public card, as JSON: what the directory's keeper is handed.
    fn card<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let card = boundary(py, || self.keyring.card().to_json())?;
        Ok(PyBytes::new(py, &card))
    }

    /// Whose keys they are.
    #[getter]
    fn participant<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        uuid(py, &self.keyring.participant())
    }

    /// The participant's name.
    #[getter]
    fn name(&self) -> &str {
        self.keyring.name().as_str()
    }

    /// Until when its sealing keys serve, the newest of them.
    #[getter]
    fn not_after<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let newest = self.keyring.sealing().iter().map(|key| key.validity().not_after).max();
        newest.map(|time| datetime(py, time)).transpose()
    }

    /// Whether the directory's entry for this participant lets it send and receive with these keys.
    ///
    /// Raises:
    ///     dmr.AuthorityError: it does not, and why.
    #[pyo3(signature = (directory, *, now=None))]
    fn check(&self, py: Python<'_>, directory: &Bound<'_, Directory>, now: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let now = time(now)?;
        self.keyring.standing(&directory.get().inner, now).map_err(|error| raised(py, &error))
    }

    /// These keys and a fresh sealing key: the next generation, to which others seal once the directory has the new
    /// :meth:`card`. The older ones go on opening. Save it; these stay as they are.
    ///
    /// Args:
    ///     suite, not_before, not_after: as for :meth:`generate`.
    ///
    /// Raises:
    ///     dmr.KeyringError: the system gives no randomness.
    ///     ValueError: there are 16 already.
    #[pyo3(signature = (*, suite=2, not_before=None, not_after=None))]
    fn with_sealing_key(
        &self,
        py: Python<'_>,
        suite: u16,
        not_before: Option<&Bound<'_, PyAny>>,
        not_after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let suite = Suite::try_from(suite).map_err(|_| out_of_range(py, "suite", suite.into()))?;
        let validity = validity(not_before, not_after)?;
        self.and(py, |keyring| Ok(keyring.add_sealing_key(SealingSecret::generate(suite, validity)?)))
    }

    /// These keys and a fresh identity key, which serves once the directory has the new :meth:`card`. Save it; these stay
    /// as they are.
    ///
    /// Args:
    ///     sign: whether it signs messages.
    ///     login: whether it proves logins.
    ///     not_before, not_after: as for :meth:`generate`.
    ///
    /// Raises:
    ///     dmr.KeyringError: the system gives no randomness.
    ///     ValueError: there are 16 already, or it is for nothing.
    #[pyo3(signature = (*, sign=true, login=true, not_before=None, not_after=None))]
    fn with_identity_key(
        &self,
        py: Python<'_>,
        sign: bool,
        login: bool,
        not_before: Option<&Bound<'_, PyAny>>,
        not_after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if !sign && !login {
            return Err(PyValueError::new_err("an identity key signs, or proves logins, or both"));
        }
        let validity = validity(not_before, not_after)?;
        let usage = KeyUse { sign, login };
        self.and(py, |keyring| Ok(keyring.add_identity_key(IdentitySecret::generate()?, usage, validity)))
    }

    /// These keys without the sealing keys that nothing in flight can need any more: those that ended more than
    /// ``max_ttl`` seconds ago (:attr:`Directory.max_ttl`), and a few minutes. They are erased when nobody holds the older
    /// keys and their file is overwritten.
    ///
    /// Raises:
    ///     ValueError: none would be left; a keyring holds one at least.
    #[pyo3(signature = (max_ttl, *, now=None))]
    fn without_expired(&self, py: Python<'_>, max_ttl: f64, now: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let (max_ttl, now) = (span("max_ttl", max_ttl)?, time(now)?);
        let mut keyring = boundary(py, || self.copied())?;
        keyring.erase_expired(now, max_ttl);
        if keyring.sealing().is_empty() {
            return Err(PyValueError::new_err("every sealing key has ended: make a new one first"));
        }
        Ok(Self { keyring: Arc::new(keyring) })
    }

    fn __repr__(&self) -> String {
        format!("Keys({}, {})", self.keyring.name(), self.keyring.participant())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("secret keys are not pickled or copied: save() gives the text of their key file"))
    }
}
