//! Checkpoints of an attempt, and the ends that leave one.

use tokio::time::Instant;

use super::attempt::{Attempt, AttemptEnd, TASK, gap, is_unavailable};
use super::listing::MAX_BYTES;
use crate::MAX_TEXT;
use crate::catalog::StreamSpec;
use crate::error::{Error, ErrorKind, Meaning, Result};
use crate::extract::cursor::Recent;
use crate::lake::manifest::{
    MAX_OBJECTS_PER_PART, MAX_PARTITIONS_PER_PART, MAX_RECENT_PER_PART, ObjectEntry, Part, PartitionEntry,
    PlanPart, SCHEMA, TakenKeys, Totals,
};
use crate::page::EndKind;
use crate::redact::Redactor;
use crate::state::PlanParts;

impl Attempt<'_> {
    pub(super) fn checkpoint_is_due(&self) -> bool {
        self.writer.unreported() >= self.pull.options.checkpoint_objects
            || Instant::now() >= self.checkpoint_at
    }

    /// At a page boundary: closes the open batch, lists the new objects in a manifest part, and only then writes where
    /// to go on.
    pub(super) async fn checkpoint(&mut self) -> Result<()> {
        self.write_plan().await?;
        let objects = self.writer.finish().await?;
        let keys = match &mut self.taken_keys {
            Some(taken) => taken.finish().await?,
            None => TakenKeys::default(),
        };
        self.note_tables().await?;
        let partitions = self.partitions_done.take();
        let bound = self.pull.next_bound(self.held, &self.position);
        let mut recent = self.overlap.take_recent(bound.map(|bound| self.pull.shown_from(bound)));
        self.position.overlap_forgotten = self.position.overlap_forgotten.max(self.overlap.forgotten());
        while recent.len() > MAX_RECENT_PER_PART {
            let some = recent.split_off(recent.len() - MAX_RECENT_PER_PART);
            self.list_in_part(&[], some, Vec::new(), TakenKeys::default()).await?;
        }
        let mut chunks: Vec<_> = objects.chunks(MAX_OBJECTS_PER_PART).collect();
        let nothing_else = recent.is_empty() && partitions.is_empty() && keys == TakenKeys::default();
        if chunks.is_empty() && !nothing_else {
            chunks.push(&[]);
        }
        // All that is not an object goes with the last of them.
        let last = chunks.pop();
        for chunk in chunks {
            self.list_in_part(chunk, Vec::new(), Vec::new(), TakenKeys::default()).await?;
        }
        if let Some(chunk) = last {
            self.list_in_part(chunk, recent, partitions, keys).await?;
        }
        self.position.next_sequence = self.writer.next_sequence();
        self.position.traffic = self.traffic();
        self.learning.write(&*self.pull.store).await;
        let kept = self.keep_position().await?;
        self.held.checkpoint(kept).await?;
        self.saved = self.position.clone();
        if let Some(events) = self.pull.progress.kept() {
            let Totals { pages, records, objects, bytes, .. } = self.position.totals;
            events.checkpoint_written(pages, records, objects, bytes);
        }
        self.checkpoint_at = self.pull.options.next_checkpoint();
        Ok(())
    }

    async fn list_in_part(
        &mut self,
        objects: &[ObjectEntry],
        recent: Vec<Recent>,
        partitions: Vec<PartitionEntry>,
        keys: TakenKeys,
    ) -> Result<()> {
        let part = Part {
            schema: SCHEMA,
            run_id: self.held.run.run_id.clone(),
            format: self.pull.options.objects.format,
            compression: self.pull.options.objects.around(),
            previous: self.position.last_part.take(),
            objects: objects.to_vec(),
            recent,
            partitions,
            keys: self.taken_keys.is_some().then_some(keys),
        };
        let key = self.keys.part(TASK, self.held.fence, self.position.next_part);
        let (written, records) = (objects.len(), objects.iter().map(|object| object.records).sum());
        self.position.last_part = Some(self.write_part(key, &part, written, records).await?);
        self.position.next_part += 1;
        for object in objects {
            self.position.totals.add(object);
        }
        Ok(())
    }

    /// Lists partitions that were done with, if they are many or large: with few records there may be no checkpoint for long. What
    /// is listed counts with the next one.
    pub(super) async fn list_partitions_done(&mut self) -> Result<()> {
        if self.partitions_done.holds(MAX_PARTITIONS_PER_PART, MAX_BYTES) {
            let partitions = self.partitions_done.take();
            self.list_in_part(&[], Vec::new(), partitions, TakenKeys::default()).await?;
        }
        Ok(())
    }

    /// Writes the partitions listed since the last checkpoint into the plan. Until there is another one, nobody looks at it.
    pub(super) async fn write_plan(&mut self) -> Result<()> {
        self.plan_batches().await?;
        self.write_planned().await
    }

    /// As [`Self::write_plan`], but for parents that wait for others.
    pub(super) async fn write_planned(&mut self) -> Result<()> {
        let Some(mut plan) = self.position.plan.take() else { return Ok(()) };
        let partitions = self.planned.take();
        if !partitions.is_empty() {
            // While the lists of one plan are read, another one is made of what they have.
            let mut made = match plan.level {
                Some(_) => plan.next.take().unwrap_or_default(),
                None => PlanParts { last: plan.last.take(), partitions: plan.partitions },
            };
            let part = PlanPart {
                schema: SCHEMA,
                run_id: self.held.run.run_id.clone(),
                previous: made.last.take(),
                partitions,
            };
            let key = self.keys.plan(TASK, self.held.fence, plan.next_part);
            made.last = Some(self.write_part(key, &part, part.partitions.len(), 0).await?);
            made.partitions += part.partitions.len() as u64;
            plan.next_part += 1;
            if plan.level.is_some() {
                plan.next = Some(made);
            } else {
                (plan.last, plan.partitions) = (made.last, made.partitions);
            }
        }
        self.position.plan = Some(plan);
        Ok(())
    }

    /// Settles an error of the one list that is read, which is of `stream`. If its first page says that the account lacks
    /// the feature, or that it is gone, there is nothing to have, and the run is complete. If it is a gap, the run is partial.
    pub(super) async fn settle_list(
        &mut self,
        stream: &StreamSpec,
        error: Error,
    ) -> Result<Option<AttemptEnd>> {
        let url = self.position.next_url.clone();
        let nothing = is_unavailable(stream, &error) || error.meaning() == Some(Meaning::Gone);
        if url.is_none() && nothing {
            self.position.unavailable = Some(Redactor::shared().shown(&error.to_string(), MAX_TEXT));
            self.note_end(None, 1, EndKind::Unavailable.into());
            self.position.finished = true;
            return Ok(None);
        }
        if let Some(end) = gap(&error) {
            self.note_end(None, self.position.totals.pages, end);
            self.position.finished = true;
            return Ok(None);
        }
        self.end_by(error, url.as_deref()).await.map(Some)
    }

    /// How an attempt ends that could not read the page at `url`. What was read up to there is good: the next start need
    /// not request it again.
    pub(super) async fn end_by(&mut self, error: Error, url: Option<&str>) -> Result<AttemptEnd> {
        if error.kind() == ErrorKind::Cycle {
            return Ok(AttemptEnd::Condemned(error));
        }
        if self.is_forgotten(&error, url) {
            return Ok(AttemptEnd::PageForgotten(error));
        }
        self.checkpoint().await?;
        let ends_early = matches!(error.kind(), ErrorKind::Stopped | ErrorKind::RateLimited);
        match self.pull.stop.reason().filter(|_| ends_early) {
            Some(reason) => Ok(AttemptEnd::Early(reason)),
            None => Err(error),
        }
    }
}
