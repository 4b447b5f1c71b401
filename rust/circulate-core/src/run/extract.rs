//! Reads what a run has not read yet, from what its stream consists of.

use std::sync::Arc;

use super::attempt::{Attempt, AttemptEnd, Attempted};
use super::learning::Learning;
use super::partitions::PartitionLists;
use super::polling::PolledList;
use super::pull::Pull;
use super::request::request_before;
use super::whole_list::WholeList;
use crate::api::client::Client;
use crate::catalog::{Incremental, Lists};
use crate::error::Result;
use crate::extract::cursor::Overlap;
use crate::state::{LeasedRun, Mode};

impl Pull {
    /// One worker's go at a run.
    pub(super) async fn extract(&self, client: Arc<Client>, held: &LeasedRun) -> Attempted {
        match self.attempt(client, held).await {
            Ok(attempt) => attempt.run().await,
            Err(error) => Attempted { position: held.position.clone(), end: Err(error) },
        }
    }

    async fn attempt<'p>(&'p self, client: Arc<Client>, held: &'p LeasedRun) -> Result<Attempt<'p>> {
        let (rules, learning) = (self.table_rules(held).await?, Learning::read(self).await?);
        Ok(Attempt::new(self, client, held, rules, learning))
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
            (Lists::One(Some(Incremental { window: Some(window), .. })), _) => {
                if !planned && let Err(error) = self.plan_own_windows(window).await {
                    return self.end_by(error, None).await;
                }
                self.overlap = Overlap::new(self.delivered_before().await?, self.position.overlap_forgotten);
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
