//! Text for people and from people: functions of the module.

use circulate_core::catalog;
use circulate_core::redact::Redactor;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::options::{Length, Time, option_of};

/// A text as it may be shown: with escapes for control characters, `***` for the secrets that this process uses, and at most
/// so many characters; on one line, or with its line breaks.
#[pyfunction]
#[pyo3(signature = (text, *, limit=4_000, lines=false))]
pub(crate) fn shown(text: &str, limit: usize, lines: bool) -> String {
    let redactor = Redactor::shared();
    if lines { redactor.shown_lines(text, limit) } else { redactor.shown(text, limit) }
}

/// Whether a secret that this process uses stands in a text, in whatever form.
#[pyfunction]
pub(crate) fn reveals(text: &str) -> bool {
    Redactor::shared().reveals(text)
}

/// A time as it is given to an option, as RFC 3339.
#[pyfunction]
pub(crate) fn timestamp(py: Python<'_>, name: &str, given: &Bound<'_, PyAny>) -> PyResult<String> {
    option_of::<Time>(py, name, given).map(|Time(instant)| instant.to_string())
}

/// The seconds of a length of time as it is given to an option.
#[pyfunction]
pub(crate) fn span_seconds(py: Python<'_>, name: &str, given: &Bound<'_, PyAny>) -> PyResult<f64> {
    option_of::<Length>(py, name, given).map(|Length(length)| length.as_secs_f64())
}

/// A YAML document as JSON text, its members in their order.
#[pyfunction]
pub(crate) fn json_of_yaml(text: &str) -> PyResult<String> {
    catalog::json_of_yaml(text).map_err(PyValueError::new_err)
}
