//! Errors of the crates as exceptions of `dmr.errors`, and the one place where panics are caught.

use std::fmt::Display;

use dmr_core::error_name::ErrorName;
use dmr_core::exchange::SendError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::{CallError, caught};
use crate::code::{ErrorCode, TABLE};

/// Does something without the interpreter's lock. A panic becomes [`CallError::Panicked`].
pub(super) fn boundary<T, E>(py: Python<'_>, work: impl FnOnce() -> Result<T, E> + Send) -> PyResult<T>
where
    T: Send,
    E: ErrorName + Display + Send,
{
    match py.detach(|| caught(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(raised(py, &error)),
        Err(panicked) => Err(raised(py, &panicked)),
    }
}

/// The same for what cannot fail.
pub(super) fn calmly<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    boundary(py, || Ok::<T, CallError>(work()))
}

/// The exception of an error.
pub(super) fn raised(py: Python<'_>, error: &(impl ErrorName + Display)) -> PyErr {
    named(py, ErrorCode::of(error), &error.to_string())
}

/// The exception of this code, with these words.
pub(super) fn named(py: Python<'_>, code: ErrorCode, words: &str) -> PyErr {
    let made = || -> PyResult<Bound<'_, PyAny>> {
        let class = py.import("dmr.errors")?.getattr(code.category().exception())?;
        class.call_method1("of", (code.name(), words))
    };
    made().map_or_else(|error| error, PyErr::from_value)
}

/// The exception of a send error, which says whether and when to try again.
pub(super) fn send_failed(py: Python<'_>, error: &SendError) -> PyErr {
    let exception = raised(py, error);
    let retry_after = match error {
        SendError::Full { retry_after } | SendError::Rejected { retry_after, .. } => Some(retry_after.as_secs_f64()),
        _ => None,
    };
    let value = exception.value(py);
    let marked = value.setattr("retryable", error.is_retryable()).and(value.setattr("retry_after", retry_after));
    marked.map_or_else(|error| error, |()| exception.clone_ref(py))
}

/// An argument that no value of this library has.
pub(super) fn out_of_range(py: Python<'_>, argument: &'static str, value: u64) -> PyErr {
    raised(py, &CallError::OutOfRange { argument, value })
}

/// Every stable name with its code and the name of its exception.
pub(super) fn table(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let table = PyDict::new(py);
    for (number, name) in TABLE {
        let code = ErrorCode::from_number(*number).unwrap_or(ErrorCode::UNKNOWN);
        table.set_item(name, (number, code.category().exception()))?;
    }
    Ok(table)
}
