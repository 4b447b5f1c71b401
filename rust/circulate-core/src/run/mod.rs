//! The pull itself. [`Pull::run`] reads like the commit protocol: open → pages → objects → checkpoint → index → commit.
//!
//! A run is opened in state before its first object. Its objects are never overwritten. It becomes visible by one
//! create-only write, its manifest index, and its cursor moves by one conditional write after that. Whatever stops it
//! in between, the next start rolls it forward from the index or goes on from the last checkpoint.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::MAX_TEXT;
use crate::api::client::Client;
use crate::api::http::{Jitter, Retry};
use crate::catalog::Lists;
use crate::clock::{earlier, later};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::{Digest, MAX_DEDUP_SET};
use crate::lake::manifest::{self, DedupSet, Index, PartRef, SCHEMA, Totals};
use crate::lake::sink::{Created, create_same};
use crate::page::EndKind;
use crate::redact::Redactor;
use crate::state::{
    Acquired, CursorValue, Lease, LeasedRun, Mode, PollCursor, Position, RunItem, RunRequest, StreamState,
};
use crate::stop::StopReason;

mod attempt;
mod bound;
pub mod check;
mod checkpoint;
mod fetch;
mod fetcher;
mod first_page;
mod learning;
mod list_end;
mod parents;
mod partitions;
mod polling;
mod position;
mod pull;
mod renewal;
mod report;
mod source;
mod tables;
mod whole_list;
mod windows;

use attempt::{Attempt, AttemptEnd, Attempted};
use bound::{CLOCK_TOLERANCE, is_lost};
pub(crate) use first_page::first_page;
use learning::Learning;
use partitions::PartitionLists;
use polling::PolledList;
pub use pull::{Pull, PullOptions};
use renewal::Renewal;
pub use report::{AttemptTotals, Drifted, Outcome, Report, Verdict};
use whole_list::WholeList;

/// How an attempt ended without an error.
enum Ended {
    Published(Box<Index>),
    Early(StopReason),
    Forgotten(Error),
    Condemned(Error),
}

enum NextStep {
    Done,
    /// It was not the run that was requested.
    Another,
    /// As this run was begun.
    StartOver(Box<RunItem>),
}

impl Pull {
    /// Pulls until the stream is up to date, or something stops it. Wrong input fails before any request.
    pub async fn run(&self) -> Outcome {
        let mut report = Report::blank(self);
        let error = self.protocol(&mut report).await.err();
        if let Some(error) = &error {
            report.status = Verdict::Failed;
            report.stopped_by = Some(Redactor::shared().shown(&error.to_string(), MAX_TEXT));
        }
        Outcome { report, error }
    }

    async fn protocol(&self, report: &mut Report) -> Result<()> {
        let client = Arc::new(self.client()?);
        self.progress.set_stream(&self.definition.name(), self.account.name());
        let requested = self.request()?;
        let mut request = requested.clone();
        loop {
            request = match Box::pin(self.one_run(Arc::clone(&client), &request, &requested, report)).await? {
                NextStep::Done => return Ok(()),
                // What was unfinished is done with; now what was requested.
                NextStep::Another => requested.clone(),
                // The API has forgotten the page where the unfinished run stood.
                NextStep::StartOver(run) => RunRequest {
                    mode: run.mode,
                    window: if run.mode == Mode::Window { run.window } else { requested.window.clone() },
                    pending: run.pending_seconds.map(Duration::from_secs),
                    idempotency_key: requested
                        .idempotency_key
                        .clone()
                        .filter(|_| run.idempotency_key == requested.idempotency_key),
                    replaces: Some(run.run_id),
                    continuation: None,
                    ..requested.clone()
                },
            }
        }
    }

    async fn one_run(
        &self,
        client: Arc<Client>,
        request: &RunRequest,
        requested: &RunRequest,
        report: &mut Report,
    ) -> Result<NextStep> {
        let held = match self.open(request.clone()).await? {
            Acquired::LeasedRun(held) => Arc::new(*held),
            Acquired::Busy(busy) => {
                report.busy(busy);
                return Ok(NextStep::Done);
            }
            Acquired::Done(run) => {
                let key = run.manifest.clone().unwrap_or_else(|| self.stream_keys(&run).index());
                let index: Index = manifest::parse(&key, &manifest::read_existing(&*self.sink, &key).await?)?;
                report.done_before(&run, &index, key);
                return Ok(NextStep::Done);
            }
        };
        if held.run.spec_hash != request.spec_hash && !held.position.finished {
            held.start_over().await?;
            self.progress.note("the unfinished run is of another definition: starting over");
            return Ok(NextStep::StartOver(Box::new(held.run.clone())));
        }
        report.began(&held);
        let renewal = Renewal::start(Arc::clone(&held), self.options.lease / 3);
        let Attempted { position, end } = match self.attempt(client, &held).await {
            Ok(attempt) => attempt.run().await,
            Err(error) => Attempted { position: held.position.clone(), end: Err(error) },
        };
        report.worked(&held.position, &position);
        let ended = match end {
            Ok(AttemptEnd::OfTheList) => {
                self.publish(&held, &position).await.map(|index| Ended::Published(Box::new(index)))
            }
            Ok(AttemptEnd::Early(reason)) => Ok(Ended::Early(reason)),
            Ok(AttemptEnd::PageForgotten(error)) => Ok(Ended::Forgotten(error)),
            Ok(AttemptEnd::Condemned(error)) => Ok(Ended::Condemned(error)),
            Err(error) => Err(error),
        };
        renewal.end().await;
        match ended {
            Ok(Ended::Published(index)) => {
                let key = self.keys(&held).index();
                self.settle(&held, &index, &key).await?;
                report.complete(&index, key);
                let other = held.run.mode != requested.mode
                    || held.run.mode == Mode::Window && held.run.window != requested.window;
                if other && requested.continuation.is_none() && self.stop.reason().is_none() {
                    self.progress.note(format!(
                        "the unfinished {} run is complete: now what was asked for",
                        held.run.mode.as_str()
                    ));
                    return Ok(NextStep::Another);
                }
                if let Some(reason) = self.stop.reason().filter(|_| self.stream().polling().is_some()) {
                    report.stopped_early(reason, self.stop.in_words(reason), self.store.now().await?);
                }
            }
            Ok(Ended::Early(reason)) => {
                let in_words = self.stop.in_words(reason);
                held.release(&in_words, position.traffic).await?;
                report.partial(reason, in_words, self.store.now().await?);
            }
            Ok(Ended::Forgotten(error)) => {
                held.start_over().await?;
                self.progress.note(format!("the API no longer knows the page where the unfinished run stopped ({error}): starting over"));
                return Ok(NextStep::StartOver(Box::new(held.run.clone())));
            }
            Ok(Ended::Condemned(error)) => {
                let _ = held.abandon_because(&error.to_string(), position.traffic).await;
                report.condemned();
                return Err(error);
            }
            Err(error) => {
                // If the store is out of reach too, the lease lapses by itself; the first error is the one to report.
                let why = error.to_string();
                if position.is_blank() {
                    // There is nothing to go on with.
                    let _ = held.abandon_because(&why, position.traffic).await;
                } else {
                    let _ = held.release(&why, position.traffic).await;
                    report.kept();
                }
                return Err(error);
            }
        }
        Ok(NextStep::Done)
    }

    async fn attempt<'p>(&'p self, client: Arc<Client>, held: &'p LeasedRun) -> Result<Attempt<'p>> {
        let (rules, learning) = (self.table_rules(held).await?, Learning::read(self).await?);
        Ok(Attempt::new(self, client, held, rules, learning))
    }

    /// Opens a run. `restart` gives an unfinished one up first; but one whose list was read to its end may be visible
    /// already, or become so by a worker that still believes in it, so that one is brought to its end instead.
    async fn open(&self, mut request: RunRequest) -> Result<Acquired> {
        let state = self.state();
        self.check_history().await?;
        self.check_layout().await?;
        loop {
            let mut opening = state.open(&request).await?;
            let Acquired::LeasedRun(held) = &mut opening else { return Ok(opening) };
            self.progress.set_run(&held.run.run_id);
            if let Some(events) = self.progress.kept() {
                events.lease_acquired(held.run.mode.as_str(), held.resumed, held.fence);
            }
            held.position = self.read_position(&held.position).await?;
            if !(request.restart && held.resumed) {
                return Ok(opening);
            }
            if held.position.finished {
                let index = self.publish(held, &held.position).await?;
                self.settle(held, &index, &self.keys(held).index()).await?;
            } else {
                held.abandon().await?;
            }
            request.restart = false;
        }
    }

    /// Makes the run visible: the next cursor first, which counts only once the run is committed, then the index. A
    /// worker that finds an index adopts it: only a run whose list was read to its end gets one.
    async fn publish(&self, held: &LeasedRun, position: &Position) -> Result<Index> {
        let since = self.next_bound(held, position).or_else(|| self.start_of_poll(held, position));
        let (parts, recent) = manifest::chain(&*self.sink, position.last_part.as_ref(), since).await?;
        let recent =
            recent.filter(|_| position.overlap_forgotten.is_none_or(|forgotten| since > Some(forgotten)));
        let mut index = self.index(held, position, parts, since);
        index.tables = self.tables_at(position).await?;
        if let Some(since) = since {
            index.dedup_key = self.write_dedup_set(held, position, recent).await?;
            let (dedup_key, spec_hash) = (index.dedup_key.clone(), held.run.spec_hash.clone());
            let poll = match self.poll_cursor(held, position) {
                Some(poll) => Some(self.keep_poll_url(held, &self.keys(held), poll).await?),
                None => None,
            };
            index.poll = poll.as_ref().and_then(|poll| poll.url_at.clone());
            held.set_next_cursor(CursorValue { since, dedup_key, spec_hash, poll }).await?;
        }
        let key = self.keys(held).index();
        match self.sink.create(manifest::to_object(key.clone(), &index)?).await? {
            Created::New => Ok(index),
            Created::Exists => manifest::parse(&key, &manifest::read_existing(&*self.sink, &key).await?),
        }
    }

    /// Commits a run, whose index has this key, or leaves it to be decided, as it was begun for.
    async fn settle(&self, held: &LeasedRun, index: &Index, key: &str) -> Result<()> {
        if let Some(seconds) = held.run.pending_seconds {
            return held.leave_pending(key, Duration::from_secs(seconds)).await;
        }
        held.commit(key).await?;
        let Totals { records, objects, bytes, .. } = index.totals;
        self.progress.committed(key, records, objects, bytes);
        Ok(())
    }

    /// Where the next run of a polling stream goes on.
    fn poll_cursor(&self, held: &LeasedRun, position: &Position) -> Option<PollCursor> {
        self.stream().polling()?;
        let before = held.run.from_cursor.as_ref().and_then(|cursor| cursor.poll.as_ref());
        Some(PollCursor {
            url: position.next_url.clone(),
            url_at: None,
            read_at: position.first_server_date.unwrap_or(held.run.started_at),
            greatest: position.watermark.greatest().max(before.and_then(|poll| poll.greatest)),
        })
    }

    /// Writes the set of records that the next run will be shown again, unless it would be too large to keep in memory:
    /// then the next run delivers them again.
    async fn write_dedup_set(
        &self,
        held: &LeasedRun,
        position: &Position,
        sha256: Option<Vec<Digest>>,
    ) -> Result<Option<String>> {
        let earlier = held.run.from_cursor.as_ref().and_then(|cursor| cursor.dedup_key.clone());
        let previous =
            earlier.filter(|_| self.stream().polling().is_some() && held.run.mode == Mode::Incremental);
        let Some(sha256) = sha256 else {
            self.progress.note(format!(
                "more than {MAX_DEDUP_SET} records lie in the overlap: the next run delivers them again"
            ));
            return Ok(None);
        };
        if sha256.is_empty() && previous.is_some() {
            return Ok(previous);
        }
        let key = self.keys(held).dedup();
        let greatest = self.poll_cursor(held, position).and_then(|poll| poll.greatest);
        let set = DedupSet { schema: SCHEMA, run_id: held.run.run_id.clone(), sha256, greatest, previous };
        create_same(&*self.sink, manifest::to_object(key.clone(), &set)?).await?;
        Ok(Some(key))
    }

    fn index(
        &self,
        held: &LeasedRun,
        position: &Position,
        parts: Vec<PartRef>,
        since: Option<Timestamp>,
    ) -> Index {
        let plan = position.plan.as_ref();
        let gaps = position.gaps();
        Index {
            schema: SCHEMA,
            run_id: held.run.run_id.clone(),
            source: self.definition.source.source.to_string(),
            account: self.account.name().to_owned(),
            endpoint: self.definition.endpoint.endpoint.to_string(),
            verdict: if gaps.is_empty() { "complete" } else { "partial" }.to_owned(),
            mode: held.run.mode.as_str().to_owned(),
            window: held.run.window.clone(),
            started_at: held.run.started_at,
            first_server_date: position.first_server_date,
            parts,
            totals: position.totals.clone(),
            cursors: since.into_iter().map(|since| ("all".to_owned(), since)).collect(),
            dedup_key: None,
            poll: None,
            gaps,
            ends: position.ends.clone(),
            warnings: self.warnings(held, position, since),
            behind: position.behind,
            unavailable: position.unavailable.clone(),
            partitions: plan.map(|plan| plan.counts.clone()),
            plan: plan.and_then(|plan| plan.last.clone()),
            repeats: position.repeats,
            tables: None,
            promoted_from: None,
        }
    }

    /// What a person must know of a run that does not show in its records.
    fn warnings(&self, held: &LeasedRun, position: &Position, since: Option<Timestamp>) -> Vec<String> {
        let mut warnings = Vec::new();
        let assumed = position.ends.counts.get(&EndKind::Assumed).copied().unwrap_or(0);
        if assumed > 0 {
            let lists = if assumed == 1 { "a list".to_owned() } else { format!("{assumed} lists") };
            warnings.push(format!(
                "{lists} came in one page, and no next page was ever seen: it is assumed to be the whole list. If the API \
                 is known to return one page, say `single: certain` in the definition; if not, correct `paginator`"
            ));
        }
        if self.stream().polling().is_some() && held.run.mode != Mode::Window && is_lost(position) {
            warnings.push(
                "no cursor is kept, since no record has a time and no next page is named: the next pull requests the same \
                 again. Correct `paginator`, or `cursor` of `incremental`"
                    .to_owned(),
            );
        }
        let rule = self.stream().cursor_rule().filter(|_| held.run.mode != Mode::Window);
        if let Some(rule) =
            rule.filter(|_| self.stream().polling().is_none() && position.unavailable.is_none())
        {
            let next = since.map_or("everything".to_owned(), |since| format!("what changed since {since}"));
            if position.dated && position.first_server_date.is_none() {
                warnings.push(format!(
                    "the cursor cannot move, since the API's first response has no usable `Date`: the next pull requests \
                     {next} again. Declare in the definition how far records may be behind our clock, such as \
                     `incremental: {{lag: 5m}}`"
                ));
            } else if position.watermark.greatest().is_none() && position.watermark.without_time > 0 {
                let members: Vec<_> =
                    rule.cursor.as_slice().iter().map(|member| format!("`{member}`")).collect();
                warnings.push(format!(
                    "the cursor cannot move, since no record has a time in {}: the next pull requests {next} again",
                    members.join(" or ")
                ));
            }
        }
        warnings
    }

    fn request(&self) -> Result<RunRequest> {
        let options = &self.options;
        let incremental = self.stream().cursor_rule();
        if options.mode == Mode::Window && incremental.is_none() {
            return Err(Error::new(
                ErrorKind::Settings,
                "open run",
                "this stream can't be asked for a part of time",
            )
            .hint("pull it without `since` and `until`"));
        }
        if options.window.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "open run", "`since` is not before `until`"));
        }
        Ok(RunRequest {
            mode: options.mode,
            window: options.window.clone(),
            full_since: incremental.and_then(|incremental| incremental.full_since),
            spec_hash: self.definition.spec_hash()?,
            destination: self.sink.uri(),
            address: self.account.address(),
            restart: options.restart,
            adopt: options.unattended,
            pending: options.pending,
            replaces: None,
            continuation: options.continuation.clone(),
            idempotency_key: options.idempotency_key.clone(),
        })
    }

    /// A period that can't be requested of a polling stream is refused before a run is opened.
    async fn check_history(&self) -> Result<()> {
        let Some(polling) = self.stream().polling().filter(|_| self.options.mode == Mode::Window) else {
            return Ok(());
        };
        let now = self.store.now().await?;
        let (oldest, since) = (earlier(now, polling.oldest.get()), self.options.window.since);
        let wrong = |what: &str| Err(Error::new(ErrorKind::Settings, "open run", what.to_owned()));
        if since.is_some_and(|since| since < oldest) {
            return wrong("the API refuses to look so far back").map_err(|error: Error| {
                error.hint(format!(
                    "give a `since` after {oldest}; it keeps what is after {}",
                    earlier(now, polling.history.get())
                ))
            });
        }
        if since.is_some_and(|since| since > later(now, CLOCK_TOLERANCE)) {
            return wrong("`since` lies in the future");
        }
        Ok(())
    }

    fn client(&self) -> Result<Client> {
        let jitter = self.seed.map_or_else(Jitter::random, Jitter::seeded);
        Client::new(
            &self.definition.source,
            &self.account,
            &self.connection,
            Arc::clone(&self.authorize),
            Retry::new(self.options.retry, jitter),
            Arc::clone(&self.progress),
            self.stop.clone(),
        )
    }

    fn state(&self) -> StreamState {
        let lease = Lease { span: self.options.lease, worker_ends: self.options.worker_ends };
        StreamState::new(Arc::clone(&self.store), self.stream_id(), self.worker.clone(), lease, self.seed)
    }
}

impl Attempt<'_> {
    /// Reads all that the run has not read yet.
    async fn run(mut self) -> Attempted {
        // An earlier attempt may have read it to its end: there is nothing left to request of the API.
        let end =
            if self.position.finished { Ok(AttemptEnd::OfTheList) } else { Box::pin(self.extract()).await };
        self.saved.traffic = self.traffic();
        Attempted { position: self.saved, end }
    }

    /// Reads from what the stream is: one list, or partitions, of which a plan is made first.
    async fn extract(&mut self) -> Result<AttemptEnd> {
        let windowed = self.held.run.mode == Mode::Window;
        let planned = self.position.plan.as_ref().is_some_and(|plan| plan.complete);
        match (self.pull.stream().lists(), &self.pull.definition.parent) {
            (Lists::Polled(polling, _), _) if !windowed => {
                let list = PolledList::start(self, polling).await?;
                return self.read(list).await;
            }
            (Lists::Polled(polling, _), _) => {
                if !planned && let Err(error) = self.plan_windows(polling).await {
                    return self.end_by(error, None).await;
                }
            }
            (Lists::OfValues(partitions), _) => {
                if !planned {
                    self.plan_values(partitions).await?;
                }
            }
            (Lists::OfParents(rule), Some(parent)) => {
                if !planned && let Some(end) = self.plan_parents(parent, rule).await? {
                    return Ok(end);
                }
            }
            (Lists::One(_) | Lists::OfParents(_), _) => {
                let list = WholeList::start(self).await?;
                return self.read(list).await;
            }
        }
        let lists = PartitionLists::start(self).await?;
        self.read(lists).await
    }
}

#[cfg(test)]
#[path = "tests/pull.rs"]
mod tests;

#[cfg(test)]
#[path = "tests/recovery.rs"]
mod recovery_tests;

#[cfg(test)]
#[path = "tests/children.rs"]
mod children_tests;

#[cfg(test)]
#[path = "tests/polling.rs"]
mod polling_tests;

#[cfg(test)]
#[path = "tests/http.rs"]
mod http_tests;

#[cfg(test)]
#[path = "tests/tables.rs"]
mod tables_tests;

#[cfg(test)]
#[path = "tests/ends.rs"]
mod ends_tests;

#[cfg(test)]
#[path = "tests/corruption.rs"]
mod corruption_tests;

#[cfg(test)]
#[path = "tests/progress.rs"]
mod progress_tests;
