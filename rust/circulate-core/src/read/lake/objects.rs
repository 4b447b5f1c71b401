//! Objects that manifests name, record by record or table by table.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::FileReader;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use sha2::{Digest, Sha256};

use super::bitmap::Bitmap;
use crate::encode::{Compression, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::manifest::{ObjectEntry, sha256_hex};
use crate::page::{Record, Watch};

/// Rows of a table that are read at a time, and bytes that these may take before compression.
const ROWS_AT_ONCE: usize = 8_192;
const BYTES_AT_ONCE: usize = 4_000_000;
/// Bytes of lines that are gone through at a time.
const LINES_AT_ONCE: usize = 256 * 1024;

/// An object of a run.
#[derive(Debug, Clone)]
pub(crate) struct LakeObject {
    pub(crate) entry: ObjectEntry,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
    /// The number of its run.
    pub(crate) run: usize,
}

impl LakeObject {
    fn wrong(&self, what: &str) -> Error {
        Error::new(ErrorKind::Mismatch, "read lake", what.to_owned()).with("key", &self.entry.key)
    }

    /// About the bytes of memory that reading it takes.
    pub(super) fn memory(&self) -> u64 {
        match self.format {
            Format::Json => self.entry.bytes + self.entry.body_bytes,
            _ => self.entry.bytes,
        }
    }

    /// Goes through the records of an object that holds them as received; `stored` are its bytes, which are known to be those
    /// that were written.
    pub(crate) fn each_record(
        &self,
        stored: &[u8],
        watch: &Watch,
        mut each: impl FnMut(u32, &Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut row = 0;
        let mut each = |record: &Record<'_>| {
            let this = row;
            row += 1;
            each(this, record)
        };
        if self.format == Format::Json {
            let size = usize::try_from(self.entry.body_bytes)
                .map_err(|_| self.wrong("the object is too large for this machine"))?;
            let body = self
                .compression
                .decompress(stored, size)
                .map_err(|error| error.with("key", &self.entry.key))?;
            if sha256_hex(&body) != self.entry.body_sha256 {
                return Err(self.wrong("the object's content differs from what was written"));
            }
            self.format
                .for_each_record(&body, watch, &mut each)
                .map_err(|error| error.with("key", &self.entry.key))?;
        } else {
            self.each_line(stored, watch, &mut each)?;
        }
        if u64::from(row) == self.entry.records {
            return Ok(());
        }
        Err(self.wrong(&format!("the object holds {row} records, the manifest says {}", self.entry.records)))
    }

    /// What many objects were put into is too large to be held before compression.
    fn each_line(
        &self,
        stored: &[u8],
        watch: &Watch,
        each: &mut impl FnMut(&Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut body = self.compression.reader(stored)?;
        let (mut lines, mut digest) = (Vec::new(), Sha256::new());
        loop {
            let read = body
                .read_until(b'\n', &mut lines)
                .map_err(|error| self.wrong("the object cannot be decompressed").caused_by(error))?;
            if lines.len() >= LINES_AT_ONCE || read == 0 {
                digest.update(&lines);
                self.format
                    .for_each_record(&lines, watch, &mut *each)
                    .map_err(|error| error.with("key", &self.entry.key))?;
                lines.clear();
            }
            if read == 0 {
                break;
            }
        }
        if crate::hex(&digest.finalize()) == self.entry.body_sha256 {
            return Ok(());
        }
        Err(self.wrong("the object's content differs from what was written"))
    }

    /// The schema of an object that is a table.
    pub(crate) fn schema(&self, stored: &Bytes) -> Result<SchemaRef> {
        if self.format == Format::Arrow {
            return Ok(self.ipc(stored, None)?.schema());
        }
        Ok(Arc::clone(self.parquet(stored)?.schema()))
    }

    fn parquet(&self, stored: &Bytes) -> Result<ArrowReaderMetadata> {
        ArrowReaderMetadata::load(stored, ArrowReaderOptions::new()).map_err(|error| self.not_a_table(error))
    }

    fn ipc(&self, stored: &Bytes, columns: Option<Vec<usize>>) -> Result<FileReader<Cursor<Bytes>>> {
        FileReader::try_new(Cursor::new(stored.clone()), columns).map_err(|error| self.not_a_table(error))
    }

    fn not_a_table(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.wrong("the object is not a valid table").caused_by(error)
    }

    /// Goes through the rows of an object that is a table: those columns only, and of its row groups those that hold one of
    /// `rows`. Each batch comes with the number of its first row.
    pub(crate) fn each_batch(
        &self,
        stored: &Bytes,
        schema: &Schema,
        is_requested: impl Fn(&str) -> bool,
        rows: Option<&Bitmap>,
        mut each: impl FnMut(usize, RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let columns = schema.fields().iter().enumerate().filter(|(_, field)| is_requested(field.name()));
        let columns: Vec<_> = columns.map(|(number, _)| number).collect();
        let mut first = 0;
        if self.format == Format::Arrow {
            for batch in self.ipc(stored, Some(columns))? {
                let batch = batch.map_err(|error| self.not_a_table(error))?;
                let count = batch.num_rows();
                if rows.is_none_or(|rows| rows.any(first, first + count)) {
                    each(first, batch)?;
                }
                first += count;
            }
        } else {
            let metadata = self.parquet(stored)?;
            let groups = metadata.metadata().row_groups().iter().enumerate();
            for (number, group) in groups {
                let count = usize::try_from(group.num_rows()).unwrap_or_default();
                if rows.is_none_or(|rows| rows.any(first, first + count)) {
                    let bytes = usize::try_from(group.total_byte_size()).unwrap_or_default();
                    let at_once = (BYTES_AT_ONCE / (bytes / count.max(1)).max(1)).clamp(1, ROWS_AT_ONCE);
                    let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
                    let reader =
                        ParquetRecordBatchReaderBuilder::new_with_metadata(stored.clone(), metadata.clone())
                            .with_row_groups(vec![number])
                            .with_projection(mask)
                            .with_batch_size(at_once)
                            .build()
                            .map_err(|error| self.not_a_table(error))?;
                    let mut at = first;
                    for batch in reader {
                        let batch = batch.map_err(|error| self.not_a_table(error))?;
                        let count = batch.num_rows();
                        if rows.is_none_or(|rows| rows.any(at, at + count)) {
                            each(at, batch)?;
                        }
                        at += count;
                    }
                }
                first += count;
            }
        }
        if first as u64 == self.entry.records {
            return Ok(());
        }
        Err(self
            .wrong(&format!("the object holds {first} records, the manifest says {}", self.entry.records)))
    }
}
