//! Reading streams: the class `Reader` of the module.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use circulate_core::api::auth::sign_in;
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::extract::batch::{BatchLimits, Memory};
use circulate_core::extract::cursor::Window;
use circulate_core::location::Locations;
use circulate_core::page::PageLimits;
use circulate_core::progress::Progress;
use circulate_core::read::{Read, Reading};
use circulate_core::run::{PullOptions, Report};
use circulate_core::stop;
use pyo3::prelude::*;
use pyo3::sync::OnceLockExt;
use pyo3::types::PyBytes;
use tokio::sync::Mutex;

use crate::account::{PyAccount, connection};
use crate::events::{self, EventLog};
use crate::hooks;
use crate::options::{Arguments, Count, Time, options};
use crate::results::{py_result, result};
use crate::runtime::{Engine, Watcher, awaitable, wait, watched};
use crate::watcher::EventWatcher;

/// Bytes of a batch, which is closed there too.
const BATCH_BYTES: usize = 3_000_000;
/// Bytes that pages and batches in flight may hold.
const MEMORY: u64 = 64_000_000;

options! {
    /// What to read
    pub(crate) struct ReadOptions {
        /// Inclusive lower bound.
        since: Option<Time>,
        /// Exclusive upper bound.
        until: Option<Time>,
        /// Record limit of a batch.
        records: Count,
        /// Page size to request, if the API allows it.
        page_records: Option<Count>,
    }
}

struct ReadRequest {
    stream: String,
    account: PyAccount,
    window: Window,
    batch: BatchLimits,
    page_records: Option<u32>,
}

/// A stream that is being read, batch by batch. It sends requests once the first batch is wanted.
#[pyclass(frozen, module = "circulate_core._core")]
pub(crate) struct Reader {
    state: Arc<Mutex<State>>,
    progress: Arc<Progress>,
    /// Once it is read.
    events: OnceLock<EventLog>,
    stop: stop::Stop,
    on_progress: Option<Py<PyAny>>,
    report: Arc<OnceLock<Report>>,
    /// The process whose engine sends requests: what was begun in one does not go on in another that is forked from it.
    process: u32,
}

enum State {
    Requested(Box<ReadRequest>),
    Begun(Box<Reading>),
    Closed,
}

#[pymethods]
impl Reader {
    #[new]
    #[pyo3(signature = (stream, account, options, on_progress=None))]
    fn new(
        stream: String,
        account: &PyAccount,
        options: Arguments<ReadOptions>,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let ReadOptions { since, until, records: Count(records), page_records } = options.get()?;
        let bound = |time: Option<Time>| time.map(|Time(instant)| instant);
        let request = ReadRequest {
            stream,
            account: account.clone(),
            window: Window { since: bound(since), until: bound(until) },
            batch: BatchLimits { records, bytes: BATCH_BYTES },
            page_records: page_records.map(|Count(records)| u32::try_from(records).unwrap_or(u32::MAX)),
        };
        Ok(Self {
            state: Arc::new(Mutex::new(State::Requested(Box::new(request)))),
            progress: Arc::default(),
            events: OnceLock::new(),
            stop: stop::Stop::new(None),
            on_progress,
            report: Arc::default(),
            process: std::process::id(),
        })
    }

    /// Wait for the next batch: a JSON array of records as received. None after the last one.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.wait(py)?.map(|batch| PyBytes::new(py, &batch)))
    }

    /// As `next`, to be awaited.
    fn next_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (taken, events) = (self.take(), self.events(py)?);
        let events = if events::look(py)? { Some(events.with_context(py)?) } else { None };
        awaitable(py, async move {
            let batch = match events {
                Some(events) => watched(taken, EventWatcher(events)).await?,
                None => taken.await,
            };
            Python::attach(|py| Ok(py_result(py, batch)?.map(|batch| PyBytes::new(py, &batch).unbind())))
        })
    }

    /// What was done so far.
    fn snapshot(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        result(py, "Snapshot", &self.progress.snapshot())
    }

    /// The report, once the stream was read to its end.
    #[getter]
    fn report(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.report.get().map(|report| result(py, "Report", report)).transpose()
    }

    /// Send no more requests.
    fn close(&self) {
        self.stop.request(stop::StopReason::Interrupted);
        if let Ok(mut state) = self.state.try_lock() {
            *state = State::Closed;
        }
    }
}

impl Reader {
    /// Waits for the next batch.
    pub(crate) fn wait(&self, py: Python<'_>) -> PyResult<Option<Bytes>> {
        events::look(py)?;
        let mut watcher = ReadWatcher { reader: self, events: self.events(py)? };
        let batch = wait(py, self.take(), &mut watcher)?;
        py_result(py, batch)
    }

    fn events(&self, py: Python<'_>) -> PyResult<&EventLog> {
        let queues = &Engine::get()?.events;
        let open = || EventLog::open(queues, self.progress.events().work());
        Ok(self.events.get_or_init_py_attached(py, open))
    }

    fn take(&self) -> impl Future<Output = Result<Option<Bytes>>> + Send + 'static {
        let (state, progress, stop) =
            (Arc::clone(&self.state), Arc::clone(&self.progress), self.stop.clone());
        let report = Arc::clone(&self.report);
        let ours = self.process == std::process::id();
        async move {
            if !ours {
                return Err(forked());
            }
            let mut state = state.lock().await;
            if let State::Requested(request) = &*state {
                let read = Box::pin(prepare(request, progress, stop)).await?;
                *state = State::Begun(Box::new(read.start()));
            }
            let State::Begun(reading) = &mut *state else { return Err(closed()) };
            let next = reading.next().await;
            if let Some(known) = reading.report() {
                let _ = report.set(known.clone());
            }
            next
        }
    }
}

/// Not an end like that of the stream.
fn closed() -> Error {
    Error::new(ErrorKind::Stopped, "read stream", "it was closed before its end")
}

fn forked() -> Error {
    Error::new(
        ErrorKind::Stopped,
        "read stream",
        "it is being read by the process that this one was forked from",
    )
    .hint("read the stream again in this process")
}

/// Shows progress and logs events. What interrupts a reader ends it at once, since there is nothing to be kept.
struct ReadWatcher<'r> {
    reader: &'r Reader,
    events: &'r EventLog,
}

impl Watcher for ReadWatcher<'_> {
    fn tick(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(callback) = &self.reader.on_progress {
            callback.call1(py, (self.reader.snapshot(py)?,))?;
        }
        Ok(())
    }

    fn hand_on(&mut self, py: Python<'_>) -> PyResult<bool> {
        self.events.hand_on(py)
    }

    fn interrupted(&mut self) -> bool {
        self.reader.stop.request(stop::StopReason::Interrupted);
        false
    }
}

async fn prepare(request: &ReadRequest, progress: Arc<Progress>, stop: stop::Stop) -> Result<Read> {
    let ReadRequest { stream, account, window, batch, page_records } = request;
    let mut definition = account.catalog.readable_stream(stream)?;
    if let (Some(size), Some(records)) = (&mut definition.endpoint.list.page_size, page_records) {
        size.max = (*records).clamp(size.min, size.max);
    }
    let memory = Memory::new(MEMORY, *batch)?;
    let resolved = account.resolve(&definition.source, &Locations::default()).await?;
    let hooks = hooks::load(Arc::clone(&definition.hooks), &stop).await?;
    let connection = connection(&definition.source, &resolved)?.with_hooks(hooks);
    let authorize = sign_in(&definition.source, &resolved, &connection, definition.scopes().as_ref())?;
    let pages = PageLimits {
        in_memory: memory.for_page(),
        hooked: memory.for_hooked_page(),
        ..PageLimits::default()
    };
    let options = PullOptions { memory, pages, headroom: account.headroom, ..PullOptions::default() };
    Ok(Read {
        definition,
        account: resolved,
        connection,
        authorize,
        window: window.clone(),
        batch: *batch,
        options,
        progress,
        stop,
    })
}
