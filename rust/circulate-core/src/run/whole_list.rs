//! Streams that are one list.

use super::attempt::{Attempt, AttemptEnd, is_unavailable};
use super::fetch::{Pages, first_url, stored_url};
use super::fetcher::First;
use crate::error::Result;
use crate::extract::cursor::{Digest, Overlap};
use crate::lake::manifest::{self, DedupSet};
use crate::progress::Completion;
use crate::state::{Mode, Position, RunItem, RunStatus, StreamState};

impl Attempt<'_> {
    /// Takes in the pages of the list.
    pub(super) async fn take_pages(&mut self) -> Result<AttemptEnd> {
        // An earlier attempt read the list to its end: there is nothing left to request of the API.
        if self.position.finished {
            return Ok(AttemptEnd::OfTheList);
        }
        self.overlap = Overlap::new(self.delivered_before().await?, self.position.overlap_forgotten);
        let stream = self.pull.stream();
        let watched = stream.incremental.as_ref().map_or(&[][..], |rule| rule.cursor.as_slice());
        let url = match &self.position.next_url {
            Some(url) => stored_url(url)?,
            None => first_url(
                &self.pull.account,
                stream,
                None,
                stream.incremental.as_ref(),
                &self.held.run.window,
            )?,
        };
        let (guard, limits) = (&self.position.guard, self.pull.options.pages);
        let first = First {
            stream,
            watched,
            url,
            at_start: self.position.next_url.is_none(),
            guard,
            limits,
            proof: self.learning.own(),
            polling: false,
            of_parents: false,
        };
        let mut pages = Pages::start(self.pull, &self.client, first)?;
        self.expect_records(self.records_of_last_whole_run().await);
        while !self.position.finished {
            match pages.next().await {
                Ok(step) => {
                    if step.total.is_some() {
                        self.expect_records(step.total);
                    }
                    self.pull.progress.count_done(step.page.record_count() as u64);
                    self.take_in(step).await?;
                }
                Err(error) if self.position.next_url.is_none() && is_unavailable(stream, &error) => {
                    return self.end_unavailable(&error).await;
                }
                Err(error) => {
                    let url = self.position.next_url.clone();
                    return self.end_by(error, url.as_deref()).await;
                }
            }
            if self.position.finished || self.checkpoint_is_due() {
                self.checkpoint().await?;
            }
            if let Some(reason) = self.pull.stop.reason().filter(|_| !self.position.finished) {
                self.checkpoint().await?;
                return Ok(AttemptEnd::Early(reason));
            }
        }
        Ok(AttemptEnd::OfTheList)
    }

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
