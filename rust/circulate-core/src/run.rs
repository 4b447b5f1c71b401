//! The pull itself. [`Pull::run`] reads like the commit protocol: open → pages → objects → checkpoint → index → commit.
//!
//! A run is opened in state before its first object. Its objects are never overwritten. It becomes visible by one
//! create-only write, its manifest index, and its cursor moves by one conditional write after that. Whatever stops it
//! in between, the next start rolls it forward from the index or goes on from the last checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use crate::account::Account;
use crate::client::{Client, PageRequest, header_map};
use crate::clock::{later, rfc3339_millis};
use crate::cursor::Window;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Jitter, Retry, RetryPolicy, Transport, server_date};
use crate::manifest::{self, Index, MAX_OBJECTS_PER_PART, Part, PartRef, SCHEMA, Totals, sha256_hex};
use crate::page::{LoopGuard, Page, PageFacts, PageLimits, Paginator, Watch, paginator, read_page};
use crate::progress::{Progress, Traffic};
use crate::sink::{Sink, StreamKeys, create_same};
use crate::spec::{Definition, Pointer, StreamSpec};
use crate::state::{Busy, Held, Mode, Opening, Position, StateStore, StreamState, Wanted};
use crate::stop::{Stop, StopReason};
use crate::write::{ObjectFormat, ObjectWriter};

/// One stream to bring up to date, with everything it needs.
#[derive(Debug)]
pub struct Pull {
    /// What to pull.
    pub definition: Definition,
    /// From whom.
    pub account: Account,
    /// By what way.
    pub transport: Arc<dyn Transport>,
    /// Where to.
    pub sink: Arc<dyn Sink>,
    /// Where to remember it.
    pub store: Arc<dyn StateStore>,
    /// How.
    pub options: PullOptions,
    /// Who we are, for people who find the stream held.
    pub worker: String,
    /// Counts what is done.
    pub progress: Arc<Progress>,
    /// Says when to stop.
    pub stop: Stop,
    /// Seed of everything random; `None` outside of tests.
    pub seed: Option<u64>,
}

/// How to pull.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// How much to ask for. Default incremental.
    pub mode: Mode,
    /// The part of time, for [`Mode::Window`].
    pub window: Window,
    /// Give up an unfinished run and begin anew.
    pub restart: bool,
    /// How objects look. Default gzip-compressed JSON arrays of 1,000 records or 3 MB.
    pub objects: ObjectFormat,
    /// Bounds of what is taken in.
    pub pages: PageLimits,
    /// Patience with the API.
    pub retry: RetryPolicy,
    /// Objects on their way at the same time. Default one per core.
    pub concurrency: usize,
    /// Objects after which a checkpoint is due. Default 50.
    pub checkpoint_objects: usize,
    /// Time after which a checkpoint is due. Default 30 s.
    pub checkpoint_interval: Duration,
    /// How long others keep away from a run whose worker says nothing. Default 60 s.
    pub lease: Duration,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Incremental,
            window: Window::default(),
            restart: false,
            objects: ObjectFormat::default(),
            pages: PageLimits::default(),
            retry: RetryPolicy::default(),
            concurrency: std::thread::available_parallelism().map_or(2, usize::from),
            checkpoint_objects: 50,
            checkpoint_interval: Duration::from_secs(30),
            lease: Duration::from_mins(1),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything asked for is in the manifest.
    Complete,
    /// Stopped at a checkpoint; the next start goes on from there.
    Partial,
    /// Another worker is at it.
    Busy,
    /// An error ended the attempt; the next start goes on from the last checkpoint.
    Failed,
}

/// What a pull did: the Lambda result and the CLI's summary.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run; of a busy stream the one that is going on.
    pub run_id: Option<String>,
    /// How it ended.
    pub status: Verdict,
    /// `source.endpoint`.
    pub stream: String,
    /// The account.
    pub account: String,
    /// Where objects are.
    pub destination: String,
    /// `incremental`, `full` or `window`.
    pub mode: Mode,
    /// The part of time asked for.
    pub window: Window,
    /// The run was begun by an earlier attempt.
    pub resumed: bool,
    /// Key of the manifest's index, of a complete run.
    pub manifest: Option<String>,
    /// Sums over the whole run up to its last checkpoint.
    #[serde(flatten)]
    pub totals: Totals,
    /// What HTTP cost over the whole run.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Records whose cursor member is missing or no time.
    pub records_without_time: u64,
    /// Where the next run begins.
    pub next_since: Option<Timestamp>,
    /// The run to go on with, of a partial one.
    pub continuation: Option<String>,
    /// Before this time (epoch seconds, by the store's clock) going on is of no use.
    pub resume_after: Option<i64>,
    /// Why the run stopped early.
    pub stopped_by: Option<String>,
    /// Who holds a busy stream, and until when unless the lease is renewed.
    pub held_by: Option<(String, Timestamp)>,
}

/// A report, and the error of a failed run.
#[derive(Debug)]
pub struct Outcome {
    /// What was done.
    pub report: Report,
    /// What went wrong, if the verdict is `failed`.
    pub error: Option<Error>,
}

/// A page and where it leads.
#[derive(Debug)]
struct Step {
    page: Page,
    next: Option<Url>,
    guard: LoopGuard,
}

/// Pages are asked for one ahead of the one that is taken in.
const PAGES_AHEAD: usize = 1;
const TASK: u32 = 0;

impl Pull {
    /// Pulls until the stream is up to date, or something stops it. Wrong input fails before any request.
    pub async fn run(&self) -> Outcome {
        let mut report = self.blank_report();
        let error = self.protocol(&mut report).await.err();
        if let Some(error) = &error {
            report.status = Verdict::Failed;
            report.stopped_by = Some(error.to_string());
        }
        Outcome { report, error }
    }

    async fn protocol(&self, report: &mut Report) -> Result<()> {
        let client = Arc::new(self.client()?);
        let state = self.state();
        let held = match self.open(&state).await? {
            Opening::Held(held) => Arc::new(*held),
            Opening::Busy(busy) => {
                report_busy(report, busy);
                return Ok(());
            }
        };
        report.run_id = Some(held.run.run_id.clone());
        report.resumed = held.resumed;
        report.window = held.run.window.clone();
        let keys = self.keys(&held);

        // A worker may have died between its index and its commit: then there is nothing left to ask the API.
        if let Some(index) = self.sink.read(&keys.index()).await? {
            let index = manifest::parse(&keys.index(), &index)?;
            return self.commit(&held, index, &held.position, report).await;
        }
        let renewal = Renewal::start(Arc::clone(&held), self.options.lease / 3);
        let outcome = Attempt::new(self, client, &held, keys).run().await;
        renewal.end().await;
        match outcome {
            Ok(Ended::AtTheEnd(position)) => {
                let index = self.index(&held, &position).await?;
                self.set_next_cursor(&held, &index).await?;
                let object = manifest::to_object(self.keys(&held).index(), &index)?;
                create_same(&*self.sink, object).await?;
                self.commit(&held, index, &position, report).await
            }
            Ok(Ended::Early(reason, position)) => {
                self.release(&held, reason.as_str(), &position, report).await?;
                report.status = Verdict::Partial;
                report.continuation = Some(held.run.run_id.clone());
                if let StopReason::Wait(wait) = reason {
                    report.resume_after = Some(later(self.store.now().await?, wait).as_second() + 1);
                }
                Ok(())
            }
            Err(failed) => {
                // If the store is out of reach as well, the lease lapses by itself; the first error is the one to tell.
                let _ = self.release(&held, &failed.error.to_string(), &failed.position, report).await;
                Err(failed.error)
            }
        }
    }

    /// `restart` gives an unfinished run up for a new one, unless its index is there: then readers see it already.
    async fn open(&self, state: &StreamState) -> Result<Opening> {
        let mut wanted = self.wanted()?;
        loop {
            let opening = state.open(&wanted).await?;
            let Opening::Held(held) = &opening else { return Ok(opening) };
            if !(wanted.restart && held.resumed) {
                return Ok(opening);
            }
            let index = self.keys(held).index();
            match self.sink.read(&index).await? {
                Some(_) => held.commit(&index).await?,
                None => held.abandon().await?,
            }
            wanted.restart = false;
        }
    }

    async fn release(&self, held: &Held, why: &str, position: &Position, report: &mut Report) -> Result<()> {
        report.stopped_by = Some(why.to_owned());
        fill(report, position);
        held.release(why, position.traffic.clone()).await
    }

    async fn commit(
        &self,
        held: &Held,
        index: Index,
        position: &Position,
        report: &mut Report,
    ) -> Result<()> {
        let key = self.keys(held).index();
        held.commit(&key).await?;
        report.status = Verdict::Complete;
        report.manifest = Some(key);
        report.next_since = index.cursors.values().next().copied();
        fill(report, position);
        Ok(())
    }

    /// Only an incremental or full pull of a stream with a cursor moves it.
    async fn set_next_cursor(&self, held: &Held, index: &Index) -> Result<()> {
        match index.cursors.values().next() {
            Some(bound) => held.set_next_cursor(*bound).await,
            None => Ok(()),
        }
    }

    async fn index(&self, held: &Held, position: &Position) -> Result<Index> {
        let incremental = self.stream().incremental.as_ref().filter(|_| held.run.mode != Mode::Window);
        let bound = incremental.and_then(|incremental| {
            let (old, date) = (held.run.from_cursor, position.first_server_date);
            position.watermark.next_bound(old, date, incremental.overlap.get())
        });
        Ok(Index {
            schema: SCHEMA,
            run_id: held.run.run_id.clone(),
            source: self.definition.source.source.to_string(),
            account: self.account.name().to_owned(),
            endpoint: self.definition.endpoint.endpoint.to_string(),
            verdict: "complete".to_owned(),
            mode: held.run.mode.as_str().to_owned(),
            window: held.run.window.clone(),
            started_at: held.run.started_at,
            first_server_date: position.first_server_date,
            parts: manifest::chain(&*self.sink, position.last_part.as_ref()).await?,
            totals: position.totals.clone(),
            cursors: bound.into_iter().map(|bound| ("all".to_owned(), bound)).collect(),
            holes: Vec::new(),
            repeats: 0,
        })
    }

    fn blank_report(&self) -> Report {
        Report {
            run_id: None,
            status: Verdict::Failed,
            stream: self.definition.name(),
            account: self.account.name().to_owned(),
            destination: self.sink.uri(),
            mode: self.options.mode,
            window: self.options.window.clone(),
            resumed: false,
            manifest: None,
            totals: Totals::default(),
            traffic: Traffic::default(),
            records_without_time: 0,
            next_since: None,
            continuation: None,
            resume_after: None,
            stopped_by: None,
            held_by: None,
        }
    }

    fn wanted(&self) -> Result<Wanted> {
        let options = &self.options;
        let incremental = self.stream().incremental.as_ref();
        if options.mode == Mode::Window && incremental.is_none() {
            return Err(Error::new(
                ErrorKind::Settings,
                "open run",
                "this stream can't be asked for a part of time",
            )
            .hint("pull it without --since and --until"));
        }
        if options.window.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "open run", "--since is not before --until"));
        }
        Ok(Wanted {
            mode: options.mode,
            window: options.window.clone(),
            full_since: incremental.and_then(|incremental| incremental.full_since),
            spec_hash: self.definition.spec_hash()?,
            destination: self.sink.uri(),
            restart: options.restart,
        })
    }

    fn client(&self) -> Result<Client> {
        let jitter = self.seed.map_or_else(Jitter::random, Jitter::seeded);
        Client::new(
            &self.definition.source,
            &self.account,
            Arc::clone(&self.transport),
            Retry::new(self.options.retry, jitter),
            Arc::clone(&self.progress),
            self.stop.clone(),
        )
    }

    fn state(&self) -> StreamState {
        let (source, endpoint) = (&self.definition.source.source, &self.definition.endpoint.endpoint);
        let stream = (source.as_str(), self.account.name(), endpoint.as_str());
        StreamState::new(Arc::clone(&self.store), stream, self.worker.clone(), self.options.lease, self.seed)
    }

    fn keys(&self, held: &Held) -> StreamKeys {
        let (source, endpoint) = (&self.definition.source.source, &self.definition.endpoint.endpoint);
        let run = &held.run;
        StreamKeys::new(source.as_str(), self.account.name(), endpoint.as_str(), &run.run_id, run.started_at)
    }

    fn stream(&self) -> &StreamSpec {
        &self.definition.endpoint.list
    }

    /// The first page of a run.
    fn first_request(&self, window: &Window) -> Result<PageRequest> {
        let stream = self.stream();
        let size = stream.page_size.as_ref().map(|size| (size.param.clone(), size.max.to_string()));
        let mut query: BTreeMap<String, String> = stream.query.clone();
        query.extend(size);
        query.extend(window_parameter(stream, window)?);
        let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.request(self.account.url(&stream.path, pairs))
    }

    fn request(&self, url: Url) -> Result<PageRequest> {
        let headers: HeaderMap = header_map(&self.stream().headers)?;
        Ok(PageRequest { url, headers, page_size: self.stream().page_size.clone() })
    }
}

/// The query parameter that asks for a part of time.
fn window_parameter(stream: &StreamSpec, window: &Window) -> Result<Option<(String, String)>> {
    let Some(incremental) = &stream.incremental else { return Ok(None) };
    let mut bounds = Vec::new();
    for (template, bound) in [(&incremental.since, window.since), (&incremental.until, window.until)] {
        if let Some(bound) = bound.map(rfc3339_millis) {
            bounds.push(template.fill(|_| Some(&bound)).map_err(|name| {
                Error::new(ErrorKind::Definition, "build request", format!("no value for `{{{name}}}`"))
            })?);
        }
    }
    let text = bounds.join(&incremental.join);
    Ok((!text.is_empty()).then(|| (incremental.param.clone(), text)))
}

fn report_busy(report: &mut Report, busy: Busy) {
    report.status = Verdict::Busy;
    report.run_id = Some(busy.run_id);
    report.held_by = Some((busy.worker, busy.until));
}

fn fill(report: &mut Report, position: &Position) {
    report.totals = position.totals.clone();
    report.traffic = position.traffic.clone();
    report.records_without_time = position.watermark.without_time;
}

/// Keeps the lease alive through long waits, until it is ended, or dropped because the run was. A renewal that fails is
/// tried again; if we were taken over meanwhile, the next checkpoint says so.
struct Renewal {
    ending: Arc<Notify>,
    task: AbortOnDrop,
}

impl Renewal {
    fn start(held: Arc<Held>, interval: Duration) -> Self {
        let ending = Arc::new(Notify::new());
        let ended = Arc::clone(&ending);
        let task = tokio::spawn(async move {
            while tokio::time::timeout(interval, ended.notified()).await.is_err() {
                let _ = held.renew().await;
            }
        });
        Self { ending, task: AbortOnDrop(task) }
    }

    /// Lets a renewal that is on its way land: were it cut off, we would not know the version it wrote.
    async fn end(mut self) {
        self.ending.notify_one();
        let _ = (&mut self.task.0).await;
    }
}

/// How an attempt ended without an error.
enum Ended {
    AtTheEnd(Position),
    Early(StopReason, Position),
}

/// An error, and how far the attempt had got at its last checkpoint.
struct Failed {
    error: Error,
    position: Position,
}

/// One worker's go at a run: from its position to the end of the list, or to whatever stops it.
struct Attempt<'p> {
    pull: &'p Pull,
    client: Arc<Client>,
    held: &'p Held,
    keys: StreamKeys,
    writer: ObjectWriter,
    /// Up to the last page taken in.
    position: Position,
    /// Up to the last checkpoint.
    saved: Position,
    earlier_traffic: Traffic,
    checkpoint_at: Instant,
}

impl<'p> Attempt<'p> {
    fn new(pull: &'p Pull, client: Arc<Client>, held: &'p Held, keys: StreamKeys) -> Self {
        let position = held.position.clone();
        let writer = ObjectWriter::new(
            Arc::clone(&pull.sink),
            keys.clone(),
            TASK,
            held.fence,
            pull.options.objects,
            position.next_sequence,
            pull.options.concurrency,
            Arc::clone(&pull.progress),
        );
        Self {
            pull,
            client,
            held,
            keys,
            writer,
            saved: position.clone(),
            earlier_traffic: position.traffic.clone(),
            position,
            checkpoint_at: Instant::now() + pull.options.checkpoint_interval,
        }
    }

    async fn run(mut self) -> Result<Ended, Failed> {
        let result = self.take_pages().await;
        let traffic = self.traffic();
        self.saved.traffic = traffic;
        match result {
            Ok(None) => Ok(Ended::AtTheEnd(self.saved)),
            Ok(Some(reason)) => Ok(Ended::Early(reason, self.saved)),
            Err(error) => Err(Failed { error, position: self.saved }),
        }
    }

    async fn take_pages(&mut self) -> Result<Option<StopReason>> {
        if self.position.finished {
            return Ok(None);
        }
        let (mut pages, fetching) = self.start_fetching()?;
        let _abort = AbortOnDrop(fetching);
        while let Some(step) = pages.recv().await {
            match step {
                Ok(step) => self.take_in(step).await?,
                Err(error) => {
                    // What was read up to here is good: the next start need not ask for it again.
                    self.checkpoint().await?;
                    return match self.pull.stop.reason() {
                        Some(reason) if error.kind() == ErrorKind::Stopped => Ok(Some(reason)),
                        _ if error.kind() == ErrorKind::RateLimited => {
                            Ok(Some(StopReason::Wait(Duration::ZERO)))
                        }
                        _ => Err(error),
                    };
                }
            }
            if self.position.finished || self.checkpoint_is_due() {
                self.checkpoint().await?;
            }
            if let Some(reason) = self.pull.stop.reason().filter(|_| !self.position.finished) {
                self.checkpoint().await?;
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    fn start_fetching(&self) -> Result<(mpsc::Receiver<Result<Step>>, JoinHandle<()>)> {
        let pull = self.pull;
        let request = match &self.position.next_url {
            None => pull.first_request(&self.held.run.window)?,
            Some(url) => pull.request(Url::parse(url).map_err(|error| {
                Error::new(ErrorKind::State, "read checkpoint", "the stored page address is not a URL")
                    .caused_by(error)
            })?)?,
        };
        let stream = pull.stream();
        let paginator = paginator(&stream.paginator);
        let cursor: Vec<Pointer> =
            stream.incremental.iter().map(|incremental| incremental.cursor.clone()).collect();
        let watch = Arc::new(Watch::new(stream.records.clone(), &cursor, &paginator.page_fields()));
        let fetcher = Fetcher {
            client: Arc::clone(&self.client),
            progress: Arc::clone(&pull.progress),
            paginator,
            watch,
            fields_per_record: cursor.len(),
            limits: pull.options.pages,
            guard: self.position.guard.clone(),
        };
        let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
        Ok((receiver, tokio::spawn(fetcher.run(request, sender))))
    }

    async fn take_in(&mut self, step: Step) -> Result<()> {
        let date = server_date(&step.page.headers);
        self.position.first_server_date = self.position.first_server_date.or(date);
        let has_cursor = self.pull.stream().incremental.is_some();
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            if has_cursor {
                self.position.watermark.see(record.field);
            }
            self.writer.push(record.bytes).await?;
        }
        drop(records);
        self.position.totals.pages += 1;
        self.position.finished = step.next.is_none();
        self.position.next_url = step.next.map(String::from);
        self.position.guard = step.guard;
        Ok(())
    }

    fn checkpoint_is_due(&self) -> bool {
        self.writer.unreported() >= self.pull.options.checkpoint_objects
            || Instant::now() >= self.checkpoint_at
    }

    /// At a page boundary: closes the open batch, lists the new objects in a manifest part, and only then writes where
    /// to go on.
    async fn checkpoint(&mut self) -> Result<()> {
        let first_sequence = self.saved.next_sequence;
        let objects = self.writer.finish().await?;
        for (index, chunk) in objects.chunks(MAX_OBJECTS_PER_PART).enumerate() {
            let sequence = first_sequence + (index * MAX_OBJECTS_PER_PART) as u64;
            let part = Part {
                schema: SCHEMA,
                run_id: self.held.run.run_id.clone(),
                format: self.pull.options.objects.format,
                compression: self.pull.options.objects.compression,
                previous: self.position.last_part.take(),
                objects: chunk.to_vec(),
            };
            self.position.last_part = Some(self.write_part(sequence, &part).await?);
            for object in chunk {
                self.position.totals.add(object);
            }
        }
        self.position.next_sequence = self.writer.next_sequence();
        self.position.traffic = self.traffic();
        self.held.checkpoint(self.position.clone()).await?;
        self.saved = self.position.clone();
        self.checkpoint_at = Instant::now() + self.pull.options.checkpoint_interval;
        Ok(())
    }

    async fn write_part(&self, sequence: u64, part: &Part) -> Result<PartRef> {
        let key = self.keys.part(TASK, self.held.fence, sequence);
        let object = manifest::to_object(key.clone(), part)?;
        let sha256 = sha256_hex(&object.bytes);
        create_same(&*self.pull.sink, object).await?;
        let records = part.objects.iter().map(|object| object.records).sum();
        Ok(PartRef { key, sha256, objects: part.objects.len() as u64, records })
    }

    fn traffic(&self) -> Traffic {
        self.earlier_traffic.plus(&self.pull.progress.traffic())
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks for pages, one ahead of the worker that takes them in.
struct Fetcher {
    client: Arc<Client>,
    progress: Arc<Progress>,
    paginator: Box<dyn Paginator>,
    watch: Arc<Watch>,
    fields_per_record: usize,
    limits: PageLimits,
    guard: LoopGuard,
}

impl Fetcher {
    async fn run(mut self, mut request: PageRequest, steps: mpsc::Sender<Result<Step>>) {
        loop {
            let step = self.step(&mut request).await;
            let next = step.as_ref().ok().and_then(|step| step.next.clone());
            if steps.send(step).await.is_err() {
                return;
            }
            match next {
                Some(next) => request.url = next,
                None => return,
            }
        }
    }

    async fn step(&mut self, request: &mut PageRequest) -> Result<Step> {
        let (watch, fields, limits) = (&self.watch, self.fields_per_record, self.limits);
        let page = self
            .client
            .fetch(request, |response| {
                let watch = Arc::clone(watch);
                async move { read_page(response, &watch, fields, limits).await }
            })
            .await?;
        self.progress.count_page(page.bytes, page.record_count() as u64);
        let facts = PageFacts {
            url: &request.url,
            headers: &page.headers,
            fields: &page.fields,
            records: page.record_count(),
        };
        let next = self.paginator.next(&facts)?;
        // A page whose link can't be followed is not taken in: the next start asks for it, and for its link, again.
        next.as_ref().map_or(Ok(()), |next| self.client.check_origin(next))?;
        if let Some(next) = &next
            && !self.guard.step(request.url.as_str(), next.as_str())
        {
            return Err(Error::new(
                ErrorKind::Data,
                "follow next link",
                "the list runs in a circle: a page leads back to one before it",
            )
            .with("url", self.client.redactor().url(next))
            .hint("nothing of this run counts; this is a fault of the API or of something between"));
        }
        Ok(Step { page, next, guard: self.guard.clone() })
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "run_recovery_tests.rs"]
mod recovery_tests;
