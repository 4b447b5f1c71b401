//! Clean-ups: the function of the module.

use circulate_core::upkeep::gc as core_gc;
use pyo3::prelude::*;

use crate::arguments::{from_json, seconds};
use crate::locations::{S3Request, existing};
use crate::results::finish_as;
use crate::runtime::{Brief, wait};

/// Remove what no manifest names; see `circulate_core.gc`.
#[pyfunction]
pub(crate) fn gc(
    py: Python<'_>,
    destination: String,
    state: String,
    older_than_seconds: f64,
    dry_run: bool,
    s3: &str,
) -> PyResult<Py<PyAny>> {
    let s3: S3Request = from_json(py, s3)?;
    let work = async move {
        let store = existing(&state).await?;
        let sink = s3.locations()?.sink(&destination).await?;
        core_gc::gc(&*sink, &*store, seconds("older_than", older_than_seconds)?, dry_run).await
    };
    finish_as(py, "Collected", wait(py, work, &mut Brief)?)
}
