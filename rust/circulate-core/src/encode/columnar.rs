//! The columnar formats: records become tables, and these become objects of Parquet or Arrow IPC.
//!
//! An object has one schema. Where records bring columns that it lacks, it is closed, and the next one has them.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{DataType, FieldRef, Fields, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as ParquetCompression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::{Compression, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::table::{Contract, Converter, Drift, TableOptions, TableSchema};

/// Rows of a row group: as many as a thread of `DuckDB` reads at a time, and few enough for statistics to tell them apart.
const ROWS_PER_GROUP: usize = 122_880;
/// Most bytes of a row group as it is stored: until it is complete it is in memory, and not in its final form.
const BYTES_PER_GROUP: usize = 16_000_000;
/// Row groups of an object at least, in however little memory it is made.
const GROUPS: usize = 4;
/// Bytes of a dictionary, beyond which the column's other values are written as they are. Ids and the like have no use for
/// one, and would fill it to this limit for each row group; a quarter of what is usual saves time, memory and space.
const BYTES_PER_DICTIONARY: usize = 262_144;
/// Pages are closed at so many bytes before compression: what compresses them, for each column, grows with them.
const BYTES_PER_PAGE: usize = 262_144;
/// Least bytes of a dictionary and of a page, in tables of very many columns.
const LEAST_PER_COLUMN: usize = 8_192;
/// Rows of a page: the number of each one's value in the dictionary is kept until the page is complete.
const ROWS_PER_PAGE: usize = 20_000;
/// What zstd takes for each column, however little it compresses.
const ZSTD_PER_COLUMN: usize = 64_000;
/// What zstd may take beside what the budget has for an object.
const ZSTD_BESIDE: usize = 24_000_000;
/// Of Parquet's zstd: higher ones take more time than they save space on JSON's short strings.
const ZSTD_LEVEL: i32 = 3;

/// How records become tables.
#[derive(Debug, Clone)]
pub struct TableRules {
    /// What is known of the columns: declared, or as they are in tables that were written before.
    pub known: TableSchema,
    /// Whether there are such tables; otherwise the first records tell more of the columns.
    pub written: bool,
    /// What had no place in these columns up to here.
    pub drift: Drift,
    /// How tables look.
    pub options: TableOptions,
    /// What becomes of values that have no place in them.
    pub contract: Contract,
}

/// An object that is complete.
#[derive(Debug)]
pub struct Encoded {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its records.
    pub records: u64,
}

/// What is known of tables by now.
#[derive(Debug)]
pub struct Known<'t> {
    /// Their columns.
    pub columns: &'t TableSchema,
    /// What had no place in them.
    pub drift: &'t Drift,
    /// No record has come into them yet.
    pub empty: bool,
}

/// Makes tables of records.
#[derive(Debug)]
pub struct Tabulator {
    rules: TableRules,
    converter: Option<Converter>,
}

impl Tabulator {
    /// Makes tables by `rules`.
    pub fn new(rules: TableRules) -> Self {
        let converter = rules.written.then(|| {
            Converter::new(rules.known.clone(), rules.options, rules.contract).after(rules.drift.clone())
        });
        Self { rules, converter }
    }

    /// Records of a JSON array as a table that takes about `most` bytes: those from byte `from` on. Returns where to go on,
    /// which is the length of `records` at the end.
    pub fn convert_some(&mut self, records: &[u8], from: usize, most: usize) -> Result<(RecordBatch, usize)> {
        let TableRules { known, options, contract, .. } = &self.rules;
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => none.insert(Converter::from_sample(known, *options, *contract, records)?),
        };
        converter.convert_some(records, from, most)
    }

    /// What is known of the tables by now.
    pub fn known(&self) -> Known<'_> {
        match &self.converter {
            Some(converter) => Known { columns: converter.schema(), drift: converter.drift(), empty: false },
            None => Known { columns: &self.rules.known, drift: &self.rules.drift, empty: true },
        }
    }
}

/// Makes objects of tables, one after the other.
#[derive(Debug)]
pub struct Columnar {
    format: Format,
    compression: Compression,
    /// An object of so many bytes is closed.
    enough: usize,
    open: Option<OpenObject>,
}

impl Columnar {
    /// Makes objects of about `enough` bytes.
    pub fn new(format: Format, compression: Compression, enough: usize) -> Self {
        Self { format, compression, enough, open: None }
    }

    /// Takes a table in, and gives the objects that were completed by that.
    pub fn take(&mut self, table: &RecordBatch) -> Result<Vec<Encoded>> {
        let mut done = Vec::new();
        if self.open.as_ref().is_some_and(|open| open.schema != table.schema()) {
            done.extend(self.finish()?);
        }
        if self.open.is_none() {
            self.open = Some(OpenObject::begin(self, table.schema())?);
        }
        let Some(open) = &mut self.open else { return Ok(done) };
        open.write(table)?;
        if open.size() >= self.enough {
            done.extend(self.finish()?);
        }
        Ok(done)
    }

    /// Completes the open object, if there is one.
    pub fn finish(&mut self) -> Result<Option<Encoded>> {
        self.open.take().map(OpenObject::finish).transpose()
    }
}

/// An object that more can be written to.
struct OpenObject {
    schema: SchemaRef,
    records: u64,
    writer: Writer,
}

enum Writer {
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Ipc(Box<FileWriter<Vec<u8>>>),
}

impl fmt::Debug for OpenObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenObject").field("records", &self.records).finish_non_exhaustive()
    }
}

impl OpenObject {
    fn begin(of: &Columnar, schema: SchemaRef) -> Result<Self> {
        let writer = match of.format {
            Format::Arrow => Writer::Ipc(Box::new(begin_ipc(of, &schema)?)),
            _ => Writer::Parquet(Box::new(begin_parquet(of, &schema)?)),
        };
        Ok(Self { schema, records: 0, writer })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.records += batch.num_rows() as u64;
        match &mut self.writer {
            Writer::Parquet(writer) => writer.write(batch).map_err(failed),
            Writer::Ipc(writer) => writer.write(batch).map_err(failed),
        }
    }

    /// What it would have as it stands, about.
    fn size(&self) -> usize {
        match &self.writer {
            Writer::Parquet(writer) => writer.bytes_written() + writer.in_progress_size(),
            Writer::Ipc(writer) => writer.get_ref().len(),
        }
    }

    fn finish(self) -> Result<Encoded> {
        let bytes = match self.writer {
            Writer::Parquet(writer) => writer.into_inner().map_err(failed)?,
            Writer::Ipc(writer) => writer.into_inner().map_err(failed)?,
        };
        Ok(Encoded { bytes, records: self.records })
    }
}

fn begin_parquet(of: &Columnar, schema: &SchemaRef) -> Result<ArrowWriter<Vec<u8>>> {
    let bytes_per_group = (of.enough / GROUPS).clamp(1, BYTES_PER_GROUP);
    let columns = leaves(schema.fields()).max(1);
    let per_column = (2 * bytes_per_group / columns).max(LEAST_PER_COLUMN);
    let room_for_zstd = columns * ZSTD_PER_COLUMN <= of.enough + ZSTD_BESIDE;
    let codec = match of.compression {
        Compression::Zstd if room_for_zstd => ParquetCompression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).map_err(failed)?),
        _ => ParquetCompression::UNCOMPRESSED,
    };
    let mut properties = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .set_max_row_group_bytes(Some(bytes_per_group))
        .set_dictionary_page_size_limit(BYTES_PER_DICTIONARY.min(per_column))
        .set_data_page_size_limit(BYTES_PER_PAGE.min(per_column))
        .set_data_page_row_count_limit(ROWS_PER_PAGE.min(per_column / size_of::<u64>()))
        // Lists are written as the format says, which not all readers can do without.
        .set_coerce_types(true);
    for time in times(schema.fields()) {
        // Nearly all of them differ.
        properties = properties.set_column_dictionary_enabled(ColumnPath::new(time), false);
    }
    ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties.build())).map_err(failed)
}

/// The columns without parts.
fn leaves(fields: &Fields) -> usize {
    fields.iter().map(|field| leaves_of(field.data_type())).sum()
}

fn leaves_of(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(members) => leaves(members),
        DataType::List(element) => leaves_of(element.data_type()),
        _ => 1,
    }
}

/// The paths of the columns of times that are in no list.
fn times(fields: &Fields) -> Vec<Vec<String>> {
    let below = |field: &FieldRef| match field.data_type() {
        DataType::Timestamp(..) => vec![vec![field.name().clone()]],
        DataType::Struct(members) => {
            let path = |time: Vec<String>| [vec![field.name().clone()], time].concat();
            times(members).into_iter().map(path).collect()
        }
        _ => Vec::new(),
    };
    fields.iter().flat_map(below).collect()
}

fn begin_ipc(of: &Columnar, schema: &SchemaRef) -> Result<FileWriter<Vec<u8>>> {
    let codec = (of.compression == Compression::Zstd).then_some(CompressionType::ZSTD);
    let options = IpcWriteOptions::default().try_with_compression(codec).map_err(failed)?;
    FileWriter::try_new_with_options(Vec::new(), schema, options).map_err(failed)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Data, "encode table", "the records cannot be encoded").caused_by(error)
}
