//! Sorts entries of one size, however many: what has no room in memory goes to a temporary file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
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

    fn spill(&mut self) -> Result<()> {
        self.newest.sort_unstable();
        self.newest.dedup();
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile().map_err(failed)?,
        };
        let start = self.stretches.last().map_or(0, |stretch| stretch.end);
        file.write_all_at(self.newest.as_flattened(), start * N as u64).map_err(failed)?;
        self.stretches.push(start..start + self.newest.len() as u64);
        self.newest.clear();
        self.file = Some(file);
        Ok(())
    }

    /// All entries, in order.
    pub fn finish(mut self) -> Result<Sorted<N>> {
        if self.file.is_some() && !self.newest.is_empty() {
            self.spill()?;
        }
        self.newest.sort_unstable();
        self.newest.dedup();
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
            sorted.advance(number)?;
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
        while let Some(Reverse((entry, number))) = self.heads.pop() {
            self.advance(number)?;
            if self.last.replace(entry) != Some(entry) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Puts the next entry of a stretch among the heads.
    fn advance(&mut self, number: usize) -> Result<()> {
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
        if let Some(entry) = stretch.window.next() {
            self.heads.push(Reverse((entry, number)));
        }
        Ok(())
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Storage, "sort keys", "the temporary file cannot be used")
        .caused_by(error)
        .hint("there must be room in the folder for temporary files (`TMPDIR`)")
}

#[cfg(test)]
mod tests {
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
            let expected: Vec<_> = entries.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
            prop_assert_eq!(sorted(in_memory, &entries), expected);
        }
    }
}
