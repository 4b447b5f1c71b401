//! The keys that a run took in, and the parents whose lists it read.

use super::pull::Pull;
use crate::catalog::Parent;
use crate::error::Result;
use crate::lake::entry_files::{EntryReader, EntryWriter, read_entries};
use crate::lake::external_sort::{Sorted, Sorter};
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{EntryFile, Identity, Part, PartitionEntry, PartitionOutcome};
use crate::lake::record_key::{KEY_ENTRY, SCOPE_ENTRY, ScopeRead, scope_of, scope_of_entry};
use crate::lake::sink::Sink;
use crate::state::LeasedRun;

/// What the parts of a run's manifest say of keys.
#[derive(Debug)]
pub(super) struct CollectedKeys {
    /// Whether records of the run have keys, and all of its parts list them.
    pub(super) are_known: bool,
    pub(super) files: Vec<EntryFile>,
    pub(super) without_key: u64,
    /// The names of the parents by which lists are told apart; `None` if a list is not one of one parent, or not read whole.
    parents: Option<Vec<String>>,
    scopes: Sorter<SCOPE_ENTRY>,
}

impl CollectedKeys {
    pub(super) fn new(pull: &Pull, held: &LeasedRun) -> Self {
        let identity = Identity::of(&pull.definition);
        let stream = pull.stream();
        let is_batched = stream.parent().and_then(Parent::batched).is_some();
        let is_read_whole = stream.window().is_none() && (stream.times().is_empty() || held.run.is_whole());
        let by_parent = !identity.parents.is_empty() && !is_batched && is_read_whole;
        Self {
            are_known: identity.is_merged(),
            files: Vec::new(),
            without_key: 0,
            parents: by_parent.then_some(identity.parents),
            scopes: Sorter::new(pull.options.memory.for_sorting()),
        }
    }

    /// Takes in what a part lists.
    pub(super) fn see(&mut self, part: &Part) -> Result<()> {
        match &part.keys {
            Some(keys) => {
                self.files.extend(keys.files.iter().cloned());
                self.without_key += keys.without_key;
            }
            None => self.are_known = false,
        }
        part.partitions.iter().try_for_each(|entry| self.see_partition(entry))
    }

    fn see_partition(&mut self, entry: &PartitionEntry) -> Result<()> {
        let Some(names) = self.parents.as_ref().filter(|_| entry.list.is_none()) else { return Ok(()) };
        let read = match entry.outcome {
            PartitionOutcome::Complete if !entry.moved => ScopeRead::Complete,
            PartitionOutcome::Gone => ScopeRead::Gone,
            _ => ScopeRead::Incomplete,
        };
        let scope = scope_of(names.iter().map(|name| entry.partition.value(name)));
        self.scopes.push(read.entry(scope))
    }

    /// Whether lists are told apart by their parents, so that each says by itself what is no longer in it.
    pub(super) fn are_by_parent(&self) -> bool {
        self.parents.is_some()
    }

    /// Writes the parents whose lists were read to their end, and those that no longer exist.
    pub(super) async fn write_scopes(
        &mut self,
        sink: &dyn Sink,
        keys: &StreamKeys,
    ) -> Result<Vec<EntryFile>> {
        let mut sorted = std::mem::replace(&mut self.scopes, Sorter::new(0)).finish()?;
        let mut writer = EntryWriter::<SCOPE_ENTRY>::new(sink, keys, "scopes");
        let mut next = sorted.take_next()?;
        while let Some(mut entry) = next {
            next = sorted.take_next()?;
            // Of several lists of one parent, such as one for each of some values, what is worst comes last.
            while let Some(later) = next.filter(|later| scope_of_entry(later) == scope_of_entry(&entry)) {
                entry = later;
                next = sorted.take_next()?;
            }
            if entry[SCOPE_ENTRY - 1] != ScopeRead::Incomplete as u8 {
                writer.push(&entry).await?;
            }
        }
        writer.finish().await
    }
}

/// Keys of records in order, wherever they are.
#[derive(Debug)]
pub(super) enum KeySource<'s> {
    Files(EntryReader<'s, KEY_ENTRY>),
    Sorted(Sorted<KEY_ENTRY>),
}

impl<'s> KeySource<'s> {
    /// Those of `files`, each of which is sorted by itself.
    pub(super) async fn merge(sink: &'s dyn Sink, mut files: Vec<EntryFile>, bytes: u64) -> Result<Self> {
        files.sort_by(|one, other| one.first.cmp(&other.first));
        if files.windows(2).all(|pair| pair[0].last < pair[1].first) {
            return Ok(Self::Files(EntryReader::new(sink, files)));
        }
        let mut sorter = Sorter::new(bytes);
        for file in files {
            sorter.push_sorted(&read_entries(sink, &file).await?)?;
        }
        Ok(Self::Sorted(sorter.finish()?))
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Result<Option<[u8; KEY_ENTRY]>> {
        match self {
            Self::Files(files) => files.next().await,
            Self::Sorted(sorted) => sorted.take_next(),
        }
    }
}
