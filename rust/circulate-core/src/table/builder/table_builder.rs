//! Records in, record batches out, by a schema that stays as it is.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::layout::TableColumns;
use super::options::{Nested, TableOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::table::columns::{Drift, DriftRecorder, StructColumn, Values};
use crate::table::json::{ConversionError, JsonReader, members};
use crate::table::schema::{Observed, TableSchema};

/// Gathers records into the columns of a table.
#[derive(Debug)]
pub struct TableBuilder {
    schema: TableSchema,
    table: TableColumns,
    notes: DriftRecorder,
    rows: usize,
    /// Bytes that a record takes in columns, whatever it holds, beside those of texts and of elements of lists.
    row_bytes: usize,
    drift: Drift,
    /// What the records held that the schema could grow by; nothing if that isn't requested.
    fresh: Option<Observed>,
}

impl TableBuilder {
    /// A builder of tables with the columns of `schema`.
    pub fn new(schema: TableSchema, options: TableOptions) -> Self {
        let table = TableColumns::new(&schema, options);
        let notes = DriftRecorder::new(options.nested == Nested::Flatten);
        let row_bytes = table.null_bytes();
        Self { schema, table, notes, rows: 0, row_bytes, drift: Drift::default(), fresh: None }
    }

    /// Looks closer at records with members that have no column, so that [`evolved`](Self::evolved) knows their types.
    /// Only these records cost more.
    pub fn learning(mut self) -> Self {
        self.fresh = Some(Observed::default());
        self
    }

    /// Keeps nothing of what has no place in the columns: these are some of a table's, and the others are not wanted.
    pub fn pruned(mut self) -> Self {
        self.notes.muted = true;
        self
    }

    /// The Arrow schema of its batches.
    pub fn arrow(&self) -> SchemaRef {
        self.table.schema()
    }

    /// How many records are in it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// What drifted since it was [taken](Self::take_drift).
    pub fn drift(&self) -> &Drift {
        &self.drift
    }

    /// What drifted; counting starts over.
    pub fn take_drift(&mut self) -> Drift {
        std::mem::take(&mut self.drift)
    }

    /// The schema with the members that were new since this was last called, if there were any that it can grow by.
    pub fn evolved(&mut self) -> Option<TableSchema> {
        let fresh = std::mem::take(self.fresh.as_mut()?);
        let evolved = self.schema.evolved(&fresh);
        (evolved != self.schema).then_some(evolved)
    }

    /// Adds a record: a JSON object. An error leaves the builder as it was.
    pub fn push(&mut self, record: &[u8]) -> Result<()> {
        let mut cursor = JsonReader::new(record);
        let rows = self.rows;
        let pushed = self.record(&mut cursor);
        let ended = pushed.and_then(|()| if cursor.at_end() { Ok(()) } else { Err(cursor.broken()) });
        self.undo_on_error(rows, ended)
    }

    /// Adds the records of a JSON array. An error leaves the builder as it was.
    pub fn push_array(&mut self, body: &[u8]) -> Result<()> {
        self.push_some(body, 0, usize::MAX).map(drop)
    }

    /// Adds records of a JSON array until those in the builder take `limit` bytes as columns, and one at least. Begins at byte
    /// `from`, which is 0 or what this returned before, and returns where it stopped: at the end, that is the length of
    /// `body`. An error leaves the builder as it was.
    pub fn push_some(&mut self, body: &[u8], from: usize, limit: usize) -> Result<usize> {
        let rows = self.rows;
        let pushed = self.array(body, from, limit);
        self.undo_on_error(rows, pushed)
    }

    /// The records since the last time as a batch, which may be empty.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let rows = std::mem::take(&mut self.rows);
        self.notes.begin_batch();
        self.table.finish(rows).map_err(|error| {
            self.table.truncate(0);
            Error::new(ErrorKind::Data, "convert records", "the records make no Arrow batch").caused_by(error)
        })
    }

    fn undo_on_error<T>(&mut self, rows: usize, result: Result<T, ConversionError>) -> Result<T> {
        if result.is_err() {
            self.rows = rows;
            self.table.truncate(rows);
        }
        result.map_err(ConversionError::into_error)
    }

    fn array(&mut self, body: &[u8], from: usize, limit: usize) -> Result<usize, ConversionError> {
        let mut cursor = JsonReader::new(body);
        cursor.move_to(from);
        let mut more = true;
        if from == 0 {
            cursor.take_bytes(b"\xEF\xBB\xBF");
            cursor.expect(b'[')?;
            more = !cursor.take(b']')?;
        }
        while more {
            self.record(&mut cursor)?;
            more = cursor.another(b']')?;
            // No text is longer in a column than it was in the record.
            let taken = self.rows * self.row_bytes + self.notes.elements() + (cursor.at() - from);
            if more && taken >= limit {
                return Ok(cursor.at());
            }
        }
        if cursor.at_end() { Ok(body.len()) } else { Err(cursor.broken()) }
    }

    fn record(&mut self, cursor: &mut JsonReader<'_>) -> Result<(), ConversionError> {
        cursor.peek()?;
        let start = cursor.at();
        let mut after_mark = self.columns(cursor, false);
        if after_mark == Err(ConversionError::Repeated) {
            self.go_back(cursor, start);
            after_mark = self.columns(cursor, true);
        }
        if after_mark == Err(ConversionError::TooWide) {
            self.go_back(cursor, start);
            self.let_go_if_empty();
            after_mark = self.whole(cursor);
        }
        let (after_mark, record) = (after_mark?, cursor.since(start));
        self.end_record(record, after_mark.map(|at| at - start))
    }

    fn go_back(&mut self, cursor: &mut JsonReader<'_>, start: usize) {
        cursor.move_to(start);
        self.table.truncate(self.rows);
    }

    /// Frees the room of a record that was too wide for its columns, where no other one is in them.
    fn let_go_if_empty(&mut self) {
        if self.rows == 0 && self.table.finish(0).is_err() {
            self.table.truncate(0);
        }
    }

    /// Keeps a record in the rescue column as a whole; no column but those of its parent and its key has a value of it.
    fn whole(&mut self, cursor: &mut JsonReader<'_>) -> Result<Option<usize>, ConversionError> {
        self.notes.begin(true);
        let start = cursor.at();
        cursor.expect(b'{')?;
        let after_mark = self.mark(cursor)?;
        cursor.move_to(start);
        self.notes.rescue_record(cursor.skip()?);
        self.table.record.end_row();
        Ok(after_mark)
    }

    /// Appends the members of a record; returns where the record as received goes on, if something stands in front.
    fn columns(
        &mut self,
        cursor: &mut JsonReader<'_>,
        careful: bool,
    ) -> Result<Option<usize>, ConversionError> {
        self.notes.begin(careful);
        let start = cursor.at();
        cursor.expect(b'{')?;
        let after_mark = self.mark(cursor)?;
        let record = &mut self.table.record;
        if careful {
            cursor.move_to(start);
            let mut members = members(cursor)?;
            members.drain(..usize::from(after_mark.is_some()));
            record.append_member_list(members, &mut self.notes)?;
        } else if !cursor.take(b'}')? {
            record.append_members(cursor, &mut self.notes)?;
        }
        if self.notes.is_too_wide() {
            return Err(ConversionError::TooWide);
        }
        record.end_row();
        Ok(after_mark)
    }

    fn mark(&mut self, cursor: &mut JsonReader<'_>) -> Result<Option<usize>, ConversionError> {
        let Some(mark) = &mut self.table.mark else { return Ok(None) };
        mark.pad(self.rows);
        append_mark(mark, cursor, &mut self.notes)
    }

    fn end_record(&mut self, record: &[u8], after_mark: Option<usize>) -> Result<(), ConversionError> {
        let TableColumns { rescued, raw, .. } = &mut self.table;
        rescued.resize(self.rows);
        self.notes.end(record, &mut self.drift, |parts| rescued.append_parts(parts))?;
        if let Some(raw) = raw {
            raw.resize(self.rows);
            match after_mark {
                Some(at) => raw.append_parts(&[b"{", record.get(at..).unwrap_or_default()])?,
                None => raw.append_parts(&[record])?,
            }
        }
        if let Some(fresh) = self.fresh.as_mut().filter(|_| self.notes.fresh) {
            fresh.observe_record(record)?;
        }
        self.rows += 1;
        self.notes.next_record();
        Ok(())
    }
}

/// Appends the parent and the key that we put in front of a record; returns where the record as received goes on.
fn append_mark(
    columns: &mut StructColumn,
    cursor: &mut JsonReader<'_>,
    notes: &mut DriftRecorder,
) -> Result<Option<usize>, ConversionError> {
    let start = cursor.at();
    let Some(mark) = mark_in_front(columns, cursor)? else {
        cursor.move_to(start);
        return Ok(None);
    };
    let pointer = notes.enter(b"/_circulate");
    columns.append(&mut JsonReader::new(mark), notes)?;
    notes.leave(pointer);
    let after_mark = cursor.at();
    if !cursor.another(b'}')? {
        cursor.move_to(after_mark);
    }
    Ok(Some(cursor.at()))
}

/// The object with what we put in front, if the record begins with it.
fn mark_in_front<'j>(
    columns: &StructColumn,
    cursor: &mut JsonReader<'j>,
) -> Result<Option<&'j [u8]>, ConversionError> {
    if cursor.peek()? != b'"' || cursor.key()?.raw != b"_circulate" || cursor.peek()? != b'{' {
        return Ok(None);
    }
    let mark = cursor.skip()?;
    let members = members(&mut JsonReader::new(mark))?;
    let is_ours = columns.columns.iter().all(|column| {
        let (name, first) = match column.values {
            Values::Object(_) => ("parent", b'{'),
            _ => ("key", b'"'),
        };
        let member = members.iter().find(|member| member.name.as_deref() == Some(name));
        member.is_some_and(|member| member.value.first() == Some(&first))
    });
    Ok(is_ours.then_some(mark))
}
