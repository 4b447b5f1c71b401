//! Reads what a run has not read yet, from what its stream consists of.

use std::sync::Arc;

use super::attempt::{Attempt, AttemptEnd, Attempted};
use super::learning::Learning;
use super::levels::digest_of_values;
use super::partitions::PartitionLists;
use super::polling::PolledList;
use super::pull::Pull;
use super::request::request_before;
use super::whole_list::WholeList;
use crate::api::client::Client;
use crate::catalog::Lists;
use crate::error::Result;
use crate::extract::cursor::Overlap;
use crate::extract::plan::Partition;
use crate::state::{LeasedRun, Mode};

impl Pull {
    /// One worker's go at a run.
    pub(super) async fn extract(&self, client: Arc<Client>, held: &LeasedRun) -> Attempted {
        match self.attempt(client, held).await {
            Ok(attempt) => attempt.run().await,
            Err(error) => Attempted { position: held.position.clone(), end: Err(error) },
        }
    }

    /// Whether a run was making its plan by other values of a setting than it has now. One without values fails later.
    pub(super) fn lists_other_values(&self, held: &LeasedRun) -> bool {
        let unfinished = held.position.plan.as_ref().filter(|plan| !plan.complete);
        unfinished
            .is_some_and(|plan| self.levels().is_ok_and(|levels| plan.values != digest_of_values(&levels)))
    }

    async fn attempt<'p>(&'p self, client: Arc<Client>, held: &'p LeasedRun) -> Result<Attempt<'p>> {
        let (rules, learning) = (self.table_rules(held).await?, Learning::read(self).await?);
        Ok(Attempt::new(self, client, held, rules, learning, self.levels()?))
    }
}

impl Attempt<'_> {
    /// Reads all that the run has not read yet.
    async fn run(mut self) -> Attempted {
        // An earlier attempt may have read it to its end: there is nothing left to request of the API.
        let end = if self.position.finished {
            Ok(AttemptEnd::OfTheList)
        } else {
            Box::pin(self.read_lists()).await
        };
        self.saved.traffic = self.traffic();
        Attempted { position: self.saved, end }
    }

    /// Makes the request that must have been made before the list, if nothing of the run was read yet.
    async fn request_before(&self) -> Result<()> {
        let Some(before) = self.pull.stream().before.as_ref().filter(|_| self.position.is_blank()) else {
            return Ok(());
        };
        self.client.fetch_headers(request_before(&self.pull.account, before)?).await.map(drop)
    }

    /// Reads from what the stream is: one list, or partitions, of which a plan is made first.
    async fn read_lists(&mut self) -> Result<AttemptEnd> {
        self.request_before().await?;
        let windowed = self.held.run.mode == Mode::Window;
        match self.pull.stream().lists() {
            Lists::One => {
                let list = WholeList::start(self).await?;
                self.read(list).await
            }
            Lists::Polled(polling) if !windowed => {
                let list = PolledList::start(self, polling).await?;
                self.read(list).await
            }
            Lists::Polled(polling) => {
                if !self.plan_is_complete()
                    && let Err(error) = self.plan_windows(polling).await
                {
                    return self.end_by(error, None).await;
                }
                self.read_partitions().await
            }
            Lists::Several => {
                let values = digest_of_values(&self.levels);
                if !self.plan_is_complete() {
                    self.plan().values.clone_from(&values);
                }
                self.has_new_values =
                    self.held.run.from_cursor.as_ref().is_some_and(|cursor| cursor.values != values);
                self.read_before = self.read_before().await?;
                if let Some(end) = self.plan_lists().await? {
                    return Ok(end);
                }
                self.overlap = Overlap::new(self.delivered_before().await?, self.position.overlap_forgotten);
                self.read_partitions().await
            }
        }
    }

    fn plan_is_complete(&self) -> bool {
        self.position.plan.as_ref().is_some_and(|plan| plan.complete)
    }

    async fn read_partitions(&mut self) -> Result<AttemptEnd> {
        let lists = PartitionLists::start(self, None).await?;
        self.read(lists).await
    }

    /// Lists in the plan what the stream's own list is requested for, list after list. Returns how the attempt ends, if it ends
    /// here.
    async fn plan_lists(&mut self) -> Result<Option<AttemptEnd>> {
        if self.plan_is_complete() {
            return Ok(None);
        }
        if let Some(job) = &self.pull.stream().job {
            return self.plan_job(job).await;
        }
        self.end_windows().await?;
        if !self.plan().is_full() && self.plan_from_run().await? {
            return Ok(None);
        }
        if !self.plan().is_full()
            && let Some(end) = self.plan_topmost().await?
        {
            return Ok(Some(end));
        }
        while let Some(level) = self.plan().level {
            let Some(list) = self.pull.list_of_parents(level) else { break };
            let known = self.known_parents(level + 1).await?;
            let lists = PartitionLists::start(self, Some((list, known))).await?;
            match self.read(lists).await? {
                AttemptEnd::OfTheList => self.next_level(level + 1).await?,
                end => return Ok(Some(end)),
            }
        }
        Ok(None)
    }

    /// Lists what comes first in the plan: the records of the list of topmost parents, or values and windows of time.
    async fn plan_topmost(&mut self) -> Result<Option<AttemptEnd>> {
        match self.pull.list_of_parents(0) {
            Some(list) if list.is_one() => self.plan_parents(list).await,
            _ => {
                self.plan_partition(0, &Partition::default()).await?;
                self.plan_is_full(0).await?;
                self.checkpoint().await?;
                Ok(None)
            }
        }
    }
}
