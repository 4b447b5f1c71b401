//! The columnar formats: records become tables, and these become objects of Parquet or Arrow IPC.
//!
//! An object has one schema. Where records bring columns that it lacks, it is closed, and the next one has them.

use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{DataType, FieldRef, Fields, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as ParquetCompression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::{Compression, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::table::{Contract, Converter, Drift, TableOptions, TableSchema};

/// Rows of a row group: as many as a thread of `DuckDB` reads at a time, and few enough for statistics to distinguish them.
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
/// What a dictionary may take for each column beside its values: until a page of 20,000 rows is complete, where the value of
/// each row stands in it.
const INDEX_PER_COLUMN: usize = 160_000;
/// What zstd takes for each column, however little it compresses: parquet makes what decompresses, too. In a list, where a
/// page has more than its limit of bytes, it is more.
const ZSTD_PER_COLUMN: usize = 100_000;
const ZSTD_PER_COLUMN_IN_LIST: usize = 320_000;
/// What zstd and dictionaries may take beside what the budget has for an object.
const ZSTD_BESIDE: usize = 28_000_000;
const DICTIONARIES_BESIDE: usize = 24_000_000;
/// Bytes of a record that is in objects of its own kind, without dictionary and statistics: each of these would hold its
/// values once more or several times.
const LARGE_RECORD: usize = 1_000_000;
/// Of Parquet's zstd: higher ones take more time than they save space on JSON's short strings.
const ZSTD_LEVEL: i32 = 3;

/// How records become tables.
#[derive(Debug, Clone)]
pub struct TableRules {
    /// What is known of the columns: declared, or as they are in tables that were written before.
    pub known: TableSchema,
    /// Whether there are such tables; otherwise the first records show more of the columns.
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
pub struct TableState<'t> {
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

    /// Records of a JSON array as a table that takes about `limit` bytes: those from byte `from` on. Returns where to go on,
    /// which is the length of `records` at the end.
    pub fn convert_some(
        &mut self,
        records: &[u8],
        from: usize,
        limit: usize,
    ) -> Result<(RecordBatch, usize)> {
        let TableRules { known, options, contract, .. } = &self.rules;
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => none.insert(Converter::from_sample(known, *options, *contract, records)?),
        };
        converter.convert_some(records, from, limit)
    }

    /// What is known of the tables by now.
    pub fn known(&self) -> TableState<'_> {
        match &self.converter {
            Some(converter) => {
                TableState { columns: converter.schema(), drift: converter.drift(), empty: false }
            }
            None => TableState { columns: &self.rules.known, drift: &self.rules.drift, empty: true },
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

    /// Most bytes of a row group as it is stored.
    fn bytes_per_group(&self) -> usize {
        (self.enough / GROUPS).clamp(1, BYTES_PER_GROUP)
    }

    /// Takes a table in, and gives the objects that were completed by that.
    pub fn take(&mut self, table: &RecordBatch) -> Result<Vec<Encoded>> {
        let mut done = Vec::new();
        let large = table.num_rows() == 1 && bytes_of(table) > LARGE_RECORD;
        if self.open.as_ref().is_some_and(|open| open.schema != table.schema() || open.large != large) {
            done.extend(self.finish()?);
        }
        if self.open.is_none() {
            self.open = Some(OpenObject::begin(self, table.schema(), large)?);
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
    /// Each of its tables is one large record.
    large: bool,
    records: u64,
    /// Places for values in columns that are in lists, since the row group began: where each list begins is in memory for
    /// each of its columns until a page is complete, and no limit of pages counts that.
    values_in_lists: usize,
    max_values_in_lists: usize,
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
    fn begin(columnar: &Columnar, schema: SchemaRef, large: bool) -> Result<Self> {
        let writer = match columnar.format {
            Format::Arrow => Writer::Ipc(Box::new(begin_ipc(columnar, &schema)?)),
            _ => Writer::Parquet(Box::new(begin_parquet(columnar, &schema, large)?)),
        };
        // Each takes about half a byte.
        let max_values_in_lists = columnar.bytes_per_group() * 4;
        Ok(Self { schema, large, records: 0, values_in_lists: 0, max_values_in_lists, writer })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.records += batch.num_rows() as u64;
        match &mut self.writer {
            Writer::Parquet(writer) => {
                writer.write(batch).map_err(failed)?;
                self.values_in_lists +=
                    batch.columns().iter().map(|column| values_in_lists(column, false)).sum::<usize>();
                if self.values_in_lists > self.max_values_in_lists {
                    self.values_in_lists = 0;
                    writer.flush().map_err(failed)?;
                }
                Ok(())
            }
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

fn begin_parquet(columnar: &Columnar, schema: &SchemaRef, large: bool) -> Result<ArrowWriter<Vec<u8>>> {
    let bytes_per_group = columnar.bytes_per_group();
    let (in_lists, others) = leaves(schema.fields(), false);
    let per_column = (2 * bytes_per_group / (in_lists + others).max(1)).max(LEAST_PER_COLUMN);
    let zstd = others * ZSTD_PER_COLUMN + in_lists * ZSTD_PER_COLUMN_IN_LIST;
    let room_for_zstd = zstd <= columnar.enough + ZSTD_BESIDE;
    let room_for_dictionaries =
        (in_lists + others) * INDEX_PER_COLUMN <= columnar.enough + DICTIONARIES_BESIDE;
    let codec = match columnar.compression {
        Compression::Zstd if room_for_zstd => {
            ParquetCompression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).map_err(failed)?)
        }
        _ => ParquetCompression::UNCOMPRESSED,
    };
    let mut properties = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .set_max_row_group_bytes(Some(bytes_per_group))
        .set_dictionary_enabled(room_for_dictionaries && !large)
        .set_statistics_enabled(if large { EnabledStatistics::None } else { EnabledStatistics::Page })
        .set_dictionary_page_size_limit(BYTES_PER_DICTIONARY.min(per_column))
        .set_data_page_size_limit(BYTES_PER_PAGE.min(per_column))
        // Lists are written as the format says, which not all readers can do without.
        .set_coerce_types(true);
    for time in times(schema.fields()) {
        // Nearly all of them differ.
        properties = properties.set_column_dictionary_enabled(ColumnPath::new(time), false);
    }
    ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties.build())).map_err(failed)
}

/// What the values of a table take, whatever room its columns have.
fn bytes_of(table: &RecordBatch) -> usize {
    let columns = table.columns().iter();
    columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

/// The columns without parts: those in lists, and the others.
fn leaves(fields: &Fields, in_list: bool) -> (usize, usize) {
    let count = |field: &FieldRef| match field.data_type() {
        DataType::Struct(members) => leaves(members, in_list),
        DataType::List(element) => leaves(&Fields::from(vec![Arc::clone(element)]), true),
        _ if in_list => (1, 0),
        _ => (0, 1),
    };
    fields.iter().map(count).fold((0, 0), |all, (in_lists, others)| (all.0 + in_lists, all.1 + others))
}

/// Places for values in the columns of `array` that are in lists.
fn values_in_lists(array: &ArrayRef, in_list: bool) -> usize {
    match array.data_type() {
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|member| values_in_lists(member, in_list)).sum()
        }
        // A list without elements has a place too.
        DataType::List(_) => array.len() + values_in_lists(array.as_list::<i32>().values(), true),
        _ if in_list => array.len(),
        _ => 0,
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

fn begin_ipc(columnar: &Columnar, schema: &SchemaRef) -> Result<FileWriter<Vec<u8>>> {
    let codec = (columnar.compression == Compression::Zstd).then_some(CompressionType::ZSTD);
    let options = IpcWriteOptions::default().try_with_compression(codec).map_err(failed)?;
    FileWriter::try_new_with_options(Vec::new(), schema, options).map_err(failed)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Data, "encode table", "the records cannot be encoded").caused_by(error)
}
