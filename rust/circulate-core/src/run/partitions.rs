//! Streams that are pulled in partitions: the children of each parent, values, windows of time. Several are requested at a
//! time; where each of them stands is in the checkpoint.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::attempt::{Attempt, AttemptEnd, IncomingRecord, is_unavailable};
use super::fetch::{Pages, Step};
use super::fetcher::First;
use super::levels::ListOfParents;
use super::request::first_request;
use super::source::PageSource;
use crate::MAX_TEXT;
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::{PaginatorSpec, Parent, Pointer};
use crate::error::{Error, ErrorKind, Meaning, Result};
use crate::extract::cursor::{RecordTimes, Window};
use crate::extract::plan::{KnownParents, Partition, text_of};
use crate::lake::manifest::{PartRef, PartitionEntry, PartitionOutcome, PlanPart, read_part};
use crate::page::{EndKind, ListEnd, LoopGuard};
use crate::progress::Completion;
use crate::redact::Redactor;
use crate::state::{ListRestart, OpenPartition};

/// Partitions that are requested at the same time, as far as the quota and the API bear it.
const PARTITIONS_AT_ONCE: usize = 8;
/// What of a page may be in memory, as a part of what it may where one list is read: of each partition one page waits while
/// another is read.
const SHARE_OF_PAGE: u64 = 4;
/// How much more than a window of time is requested on either side.
const WINDOW_MARGIN: Duration = Duration::from_secs(1);
/// If so many parents refuse or are not found before one has responded, all will.
const MAX_REFUSED_AT_FIRST: u64 = 10;
/// Gaps that are named in the index; the parts name them all.
const MAX_GAPS_NAMED: usize = 1000;

/// Partitions whose next page is on its way.
type PageRequests = FuturesUnordered<BoxFuture<'static, (Partition, Pages, Result<Step>)>>;

/// The lists of the partitions of a plan, of which several are requested at a time.
pub(super) struct PartitionLists<'p> {
    requests: PageRequests,
    pending: PendingPartitions,
    /// They are lists of parents, whose records are put into the next plan; with those that are in it.
    of_parents: Option<(ListOfParents<'p>, KnownParents)>,
}

impl<'p> PartitionLists<'p> {
    /// Begins to request those that earlier attempts began.
    pub(super) async fn start(
        attempt: &mut Attempt<'_>,
        of_parents: Option<(ListOfParents<'p>, KnownParents)>,
    ) -> Result<Self> {
        attempt.expect_partitions();
        let pending = PendingPartitions::new(attempt).await?;
        let lists = Self { requests: PageRequests::new(), pending, of_parents };
        for open in attempt.plan().open.clone() {
            lists.request(attempt, &open)?;
        }
        Ok(lists)
    }

    fn list(&self) -> Option<ListOfParents<'p>> {
        self.of_parents.as_ref().map(|(list, _)| *list)
    }

    /// Requests a partition, from where it stands.
    fn request(&self, attempt: &Attempt<'_>, open: &OpenPartition) -> Result<()> {
        self.requests.push(next_page(open.partition.clone(), attempt.pages_of(open, self.list())?));
        Ok(())
    }

    /// Requests a partition from its beginning.
    fn begin(&self, attempt: &mut Attempt<'_>, partition: Partition) -> Result<()> {
        let several = attempt.batched(self.list()).map(|(name, _)| partition.several(&name));
        let open = OpenPartition::begin(partition, several.unwrap_or_default());
        self.request(attempt, &open)?;
        attempt.plan().open.push(open);
        Ok(())
    }
}

impl PageSource for PartitionLists<'_> {
    type List = (Partition, Pages);

    async fn next(&mut self, attempt: &mut Attempt<'_>) -> Result<Option<(Self::List, Result<Step>)>> {
        attempt.list_partitions_done().await?;
        while self.requests.len() < PARTITIONS_AT_ONCE
            && let Some(partition) = self.pending.next(attempt).await?
        {
            self.begin(attempt, partition)?;
        }
        let next = self.requests.next().await;
        attempt.position.finished = next.is_none() && self.of_parents.is_none();
        Ok(next.map(|(partition, pages, step)| ((partition, pages), step)))
    }

    async fn take_in(
        &mut self,
        attempt: &mut Attempt<'_>,
        (partition, pages): Self::List,
        mut step: Step,
    ) -> Result<()> {
        // As many as it says there are would be too many, or what it counts is what it gives: nothing of the window is taken in.
        let total_is_too_high = step.total.zip(attempt.cap()).is_some_and(|(total, cap)| total >= cap);
        if (step.capped || total_is_too_high) && self.halve(attempt, &partition)? {
            return Ok(());
        }
        let taken = if let Some((list, known)) = &mut self.of_parents {
            attempt.plan_records(*list, &partition, &step, known).await?;
            step.page.record_count() as u64
        } else {
            attempt.take_child_page(&partition, &mut step).await?
        };
        attempt.see_parents(&partition, &step, self.list())?;
        if step.end.is_some() && self.request_unseen(attempt, &partition, &mut step)? {
            attempt.expect_partitions();
        }
        if attempt.goes_on(&partition, step, taken, self.list()) {
            self.requests.push(next_page(partition, pages));
        }
        Ok(())
    }

    async fn settle(
        &mut self,
        attempt: &mut Attempt<'_>,
        (partition, _): Self::List,
        error: Error,
    ) -> Result<Option<AttemptEnd>> {
        if error.meaning() == Some(Meaning::TooMany) {
            if self.halve(attempt, &partition)? {
                return Ok(None);
            }
            let why = format!("{error}; its window cannot be made smaller (`window.min`)");
            let why = Redactor::shared().shown(&why, MAX_TEXT);
            attempt.settle(&partition, PartitionOutcome::Contradicted, None, self.list());
            let end = ListEnd::contradicted(EndKind::Unavailable, why);
            attempt.note_end_of(&partition, 0, end, self.list());
            return Ok(None);
        }
        if self.split(attempt, &partition, &error)? {
            return Ok(None);
        }
        if self.restart(attempt, &partition, &error)? {
            return Ok(None);
        }
        attempt.settle_without_children(&partition, error, self.list()).await
    }
}

impl PartitionLists<'_> {
    /// Requests the parents once more of which no record has come, if some have come of the others: an API may give fewer than
    /// were requested. If none have come although there are records, these are not known by what the definition says.
    fn request_unseen(
        &mut self,
        attempt: &mut Attempt<'_>,
        partition: &Partition,
        step: &mut Step,
    ) -> Result<bool> {
        let Some((name, key)) = attempt.batched(self.list()) else { return Ok(false) };
        let Some(open) = attempt.open_partition(partition) else { return Ok(false) };
        let (unseen, requested) = (open.unseen.clone(), partition.several(&name).len());
        let records = open.records + step.page.record_count() as u64;
        if unseen.len() == requested && records > 0 {
            let why = format!("records came, and none is of a parent that was requested, by its `{key}`");
            step.end =
                Some(ListEnd::contradicted(step.end.take().map_or(EndKind::NoNext, |end| end.end), why));
        }
        if unseen.is_empty() || unseen.len() == requested {
            return Ok(false);
        }
        attempt.plan().partitions += 1;
        self.begin(attempt, partition.of_several(&name, &unseen))?;
        Ok(true)
    }

    /// Starts a list over whose page the API no longer knows, by a rule of the definition: once is enough.
    fn restart(&mut self, attempt: &mut Attempt<'_>, partition: &Partition, error: &Error) -> Result<bool> {
        let name = name_of(partition, self.list());
        let Some(open) = attempt.open_partition(partition) else { return Ok(false) };
        let is_forgotten = error.meaning() == Some(Meaning::Forgotten) && open.next_url.is_some();
        if !is_forgotten || open.restarted {
            return Ok(false);
        }
        (open.next_url, open.guard, open.least, open.restarted) = (None, LoopGuard::default(), None, true);
        let open = open.clone();
        attempt.note_restart(name, error);
        self.request(attempt, &open)?;
        Ok(true)
    }

    /// Requests the halves of several parents instead of all, if the API does not give all of them or takes no such request. Until a
    /// list has been read, the first of them is requested alone: if that is refused too, it is not about the others.
    fn split(&mut self, attempt: &mut Attempt<'_>, partition: &Partition, error: &Error) -> Result<bool> {
        let Some((name, _)) = attempt.batched(self.list()) else { return Ok(false) };
        let at_start = attempt.open_partition(partition).is_some_and(|open| open.next_url.is_none());
        let parents = partition.several(&name);
        let is_refused = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden)
            || matches!(error.meaning(), Some(Meaning::Gone | Meaning::Gap));
        let is_long = matches!(error.response(), Some((413 | 414, _)));
        if !at_start || parents.len() < 2 || !(is_refused || is_long) {
            return Ok(false);
        }
        let plan = attempt.plan();
        plan.open.retain(|open| open.partition != *partition);
        plan.partitions += 1;
        let nothing_read = plan.counts.complete == 0;
        let (some, others) = parents.split_at(if is_refused && nothing_read { 1 } else { parents.len() / 2 });
        for half in [some, others] {
            self.begin(attempt, partition.of_several(&name, half))?;
        }
        attempt.expect_partitions();
        Ok(true)
    }

    /// Requests the halves of a window instead of it; `false` if it is as small as may be.
    fn halve(&mut self, attempt: &mut Attempt<'_>, partition: &Partition) -> Result<bool> {
        let Some(halves) = attempt.halves(partition) else { return Ok(false) };
        let plan = attempt.plan();
        plan.open.retain(|open| open.partition != *partition);
        plan.partitions += 1;
        for half in halves {
            self.begin(attempt, half)?;
        }
        attempt.expect_partitions();
        Ok(true)
    }
}

impl Attempt<'_> {
    /// How many records the API gives of a list at most, if it does not start over behind them.
    fn cap(&self) -> Option<u64> {
        match &self.pull.stream().paginator {
            PaginatorSpec::Offset(offset) if offset.restart.is_none() => offset.cap,
            _ => None,
        }
    }

    /// All partitions are known; those that earlier attempts were done with count as done.
    fn expect_partitions(&mut self) {
        let definition = &self.pull.definition;
        let levels = self.plan().level.unwrap_or(definition.parents.len());
        let above = levels.checked_sub(1).and_then(|number| definition.parents.get(number));
        let unit = match above {
            Some(parent) => parent.endpoint.as_str(),
            None if self.pull.stream().job.is_some() => "parts",
            None if self.pull.stream().values().is_empty() => "windows",
            None => "partitions",
        };
        let plan = self.position.plan.as_ref().filter(|plan| plan.partitions > 0);
        self.pull.progress.set_completion(plan.map(|plan| Completion {
            unit: unit.to_owned(),
            done: plan.counts.total(),
            total: Some(plan.partitions),
            estimated: false,
        }));
    }

    /// The pages of a partition from where it stands: of the stream's own list, or of a list of parents.
    fn pages_of(&self, open: &OpenPartition, list: Option<ListOfParents<'_>>) -> Result<Pages> {
        let mut request = match list {
            Some(list) => self.first_request_of_parents(list, &open.partition)?,
            None => self.first_request_of_partition(&open.partition)?,
        };
        if let Some(stored) = &open.next_url {
            request = request.at(PageAddress::from_stored(stored)?);
        }
        let first = match list {
            Some(list) => self.first_of_parents(list, request, &open.guard),
            None => First::keyed(self.pull.stream(), request, &open.guard, self.learning.own()),
        };
        let mut limits = self.pull.options.pages;
        limits.in_memory /= SHARE_OF_PAGE;
        let mut first = First { at_start: open.next_url.is_none(), limits, ..first };
        first.watched.extend(self.batched(list).map(|(_, key)| key));
        Pages::start(self.pull, &self.client, first)
    }

    fn first_request_of_partition(&self, partition: &Partition) -> Result<PageRequest> {
        let (account, stream) = (&self.pull.account, self.pull.stream());
        let period = match (self.window_of(partition), stream.incremental()) {
            (Some(window), _) => window.widened(self.margin()),
            (None, Some(_)) => self.period_of(partition)?,
            (None, None) => Window::default(),
        };
        // The bounds of a job are those that it was submitted with.
        let rule = stream.incremental().filter(|_| stream.job.is_none());
        first_request(account, stream, Some(partition), rule, &period)
    }

    /// How much more than a window is requested: nothing of it is kept, since its neighbours deliver that.
    fn margin(&self) -> Duration {
        if self.pull.stream().polling().is_some() { WINDOW_MARGIN } else { Duration::ZERO }
    }

    /// The period for which a partition is requested that is no window of it.
    fn period_of(&self, partition: &Partition) -> Result<Window> {
        let mut period = self.held.run.window.clone();
        if let Some(rule) = self.pull.stream().incremental() {
            period.since = self.since_of(partition, rule)?;
        }
        Ok(period)
    }

    /// Takes a page of a partition in, and ends its list where what comes behind the page is older than what is needed. Returns how
    /// many records were kept.
    async fn take_child_page(&mut self, partition: &Partition, step: &mut Step) -> Result<u64> {
        let (before, records) = (self.position.unchanged, step.page.record_count() as u64);
        let taken = self.take_records(partition, step).await?;
        let nothing_new = records > 0 && self.position.unchanged - before == records;
        if nothing_new && step.end.is_none() && self.newest_come_first() {
            step.end = Some(EndKind::CaughtUp.into());
        }
        Ok(taken)
    }

    /// Takes the records of a page of a partition in, with their parents in front. Returns how many were kept.
    async fn take_records(&mut self, partition: &Partition, step: &Step) -> Result<u64> {
        self.see_date(&step.page.headers).await?;
        let names = Some(&self.marks).filter(|names| !names.is_empty());
        let parent = names.map(|names| partition.only(names).as_json()).transpose()?;
        let rule = self.pull.stream().incremental();
        let (window, period) = (self.window_of(partition), self.period_of(partition)?);
        // What is known of the order is known of this list.
        let order = self.open_partition(partition).and_then(|open| open.least);
        let outer = std::mem::replace(&mut self.position.order.least, order);
        let (mut taken, mut marked) = (0, Vec::new());
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            if let (Some(window), Some(rule)) = (&window, rule) {
                let times = (0..rule.times().len()).map(|number| record.field(number));
                if RecordTimes::of(rule).greatest(times).is_some_and(|time| !window.may_hold(time)) {
                    continue;
                }
            }
            let bytes = match &parent {
                Some(parent) => {
                    record.write_with_parent(parent, &mut marked);
                    &marked
                }
                None => record.bytes,
            };
            let parents = Some(partition).filter(|_| parent.is_some());
            let record = IncomingRecord { record: &record, bytes, key: step.key.clone(), parents };
            taken += u64::from(self.take_record(record, &period).await?);
        }
        self.position.totals.pages += 1;
        let least = std::mem::replace(&mut self.position.order.least, outer);
        if let Some(open) = self.open_partition(partition) {
            open.least = least;
        }
        Ok(taken)
    }

    /// The field that stands for several parents in the requests of a list, and the member of a record that says which of them it
    /// is of.
    fn batched(&self, list: Option<ListOfParents<'_>>) -> Option<(String, Pointer)> {
        let stream = list.map_or(self.pull.stream(), |list| &list.endpoint.list);
        let (_, name, key) = stream.parent().and_then(Parent::batched)?;
        Some((name.to_owned(), key.clone()))
    }

    /// Notes of which of several parents records have come.
    fn see_parents(
        &mut self,
        partition: &Partition,
        step: &Step,
        list: Option<ListOfParents<'_>>,
    ) -> Result<()> {
        if self.batched(list).is_none() {
            return Ok(());
        }
        // It stands behind what else is looked at of a record.
        let number = list.map_or(self.pull.stream().times().len(), |list| self.watched_of(list).len());
        let Some(open) = self.open_partition(partition) else { return Ok(()) };
        let mut unseen: BTreeSet<_> = open.unseen.drain(..).collect();
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            if let Some(parent) = record.field(number).and_then(text_of) {
                unseen.remove(&parent);
            }
        }
        open.unseen = unseen.into_iter().collect();
        Ok(())
    }

    /// Notes that one of the lists starts over, for the report.
    pub(super) fn note_restart(&mut self, list: impl fmt::Display, error: &Error) {
        let why = Redactor::shared().shown(&format!("{list}: {error}"), MAX_TEXT);
        self.pull.progress.note(format!("a list starts over: {why}"));
        self.position.restart.get_or_insert(ListRestart { since: None, why });
    }

    fn open_partition(&mut self, partition: &Partition) -> Option<&mut OpenPartition> {
        self.plan().open.iter_mut().find(|open| open.partition == *partition)
    }

    /// Notes where a list stands after a page of it that was taken in; returns whether it goes on.
    fn goes_on(
        &mut self,
        partition: &Partition,
        step: Step,
        taken: u64,
        list: Option<ListOfParents<'_>>,
    ) -> bool {
        let mut page = 0;
        if let Some(open) = self.open_partition(partition) {
            open.records += taken;
            open.pages += 1;
            open.next_url = step.next.map(|next| next.stored());
            open.guard = step.guard;
            page = open.pages;
        }
        let Some(end) = step.end else { return true };
        let none_found = self.batched(list).is_some()
            && self
                .open_partition(partition)
                .is_some_and(|open| open.records == 0 && !open.unseen.is_empty());
        let outcome = match end.contradicted {
            Some(_) => PartitionOutcome::Contradicted,
            None if none_found => PartitionOutcome::Gone,
            None => PartitionOutcome::Complete,
        };
        self.settle(partition, outcome, Some(&end), list);
        self.note_end_of(partition, page, end, list);
        false
    }

    fn note_end_of(
        &mut self,
        partition: &Partition,
        page: u64,
        end: ListEnd,
        list: Option<ListOfParents<'_>>,
    ) {
        self.position.ends.add(&name_of(partition, list), page, end);
    }

    /// A parent that is gone takes its children with it; one that refuses leaves a gap. So does what a rule of the definition
    /// declares to be either. Any other error ends the attempt.
    async fn settle_without_children(
        &mut self,
        parent: &Partition,
        error: Error,
        list: Option<ListOfParents<'_>>,
    ) -> Result<Option<AttemptEnd>> {
        let url = self.open_partition(parent).and_then(|open| open.next_url.clone());
        let stream = list.map_or(self.pull.stream(), |list| &list.endpoint.list);
        let (has_parent, name) = (stream.parent().is_some(), name_of(parent, list));
        if stream.job.is_some() && self.is_forgotten_job(&error) {
            return Ok(Some(AttemptEnd::PageForgotten(error)));
        }
        if error.kind() == ErrorKind::Cycle || self.is_forgotten(&error, url.as_deref()) {
            return self.end_by(error, url.as_deref()).await.map(Some);
        }
        let outcome = match error.kind() {
            _ if error.meaning() == Some(Meaning::Gone) => PartitionOutcome::Gone,
            _ if error.meaning() == Some(Meaning::Gap) => {
                self.pull.progress.note(format!("the records of {name} are missing: {error}"));
                PartitionOutcome::Refused
            }
            _ if url.is_none() && is_unavailable(stream, &error) => PartitionOutcome::Unavailable,
            _ if !has_parent => return self.end_by(error, url.as_deref()).await.map(Some),
            ErrorKind::NotFound | ErrorKind::Forbidden if self.all_have_refused() => {
                let hint = "no parent requested so far has responded: give the credentials the right to read this, or correct \
                            the path, then pull with `restart`";
                return self.end_by(error.hint(hint), url.as_deref()).await.map(Some);
            }
            ErrorKind::NotFound => PartitionOutcome::Gone,
            ErrorKind::Forbidden => {
                self.pull.progress.note(format!("the children of {name} are missing: {error}"));
                PartitionOutcome::Refused
            }
            _ => return self.end_by(error, url.as_deref()).await.map(Some),
        };
        let end = match outcome {
            PartitionOutcome::Gone => Some(ListEnd::from(EndKind::Gone)),
            PartitionOutcome::Unavailable => Some(ListEnd::from(EndKind::Unavailable)),
            _ => None,
        };
        self.settle(parent, outcome, end.as_ref(), list);
        if let Some(end) = end {
            self.note_end_of(parent, 1, end, list);
        }
        Ok(None)
    }

    /// Whether this is the last of the first parents, all of which have refused.
    fn all_have_refused(&mut self) -> bool {
        let counts = &self.plan().counts;
        counts.complete == 0 && counts.refused + counts.gone + 1 >= MAX_REFUSED_AT_FIRST
    }

    /// Notes what came of a parent.
    fn settle(
        &mut self,
        parent: &Partition,
        outcome: PartitionOutcome,
        end: Option<&ListEnd>,
        list: Option<ListOfParents<'_>>,
    ) {
        let plan = self.plan();
        let Some(at) = plan.open.iter().position(|open| open.partition == *parent) else { return };
        let OpenPartition { partition, records, .. } = plan.open.remove(at);
        plan.counts.add(outcome);
        if outcome == PartitionOutcome::Refused && plan.gaps.len() < MAX_GAPS_NAMED {
            plan.gaps.push(name_of(&partition, list));
        }
        let list = list.map(|list| list.endpoint.endpoint.to_string());
        let partition = partition.without_url();
        let size = partition.size();
        let moved = end.is_some_and(|end| end.moved.is_some());
        let end = end.map(|end| end.end);
        let entry = PartitionEntry { partition, outcome, records, end, list, moved };
        self.partitions_done.push(entry, size);
        self.pull.progress.count_done(1);
    }
}

/// A name of a list for people: that of a partition of the stream's own list says which one it is of.
fn name_of(partition: &Partition, list: Option<ListOfParents<'_>>) -> String {
    match list {
        Some(list) => format!("{} of {partition}", list.endpoint.endpoint),
        None => partition.to_string(),
    }
}

fn next_page(partition: Partition, mut pages: Pages) -> BoxFuture<'static, (Partition, Pages, Result<Step>)> {
    Box::pin(async move {
        let step = pages.next().await;
        (partition, pages, step)
    })
}

/// The partitions of the plan that were not begun, a part at a time.
struct PendingPartitions {
    partitions: std::vec::IntoIter<Partition>,
    /// The part before the one whose partitions are at hand.
    previous: Option<PartRef>,
}

impl PendingPartitions {
    async fn new(attempt: &mut Attempt<'_>) -> Result<Self> {
        let plan = attempt.plan();
        if let Some(current) = plan.current.clone() {
            let begun = plan.begun;
            return Self::of_part(attempt, &current, begun).await;
        }
        let previous = plan.last.clone();
        Ok(Self { partitions: Vec::new().into_iter(), previous })
    }

    /// The partitions of a part, without those that were begun.
    async fn of_part(attempt: &Attempt<'_>, reference: &PartRef, begun: usize) -> Result<Self> {
        let mut part: PlanPart = read_part(&*attempt.pull.sink, reference).await?;
        part.partitions.drain(..begun.min(part.partitions.len()));
        Ok(Self { partitions: part.partitions.into_iter(), previous: part.previous })
    }

    /// The next partition, which counts as begun.
    async fn next(&mut self, attempt: &mut Attempt<'_>) -> Result<Option<Partition>> {
        loop {
            if let Some(partition) = self.partitions.next() {
                attempt.plan().begun += 1;
                return Ok(Some(partition));
            }
            let Some(reference) = self.previous.take() else { return Ok(None) };
            *self = Self::of_part(attempt, &reference, 0).await?;
            let plan = attempt.plan();
            plan.current = Some(reference);
            plan.begun = 0;
        }
    }
}
