//! The plan of a child stream: all parents, listed before the children of the first are requested.
//!
//! It makes a run independent of its parents' list: a parent that comes later is for the next run, one that goes is found
//! gone, and no address of a page of that list has to outlive hours of requests for children. The parents are never all in
//! memory, nor are their digests, which show one that is listed twice.

use jiff::Timestamp;

use super::attempt::{Attempt, AttemptEnd};
use super::fetch::{Pages, Step};
use super::fetcher::First;
use super::levels::ListOfParents;
use super::request::first_request;
use super::source::PageSource;
use crate::api::account::Account;
use crate::api::client::Client;
use crate::api::page_address::PageAddress;
use crate::api::page_request::PageRequest;
use crate::catalog::{Endpoint, Incremental, Parent, Pointer};
use crate::error::{Error, ErrorKind, Meaning, Result};
use crate::extract::cursor::{RecordTimes, Window};
use crate::extract::plan::{KnownParents, Partition};
use crate::lake::manifest::{self, Index, Part, PlanPart, read_body, read_existing, read_part};
use crate::lake::stream_id::StreamId;
use crate::page::{EndKind, LoopGuard, Record, Watch};
use crate::progress::Completion;
use crate::state::{Mode, StreamState};

/// The list of topmost parents, which are put into the plan.
struct ParentList<'p> {
    list: ListOfParents<'p>,
    /// Those that are in the plan.
    known: KnownParents,
    pages: Pages,
}

impl<'p> ParentList<'p> {
    /// Begins to request it, from where the run stands.
    fn start(attempt: &Attempt<'_>, list: ListOfParents<'p>, known: KnownParents) -> Result<Self> {
        Ok(Self { list, known, pages: Self::pages(attempt, list)? })
    }

    fn pages(attempt: &Attempt<'_>, list: ListOfParents<'p>) -> Result<Pages> {
        let position = &attempt.position;
        let mut request = attempt.first_request_of_parents(list, &Partition::default())?;
        if let Some(stored) = &position.next_url {
            request = request.at(PageAddress::from_stored(stored)?);
        }
        let first = First {
            at_start: position.next_url.is_none(),
            ..attempt.first_of_parents(list, request, &position.guard)
        };
        Pages::start(attempt.pull, &attempt.client, first)
    }
}

impl PageSource for ParentList<'_> {
    type List = ();

    async fn next(&mut self, attempt: &mut Attempt<'_>) -> Result<Option<((), Result<Step>)>> {
        if attempt.plan().is_full() {
            return Ok(None);
        }
        Ok(Some(((), self.pages.next().await)))
    }

    async fn take_in(&mut self, attempt: &mut Attempt<'_>, (): (), step: Step) -> Result<()> {
        attempt.pull.progress.count_done(step.page.record_count() as u64);
        let whole = Partition::default();
        attempt.plan_records(self.list, &whole, &step, &mut self.known).await?;
        let Step { next, end, guard, .. } = step;
        attempt.position.guard = guard;
        attempt.position.next_url = next.map(|next| next.stored());
        if let Some(end) = end {
            let source = &attempt.pull.definition.source.source;
            let name = format!("{source}.{}", self.list.endpoint.endpoint);
            attempt.position.ends.add(&name, attempt.position.totals.pages, end);
            attempt.plan_is_full(1).await?;
        }
        Ok(())
    }

    async fn settle(
        &mut self,
        attempt: &mut Attempt<'_>,
        (): (),
        error: Error,
    ) -> Result<Option<AttemptEnd>> {
        let is_forgotten = error.meaning() == Some(Meaning::Forgotten) && attempt.position.next_url.is_some();
        if is_forgotten && attempt.position.restart.is_none() {
            // Those that are in the plan are not put there again.
            attempt.note_restart(&self.list.endpoint.endpoint, &error);
            (attempt.position.next_url, attempt.position.guard) = (None, LoopGuard::default());
            self.pages = Self::pages(attempt, self.list)?;
            return Ok(None);
        }
        attempt.settle_list(&self.list.endpoint.list, error).await
    }
}

impl Attempt<'_> {
    /// Lists the topmost parents in the plan. Returns how the attempt ends, if it ends here.
    pub(super) async fn plan_parents(&mut self, list: ListOfParents<'_>) -> Result<Option<AttemptEnd>> {
        let known = self.known_parents(1).await?;
        self.count_parents_of_plan(list.endpoint);
        let parents = ParentList::start(self, list, known)?;
        match self.read(parents).await? {
            AttemptEnd::OfTheList if self.plan().is_full() => Ok(None),
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
    pub(super) fn first_request_of_parents(
        &self,
        list: ListOfParents<'_>,
        partition: &Partition,
    ) -> Result<PageRequest> {
        let (account, parents) = (&self.pull.account, &list.endpoint.list);
        if let Some(rule) = self.rule_of(list) {
            let since = self.since_of_parents(partition, rule)?;
            let period = Window { since, ..self.held.run.window.clone() };
            return first_request(account, parents, Some(partition), Some(rule), &period);
        }
        let rule = parents.incremental();
        let all = Window { since: rule.and_then(|rule| rule.full_since), until: None };
        first_request(account, parents, Some(partition), rule, &all)
    }

    /// The members of a parent that are looked at: its times first, then what identifies it, then its address.
    pub(super) fn watched_of(&self, list: ListOfParents<'_>) -> Vec<Pointer> {
        let times = self.rule_of(list).map_or(&[][..], Incremental::times);
        times.iter().chain(list.rule.fields.values()).chain(&list.rule.url).cloned().collect()
    }

    /// The first page of a list of parents.
    pub(super) fn first_of_parents<'f>(
        &self,
        list: ListOfParents<'f>,
        request: PageRequest,
        guard: &'f LoopGuard,
    ) -> First<'f> {
        First {
            watched: self.watched_of(list),
            limits: self.pull.options.pages,
            of_parents: true,
            ..First::of(&list.endpoint.list, request, guard, self.learning.parents(list.number))
        }
    }

    /// Lists the records of the run that was just made of the parents in the plan, if there is one that holds them all: those that
    /// the API would have listed. Returns whether that was done.
    pub(super) async fn plan_from_run(&mut self) -> Result<bool> {
        let levels = self.pull.definition.parents.len();
        let Some(list) = levels.checked_sub(1).and_then(|number| self.pull.list_of_parents(number)) else {
            return Ok(false);
        };
        let Some(index) = self.run_of_parents(list).await?.filter(|_| self.position.next_url.is_none())
        else {
            return Ok(false);
        };
        let mut known = self.known_parents(levels).await?;
        self.count_parents_of_plan(list.endpoint);
        self.plan_run(&index, list, &mut known).await?;
        Ok(true)
    }

    /// The run whose records are the parents to request, if there is one that holds them all.
    async fn run_of_parents(&self, list: ListOfParents<'_>) -> Result<Option<Index>> {
        let rule = self.rule_of(list);
        let Some(key) = &self.pull.parents_from else { return Ok(None) };
        // Which list each of its records is of shows whether all of that list are needed, or those that changed.
        if rule.is_some() && self.read_before.is_some() && !list.is_one() {
            return Ok(None);
        }
        let index: Index = manifest::parse(key, &read_existing(&*self.pull.sink, key).await?)?;
        let source = self.pull.definition.source.source.as_str();
        let parents = StreamId::new(source, self.pull.account.name(), list.endpoint.endpoint.as_str());
        if index.stream_id() != parents || !self.is_of_this_definition(&index, list).await? {
            return Ok(None);
        }
        let requested = &self.held.run.window;
        let since = rule.map_or(Ok(None), |rule| self.since_of_parents(&Partition::default(), rule))?;
        let whole = index.window.until.is_none()
            && (index.mode == Mode::Full.as_str() || index.window.since.is_none_or(|from| Some(from) <= since))
            // Records that it left out as repeats are parents too.
            && (index.repeats == 0 || rule.is_none())
            // What moved meanwhile may have been passed over.
            && index.ends.moved().next().is_none()
            // Tables do not hold records as they were received.
            && index.tables.is_none();
        Ok((whole && index.verdict == "complete" && self.has_marks_for(list) && requested.until.is_none())
            .then_some(index))
    }

    /// Whether a run requested and made what the definition says now: hooks and lists may have changed since.
    async fn is_of_this_definition(&self, index: &Index, list: ListOfParents<'_>) -> Result<bool> {
        let Some(definition) = self.pull.definition.of_parents(list.number) else { return Ok(false) };
        let run = StreamState::run(&*self.pull.store, &index.stream_id(), &index.run_id).await?;
        let spec_hash = definition.spec_hash()?;
        Ok(run.is_some_and(|run| run.spec_hash == spec_hash))
    }

    /// Whether records of the parents' own runs have all the names in front of them that are kept of the lists above.
    fn has_marks_for(&self, list: ListOfParents<'_>) -> bool {
        let Some(definition) = self.pull.definition.of_parents(list.number) else { return false };
        let marked = definition.names_of_parents();
        self.names_from_above(list).all(|name| marked.contains(name))
    }

    /// The names of the partitions that a list of parents leads to which come from the lists above it.
    fn names_from_above(&self, list: ListOfParents<'_>) -> impl Iterator<Item = &str> {
        let names = self.levels[list.number + 1].names.iter().map(String::as_str);
        names.filter(move |name| !list.rule.fields.keys().any(|field| field.as_str() == *name))
    }

    /// Lists the records of a run in the plan.
    async fn plan_run(
        &mut self,
        index: &Index,
        list: ListOfParents<'_>,
        known: &mut KnownParents,
    ) -> Result<()> {
        let rule = self.rule_of(list);
        let mut members = self.watched_of(list);
        let (own, from_above) =
            (members.len(), self.names_from_above(list).map(str::to_owned).collect::<Vec<_>>());
        for name in &from_above {
            let pointer = format!("/_circulate/parent/{name}");
            members.push(Pointer::try_from(pointer).map_err(|why| Error::new(ErrorKind::Data, "plan", why))?);
        }
        let watch = Watch::new(Pointer::default(), &members, &[]);
        self.position.first_server_date = index.first_server_date;
        self.position.dated = true;
        if index.ends.counts.contains_key(&EndKind::Assumed) {
            let name = format!("{}.{}", index.source, index.endpoint);
            self.position.ends.add(&name, index.totals.pages, EndKind::Assumed.into());
        }
        for reference in &index.parts {
            let part: Part = read_part(&*self.pull.sink, reference).await?;
            for object in &part.objects {
                let body = read_body(&*self.pull.sink, part.compression, object).await?;
                let mut found = Vec::new();
                part.format.for_each_record(&body, &watch, |record| {
                    let names = from_above.iter().map(String::as_str);
                    let above = Partition::of_fields(names, record, own).map_err(|number| {
                        let what = format!(
                            "a record of `{}` has no parent `{}`",
                            list.endpoint.endpoint, from_above[number]
                        );
                        Error::new(ErrorKind::Data, "plan", what).with("key", &object.key)
                    })?;
                    let since = rule.map_or(Ok(None), |rule| self.since_of_parents(&above, rule))?;
                    found.extend(self.found_parent(list, &above, record, since, known)?);
                    Ok(())
                })?;
                for parent in found {
                    self.plan_partition(list.number + 1, &parent).await?;
                }
                self.pull.progress.count_parents(object.records);
                self.pull.progress.count_done(object.records);
            }
        }
        self.plan_is_full(list.number + 1).await?;
        self.checkpoint().await
    }

    /// Digests of what an earlier attempt put into the plan that is being made, which `levels` lists lead to.
    pub(super) async fn known_parents(&mut self, levels: usize) -> Result<KnownParents> {
        let mut known = KnownParents::default();
        let plan = self.plan();
        let mut next = match plan.level {
            Some(_) => plan.next.as_ref().and_then(|made| made.last.clone()),
            None => plan.last.clone(),
        };
        while let Some(reference) = next {
            let part: PlanPart = read_part(&*self.pull.sink, &reference).await?;
            for partition in &part.partitions {
                for parent in self.parents_of(levels, partition) {
                    known.insert(parent.only(&self.levels[levels].names).digest())?;
                }
            }
            next = part.previous;
        }
        Ok(known)
    }

    /// The parents that a partition stands for: several if they are requested at once.
    fn parents_of(&self, levels: usize, partition: &Partition) -> Vec<Partition> {
        match self.pull.definition.lists()[levels].list.parent().and_then(Parent::batched) {
            Some((_, name, _)) => {
                partition.several(name).iter().map(|parent| partition.with_value(name, parent)).collect()
            }
            None => vec![partition.clone()],
        }
    }

    /// Puts the records of a page of a list of parents into the plan.
    pub(super) async fn plan_records(
        &mut self,
        list: ListOfParents<'_>,
        above: &Partition,
        step: &Step,
        known: &mut KnownParents,
    ) -> Result<()> {
        self.see_date(&step.page.headers).await?;
        let rule = self.rule_of(list).filter(|rule| rule.client_side);
        let since = rule.map_or(Ok(None), |rule| self.since_of_parents(above, rule))?;
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            if let Some(parent) = self.found_parent(list, above, &record, since, known)? {
                self.plan_partition(list.number + 1, &parent).await?;
            }
        }
        drop(records);
        self.position.totals.pages += 1;
        Ok(())
    }

    /// What a record stands for that is to be put into the plan: once, and unless its time is before `since`.
    fn found_parent(
        &mut self,
        list: ListOfParents<'_>,
        above: &Partition,
        record: &Record<'_>,
        since: Option<Timestamp>,
        known: &mut KnownParents,
    ) -> Result<Option<Partition>> {
        let rule = self.rule_of(list);
        let times = rule.map_or(0, |rule| rule.times().len());
        if let Some(rule) = rule {
            let time = RecordTimes::of(rule).greatest((0..times).map(|number| record.field(number)));
            self.position.watermark.see(time);
            if time.is_some_and(|time| Some(time.to) < since) {
                return Ok(None);
            }
        }
        let names = &self.levels[list.number + 1].names;
        let mut parent = Partition::of(list.rule, record, times)?.below(above, names);
        let number = times + list.rule.fields.len();
        if let Some(url) =
            address_of_parent(&self.client, &self.pull.account, list.endpoint, list.rule, record, number)?
        {
            parent = parent.at(url);
        }
        Ok(known.insert(parent.digest())?.then_some(parent))
    }
}

/// The address that a record of a list of parents names, if the definition says so, in its watched member of this number. As it is
/// kept: of the account's own origin, and without the key by which requests are signed in.
pub(super) fn address_of_parent(
    client: &Client,
    account: &Account,
    endpoint: &Endpoint,
    rule: &Parent,
    record: &Record<'_>,
    number: usize,
) -> Result<Option<String>> {
    let Some(pointer) = &rule.url else { return Ok(None) };
    let name = &endpoint.endpoint;
    let Some(Ok(url)) = record.field(number).map(serde_json::from_slice::<String>) else {
        let what = format!("a record of `{name}` has no text at `{pointer}`");
        return Err(Error::new(ErrorKind::Data, "plan", what)
            .hint("it should be an address: is `parent.url` of the definition right?"));
    };
    let address = client
        .named_address(account.base_url(), &url)
        .map_err(|error| error.with("address of a record", format!("`{pointer}` of `{name}`")))?;
    Ok(Some(address.into()))
}
