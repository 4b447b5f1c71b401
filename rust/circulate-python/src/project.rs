//! What projects are made of: functions of the module.

use std::collections::BTreeMap;
use std::path::PathBuf;

use circulate_core::catalog::{self};
use circulate_core::deploy;
use pyo3::prelude::*;

use crate::results::{document, py_result};

/// The Lambda functions below a folder.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "Python gives it away")]
pub(crate) fn lambda_functions(py: Python<'_>, folder: PathBuf) -> PyResult<Py<PyAny>> {
    document(py, &py_result(py, deploy::lambda_functions(&folder))?)
}

/// The JSON Schemas of definitions, by file name.
#[pyfunction]
pub(crate) fn json_schemas(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let schemas = catalog::json_schemas().into_iter().chain(deploy::json_schemas());
    document(py, &schemas.collect::<BTreeMap<_, _>>())
}
