//! Text for people and from people: functions of the module.

use circulate_core::catalog::Span;
use circulate_core::redact::Redactor;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A text as it may be shown: with escapes for control characters, `***` for the secrets that this process uses, and at most
/// so many characters; on one line, or with its line breaks.
#[pyfunction]
#[pyo3(signature = (text, *, limit=4_000, lines=false))]
pub(crate) fn shown(text: &str, limit: usize, lines: bool) -> String {
    let redactor = Redactor::shared();
    if lines { redactor.shown_lines(text, limit) } else { redactor.shown(text, limit) }
}

/// Seconds of a length of time such as `10m`.
#[pyfunction]
pub(crate) fn span_seconds(text: &str) -> PyResult<f64> {
    let span = Span::try_from(text.to_owned()).map_err(PyValueError::new_err)?;
    Ok(span.get().as_secs_f64())
}
