//! The plan of a child stream: all parents, listed before the children of the first are requested.
//!
//! It makes a run independent of its parents' list: a parent that comes later is for the next run, one that goes is found
//! gone, and no address of a page of that list has to outlive hours of requests for children. The parents are never all in
//! memory, nor are their digests, which show one that is listed twice.

use jiff::Timestamp;

use super::attempt::{Attempt, AttemptEnd, PLANNED_PER_PART};
use super::fetch::{Pages, Step};
use super::fetcher::First;
use super::request::first_request;
use super::source::PageSource;
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::{Endpoint, Incremental, Parent, Pointer, StreamSpec};
use crate::error::{Error, Result};
use crate::extract::cursor::{RecordTimes, Window};
use crate::extract::plan::{KnownParents, Partition};
use crate::lake::manifest::{self, Index, Part, PlanPart, read_body, read_existing, read_part};
use crate::lake::stream_id::StreamId;
use crate::page::{Record, Watch};
use crate::progress::Completion;
use crate::state::Mode;

/// The list of the parents of a child stream, which are put into its plan.
struct ParentList<'p> {
    parent: &'p Endpoint,
    rule: &'p Parent,
    /// Those that are in the plan.
    known: KnownParents,
    pages: Pages,
}

impl<'p> ParentList<'p> {
    /// Begins to request it, from where the run stands.
    fn start(
        attempt: &Attempt<'_>,
        parent: &'p Endpoint,
        rule: &'p Parent,
        known: KnownParents,
    ) -> Result<Self> {
        let (pull, position) = (attempt.pull, &attempt.position);
        let mut request = attempt.first_request_of_parents(&parent.list, rule.incremental.as_ref())?;
        if let Some(stored) = &position.next_url {
            request = request.at(PageAddress::from_stored(stored)?);
        }
        let first = First {
            watched: &watched(rule),
            at_start: position.next_url.is_none(),
            limits: pull.options.pages,
            of_parents: true,
            ..First::of(&parent.list, request, &position.guard, attempt.learning.parents())
        };
        Ok(Self { parent, rule, known, pages: Pages::start(pull, &attempt.client, first)? })
    }
}

impl PageSource for ParentList<'_> {
    type List = ();

    async fn next(&mut self, attempt: &mut Attempt<'_>) -> Result<Option<((), Result<Step>)>> {
        if attempt.plan().complete {
            return Ok(None);
        }
        Ok(Some(((), self.pages.next().await)))
    }

    async fn take_in(&mut self, attempt: &mut Attempt<'_>, (): (), step: Step) -> Result<()> {
        attempt.pull.progress.count_done(step.page.record_count() as u64);
        attempt.plan_page(step, self.parent, self.rule, &mut self.known).await
    }

    async fn settle(
        &mut self,
        attempt: &mut Attempt<'_>,
        (): (),
        error: Error,
    ) -> Result<Option<AttemptEnd>> {
        attempt.settle_list(&self.parent.list, error).await
    }
}

impl Attempt<'_> {
    /// Lists all parents in the plan. Returns how the attempt ends, if it ends here.
    pub(super) async fn plan_parents(
        &mut self,
        parent: &Endpoint,
        rule: &Parent,
    ) -> Result<Option<AttemptEnd>> {
        let mut known = self.known_parents().await?;
        self.count_parents_of_plan(parent);
        if self.position.next_url.is_none()
            && let Some(index) = self.run_of_parents(parent, rule.incremental.as_ref()).await?
        {
            self.plan_run(&index, rule, &mut known).await?;
            return Ok(None);
        }
        let list = ParentList::start(self, parent, rule, known)?;
        match self.read(list).await? {
            AttemptEnd::OfTheList if self.plan().complete => Ok(None),
            end => Ok(Some(end)),
        }
    }

    /// Parents are being listed; those that earlier attempts listed count.
    fn count_parents_of_plan(&mut self, parent: &Endpoint) {
        self.pull.progress.set_completion(Some(Completion {
            unit: parent.endpoint.to_string(),
            done: self.plan().partitions,
            total: None,
            estimated: false,
        }));
    }

    /// Parents whose children may have changed; or all of them, as a full refresh would request them.
    fn first_request_of_parents(
        &self,
        parents: &StreamSpec,
        rule: Option<&Incremental>,
    ) -> Result<PageRequest> {
        if rule.is_some() {
            return first_request(&self.pull.account, parents, None, rule, &self.held.run.window);
        }
        let rule = parents.incremental();
        let all = Window { since: rule.and_then(|rule| rule.full_since), until: None };
        first_request(&self.pull.account, parents, None, rule, &all)
    }

    /// The run whose records are the parents to request, if there is one that holds them all.
    async fn run_of_parents(&self, parent: &Endpoint, rule: Option<&Incremental>) -> Result<Option<Index>> {
        let Some(key) = &self.pull.parents_from else { return Ok(None) };
        let index: Index = manifest::parse(key, &read_existing(&*self.pull.sink, key).await?)?;
        let source = self.pull.definition.source.source.as_str();
        let parents = StreamId::new(source, self.pull.account.name(), parent.endpoint.as_str());
        let requested = &self.held.run.window;
        let since = requested.since.filter(|_| rule.is_some());
        let whole = index.window.until.is_none()
            && (index.mode == Mode::Full.as_str() || index.window.since.is_none_or(|from| Some(from) <= since))
            // Records that it left out as repeats are parents too.
            && (index.repeats == 0 || rule.is_none())
            // Tables do not hold records as they were received.
            && index.tables.is_none();
        Ok((index.stream_id() == parents
            && whole
            && index.verdict == "complete"
            && requested.until.is_none())
        .then_some(index))
    }

    /// Lists the records of a run in the plan: those that the API would have listed.
    async fn plan_run(&mut self, index: &Index, rule: &Parent, known: &mut KnownParents) -> Result<()> {
        let since = self.held.run.window.since.filter(|_| rule.incremental.is_some());
        let watch = Watch::new(Pointer::default(), &watched(rule), &[]);
        self.position.first_server_date = index.first_server_date;
        self.position.dated = true;
        for reference in &index.parts {
            let part: Part = read_part(&*self.pull.sink, reference).await?;
            for object in &part.objects {
                let body = read_body(&*self.pull.sink, part.compression, object).await?;
                part.format
                    .for_each_record(&body, &watch, |record| self.plan_record(record, rule, since, known))?;
                self.pull.progress.count_parents(object.records);
                self.pull.progress.count_done(object.records);
                if self.planned.len() >= PLANNED_PER_PART {
                    self.checkpoint().await?;
                }
            }
        }
        self.plan().complete = true;
        self.checkpoint().await
    }

    /// Digests of the parents that an earlier attempt put into the plan.
    async fn known_parents(&mut self) -> Result<KnownParents> {
        let mut known = KnownParents::default();
        let mut next = self.plan().last.clone();
        while let Some(reference) = next {
            let part: PlanPart = read_part(&*self.pull.sink, &reference).await?;
            for parent in &part.partitions {
                known.insert(parent.digest())?;
            }
            next = part.previous;
        }
        Ok(known)
    }

    async fn plan_page(
        &mut self,
        step: Step,
        parent: &Endpoint,
        rule: &Parent,
        known: &mut KnownParents,
    ) -> Result<()> {
        self.see_date(&step).await?;
        let client_side = rule.incremental.as_ref().is_some_and(|rule| rule.client_side);
        let since = self.held.run.window.since.filter(|_| client_side);
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            self.plan_record(&record, rule, since, known)?;
            // A page may list a million.
            if self.planned.len() >= PLANNED_PER_PART {
                self.write_plan().await?;
            }
        }
        drop(records);
        self.position.totals.pages += 1;
        self.position.guard = step.guard;
        self.plan().complete = step.end.is_some();
        if let Some(end) = step.end {
            let name = format!("{}.{}", self.pull.definition.source.source, parent.endpoint);
            self.position.ends.add(&name, self.position.totals.pages, end);
        }
        self.position.next_url = step.next.map(|next| next.stored());
        Ok(())
    }

    /// Lists a parent in the plan, once, unless its time is before `since`.
    fn plan_record(
        &mut self,
        record: &Record<'_>,
        rule: &Parent,
        since: Option<Timestamp>,
        known: &mut KnownParents,
    ) -> Result<()> {
        let times = rule.incremental.as_ref().map_or(0, |rule| rule.times().len());
        if let Some(incremental) = &rule.incremental {
            let fields = (0..times).map(|number| record.field(number));
            let time = RecordTimes::of(incremental).greatest(fields);
            self.position.watermark.see(time);
            if time.is_some_and(|time| Some(time.to) < since) {
                return Ok(());
            }
        }
        let parent = Partition::of(rule, record, times)?;
        if known.insert(parent.digest())? {
            self.planned.push(parent);
        }
        Ok(())
    }
}

/// The members of a parent that are looked at: its times first, then what identifies it.
fn watched(rule: &Parent) -> Vec<Pointer> {
    let times = rule.incremental.as_ref().map_or(&[][..], Incremental::times);
    times.iter().chain(rule.fields.values()).cloned().collect()
}
