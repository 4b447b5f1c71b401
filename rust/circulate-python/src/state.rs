//! State of streams: functions of the module.

use circulate_core::error::Result;
use circulate_core::lake::manifest::Totals;
use circulate_core::lake::stream_id::StreamId;
use circulate_core::location::Locations;
use circulate_core::progress::Progress;
use circulate_core::state::{
    self as core_state, Decision, ListedRun, RunItem, StateStore, list_runs, mark_all, place_marker,
};
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::locations::{LakeArguments, existing};
use crate::options::{Count, option_of};
use crate::results::{RESULTS, document, finish_all, py_result};
use crate::runtime::{Brief, wait};
use crate::watcher::{EventWatcher, event_log};

/// The newest runs that a state knows, each with its stream.
#[pyfunction]
pub(crate) fn runs(py: Python<'_>, state: String, limit: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let Count(limit) = option_of(py, "limit", limit)?;
    let work = async move {
        let store = existing(&state).await?;
        let runs = list_runs(&*store, limit).await?;
        for (stream, run) in runs.iter().filter(|(_, run)| run.marker.is_some()) {
            mark(&*store, stream, run).await;
        }
        Ok(runs.into_iter().map(|(stream, run)| ListedRun::new(&stream, run)).collect::<Vec<_>>())
    };
    let runs = finish_all(py, "Run", wait(py, work, &mut Brief)?)?;
    Ok(py.import(RESULTS)?.getattr("Runs")?.call1((runs,))?.unbind())
}

/// Creates the marker of a committed run where it was pulled to. Whoever looks at state need not be allowed to: then the next
/// pull does it.
async fn mark(store: &dyn StateStore, stream: &StreamId, run: &RunItem) {
    if let Ok(sink) = Locations::default().sink(&run.destination).await {
        let _ = place_marker(&*sink, store, stream, &run.run_id).await;
    }
}

/// Create the markers of all committed runs of a lake that has none of them.
#[pyfunction]
pub(crate) fn mark_committed(py: Python<'_>, lake: LakeArguments) -> PyResult<Py<PyAny>> {
    let lake = lake.with_state(py)?;
    let work = async move {
        let store = existing(&lake.state).await?;
        mark_all(&*lake.s3.locations()?.sink(&lake.location).await?, &*store).await
    };
    document(py, &py_result(py, wait(py, work, &mut Brief)?)?)
}

/// The state of all streams that a state knows.
#[pyfunction]
pub(crate) fn state_show(py: Python<'_>, state: String) -> PyResult<Vec<Py<PyAny>>> {
    let work = async move { core_state::show(&*existing(&state).await?).await };
    finish_all(py, "StreamState", wait(py, work, &mut Brief)?)
}

/// Make a state; returns whether there was none.
#[pyfunction]
pub(crate) fn state_init(py: Python<'_>, state: String) -> PyResult<bool> {
    let work = async move { Locations::default().make_state(&state).await };
    wait(py, work, &mut Brief)?.map_err(|error| to_python(py, &error, None))
}

/// Forget where the next run of a stream would begin, and give an unfinished run up.
#[pyfunction]
pub(crate) fn state_reset(py: Python<'_>, state: String, stream: String, force: bool) -> PyResult<()> {
    let work = async move { core_state::reset(&*existing(&state).await?, &stream.parse()?, force).await };
    wait(py, work, &mut Brief)?.map_err(|error| to_python(py, &error, None))
}

/// Forget where an account was, which has moved; returns where that was.
#[pyfunction]
pub(crate) fn state_moved(
    py: Python<'_>,
    state: String,
    source: String,
    account: String,
) -> PyResult<Option<String>> {
    let work = async move { core_state::moved(&*existing(&state).await?, &source, &account).await };
    wait(py, work, &mut Brief)?.map_err(|error| to_python(py, &error, None))
}

/// Commit a pending run, or abandon it.
#[pyfunction]
pub(crate) fn state_decide(
    py: Python<'_>,
    state: String,
    stream: String,
    run_id: String,
    commit: bool,
    force: bool,
) -> PyResult<()> {
    let decision = if commit { Decision::Commit } else { Decision::Abandon { forced: force } };
    let progress = Progress::default();
    let mut watcher = EventWatcher(event_log(py, &progress)?);
    let work = async move {
        let stream: StreamId = stream.parse()?;
        progress.set_stream(&stream.name(), stream.account());
        progress.set_run(&run_id);
        let store = existing(&state).await?;
        let decided = core_state::decide(&*store, &stream, &run_id, decision).await?;
        if let Some(run) = decided.filter(|_| commit) {
            mark(&*store, &stream, &run).await;
            let Totals { records, objects, bytes, .. } = run.ledger.totals;
            progress.committed(run.manifest.as_deref().unwrap_or_default(), records, objects, bytes);
        }
        Ok(())
    };
    let decided: Result<()> = wait(py, work, &mut watcher)?;
    decided.map_err(|error| to_python(py, &error, None))
}
