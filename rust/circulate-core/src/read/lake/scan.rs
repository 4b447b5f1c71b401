//! The first pass: which versions of which records there are, and which of them count.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::entries::{CONTENT_BYTES, Entries, Entry, EntryLayout, Keep, RowPosition, VERSION_BYTES};
use super::keys::KeyMembers;
use super::objects::LakeObject;
use super::paths::TablePlaces;
use super::rebuild::record_of_row;
use super::rows::RunTables;
use crate::error::Result;
use crate::lake::record_key::{KEY_BYTES, KEY_ENTRY, KeyBuilder, KeyValue};

/// Bytes of entries that are added at a time.
const ADDED_AT_ONCE: usize = 256 * 1024;

/// How records are distinguished.
#[derive(Debug)]
pub(super) enum Rule {
    /// By their key.
    ByKey(KeyMembers),
    /// By all that they hold, whatever format that has.
    ByContent,
}

impl Rule {
    fn has_version(&self) -> bool {
        matches!(self, Self::ByKey(members) if members.version)
    }
}

/// What goes through objects.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) rule: Rule,
    pub(super) layout: EntryLayout,
}

impl Scan {
    /// One that finds the version of each record that counts, or all of them. What happened did so when it came first.
    pub(super) fn new(rule: Rule, with_history: bool) -> Self {
        let keep = match &rule {
            Rule::ByContent => Keep::Oldest,
            Rule::ByKey(_) if with_history => Keep::All,
            Rule::ByKey(_) => Keep::Newest,
        };
        let layout = EntryLayout { version: rule.has_version(), keep };
        Self { rule, layout }
    }

    /// Adds what a run deleted: keys, with the parents in front of each.
    pub(super) fn deletions(
        &self,
        deleted: &[[u8; KEY_ENTRY]],
        run: u32,
        entries: &Mutex<Entries>,
    ) -> Result<()> {
        let mut buffer = Vec::new();
        for entry in deleted {
            let Some(key) = entry.last_chunk::<KEY_BYTES>() else { continue };
            let deletion = Entry {
                key,
                run,
                version: &[0; VERSION_BYTES],
                position: None,
                content: &[0; CONTENT_BYTES],
            };
            deletion.write(self.layout, &mut buffer);
        }
        entries.lock().unwrap_or_else(PoisonError::into_inner).add(&buffer)
    }

    /// Adds the records of an object, which has the number `number`; those of its run began at `run`. Returns the rows that have
    /// no key.
    pub(super) fn object(
        &self,
        object: &LakeObject,
        stored: &Bytes,
        tables: Option<&RunTables>,
        (run, number): (u32, u32),
        entries: &Mutex<Entries>,
    ) -> Result<Vec<u32>> {
        let mut adding =
            Adding { scan: self, run, number, entries, buffer: Vec::new(), without_key: Vec::new() };
        let mut builder = KeyBuilder::default();
        match (&self.rule, tables.filter(|_| object.format.is_columnar())) {
            (Rule::ByKey(members), None) => {
                object.each_record(stored, &members.watch, |row, record| {
                    let key = members.key_of_record(record, &mut builder).map(|key| key.0);
                    let content = self.content(&mut builder, record.bytes);
                    adding.add(key, row, &members.version_of_record(record), &content)
                })?;
            }
            (Rule::ByContent, None) => {
                object.each_record(stored, &crate::page::Watch::default(), |row, record| {
                    let content = builder.content(record.bytes);
                    adding.add(Some(content), row, &[0; VERSION_BYTES], &[0; CONTENT_BYTES])
                })?;
            }
            (rule, Some(tables)) => {
                let schema = object.schema(stored)?;
                let table = TablePlaces { columns: &tables.columns, options: tables.options, arrow: &schema };
                let (paths, columns) = match rule {
                    Rule::ByKey(members) => (members.paths(&table), members.columns(&table)),
                    Rule::ByContent => (Vec::new(), Vec::new()),
                };
                let everything = self.layout.keeps_all() || matches!(rule, Rule::ByContent);
                let is_requested =
                    |column: &str| everything || columns.iter().any(|requested| requested == column);
                object.each_batch(stored, &schema, is_requested, None, |first, batch| {
                    for row in 0..batch.num_rows() {
                        let number = u32::try_from(first + row).unwrap_or(u32::MAX);
                        match rule {
                            Rule::ByKey(members) => {
                                let key = members.key_of_row(&table, (&batch, row), &paths, &mut builder)?;
                                let version = members.version_of_row(&batch, &paths, row);
                                let content = if everything {
                                    self.content(&mut builder, &record_of_row(&table, &batch, row)?)
                                } else {
                                    [0; CONTENT_BYTES]
                                };
                                adding.add(key.map(|key| key.0), number, &version, &content)?;
                            }
                            Rule::ByContent => {
                                let record = record_of_row(&table, &batch, row)?;
                                let content = builder.content(&record);
                                adding.add(
                                    Some(content),
                                    number,
                                    &[0; VERSION_BYTES],
                                    &[0; CONTENT_BYTES],
                                )?;
                            }
                        }
                    }
                    Ok(())
                })?;
            }
        }
        adding.finish()
    }

    fn content(&self, builder: &mut KeyBuilder, record: &[u8]) -> [u8; CONTENT_BYTES] {
        if self.layout.keeps_all() { canonical(builder, record) } else { [0; CONTENT_BYTES] }
    }
}

/// A digest of what a record holds, whatever format it has.
fn canonical(builder: &mut KeyBuilder, record: &[u8]) -> [u8; CONTENT_BYTES] {
    builder.value(KeyValue::Json(record));
    builder.finish().map_or([0; CONTENT_BYTES], |key| key.0)
}

/// Entries of an object that are added some at a time, since others are added at the same time.
struct Adding<'s> {
    scan: &'s Scan,
    run: u32,
    number: u32,
    entries: &'s Mutex<Entries>,
    buffer: Vec<u8>,
    without_key: Vec<u32>,
}

impl Adding<'_> {
    fn add(
        &mut self,
        key: Option<[u8; 16]>,
        row: u32,
        version: &[u8; VERSION_BYTES],
        content: &[u8; CONTENT_BYTES],
    ) -> Result<()> {
        let Some(key) = key else {
            self.without_key.push(row);
            return Ok(());
        };
        let position = Some(RowPosition { object: self.number, row });
        Entry { key: &key, run: self.run, version, position, content }
            .write(self.scan.layout, &mut self.buffer);
        if self.buffer.len() < ADDED_AT_ONCE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).add(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<u32>> {
        self.flush()?;
        Ok(self.without_key)
    }
}
