//! A stream's table: what a lake says about it, in two passes. The first one looks at keys and finds the versions that count,
//! the second one reads these.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::bitmap::Bitmap;
use super::columns::{OutputColumns, RunOrigin};
use super::entries::{Entries, EntryVersion, Keep, VersionOfKey};
use super::keys::KeyMembers;
use super::objects::LakeObject;
use super::paths::for_each_member;
use super::report::{LakeReport, WithheldDeletes};
use super::rows::{Rows, RunTables};
use super::runs::{self, CommittedRun, FoundRuns};
use super::scan::{Rule, Scan};
use super::times::TimeFilter;
use crate::catalog::{Columns, RecordKind};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::Window;
use crate::lake::entry_files::read_entries;
use crate::lake::manifest::{Identity, Part, Withheld, read_part, read_stored, sha256_hex};
use crate::lake::run_manifest::list_runs;
use crate::lake::sink::{Sink, differs, missing};
use crate::lake::stream_id::StreamId;
use crate::nearest::{meant, nearest};
use crate::page::Watch;
use crate::state::StateStore;
use crate::stop::Stop;
use crate::table::{JsonReader, Observed, TableOptions, TableSchema};

/// Which table of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    /// The newest version of each record that is there.
    #[default]
    Current,
    /// Each version that differs from the one before it, and what was deleted.
    History,
}

/// A stream's table in a lake.
#[derive(Debug)]
pub struct LakeTable {
    /// The place.
    pub sink: Arc<dyn Sink>,
    /// Source of the stream.
    pub source: String,
    /// Its endpoint.
    pub endpoint: String,
    /// One account; `None` for all.
    pub account: Option<String>,
    /// Which table.
    pub view: View,
    /// As of this time: of runs that were committed until then.
    pub at: Option<Timestamp>,
    /// Of the history, what runs say that were committed after this time.
    pub changed_after: Option<Timestamp>,
    /// What is wanted by the time that records have.
    pub window: Window,
    /// The columns that are wanted, in this order; `None` for all.
    pub columns: Option<Vec<String>>,
    /// What identifies records of runs by older versions, which do not say it.
    pub identity: Option<Identity>,
    /// Columns that a definition declares.
    pub declared: Option<Columns>,
    /// Bytes of memory that reading takes.
    pub memory: u64,
    /// The state that knows the runs, for places without markers.
    pub store: Option<Arc<dyn StateStore>>,
    /// Says when to stop.
    pub stop: Stop,
}

/// Batches that wait to be taken.
const BATCHES_AHEAD: usize = 2;
/// Objects that wait to be read, if memory allows.
const OBJECTS_AHEAD: usize = 2;
/// Objects, and records of each, that the columns of a JSON lake are inferred from.
const SAMPLED_OBJECTS: usize = 32;
const SAMPLED_RECORDS: usize = 1_000;

/// An object with the rows of it that count.
#[derive(Debug)]
struct SelectedObject {
    object: Arc<LakeObject>,
    rows: Bitmap,
    /// Rows that a later run deleted, and the number of that run.
    deleted: Vec<(u32, u32)>,
}

/// What is to be read.
#[derive(Debug)]
pub struct LakePlan {
    sink: Arc<dyn Sink>,
    memory: u64,
    columns: OutputColumns,
    origins: Vec<RunOrigin>,
    tables: Vec<Option<Arc<RunTables>>>,
    objects: Vec<SelectedObject>,
    /// What the keys of records are, where some were deleted.
    members: KeyMembers,
    filter: Option<TimeFilter>,
    report: LakeReport,
}

/// The runs of all accounts, with what is needed of each.
struct Runs {
    all: Vec<CommittedRun>,
    tables: Vec<Option<Arc<RunTables>>>,
    origins: Vec<RunOrigin>,
}

impl LakeTable {
    /// Finds what counts: the first pass.
    pub async fn plan(self) -> Result<LakePlan> {
        let mut report = LakeReport::default();
        let (by_account, lost) = self.runs(&mut report).await?;
        let identity = self.identity_of(&by_account)?;
        self.check_window(&identity)?;
        let mut runs = Runs { all: Vec::new(), tables: Vec::new(), origins: Vec::new() };
        let mut objects = Vec::new();
        for (account, committed) in by_account {
            let committed = self.needed(&account, &identity, committed)?;
            let first = runs.all.len();
            runs.extend(committed);
            if let Some(key) = lost.get(&account) {
                self.check_lost(&identity, &runs.all[first..], key, &mut report)?;
            }
            self.count_what_is_left(&identity, &runs, first, &mut objects, &mut report).await?;
        }
        report.runs = runs.all.len() as u64;
        report.first_committed_at = runs.all.iter().map(|run| run.committed_at).min();
        report.last_committed_at = runs.all.iter().map(|run| run.committed_at).max();
        let (all, options) = self.all_columns(&runs, &objects).await?;
        // Of a table without a row nobody knows the columns.
        let all = if objects.is_empty() { all.with_texts(self.columns.iter().flatten()) } else { all };
        let with_history = self.view == View::History;
        let columns = OutputColumns::new(all, options, with_history, self.columns.as_deref())?;
        let members = KeyMembers::new(&identity);
        let filter = TimeFilter::new(&self.window, &identity);
        if let Some(filter) = &filter {
            let all = objects.len();
            objects.retain(|counted| filter.may_hold(&counted.object.entry));
            report.objects_skipped += (all - objects.len()) as u64;
        }
        let Runs { tables, origins, .. } = runs;
        let (sink, memory) = (self.sink, self.memory);
        Ok(LakePlan { sink, memory, columns, origins, tables, objects, members, filter, report })
    }

    fn name(&self) -> String {
        format!("{}.{}", self.source, self.endpoint)
    }

    /// What else could have been meant by the name of the stream, or of the account.
    async fn what_is_there(&self) -> Result<String> {
        let streams = list_runs(&*self.sink, Some(&self.source)).await?;
        let of_stream =
            streams.iter().filter(|(stream, runs)| stream.name() == self.name() && !runs.indexes.is_empty());
        let accounts: Vec<_> = of_stream.map(|(stream, _)| stream.account()).collect();
        match &self.account {
            Some(account) if !accounts.is_empty() => {
                Ok(meant(nearest(account, accounts.iter().copied()), "it has the accounts", &accounts))
            }
            _ => streams_there(&*self.sink, &self.name()).await,
        }
    }

    fn wrong(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, "read lake", what.to_owned()).with("stream", self.name()).with("in", self.sink.uri())
    }

    /// The committed runs of each account, and the index of one before them that is not there any more.
    async fn runs(
        &self,
        report: &mut LakeReport,
    ) -> Result<(BTreeMap<String, Vec<CommittedRun>>, BTreeMap<String, String>)> {
        let of_stream = |stream: &StreamId| stream.name() == self.name();
        let requested = |stream: &StreamId| {
            of_stream(stream) && self.account.as_ref().is_none_or(|account| account == stream.account())
        };
        let found = runs::find(&*self.sink, Some(&self.source), requested, self.store.as_deref()).await?;
        let (mut by_account, mut lost, mut first) = (BTreeMap::new(), BTreeMap::new(), None::<Timestamp>);
        for (stream, FoundRuns { committed, uncounted, lost: of_account }) in found {
            report.uncounted.extend(uncounted);
            lost.extend(of_account.map(|key| (stream.account().to_owned(), key)));
            first = first.into_iter().chain(committed.first().map(|run| run.committed_at)).min();
            let is_past = |run: &CommittedRun| self.at.is_none_or(|at| run.committed_at <= at);
            let committed: Vec<_> = committed.into_iter().filter(is_past).collect();
            if !committed.is_empty() {
                report.accounts.push(stream.account().to_owned());
                by_account.insert(stream.account().to_owned(), committed);
            }
        }
        if let (true, Some(first), Some(at)) = (by_account.is_empty(), first, self.at) {
            let message = format!("no run of {} was committed until {at}", self.name());
            return Err(Error::new(ErrorKind::Settings, "read lake", message)
                .with("in", self.sink.uri())
                .hint(format!("the first one was committed at {first}")));
        }
        if by_account.is_empty() {
            let of_account = self
                .account
                .as_ref()
                .map_or_else(String::new, |account| format!(" of the account `{account}`"));
            let message = format!("there is no committed run of {}{of_account} in the lake", self.name());
            let error = Error::new(ErrorKind::Settings, "read lake", message).with("in", self.sink.uri());
            return Err(match report.uncounted.first() {
                Some(run) => {
                    error.with("run", &run.run_id).hint(format!("the run does not count: {}", run.why))
                }
                None => error.hint(self.what_is_there().await?),
            });
        }
        Ok((by_account, lost))
    }

    /// Whether the table of an account can be told without a run whose index is lost.
    fn check_lost(
        &self,
        identity: &Identity,
        runs: &[CommittedRun],
        key: &str,
        report: &mut LakeReport,
    ) -> Result<()> {
        let has_all = identity.kind == RecordKind::Entity
            && self.view == View::Current
            && (!identity.is_merged() || says_all(identity, &runs[generation(identity, runs)]));
        if has_all {
            return Ok(());
        }
        if identity.kind == RecordKind::Entity && self.view == View::Current {
            return Err(gone(key));
        }
        report.starts_at(runs[0].committed_at);
        Ok(())
    }

    /// What identifies the records, as the newest run says it.
    fn identity_of(&self, by_account: &BTreeMap<String, Vec<CommittedRun>>) -> Result<Identity> {
        let newest =
            by_account.values().flatten().max_by_key(|run| (run.committed_at, run.index.run_id.clone()));
        let written = newest.and_then(|run| run.index.identity.clone());
        written.or_else(|| self.identity.clone()).ok_or_else(|| {
            self.wrong(
                ErrorKind::Settings,
                "nothing says what identifies a record: an older version pulled it",
            )
            .hint("give its definition's catalog, or its key: `primary_key=[\"/id\"]`")
        })
    }

    /// Whether records can be selected by their time.
    fn check_window(&self, identity: &Identity) -> Result<()> {
        if self.window == Window::default() {
            return Ok(());
        }
        if self.window.is_empty() {
            return Err(self.wrong(ErrorKind::Settings, "`since` is not before `until`"));
        }
        if identity.time.is_empty() {
            let what =
                "its records have no time to select them by: the definition has no `incremental.cursor`";
            return Err(self
                .wrong(ErrorKind::Settings, what)
                .hint("select by a column of the table instead"));
        }
        if self.view == View::History && identity.kind == RecordKind::Entity {
            let what = "its history is not selected by the time of records: what was deleted has none";
            return Err(self
                .wrong(ErrorKind::Settings, what)
                .hint("select by `_committed_at`, or read `changes` since a time"));
        }
        Ok(())
    }

    /// Of the runs of an account those that the table is of.
    fn needed(
        &self,
        account: &str,
        identity: &Identity,
        committed: Vec<CommittedRun>,
    ) -> Result<Vec<CommittedRun>> {
        if identity.kind == RecordKind::Event || identity.is_merged() {
            return Ok(committed);
        }
        if self.view == View::History {
            let what = "its records have no key: nothing says which of them are versions of one";
            return Err(self.wrong(ErrorKind::Settings, what).hint("declare `primary_key`, and pull again"));
        }
        let last = committed.into_iter().rev().find(CommittedRun::is_complete_and_whole);
        last.map(|run| vec![run]).ok_or_else(|| {
            let what = "its records have no key, and no full run of it was complete";
            self.wrong(ErrorKind::Settings, what)
                .with("account", account)
                .hint("pull it once with --full; or declare `primary_key`, and pull again")
        })
    }

    /// Finds the rows of an account that count, of the runs from number `first` on. Those that retention has removed are left out
    /// where the table can be told without them.
    async fn count_what_is_left(
        &self,
        identity: &Identity,
        runs: &Runs,
        first: usize,
        objects: &mut Vec<SelectedObject>,
        report: &mut LakeReport,
    ) -> Result<()> {
        let of_account = &runs.all[first..];
        let begins = if self.view == View::Current { generation(identity, of_account) } else { 0 };
        let mut from = first + begins;
        if of_account.first().is_some_and(CommittedRun::follows_another) && begins == 0 {
            report.starts_at(of_account[0].committed_at);
        }
        loop {
            let mut attempt = report.clone();
            let Some(gone) = self.count(identity, runs, from, objects, &mut attempt).await? else {
                *report = attempt;
                return Ok(());
            };
            let later = gone.run + 1;
            let is_readable = identity.kind == RecordKind::Event || self.view == View::History;
            if !is_readable || later >= runs.all.len() {
                return Err(gone.error());
            }
            from = later;
            report.starts_at(runs.all[from].committed_at);
        }
    }

    /// Finds the rows of an account that count, of the runs from number `first` on; or the last of them whose objects retention has
    /// removed.
    async fn count(
        &self,
        identity: &Identity,
        runs: &Runs,
        first: usize,
        objects: &mut Vec<SelectedObject>,
        report: &mut LakeReport,
    ) -> Result<Option<GoneObject>> {
        let filter = TimeFilter::new(&self.window, identity);
        let mut found = Vec::new();
        // A number stands for the beginning of each run.
        let mut starts = Vec::new();
        for (number, run) in runs.all.iter().enumerate().skip(first) {
            starts.push(to_number(found.len())?);
            found.push(None);
            for object in objects_of(&*self.sink, run, number).await? {
                // What happened twice did so at the same time.
                if identity.kind == RecordKind::Event
                    && !filter.as_ref().is_none_or(|filter| filter.may_hold(&object.entry))
                {
                    report.objects_skipped += 1;
                } else {
                    found.push(Some(Arc::new(object)));
                }
            }
        }
        to_number(found.len())?;
        let rule = match identity.kind {
            RecordKind::Event => Rule::ByContent,
            RecordKind::Entity if identity.is_merged() => Rule::ByKey(KeyMembers::new(identity)),
            RecordKind::Entity => {
                let all = |object: Arc<LakeObject>| SelectedObject {
                    rows: all_rows(&object),
                    object,
                    deleted: Vec::new(),
                };
                let with_rows = |counted: &SelectedObject| counted.rows.count() > 0;
                objects.extend(found.into_iter().flatten().map(all).filter(with_rows));
                return Ok(None);
            }
        };
        let scan = Scan::new(rule, self.view == View::History);
        let layout = scan.layout;
        let limit = usize::try_from(self.memory / 4).unwrap_or(usize::MAX);
        let entries = Mutex::new(Entries::new(scan.layout, limit));
        let mut rows: Vec<Bitmap> = vec![Bitmap::default(); found.len()];
        let context = Arc::new((scan, entries));
        let at_once = at_once(self.memory, found.iter().flatten().map(|object| &**object), cores());
        // What earlier runs say is not wanted.
        let first_run = self.changed_after.map_or(0, |after| {
            let before = runs.all[first..].partition_point(|run| run.committed_at <= after);
            starts.get(before).copied().unwrap_or(u32::MAX)
        });
        for (run, start) in runs.all[first..].iter().zip(&starts) {
            self.add_deletions(identity, run, *start, &context, report).await?;
        }
        let mut scans = Vec::new();
        for (number, object) in (0..).zip(&found) {
            let Some(object) = object else { continue };
            let start = starts[starts.partition_point(|start| *start < number) - 1];
            scans.push(ObjectScan {
                sink: Arc::clone(&self.sink),
                stop: self.stop.clone(),
                context: Arc::clone(&context),
                object: Arc::clone(object),
                tables: runs.tables[object.run].clone(),
                at: (start, number),
            });
        }
        let scans = stream::iter(scans).map(ObjectScan::run);
        let mut scans = scans.buffer_unordered(at_once);
        let mut gone = BTreeSet::new();
        while let Some((number, without_key)) = scans.try_next().await? {
            let Some(without_key) = without_key else {
                gone.insert(number);
                continue;
            };
            report.without_key += without_key.len() as u64;
            let start = starts[starts.partition_point(|start| *start < number) - 1];
            let is_requested = start >= first_run;
            for row in without_key.into_iter().filter(|_| is_requested) {
                rows[number as usize].set(row);
            }
        }
        drop(scans);
        if !gone.is_empty() {
            return gone_object(&found, &gone).map(Some);
        }
        let Some((_, entries)) = Arc::into_inner(context) else {
            unreachable!("all of its scans have ended")
        };
        let entries = entries.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.spilled_bytes += entries.spilled();
        let chosen = Chosen { rows, deleted: vec![Vec::new(); found.len()], first_run };
        let keep = layout.keep;
        let chosen = blocking(move || chosen.choose(entries, keep)).await?;
        let to_run = |start: u32| starts.binary_search(&start).unwrap_or_default() + first;
        for ((object, rows), deleted) in found.into_iter().zip(chosen.rows).zip(chosen.deleted) {
            let Some(object) = object else { continue };
            if rows.count() == 0 && deleted.is_empty() {
                report.objects_skipped += 1;
            } else {
                let to_run = |(row, start)| Ok((row, to_number(to_run(start))?));
                let deleted = deleted.into_iter().map(to_run).collect::<Result<_>>()?;
                objects.push(SelectedObject { object, rows, deleted });
            }
        }
        Ok(None)
    }

    /// Adds what a run deleted.
    async fn add_deletions(
        &self,
        identity: &Identity,
        run: &CommittedRun,
        start: u32,
        context: &Arc<(Scan, Mutex<Entries>)>,
        report: &mut LakeReport,
    ) -> Result<()> {
        let Some(deletes) = &run.index.deletes else { return Ok(()) };
        let withheld = |count: u64, reason: String| WithheldDeletes {
            account: run.index.account.clone(),
            run_id: run.index.run_id.clone(),
            count,
            reason,
        };
        if let Some(Withheld { count, reason }) = &deletes.withheld {
            report.withheld.push(withheld(*count, reason.clone()));
        }
        if deletes.files.is_empty() {
            return Ok(());
        }
        let then = run.index.identity.as_ref();
        if then.is_none_or(|then| {
            (&then.primary_key, &then.parents) != (&identity.primary_key, &identity.parents)
        }) {
            let reason = "records had another key then".to_owned();
            report.withheld.push(withheld(deletes.count, reason));
            return Ok(());
        }
        let keys = run.keys();
        for file in &deletes.files {
            keys.check_part(&file.key)?;
            let entries = read_entries(&*self.sink, file).await?;
            let context = Arc::clone(context);
            blocking(move || context.0.deletions(&entries, start, &context.1)).await?;
        }
        Ok(())
    }

    fn stop_if_requested(&self) -> Result<()> {
        stop_if_requested(&self.stop)
    }

    /// The columns of all runs with rows that count, the newest first: a column keeps the type that it has there.
    async fn all_columns(
        &self,
        runs: &Runs,
        objects: &[SelectedObject],
    ) -> Result<(TableSchema, TableOptions)> {
        let mut of_run: BTreeMap<usize, Vec<&SelectedObject>> =
            (0..runs.all.len()).map(|run| (run, Vec::new())).collect();
        for counted in objects {
            of_run.entry(counted.object.run).or_default().push(counted);
        }
        let mut newest_first: Vec<_> = of_run.into_iter().collect();
        newest_first.sort_by_key(|(number, _)| {
            let run = &runs.all[*number];
            std::cmp::Reverse((run.committed_at, run.index.run_id.clone()))
        });
        let declared = self.declared.as_ref();
        let mut all = declared.map_or_else(TableSchema::nothing, |columns| {
            TableSchema::declared(columns, std::iter::empty::<String>())
        });
        let (mut options, mut sampled, mut only_null) = (None, 0, Vec::new());
        for (number, of_run) in newest_first {
            if let Some(tables) = &runs.tables[number] {
                options = options.or(Some(tables.options));
                all = all.united(&tables.columns);
            } else if sampled < SAMPLED_OBJECTS && !of_run.is_empty() {
                let sample = self.sample(&of_run, SAMPLED_OBJECTS - sampled).await?;
                sampled += of_run.len();
                let marked = TableSchema::nothing().marked(&sample.parents, sample.keyed);
                all = all.united(&marked.evolved(&sample.observed));
                only_null.push(marked.inferred(&sample.observed));
            }
        }
        // What was only ever null may have values in an older run.
        for inferred in &only_null {
            all = all.united(inferred);
        }
        Ok((all, options.unwrap_or_default()))
    }

    /// What some records hold that count, spread over the objects of a run.
    async fn sample(&self, of_run: &[&SelectedObject], objects: usize) -> Result<Sample> {
        let step = of_run.len().div_ceil(objects.max(1)).max(1);
        let mut sample = Sample::default();
        for counted in of_run.iter().step_by(step) {
            self.stop_if_requested()?;
            let SelectedObject { object, rows, .. } = counted;
            let stored = read_stored(&*self.sink, &object.entry).await?;
            let (object, rows) = (Arc::clone(object), rows.clone());
            sample = blocking(move || {
                let mut seen = 0;
                object.each_record(&stored, &Watch::default(), |row, record| {
                    if rows.has(row as usize) && seen < SAMPLED_RECORDS {
                        seen += 1;
                        sample.observe(record.bytes)?;
                    }
                    Ok(())
                })?;
                Ok(sample)
            })
            .await?;
        }
        Ok(sample)
    }
}

/// What records of a JSON lake hold.
#[derive(Debug, Default)]
struct Sample {
    observed: Observed,
    parents: Vec<String>,
    keyed: bool,
}

impl Sample {
    fn observe(&mut self, record: &[u8]) -> Result<()> {
        let mut reader = JsonReader::new(record);
        let is_marked = reader.expect(b'{').is_ok()
            && reader.peek() == Ok(b'"')
            && reader.key().is_ok_and(|key| key.raw == b"_circulate")
            && reader.peek() == Ok(b'{');
        if is_marked {
            let (mut parents, mut keyed) = (None, false);
            for_each_member(&mut reader, |name, value| match name {
                b"parent" => parents = Some(value),
                b"key" => keyed = value.starts_with(b"\""),
                _ => {}
            });
            self.keyed |= keyed;
            if let Some(parents) = parents {
                for_each_member(&mut JsonReader::new(parents), |name, _| {
                    let name = String::from_utf8_lossy(name).into_owned();
                    if !self.parents.contains(&name) {
                        self.parents.push(name);
                    }
                });
            }
        }
        self.observed.observe(record)
    }
}

impl Runs {
    fn extend(&mut self, committed: Vec<CommittedRun>) {
        for run in committed {
            self.tables.push(run.index.tables.as_ref().map(|tables| {
                Arc::new(RunTables { columns: tables.columns.clone(), options: tables.options })
            }));
            self.origins.push(RunOrigin {
                account: run.index.account.as_str().into(),
                run_id: run.index.run_id.as_str().into(),
                committed_at: run.committed_at,
            });
            self.all.push(run);
        }
    }
}

/// The rows that are wanted.
struct Chosen {
    rows: Vec<Bitmap>,
    /// Rows of each object that a later run deleted, with the number at which that run begins.
    deleted: Vec<Vec<(u32, u32)>>,
    /// What earlier runs said is not wanted.
    first_run: u32,
}

impl Chosen {
    fn choose(mut self, entries: Entries, keep: Keep) -> Result<Self> {
        entries.each_version(|VersionOfKey { version, before, is_newest }| match keep {
            Keep::Oldest if before.is_none() => self.set(version),
            Keep::Newest if is_newest => self.set(version),
            Keep::Oldest | Keep::Newest => {}
            Keep::All => self.change(version, before),
        })?;
        for deleted in &mut self.deleted {
            deleted.sort_unstable();
        }
        Ok(self)
    }

    fn set(&mut self, version: EntryVersion<'_>) {
        if let Some(at) = version.position()
            && version.run() >= self.first_run
        {
            self.rows[at.object as usize].set(at.row);
        }
    }

    /// Of all versions of a record those count that differ from the one before, and where it was deleted.
    fn change(&mut self, version: EntryVersion<'_>, before: Option<EntryVersion<'_>>) {
        let there = before.and_then(|before| Some((before.position()?, before.content())));
        match (version.position(), there) {
            (Some(_), Some((_, content))) if content == version.content() => {}
            (Some(_), _) => self.set(version),
            (None, Some((at, _))) if version.run() >= self.first_run => {
                self.deleted[at.object as usize].push((at.row, version.run()));
            }
            (None, _) => {}
        }
    }
}

/// What is needed to go through an object.
struct ObjectScan {
    sink: Arc<dyn Sink>,
    stop: Stop,
    context: Arc<(Scan, Mutex<Entries>)>,
    object: Arc<LakeObject>,
    tables: Option<Arc<RunTables>>,
    at: (u32, u32),
}

impl ObjectScan {
    /// Goes through it; returns its number, and the rows that have no key; `None` if it is not there.
    async fn run(self) -> Result<(u32, Option<Vec<u32>>)> {
        stop_if_requested(&self.stop)?;
        let entry = &self.object.entry;
        let Some(stored) = self.sink.read(&entry.key).await? else { return Ok((self.at.1, None)) };
        blocking(move || {
            let Self { context, object, tables, at, .. } = self;
            if sha256_hex(&stored) != object.entry.sha256 {
                return Err(differs(&object.entry.key));
            }
            let (scan, entries) = &*context;
            Ok((at.1, Some(scan.object(&object, &stored, tables.as_deref(), at, entries)?)))
        })
        .await
    }
}

/// An object that retention has removed, the last one of those that are not there.
struct GoneObject {
    run: usize,
    key: String,
}

impl GoneObject {
    fn error(&self) -> Error {
        gone(&self.key)
    }
}

fn gone(key: &str) -> Error {
    missing(key).hint(
        "if retention removed it, pull the stream once with --full: what was before is not needed then; the history \
         begins with what is left",
    )
}

/// Retention removes what is oldest. An object that is missing behind one that is there was removed by somebody else.
fn gone_object(found: &[Option<Arc<LakeObject>>], gone: &BTreeSet<u32>) -> Result<GoneObject> {
    let mut last = None;
    for (number, object) in (0..).zip(found) {
        let Some(object) = object else { continue };
        match (gone.contains(&number), last.is_none() || gone.range(number..).next().is_some()) {
            (true, _) => last = Some(object),
            (false, true) => {
                let next = gone.range(number..).next().and_then(|number| found[*number as usize].as_ref());
                return Err(missing(next.map_or("", |object| &object.entry.key)));
            }
            (false, false) => break,
        }
    }
    let object = last.ok_or_else(|| missing(""))?;
    Ok(GoneObject { run: object.run, key: object.entry.key.clone() })
}

/// The number of the last run that read everything and says what is not there: for the current table none before it is needed.
fn generation(identity: &Identity, runs: &[CommittedRun]) -> usize {
    if !identity.is_merged() {
        return 0;
    }
    let Some(last) = runs.iter().rposition(|run| says_all(identity, run)) else { return 0 };
    // What has no key is never deleted.
    let all_have_keys =
        |run: &CommittedRun| run.index.keys.as_ref().is_some_and(|keys| keys.without_key == 0);
    if runs[..last].iter().all(all_have_keys) { last } else { 0 }
}

/// Whether a run read everything and says what is not there.
fn says_all(identity: &Identity, run: &CommittedRun) -> bool {
    let keys = run.index.keys.as_ref().is_some_and(|keys| keys.whole && keys.complete);
    let deletes = run.index.deletes.as_ref();
    let nothing_left =
        deletes.is_none_or(|deletes| deletes.withheld.is_none() && deletes.candidates.count == 0);
    let same =
        run.index.identity.as_ref().is_some_and(|then| {
            (&then.primary_key, &then.parents) == (&identity.primary_key, &identity.parents)
        });
    keys && nothing_left && same && run.is_complete_and_whole()
}

fn all_rows(object: &LakeObject) -> Bitmap {
    let mut rows = Bitmap::default();
    for row in 0..u32::try_from(object.entry.records).unwrap_or(u32::MAX) {
        rows.set(row);
    }
    rows
}

fn to_number(count: usize) -> Result<u32> {
    u32::try_from(count)
        .map_err(|_| Error::new(ErrorKind::Limit, "read lake", "the runs have more than 4 billion objects"))
}

/// The objects that a run's manifest names.
async fn objects_of(sink: &dyn Sink, run: &CommittedRun, number: usize) -> Result<Vec<LakeObject>> {
    let keys = run.keys();
    let mut objects = Vec::new();
    for reference in &run.index.parts {
        keys.check_part(&reference.key)?;
        let part: Part = read_part(sink, reference).await?;
        for entry in part.objects {
            keys.check_object(&entry.key)?;
            objects.push(LakeObject {
                entry,
                format: part.format,
                compression: part.compression,
                run: number,
            });
        }
    }
    Ok(objects)
}

/// How many objects there may be at the same time, one at least. They may take five eighths of the memory; keys take a quarter in the
/// first pass, and batches what is left.
fn at_once<'o>(memory: u64, objects: impl Iterator<Item = &'o LakeObject>, limit: usize) -> usize {
    let largest = objects.map(LakeObject::memory).max().unwrap_or(1).max(1);
    usize::try_from(memory / 8 * 5 / largest).unwrap_or(usize::MAX).clamp(1, limit)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn stop_if_requested(stop: &Stop) -> Result<()> {
    match stop.reason() {
        Some(reason) => Err(Error::new(ErrorKind::Stopped, "read lake", stop.in_words(reason))),
        None => Ok(()),
    }
}

/// Work that takes the processor for a while.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Stopped, "read lake", "a worker ended early").caused_by(error))
    })
}

impl LakePlan {
    /// The columns of the batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.columns.schema)
    }

    /// The columns of records.
    pub fn columns(&self) -> &TableSchema {
        &self.columns.built
    }

    /// How these are laid out.
    pub fn options(&self) -> TableOptions {
        self.columns.options
    }

    /// What is known before it is read.
    pub fn report(&self) -> &LakeReport {
        &self.report
    }

    /// Begins to read: the second pass. It can be done again.
    pub fn read(self: Arc<Self>, stop: Stop) -> LakeReading {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let reading = AbortOnDropHandle::new(tokio::spawn(self.send(sender, stop)));
        LakeReading { batches, reading: Some(reading), report: None }
    }

    async fn send(self: Arc<Self>, sender: mpsc::Sender<RecordBatch>, stop: Stop) -> Result<LakeReport> {
        let needs_records = self.columns.needs_records() || self.filter.is_some();
        // Of objects that are read and objects that wait to be.
        let objects = self.objects.iter().map(|counted| &*counted.object);
        let held = Arc::new(Semaphore::new(at_once(self.memory, objects, OBJECTS_AHEAD + 1)));
        let (bytes, mut stored) = mpsc::channel::<(OwnedSemaphorePermit, Bytes)>(OBJECTS_AHEAD);
        let fetching = {
            let (plan, stop) = (Arc::clone(&self), stop.clone());
            AbortOnDropHandle::new(tokio::spawn(async move {
                for counted in &plan.objects {
                    stop_if_requested(&stop)?;
                    let Ok(permit) = Arc::clone(&held).acquire_owned().await else { break };
                    let stored = if needs_records {
                        read_stored(&*plan.sink, &counted.object.entry).await?
                    } else {
                        Bytes::new()
                    };
                    if bytes.send((permit, stored)).await.is_err() {
                        break;
                    }
                }
                Ok::<_, Error>(())
            }))
        };
        let plan = Arc::clone(&self);
        let rows = blocking(move || {
            let mut count = 0;
            let mut emit = |batch: RecordBatch| {
                count += batch.num_rows() as u64;
                sender.blocking_send(batch).map_err(|_| nobody_takes_them())
            };
            let mut rows = Rows::new(&plan.columns, &plan.origins, plan.filter.as_ref());
            for counted in &plan.objects {
                stop_if_requested(&stop)?;
                // Why nothing comes is known by whoever fetches.
                let Some((_permit, stored)) = stored.blocking_recv() else { return Ok(None) };
                let tables = plan.tables[counted.object.run].as_deref();
                if counted.rows.count() > 0 {
                    rows.take(&counted.object, &stored, tables, &counted.rows, &mut emit)?;
                }
                if !counted.deleted.is_empty() {
                    let deleted = &counted.deleted;
                    rows.take_deleted(&counted.object, &stored, tables, &plan.members, deleted, &mut emit)?;
                }
            }
            rows.hand_over(&mut emit)?;
            Ok(Some(count))
        })
        .await?;
        fetching.await.map_err(|error| {
            Error::new(ErrorKind::Stopped, "read lake", "a worker ended early").caused_by(error)
        })??;
        let objects_read = if needs_records { self.objects.len() as u64 } else { 0 };
        Ok(LakeReport { rows: rows.unwrap_or_default(), objects_read, ..self.report.clone() })
    }
}

fn nobody_takes_them() -> Error {
    Error::new(ErrorKind::Stopped, "read lake", "nobody takes the rows any more")
}

/// A table that is being read. Dropping it stops that.
#[derive(Debug)]
pub struct LakeReading {
    batches: mpsc::Receiver<RecordBatch>,
    reading: Option<AbortOnDropHandle<Result<LakeReport>>>,
    report: Option<LakeReport>,
}

impl LakeReading {
    /// The next batch; `None` after the last one.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        let Some(reading) = self.reading.take() else { return Ok(None) };
        let report = reading.await.map_err(|error| {
            Error::new(ErrorKind::Stopped, "read lake", "the reading worker ended early").caused_by(error)
        })?;
        self.report = Some(report?);
        Ok(None)
    }

    /// What was done, after the last batch.
    pub fn report(&self) -> Option<&LakeReport> {
        self.report.as_ref()
    }
}

/// What a place has of a stream.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LakeStream {
    /// `source.endpoint`.
    pub stream: String,
    /// The accounts it was pulled from.
    pub accounts: Vec<String>,
    /// What its records are, if a run says it.
    pub kind: Option<RecordKind>,
    /// The members that are a record's key, if a run says it.
    pub primary_key: Option<Vec<String>>,
    /// Committed runs.
    pub runs: u64,
    /// Their records, versions and all.
    pub records: u64,
    /// Bytes of their objects as stored.
    pub bytes: u64,
    /// When the first and the last run was committed.
    pub first_committed_at: Option<Timestamp>,
    /// See above.
    pub last_committed_at: Option<Timestamp>,
    /// Runs that have a manifest and do not count.
    pub uncounted: Vec<super::runs::UncountedRun>,
}

/// The streams that a place has manifests of.
pub async fn lake_streams(sink: &dyn Sink, store: Option<&dyn StateStore>) -> Result<Vec<LakeStream>> {
    let mut streams: BTreeMap<String, Vec<FoundRuns>> = BTreeMap::new();
    for (stream, found) in runs::find(sink, None, |_| true, store).await? {
        streams.entry(stream.name()).or_default().push(found);
    }
    Ok(streams.into_iter().map(|(stream, found)| of_stream(stream, found)).collect())
}

/// What to say to who named a stream that a place does not have: the one that is likely to be meant, and all there are.
pub async fn streams_there(sink: &dyn Sink, named: &str) -> Result<String> {
    let listed = list_runs(sink, None).await?;
    let with_runs = listed.iter().filter(|(_, runs)| !runs.indexes.is_empty());
    let known: BTreeSet<_> = with_runs.map(|(stream, _)| stream.name()).collect();
    if known.is_empty() {
        return Ok(
            "nothing was pulled or promoted to this place: pull a stream there, or name another place"
                .to_owned(),
        );
    }
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let small = named.to_lowercase();
    let endpoint = |name: &str| name.rsplit('.').next() == small.rsplit('.').next();
    let likely = nearest(&small, known.iter().copied());
    let likely = likely.or_else(|| known.iter().copied().find(|name| endpoint(name)));
    Ok(meant(likely, "the tables there", &known))
}

fn of_stream(stream: String, found: Vec<FoundRuns>) -> LakeStream {
    let mut of_stream = LakeStream {
        stream,
        accounts: Vec::new(),
        kind: None,
        primary_key: None,
        runs: 0,
        records: 0,
        bytes: 0,
        first_committed_at: None,
        last_committed_at: None,
        uncounted: Vec::new(),
    };
    let mut committed = Vec::new();
    for FoundRuns { committed: of_account, uncounted, .. } in found {
        of_stream.accounts.extend(of_account.first().map(|run| run.index.account.clone()));
        of_stream.uncounted.extend(uncounted);
        committed.extend(of_account);
    }
    committed.sort_by_key(|run| run.committed_at);
    for run in &committed {
        of_stream.runs += 1;
        of_stream.records += run.index.totals.records;
        of_stream.bytes += run.index.totals.bytes;
        if let Some(identity) = &run.index.identity {
            of_stream.kind = Some(identity.kind);
            of_stream.primary_key = Some(identity.primary_key.iter().map(ToString::to_string).collect());
        }
    }
    of_stream.first_committed_at = committed.first().map(|run| run.committed_at);
    of_stream.last_committed_at = committed.last().map(|run| run.committed_at);
    of_stream
}
