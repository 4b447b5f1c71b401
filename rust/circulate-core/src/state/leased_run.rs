//! A run that this worker holds: every write of it is conditional on the version that this worker saw last.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::Expect;
use super::items::{Cursor, CursorValue, MarkerStatus, Position, RunItem, RunStatus, TaskItem};
use super::stream::{StreamState, Versioned, cursor_key, fenced_off, task_key};
use crate::clock::later;
use crate::error::Result;
use crate::lake::manifest::DeleteCounts;
use crate::progress::Traffic;

/// A run that this worker holds.
#[derive(Debug)]
pub struct LeasedRun {
    state: StreamState,
    /// It was begun by an earlier attempt.
    pub resumed: bool,
    /// As it was when we took it.
    pub run: RunItem,
    /// Our number; part of object keys.
    pub fence: u64,
    /// Where to go on.
    pub position: Position,
    /// Where the account is that it is pulled from.
    address: String,
    items: Mutex<Items>,
}

#[derive(Debug)]
struct Items {
    run: Versioned<RunItem>,
    task: Versioned<TaskItem>,
    /// The address was noted.
    is_noted: bool,
}

impl LeasedRun {
    pub(super) fn new(
        state: StreamState,
        address: &str,
        resumed: bool,
        run: Versioned<RunItem>,
        task: Versioned<TaskItem>,
    ) -> Self {
        Self {
            state,
            resumed,
            run: run.doc.clone(),
            fence: task.doc.fence,
            position: task.doc.position.clone(),
            address: address.to_owned(),
            items: Mutex::new(Items { run, task, is_noted: false }),
        }
    }

    /// Extends the lease.
    pub async fn renew(&self) -> Result<()> {
        let mut items = self.items.lock().await;
        items.task.doc.lease_until = Some(self.state.lease_end().await?);
        self.write_task(&mut items).await
    }

    /// Writes where to go on, and extends the lease, in one step.
    pub async fn checkpoint(&self, position: Position) -> Result<()> {
        let mut items = self.items.lock().await;
        if !items.is_noted && position.is_begun() {
            self.state.note_address(&self.address).await?;
            items.is_noted = true;
        }
        items.task.doc.position = position;
        items.task.doc.lease_until = Some(self.state.lease_end().await?);
        self.write_task(&mut items).await
    }

    /// Writes where the next run will begin once this one is committed.
    pub async fn set_next_cursor(&self, value: CursorValue) -> Result<()> {
        let there = self.state.get::<Cursor>(&cursor_key()).await?;
        // Between the look and the write we prove that the run is still ours. Whoever takes it over after that has to
        // write the cursor before a later run can, which makes our version of it an old one.
        self.renew().await?;
        let (value_now, run_now) = match &there {
            Some(cursor) => self.state.current(&cursor.doc).await?,
            None => (None, None),
        };
        let cursor = Cursor {
            value: value_now,
            run: run_now,
            next_value: Some(value),
            next_run: Some(self.run.run_id.clone()),
        };
        let expect = there.map_or(Expect::Absent, |cursor| Expect::Version(cursor.version));
        self.state.put(&cursor_key(), &cursor, expect).await?.map(drop).ok_or_else(fenced_off)
    }

    /// Notes what the run shows to be no longer there, for the ledger. It is written when the run ends.
    pub async fn note_deletes(&self, deletes: Option<DeleteCounts>) {
        self.items.lock().await.run.doc.ledger.deletes = deletes;
    }

    /// Makes the run and its cursor count. Its index exists already.
    pub async fn commit(&self, manifest: &str) -> Result<()> {
        self.finish(manifest, RunStatus::Committed, None).await?;
        // The run counts from here on, whether or not this succeeds.
        let _ = self.state.say_in_head(&self.run.run_id, RunStatus::Committed).await;
        Ok(())
    }

    /// Leaves the run, whose index exists already, to be committed or abandoned by others within `span`.
    pub async fn leave_pending(&self, manifest: &str, span: Duration) -> Result<()> {
        let until = later(self.state.now().await?, span);
        self.finish(manifest, RunStatus::Pending, Some(until)).await
    }

    async fn finish(
        &self,
        manifest: &str,
        status: RunStatus,
        pending_until: Option<Timestamp>,
    ) -> Result<()> {
        let mut items = self.items.lock().await;
        items.task.doc.lease_until = None;
        self.write_task(&mut items).await?;
        let mut run = items.run.clone();
        run.doc.manifest = Some(manifest.to_owned());
        run.doc.pending_until = pending_until;
        run.doc.marker = (status == RunStatus::Committed).then_some(MarkerStatus::Due);
        fill_ledger(&mut run.doc, &items.task.doc.position);
        self.state.settle(run, status, None).await
    }

    /// Lets go of the run before its end; the next start goes on from the last checkpoint. `traffic` is what HTTP
    /// cost in all.
    pub async fn release(&self, why: &str, traffic: Traffic) -> Result<()> {
        let mut items = self.items.lock().await;
        items.task.doc.lease_until = None;
        items.task.doc.position.traffic = traffic;
        self.write_task(&mut items).await?;
        let mut run = items.run.clone();
        fill_ledger(&mut run.doc, &items.task.doc.position);
        self.state.settle(run, RunStatus::Open, Some(why)).await
    }

    /// Gives the run up for a new one. Its index must not exist; its objects are garbage from here on.
    pub async fn abandon(&self) -> Result<()> {
        self.give_up(false, "given up for a new start", None).await
    }

    /// Gives the run up because of an error: nothing of it is to be continued, and who goes on with it starts over.
    /// `traffic` is what HTTP cost in all.
    pub async fn abandon_because(&self, error: &str, traffic: Traffic) -> Result<()> {
        self.give_up(true, error, Some(traffic)).await
    }

    /// The same, for a run that does what this one was to do: who goes on with this one is led to that.
    pub async fn start_over(&self) -> Result<()> {
        self.give_up(true, "given up for a new start", None).await
    }

    async fn give_up(&self, started_over: bool, why: &str, traffic: Option<Traffic>) -> Result<()> {
        let mut items = self.items.lock().await;
        items.task.doc.lease_until = None;
        self.write_task(&mut items).await?;
        let mut run = items.run.clone();
        run.doc.started_over = started_over;
        if let Some(traffic) = traffic {
            run.doc.ledger.traffic = traffic;
        }
        self.state.settle(run, RunStatus::Abandoned, Some(why)).await
    }

    async fn write_task(&self, items: &mut Items) -> Result<()> {
        let task = &mut items.task;
        let key = task_key(&self.run.run_id);
        let mut written = self.state.put(&key, &task.doc, Expect::Version(task.version)).await?;
        if written.is_none() {
            // An earlier write of ours may have happened although its response was lost: under our fence nobody else writes.
            let there = self.state.get::<TaskItem>(&key).await?;
            if let Some(there) = there.filter(|there| there.doc.fence == self.fence) {
                written = self.state.put(&key, &task.doc, Expect::Version(there.version)).await?;
            }
        }
        task.version = written.ok_or_else(fenced_off)?;
        Ok(())
    }
}

fn fill_ledger(run: &mut RunItem, position: &Position) {
    run.ledger.totals = position.totals.clone();
    run.ledger.traffic = position.traffic.clone();
}
