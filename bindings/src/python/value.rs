//! Values on their way between Python and Rust: buffers, ids, times.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dmr_core::content::Reference;
use dmr_core::id::{Digest, IdError, Name};
use dmr_core::time::Timestamp;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDateTime, PyInt, PyMemoryView, PyString, PyTuple, PyType};

use super::error::raised;
use crate::CallError;

/// The bytes of a buffer object: of `bytes` without a copy, of any other with one.
pub(super) fn buffer<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Cow::Borrowed(bytes.as_bytes()));
    }
    let view = PyMemoryView::from(object)?;
    let copy = view.call_method0("tobytes")?;
    Ok(Cow::Owned(copy.cast::<PyBytes>()?.as_bytes().to_vec()))
}

/// The bytes of a buffer object, or of a text in UTF-8; refused where they are more than `limit`.
pub(super) fn document<'a>(
    object: &'a Bound<'_, PyAny>,
    argument: &'static str,
    limit: usize,
) -> PyResult<Cow<'a, [u8]>> {
    let bytes = match object.cast::<PyString>() {
        Ok(text) => Cow::Owned(text.to_cow()?.as_bytes().to_vec()),
        Err(_) => buffer(object)?,
    };
    if bytes.len() > limit {
        return Err(raised(object.py(), &CallError::TooLong { argument, len: bytes.len(), limit }));
    }
    Ok(bytes)
}

/// An id of the crates: sixteen bytes, and a text.
pub(super) trait Id: Sized + FromStr<Err = IdError> {
    fn of_bytes(bytes: [u8; 16]) -> Result<Self, IdError>;
    fn bytes(&self) -> &[u8; 16];
}

macro_rules! ids {
    ($($name:ident),*) => {$(
        impl Id for dmr_core::id::$name {
            fn of_bytes(bytes: [u8; 16]) -> Result<Self, IdError> {
                Self::from_bytes(bytes)
            }
            fn bytes(&self) -> &[u8; 16] {
                self.as_bytes()
            }
        }
    )*};
}

ids!(ParticipantId, MessageId, ConversationId, RoomId, InstanceId, SessionId, StoreId);

/// The id that a `uuid.UUID` or a text is.
pub(super) fn id<T: Id>(object: &Bound<'_, PyAny>) -> PyResult<T> {
    let py = object.py();
    if let Ok(text) = object.cast::<PyString>() {
        return text.to_cow()?.parse().map_err(|error: IdError| raised(py, &error));
    }
    if !object.is_instance(uuid_class(py)?)? {
        return Err(PyTypeError::new_err("an id is a uuid.UUID or a str"));
    }
    let bytes = object.getattr("bytes")?;
    let bytes: [u8; 16] = buffer(&bytes)?.as_ref().try_into().map_err(|_| PyValueError::new_err("no UUID"))?;
    T::of_bytes(bytes).map_err(|error| raised(py, &error))
}

/// The same for an argument that may be `None`.
pub(super) fn optional_id<T: Id>(object: Option<&Bound<'_, PyAny>>) -> PyResult<Option<T>> {
    object.map(id).transpose()
}

/// Whether an object is a `uuid.UUID`.
pub(super) fn is_uuid(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    object.is_instance(uuid_class(object.py())?)
}

fn uuid_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "uuid", "UUID")
}

/// An id as a `uuid.UUID`.
pub(super) fn uuid<'py>(py: Python<'py>, id: &impl Id) -> PyResult<Bound<'py, PyAny>> {
    uuid_class(py)?.call1((py.None(), PyBytes::new(py, id.bytes())))
}

/// The name that a text is.
pub(super) fn name(py: Python<'_>, text: &str) -> PyResult<Name> {
    text.parse().map_err(|error: IdError| raised(py, &error))
}

/// Now, by the system's clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A time: milliseconds since 1970, or an aware `datetime`. `None`: now.
pub(super) fn time(object: Option<&Bound<'_, PyAny>>) -> PyResult<Timestamp> {
    object.map_or_else(|| Ok(now()), some_time)
}

/// A time that is given.
pub(super) fn some_time(object: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    if object.is_instance_of::<PyInt>() {
        return object.extract().map(Timestamp);
    }
    if !object.is_instance_of::<PyDateTime>() {
        return Err(PyTypeError::new_err("a time is a datetime, or an int of milliseconds since 1970"));
    }
    if object.call_method0("utcoffset")?.is_none() {
        return Err(PyValueError::new_err("a naive datetime names no moment: give it a tzinfo"));
    }
    let seconds: f64 = object.call_method0("timestamp")?.extract()?;
    let millis = (seconds * 1_000.0).round();
    if !(0.0..9.0e15).contains(&millis) {
        return Err(PyValueError::new_err("a time before 1970, or too far away"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
    Ok(Timestamp(millis as u64))
}

/// A time as an aware `datetime` in UTC.
pub(super) fn datetime<'py>(py: Python<'py>, time: Timestamp) -> PyResult<Bound<'py, PyAny>> {
    static FROM: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let from = FROM.get_or_try_init(py, || py.import("dmr.values")?.getattr("moment").map(Bound::unbind))?;
    from.bind(py).call1((time.0,))
}

/// A span in seconds.
pub(super) fn span(argument: &'static str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{argument} is no span of time in seconds")))
}

/// A named tuple, or another class, of a module of this package.
pub(super) fn made<'py>(
    py: Python<'py>,
    module: &str,
    class: &str,
    fields: impl pyo3::call::PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    py.import(module)?.getattr(class)?.call1(fields)
}

/// A reference as `dmr.Reference`.
pub(super) fn reference<'py>(py: Python<'py>, reference: &Reference) -> PyResult<Bound<'py, PyAny>> {
    let digest = PyBytes::new(py, reference.digest.as_bytes());
    made(py, "dmr.values", "Reference", (uuid(py, &reference.id)?, digest))
}

/// The reference that a `dmr.Reference`, or a pair of an id and a digest, is.
pub(super) fn as_reference(object: &Bound<'_, PyAny>) -> PyResult<Reference> {
    let pair = object.cast::<PyTuple>()?;
    let (message, digest) = (pair.get_item(0)?, pair.get_item(1)?);
    let digest = buffer(&digest)?;
    let argument = "digest";
    let wrong = CallError::WrongLength { argument, len: digest.len(), expected: Digest::LEN };
    let digest: [u8; Digest::LEN] = digest.as_ref().try_into().map_err(|_| raised(object.py(), &wrong))?;
    Ok(Reference { id: id(&message)?, digest: Digest(digest) })
}

/// The kind or suite of this number, as the enum of `dmr.values`.
pub(super) fn number<'py>(py: Python<'py>, class: &str, number: u16) -> PyResult<Bound<'py, PyAny>> {
    made(py, "dmr.values", class, (number,))
}
