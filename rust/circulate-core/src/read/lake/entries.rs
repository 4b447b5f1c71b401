//! Where the versions of records stand, gathered by key in bounded memory.
//!
//! Entries have a fixed width and sort as their bytes do: by key, then from the oldest version to the newest. They are gathered
//! in partitions by the first byte of the key. Beyond the limit older versions are dropped where only the newest count; what
//! is left goes to a file without a name in the system's folder for such files.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::record_key::KEY_BYTES;

/// What stands in front of a record in its run: its version, as bytes that sort as versions do.
pub(crate) const VERSION_BYTES: usize = 17;
/// The digest of what a record holds.
pub(super) const CONTENT_BYTES: usize = 16;
const PARTITIONS: usize = 256;
/// Bytes that a partition grows by.
const STEP: usize = 16 * 1024;

/// Where a record stands: the number of its object among those of all runs, and the row there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowPosition {
    pub(super) object: u32,
    pub(super) row: u32,
}

/// Which versions of a record are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// The first one.
    Oldest,
    /// The last one.
    Newest,
    /// Each, with a digest of what it holds.
    All,
}

/// What entries hold beside key and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryLayout {
    /// The version within the run.
    pub(super) version: bool,
    pub(super) keep: Keep,
}

impl EntryLayout {
    pub(super) fn width(self) -> usize {
        KEY_BYTES + self.after_key() + self.content_bytes()
    }

    /// Bytes of run, version and position.
    fn after_key(self) -> usize {
        12 + if self.version { VERSION_BYTES } else { 0 }
    }

    /// Whether each version is wanted, with what it holds.
    pub(super) fn keeps_all(self) -> bool {
        self.keep == Keep::All
    }

    fn content_bytes(self) -> usize {
        if self.keeps_all() { CONTENT_BYTES } else { 0 }
    }
}

/// An entry as it is added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'e> {
    pub(super) key: &'e [u8; KEY_BYTES],
    /// The number of the first object of its run, which is of none: a deletion stands there.
    pub(super) run: u32,
    pub(super) version: &'e [u8; VERSION_BYTES],
    /// `None` for a deletion.
    pub(super) position: Option<RowPosition>,
    pub(super) content: &'e [u8; CONTENT_BYTES],
}

impl Entry<'_> {
    pub(super) fn write(&self, layout: EntryLayout, to: &mut Vec<u8>) {
        to.extend_from_slice(self.key);
        to.extend_from_slice(&self.run.to_be_bytes());
        if layout.version {
            to.extend_from_slice(self.version);
        }
        // Rows count from 1, so that 0 is a deletion, which comes before all rows of its run.
        let (object, row) = self.position.map_or((self.run, 0), |at| (at.object, at.row + 1));
        to.extend_from_slice(&object.to_be_bytes());
        to.extend_from_slice(&row.to_be_bytes());
        if layout.keeps_all() {
            to.extend_from_slice(self.content);
        }
    }
}

/// An entry as it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryVersion<'e> {
    bytes: &'e [u8],
    layout: EntryLayout,
}

impl<'e> EntryVersion<'e> {
    pub(super) fn key(self) -> &'e [u8] {
        &self.bytes[..KEY_BYTES]
    }

    pub(super) fn run(self) -> u32 {
        number(&self.bytes[KEY_BYTES..])
    }

    /// `None` for a deletion.
    pub(super) fn position(self) -> Option<RowPosition> {
        let at = &self.bytes[KEY_BYTES + self.layout.after_key() - 8..];
        let row = number(&at[4..]).checked_sub(1)?;
        Some(RowPosition { object: number(at), row })
    }

    pub(super) fn content(self) -> &'e [u8] {
        &self.bytes[KEY_BYTES + self.layout.after_key()..]
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |four| u32::from_be_bytes(*four))
}

/// Entries of the records of one account.
#[derive(Debug)]
pub(super) struct Entries {
    layout: EntryLayout,
    partitions: Vec<Vec<u8>>,
    bytes: usize,
    limit: usize,
    spill: Option<Spill>,
}

impl Entries {
    /// Takes about `limit` bytes of memory.
    pub(super) fn new(layout: EntryLayout, limit: usize) -> Self {
        Self { layout, partitions: vec![Vec::new(); PARTITIONS], bytes: 0, limit, spill: None }
    }

    /// Adds entries that stand one after the other.
    pub(super) fn add(&mut self, entries: &[u8]) -> Result<()> {
        for entry in entries.chunks_exact(self.layout.width()) {
            let partition = &mut self.partitions[usize::from(entry[0])];
            if partition.capacity() - partition.len() < entry.len() {
                partition.reserve_exact(STEP);
            }
            partition.extend_from_slice(entry);
        }
        self.bytes += entries.len();
        if self.bytes > self.limit { self.make_room() } else { Ok(()) }
    }

    fn make_room(&mut self) -> Result<()> {
        self.bytes = 0;
        if !self.layout.keeps_all() {
            for partition in &mut self.partitions {
                sort(self.layout, partition);
                keep_one(self.layout, partition);
                self.bytes += partition.len();
            }
        }
        // Otherwise few more would fit before the next time.
        if self.layout.keeps_all() || self.bytes > self.limit / 2 {
            let spill = match &mut self.spill {
                Some(spill) => spill,
                none => none.insert(Spill::new()?),
            };
            for (number, partition) in self.partitions.iter_mut().enumerate() {
                spill.write(number, partition)?;
                partition.clear();
            }
            self.bytes = 0;
        }
        Ok(())
    }

    /// Bytes that did not fit into memory.
    pub(super) fn spilled(&self) -> u64 {
        self.spill.as_ref().map_or(0, |spill| spill.end)
    }

    /// Goes through the versions of each key, from the oldest to the newest: all of them, or the newest ones that are left.
    pub(super) fn each_key(mut self, mut each: impl FnMut(&[EntryVersion<'_>]) -> Result<()>) -> Result<()> {
        let layout = self.layout;
        for number in 0..PARTITIONS {
            let mut partition = std::mem::take(&mut self.partitions[number]);
            if let Some(spill) = &self.spill {
                spill.read(number, &mut partition)?;
            }
            sort(layout, &mut partition);
            let mut versions: Vec<EntryVersion<'_>> = Vec::new();
            for bytes in partition.chunks_exact(layout.width()) {
                let version = EntryVersion { bytes, layout };
                if versions.last().is_some_and(|last| last.key() != version.key()) {
                    each(&versions)?;
                    versions.clear();
                }
                versions.push(version);
            }
            if !versions.is_empty() {
                each(&versions)?;
            }
        }
        Ok(())
    }
}

/// The widths that entries can have.
fn sort(layout: EntryLayout, entries: &mut [u8]) {
    match layout.width() {
        28 => entries.as_chunks_mut::<28>().0.sort_unstable(),
        44 => entries.as_chunks_mut::<44>().0.sort_unstable(),
        45 => entries.as_chunks_mut::<45>().0.sort_unstable(),
        61 => entries.as_chunks_mut::<61>().0.sort_unstable(),
        width => unreachable!("no entry has {width} bytes"),
    }
}

/// Of sorted entries, the one of each key that is wanted.
fn keep_one(layout: EntryLayout, entries: &mut Vec<u8>) {
    let width = layout.width();
    let (mut kept, mut at) = (0, 0);
    while at < entries.len() {
        let next = at + width;
        let key = at..at + KEY_BYTES;
        let is_requested = match layout.keep {
            // What was kept of it stands in front of where the next one goes.
            Keep::Oldest => kept == 0 || entries[kept - width..kept - width + KEY_BYTES] != entries[key],
            Keep::Newest | Keep::All => entries.get(next..next + KEY_BYTES) != Some(&entries[key]),
        };
        if is_requested {
            entries.copy_within(at..next, kept);
            kept += width;
        }
        at = next;
    }
    entries.truncate(kept);
}

/// Entries that did not fit into memory.
#[derive(Debug)]
struct Spill {
    file: File,
    end: u64,
    /// Where the pieces of each partition stand, with their lengths.
    pieces: Vec<Vec<(u64, usize)>>,
}

impl Spill {
    fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(|error| failed(&error))?;
        Ok(Self { file, end: 0, pieces: vec![Vec::new(); PARTITIONS] })
    }

    fn write(&mut self, partition: usize, entries: &[u8]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.file.write_all(entries).map_err(|error| failed(&error))?;
        self.pieces[partition].push((self.end, entries.len()));
        self.end += entries.len() as u64;
        Ok(())
    }

    fn read(&self, partition: usize, entries: &mut Vec<u8>) -> Result<()> {
        for (at, length) in &self.pieces[partition] {
            let start = entries.len();
            entries.resize(start + length, 0);
            self.file.read_exact_at(&mut entries[start..], *at).map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

fn failed(error: &io::Error) -> Error {
    let folder = std::env::temp_dir();
    Error::new(ErrorKind::Storage, "read lake", "the keys of records do not fit into memory, nor beside it")
        .caused_by(io::Error::new(error.kind(), error.to_string()))
        .with("folder", folder.display())
        .hint("give more memory, or name a folder with more room in TMPDIR")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Row = (u8, u32, u8, Option<(u32, u32)>);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (0u8..6, 0u32..4, 0u8..3, proptest::option::of((0u32..3, 0u32..5)));
        proptest::collection::vec(row, 0..80)
    }

    /// What is newest of each key, by the rule: of the latest run; of its rows by version, then by position; a deletion counts
    /// before all rows of its run.
    fn naive(rows: &[Row], by_version: bool, oldest: bool) -> BTreeMap<u8, Option<RowPosition>> {
        let mut newest: BTreeMap<u8, (u32, bool, u8, u32, u32)> = BTreeMap::new();
        for (key, run, version, at) in rows {
            let version = if by_version { *version } else { 0 };
            let order = match at {
                Some((object, row)) => (*run * 10, true, version, *run * 10 + 1 + object, *row),
                None => (*run * 10, false, 0, 0, 0),
            };
            let known = newest.entry(*key).or_insert(order);
            *known = if oldest { order.min(*known) } else { order.max(*known) };
        }
        let position = |(_, is_row, _, object, row): (u32, bool, u8, u32, u32)| {
            is_row.then_some(RowPosition { object, row })
        };
        newest.into_iter().map(|(key, order)| (key, position(order))).collect()
    }

    fn gathered(rows: &[Row], layout: EntryLayout, limit: usize) -> BTreeMap<u8, Vec<Option<RowPosition>>> {
        let mut entries = Entries::new(layout, limit);
        for (key, run, version, at) in rows {
            // A deletion has no version.
            let version_bytes = [if at.is_some() { 1 + *version } else { 0 }; VERSION_BYTES];
            let entry = Entry {
                key: &[*key; KEY_BYTES],
                run: run * 10,
                version: &version_bytes,
                position: at.map(|(object, row)| RowPosition { object: run * 10 + 1 + object, row }),
                content: &[*version; CONTENT_BYTES],
            };
            let mut bytes = Vec::new();
            entry.write(layout, &mut bytes);
            entries.add(&bytes).unwrap();
        }
        let mut found = BTreeMap::new();
        entries
            .each_key(|versions| {
                let positions = versions.iter().map(|version| version.position()).collect();
                assert!(found.insert(versions[0].key()[0], positions).is_none(), "a key comes once");
                Ok(())
            })
            .unwrap();
        found
    }

    proptest! {
        #[test]
        fn the_version_that_counts_is_the_same_however_little_fits_into_memory(
            rows in rows(), version in any::<bool>(), oldest in any::<bool>(), limit in prop_oneof![Just(0usize), Just(300), Just(1_000_000)],
        ) {
            let layout = EntryLayout { version, keep: if oldest { Keep::Oldest } else { Keep::Newest } };
            let newest: BTreeMap<_, _> = gathered(&rows, layout, limit)
                .into_iter()
                .map(|(key, versions)| (key, *if oldest { versions.first() } else { versions.last() }.unwrap()))
                .collect();
            prop_assert_eq!(newest, naive(&rows, version, oldest));
        }

        #[test]
        fn no_version_is_dropped_where_all_are_requested(
            rows in rows(), version in any::<bool>(), limit in prop_oneof![Just(0usize), Just(300), Just(1_000_000)],
        ) {
            let layout = EntryLayout { version, keep: Keep::All };
            let found = gathered(&rows, layout, limit);
            prop_assert_eq!(found.values().map(Vec::len).sum::<usize>(), rows.len());
        }
    }
}
