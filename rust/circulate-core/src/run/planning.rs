//! The plan of a stream: what each list is requested for, put down before the first of these requests.

use jiff::Timestamp;

use super::attempt::Attempt;
use super::levels::{ListOfParents, ReadBefore, ReadPartitions, product};
use super::listing::MAX_BYTES;
use crate::catalog::{Incremental, Parent};
use crate::error::Result;
use crate::extract::cursor::Window;
use crate::extract::plan::Partition;
use crate::lake::manifest::{Part, PartRef, PartitionEntry, PartitionOutcome, read_part};
use crate::state::{CursorValue, Mode};

/// Partitions in a part of the plan.
const PLANNED_PER_PART: usize = 1000;
/// Bytes of the ids in a batch, after which it is full: no server takes much longer addresses.
const MAX_BATCH_BYTES: usize = 64_000;

impl Attempt<'_> {
    /// What earlier runs have read of the partitions, if these are selected by time. A parent that comes new to a stream has
    /// records that are older than the cursor, and so may one whose last run found it gone.
    pub(super) async fn read_before(&self) -> Result<Option<ReadBefore>> {
        let definition = &self.pull.definition;
        let stream = self.pull.stream();
        let own =
            stream.incremental().is_some() && (stream.parent().is_some() || !stream.values().is_empty());
        let parents =
            definition.parents.len().checked_sub(1).and_then(|last| self.pull.list_of_parents(last));
        let of_parents = parents.is_some_and(|list| list.rule.incremental.is_some() && !list.is_one());
        let run = &self.held.run;
        let Some(cursor) = run.from_cursor.as_ref().filter(|_| run.mode == Mode::Incremental) else {
            return Ok(None);
        };
        if !own && !of_parents {
            return Ok(None);
        }
        self.partitions_of(cursor).await.map(Some)
    }

    async fn partitions_of(&self, cursor: &CursorValue) -> Result<ReadBefore> {
        let mut before = ReadBefore::default();
        let parents = self.pull.definition.parent().map(|parent| parent.endpoint.as_str());
        let mut next: Option<PartRef> = cursor.partitions.clone();
        while let Some(reference) = next {
            if self.pull.sink.read(&reference.key).await?.is_none() {
                self.pull.progress.note(format!(
                    "the manifest of the run that set the cursor is no longer there ({}): all partitions are read from their \
                     beginning",
                    reference.key
                ));
                return Ok(ReadBefore::default());
            }
            let part: Part = read_part(&*self.pull.sink, &reference).await?;
            for PartitionEntry { partition, outcome, list, .. } in part.partitions {
                let (partition, read) = match list {
                    None => (self.without_window(&partition), &mut before.own),
                    Some(list) if Some(list.as_str()) == parents => (partition, &mut before.of_parents),
                    Some(_) => continue,
                };
                let set = match outcome {
                    PartitionOutcome::Complete => &mut read.complete,
                    _ => &mut read.missing,
                };
                set.insert(partition.digest())?;
            }
            next = part.previous;
        }
        Ok(before)
    }

    /// How the records of a list of parents are selected by time that lead on; only of the parents of the stream's own list.
    pub(super) fn rule_of<'l>(&self, list: ListOfParents<'l>) -> Option<&'l Incremental> {
        // A period is one of children, whose parents may have changed since.
        let of_children = self.held.run.mode == Mode::Window && self.pull.stream().incremental().is_some();
        let is_last = list.number + 1 == self.pull.definition.parents.len();
        list.rule.incremental.as_ref().filter(|_| is_last && !of_children)
    }

    /// The lower bound for a partition of the stream's own list, which `rule` selects by time.
    pub(super) fn since_of(&self, partition: &Partition, rule: &Incremental) -> Result<Option<Timestamp>> {
        let before = self.read_before.as_ref().map(|before| &before.own);
        self.since(&self.without_window(partition), rule, before)
    }

    /// The lower bound for a partition of a list of parents, which `rule` selects by time.
    pub(super) fn since_of_parents(
        &self,
        partition: &Partition,
        rule: &Incremental,
    ) -> Result<Option<Timestamp>> {
        if self.has_new_values && self.held.run.mode == Mode::Incremental {
            return Ok(rule.full_since);
        }
        let before = self.read_before.as_ref().map(|before| &before.of_parents);
        self.since(partition, rule, before)
    }

    /// The run's lower bound, unless it begins at no cursor, or earlier runs have not read the partition.
    fn since(
        &self,
        partition: &Partition,
        rule: &Incremental,
        before: Option<&ReadPartitions>,
    ) -> Result<Option<Timestamp>> {
        let run = &self.held.run;
        let is_read = match before {
            Some(before) if !partition.is_whole() => before.has(partition)?,
            _ => !run.is_whole(),
        };
        Ok(if is_read { run.window.since } else { rule.full_since })
    }

    /// A partition without its window of time, if the stream is requested in windows.
    fn without_window(&self, partition: &Partition) -> Partition {
        match self.window_of(partition) {
            Some(_) => partition.without_window(),
            None => partition.clone(),
        }
    }

    /// The window of time that a partition is, if the stream is requested in windows.
    pub(super) fn window_of(&self, partition: &Partition) -> Option<Window> {
        let stream = self.pull.stream();
        let windowed = stream.window().is_some() || stream.polling().is_some();
        partition.window().filter(|_| windowed)
    }

    /// Puts what the next list is requested for into the plan: a partition that `levels` lists have led to, with each value and
    /// each window of time. Where several parents are requested at once, it waits for others.
    pub(super) async fn plan_partition(&mut self, levels: usize, partition: &Partition) -> Result<()> {
        let lists = self.pull.definition.lists();
        let Some((batch, name, _)) = lists[levels].list.parent().and_then(Parent::batched) else {
            return self.plan_values(levels, partition).await;
        };
        let Some(parent) = partition.value(name) else { return Ok(()) };
        let waiting = self.batching.entry((levels, partition.without(name))).or_default();
        waiting.push(parent.to_owned(), parent.len());
        self.batching_bytes += partition.size();
        if waiting.holds(batch.size as usize, MAX_BATCH_BYTES) {
            let several = partition.of_several(name, &waiting.take());
            return self.plan_values(levels, &several).await;
        }
        if self.batching_bytes >= MAX_BYTES {
            self.plan_batches().await?;
        }
        Ok(())
    }

    /// Puts parents that wait for others into the plan, which is to hold all that was read.
    pub(super) async fn plan_batches(&mut self) -> Result<()> {
        self.batching_bytes = 0;
        let lists = self.pull.definition.lists();
        for ((levels, above), mut parents) in std::mem::take(&mut self.batching) {
            let (batched, parents) = (lists[levels].list.parent().and_then(Parent::batched), parents.take());
            if let Some((_, name, _)) = batched.filter(|_| !parents.is_empty()) {
                self.plan_values(levels, &above.of_several(name, &parents)).await?;
            }
        }
        Ok(())
    }

    async fn plan_values(&mut self, levels: usize, partition: &Partition) -> Result<()> {
        let windows = self.pull.stream().window().filter(|_| levels == self.pull.definition.parents.len());
        for partition in with_values(&self.levels[levels].values.clone(), partition) {
            match windows {
                Some(window) => self.plan_windows_of(&partition, window).await?,
                None => self.plan_one(partition).await?,
            }
        }
        Ok(())
    }

    /// Puts a partition into the plan.
    pub(super) async fn plan_one(&mut self, partition: Partition) -> Result<()> {
        let size = partition.size();
        self.planned.push(partition, size);
        if self.planned.holds(PLANNED_PER_PART, MAX_BYTES) {
            self.write_planned().await?;
        }
        Ok(())
    }

    /// All partitions that the next list is requested for are in the plan.
    pub(super) async fn plan_is_full(&mut self, levels: usize) -> Result<()> {
        // What is listed later is for the next plan.
        self.write_plan().await?;
        let is_last = levels == self.pull.definition.parents.len();
        let plan = self.plan();
        (plan.complete, plan.level) = (is_last, (!is_last).then_some(levels));
        Ok(())
    }

    /// Goes on with what the plan has led to.
    pub(super) async fn next_level(&mut self, levels: usize) -> Result<()> {
        let plan = self.plan();
        let made = plan.next.take().unwrap_or_default();
        (plan.last, plan.partitions) = (made.last, made.partitions);
        (plan.current, plan.begun) = (None, 0);
        let counts = std::mem::take(&mut plan.counts);
        plan.above.add_all(&counts);
        self.plan_is_full(levels).await?;
        self.checkpoint().await
    }
}

/// A partition with each choice of one value of each list.
fn with_values<'v>(
    values: &'v [(String, Vec<String>)],
    partition: &'v Partition,
) -> impl Iterator<Item = Partition> + 'v {
    product(values).map(|chosen| {
        chosen.iter().fold(partition.clone(), |with, (name, value)| with.with_value(name, value))
    })
}
