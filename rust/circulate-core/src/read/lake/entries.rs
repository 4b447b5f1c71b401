//! Where the versions of records stand, gathered by key in bounded memory.
//!
//! Entries have a fixed width and sort as their bytes do: by key, then from the oldest version to the newest. They are gathered
//! up to a limit. Beyond it older versions are dropped where only the newest count; what is left goes to a file without a name in
//! the system's folder for such files, from which it is read in partitions by the first byte of the key.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::record_key::KEY_BYTES;

/// What stands in front of a record in its run: its version, as bytes that sort as versions do.
pub(crate) const VERSION_BYTES: usize = 17;
/// The digest of what a record holds.
pub(super) const CONTENT_BYTES: usize = 16;
/// Parts by the first byte of a key.
const PARTITIONS: usize = 256;
/// Bytes of the widest entry.
const WIDEST: usize = KEY_BYTES + 12 + VERSION_BYTES + CONTENT_BYTES;

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

/// A version among those of its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct VersionOfKey<'e> {
    pub(super) version: EntryVersion<'e>,
    /// The one before it.
    pub(super) before: Option<EntryVersion<'e>>,
    /// Whether none comes after it.
    pub(super) is_newest: bool,
}

impl<'e> VersionOfKey<'e> {
    /// An entry with its neighbours, which may be of other keys.
    fn new(layout: EntryLayout, before: Option<&'e [u8]>, bytes: &'e [u8], after: Option<&[u8]>) -> Self {
        let version = EntryVersion { bytes, layout };
        let before = before.map(|bytes| EntryVersion { bytes, layout });
        Self {
            version,
            before: before.filter(|before| before.key() == version.key()),
            is_newest: after.is_none_or(|after| after[..KEY_BYTES] != *version.key()),
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |four| u32::from_be_bytes(*four))
}

/// Entries of the records of one account.
#[derive(Debug)]
pub(super) struct Entries {
    layout: EntryLayout,
    /// What is in memory, one after the other. In one piece, so that all of it is given back at once.
    held: Vec<u8>,
    limit: usize,
    spill: Option<Spill>,
}

impl Entries {
    /// Takes about `limit` bytes of memory.
    pub(super) fn new(layout: EntryLayout, limit: usize) -> Self {
        Self { layout, held: Vec::new(), limit, spill: None }
    }

    /// Adds entries that stand one after the other.
    pub(super) fn add(&mut self, entries: &[u8]) -> Result<()> {
        if self.held.len() + entries.len() > self.limit {
            self.make_room()?;
        }
        if self.held.capacity() - self.held.len() < entries.len() {
            let twice = self.held.len().min(self.limit.saturating_sub(self.held.len()));
            self.held.reserve_exact(twice.max(entries.len()));
        }
        self.held.extend_from_slice(entries);
        Ok(())
    }

    fn make_room(&mut self) -> Result<()> {
        sort(self.layout, &mut self.held);
        if !self.layout.keeps_all() {
            keep_one(self.layout, &mut self.held);
            // Otherwise few more would fit before the next time.
            if self.held.len() <= self.limit / 2 {
                return Ok(());
            }
        }
        self.spill()
    }

    /// Moves what is sorted to the file.
    fn spill(&mut self) -> Result<()> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::new()?),
        };
        spill.write(self.layout, &self.held)?;
        self.held.clear();
        Ok(())
    }

    /// Bytes that did not fit into memory.
    pub(super) fn spilled(&self) -> u64 {
        self.spill.as_ref().map_or(0, |spill| spill.end)
    }

    /// Goes through the versions of one key after the other, from the oldest to the newest: all of them, or those that are left.
    pub(super) fn each_version(mut self, mut each: impl FnMut(VersionOfKey<'_>)) -> Result<()> {
        sort(self.layout, &mut self.held);
        if self.spill.is_some() {
            self.spill()?;
        }
        let Self { layout, held, limit, spill } = self;
        let Some(spill) = spill else {
            each_of(layout, &held, &mut each);
            return Ok(());
        };
        drop(held);
        let mut entries = Vec::new();
        for partition in 0..PARTITIONS {
            if spill.bytes(partition) > limit / 2 {
                spill.merge(partition, layout, limit / 2, &mut each)?;
            } else {
                spill.read(partition, &mut entries)?;
                sort(layout, &mut entries);
                each_of(layout, &entries, &mut each);
            }
        }
        Ok(())
    }
}

/// Goes through sorted entries.
fn each_of(layout: EntryLayout, entries: &[u8], each: &mut impl FnMut(VersionOfKey<'_>)) {
    let mut entries = entries.chunks_exact(layout.width()).peekable();
    let mut before = None;
    while let Some(bytes) = entries.next() {
        each(VersionOfKey::new(layout, before, bytes, entries.peek().copied()));
        before = Some(bytes);
    }
}

/// The widths that entries can have.
fn sort(layout: EntryLayout, entries: &mut [u8]) {
    match layout.width() {
        28 => sort_entries(entries.as_chunks_mut::<28>().0),
        44 => sort_entries(entries.as_chunks_mut::<44>().0),
        45 => sort_entries(entries.as_chunks_mut::<45>().0),
        61 => sort_entries(entries.as_chunks_mut::<61>().0),
        width => unreachable!("no entry has {width} bytes"),
    }
}

/// Sorts by the first byte, which is that of a digest, and then parts that fit into caches.
fn sort_entries<const WIDTH: usize>(entries: &mut [[u8; WIDTH]]) {
    let mut ends = [0; PARTITIONS];
    for entry in &*entries {
        ends[usize::from(entry[0])] += 1;
    }
    let (mut next, mut start) = ([0; PARTITIONS], 0);
    for (next, end) in next.iter_mut().zip(&mut ends) {
        *next = start;
        *end += start;
        start = *end;
    }
    let starts = next;
    for partition in 0..PARTITIONS {
        while next[partition] < ends[partition] {
            let bucket = usize::from(entries[next[partition]][0]);
            entries.swap(next[partition], next[bucket]);
            next[bucket] += 1;
        }
    }
    for (start, end) in starts.into_iter().zip(ends) {
        entries[start..end].sort_unstable_by(|one, other| {
            let front = |entry: &[u8; WIDTH]| entry.first_chunk().map(|eight| u64::from_be_bytes(*eight));
            front(one).cmp(&front(other)).then_with(|| one.cmp(other))
        });
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

/// Entries that did not fit into memory, in sorted runs.
#[derive(Debug)]
struct Spill {
    file: File,
    end: u64,
    /// Where the pieces of each partition stand, one of each run, with their lengths.
    pieces: Vec<Vec<(u64, usize)>>,
}

impl Spill {
    fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(|error| failed(&error))?;
        Ok(Self { file, end: 0, pieces: vec![Vec::new(); PARTITIONS] })
    }

    /// Writes entries that are sorted.
    fn write(&mut self, layout: EntryLayout, entries: &[u8]) -> Result<()> {
        self.file.write_all(entries).map_err(|error| failed(&error))?;
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let of_partition = rest.chunks_exact(layout.width()).take_while(|entry| entry[0] == *first);
            let length = of_partition.count() * layout.width();
            self.pieces[usize::from(*first)].push((self.end, length));
            self.end += length as u64;
            rest = &rest[length..];
        }
        Ok(())
    }

    /// Bytes of a partition.
    fn bytes(&self, partition: usize) -> usize {
        self.pieces[partition].iter().map(|(_, length)| length).sum()
    }

    /// Reads a partition, piece after piece.
    fn read(&self, partition: usize, entries: &mut Vec<u8>) -> Result<()> {
        entries.resize(self.bytes(partition), 0);
        let mut rest = &mut entries[..];
        for (at, length) in &self.pieces[partition] {
            let (piece, after) = rest.split_at_mut(*length);
            self.file.read_exact_at(piece, *at).map_err(|error| failed(&error))?;
            rest = after;
        }
        Ok(())
    }

    /// Goes through a partition that is too large to be read as a whole, as one of few keys with very many versions may be.
    fn merge(
        &self,
        partition: usize,
        layout: EntryLayout,
        memory: usize,
        each: &mut impl FnMut(VersionOfKey<'_>),
    ) -> Result<()> {
        let pieces = &self.pieces[partition];
        let at_once = (memory / pieces.len().max(1) / layout.width()).clamp(1, 1024) * layout.width();
        let mut readers: Vec<_> = pieces
            .iter()
            .map(|(at, length)| PieceReader {
                file: &self.file,
                at: *at,
                left: *length,
                at_once,
                width: layout.width(),
                buffer: Vec::new(),
                next: 0,
            })
            .collect();
        let mut heads = BinaryHeap::new();
        for (number, reader) in readers.iter_mut().enumerate() {
            heads.extend(reader.next()?.map(|entry| Reverse((entry, number))));
        }
        let mut before = None;
        while let Some(Reverse((entry, number))) = heads.pop() {
            heads.extend(readers[number].next()?.map(|entry| Reverse((entry, number))));
            let after = heads.peek().map(|Reverse((entry, _))| &entry[..]);
            let before_it = before.as_ref().map(|entry: &[u8; WIDEST]| &entry[..layout.width()]);
            each(VersionOfKey::new(layout, before_it, &entry[..layout.width()], after));
            before = Some(entry);
        }
        Ok(())
    }
}

/// A sorted piece that is read some entries at a time.
struct PieceReader<'f> {
    file: &'f File,
    at: u64,
    left: usize,
    at_once: usize,
    width: usize,
    buffer: Vec<u8>,
    /// Where the next entry stands in the buffer.
    next: usize,
}

impl PieceReader<'_> {
    fn next(&mut self) -> Result<Option<[u8; WIDEST]>> {
        if self.next == self.buffer.len() {
            if self.left == 0 {
                return Ok(None);
            }
            self.buffer.resize(self.at_once.min(self.left), 0);
            self.file.read_exact_at(&mut self.buffer, self.at).map_err(|error| failed(&error))?;
            self.at += self.buffer.len() as u64;
            self.left -= self.buffer.len();
            self.next = 0;
        }
        let mut entry = [0; WIDEST];
        entry[..self.width].copy_from_slice(&self.buffer[self.next..self.next + self.width]);
        self.next += self.width;
        Ok(Some(entry))
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
        let mut found = BTreeMap::<_, Vec<_>>::new();
        let mut is_within = false;
        entries
            .each_version(|VersionOfKey { version, before, is_newest }| {
                let of_key: &mut Vec<_> = found.entry(version.key()[0]).or_default();
                assert_eq!(of_key.is_empty(), !is_within, "a key comes once");
                assert_eq!(before.map(EntryVersion::position), of_key.last().copied());
                of_key.push(version.position());
                is_within = !is_newest;
            })
            .unwrap();
        assert!(!is_within, "the last version is the newest of its key");
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
