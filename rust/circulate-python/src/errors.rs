//! Errors of the core as the package's exceptions, which are defined in Python.

use circulate_core::error::{Error, ErrorKind, Status};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The exception for an error; `report` is that of what was done before it.
pub(crate) fn to_python(py: Python<'_>, error: &Error, report: Option<Py<PyAny>>) -> PyErr {
    raise(py, error, report).unwrap_or_else(|other| other)
}

fn raise(py: Python<'_>, error: &Error, report: Option<Py<PyAny>>) -> PyResult<PyErr> {
    let class = py.import("circulate_core.exceptions")?.getattr(class_of(error.kind()))?;
    let details = PyDict::new(py);
    details.set_item("operation", error.operation())?;
    details.set_item("hint", error.hint_text())?;
    details.set_item("retryable", error.status() != Status::Permanent)?;
    let context = PyDict::new(py);
    for (name, value) in error.context() {
        context.set_item(name, value)?;
    }
    details.set_item("context", context)?;
    details.set_item("report", report)?;
    Ok(PyErr::from_value(class.call((error.to_string(),), Some(&details))?))
}

fn class_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Definition => "DefinitionError",
        ErrorKind::Settings => "SettingsError",
        ErrorKind::Auth | ErrorKind::Forbidden => "AuthError",
        ErrorKind::RateLimited => "RateLimitError",
        ErrorKind::Refused | ErrorKind::NotFound => "RefusedError",
        ErrorKind::Api => "ApiError",
        ErrorKind::Network => "NetworkError",
        ErrorKind::Data | ErrorKind::Cycle => "DataError",
        ErrorKind::Hook => "HookError",
        ErrorKind::Plan => "PlanError",
        ErrorKind::Unapproved => "ApprovalError",
        ErrorKind::Limit => "LimitError",
        ErrorKind::Storage => "StorageError",
        ErrorKind::State => "StateError",
        ErrorKind::Busy => "BusyError",
        ErrorKind::Mismatch => "MismatchError",
        ErrorKind::Stopped => "StoppedError",
    }
}
