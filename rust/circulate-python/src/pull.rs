//! Pulls: functions of the module.

use std::pin::Pin;
use std::sync::Arc;

use circulate_core::api::auth::sign_in;
use circulate_core::encode::{Compression, Format};
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::extract::cursor::Window;
use circulate_core::lake::write::ObjectFormat;
use circulate_core::page::PageLimits;
use circulate_core::progress::Progress;
use circulate_core::redact::Redactor;
use circulate_core::run::{Outcome, Pull, PullOptions as RunOptions};
use circulate_core::state::Mode;
use circulate_core::stop::Stop;
use circulate_core::table::{Contract, Nested, TableOptions};
use pyo3::prelude::*;

use crate::account::{PyAccount, connection};
use crate::errors::to_python;
use crate::hooks;
use crate::locations::{KnownLake, LakeArguments};
use crate::options::{Arguments, Count, Deadline, LeaseTime, Length, Size, Time, groups, options};
use crate::results::{RESULTS, py_result, result};
use crate::runtime::{awaitable, wait, watched};
use crate::stop::PyStop;
use crate::watcher::WorkWatcher;
use crate::wire::Wire;

options! {
    /// What to pull
    pub(crate) struct Selection {
        /// `incremental` (what changed since the last complete run; everything on the first) or `full`.
        mode: Mode = "incremental",
        /// Inclusive lower bound: a time, a date, or a length of time such as `7d` for that long ago. Without an offset it is
        /// UTC. With `since` or `until` the cursor is neither used nor moved.
        since: Option<Time>,
        /// Exclusive upper bound, as `since`.
        until: Option<Time>,
        /// Of a child stream: key of the manifest of a run of its parent that has just been committed to the same place.
        /// Children are requested for its records; the list of parents is not read again.
        parents: Option<String>,
        /// Delete records that are no longer there even where a brake withholds that, such as a fifth of all; for this run.
        accept_deletes: bool,
    }
}

options! {
    /// Runs
    pub(crate) struct Runs {
        /// Start over instead of resuming an unfinished run.
        restart: bool,
        /// Finish an unfinished run of another mode or period first, and abandon one whose definition has changed. Without it
        /// such a run is an error that asks for a decision.
        unattended: bool,
        /// Run to resume, in the mode and for the period that it was started with. If it has finished meanwhile, its report is
        /// returned.
        continuation: Option<String>,
        /// Idempotency key, such as a request id. If a run with this key has finished, its report is returned and nothing is
        /// pulled.
        idempotency_key: Option<String>,
        /// Lease time: how long a run stays locked if its worker dies.
        lease: LeaseTime = "60s",
        /// Time to leave a complete run pending, for others to commit or abandon.
        pending: Option<Length> => "it is committed",
    }
}

options! {
    /// Objects
    pub(crate) struct Objects {
        /// Format of objects: `json` (an array per object) or `ndjson` (a record per line), which hold records as they were
        /// received; `parquet` or `arrow` (the file format of Arrow IPC), which hold tables.
        format: Format = "json",
        /// Compression of objects. Tables are compressed inside of the object, by zstd or not at all.
        compression: Option<Compression> => "gzip, level 6; of tables zstd, level 3",
        /// Record limit of an object. Tables are closed by their size alone.
        batch_records: Option<Count> => "1000",
        /// Size limit of an object before compression. Of a table it is about its stored size.
        batch_bytes: Option<Size> => "3MB; of tables 64MB",
        /// Size limit of a record.
        max_record_bytes: Option<Size> => "16MB",
    }
}

options! {
    /// Tables
    pub(crate) struct Tables {
        /// Objects and lists in tables: columns of structs and lists (`struct`), columns for each member of an object
        /// (`flatten`: `profile__login`), or columns of JSON text (`json`).
        nested: Nested = "struct",
        /// Add a column `_raw` to tables, with each record as received.
        raw: bool,
        /// Values that have no place in a table's columns: `evolve` adds columns for new members, `rescue` does not. What has
        /// no place goes to the column `_rescued`. `freeze` ends the pull instead.
        contract: Contract = "evolve",
    }
}

options! {
    /// Limits
    pub(crate) struct Limits {
        /// Memory budget for pages and objects in flight. The process takes some 25 MB more, and with tables, whose columns are
        /// compressed one beside the other, up to 100 MB. It is at least four times `batch_bytes`; of that of tables an object
        /// gets half.
        memory: Option<Size> => "64MB; for tables 128MB",
        /// Time after which the pull stops at a checkpoint, such as `10m`.
        deadline: Option<Deadline>,
        /// Time after which this process is stopped for certain, whatever it does: its lease ends then, and others need not
        /// wait for it.
        worker_ends: Option<Deadline>,
        /// Time to wait for the API at once; a longer wait stops the pull, and the report's `resume_after` says when to resume.
        max_wait: Option<Length> => "it waits",
    }
}

groups! {
    /// Options of a pull; see `circulate_core.pull`.
    pub(crate) struct PullOptions {
        selection: Selection,
        runs: Runs,
        objects: Objects,
        tables: Tables,
        limits: Limits,
    }
}

/// Pull one stream; see `circulate_core.pull`.
#[pyfunction]
#[pyo3(signature = (stream, lake, account, options, on_progress=None, stop=None))]
pub(crate) fn pull(
    py: Python<'_>,
    stream: String,
    lake: LakeArguments,
    account: &PyAccount,
    options: Arguments<PullOptions>,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<Py<PyAny>> {
    let (work, mut watcher) = begin_pull(py, stream, lake, account, options.get()?, on_progress, stop)?;
    pulled(py, wait(py, work, &mut watcher)?)
}

/// As `pull`, to be awaited.
#[pyfunction]
#[pyo3(signature = (stream, lake, account, options, on_progress=None, stop=None))]
pub(crate) fn pull_async<'py>(
    py: Python<'py>,
    stream: String,
    lake: LakeArguments,
    account: &PyAccount,
    options: Arguments<PullOptions>,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (work, watcher) = begin_pull(py, stream, lake, account, options.get()?, on_progress, stop)?;
    let watcher = watcher.in_background(py)?;
    let _ = py.import(RESULTS);
    awaitable(py, async move {
        let outcome = watched(work, watcher).await?;
        Python::attach(|py| pulled(py, outcome))
    })
}

type Pulling = Pin<Box<dyn Future<Output = Result<Outcome>> + Send>>;

fn begin_pull(
    py: Python<'_>,
    stream: String,
    lake: LakeArguments,
    account: &PyAccount,
    options: PullOptions,
    on_progress: Option<Py<PyAny>>,
    stop: Option<Py<PyStop>>,
) -> PyResult<(Pulling, WorkWatcher)> {
    let deadline = options.limits.deadline.as_ref().map(|Deadline(instant)| *instant);
    let max_wait = options.limits.max_wait.as_ref().map(|Length(length)| *length);
    let stop_signal = Stop::new(deadline).waiting_up_to(max_wait);
    let progress = Arc::new(Progress::default());
    let watcher = WorkWatcher::new(py, &progress, &stop_signal, stop, on_progress)?;
    let (lake, account) = (lake.with_state(py)?, account.clone());
    let work = async move {
        Ok(Box::pin(prepare(stream, lake, account, options, progress, stop_signal)).await?.run().await)
    };
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
    stream: String,
    lake: KnownLake,
    account: PyAccount,
    options: PullOptions,
    progress: Arc<Progress>,
    stop: Stop,
) -> Result<Pull> {
    let PullOptions { selection, runs, objects, tables, limits } = options;
    runs.continuation.as_deref().map_or(Ok(()), check_run_id)?;
    let definition = account.catalog.readable_stream(&stream)?;
    let (mode, window) = selection.mode_and_window()?;
    let format = objects.format()?;
    let memory = format.memory(limits.memory.map(|Size(bytes)| bytes))?;
    let locations = lake.s3.locations()?;
    let resolved = account.resolve(&definition.source, &locations).await?;
    let hooks = hooks::load(Arc::clone(&definition.hooks), &stop).await?;
    let connection = match &account.wire {
        None => connection(&definition.source, &resolved)?,
        Some(wire) => wire.connection(&definition.source, &resolved)?,
    };
    let connection = connection.with_hooks(hooks);
    let authorize = sign_in(&definition.source, &resolved, &connection, definition.scopes().as_ref())?;
    let sink = locations.sink(&lake.location).await?;
    sink.probe().await?;
    let store = locations.state(&lake.state).await?;
    let mut pages = PageLimits {
        in_memory: memory.for_page(),
        hooked: memory.for_hooked_page(),
        ..PageLimits::default()
    };
    pages.record = objects.max_record_bytes.map_or(pages.record, |Size(bytes)| bytes);
    let (sink, store) = match &account.wire {
        None => (sink, store),
        Some(wire) => wire.writes(sink, store),
    };
    #[cfg(feature = "testing")]
    let (sink, store) = circulate_core::testing::crash::armed(sink, store);
    let options = RunOptions {
        mode,
        window,
        restart: runs.restart,
        accept_deletes: selection.accept_deletes,
        unattended: runs.unattended,
        continuation: runs.continuation,
        idempotency_key: runs.idempotency_key,
        objects: format,
        tables: TableOptions { nested: tables.nested, raw: tables.raw },
        contract: tables.contract,
        pages,
        headroom: account.headroom,
        memory,
        lease: runs.lease.0,
        worker_ends: limits.worker_ends.map(|Deadline(instant)| instant),
        pending: runs.pending.map(|Length(length)| length),
        ..RunOptions::default()
    };
    Ok(Pull {
        connection,
        authorize,
        definition,
        account: resolved,
        sink,
        store,
        parents_from: selection.parents,
        options: if account.wire.is_some() { Wire::options(options) } else { options },
        worker: worker(),
        progress,
        stop,
        seed: None,
    })
}

impl Selection {
    fn mode_and_window(&self) -> Result<(Mode, Window)> {
        let bound = |time: &Option<Time>| time.as_ref().map(|Time(instant)| *instant);
        let window = Window { since: bound(&self.since), until: bound(&self.until) };
        if window.since.is_none() && window.until.is_none() {
            return Ok((self.mode, window));
        }
        if self.mode == Mode::Full {
            let what = "a full pull requests everything, and `since` or `until` a period: give one of them";
            return Err(Error::new(ErrorKind::Settings, "read options", what));
        }
        Ok((Mode::Window, window))
    }
}

impl Objects {
    fn format(&self) -> Result<ObjectFormat> {
        let records = self.batch_records.as_ref().map(|Count(records)| *records);
        let bytes =
            self.batch_bytes.as_ref().map(|Size(bytes)| usize::try_from(*bytes).unwrap_or(usize::MAX));
        ObjectFormat::new(self.format, self.compression, records, bytes)
    }
}

/// This process, for people who look for who holds a run.
fn worker() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("process {} on {}", std::process::id(), host.trim())
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
