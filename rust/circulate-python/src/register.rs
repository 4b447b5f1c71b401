//! Registrations: the function of the module.

use std::sync::Arc;

use circulate_core::progress::Progress;
use circulate_core::register::{GlueDatabase, Registration};
use circulate_core::stop;
use pyo3::prelude::*;

use crate::locations::{LakeArguments, LocatedLake};
use crate::options::{Arguments, Deadline, Size, options};
use crate::results::{finish_as, py_result};
use crate::runtime::{Brief, wait};
use crate::stop::PyStop;
use crate::watcher::WorkWatcher;

options! {
    /// How a run is brought into its table.
    pub(crate) struct RegisterOptions {
        /// Memory budget for records and files in flight. A file of the table may have a quarter of it, and 64 MB at most.
        memory: Size = "256MB",
        /// Time after which nothing more is begun, such as `10m`.
        deadline: Option<Deadline>,
    }
}

/// Return the keys of the manifests of all runs of a lake, or of a stream there, oldest first.
#[pyfunction]
#[pyo3(signature = (lake, stream=None))]
pub(crate) fn run_manifests(
    py: Python<'_>,
    lake: LakeArguments,
    stream: Option<String>,
) -> PyResult<Vec<String>> {
    let LocatedLake { location, s3 } = lake.without_state(py, &[])?;
    let work = async move {
        let from = s3.locations()?.sink(&location).await?;
        circulate_core::register::manifests(&*from, stream.as_deref()).await
    };
    py_result(py, wait(py, Box::pin(work), &mut Brief)?)
}

/// Bring a run of a lake into a table of the Glue Data Catalog; see `circulate_core.register`.
#[pyfunction]
#[pyo3(signature = (lake, manifest, to, database, options, on_progress=None, stop=None))]
#[expect(clippy::too_many_arguments, reason = "each is a different thing, given once")]
pub(crate) fn register(
    py: Python<'_>,
    lake: LakeArguments,
    manifest: String,
    to: String,
    database: String,
    options: Arguments<RegisterOptions>,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<Py<PyAny>> {
    let RegisterOptions { memory: Size(memory), deadline } = options.get()?;
    let stop_signal = stop::Stop::new(deadline.map(|Deadline(instant)| instant));
    let progress = Arc::new(Progress::default());
    let mut watcher = WorkWatcher::new(py, &progress, &stop_signal, stop, on_progress)?;
    let LocatedLake { location, s3 } = lake.without_state(py, &[&to])?;
    let work = async move {
        GlueDatabase::check_name(&database)?;
        GlueDatabase::check_place(&to)?;
        let locations = s3.locations()?;
        let (from, to) = (locations.sink(&location).await?, locations.sink(&to).await?);
        let database = GlueDatabase::new(locations.aws().await?, &database)?;
        Registration { from, manifest, to, database, memory, progress, stop: stop_signal }.run().await
    };
    finish_as(py, "Registered", wait(py, Box::pin(work), &mut watcher)?)
}
