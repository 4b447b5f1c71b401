//! The pull itself. [`Pull::run`] reads like the commit protocol: open → extract → publish → commit.
//!
//! A run is opened in state before its first object. Its objects are never overwritten. It becomes visible by one
//! create-only write, its manifest index, and its cursor moves by one conditional write after that. Whatever stops it
//! in between, the next start rolls it forward from the index or goes on from the last checkpoint.

use std::sync::Arc;
use std::time::Duration;

use crate::MAX_TEXT;
use crate::api::client::Client;
use crate::api::http::{Jitter, Retry};
use crate::error::{Error, Result};
use crate::lake::manifest::{self, Index};
use crate::redact::Redactor;
use crate::state::{Acquired, LeasedRun, Mode, RunItem, RunRequest};
use crate::stop::StopReason;

pub mod anything;
mod attempt;
mod bound;
pub mod check;
mod checkpoint;
mod counted;
mod earlier;
mod earlier_objects;
mod extract;
mod fetch;
mod fetcher;
mod first_page;
mod job;
mod learning;
mod levels;
mod list_end;
mod listing;
mod open;
mod parents;
mod partitions;
mod planning;
mod polling;
mod position;
mod publish;
mod pull;
mod renewal;
mod report;
mod request;
mod run_keys;
mod source;
mod tables;
mod taken_keys;
mod tombstones;
mod warnings;
mod whole_list;
mod windows;

use attempt::{AttemptEnd, Attempted};
pub(crate) use first_page::first_page;
pub use pull::{Pull, PullOptions};
use renewal::Renewal;
pub use report::{AttemptTotals, Drifted, Outcome, Report, Verdict};

/// How an attempt ended without an error.
enum Ended {
    Published(Box<Index>),
    Early(StopReason),
    Forgotten(Error),
    Condemned(Error),
}

enum NextStep {
    Done,
    /// It was not the run that was requested.
    Another,
    /// As this run was begun.
    StartOver(Box<RunItem>),
}

impl Pull {
    /// Pulls until the stream is up to date, or something stops it. Wrong input fails before any request.
    pub async fn run(&self) -> Outcome {
        let mut report = Report::blank(self);
        let error = self.protocol(&mut report).await.err();
        if let Some(error) = &error {
            report.status = Verdict::Failed;
            report.stopped_by = Some(Redactor::shared().shown(&error.to_string(), MAX_TEXT));
        }
        Outcome { report, error }
    }

    async fn protocol(&self, report: &mut Report) -> Result<()> {
        let client = Arc::new(self.client()?);
        self.progress.set_stream(&self.definition.name(), self.account.name());
        let requested = self.request()?;
        let mut request = requested.clone();
        loop {
            request = match Box::pin(self.one_run(Arc::clone(&client), &request, &requested, report)).await? {
                NextStep::Done => return Ok(()),
                // What was unfinished is done with; now what was requested.
                NextStep::Another => requested.clone(),
                // The API has forgotten the page where the unfinished run stood.
                NextStep::StartOver(run) => RunRequest {
                    mode: run.mode,
                    window: if run.mode == Mode::Window { run.window } else { requested.window.clone() },
                    pending: run.pending_seconds.map(Duration::from_secs),
                    idempotency_key: requested
                        .idempotency_key
                        .clone()
                        .filter(|_| run.idempotency_key == requested.idempotency_key),
                    replaces: Some(run.run_id),
                    continuation: None,
                    ..requested.clone()
                },
            }
        }
    }

    /// Brings a run to its end, or as far as it gets.
    async fn one_run(
        &self,
        client: Arc<Client>,
        request: &RunRequest,
        requested: &RunRequest,
        report: &mut Report,
    ) -> Result<NextStep> {
        let held = match self.open(request.clone()).await? {
            Acquired::LeasedRun(held) => Arc::new(*held),
            Acquired::Busy(busy) => {
                report.busy(busy);
                return Ok(NextStep::Done);
            }
            Acquired::Done(run) => {
                let key = run.manifest.clone().unwrap_or_else(|| self.stream_keys(&run).index());
                let index: Index = manifest::parse(&key, &manifest::read_existing(&*self.sink, &key).await?)?;
                report.done_before(&run, &index, key);
                return Ok(NextStep::Done);
            }
        };
        if held.run.spec_hash != request.spec_hash && !held.position.finished {
            held.start_over().await?;
            self.progress.note("the unfinished run is of another definition: starting over");
            return Ok(NextStep::StartOver(Box::new(held.run.clone())));
        }
        if self.lists_other_values(&held) {
            held.start_over().await?;
            self.progress.note(
                "the unfinished run was listing what to request by other values of a setting: starting over",
            );
            return Ok(NextStep::StartOver(Box::new(held.run.clone())));
        }
        report.began(&held);
        let renewal = Renewal::start(Arc::clone(&held), self.options.lease / 3);
        let Attempted { position, end } = self.extract(client, &held).await;
        report.worked(&held.position, &position);
        let ended = match end {
            Ok(AttemptEnd::OfTheList) => {
                self.publish(&held, &position).await.map(|index| Ended::Published(Box::new(index)))
            }
            Ok(AttemptEnd::Early(reason)) => Ok(Ended::Early(reason)),
            Ok(AttemptEnd::PageForgotten(error)) => Ok(Ended::Forgotten(error)),
            Ok(AttemptEnd::Condemned(error)) => Ok(Ended::Condemned(error)),
            Err(error) => Err(error),
        };
        renewal.end().await;
        match ended {
            Ok(Ended::Published(index)) => self.conclude(&held, &index, requested, report).await,
            Ok(Ended::Early(reason)) => {
                let in_words = self.stop.in_words(reason);
                held.release(&in_words, position.traffic).await?;
                report.partial(reason, in_words, self.store.now().await?);
                Ok(NextStep::Done)
            }
            Ok(Ended::Forgotten(error)) => {
                held.start_over().await?;
                self.progress.note(format!("the API no longer knows the page where the unfinished run stopped ({error}): starting over"));
                Ok(NextStep::StartOver(Box::new(held.run.clone())))
            }
            Ok(Ended::Condemned(error)) => {
                let _ = held.abandon_because(&error.to_string(), position.traffic).await;
                report.condemned();
                Err(error)
            }
            Err(error) => {
                // If the store is out of reach too, the lease lapses by itself; the first error is the one to report.
                let why = error.to_string();
                if position.is_blank() {
                    // There is nothing to go on with.
                    let _ = held.abandon_because(&why, position.traffic).await;
                } else {
                    let _ = held.release(&why, position.traffic).await;
                    report.kept();
                }
                Err(error)
            }
        }
    }

    /// Commits a run that is published. Another one than was requested was an unfinished one.
    async fn conclude(
        &self,
        held: &LeasedRun,
        index: &Index,
        requested: &RunRequest,
        report: &mut Report,
    ) -> Result<NextStep> {
        let key = self.keys(held).index();
        self.commit(held, index, &key).await?;
        report.complete(index, key);
        let run = &held.run;
        let other = run.mode != requested.mode || run.mode == Mode::Window && run.window != requested.window;
        if other && requested.continuation.is_none() && self.stop.reason().is_none() {
            let mode = run.mode.as_str();
            self.progress.note(format!("the unfinished {mode} run is complete: now what was asked for"));
            return Ok(NextStep::Another);
        }
        if let Some(reason) = self.stop.reason().filter(|_| self.stream().polling().is_some()) {
            report.stopped_early(reason, self.stop.in_words(reason), self.store.now().await?);
        }
        Ok(NextStep::Done)
    }

    fn client(&self) -> Result<Client> {
        let jitter = self.seed.map_or_else(Jitter::random, Jitter::seeded);
        let client = Client::new(
            &self.definition.source,
            &self.account,
            &self.connection,
            Arc::clone(&self.authorize),
            Retry::new(self.options.retry, jitter),
            Arc::clone(&self.progress),
            self.stop.clone(),
        )?;
        Ok(client.with_headroom(self.options.headroom))
    }
}

#[cfg(test)]
#[path = "tests/pull.rs"]
mod tests;

#[cfg(test)]
#[path = "tests/recovery.rs"]
mod recovery_tests;

#[cfg(test)]
#[path = "tests/children.rs"]
mod children_tests;

#[cfg(test)]
#[path = "tests/polling.rs"]
mod polling_tests;

#[cfg(test)]
#[path = "tests/http.rs"]
mod http_tests;

#[cfg(test)]
#[path = "tests/tables.rs"]
mod tables_tests;

#[cfg(test)]
#[path = "tests/ends.rs"]
mod ends_tests;

#[cfg(test)]
#[path = "tests/paging.rs"]
mod paging_tests;

#[cfg(test)]
#[path = "tests/increments.rs"]
mod increments_tests;

#[cfg(test)]
#[path = "tests/requests.rs"]
mod requests_tests;

#[cfg(test)]
#[path = "tests/corruption.rs"]
mod corruption_tests;

#[cfg(test)]
#[path = "tests/hooks.rs"]
mod hooks_tests;

#[cfg(test)]
#[path = "tests/progress.rs"]
mod progress_tests;

#[cfg(test)]
#[path = "tests/tombstones.rs"]
mod tombstones_tests;
