//! Streams that are one list.

use jiff::Timestamp;

use super::attempt::{Attempt, AttemptEnd};
use super::fetch::{Pages, Step};
use super::fetcher::First;
use super::request::first_request;
use super::source::PageSource;
use crate::MAX_TEXT;
use crate::api::page_address::PageAddress;
use crate::catalog::Order;
use crate::clock::earlier;
use crate::error::{Error, ErrorKind, Meaning, Result};
use crate::extract::cursor::{Digest, Overlap, Window};
use crate::lake::manifest::{self, DedupSet};
use crate::page::{EndKind, LoopGuard};
use crate::progress::Completion;
use crate::redact::Redactor;
use crate::state::{ListRestart, Mode, Position, RunItem, RunStatus, StreamState};

/// The one list of a stream.
pub(super) struct WholeList {
    pages: Pages,
    /// Its first request goes on with what the API gave to the last run.
    kept: Option<Kept>,
}

/// What the API gave to the last run.
#[derive(PartialEq, Eq)]
enum Kept {
    /// An address to go on with.
    Address(String),
    /// What its response is known by.
    Condition,
}

impl WholeList {
    /// Begins to request it, from where the run stands.
    pub(super) async fn start(attempt: &mut Attempt<'_>) -> Result<Self> {
        let mut delivered = attempt.delivered_before().await?;
        let again = attempt.position.restart.as_ref().and_then(|restart| restart.since);
        if let Some(since) = again {
            let last = attempt.position.last_part.as_ref();
            let from = attempt.pull.shown_from(since);
            let (_, recent) = manifest::chain(&*attempt.pull.sink, last, Some(from), |_| Ok(())).await?;
            delivered.extend(recent.unwrap_or_default());
        }
        attempt.overlap = Overlap::new(delivered, attempt.position.overlap_forgotten);
        let (pages, kept) = attempt.pages_of_list().await?;
        attempt.expect_records(attempt.records_of_last_whole_run().await);
        Ok(Self { pages, kept })
    }
}

impl PageSource for WholeList {
    type List = ();

    async fn next(&mut self, _: &mut Attempt<'_>) -> Result<Option<((), Result<Step>)>> {
        Ok(Some(((), self.pages.next().await)))
    }

    async fn take_in(&mut self, attempt: &mut Attempt<'_>, (): (), step: Step) -> Result<()> {
        if step.total.is_some() {
            attempt.expect_records(step.total);
        }
        attempt.pull.progress.count_done(step.page.record_count() as u64);
        let (before, records) = (attempt.position.unchanged, step.page.record_count() as u64);
        attempt.take_in(step).await?;
        let nothing_new = records > 0 && attempt.position.unchanged - before == records;
        if nothing_new && attempt.newest_come_first() && !attempt.position.finished {
            // What comes behind it is older still.
            attempt.position.finished = true;
            attempt.note_end(None, attempt.position.totals.pages, EndKind::CaughtUp.into());
        }
        Ok(())
    }

    async fn settle(
        &mut self,
        attempt: &mut Attempt<'_>,
        (): (),
        error: Error,
    ) -> Result<Option<AttemptEnd>> {
        let at_start = attempt.position.next_url.is_none();
        if at_start && self.kept == Some(Kept::Condition) && matches!(error.response(), Some((304, _))) {
            attempt.position.finished = true;
            attempt.note_end(None, 0, EndKind::Unchanged.into());
            return Ok(None);
        }
        let kept = match &self.kept {
            Some(Kept::Address(address)) if at_start => Some(address.as_str()),
            _ => None,
        };
        match attempt.restart_of(&error, kept) {
            Some(restart) => {
                attempt.restart_list(restart).await?;
                *self = Self::start(attempt).await?;
                Ok(None)
            }
            None => attempt.settle_list(attempt.pull.stream(), error).await,
        }
    }
}

impl Attempt<'_> {
    /// Begins to request the pages of the list, from where the run stands.
    async fn pages_of_list(&self) -> Result<(Pages, Option<Kept>)> {
        let (pull, position, run) = (self.pull, &self.position, &self.held.run);
        let stream = pull.stream();
        let mut window = run.window.clone();
        window.since = position.restart.as_ref().and_then(|restart| restart.since).or(window.since);
        let mut request = first_request(&pull.account, stream, None, stream.incremental(), &window)?;
        // What a token is sent with has no bounds of its own.
        let start = first_request(&pull.account, stream, None, None, &Window::default())?.address;
        let mut kept = None;
        if let Some(stored) = &position.next_url {
            request = request.at(PageAddress::from_stored(stored)?);
        } else if let (Some(durable), Some(stored)) = (stream.durable(), self.kept_durable().await?) {
            if let Some(name) = durable.condition() {
                request.condition = Some((name, stored));
                kept = Some(Kept::Condition);
            } else {
                request = request.at(PageAddress::from_stored(&stored)?);
                kept = Some(Kept::Address(stored));
            }
        }
        let first = First {
            start,
            at_start: position.next_url.is_none(),
            limits: pull.options.pages,
            ..First::keyed(stream, request, &position.guard, self.learning.own())
        };
        Ok((Pages::start(pull, &self.client, first)?, kept))
    }

    /// What the API gave to the last run, for this one to go on with.
    async fn kept_durable(&self) -> Result<Option<String>> {
        let run = &self.held.run;
        let goes_on = run.mode == Mode::Incremental && self.position.restart.is_none();
        match run.from_cursor.as_ref().filter(|_| goes_on).and_then(|cursor| cursor.poll.as_ref()) {
            Some(poll) => self.pull.poll_url(poll).await,
            None => Ok(None),
        }
    }

    /// Whether the newest records come first, by the definition and by what was read.
    pub(super) fn newest_come_first(&self) -> bool {
        let declared = self.pull.stream().incremental().is_some_and(|rule| rule.order == Order::Descending);
        declared && !self.position.order.is_broken
    }

    /// How the list starts over within the run, if an error says that the API no longer knows where it stood: what was kept of
    /// the last run, or the page to go on with. Once is enough.
    fn restart_of(&self, error: &Error, kept: Option<&str>) -> Option<ListRestart> {
        let url = self.position.next_url.as_deref();
        let refused = matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound);
        let forgotten = error.meaning() == Some(Meaning::Forgotten);
        let oldest_come_first =
            self.pull.stream().incremental().is_some_and(|rule| rule.order == Order::Ascending);
        let since = oldest_come_first.then(|| self.read_up_to()).flatten();
        let restarts = kept.is_some_and(|kept| refused || forgotten || self.is_at_another_address(kept))
            || (forgotten && url.is_some())
            || (since.is_some() && self.is_forgotten(error, url));
        let why = Redactor::shared().shown(&error.to_string(), MAX_TEXT);
        (restarts && self.position.restart.is_none()).then_some(ListRestart { since, why })
    }

    /// Where a list whose oldest records come first can be begun in the middle.
    fn read_up_to(&self) -> Option<Timestamp> {
        let rule = self.pull.stream().incremental()?;
        let filtered =
            rule.since.is_some() && !self.position.order.is_broken && self.held.run.mode != Mode::Window;
        let old = self.held.run.window.since;
        let read = self.position.watermark.greatest().map(|greatest| earlier(greatest, rule.overlap.get()));
        read.filter(|since| filtered && Some(*since) > old)
    }

    /// The list starts over: from its beginning, from the run's lower bound, or from where it was read up to.
    async fn restart_list(&mut self, restart: ListRestart) -> Result<()> {
        self.pull.progress.note(format!("the list starts over: {}", restart.why));
        self.position.next_url = None;
        self.position.guard = LoopGuard::default();
        self.position.durable = None;
        self.position.order.least = None;
        self.position.restart = Some(restart);
        self.checkpoint().await
    }

    /// So many records are in the list, as far as can be known before it is read.
    fn expect_records(&self, total: Option<u64>) {
        let Position { totals, repeats, unchanged, .. } = &self.saved;
        self.pull.progress.set_completion(total.map(|total| Completion {
            unit: "records".to_owned(),
            done: totals.records + repeats + unchanged,
            total: Some(total),
            estimated: true,
        }));
    }

    /// How many records the last run had that took everything, if this one does so too. Nothing depends on it.
    async fn records_of_last_whole_run(&self) -> Option<u64> {
        if !self.held.run.is_whole() {
            return None;
        }
        let runs = StreamState::newest_runs(&*self.pull.store, &self.pull.stream_id()).await.ok()?;
        let comparable = |run: &&RunItem| {
            run.status == RunStatus::Committed && run.is_whole() && run.spec_hash == self.held.run.spec_hash
        };
        runs.iter().find(comparable).map(|run| run.ledger.totals.records).filter(|records| *records > 0)
    }

    /// The records of the overlap that the run before this one delivered. A full refresh leaves nothing out.
    pub(super) async fn delivered_before(&self) -> Result<Vec<Digest>> {
        let run = &self.held.run;
        let key = run.from_cursor.as_ref().and_then(|cursor| cursor.dedup_key.as_ref());
        match key.filter(|_| run.mode == Mode::Incremental) {
            None => Ok(Vec::new()),
            Some(key) => {
                let set: DedupSet =
                    manifest::parse(key, &manifest::read_existing(&*self.pull.sink, key).await?)?;
                Ok(set.sha256)
            }
        }
    }
}
