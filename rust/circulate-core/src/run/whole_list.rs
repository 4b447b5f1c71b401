//! Streams that are one list.

use super::attempt::{Attempt, AttemptEnd};
use super::fetch::{Pages, Step};
use super::fetcher::First;
use super::request::first_request;
use super::source::PageSource;
use crate::api::page_address::PageAddress;
use crate::error::{Error, Result};
use crate::extract::cursor::{Digest, Overlap};
use crate::lake::manifest::{self, DedupSet};
use crate::progress::Completion;
use crate::state::{Mode, Position, RunItem, RunStatus, StreamState};

/// The one list of a stream.
pub(super) struct WholeList {
    pages: Pages,
}

impl WholeList {
    /// Begins to request it, from where the run stands.
    pub(super) async fn start(attempt: &mut Attempt<'_>) -> Result<Self> {
        attempt.overlap = Overlap::new(attempt.delivered_before().await?, attempt.position.overlap_forgotten);
        let (pull, position) = (attempt.pull, &attempt.position);
        let stream = pull.stream();
        let window = &attempt.held.run.window;
        let mut request = first_request(&pull.account, stream, None, stream.incremental(), window)?;
        if let Some(stored) = &position.next_url {
            request = request.at(PageAddress::from_stored(stored)?);
        }
        let first = First {
            at_start: position.next_url.is_none(),
            limits: pull.options.pages,
            ..First::of(stream, request, &position.guard, attempt.learning.own())
        };
        let pages = Pages::start(pull, &attempt.client, first)?;
        attempt.expect_records(attempt.records_of_last_whole_run().await);
        Ok(Self { pages })
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
        attempt.take_in(step).await
    }

    async fn settle(
        &mut self,
        attempt: &mut Attempt<'_>,
        (): (),
        error: Error,
    ) -> Result<Option<AttemptEnd>> {
        attempt.settle_list(attempt.pull.stream(), error).await
    }
}

impl Attempt<'_> {
    /// So many records are in the list, as far as can be known before it is read.
    fn expect_records(&self, total: Option<u64>) {
        let Position { totals, repeats, .. } = &self.saved;
        self.pull.progress.set_completion(total.map(|total| Completion {
            unit: "records".to_owned(),
            done: totals.records + repeats,
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
    async fn delivered_before(&self) -> Result<Vec<Digest>> {
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
