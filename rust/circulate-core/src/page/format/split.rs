//! Records that a hook has made of a page.

use bytes::Bytes;

use super::document::{BodyError, Document};
use crate::page::record::Problem;

/// Records become the elements of an array.
#[derive(Debug, Default)]
pub(super) struct SplitReader {
    /// How many came.
    records: u64,
}

impl SplitReader {
    pub(super) fn feed(&mut self, records: &[Bytes], document: &mut Document<'_>) -> Result<(), BodyError> {
        for record in records {
            self.records += 1;
            match document.write_record(b"[", record) {
                Ok(true) => {}
                Ok(false) => {
                    return Err(BodyError::in_line(self.records, Problem::Truncated));
                }
                Err(error) => return Err(BodyError { line: Some(self.records), error }),
            }
        }
        Ok(())
    }

    pub(super) fn end(document: &mut Document<'_>) -> Result<(), BodyError> {
        let end: &[u8] = if document.has_begun() { b"]" } else { b"[]" };
        Ok(document.write(&[end])?)
    }
}
