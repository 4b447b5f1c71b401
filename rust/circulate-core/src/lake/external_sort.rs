//! Sorts entries of one size, however many: what has no room in memory goes to a temporary file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::error::{Error, ErrorKind, Result};

/// Entries of a sorted stretch of the file that are read at a time.
const WINDOW: usize = 256;
/// The least that is sorted at a time: fewer would make stretches without number.
const LEAST: usize = 1024;

/// Takes entries in.
#[derive(Debug)]
pub struct Sorter<const N: usize> {
    newest: Vec<[u8; N]>,
    in_memory: usize,
    file: Option<File>,
    /// Sorted stretches of the file, in entries.
    stretches: Vec<Range<u64>>,
}

impl<const N: usize> Sorter<N> {
    /// One that holds so many bytes.
    pub fn new(bytes: u64) -> Self {
        let in_memory = usize::try_from(bytes).unwrap_or(usize::MAX) / N;
        Self { newest: Vec::new(), in_memory: in_memory.max(LEAST), file: None, stretches: Vec::new() }
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: [u8; N]) -> Result<()> {
        if self.newest.len() == self.in_memory {
            self.spill()?;
        }
        self.newest.push(entry);
        Ok(())
    }

    /// Adds entries that are in order, each once.
    pub fn push_sorted(&mut self, entries: &[[u8; N]]) -> Result<()> {
        // Few are sorted with others: each stretch takes a window of memory once all are merged.
        if entries.len() < self.in_memory / 4 {
            return entries.iter().try_for_each(|entry| self.push(*entry));
        }
        Self::append(&mut self.file, &mut self.stretches, entries)
    }

    fn spill(&mut self) -> Result<()> {
        sort(&mut self.newest);
        Self::append(&mut self.file, &mut self.stretches, &self.newest)?;
        self.newest.clear();
        Ok(())
    }

    /// Writes a sorted stretch behind the others.
    fn append(file: &mut Option<File>, stretches: &mut Vec<Range<u64>>, entries: &[[u8; N]]) -> Result<()> {
        let file = match file {
            Some(file) => file,
            None => file.insert(tempfile::tempfile().map_err(failed)?),
        };
        let start = stretches.last().map_or(0, |stretch| stretch.end);
        file.write_all_at(entries.as_flattened(), start * N as u64).map_err(failed)?;
        stretches.push(start..start + entries.len() as u64);
        Ok(())
    }

    /// All entries, in order.
    pub fn finish(mut self) -> Result<Sorted<N>> {
        if self.file.is_some() && !self.newest.is_empty() {
            self.spill()?;
        }
        sort(&mut self.newest);
        let memory = self.newest.into_iter();
        let Some(file) = self.file else {
            return Ok(Sorted {
                memory,
                file: None,
                stretches: Vec::new(),
                heads: BinaryHeap::new(),
                last: None,
            });
        };
        drop(memory);
        let stretches =
            self.stretches.into_iter().map(|left| Stretch { left, window: Vec::new().into_iter() });
        let mut sorted = Sorted {
            memory: Vec::new().into_iter(),
            file: Some(file),
            stretches: stretches.collect(),
            heads: BinaryHeap::new(),
            last: None,
        };
        for number in 0..sorted.stretches.len() {
            if let Some(entry) = sorted.read_next(number)? {
                sorted.heads.push(Reverse((entry, number)));
            }
        }
        Ok(sorted)
    }
}

/// Gives entries out in order, equal ones once.
#[derive(Debug)]
pub struct Sorted<const N: usize> {
    memory: std::vec::IntoIter<[u8; N]>,
    file: Option<File>,
    stretches: Vec<Stretch<N>>,
    /// The next entry of each stretch.
    heads: BinaryHeap<Reverse<([u8; N], usize)>>,
    last: Option<[u8; N]>,
}

#[derive(Debug)]
struct Stretch<const N: usize> {
    /// What was not read yet.
    left: Range<u64>,
    window: std::vec::IntoIter<[u8; N]>,
}

impl<const N: usize> Sorted<N> {
    /// The next entry.
    pub fn take_next(&mut self) -> Result<Option<[u8; N]>> {
        if self.file.is_none() {
            return Ok(self.memory.next());
        }
        while let Some(Reverse((entry, number))) = self.heads.peek().copied() {
            let next = self.read_next(number)?;
            if let Some(mut head) = self.heads.peek_mut() {
                match next {
                    Some(next) => *head = Reverse((next, number)),
                    None => drop(PeekMut::pop(head)),
                }
            }
            if self.last.replace(entry) != Some(entry) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The next entry of a stretch.
    fn read_next(&mut self, number: usize) -> Result<Option<[u8; N]>> {
        let stretch = &mut self.stretches[number];
        if stretch.window.len() == 0
            && let Some(file) = &self.file
        {
            let entries = (stretch.left.end - stretch.left.start).min(WINDOW as u64);
            let mut window = vec![[0; N]; usize::try_from(entries).unwrap_or(WINDOW)];
            file.read_exact_at(window.as_flattened_mut(), stretch.left.start * N as u64).map_err(failed)?;
            stretch.left.start += entries;
            stretch.window = window.into_iter();
        }
        Ok(stretch.window.next())
    }
}

/// Puts entries in order, each once.
pub fn sort<const N: usize>(entries: &mut Vec<[u8; N]>) {
    // Most entries have no parents, so that they begin with 16 zeros: numbers tell them apart faster than bytes do.
    entries.sort_unstable_by(|one, other| halves(one).cmp(&halves(other)).then_with(|| one.cmp(other)));
    entries.dedup();
}

/// The first 32 bytes of an entry, with zeros behind one that has fewer.
fn halves<const N: usize>(entry: &[u8; N]) -> (u128, u128) {
    let mut bytes = [0; 32];
    let length = N.min(32);
    bytes[..length].copy_from_slice(&entry[..length]);
    let (first, second) = bytes.split_at(16);
    let number = |half: &[u8]| half.first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
    (number(first), number(second))
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Storage, "sort keys", "the temporary file cannot be used")
        .caused_by(error)
        .hint("there must be room in the folder for temporary files (`TMPDIR`)")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn sorted<const N: usize>(in_memory: usize, entries: &[[u8; N]]) -> Vec<[u8; N]> {
        let mut sorter = Sorter { in_memory, ..Sorter::new(0) };
        for entry in entries {
            sorter.push(*entry).unwrap();
        }
        let mut all = sorter.finish().unwrap();
        std::iter::from_fn(|| all.take_next().unwrap()).collect()
    }

    /// One that differs from others in its middle and behind its first 32 bytes only.
    fn with_end(bytes: [u8; 32]) -> [u8; 34] {
        let mut entry = [0; 34];
        entry[15..18].copy_from_slice(&bytes[..3]);
        entry[32..].copy_from_slice(&bytes[3..5]);
        entry
    }

    #[test]
    fn more_than_fits_in_memory_is_sorted_too() {
        let entries: Vec<_> =
            (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) % 7_001).to_be_bytes()).collect();
        let mut expected = entries.clone();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(sorted(300, &entries), expected);
        assert_eq!(sorted(usize::MAX, &entries), expected);
    }

    proptest! {
        #[test]
        fn each_entry_comes_once_and_in_order(
            entries in proptest::collection::vec(any::<[u8; 2]>(), 0..400), in_memory in 1_usize..50,
        ) {
            let expected: Vec<_> = entries.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            prop_assert_eq!(sorted(in_memory, &entries), expected);
        }

        #[test]
        fn sorted_stretches_and_single_entries_come_together(
            stretches in proptest::collection::vec(proptest::collection::btree_set(any::<[u8; 33]>(), 0..40), 0..12),
            single in proptest::collection::vec(any::<[u8; 33]>(), 0..40), in_memory in 1_usize..60,
        ) {
            let mut sorter = Sorter { in_memory, ..Sorter::new(0) };
            let mut expected: BTreeSet<_> = single.iter().copied().collect();
            for stretch in &stretches {
                sorter.push_sorted(&stretch.iter().copied().collect::<Vec<_>>()).unwrap();
                expected.extend(stretch);
            }
            for entry in &single {
                sorter.push(*entry).unwrap();
            }
            let mut all = sorter.finish().unwrap();
            let all: Vec<_> = std::iter::from_fn(|| all.take_next().unwrap()).collect();
            prop_assert_eq!(all, expected.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn entries_of_any_size_are_in_the_order_of_their_bytes(
            mut short in proptest::collection::vec(proptest::array::uniform3(0_u8..3), 0..60),
            mut long in proptest::collection::vec(proptest::array::uniform32(0_u8..2).prop_map(with_end), 0..60),
        ) {
            let expected: Vec<_> = short.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            sort(&mut short);
            prop_assert_eq!(short, expected);
            let expected: Vec<_> = long.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            sort(&mut long);
            prop_assert_eq!(long, expected);
        }
    }
}
