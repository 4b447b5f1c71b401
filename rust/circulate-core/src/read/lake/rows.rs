//! Rows of objects as batches of a lake's table.

use std::collections::HashMap;

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{Fields, Schema};
use arrow_select::filter::filter_record_batch;
use bytes::Bytes;

use super::bitmap::Bitmap;
use super::columns::{BuiltRow, Change, OutputColumns, RunOrigin, fit, has_all};
use super::keys::KeyMembers;
use super::objects::LakeObject;
use super::paths::{RESCUED, TablePlaces};
use super::rebuild::record_of_row;
use super::times::TimeFilter;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Watch;
use crate::table::{TableBuilder, TableOptions, TableSchema, conform};

/// Rows and bytes at which a batch is handed over.
const ROWS_OF_BATCH: usize = 65_536;
const BYTES_OF_BATCH: usize = 4_000_000;

/// The columns of a run whose objects are tables.
#[derive(Debug)]
pub(super) struct RunTables {
    pub(super) columns: TableSchema,
    pub(super) options: TableOptions,
}

/// Gathers rows, and hands batches over.
#[derive(Debug)]
pub(super) struct Rows<'c> {
    columns: &'c OutputColumns,
    origins: &'c [RunOrigin],
    filter: Option<&'c TimeFilter>,
    builder: TableBuilder,
    /// Where the rows in the builder are from.
    building: Vec<BuiltRow>,
}

impl<'c> Rows<'c> {
    pub(super) fn new(
        columns: &'c OutputColumns,
        origins: &'c [RunOrigin],
        filter: Option<&'c TimeFilter>,
    ) -> Self {
        Self { columns, origins, filter, builder: columns.builder(), building: Vec::new() }
    }

    /// Takes those rows of an object; `emit` gets batches that are full.
    pub(super) fn take(
        &mut self,
        object: &LakeObject,
        stored: &Bytes,
        tables: Option<&RunTables>,
        rows: &Bitmap,
        emit: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let origin = (run_number(object), Change::Upsert);
        if !self.columns.needs_records() && self.filter.is_none() {
            self.building.extend(std::iter::repeat_n(origin, rows.count()));
            return self.hand_over_if_full(emit);
        }
        let filter = self.filter;
        let Some(tables) = tables.filter(|_| object.format.is_columnar()) else {
            let everything = Watch::default();
            let watch = filter.map_or(&everything, |filter| &filter.watch);
            return object.each_record(stored, watch, |row, record| {
                if rows.has(row as usize) && filter.is_none_or(|filter| filter.holds_record(record)) {
                    self.push(record.bytes, origin, emit)?;
                }
                Ok(())
            });
        };
        let schema = object.schema(stored)?;
        let table = TablePlaces { columns: &tables.columns, options: tables.options, arrow: &schema };
        let paths = filter.map_or_else(Vec::new, |filter| filter.paths(&table));
        let is_time = |column: &str| {
            filter.is_some()
                && (column == RESCUED
                    || paths.iter().any(|path| path.columns().iter().any(|name| name == column)))
        };
        let is_requested = |batch: &RecordBatch, first: usize, row: usize| {
            rows.has(first + row) && filter.is_none_or(|filter| filter.holds_row(batch, &paths, row))
        };
        if self.fits(object, stored, &schema, tables, rows)? {
            self.hand_over(emit)?;
            let is_used = |column: &str| self.columns.uses(column);
            let columns = |column: &str| is_used(column) || is_time(column);
            return object.each_batch(stored, &schema, columns, Some(rows), |first, batch| {
                let mask: BooleanArray =
                    (0..batch.num_rows()).map(|row| Some(is_requested(&batch, first, row))).collect();
                let requested: Vec<_> = (0..batch.num_columns())
                    .filter(|number| is_used(batch.schema().field(*number).name()))
                    .collect();
                let batch = batch.project(&requested).map_err(failed)?;
                let batch = filter_record_batch(&batch, &mask).map_err(failed)?;
                let conformed = conform(&batch, &self.columns.records)?;
                let origins = vec![origin; conformed.num_rows()];
                if origins.is_empty() {
                    Ok(())
                } else {
                    emit(self.columns.output(Some(&conformed), &origins, self.origins)?)
                }
            });
        }
        object.each_batch(
            stored,
            &schema,
            |_| true,
            Some(rows),
            |first, batch| {
                for row in (0..batch.num_rows()).filter(|row| is_requested(&batch, first, *row)) {
                    self.push(&record_of_row(&table, &batch, row)?, origin, emit)?;
                }
                Ok(())
            },
        )
    }

    /// Takes rows of an object that later runs deleted, each with the number of that run: nothing but their keys.
    pub(super) fn take_deleted(
        &mut self,
        object: &LakeObject,
        stored: &Bytes,
        tables: Option<&RunTables>,
        members: &KeyMembers,
        deleted: &[(u32, u32)],
        emit: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let (mut rows, mut runs) = (Bitmap::default(), HashMap::new());
        for (row, run) in deleted {
            rows.set(*row);
            runs.insert(*row as usize, *run);
        }
        let origin = |row: usize| runs.get(&row).map(|run| (*run, Change::Delete));
        if !self.columns.needs_records() {
            self.building.extend(deleted.iter().map(|(_, run)| (*run, Change::Delete)));
            return self.hand_over_if_full(emit);
        }
        let Some(tables) = tables.filter(|_| object.format.is_columnar()) else {
            return object.each_record(stored, &Watch::default(), |row, record| match origin(row as usize) {
                Some(origin) => self.push(&members.key_alone(record.bytes), origin, emit),
                None => Ok(()),
            });
        };
        let schema = object.schema(stored)?;
        let paths = TablePlaces { columns: &tables.columns, options: tables.options, arrow: &schema };
        object.each_batch(
            stored,
            &schema,
            |_| true,
            Some(&rows),
            |first, batch| {
                for row in 0..batch.num_rows() {
                    if let Some(origin) = origin(first + row) {
                        let record = record_of_row(&paths, &batch, row)?;
                        self.push(&members.key_alone(&record), origin, emit)?;
                    }
                }
                Ok(())
            },
        )
    }

    /// Whether the columns of an object stand in the table as they are: their types are those of the table, and nothing was rescued
    /// that has a column there.
    fn fits(
        &self,
        object: &LakeObject,
        stored: &Bytes,
        schema: &Schema,
        tables: &RunTables,
        rows: &Bitmap,
    ) -> Result<bool> {
        let used: Fields =
            schema.fields().iter().filter(|field| self.columns.uses(field.name())).cloned().collect();
        // What has no place in the table is to be rescued.
        let others = schema
            .fields()
            .iter()
            .filter(|field| self.columns.records.column_with_name(field.name()).is_none());
        let is_lost =
            !self.columns.is_pruned && others.into_iter().any(|field| field.name() != super::paths::RAW);
        let nested = self.columns.options.nested;
        let is_used = |name: &str| self.columns.uses(name);
        let fit =
            tables.options.nested == nested && fit(&tables.columns, &self.columns.built, nested, is_used);
        if is_lost || !fit {
            return Ok(false);
        }
        let requested: Fields = self
            .columns
            .records
            .fields()
            .iter()
            .filter(|field| self.columns.uses(field.name()) && field.name() != RESCUED)
            .cloned()
            .collect();
        if has_all(&used, &requested) {
            return Ok(true);
        }
        let mut has_rescued = false;
        object.each_batch(
            stored,
            schema,
            |column| column == RESCUED,
            Some(rows),
            |_, batch| {
                has_rescued |= batch.columns().iter().any(|column| column.null_count() < column.len());
                Ok(())
            },
        )?;
        Ok(!has_rescued)
    }

    /// Adds a record as JSON.
    pub(super) fn push(
        &mut self,
        record: &[u8],
        origin: BuiltRow,
        emit: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        self.builder.push(record)?;
        self.building.push(origin);
        self.hand_over_if_full(emit)
    }

    fn hand_over_if_full(&mut self, emit: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        if self.building.len() < ROWS_OF_BATCH && self.builder.bytes() < BYTES_OF_BATCH {
            return Ok(());
        }
        self.hand_over(emit)
    }

    /// Hands the rows over that were gathered.
    pub(super) fn hand_over(&mut self, emit: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let building = std::mem::take(&mut self.building);
        let records = if self.columns.needs_records() { Some(self.builder.finish()?) } else { None };
        for start in (0..building.len()).step_by(ROWS_OF_BATCH) {
            let rows = &building[start..building.len().min(start + ROWS_OF_BATCH)];
            let records = records.as_ref().map(|records| records.slice(start, rows.len()));
            emit(self.columns.output(records.as_ref(), rows, self.origins)?)?;
        }
        Ok(())
    }
}

pub(super) fn run_number(object: &LakeObject) -> u32 {
    u32::try_from(object.run).unwrap_or(u32::MAX)
}

fn failed(error: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Data, "read lake", "the rows make no Arrow batch").caused_by(error)
}
