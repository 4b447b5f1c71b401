//! Results of the core, as Python takes them: objects of the package's classes, and documents.

use circulate_core::error::Result;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;

use crate::errors::to_python;

/// The module of the package's classes. It is imported with the first work, not with the package.
pub(crate) const RESULTS: &str = "circulate_core.results";

/// What some work returned, or its error as an exception.
pub(crate) fn py_result<T>(py: Python<'_>, result: Result<T>) -> PyResult<T> {
    result.map_err(|error| to_python(py, &error, None))
}

/// The same as an object of a class of `circulate_core.results`.
pub(crate) fn finish_as(py: Python<'_>, class: &str, value: Result<impl Serialize>) -> PyResult<Py<PyAny>> {
    result(py, class, &py_result(py, value)?)
}

/// The same as a list of such objects.
pub(crate) fn finish_all<T: Serialize>(
    py: Python<'_>,
    class: &str,
    values: Result<Vec<T>>,
) -> PyResult<Vec<Py<PyAny>>> {
    py_result(py, values)?.iter().map(|value| result(py, class, value)).collect()
}

/// An object of a class of `circulate_core.results`.
pub(crate) fn result(py: Python<'_>, class: &str, value: &impl Serialize) -> PyResult<Py<PyAny>> {
    let document = document(py, value)?;
    Ok(py.import(RESULTS)?.getattr(class)?.call_method1("_of_engine", (document,))?.unbind())
}

/// What JSON can hold, as Python has it: dicts, lists, strings and numbers.
pub(crate) fn document(py: Python<'_>, value: &impl Serialize) -> PyResult<Py<PyAny>> {
    let text = serde_json::to_string(value)
        .map_err(|error| PyValueError::new_err(format!("cannot write JSON: {error}")))?;
    Ok(py.import("json")?.call_method1("loads", (text,))?.unbind())
}
