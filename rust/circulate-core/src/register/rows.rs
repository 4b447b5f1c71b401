//! The rows of a run: its records, and what it deleted, as files of a table.
//!
//! They follow from the run alone, not from what else is in the lake. So a run costs what it has, however large the lake has become,
//! and runs may be registered in any order.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use bytes::Bytes;
use jiff::Timestamp;

use super::columns::{CatalogColumn, ColumnKind, conformed, take_in};
use crate::catalog::RecordKind;
use crate::encode::{Columnar, Compression, Encoded, Encoder, Format, JsonArray, TableRules, Tabulator};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::manifest::{Identity, Index, Tables};
use crate::lake::record_key::{KEY_BYTES, KeyBuilder};
use crate::read::lake::{KeyMembers, LakeObject, MemberPlace, TablePlaces, VERSION_BYTES, record_of_row};
use crate::table::{Contract, Drift, TableOptions, TableSchema};

/// Columns of the lake, in front of those of records.
pub(super) const RECORD_KEY: &str = "_record_key";
pub(super) const CHANGE: &str = "_change";
pub(super) const COMMITTED_AT: &str = "_committed_at";
pub(super) const VERSION: &str = "_version";
pub(super) const POSITION: &str = "_position";
/// Columns of partitions, whose values stand in the catalog and not in files.
pub(super) const ACCOUNT: &str = "_account";
pub(super) const RUN_ID: &str = "_run_id";
/// Names that no member of a record gets.
const TAKEN: [&str; 8] = [RECORD_KEY, CHANGE, COMMITTED_AT, VERSION, POSITION, ACCOUNT, RUN_ID, "_rank"];

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowChange {
    /// This is a version of the record.
    Upsert,
    /// The record no longer exists.
    Delete,
    /// Nothing of before counts, in a stream whose records have no key.
    Replace,
}

impl RowChange {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Replace => "replace",
        }
    }
}

/// The columns in front of those of records.
pub(super) fn lake_columns() -> Vec<CatalogColumn> {
    vec![
        CatalogColumn::new(RECORD_KEY, ColumnKind::String),
        CatalogColumn::new(CHANGE, ColumnKind::String),
        CatalogColumn::new(COMMITTED_AT, ColumnKind::Timestamp),
        CatalogColumn::new(VERSION, ColumnKind::String),
        CatalogColumn::new(POSITION, ColumnKind::Bigint),
    ]
}

/// Rows of a run, by what they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RowCounts {
    pub(super) records: u64,
    pub(super) deletes: u64,
    /// Records without a value for each member of their key.
    pub(super) without_key: u64,
}

/// What tells a record from others, and a version of it from others of its run.
#[derive(Debug, Clone, Copy)]
struct RowMark {
    key: Option<[u8; KEY_BYTES]>,
    version: [u8; VERSION_BYTES],
}

/// Makes files of the rows of a run.
pub(super) struct RowWriter {
    identity: Identity,
    keys: KeyMembers,
    builder: KeyBuilder,
    committed_at: Timestamp,
    /// The tables that the objects of the run are, if they are tables.
    tables: Option<Tables>,
    tabulator: Tabulator,
    columns: Vec<CatalogColumn>,
    columnar: Columnar,
    counts: RowCounts,
    position: i64,
    /// Bytes of records that are converted at a time.
    piece: usize,
}

/// Bytes of a file, if memory allows.
const FILE: usize = 64_000_000;
const LEAST_FILE: usize = 1_000_000;
const PIECE: usize = 4_000_000;
/// Deletions that are made rows of at a time.
const DELETES_AT_ONCE: usize = 65_536;

impl RowWriter {
    /// For a run whose table has these columns, and whose records were known to look like `schema`.
    pub(super) fn new(
        index: &Index,
        identity: &Identity,
        committed_at: Timestamp,
        columns: Vec<CatalogColumn>,
        schema: Option<TableSchema>,
        memory: u64,
    ) -> Self {
        let keyed = identity.primary_key.iter().any(|member| member.segments() == ["_circulate", "key"]);
        let unknown = TableSchema { parent: identity.parents.clone(), keyed, members: Vec::new() };
        let rules = TableRules {
            written: schema.is_some(),
            known: schema.unwrap_or(unknown),
            drift: Drift::default(),
            options: TableOptions::default(),
            contract: Contract::Evolve,
        };
        let memory = usize::try_from(memory).unwrap_or(usize::MAX);
        let file = (memory / 4).clamp(LEAST_FILE, FILE);
        Self {
            keys: KeyMembers::new(identity),
            builder: KeyBuilder::default(),
            identity: identity.clone(),
            committed_at,
            tables: index.tables.clone(),
            tabulator: Tabulator::new(rules),
            columns,
            columnar: Columnar::new(Format::Parquet, Compression::Zstd, file),
            counts: RowCounts::default(),
            position: 0,
            piece: (memory / 16).clamp(100_000, PIECE),
        }
    }

    pub(super) fn counts(&self) -> RowCounts {
        self.counts
    }

    /// The columns of records as they are by now.
    pub(super) fn columns(&self) -> &[CatalogColumn] {
        &self.columns
    }

    /// What records without types look like by now; `None` if there were none.
    pub(super) fn schema(&self) -> Option<&TableSchema> {
        let known = self.tabulator.known();
        (!known.empty).then_some(known.columns)
    }

    /// Takes the records of an object in; hands the files over that are completed by that.
    pub(super) fn object(&mut self, object: &LakeObject, stored: &Bytes, store: Files<'_>) -> Result<()> {
        match self.tables.take() {
            Some(tables) if object.format.is_columnar() => {
                let taken = self.batches(object, stored, &tables, store);
                self.tables = Some(tables);
                taken
            }
            tables => {
                self.tables = tables;
                self.records(object, stored, store)
            }
        }
    }

    fn records(&mut self, object: &LakeObject, stored: &Bytes, store: Files<'_>) -> Result<()> {
        let mut gathered = Gathered::default();
        let is_event = self.identity.kind == RecordKind::Event;
        let watch = self.keys.watch.clone();
        object.each_record(stored, &watch, |_, record| {
            let mark = RowMark {
                key: match is_event {
                    true => Some(self.builder.content(record.bytes)),
                    false if self.identity.is_merged() => {
                        self.keys.key_of_record(record, &mut self.builder).map(|key| key.0)
                    }
                    false => None,
                },
                version: self.keys.version_of_record(record),
            };
            gathered.records.write(record.bytes);
            gathered.marks.push(mark);
            if gathered.records.size_with(0) < self.piece {
                Ok(())
            } else {
                self.convert(&mut gathered, store)
            }
        })?;
        self.convert(&mut gathered, store)
    }

    fn convert(&mut self, gathered: &mut Gathered, store: Files<'_>) -> Result<()> {
        let (records, marks) = (gathered.records.finish(), std::mem::take(&mut gathered.marks));
        let (mut from, mut row) = (0, 0);
        while !marks.is_empty() && from < records.len() {
            let table;
            (table, from) = self.tabulator.convert_some(&records, from, 4 * self.piece)?;
            let rows = row..row + table.num_rows();
            row = rows.end;
            self.table(&table, marks.get(rows).unwrap_or_default(), store)?;
        }
        Ok(())
    }

    fn batches(
        &mut self,
        object: &LakeObject,
        stored: &Bytes,
        tables: &Tables,
        store: Files<'_>,
    ) -> Result<()> {
        let schema = object.schema(stored)?;
        let table = TablePlaces { columns: &tables.columns, options: tables.options, arrow: &schema };
        let found = self.keys.paths(&table);
        object.each_batch(
            stored,
            &schema,
            |_| true,
            None,
            |_, batch| {
                let marks: Vec<_> = (0..batch.num_rows())
                    .map(|row| self.mark_of_row(&table, &found, &batch, row))
                    .collect::<Result<_>>()?;
                self.table(&batch, &marks, store)
            },
        )
    }

    fn mark_of_row(
        &mut self,
        table: &TablePlaces<'_>,
        found: &[MemberPlace],
        batch: &RecordBatch,
        row: usize,
    ) -> Result<RowMark> {
        let key = match self.identity.kind {
            RecordKind::Event => Some(self.builder.content(&record_of_row(table, batch, row)?)),
            RecordKind::Entity if self.identity.is_merged() => {
                self.keys.key_of_row(table, (batch, row), found, &mut self.builder)?.map(|key| key.0)
            }
            RecordKind::Entity => None,
        };
        Ok(RowMark { key, version: self.keys.version_of_row(batch, found, row) })
    }

    /// Takes a table of records in, with what marks each of them.
    fn table(&mut self, table: &RecordBatch, marks: &[RowMark], store: Files<'_>) -> Result<()> {
        let (rows, fields) = (table.num_rows(), table.schema_ref().fields());
        if rows != marks.len() {
            return Err(unfit("another number of records than were read"));
        }
        take_in(&mut self.columns, fields, &TAKEN)?;
        self.counts.records += rows as u64;
        if self.identity.is_merged() {
            self.counts.without_key += marks.iter().filter(|mark| mark.key.is_none()).count() as u64;
        }
        let keys = marks.iter().map(|mark| mark.key.map(|key| crate::hex(&key))).collect();
        let versions = marks.iter().map(|mark| Some(self.version(mark))).collect();
        let first = self.position;
        self.position += i64::try_from(rows).unwrap_or(i64::MAX);
        let mut arrays = self.lake_arrays(keys, RowChange::Upsert, versions, first..self.position);
        arrays
            .extend(conformed(&self.columns, fields, table.columns(), rows).map_err(|error| misfit(&error))?);
        self.put(arrays, rows, store)
    }

    /// A version as text that sorts as versions do; empty where none are declared.
    fn version(&self, mark: &RowMark) -> String {
        if self.identity.version.is_some() { crate::hex(&mark.version) } else { String::new() }
    }

    /// Takes in that these records no longer exist.
    pub(super) fn deletes(&mut self, keys: &[[u8; KEY_BYTES]], store: Files<'_>) -> Result<()> {
        for keys in keys.chunks(DELETES_AT_ONCE) {
            self.counts.deletes += keys.len() as u64;
            self.change(RowChange::Delete, keys.iter().map(|key| Some(crate::hex(key))).collect(), store)?;
        }
        Ok(())
    }

    /// Takes in that nothing of before counts.
    pub(super) fn replace(&mut self, store: Files<'_>) -> Result<()> {
        self.change(RowChange::Replace, std::iter::once(None::<String>).collect(), store)
    }

    /// Rows without a record; they stand before all rows of the run.
    fn change(&mut self, change: RowChange, keys: StringArray, store: Files<'_>) -> Result<()> {
        let rows = keys.len();
        let versions: StringArray = std::iter::repeat_n(Some(""), rows).collect();
        let mut arrays = self.lake_arrays(keys, change, versions, std::iter::repeat_n(-1, rows));
        let nothing =
            conformed(&self.columns, &Fields::empty(), &[], rows).map_err(|error| misfit(&error))?;
        arrays.extend(nothing);
        self.put(arrays, rows, store)
    }

    fn lake_arrays(
        &self,
        keys: StringArray,
        change: RowChange,
        versions: StringArray,
        positions: impl IntoIterator<Item = i64>,
    ) -> Vec<ArrayRef> {
        let rows = keys.len();
        let changes: StringArray = std::iter::repeat_n(Some(change.as_str()), rows).collect();
        let times = TimestampMicrosecondArray::from_value(self.committed_at.as_microsecond(), rows);
        vec![
            Arc::new(keys),
            Arc::new(changes),
            Arc::new(times.with_timezone("UTC")),
            Arc::new(versions),
            Arc::new(Int64Array::from_iter_values(positions)),
        ]
    }

    fn put(&mut self, arrays: Vec<ArrayRef>, rows: usize, store: Files<'_>) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let of_lake = [
            (RECORD_KEY, DataType::Utf8),
            (CHANGE, DataType::Utf8),
            (COMMITTED_AT, time),
            (VERSION, DataType::Utf8),
            (POSITION, DataType::Int64),
        ];
        let of_lake = of_lake.into_iter().map(|(name, kind)| FieldRef::new(Field::new(name, kind, true)));
        let fields: Vec<_> = of_lake.chain(self.columns.iter().map(CatalogColumn::field)).collect();
        let table =
            RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| misfit(&error))?;
        self.columnar.take(&table)?.into_iter().try_for_each(store)
    }

    /// Completes the last file.
    pub(super) fn finish(&mut self, store: Files<'_>) -> Result<()> {
        self.columnar.finish()?.into_iter().try_for_each(store)
    }
}

/// Who stores files.
pub(super) type Files<'f> = &'f dyn Fn(Encoded) -> Result<()>;

/// Records of a JSON array, with what marks each of them.
#[derive(Default)]
struct Gathered {
    records: JsonArray,
    marks: Vec<RowMark>,
}

fn misfit(error: &ArrowError) -> Error {
    unfit(&error.to_string())
}

fn unfit(why: &str) -> Error {
    Error::new(ErrorKind::Data, "register run", "the records do not fit the columns of the table")
        .caused_by(why)
}
