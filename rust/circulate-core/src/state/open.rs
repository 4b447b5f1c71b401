//! How a run is opened: begun, taken up where another worker left it, or refused because somebody is at it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Expect;
use super::items::{CursorValue, Head, Ledger, Mode, RunItem, RunStatus, TaskItem};
use super::leased_run::LeasedRun;
use super::stream::{LOOKS, StreamState, Versioned, listed_key, run_key, task_key};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::Window;

/// How a run id holds its time.
const RUN_TIME: &str = "%Y%m%dT%H%M%S%3fZ";

/// What a start wants.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// How much to take.
    pub mode: Mode,
    /// The part of time, for [`Mode::Window`].
    pub window: Window,
    /// The lower bound of a full refresh.
    pub full_since: Option<Timestamp>,
    /// Hash of the definition.
    pub spec_hash: String,
    /// Where objects go.
    pub destination: String,
    /// Where the account is, see [`Account::address`](crate::api::account::Account::address).
    pub address: String,
    /// Hand out the open run, if there is one, although something else is wanted: for [`LeasedRun::abandon`].
    pub restart: bool,
    /// Take up an unfinished run whatever it was begun for: the caller sees to the rest.
    pub adopt: bool,
    /// Leave a run that is begun pending for so long once it is complete.
    pub pending: Option<Duration>,
    /// The run that a new one replaces.
    pub replaces: Option<String>,
    /// Go on with this run as it was begun, and begin no other; but the one that was begun in its place.
    pub continuation: Option<String>,
    /// Idempotency key, such as a request id: if a run with this key has finished, none is begun.
    pub idempotency_key: Option<String>,
}

/// What came of a start.
#[derive(Debug)]
pub enum Acquired {
    /// The run is ours to work on.
    LeasedRun(Box<LeasedRun>),
    /// Another worker holds it.
    Busy(Busy),
    /// What was requested has been done already.
    Done(Box<RunItem>),
}

/// Who holds a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// The open run.
    pub run_id: String,
    /// Its worker; `None` if the run is pending.
    pub worker: Option<String>,
    /// Until when, by the store's clock, unless the worker renews it.
    pub until: Timestamp,
    /// Its index, if the run is pending: somebody may want to bring it to its end first.
    pub manifest: Option<String>,
}

impl StreamState {
    /// Opens a run, takes up one that was left, or says who is at it.
    pub async fn open(&self, request: &RunRequest) -> Result<Acquired> {
        self.check_address(&request.address).await?;
        let request = &self.follow(request.clone()).await?;
        for _ in 0..LOOKS {
            let head = self.get::<Head>("head").await?;
            if let Some(done) = self.done(head.as_ref().map(|head| &head.doc), request).await? {
                return Ok(Acquired::Done(Box::new(done)));
            }
            let open_run = head.as_ref().and_then(|head| head.doc.open_run.clone());
            let run = match &open_run {
                Some(run_id) => self.get::<RunItem>(&run_key(run_id)).await?,
                None => None,
            };
            let opening = match (head, run) {
                (Some(_), Some(run)) if run.doc.status == RunStatus::Open => {
                    self.take_up(run, request).await?
                }
                (Some(_), Some(run)) if run.doc.status == RunStatus::Pending => {
                    self.pending(run, request).await?
                }
                (head, run) => self.begin(head, run, request).await?,
            };
            if let Some(opening) = opening {
                return Ok(opening);
            }
        }
        Err(Error::new(ErrorKind::State, "open run", "other starts of this stream kept getting in between")
            .temporary())
    }

    /// Leads a continuation of a run that was started over to the run in its place, or to the beginning of one.
    async fn follow(&self, mut request: RunRequest) -> Result<RunRequest> {
        while let Some(run) = self.run_of(request.continuation.as_deref()).await? {
            if run.status != RunStatus::Abandoned || !run.started_over {
                break;
            }
            let newest = Self::newest_runs(&*self.store, &self.stream).await?;
            let open = self.get::<Head>("head").await?.and_then(|head| head.doc.open_run);
            // One whose worker died, or lost a race, before anybody saw it leads nowhere.
            let lived = |newer: &RunItem| match newer.status {
                RunStatus::Open => open.as_ref() == Some(&newer.run_id),
                RunStatus::Abandoned => newer.started_over,
                RunStatus::Pending | RunStatus::Committed => true,
            };
            let instead =
                newest.into_iter().find(|newer| newer.replaces.as_ref() == Some(&run.run_id) && lived(newer));
            request.continuation = instead.map(|run| run.run_id);
            if request.continuation.is_none() {
                (request.mode, request.replaces) = (run.mode, Some(run.run_id));
                request.pending = run.pending_seconds.map(Duration::from_secs);
                if run.mode == Mode::Window {
                    request.window = run.window;
                }
            }
        }
        Ok(request)
    }

    /// The run that is all that is wanted, if it was brought to its end before.
    async fn done(&self, head: Option<&Head>, request: &RunRequest) -> Result<Option<RunItem>> {
        let is_done = |run: &RunItem| matches!(run.status, RunStatus::Committed | RunStatus::Pending);
        if let Some(continuation) = &request.continuation {
            let wrong = |what: &str| {
                Error::new(ErrorKind::Settings, "open run", format!("there is nothing to go on with: {what}"))
                    .with("run", continuation)
                    .hint("start without a continuation")
            };
            return match self.run_of(Some(continuation)).await? {
                None => Err(wrong("no run of this stream has this id")),
                Some(run) if is_done(&run) => Ok(Some(run)),
                Some(run)
                    if run.status == RunStatus::Open
                        && head.is_some_and(|head| head.open_run == request.continuation) =>
                {
                    Ok(None)
                }
                Some(_) => Err(wrong("the run was given up")),
            };
        }
        let Some(head) = head.filter(|_| request.idempotency_key.is_some()) else { return Ok(None) };
        let last = self.run_of(head.last_attempt.as_deref()).await?;
        Ok(last.filter(|run| is_done(run) && run.idempotency_key == request.idempotency_key))
    }

    /// Begins a new run. `ended` is the run that `head` still names as open although it is not: a worker died between
    /// settling a run and saying so in `head`, or the run was abandoned.
    async fn begin(
        &self,
        head: Option<Versioned<Head>>,
        ended: Option<Versioned<RunItem>>,
        request: &RunRequest,
    ) -> Result<Option<Acquired>> {
        let (mut head, expect) = match head {
            Some(head) => (head.doc, Expect::Version(head.version)),
            None => (Head::default(), Expect::Absent),
        };
        check_destination(head.destination.as_deref(), &request.destination)?;
        if let Some(ended) = ended.filter(|run| run.doc.status == RunStatus::Committed) {
            head.last_complete = Some(ended.doc.run_id);
        }
        if expect == Expect::Absent {
            self.store.put(&listed_key(&self.stream), serde_json::json!({}), Expect::Absent).await?;
        }
        let run = self.new_run(request, head.last_attempt.as_deref()).await?;
        let run_version = self.put_new(&run_key(&run.run_id), &run).await?;
        head.open_run = Some(run.run_id.clone());
        head.last_attempt = Some(run.run_id.clone());
        head.destination = Some(request.destination.clone());
        let run = Versioned { doc: run, version: run_version };
        if self.put("head", &head, expect).await?.is_none() {
            // Another start was first. Ours was never seen by anyone.
            self.settle(run, RunStatus::Abandoned, Some("another start was first")).await?;
            return Ok(None);
        }
        self.claim(run, None, false, request).await
    }

    async fn new_run(&self, request: &RunRequest, last_attempt: Option<&str>) -> Result<RunItem> {
        let from_cursor = self.cursor().await?;
        if request.mode == Mode::Incremental {
            check_definition(from_cursor.as_ref(), request)?;
        }
        let window = match request.mode {
            Mode::Window => request.window.clone(),
            Mode::Full => Window { since: request.full_since, until: None },
            Mode::Incremental => {
                let since = from_cursor.as_ref().map(|cursor| cursor.since);
                Window { since: since.or(request.full_since), until: None }
            }
        };
        let started_at = self.store.now().await?;
        Ok(RunItem {
            run_id: self.run_id(started_at, last_attempt),
            status: RunStatus::Open,
            started_at,
            ended_at: None,
            mode: request.mode,
            window,
            from_cursor,
            spec_hash: request.spec_hash.clone(),
            destination: request.destination.clone(),
            manifest: None,
            marker: None,
            pending_until: None,
            pending_seconds: request.pending.map(|span| span.as_secs()),
            promoting_until: None,
            replaces: request.replaces.clone(),
            started_over: false,
            idempotency_key: request.idempotency_key.clone(),
            ledger: Ledger { code_version: env!("CARGO_PKG_VERSION").to_owned(), ..Default::default() },
        })
    }

    /// An id that no other run has and that sorts after the stream's last one, even if both began in the same second of
    /// the store's clock: `20261122T053000123Z-1a2b3c4d5e`.
    fn run_id(&self, started_at: Timestamp, last_attempt: Option<&str>) -> String {
        let mut random = self.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let after_last = last_attempt.and_then(time_of_run).map(|last| later(last, Duration::from_millis(1)));
        let time = after_last.map_or(started_at, |after| after.max(started_at));
        format!("{}-{:010x}", time.strftime(RUN_TIME), random.u64(..) >> 24)
    }

    /// Takes up the open run, if nobody is at it.
    async fn take_up(&self, run: Versioned<RunItem>, request: &RunRequest) -> Result<Option<Acquired>> {
        let task = self.get::<TaskItem>(&task_key(&run.doc.run_id)).await?;
        let now = self.store.now().await?;
        if let Some(task) = &task
            && let Some(until) = task.doc.lease_until.filter(|until| *until > now)
        {
            let (run_id, worker) = (run.doc.run_id, Some(task.doc.worker.clone()));
            return Ok(Some(Acquired::Busy(Busy { run_id, worker, until, manifest: None })));
        }
        check_destination(Some(&run.doc.destination), &request.destination)?;
        if !request.restart
            && !request.adopt
            && let Err(other) = check_same(&run.doc, request)
        {
            // A run without a page has nothing to lose.
            let is_blank = task.as_ref().is_none_or(|task| task.doc.position.is_blank());
            if !is_blank || request.continuation.is_some() {
                return Err(other);
            }
            self.settle(
                run,
                RunStatus::Abandoned,
                Some("it had read nothing, and something else was asked for"),
            )
            .await?;
            return Ok(None);
        }
        self.claim(run, task, true, request).await
    }

    /// A pending run keeps others out until its time is over; then it is abandoned, and the caller looks again. One whose
    /// promotion has begun keeps them out until that has ended, whoever ends it.
    async fn pending(&self, run: Versioned<RunItem>, request: &RunRequest) -> Result<Option<Acquired>> {
        check_destination(Some(&run.doc.destination), &request.destination)?;
        let now = self.store.now().await?;
        let busy = |until, manifest| {
            Ok(Some(Acquired::Busy(Busy { run_id: run.doc.run_id.clone(), worker: None, until, manifest })))
        };
        match (run.doc.promoting_until, run.doc.pending_until.unwrap_or(Timestamp::MIN)) {
            // Somebody is at it: it need not be promoted by others too.
            (Some(until), _) if until > now => return busy(until, None),
            (Some(_), _) => return busy(now, run.doc.manifest.clone()),
            (None, until) if until > now => return busy(until, run.doc.manifest.clone()),
            (None, _) => {}
        }
        self.settle(run, RunStatus::Abandoned, Some("was pending for too long")).await?;
        Ok(None)
    }

    async fn claim(
        &self,
        mut run: Versioned<RunItem>,
        task: Option<Versioned<TaskItem>>,
        resumed: bool,
        request: &RunRequest,
    ) -> Result<Option<Acquired>> {
        let (mut task, expect) = match task {
            Some(task) => (task.doc, Expect::Version(task.version)),
            None => (TaskItem::default(), Expect::Absent),
        };
        task.fence += 1;
        task.worker.clone_from(&self.worker);
        task.lease_until = Some(self.lease_end().await?);
        let Some(version) = self.put(&task_key(&run.doc.run_id), &task, expect).await? else {
            return Ok(None);
        };
        run.doc.ledger.attempts += 1;
        run.doc.ledger.stopped_by = None;
        env!("CARGO_PKG_VERSION").clone_into(&mut run.doc.ledger.code_version);
        let Some(run_version) =
            self.put(&run_key(&run.doc.run_id), &run.doc, Expect::Version(run.version)).await?
        else {
            return Ok(None);
        };
        run.version = run_version;
        let task = Versioned { doc: task, version };
        Ok(Some(Acquired::LeasedRun(Box::new(LeasedRun::new(
            self.clone(),
            &request.address,
            resumed,
            run,
            task,
        )))))
    }

    async fn put_new<T: Serialize + Sync>(&self, sk: &str, doc: &T) -> Result<u64> {
        self.put(sk, doc, Expect::Absent).await?.ok_or_else(|| {
            Error::new(ErrorKind::State, "open run", "a run of this id exists already").with("item", sk)
        })
    }
}

/// The time in a run id.
fn time_of_run(run_id: &str) -> Option<Timestamp> {
    let (time, _) = run_id.split_once('-')?;
    DateTime::strptime(RUN_TIME, time).ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

fn check_destination(stored: Option<&str>, requested: &str) -> Result<()> {
    match stored {
        Some(stored) if stored != requested => {
            Err(Error::new(ErrorKind::State, "open run", "this state belongs to another destination")
                .with("state has", stored)
                .with("asked for", requested)
                .hint("pull to that destination, or give this one a state of its own with `state`"))
        }
        _ => Ok(()),
    }
}

/// A cursor says what was delivered by the definition it was set with, and nothing about another one.
fn check_definition(cursor: Option<&CursorValue>, request: &RunRequest) -> Result<()> {
    match cursor {
        Some(cursor) if cursor.spec_hash != request.spec_hash => Err(Error::new(
            ErrorKind::State,
            "open run",
            "the stream's definition has changed since its cursor was set",
        )
        .hint("pull once with --full: it takes everything by the new definition and sets a new cursor")),
        _ => Ok(()),
    }
}

/// An open run goes on as it was begun, or not at all.
fn check_same(run: &RunItem, request: &RunRequest) -> Result<()> {
    let other = |what: &str| {
        Error::new(ErrorKind::State, "open run", format!("an unfinished run was begun with another {what}"))
            .with("run", &run.run_id)
            .with("mode", run.mode.as_str())
            .hint("finish it by pulling as before, or abandon it and start over with `restart`")
    };
    if run.spec_hash != request.spec_hash {
        return Err(other("definition"));
    }
    if request.continuation.is_some() {
        return Ok(());
    }
    if run.mode != request.mode {
        return Err(other("mode"));
    }
    if run.mode == Mode::Window && run.window != request.window {
        return Err(other("`since` or `until`"));
    }
    Ok(())
}
