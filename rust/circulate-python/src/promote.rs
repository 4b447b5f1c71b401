//! Promotions: the function of the module.

use std::sync::Arc;

use circulate_core::error::Result;
use circulate_core::location::Locations;
use circulate_core::progress::Progress;
use circulate_core::promote::{Limits, Promotion};
use circulate_core::stop;
use pyo3::prelude::*;
use serde::Deserialize;

use crate::arguments::{from_json, in_seconds};
use crate::locations::{S3Request, existing};
use crate::results::{finish_as, py_result};
use crate::runtime::wait;
use crate::stop::PyStop;
use crate::watcher::WorkWatcher;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromoteRequest {
    from: String,
    manifest: String,
    to: String,
    state: String,
    s3: S3Request,
    compact: bool,
    memory: u64,
    deadline_seconds: Option<f64>,
}

/// Copy a run into a place for readers; see `circulate_core.promote`.
#[pyfunction]
#[pyo3(signature = (request, on_progress=None, stop=None))]
pub(crate) fn promote(
    py: Python<'_>,
    request: &str,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<Py<PyAny>> {
    let request: PromoteRequest = from_json(py, request)?;
    let deadline = request.deadline_seconds.map(|given| in_seconds("deadline", given));
    let stop_signal = stop::Stop::new(py_result(py, deadline.transpose())?);
    let progress = Arc::new(Progress::default());
    let mut watcher = WorkWatcher::new(&progress, &stop_signal, stop, on_progress);
    let work = async move { Box::pin(prepare(request, progress, stop_signal)).await?.run().await };
    finish_as(py, "Promoted", wait(py, work, &mut watcher)?)
}

async fn prepare(request: PromoteRequest, progress: Arc<Progress>, stop: stop::Stop) -> Result<Promotion> {
    let locations = request.s3.locations()?;
    Locations::check(&request.from, &request.state)?;
    Locations::check(&request.to, &request.state)?;
    let (from, to) = (locations.sink(&request.from).await?, locations.sink(&request.to).await?);
    let store = existing(&request.state).await?;
    #[cfg(feature = "testing")]
    let (to, store) = circulate_core::testing::crash::armed(to, store);
    Ok(Promotion {
        from,
        manifest: request.manifest,
        to,
        store,
        compact: request.compact.then(Limits::default),
        memory: request.memory,
        progress,
        stop,
    })
}
