//! Makes a run visible, and commits it.

use std::time::Duration;

use jiff::Timestamp;

use super::pull::Pull;
use super::run_keys::CollectedKeys;
use crate::error::Result;
use crate::extract::cursor::{Digest, MAX_DEDUP_SET};
use crate::lake::manifest::{
    self, DedupSet, Deletes, Identity, Index, MadeBy, Part, PartRef, SCHEMA, Totals,
};
use crate::lake::sink::{Created, create_same};
use crate::state::{CursorValue, LeasedRun, Mode, PollCursor, Position, place_marker};

impl Pull {
    /// Makes the run visible: the next cursor first, which counts only once the run is committed, then the index. A
    /// worker that finds an index adopts it: only a run whose list was read to its end gets one.
    pub(super) async fn publish(&self, held: &LeasedRun, position: &Position) -> Result<Index> {
        let since = match &held.run.from_cursor {
            // The cursor stays as it is.
            Some(cursor) if position.is_unchanged() => Some(cursor.since),
            _ => self
                .next_bound(held, position)
                .or_else(|| self.start_of_poll(held, position))
                .or_else(|| self.start_of_durable(held, position)),
        };
        let shown_from = since.map(|since| self.shown_from(since));
        let mut collected = CollectedKeys::new(self, held);
        let see = |part: &Part| collected.see(part);
        let (parts, recent) =
            manifest::chain(&*self.sink, position.last_part.as_ref(), shown_from, see).await?;
        let recent = recent
            .filter(|_| position.overlap_forgotten.is_none_or(|forgotten| shown_from > Some(forgotten)));
        let mut index = self.index(held, position, parts, since);
        index.tables = self.tables_at(position).await?;
        if let Some(since) = since.filter(|_| !position.is_unchanged()) {
            index.dedup_key = self.write_dedup_set(held, position, recent).await?;
            let (dedup_key, spec_hash) = (index.dedup_key.clone(), held.run.spec_hash.clone());
            let poll = match self.poll_cursor(held, position) {
                Some(poll) => Some(self.keep_poll_url(held, &self.keys(held), poll).await?),
                None => None,
            };
            index.poll = poll.as_ref().and_then(|poll| poll.url_at.clone());
            let partitions = position.last_part.clone().filter(|_| position.plan.is_some());
            let values = position.plan.as_ref().and_then(|plan| plan.values.clone());
            held.set_next_cursor(CursorValue { since, dedup_key, spec_hash, poll, partitions, values })
                .await?;
        }
        // What was remembered of the overlap is no longer in memory here.
        (index.keys, index.deletes) = self.keys_and_deletes(held, position, collected).await?;
        let key = self.keys(held).index();
        match self.sink.create(manifest::to_object(key.clone(), &index)?).await? {
            Created::New => Ok(index),
            Created::Exists => manifest::parse(&key, &manifest::read_existing(&*self.sink, &key).await?),
        }
    }

    /// Commits a run, whose index has this key, or leaves it to be decided, as it was begun for.
    pub(super) async fn commit(&self, held: &LeasedRun, index: &Index, key: &str) -> Result<()> {
        held.note_deletes(index.deletes.as_ref().map(Deletes::counts)).await;
        if let Some(seconds) = held.run.pending_seconds {
            return held.leave_pending(key, Duration::from_secs(seconds)).await;
        }
        held.commit(key).await?;
        self.mark(&held.run.run_id).await;
        let Totals { records, objects, bytes, .. } = index.totals;
        self.progress.committed(key, records, objects, bytes);
        Ok(())
    }

    /// Creates the marker of a committed run. The run counts without it, and the next start creates it.
    async fn mark(&self, run_id: &str) {
        let marked = place_marker(&*self.sink, &*self.store, &self.stream_id(), run_id).await;
        if let Err(error) = marked {
            self.progress.note(format!(
                "the run is committed, and its marker for readers of the place could not be written ({error}): the next pull does it"
            ));
        }
    }

    /// Where the next run of a polling stream goes on, or what the API gave for that.
    fn poll_cursor(&self, held: &LeasedRun, position: &Position) -> Option<PollCursor> {
        let durable = self.stream().durable().is_some();
        if self.stream().polling().is_none() && !durable {
            return None;
        }
        let before = held.run.from_cursor.as_ref().and_then(|cursor| cursor.poll.as_ref());
        Some(PollCursor {
            url: if durable { position.durable.clone() } else { position.next_url.clone() },
            url_at: None,
            read_at: position.first_server_date.unwrap_or(held.run.started_at),
            greatest: position.watermark.greatest().max(before.and_then(|poll| poll.greatest)),
        })
    }

    /// Writes the set of records that the next run will be shown again, unless it would be too large to keep in memory:
    /// then the next run delivers them again.
    async fn write_dedup_set(
        &self,
        held: &LeasedRun,
        position: &Position,
        sha256: Option<Vec<Digest>>,
    ) -> Result<Option<String>> {
        let earlier = held.run.from_cursor.as_ref().and_then(|cursor| cursor.dedup_key.clone());
        let previous =
            earlier.filter(|_| self.stream().polling().is_some() && held.run.mode == Mode::Incremental);
        let Some(sha256) = sha256 else {
            self.progress.note(format!(
                "more than {MAX_DEDUP_SET} records lie in the overlap: the next run delivers them again"
            ));
            return Ok(None);
        };
        if sha256.is_empty() && previous.is_some() {
            return Ok(previous);
        }
        let key = self.keys(held).dedup();
        let greatest = self.poll_cursor(held, position).and_then(|poll| poll.greatest);
        let set = DedupSet { schema: SCHEMA, run_id: held.run.run_id.clone(), sha256, greatest, previous };
        create_same(&*self.sink, manifest::to_object(key.clone(), &set)?).await?;
        Ok(Some(key))
    }

    fn index(
        &self,
        held: &LeasedRun,
        position: &Position,
        parts: Vec<PartRef>,
        since: Option<Timestamp>,
    ) -> Index {
        let plan = position.plan.as_ref();
        let gaps = position.gaps();
        Index {
            schema: SCHEMA,
            run_id: held.run.run_id.clone(),
            source: self.definition.source.source.to_string(),
            account: self.account.name().to_owned(),
            endpoint: self.definition.endpoint.endpoint.to_string(),
            verdict: if gaps.is_empty() { "complete" } else { "partial" }.to_owned(),
            mode: held.run.mode.as_str().to_owned(),
            window: held.run.window.clone(),
            started_at: held.run.started_at,
            first_server_date: position.first_server_date,
            parts,
            totals: position.totals.clone(),
            cursors: since.into_iter().map(|since| ("all".to_owned(), since)).collect(),
            dedup_key: None,
            poll: None,
            gaps,
            ends: position.ends.clone(),
            made_by: MadeBy::of(&self.definition),
            warnings: self.warnings(held, position, since),
            behind: position.behind,
            unavailable: position.unavailable.clone(),
            partitions: plan.map(|plan| plan.counts.clone()),
            plan: plan.and_then(|plan| plan.last.clone()),
            repeats: position.repeats,
            unchanged: position.unchanged,
            tables: None,
            identity: Some(Identity::of(&self.definition)),
            keys: None,
            deletes: None,
            promoted_from: None,
        }
    }
}
