//! Promotions: the function of the module.

use std::sync::Arc;

use circulate_core::progress::Progress;
use circulate_core::promote::{Limits, Promotion};
use circulate_core::stop;
use pyo3::prelude::*;

use crate::locations::{LakeArguments, existing};
use crate::options::{Arguments, Deadline, Size, options};
use crate::results::finish_as;
use crate::runtime::wait;
use crate::stop::PyStop;
use crate::watcher::WorkWatcher;

options! {
    /// How a run is copied.
    pub(crate) struct PromoteOptions {
        /// Put the objects together in NDJSON objects of 64 to 128 MB as they are stored. A promotion that was started is
        /// resumed as it was started.
        compact: bool,
        /// Memory budget for objects in flight. Compaction holds one large object, up to 128 MB, even if that is more.
        memory: Size = "64MB",
        /// Time after which nothing more is begun, such as `10m`.
        deadline: Option<Deadline>,
    }
}

/// Copy a run of a lake into a place for readers; see `circulate_core.promote`.
#[pyfunction]
#[pyo3(signature = (lake, manifest, to, options, on_progress=None, stop=None))]
pub(crate) fn promote(
    py: Python<'_>,
    lake: LakeArguments,
    manifest: String,
    to: String,
    options: Arguments<PromoteOptions>,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<Py<PyAny>> {
    let PromoteOptions { compact, memory: Size(memory), deadline } = options.get()?;
    let stop_signal = stop::Stop::new(deadline.map(|Deadline(instant)| instant));
    let progress = Arc::new(Progress::default());
    let mut watcher = WorkWatcher::new(py, &progress, &stop_signal, stop, on_progress)?;
    let lake = lake.beside(py, &[&to])?;
    let work = async move {
        let locations = lake.s3.locations()?;
        let (from, to) = (locations.sink(&lake.location).await?, locations.sink(&to).await?);
        let store = existing(&lake.state).await?;
        #[cfg(feature = "testing")]
        let (to, store) = circulate_core::testing::crash::armed(to, store);
        let compact = compact.then(Limits::default);
        Promotion { from, manifest, to, store, compact, memory, progress, stop: stop_signal }.run().await
    };
    finish_as(py, "Promoted", wait(py, Box::pin(work), &mut watcher)?)
}
