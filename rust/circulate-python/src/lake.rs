//! Lakes as tables: the class `LakeTable` and functions of the module.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use circulate_core::catalog::Columns;
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::extract::cursor::Window;
use circulate_core::lake::manifest::Identity;
use circulate_core::read::lake as core_lake;
use circulate_core::read::lake::{LakePlan, LakeReading, LakeReport, View};
use circulate_core::stop::{Stop, StopReason};
use jiff::Timestamp;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use serde::Deserialize;

use crate::locations::{LakeArguments, LakeToRead, OpenLake};
use crate::options::{Size, Time, option_of};
use crate::results::{document, py_result};
use crate::runtime::{Brief, Watcher, wait};
use crate::tables::{Schema, external, kept, schema_of, stream_capsule};

/// Memory that reading a table takes.
const MEMORY: u64 = 256_000_000;
/// The least: buffers of one object take it.
const LEAST_MEMORY: u64 = 16_000_000;

/// What identifies records, and columns, as the caller's definition has them.
#[derive(Deserialize)]
struct GivenIdentity {
    #[serde(flatten)]
    identity: Identity,
    #[serde(default)]
    columns: Option<Columns>,
}

#[derive(Clone)]
struct LakeTableRequest {
    lake: LakeToRead,
    stream: String,
    account: Option<String>,
    times: ViewTimes,
    columns: Option<Vec<String>>,
    identity: Option<Identity>,
    declared: Option<Columns>,
    memory: u64,
}

/// A stream's table in a lake. It can be read any number of times.
#[pyclass(frozen, name = "LakeTable", module = "circulate_core._core")]
pub(crate) struct PyLakeTable {
    request: LakeTableRequest,
    plan: Mutex<Option<Arc<LakePlan>>>,
    report: Arc<OnceLock<LakeReport>>,
}

#[pymethods]
impl PyLakeTable {
    #[new]
    #[pyo3(signature = (
        lake, stream, *, account=None, view="current", at=None, since=None, until=None, columns=None, identity=None,
        memory=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are named where it is called")]
    fn new(
        py: Python<'_>,
        lake: LakeArguments,
        stream: String,
        account: Option<String>,
        view: &str,
        at: Option<&Bound<'_, PyAny>>,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        columns: Option<Vec<String>>,
        identity: Option<&Bound<'_, PyDict>>,
        memory: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let time = |name: &str, given: Option<&Bound<'_, PyAny>>| {
            given.map(|given| option_of::<Time>(py, name, given).map(|Time(time)| time)).transpose()
        };
        let (at, since, until) = (time("at", at)?, time("since", since)?, time("until", until)?);
        let times = py_result(py, ViewTimes::of(view, at, since, until))?;
        let memory = match memory {
            Some(given) => option_of::<Size>(py, "memory", given)?.0.max(LEAST_MEMORY),
            None => MEMORY,
        };
        let given = identity.map(|given| identity_of(py, given)).transpose()?;
        let (identity, declared) = given.map_or((None, None), |given| (Some(given.identity), given.columns));
        let lake = lake.into_readable(py)?;
        let request = LakeTableRequest { lake, stream, account, times, columns, identity, declared, memory };
        Ok(Self { request, plan: Mutex::default(), report: Arc::default() })
    }

    /// The columns.
    #[getter]
    fn schema(&self, py: Python<'_>) -> PyResult<Schema> {
        let plan = self.plan(py)?;
        schema_of(py, plan.columns(), plan.schema())
    }

    /// The table as an Arrow stream. Another schema than its own is not converted to.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let plan = self.plan(py)?;
        let stop = Stop::new(None);
        let schema = plan.schema();
        let reading = py_result(
            py,
            wait(
                py,
                {
                    let stop = stop.clone();
                    async move { Ok(plan.read(stop)) }
                },
                &mut Brief,
            )?,
        )?;
        let reading = Arc::new(tokio::sync::Mutex::new(reading));
        stream_capsule(py, LakeBatches { schema, reading, report: Arc::clone(&self.report), stop })
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        self.schema(py)?.__arrow_c_schema__(py)
    }

    /// What was read and what is to be known about it, once it was read to its end; of a table that was not, what is known before.
    fn report(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.report.get() {
            Some(report) => document(py, report),
            None => document(py, self.plan(py)?.report()),
        }
    }
}

impl PyLakeTable {
    fn plan(&self, py: Python<'_>) -> PyResult<Arc<LakePlan>> {
        let known = || self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = &*known() {
            return Ok(Arc::clone(plan));
        }
        let stop = Stop::new(None);
        let work = plan(self.request.clone(), stop.clone());
        let plan = Arc::new(py_result(py, wait(py, Box::pin(work), &mut Interruptible(stop))?)?);
        *known() = Some(Arc::clone(&plan));
        Ok(plan)
    }
}

async fn plan(request: LakeTableRequest, stop: Stop) -> Result<LakePlan> {
    let LakeTableRequest { lake, stream, account, times, columns, identity, declared, memory } = request;
    let OpenLake { sink, store } = lake.open().await?;
    let name = stream.split_once('.').filter(|(source, endpoint)| !source.is_empty() && !endpoint.is_empty());
    let Some((source, endpoint)) = name else {
        let error = Error::new(ErrorKind::Settings, "read lake", format!("invalid stream `{stream}`"));
        return Err(error.hint(core_lake::streams_there(&*sink, &stream).await?));
    };
    let (source, endpoint) = (source.to_owned(), endpoint.to_owned());
    let ViewTimes { view, at, changed_after, window } = times;
    core_lake::LakeTable {
        at,
        changed_after,
        window,
        sink,
        source,
        endpoint,
        account,
        view,
        columns,
        identity,
        declared,
        memory,
        store,
        stop,
    }
    .plan()
    .await
}

/// What times mean to a view: when runs were committed, or when records say that they are from.
#[derive(Debug, Clone)]
struct ViewTimes {
    view: View,
    at: Option<Timestamp>,
    changed_after: Option<Timestamp>,
    window: Window,
}

impl ViewTimes {
    fn of(
        view: &str,
        at: Option<Timestamp>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Self> {
        let wrong = |what: String, hint: &str| {
            Err(Error::new(ErrorKind::Settings, "read lake", what).hint(hint.to_owned()))
        };
        let window = Window { since, until };
        match view {
            "current" => Ok(Self { view: View::Current, at, changed_after: None, window }),
            "history" => Ok(Self { view: View::History, at, changed_after: None, window }),
            "changes" if since.is_none() => wrong(
                "changes since when?".to_owned(),
                "give `since`, the time after which runs were committed",
            ),
            "changes" if until.is_some() => wrong(
                "`until` beside the view changes".to_owned(),
                "give `at`, the time until which runs were committed",
            ),
            "changes" => {
                Ok(Self { view: View::History, at, changed_after: since, window: Window::default() })
            }
            _ => wrong(format!("invalid `view`: {view}"), "it is current, history or changes"),
        }
    }
}

fn identity_of(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<GivenIdentity> {
    let text: String = py.import("json")?.call_method1("dumps", (given,))?.extract()?;
    let read = serde_json::from_str(&text)
        .map_err(|error| Error::new(ErrorKind::Settings, "read lake", "invalid `identity`").caused_by(error));
    py_result(py, read)
}

/// The streams that a lake has manifests of.
#[pyfunction]
pub(crate) fn lake_streams(py: Python<'_>, lake: LakeArguments) -> PyResult<Py<PyAny>> {
    let lake = lake.into_readable(py)?;
    let work = async move {
        let OpenLake { sink, store } = lake.open().await?;
        core_lake::lake_streams(&*sink, store.as_deref()).await
    };
    document(py, &py_result(py, wait(py, work, &mut Brief)?)?)
}

/// The committed runs of a lake, or of one stream of it, and whether their objects are still there.
#[pyfunction]
#[pyo3(signature = (lake, stream=None))]
pub(crate) fn lake_runs(py: Python<'_>, lake: LakeArguments, stream: Option<String>) -> PyResult<Py<PyAny>> {
    let lake = lake.into_readable(py)?;
    let work = async move {
        let OpenLake { sink, store } = lake.open().await?;
        core_lake::held_runs(&*sink, stream.as_deref(), store.as_deref()).await
    };
    document(py, &py_result(py, wait(py, work, &mut Brief)?)?)
}

/// Ends work at once.
struct Interruptible(Stop);

impl Watcher for Interruptible {
    fn tick(&mut self, _: Python<'_>) -> PyResult<()> {
        Ok(())
    }

    fn hand_on(&mut self, _: Python<'_>) -> PyResult<bool> {
        Ok(false)
    }

    fn interrupted(&mut self) -> bool {
        self.0.request(StopReason::Interrupted);
        false
    }
}

/// A table that is being read.
struct LakeBatches {
    schema: SchemaRef,
    reading: Arc<tokio::sync::Mutex<LakeReading>>,
    report: Arc<OnceLock<LakeReport>>,
    stop: Stop,
}

impl Iterator for LakeBatches {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (reading, report) = (Arc::clone(&self.reading), Arc::clone(&self.report));
        let work = async move {
            let mut reading = reading.lock().await;
            let next = reading.next().await;
            if let Some(known) = reading.report() {
                let _ = report.set(known.clone());
            }
            next
        };
        let next = Python::try_attach(|py| {
            let next =
                wait(py, work, &mut Interruptible(self.stop.clone())).and_then(|next| py_result(py, next));
            next.map_err(|error| external(kept(py, &error))).transpose()
        });
        next.unwrap_or_else(|| Some(Err(ArrowError::ComputeError("the interpreter has ended".to_owned()))))
    }
}

impl RecordBatchReader for LakeBatches {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
