//! A JSON document that is written and split at the same time.

use crate::page::record::{ByteSpan, Problem, Split, SplitError, Splitter};

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyError {
    /// In which line of the body, from 1 on, if it consists of lines.
    pub(crate) line: Option<u64>,
    pub(crate) error: SplitError,
}

impl BodyError {
    /// What is wrong in a line.
    pub(super) fn in_line(line: u64, problem: Problem) -> Self {
        Self { line: Some(line), error: SplitError { offset: 0, problem } }
    }
}

impl From<SplitError> for BodyError {
    fn from(error: SplitError) -> Self {
        Self { line: None, error }
    }
}

/// What was written since the last [`restart`](Document::restart), and the splitter that has seen all of it.
#[derive(Debug)]
pub(super) struct Document<'w> {
    splitter: Splitter<'w>,
    piece: Vec<u8>,
    begun: bool,
}

impl<'w> Document<'w> {
    pub(super) fn new(splitter: Splitter<'w>) -> Self {
        Self { splitter, piece: Vec::new(), begun: false }
    }

    /// Begins its next piece.
    pub(super) fn restart(&mut self) -> &mut Self {
        self.piece.clear();
        self
    }

    pub(super) fn error_fields(&self) -> &[Option<ByteSpan>] {
        self.splitter.error_fields()
    }

    pub(super) fn piece(&self) -> &[u8] {
        &self.piece
    }

    /// Splits a piece that is not written here.
    pub(super) fn check(&mut self, piece: &[u8]) -> Result<(), SplitError> {
        self.splitter.feed(piece)
    }

    /// Writes what comes next.
    pub(super) fn write(&mut self, parts: &[&[u8]]) -> Result<(), SplitError> {
        let start = self.piece.len();
        for part in parts {
            self.piece.extend_from_slice(part);
        }
        self.begun = true;
        self.splitter.feed(&self.piece[start..])
    }

    /// Writes a record, after the `start` of the document or a comma; returns whether it was exactly one.
    pub(super) fn write_record(&mut self, start: &[u8], record: &[u8]) -> Result<bool, SplitError> {
        let before = self.splitter.count();
        let separator = if before == 0 && !self.begun { start } else { b"," };
        self.write(&[separator, record])?;
        Ok(self.splitter.is_behind_record() && self.splitter.count() == before + 1)
    }

    /// Whether anything was written.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether a record has begun and not ended.
    pub(super) fn is_in_record(&self) -> bool {
        self.splitter.is_in_record()
    }

    pub(super) fn finish(self) -> Result<Split, BodyError> {
        Ok(self.splitter.finish()?)
    }
}
