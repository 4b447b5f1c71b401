//! Reading back and clearing up what was pulled: functions of the module.

use circulate_core::upkeep::{gc as core_gc, verify as core_verify};
use pyo3::prelude::*;

use crate::locations::{LakeArguments, OpenLake, existing};
use crate::options::{Arguments, Length, options};
use crate::results::finish_as;
use crate::runtime::{Brief, wait};

options! {
    /// What is removed.
    pub(crate) struct GcOptions {
        /// Minimum age of removed objects: the time since they were written.
        older_than: Length = "7d",
        /// Only report what would be removed.
        dry_run: bool,
    }
}

/// Read everything a manifest of a lake names and compare it; see `circulate_core.verify`.
#[pyfunction]
pub(crate) fn verify(py: Python<'_>, lake: LakeArguments, manifest: String) -> PyResult<Py<PyAny>> {
    let lake = lake.into_readable(py)?;
    let work = async move {
        let OpenLake { sink, store } = lake.open().await?;
        core_verify::verify(&*sink, &manifest, store.as_deref()).await
    };
    finish_as(py, "Verified", wait(py, work, &mut Brief)?)
}

/// Remove what no manifest of a lake names; see `circulate_core.gc`.
#[pyfunction]
pub(crate) fn gc(py: Python<'_>, lake: LakeArguments, options: Arguments<GcOptions>) -> PyResult<Py<PyAny>> {
    let GcOptions { older_than: Length(older_than), dry_run } = options.get()?;
    let lake = lake.with_state(py)?;
    let work = async move {
        let store = existing(&lake.state).await?;
        let sink = lake.s3.locations()?.sink(&lake.location).await?;
        core_gc::gc(&*sink, &*store, older_than, dry_run).await
    };
    finish_as(py, "Collected", wait(py, work, &mut Brief)?)
}
