//! Streams that are pulled in partitions: the children of each parent, values, windows of time. Several are requested at a
//! time; where each of them stands is in the checkpoint.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::attempt::{Attempt, AttemptEnd, is_unavailable};
use super::fetch::{Pages, Step};
use super::fetcher::First;
use super::request::first_request;
use super::source::PageSource;
use crate::MAX_TEXT;
use crate::api::page_address::PageAddress;
use crate::catalog::{PaginatorSpec, Partitions};
use crate::error::{Error, ErrorKind, Meaning, Result};
use crate::extract::cursor::{RecordTimes, Window};
use crate::extract::plan::Partition;
use crate::lake::manifest::{PartRef, PartitionEntry, PartitionOutcome, PlanPart, read_part};
use crate::page::{EndKind, ListEnd, LoopGuard};
use crate::progress::Completion;
use crate::redact::Redactor;
use crate::state::OpenPartition;

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
pub(super) struct PartitionLists {
    requests: PageRequests,
    pending: PendingPartitions,
}

impl PartitionLists {
    /// Begins to request those that earlier attempts began.
    pub(super) async fn start(attempt: &mut Attempt<'_>) -> Result<Self> {
        attempt.expect_partitions();
        let requests = PageRequests::new();
        for open in &attempt.plan().open.clone() {
            requests.push(next_page(open.partition.clone(), attempt.pages_of(open)?));
        }
        Ok(Self { requests, pending: PendingPartitions::new(attempt).await? })
    }
}

impl PageSource for PartitionLists {
    type List = (Partition, Pages);

    async fn next(&mut self, attempt: &mut Attempt<'_>) -> Result<Option<(Self::List, Result<Step>)>> {
        attempt.list_partitions_done().await?;
        while self.requests.len() < PARTITIONS_AT_ONCE
            && let Some(partition) = self.pending.next(attempt).await?
        {
            let open = OpenPartition {
                partition,
                next_url: None,
                records: 0,
                pages: 0,
                guard: LoopGuard::default(),
            };
            self.requests.push(next_page(open.partition.clone(), attempt.pages_of(&open)?));
            attempt.plan().open.push(open);
        }
        let next = self.requests.next().await;
        attempt.position.finished = next.is_none();
        Ok(next.map(|(partition, pages, step)| ((partition, pages), step)))
    }

    async fn take_in(
        &mut self,
        attempt: &mut Attempt<'_>,
        (partition, pages): Self::List,
        step: Step,
    ) -> Result<()> {
        // As many as it says there are would be too many, or what it counts is what it gives: nothing of the window is taken in.
        let total_is_too_high = step.total.zip(attempt.cap()).is_some_and(|(total, cap)| total >= cap);
        if (step.capped || total_is_too_high) && self.halve(attempt, &partition)? {
            return Ok(());
        }
        if attempt.take_in_child(&partition, step).await? {
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
            attempt.settle(&partition, PartitionOutcome::Contradicted, None);
            attempt.note_end(Some(&partition), 0, ListEnd::contradicted(EndKind::Unavailable, why));
            return Ok(None);
        }
        attempt.settle_without_children(&partition, error).await
    }
}

impl PartitionLists {
    /// Requests the halves of a window instead of it; `false` if it is as small as may be.
    fn halve(&mut self, attempt: &mut Attempt<'_>, partition: &Partition) -> Result<bool> {
        let Some(halves) = partition.window().and_then(|window| attempt.halves(&window)) else {
            return Ok(false);
        };
        let plan = attempt.plan();
        plan.open.retain(|open| open.partition != *partition);
        plan.partitions += 1;
        for half in halves {
            let open = OpenPartition {
                partition: half.clone(),
                next_url: None,
                records: 0,
                pages: 0,
                guard: LoopGuard::default(),
            };
            self.requests.push(next_page(half, attempt.pages_of(&open)?));
            attempt.plan().open.push(open);
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

    /// Lists the values that are requested one by one in the plan.
    pub(super) async fn plan_values(&mut self, partitions: &Partitions) -> Result<()> {
        let values = partitions.values.iter();
        self.planned = values.map(|value| Partition::of_value(&partitions.name, value)).collect();
        self.plan().complete = true;
        self.checkpoint().await
    }

    /// All partitions are known; those that earlier attempts were done with count as done.
    fn expect_partitions(&mut self) {
        let unit = match &self.pull.definition.parent {
            Some(parent) => parent.endpoint.as_str(),
            None if self.pull.stream().incremental().is_some() => "windows",
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

    fn pages_of(&self, open: &OpenPartition) -> Result<Pages> {
        let stream = self.pull.stream();
        let rule = stream.incremental();
        let margin = if stream.polling().is_some() { WINDOW_MARGIN } else { Duration::ZERO };
        let window = open.partition.window().unwrap_or_default().widened(margin);
        let mut request = first_request(&self.pull.account, stream, Some(&open.partition), rule, &window)?;
        if let Some(stored) = &open.next_url {
            request = request.at(PageAddress::from_stored(stored)?);
        }
        let mut limits = self.pull.options.pages;
        limits.in_memory /= SHARE_OF_PAGE;
        let first = First {
            at_start: open.next_url.is_none(),
            limits,
            ..First::of(stream, request, &open.guard, self.learning.own())
        };
        Pages::start(self.pull, &self.client, first)
    }

    /// Takes a page of a partition in; returns whether there are more.
    async fn take_in_child(&mut self, partition: &Partition, step: Step) -> Result<bool> {
        self.see_date(&step).await?;
        let taken = match (partition.window(), &self.pull.definition.parent) {
            (Some(window), None) => self.take_window_page(&window, &step).await?,
            (_, parent) => self.take_partition_page(partition, parent.is_some(), &step).await?,
        };
        self.position.totals.pages += 1;
        let mut page = 0;
        if let Some(open) = self.plan().open.iter_mut().find(|open| open.partition == *partition) {
            open.records += taken;
            open.pages += 1;
            open.next_url = step.next.map(|next| next.stored());
            open.guard = step.guard;
            page = open.pages;
        }
        let Some(end) = step.end else { return Ok(true) };
        let contradicted = end.contradicted.is_some();
        let outcome = if contradicted { PartitionOutcome::Contradicted } else { PartitionOutcome::Complete };
        self.settle(partition, outcome, Some(end.end));
        self.note_end(Some(partition), page, end);
        Ok(false)
    }

    /// Children are written with their parent; records of another partition as they are.
    async fn take_partition_page(&mut self, partition: &Partition, mark: bool, step: &Step) -> Result<u64> {
        let (parent, mut marked) = (partition.as_json()?, Vec::new());
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            if mark {
                record.write_with_parent(&parent, &mut marked);
                self.writer.push(&marked).await?;
            } else {
                self.writer.push(record.bytes).await?;
            }
        }
        Ok(step.page.record_count() as u64)
    }

    /// The window was requested with a margin, of which nothing is kept: its neighbours deliver that.
    async fn take_window_page(&mut self, window: &Window, step: &Step) -> Result<u64> {
        let Some(rule) = self.pull.stream().incremental() else { return Ok(0) };
        let (read, times) = (RecordTimes::of(rule), rule.times().len());
        let mut taken = 0;
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            let time = read.greatest((0..times).map(|number| record.field(number)));
            if time.is_none_or(|time| window.may_hold(time)) {
                taken += u64::from(self.take_record(&record).await?);
            }
        }
        Ok(taken)
    }

    /// A parent that is gone takes its children with it; one that refuses leaves a gap. So does what a rule of the definition
    /// declares to be either. Any other error ends the attempt.
    async fn settle_without_children(
        &mut self,
        parent: &Partition,
        error: Error,
    ) -> Result<Option<AttemptEnd>> {
        let open = self.plan().open.iter().find(|open| open.partition == *parent);
        let url = open.and_then(|open| open.next_url.clone());
        let has_parent = self.pull.definition.parent.is_some();
        if error.kind() == ErrorKind::Cycle || self.is_forgotten(&error, url.as_deref()) {
            return self.end_by(error, url.as_deref()).await.map(Some);
        }
        let outcome = match error.kind() {
            _ if error.meaning() == Some(Meaning::Gone) => PartitionOutcome::Gone,
            _ if error.meaning() == Some(Meaning::Gap) => {
                self.pull.progress.note(format!("the records of {parent} are missing: {error}"));
                PartitionOutcome::Refused
            }
            _ if url.is_none() && is_unavailable(self.pull.stream(), &error) => PartitionOutcome::Unavailable,
            _ if !has_parent => return self.end_by(error, url.as_deref()).await.map(Some),
            ErrorKind::NotFound | ErrorKind::Forbidden if self.all_have_refused() => {
                let hint = "no parent requested so far has responded: give the credentials the right to read this, or correct \
                            the path, then pull with `restart`";
                return self.end_by(error.hint(hint), url.as_deref()).await.map(Some);
            }
            ErrorKind::NotFound => PartitionOutcome::Gone,
            ErrorKind::Forbidden => {
                self.pull.progress.note(format!("the children of {parent} are missing: {error}"));
                PartitionOutcome::Refused
            }
            _ => return self.end_by(error, url.as_deref()).await.map(Some),
        };
        let end = match outcome {
            PartitionOutcome::Gone => Some(EndKind::Gone),
            PartitionOutcome::Unavailable => Some(EndKind::Unavailable),
            _ => None,
        };
        self.settle(parent, outcome, end);
        if let Some(end) = end {
            self.note_end(Some(parent), 1, end.into());
        }
        Ok(None)
    }

    /// Whether this is the last of the first parents, all of which have refused.
    fn all_have_refused(&mut self) -> bool {
        let counts = &self.plan().counts;
        counts.complete == 0 && counts.refused + counts.gone + 1 >= MAX_REFUSED_AT_FIRST
    }

    /// Notes what came of a parent.
    fn settle(&mut self, parent: &Partition, outcome: PartitionOutcome, end: Option<EndKind>) {
        let plan = self.plan();
        let Some(at) = plan.open.iter().position(|open| open.partition == *parent) else { return };
        let OpenPartition { partition, records, .. } = plan.open.remove(at);
        plan.counts.add(outcome);
        if outcome == PartitionOutcome::Refused && plan.gaps.len() < MAX_GAPS_NAMED {
            plan.gaps.push(partition.to_string());
        }
        self.partitions_done.push(PartitionEntry { partition, outcome, records, end });
        self.pull.progress.count_done(1);
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
