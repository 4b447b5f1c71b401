//! Columns of lists.

use arrow_array::ListArray;
use arrow_schema::ArrowError;
use arrow_schema::FieldRef;

use super::column::{Values, nulls};
use super::drift_recorder::DriftRecorder;
use super::json_reader::{ConversionError, JsonReader};

/// Lists one after the other: their elements, and where each list ends.
#[derive(Debug)]
pub(super) struct ListColumn {
    pub(super) element: Values,
    pub(super) element_field: FieldRef,
    /// Where its elements stand, for the drift report.
    pub(super) path: String,
    /// Bytes that an element takes, whatever it holds.
    element_bytes: usize,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl ListColumn {
    pub(super) fn new(element: Values, element_field: FieldRef, path: String) -> Self {
        let element_bytes = element.null_bytes();
        Self { element, element_field, path, element_bytes, offsets: vec![0], valid: Vec::new() }
    }

    /// Appends the list that comes next.
    pub(super) fn append(
        &mut self,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        let first = self.element.len();
        cursor.expect(b'[')?;
        if !cursor.take(b']')? {
            loop {
                self.append_element(first, cursor, notes)?;
                if !cursor.another(b']')? {
                    break;
                }
            }
        }
        self.offsets.push(i32::try_from(self.element.len()).map_err(|_| ConversionError::TooLarge)?);
        self.valid.push(true);
        Ok(())
    }

    fn append_element(
        &mut self,
        first: usize,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        notes.count_element(self.element_bytes)?;
        let number = self.element.len() - first;
        let start = cursor.at();
        let inside =
            matches!(self.element, Values::Object(_) | Values::List(_)).then(|| notes.enter_element(number));
        let misfit = self.element.append(cursor, notes)?;
        if let Some(mark) = inside {
            notes.leave(mark);
        }
        if let Some(misfit) = misfit {
            let mark = notes.enter_element(number);
            notes.misfit(misfit, &self.path, self.element.word(), cursor.since(start));
            notes.leave(mark);
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    pub(super) fn pad(&mut self, rows: usize) {
        let end = *self.offsets.last().unwrap_or(&0);
        self.offsets.resize(rows + 1, end);
        self.valid.resize(rows, false);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        let rows = rows.min(self.len());
        self.offsets.truncate(rows + 1);
        self.valid.truncate(rows);
        // Elements of a list that was begun are beyond the last end too.
        self.element.truncate(usize::try_from(*self.offsets.last().unwrap_or(&0)).unwrap_or(0));
    }

    pub(super) fn bytes(&self) -> usize {
        self.element.bytes() + self.offsets.len() * 5
    }

    pub(super) fn finish(&mut self) -> Result<ListArray, ArrowError> {
        let rows = self.element.len();
        let values = self.element.finish(rows)?;
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let valid = std::mem::take(&mut self.valid);
        let offsets = arrow_buffer::OffsetBuffer::new(offsets.into());
        ListArray::try_new(FieldRef::clone(&self.element_field), offsets, values, nulls(valid))
    }
}
