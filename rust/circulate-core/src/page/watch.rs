//! What the splitter looks for on its way through a page.

use crate::catalog::{Empty, Pointer};

/// Where a page holds its records, and which other values are wanted from it.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    records: Pointer,
    paths: Vec<WatchedPath>,
    record_fields: usize,
    empty: Empty,
}

#[derive(Debug, Clone)]
struct WatchedPath {
    pointer: Pointer,
    /// Relative to each record instead of to the page.
    in_record: bool,
}

impl Watch {
    /// Records in the array at `records`; of each record the members at `record_fields`, and of the page around
    /// them the members at `page_fields`. At most 31 fields in all.
    pub fn new(records: Pointer, record_fields: &[Pointer], page_fields: &[Pointer]) -> Self {
        debug_assert!(record_fields.len() + page_fields.len() < 32, "masks are 32 bits wide");
        let paths_at = |pointers: &[Pointer], in_record: bool| -> Vec<WatchedPath> {
            pointers.iter().map(|pointer| WatchedPath { pointer: pointer.clone(), in_record }).collect()
        };
        let mut paths = paths_at(record_fields, true);
        paths.extend(paths_at(page_fields, false));
        Self { records, paths, record_fields: record_fields.len(), empty: Empty::default() }
    }

    /// The same, where other things than an empty array count as an empty list.
    pub fn with_empty(self, empty: Empty) -> Self {
        Self { empty, ..self }
    }

    /// What counts as an empty list, beside an empty array.
    pub fn empty(&self) -> &Empty {
        &self.empty
    }

    /// Whether the page itself is the array of records.
    pub(super) fn records_are_the_page(&self) -> bool {
        self.records.segments().is_empty()
    }

    /// How many members of each record are watched.
    pub fn record_fields(&self) -> usize {
        self.record_fields
    }

    /// How many members of the page are watched.
    pub fn page_fields(&self) -> usize {
        self.paths.len() - self.record_fields
    }

    /// A bit for each path that starts at the page, or at a record.
    pub(super) fn roots(&self, in_record: bool) -> u32 {
        let bits = self.paths.iter().enumerate().filter(|(_, path)| path.in_record == in_record);
        bits.fold(if in_record { 0 } else { RECORDS }, |mask, (index, _)| mask | 1 << index)
    }

    pub(super) fn segments(&self, bit: u32) -> &[String] {
        if bit == RECORDS {
            self.records.segments()
        } else {
            self.paths[bit.trailing_zeros() as usize].pointer.segments()
        }
    }
}

/// The bit of the path that leads to the records.
pub(super) const RECORDS: u32 = 1 << 31;
