//! Definitions: functions of the module.

use std::path::PathBuf;

use circulate_core::catalog::{self as core_catalog, Catalog, Definition, Inline, Source};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};

use crate::arguments::from_json;
use crate::results::{finish, py_result};

/// Where definitions are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogRequest {
    folders: Vec<PathBuf>,
    /// What is defined in code.
    inline: Option<Inline>,
}

impl CatalogRequest {
    pub(crate) fn catalog(&self) -> Catalog {
        Catalog::new(self.folders.clone()).with(self.inline.clone())
    }
}

/// Names of all streams of a catalog, which is given as JSON.
#[pyfunction]
pub(crate) fn streams(py: Python<'_>, catalog: &str) -> PyResult<Vec<String>> {
    py_result(py, from_json::<CatalogRequest>(py, catalog)?.catalog().streams())
}

/// The definition of a stream.
#[pyfunction]
pub(crate) fn definition(py: Python<'_>, catalog: &str, stream: &str) -> PyResult<String> {
    #[derive(Serialize)]
    struct Both {
        source: Source,
        endpoint: core_catalog::Endpoint,
    }
    let both = from_json::<CatalogRequest>(py, catalog)?
        .catalog()
        .stream(stream)
        .map(|Definition { source, endpoint, .. }| Both { source, endpoint });
    finish(py, both)
}

/// The definition of a source.
#[pyfunction]
pub(crate) fn source(py: Python<'_>, catalog: &str, name: &str) -> PyResult<String> {
    finish(py, from_json::<CatalogRequest>(py, catalog)?.catalog().source(name))
}
