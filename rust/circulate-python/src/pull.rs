//! Pulls: functions of the module.

use std::pin::Pin;
use std::sync::Arc;

use circulate_core::api::auth::sign_in;
use circulate_core::encode::{Compression, Format};
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::extract::cursor::Window;
use circulate_core::lake::write::ObjectFormat;
use circulate_core::location::Locations;
use circulate_core::page::PageLimits;
use circulate_core::progress::Progress;
use circulate_core::redact::Redactor;
use circulate_core::run::{Outcome, Pull, PullOptions};
use circulate_core::state::Mode;
use circulate_core::stop;
use circulate_core::table::{Contract, Nested, TableOptions};
use pyo3::prelude::*;
use serde::Deserialize;
use tokio::time::Instant;

use crate::account::{AccountRequest, connection};
use crate::arguments::{from_json, in_seconds, seconds, time};
use crate::errors::to_python;
use crate::locations::S3Request;
use crate::results::{RESULTS, py_result, result};
use crate::runtime::{awaitable, wait, watched};
use crate::settings::Settings;
use crate::stop::PyStop;
use crate::watcher::WorkWatcher;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PullRequest {
    stream: String,
    parents: Option<String>,
    from: AccountRequest,
    destination: String,
    state: String,
    s3: S3Request,
    worker: String,
    mode: Mode,
    since: Option<String>,
    until: Option<String>,
    restart: bool,
    unattended: bool,
    continuation: Option<String>,
    idempotency_key: Option<String>,
    format: Format,
    compression: Option<Compression>,
    batch_records: Option<usize>,
    batch_bytes: Option<usize>,
    nested: Nested,
    raw: bool,
    contract: Contract,
    max_record_bytes: Option<u64>,
    memory: Option<u64>,
    deadline_seconds: Option<f64>,
    worker_ends_seconds: Option<f64>,
    max_wait_seconds: Option<f64>,
    lease_seconds: f64,
    pending_seconds: Option<f64>,
}

/// Pull one stream; see `circulate_core.pull`.
#[pyfunction]
#[pyo3(signature = (request, settings, on_progress=None, stop=None))]
pub(crate) fn pull(
    py: Python<'_>,
    request: &str,
    settings: &Settings,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<Py<PyAny>> {
    let (work, mut watcher) = begin_pull(py, request, settings, on_progress, stop)?;
    pulled(py, wait(py, work, &mut watcher)?)
}

/// As `pull`, to be awaited.
#[pyfunction]
#[pyo3(signature = (request, settings, on_progress=None, stop=None))]
pub(crate) fn pull_async<'py>(
    py: Python<'py>,
    request: &str,
    settings: &Settings,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (work, watcher) = begin_pull(py, request, settings, on_progress, stop)?;
    let _ = py.import(RESULTS);
    awaitable(py, async move {
        let outcome = watched(work, watcher).await?;
        Python::attach(|py| pulled(py, outcome))
    })
}

type Pulling = Pin<Box<dyn Future<Output = Result<Outcome>> + Send>>;

fn begin_pull(
    py: Python<'_>,
    request: &str,
    settings: &Settings,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<(Pulling, WorkWatcher)> {
    let mut request: PullRequest = from_json(py, request)?;
    request.from.settings = settings.values(py)?;
    let deadline = request.deadline_seconds.map(|given| in_seconds("deadline", given));
    let deadline = py_result(py, deadline.transpose())?;
    let max_wait = request.max_wait_seconds.map(|given| seconds("max_wait", given));
    let max_wait = py_result(py, max_wait.transpose())?;
    let worker_ends = request.worker_ends_seconds.map(|given| in_seconds("worker_ends", given));
    let worker_ends = py_result(py, worker_ends.transpose())?;
    let stop_signal = stop::Stop::new(deadline).waiting_up_to(max_wait);
    let progress = Arc::new(Progress::default());
    let watcher = WorkWatcher::new(&progress, &stop_signal, stop, on_progress);
    let work =
        async move { Ok(Box::pin(prepare(request, worker_ends, progress, stop_signal)).await?.run().await) };
    Ok((Box::pin(work), watcher))
}

fn pulled(py: Python<'_>, outcome: Result<Outcome>) -> PyResult<Py<PyAny>> {
    let Outcome { report, error } = py_result(py, outcome)?;
    let report = result(py, "Report", &report);
    match error {
        None => report,
        // What went wrong is said whatever becomes of the report.
        Some(error) => Err(to_python(py, &error, report.ok())),
    }
}

async fn prepare(
    request: PullRequest,
    worker_ends: Option<Instant>,
    progress: Arc<Progress>,
    stop: stop::Stop,
) -> Result<Pull> {
    request.continuation.as_deref().map_or(Ok(()), check_run_id)?;
    let definition = request.from.catalog().stream(&request.stream)?;
    let window = Window { since: time("since", request.since)?, until: time("until", request.until)? };
    let objects =
        ObjectFormat::new(request.format, request.compression, request.batch_records, request.batch_bytes)?;
    let memory = objects.memory(request.memory)?;
    let locations = request.s3.locations()?;
    Locations::check(&request.destination, &request.state)?;
    let account = request.from.resolve(&definition.source, &locations).await?;
    let connection = connection(&definition.source, &account)?;
    let authorize = sign_in(&definition.source, &account, &connection, definition.scopes().as_ref())?;
    let sink = locations.sink(&request.destination).await?;
    sink.probe().await?;
    let store = locations.state(&request.state).await?;
    let defaults = PullOptions::default();
    let mut pages = PageLimits::default();
    pages.in_memory = memory.for_page();
    pages.record = request.max_record_bytes.unwrap_or(pages.record);
    #[cfg(feature = "testing")]
    let (sink, store) = circulate_core::testing::crash::armed(sink, store);
    Ok(Pull {
        connection,
        authorize,
        definition,
        account,
        sink,
        store,
        parents_from: request.parents,
        options: PullOptions {
            mode: request.mode,
            window,
            restart: request.restart,
            unattended: request.unattended,
            continuation: request.continuation,
            idempotency_key: request.idempotency_key,
            objects,
            tables: TableOptions { nested: request.nested, raw: request.raw },
            contract: request.contract,
            pages,
            memory,
            lease: seconds("lease", request.lease_seconds)?,
            worker_ends,
            pending: request.pending_seconds.map(|given| seconds("pending", given)).transpose()?,
            ..defaults
        },
        worker: request.worker,
        progress,
        stop,
        seed: None,
    })
}

/// What can't be the id of a run is none, and no key to look one up by.
fn check_run_id(given: &str) -> Result<()> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=128).contains(&given.len()) && given.bytes().all(safe) {
        return Ok(());
    }
    let message = format!("`continuation` names no run: {}", Redactor::shared().shown(given, 200));
    Err(Error::new(ErrorKind::Settings, "open run", message))
}
