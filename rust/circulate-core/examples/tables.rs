//! Makes tables of a file of JSON lines, as a pull does with what it receives: not an example of use but for the
//! benchmarks (`tests/bench`).
//!
//! As in a pull, one thread reads, validates and cuts records, one makes tables of those before, and one encodes the
//! tables before these. Nothing is requested of a network, and nothing is remembered.
//!
//! Usage: `tables FILE FORMAT FOLDER`. The formats are `parquet` and `arrow`, which leave objects in the folder, and
//! `memory`, which leaves nothing: the table is all in memory at the end.

#![allow(clippy::print_stdout, reason = "a program says what it did")]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use circulate_core::catalog::Columns;
use circulate_core::encode::{
    Columnar, Compression, Encoded, Encoder, Format, JsonArray, TableRules, Tabulator,
};
use circulate_core::extract::batch::{BatchLimits, Memory};
use circulate_core::page::Watch;
use circulate_core::table::{Contract, Drift, TableOptions, TableSchema, conform};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Bytes that are read at a time: a page of 200 users.
const PAGE: usize = 280_000;

fn main() -> Result<()> {
    let [file, format, folder] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "tables FILE FORMAT FOLDER")?;
    let file = File::open(file)?;
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    // Not a thread more than a pull has, and as there one piece between them.
    let (pieces, from_pieces) = sync_channel(1);
    let (tables, from_tables) = sync_channel(1);
    let converting = thread::spawn(move || convert(&from_pieces, &tables));
    let encoding = thread::spawn(move || match format.as_str() {
        "parquet" => store(&from_tables, Format::Parquet, &folder),
        "arrow" => store(&from_tables, Format::Arrow, &folder),
        "memory" => keep(&from_tables),
        _ => Err("a format is one of parquet, arrow, memory".into()),
    });
    let read = read(file, &pieces);
    drop(pieces);
    converting.join().map_err(|_| "the converting thread ended early")??;
    let output = encoding.join().map_err(|_| "the encoding thread ended early")??;
    read?;
    // For `tables.py`.
    println!("{output}");
    Ok(())
}

/// Sends the records of a file as arrays.
fn read(mut file: File, to: &SyncSender<Vec<u8>>) -> Result<()> {
    let (watch, mut gathered) = (Watch::default(), JsonArray::default());
    let piece = Memory::for_tables_of(None)?.for_records();
    let mut lines = Vec::with_capacity(2 * PAGE);
    loop {
        let read = file.by_ref().take(PAGE as u64).read_to_end(&mut lines)?;
        let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let page = array(&lines[..whole]);
        Format::Json.for_each_record(&page, &watch, |record| {
            if gathered.size_with(record.bytes.len()) > piece {
                // Nobody takes it if the worker failed, which says why.
                let _ = to.send(gathered.finish());
            }
            gathered.write(record.bytes);
            Ok(())
        })?;
        lines.drain(..whole);
        if read == 0 {
            break;
        }
    }
    let _ = to.send(gathered.finish());
    Ok(())
}

/// A page of an API, made of lines.
fn array(lines: &[u8]) -> Vec<u8> {
    let mut page = Vec::with_capacity(lines.len() + 2);
    page.push(b'[');
    page.extend_from_slice(lines);
    for byte in page.iter_mut().filter(|byte| **byte == b'\n') {
        *byte = b',';
    }
    page.pop_if(|byte| *byte == b',');
    page.push(b']');
    page
}

/// Makes a table of each piece. All columns are inferred, as the other contenders do.
fn convert(from: &Receiver<Vec<u8>>, to: &SyncSender<RecordBatch>) -> Result<()> {
    let mut tabulator = Tabulator::new(TableRules {
        known: TableSchema::declared(&Columns::default(), [] as [&str; 0]),
        written: false,
        drift: Drift::default(),
        options: TableOptions::default(),
        contract: Contract::default(),
    });
    let limit = Memory::for_tables_of(None)?.for_columns();
    for records in from {
        let mut start = 0;
        while start < records.len() {
            let table;
            (table, start) = tabulator.convert_some(&records, start, limit)?;
            // Nobody takes it if encoding failed, which says why.
            let _ = to.send(table);
        }
    }
    Ok(())
}

fn store(from: &Receiver<RecordBatch>, format: Format, folder: &Path) -> Result<String> {
    let enough = Memory::for_tables_of(None)?.for_table(BatchLimits::of_tables());
    let mut columnar = Columnar::new(format, Compression::Zstd, enough);
    let mut objects = (0..).map(|number: u32| folder.join(format!("{number:08}{}", format.suffix())));
    let mut write = |object: Encoded| match objects.next() {
        Some(path) => std::fs::write(path, object.bytes),
        None => Ok(()),
    };
    for table in from {
        columnar.take(&table)?.into_iter().try_for_each(&mut write)?;
    }
    columnar.finish()?.into_iter().try_for_each(&mut write)?;
    Ok(r#"{"held":null,"rss_before":0}"#.to_owned())
}

fn keep(from: &Receiver<RecordBatch>) -> Result<String> {
    let tables: Vec<_> = from.iter().collect();
    let schema = tables.last().ok_or("the file is empty")?.schema();
    let tables = tables.iter().map(|table| conform(table, &schema)).collect::<Result<Vec<_>, _>>()?;
    let rows: usize = tables.iter().map(RecordBatch::num_rows).sum();
    let size: usize = tables.iter().map(RecordBatch::get_array_memory_size).sum();
    let columns: usize = schema.fields().iter().map(|field| leaves(field.data_type())).sum();
    Ok(format!(r#"{{"held":[{rows},{columns},{size}],"rss_before":0}}"#))
}

/// The columns without parts.
fn leaves(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(members) => members.iter().map(|member| leaves(member.data_type())).sum(),
        DataType::List(element) => leaves(element.data_type()),
        _ => 1,
    }
}
