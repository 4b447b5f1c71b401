//! The functions of the module.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use circulate_core::api::account::Account;
use circulate_core::api::auth::{Connection, FileToken, Minter, TokenFolder, sign_in};
use circulate_core::api::http::{Jitter, Retry, RetryPolicy};
use circulate_core::catalog::{self, Catalog, Definition, Inline, Source, Span};
use circulate_core::clock::Clock;
use circulate_core::deploy;
use circulate_core::encode::{Compression, Format};
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::extract::cursor::Window;
use circulate_core::lake::sink::{Encryption, S3Options};
use circulate_core::lake::write::ObjectFormat;
use circulate_core::location::Locations;
use circulate_core::page::PageLimits;
use circulate_core::progress::Progress;
use circulate_core::redact::Redactor;
use circulate_core::run::check as core_check;
use circulate_core::run::{Outcome, Pull, PullOptions};
use circulate_core::state::{self as core_state, Decision, ListedRun, Mode, StateStore, list_runs};
use circulate_core::stop;
use circulate_core::table::{Contract, Nested, TableOptions};
use circulate_core::upkeep::{gc as core_gc, verify as core_verify};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::arguments::{from_json, in_seconds, seconds, time};
use crate::errors::to_python;

use crate::results::{finish, finish_all, finish_as, py_result, result, to_json};
use crate::runtime::{Brief, Engine, Watcher, awaitable, wait, watched};
use crate::settings::Settings;

/// Which account of which source, and how to reach it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRequest {
    catalog: CatalogRequest,
    /// Handed over beside the request, whose text they are not to be in.
    #[serde(skip)]
    pub(crate) settings: BTreeMap<String, String>,
    /// Name or ARN of a stored secret.
    secret: Option<String>,
    account: Option<String>,
}

/// Where definitions are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogRequest {
    folders: Vec<PathBuf>,
    /// What is defined in code.
    inline: Option<Inline>,
}

impl CatalogRequest {
    pub(crate) fn catalog(&self) -> Catalog {
        Catalog::new(self.folders.clone()).with(self.inline.clone())
    }
}

/// How a bucket is used; named as in the AWS command line.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct S3Request {
    sse: Option<String>,
    sse_kms_key_id: Option<String>,
    expected_bucket_owner: Option<String>,
}

impl S3Request {
    pub(crate) fn locations(self) -> Result<Locations> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Settings, "read settings", message));
        let encryption = match (self.sse.as_deref(), self.sse_kms_key_id) {
            (None, None) => None,
            (Some("AES256"), None) => Some(Encryption::Aes256),
            (None | Some("aws:kms"), key) => Some(Encryption::Kms(key)),
            (Some("AES256"), Some(_)) => return wrong("AES256 takes no KMS key: give `aws:kms`".to_owned()),
            (Some(other), _) => return wrong(format!("invalid encryption `{other}`: use AES256 or aws:kms")),
        };
        let bucket_owner = self.expected_bucket_owner;
        if let Some(owner) =
            bucket_owner.as_ref().filter(|o| o.len() != 12 || !o.bytes().all(|b| b.is_ascii_digit()))
        {
            return wrong(format!("invalid AWS account `{owner}`: it has 12 digits"));
        }
        Ok(Locations::new(S3Options { encryption, bucket_owner }))
    }
}

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

/// Lets another thread or a signal handler stop a pull or a promotion where the next one can go on.
#[pyclass(frozen, name = "Stop", module = "circulate_core._core")]
#[derive(Default)]
pub(crate) struct PyStop {
    requested: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

#[pymethods]
impl PyStop {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Ask it to stop.
    fn request(&self) {
        self.requested.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether it was requested to stop.
    #[getter]
    fn requested(&self) -> bool {
        self.requested.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Shows progress, and hands requests to stop on to the work.
pub(crate) struct WorkWatcher {
    progress: Arc<Progress>,
    stop: stop::Stop,
    requested: Option<Py<PyStop>>,
    on_progress: Option<Py<PyAny>>,
    interrupted: bool,
}

impl WorkWatcher {
    pub(crate) fn new(
        progress: &Arc<Progress>,
        stop: &stop::Stop,
        requested: Option<Py<PyStop>>,
        on_progress: Option<Py<PyAny>>,
    ) -> Self {
        Self {
            progress: Arc::clone(progress),
            stop: stop.clone(),
            requested,
            on_progress,
            interrupted: false,
        }
    }
}

impl Watcher for WorkWatcher {
    fn tick(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.requested.as_ref().is_some_and(|requested| requested.get().requested()) {
            self.stop.request(stop::StopReason::Interrupted);
        }
        if let Some(callback) = &self.on_progress {
            callback.call1(py, (result(py, "Snapshot", &self.progress.snapshot())?,))?;
        }
        Ok(())
    }

    fn interrupted(&mut self) -> bool {
        self.stop.request(stop::StopReason::Interrupted);
        !std::mem::replace(&mut self.interrupted, true)
    }
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
    let report = result(py, "Report", &report)?;
    match error {
        None => Ok(report),
        Some(error) => Err(to_python(py, &error, Some(report))),
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

pub(crate) fn connection(source: &Source, account: &Account) -> Result<Connection> {
    let engine = Engine::get().map_err(|error| {
        Error::new(ErrorKind::Stopped, "connect", "the engine can't be started").caused_by(error)
    })?;
    engine.connections.of(source, account)
}

impl AccountRequest {
    pub(crate) fn catalog(&self) -> Catalog {
        self.catalog.catalog()
    }

    pub(crate) async fn resolve(&self, source: &Source, locations: &Locations) -> Result<Account> {
        let stored = match &self.secret {
            Some(id) => Some(locations.secret(id).await?),
            None => None,
        };
        Account::resolve(source, &self.settings, stored, self.account.as_deref())
    }
}

/// Ask a source once, without retries; see `circulate_core.check`.
#[pyfunction]
pub(crate) fn check(
    py: Python<'_>,
    source: &str,
    streams: Vec<String>,
    request: &str,
    settings: &Settings,
) -> PyResult<Py<PyAny>> {
    let mut request: AccountRequest = from_json(py, request)?;
    request.settings = settings.values(py)?;
    let source = source.to_owned();
    let work = async move {
        let catalog = request.catalog();
        let source = catalog.source(&source)?;
        let streams = streams.iter().map(|name| catalog.stream(name)).collect::<Result<Vec<_>>>()?;
        let account = request.resolve(&source, &Locations::default()).await?;
        let connection = connection(&source, &account)?;
        core_check::check(&source, &account, &connection, &streams).await
    };
    finish_as(py, "Checked", wait(py, work, &mut Brief)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MintRequest {
    source: String,
    from: AccountRequest,
    scopes: BTreeSet<String>,
    profile: String,
    instance: String,
    /// What the caller calls settings of the source, for hints.
    names: BTreeMap<String, String>,
    refused: Option<String>,
    seconds: f64,
}

/// See to it that a profile's token file holds a token that is not due; returns what may be shown of it.
#[pyfunction]
pub(crate) fn mint(py: Python<'_>, request: &str, settings: &Settings) -> PyResult<String> {
    let mut request: MintRequest = from_json(py, request)?;
    request.from.settings = settings.values(py)?;
    let profile = request.profile.clone();
    let work = async move {
        let (span, began) = (seconds("seconds", request.seconds)?, Instant::now());
        let mut source = request.from.catalog().source(&request.source)?;
        for (setting, definition) in &mut source.settings {
            definition.env = request.names.remove(setting.as_str()).unwrap_or_else(|| definition.env.clone());
        }
        let locations = Locations::default();
        // Reading a stored secret has a patience of its own, which is longer than an extension may have.
        let account = tokio::time::timeout(span, request.from.resolve(&source, &locations)).await;
        let account = account.map_err(|_| secret_too_slow(span))??;
        let connection = connection(&source, &account)?;
        let retry = Retry::new(RetryPolicy::default(), Jitter::random());
        let names = (request.profile.as_str(), request.instance.as_str());
        let folder = TokenFolder::standard();
        let minter = Minter::new((&source, &account, &connection), &request.scopes, names, folder, retry)?;
        minter.mint(request.refused.as_deref(), span.saturating_sub(began.elapsed())).await
    };
    let work = async move { work.await.map_err(|error: Error| error.with("profile", profile)) };
    finish(py, wait(py, Box::pin(work), &mut Brief)?)
}

fn secret_too_slow(span: Duration) -> Error {
    let message = format!("the secret could not be read within {:.1} s", span.as_secs_f64());
    Error::new(ErrorKind::Network, "read secret", message).temporary().persistent()
}

/// The token of a profile, as its file has it; other than the one with the digest `refused`.
#[pyfunction]
pub(crate) fn token(py: Python<'_>, profile: String, refused: Option<String>) -> PyResult<Py<PyAny>> {
    let work = async move {
        let reader = FileToken::new(&profile, TokenFolder::standard(), Clock::system());
        match refused {
            None => reader.current().await,
            Some(refused) => reader.other_than(&refused).await,
        }
    };
    finish_as(py, "Token", wait(py, work, &mut Brief)?)
}

/// Make the folder of token files, empty it, and return where new tokens can be requested.
#[pyfunction]
pub(crate) fn clear_tokens(py: Python<'_>) -> PyResult<PathBuf> {
    let folder = TokenFolder::standard();
    folder.clear().map(|()| folder.socket()).map_err(|error| to_python(py, &error, None))
}

/// Read everything a manifest names and compare it; see `circulate_core.verify`.
#[pyfunction]
pub(crate) fn verify(
    py: Python<'_>,
    destination: String,
    key: String,
    state: Option<String>,
    s3: &str,
) -> PyResult<Py<PyAny>> {
    let s3: S3Request = from_json(py, s3)?;
    let work = async move {
        let locations = s3.locations()?;
        let sink = locations.sink(&destination).await?;
        let store = match state {
            Some(state) => locations.existing_state(&state).await?,
            None => None,
        };
        core_verify::verify(&*sink, &key, store.as_deref()).await
    };
    finish_as(py, "Verified", wait(py, work, &mut Brief)?)
}

/// The newest runs that a state knows, each with its stream.
#[pyfunction]
pub(crate) fn runs(py: Python<'_>, state: String, limit: usize) -> PyResult<Py<PyAny>> {
    let work = async move {
        let runs = list_runs(&*existing(&state).await?, limit).await?;
        Ok(runs.into_iter().map(|(stream, run)| ListedRun::new(&stream, run)).collect::<Vec<_>>())
    };
    let runs = finish_all(py, "Run", wait(py, work, &mut Brief)?)?;
    Ok(py.import("circulate_core.results")?.getattr("Runs")?.call1((runs,))?.unbind())
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
    let work = async move {
        core_state::decide(&*existing(&state).await?, &stream.parse()?, &run_id, decision).await
    };
    wait(py, work, &mut Brief)?.map_err(|error| to_python(py, &error, None))
}

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

/// Opens a state that must be there.
pub(crate) async fn existing(state: &str) -> Result<Arc<dyn StateStore>> {
    Locations::default().existing_state(state).await?.ok_or_else(|| {
        Error::new(ErrorKind::State, "read state", "there is no state file")
            .with("file", state)
            .hint("nothing was pulled to this place yet, or its state is elsewhere (--state)")
    })
}

/// Names of all streams of a catalog, which is given as JSON.
#[pyfunction]
pub(crate) fn streams(py: Python<'_>, catalog: &str) -> PyResult<Vec<String>> {
    py_result(py, from_json::<CatalogRequest>(py, catalog)?.catalog().streams())
}

/// The definition of a stream.
#[pyfunction]
pub(crate) fn definition(py: Python<'_>, catalog: &str, stream: &str) -> PyResult<String> {
    #[derive(Serialize)]
    struct Both {
        source: Source,
        endpoint: catalog::Endpoint,
    }
    let both = from_json::<CatalogRequest>(py, catalog)?
        .catalog()
        .stream(stream)
        .map(|Definition { source, endpoint, .. }| Both { source, endpoint });
    finish(py, both)
}

/// The definition of a source.
#[pyfunction]
pub(crate) fn source(py: Python<'_>, catalog: &str, name: &str) -> PyResult<String> {
    finish(py, from_json::<CatalogRequest>(py, catalog)?.catalog().source(name))
}

/// The Lambda functions below a folder.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "Python gives it away")]
pub(crate) fn lambda_functions(py: Python<'_>, folder: PathBuf) -> PyResult<String> {
    finish(py, deploy::lambda_functions(&folder))
}

/// The JSON Schemas of definitions, by file name.
#[pyfunction]
pub(crate) fn json_schemas() -> PyResult<String> {
    let schemas = catalog::json_schemas().into_iter().chain(deploy::json_schemas());
    to_json(&schemas.collect::<BTreeMap<_, _>>())
}

/// A text as it may be shown: with escapes for control characters, `***` for the secrets that this process uses, and at most
/// so many characters; on one line, or with its line breaks.
#[pyfunction]
#[pyo3(signature = (text, *, limit=4_000, lines=false))]
pub(crate) fn shown(text: &str, limit: usize, lines: bool) -> String {
    let redactor = Redactor::shared();
    if lines { redactor.shown_lines(text, limit) } else { redactor.shown(text, limit) }
}

/// Seconds of a length of time such as `10m`.
#[pyfunction]
pub(crate) fn span_seconds(text: &str) -> PyResult<f64> {
    let span = Span::try_from(text.to_owned()).map_err(PyValueError::new_err)?;
    Ok(span.get().as_secs_f64())
}
