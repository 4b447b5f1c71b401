//! What a conversion keeps beside the columns: the values that had no place, and what drifted.

use std::collections::HashSet;

use super::drift::{Drift, DriftKind};
use super::misfit::Misfit;
use crate::table::json::ConversionError;

/// Longest part of a value that is kept as an example, and of a path, in characters.
const EXAMPLE: usize = 100;
const PATH: usize = 500;

/// Bytes that the lists of one record may take as columns, and that its rescued values may: `[{},{},...]` is three bytes an
/// element as text, and nine for each column of its members. It is the same whatever the memory budget, so that this does not
/// decide what is in which column.
const MAX_RECORD_BYTES: usize = 16_000_000;
/// Bytes of room for rescued values that the next record finds again.
const ROOM_KEPT: usize = 256 * 1024;
/// Values of one record that are rescued one by one.
const MAX_RESCUED: usize = 100_000;
/// What drifted in one record that is counted one by one.
const MAX_DRIFTED: usize = 1_000;

/// Notes on the record that is being converted, and what it takes to write them.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of the record, and none follows from another"
)]
pub(crate) struct DriftRecorder {
    /// Objects are read member by member first, since one of them repeats a key.
    pub(super) careful: bool,
    /// Objects become columns themselves, so that an empty one looks like none.
    pub(super) flatten: bool,
    /// Nothing is kept of what has no place in the columns: somebody wants these columns and nothing else.
    pub(crate) muted: bool,
    /// The record holds something that the schema could grow by.
    pub(crate) fresh: bool,
    /// Where the conversion is: a JSON Pointer as the text of a JSON string.
    pointer: Vec<u8>,
    /// The members of the rescue column's object.
    rescued: Vec<u8>,
    /// Where they stood.
    rescued_paths: HashSet<Vec<u8>, ahash::RandomState>,
    drifted: Vec<(String, DriftKind, String)>,
    /// What drifted beside these.
    drifted_more: u64,
    /// The rescued values take more than they may.
    too_wide: bool,
    /// The record is rescued as a whole.
    whole: bool,
    /// Bytes that the elements of lists take in columns, since this was [taken](Self::begin_batch).
    elements: usize,
    /// As of the beginning of the record.
    elements_before: usize,
}

impl DriftRecorder {
    pub(crate) fn new(flatten: bool) -> Self {
        Self { flatten, ..Self::default() }
    }

    /// Begins to count what elements of lists take.
    pub(crate) fn begin_batch(&mut self) {
        self.elements = 0;
        self.elements_before = 0;
    }

    /// Bytes that elements of lists take in columns.
    pub(crate) fn elements(&self) -> usize {
        self.elements
    }

    /// Counts an element of a list that takes so many bytes in its columns, whatever it holds.
    #[inline]
    pub(super) fn count_element(&mut self, bytes: usize) -> Result<(), ConversionError> {
        self.elements += bytes;
        if self.elements - self.elements_before > MAX_RECORD_BYTES {
            Err(ConversionError::TooWide)
        } else {
            Ok(())
        }
    }

    /// Whether the record is to be kept as a whole.
    pub(crate) fn is_too_wide(&self) -> bool {
        self.too_wide
    }

    /// Goes to the next record.
    pub(crate) fn next_record(&mut self) {
        self.elements_before = self.elements;
    }

    /// Forgets what was noted of the record.
    pub(crate) fn begin(&mut self, careful: bool) {
        self.careful = careful;
        self.elements = self.elements_before;
        self.drifted_more = 0;
        self.too_wide = false;
        self.whole = false;
        self.fresh = false;
        self.pointer.clear();
        self.rescued.clear();
        self.rescued_paths.clear();
        self.drifted.clear();
    }

    /// Goes to a member; the mark leads back.
    #[inline]
    pub(crate) fn enter(&mut self, segment: &[u8]) -> usize {
        let mark = self.pointer.len();
        self.pointer.extend_from_slice(segment);
        mark
    }

    pub(super) fn enter_element(&mut self, number: usize) -> usize {
        self.enter(format!("/{number}").as_bytes())
    }

    #[inline]
    pub(crate) fn leave(&mut self, mark: usize) {
        self.pointer.truncate(mark);
    }

    /// Keeps the value that stands here.
    pub(super) fn rescue(&mut self, value: &[u8]) {
        if self.muted {
            return;
        }
        let with_it = self.rescued.len() + self.pointer.len() + value.len();
        self.too_wide |= with_it > MAX_RECORD_BYTES || self.rescued_paths.len() == MAX_RESCUED;
        if self.too_wide {
            return;
        }
        let separator: &[u8] = if self.rescued.is_empty() { b"\"" } else { b",\"" };
        for part in [separator, &self.pointer, b"\":", value] {
            self.rescued.extend_from_slice(part);
        }
        self.rescued_paths.insert(self.pointer.clone());
    }

    /// Whether a value that stood here was kept.
    pub(super) fn has_rescued_here(&self) -> bool {
        self.rescued_paths.contains(&self.pointer)
    }

    /// Keeps the record as a whole, which is what the empty JSON Pointer names.
    pub(crate) fn rescue_record(&mut self, record: &[u8]) {
        self.whole = true;
        self.note(String::new(), DriftKind::TooWide, record);
    }

    pub(super) fn note(&mut self, path: String, kind: DriftKind, value: &[u8]) {
        if self.muted {
            return;
        }
        if self.drifted.len() == MAX_DRIFTED {
            self.drifted_more += 1;
            return;
        }
        // A character has at most four bytes.
        let start = value.get(..value.len().min(4 * EXAMPLE)).unwrap_or_default();
        let example = String::from_utf8_lossy(start).chars().take(EXAMPLE).collect();
        let path = if path.len() > PATH { path.chars().take(PATH).collect() } else { path };
        self.drifted.push((path, kind, example));
    }

    /// Keeps a value that its column can't hold.
    pub(super) fn misfit(&mut self, misfit: Misfit, path: &str, expected: &'static str, value: &[u8]) {
        self.rescue(value);
        let kind = match misfit {
            Misfit::Type(first) => DriftKind::of_type(expected, type_word(first)),
            Misfit::NotWhole => DriftKind::of_type(expected, "number"),
            Misfit::Range => DriftKind::OutOfRange,
            Misfit::Digits => DriftKind::TooManyDigits,
            Misfit::NotATime => DriftKind::NotATime,
            Misfit::NotUnicode => DriftKind::NotUnicode,
        };
        self.note(path.to_owned(), kind, value);
    }

    /// Writes the object of the record's rescued values, if there are any, and counts what drifted.
    pub(crate) fn end(
        &mut self,
        record: &[u8],
        drift: &mut Drift,
        write: impl FnOnce(&[&[u8]]) -> Result<(), ConversionError>,
    ) -> Result<(), ConversionError> {
        for (path, kind, example) in self.drifted.drain(..) {
            drift.count(path, kind, example);
        }
        drift.count_others(std::mem::take(&mut self.drifted_more));
        if self.whole {
            return write(&[b"{\"\":", record, b"}"]);
        }
        if self.rescued.is_empty() {
            return Ok(());
        }
        write(&[b"{", &self.rescued, b"}"])?;
        if self.rescued.capacity() > ROOM_KEPT {
            self.rescued = Vec::new();
        }
        Ok(())
    }
}

fn type_word(first: u8) -> &'static str {
    match first {
        b'"' => "string",
        b'{' => "object",
        b'[' => "list",
        b't' | b'f' => "boolean",
        _ => "number",
    }
}
