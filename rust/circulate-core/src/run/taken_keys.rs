//! Keys of the records that an attempt takes in: gathered in memory, and written beside the manifest's parts when there are many,
//! and at each checkpoint.

use std::ops::Range;
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::pull::Pull;
use crate::error::{Error, ErrorKind, Result};
use crate::extract::plan::Partition;
use crate::lake::entry_files::{MAX_FILE, write_entries};
use crate::lake::external_sort::sort;
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{EntryFile, Identity, TakenKeys};
use crate::lake::record_key::{KEY_ENTRY, KeyBuilder, KeyValue, ScopeKey, key_entry};
use crate::lake::sink::Sink;
use crate::page::Record;

/// See the module.
#[derive(Debug)]
pub(super) struct KeyCollector {
    sink: Arc<dyn Sink>,
    keys: StreamKeys,
    task: u32,
    fence: u64,
    /// The names of the parents that belong to a key.
    names: Vec<String>,
    builder: KeyBuilder,
    /// Keys since the last file, and how many there may be.
    newest: Vec<[u8; KEY_ENTRY]>,
    limit: usize,
    /// What is being written while more are gathered: one file at a time.
    writing: Option<AbortOnDropHandle<Result<EntryFile>>>,
    files: Vec<EntryFile>,
    next: u64,
    without_key: u64,
}

impl KeyCollector {
    /// One for a run of `pull`; `None` if its records are not merged by a key.
    pub(super) fn of(pull: &Pull, keys: &StreamKeys, task: u32, fence: u64) -> Option<Self> {
        let identity = Identity::of(&pull.definition);
        let bytes = pull.options.memory.for_keys().min(MAX_FILE);
        identity.is_merged().then(|| Self {
            sink: Arc::clone(&pull.sink),
            keys: keys.clone(),
            task,
            fence,
            names: identity.parents,
            builder: KeyBuilder::default(),
            newest: Vec::new(),
            limit: bytes / KEY_ENTRY,
            writing: None,
            files: Vec::new(),
            next: 0,
            without_key: 0,
        })
    }

    /// Adds the key of a record, which is its watched members of these numbers. Writes what was gathered if that is enough.
    pub(super) async fn add(
        &mut self,
        parents: Option<&Partition>,
        record: &Record<'_>,
        key: Range<usize>,
    ) -> Result<()> {
        let builder = &mut self.builder;
        for name in &self.names {
            let parent = parents.and_then(|parents| parents.value(name));
            builder.parent(parent.map_or(KeyValue::Missing, KeyValue::Text));
        }
        let scope = if self.names.is_empty() { ScopeKey::default() } else { builder.scope() };
        for number in key {
            builder.value(record.field(number).map_or(KeyValue::Missing, KeyValue::Json));
        }
        match builder.finish() {
            Some(key) => {
                // Growing by and by would leave as much again behind.
                if self.newest.capacity() == 0 {
                    self.newest.reserve_exact(self.limit);
                }
                self.newest.push(key_entry(scope, key));
            }
            None => self.without_key += 1,
        }
        if self.newest.len() >= self.limit { self.begin_file().await } else { Ok(()) }
    }

    /// Begins to write what was gathered, sorted, if there is anything.
    async fn begin_file(&mut self) -> Result<()> {
        if self.newest.is_empty() {
            return Ok(());
        }
        self.end_file().await?;
        let key = self.keys.taken_keys(self.task, self.fence, self.next);
        self.next += 1;
        let (sink, mut entries) = (Arc::clone(&self.sink), std::mem::take(&mut self.newest));
        let written = async move {
            sort(&mut entries);
            write_entries(&*sink, |_| key.clone(), &entries).await
        };
        self.writing = Some(AbortOnDropHandle::new(tokio::spawn(written)));
        Ok(())
    }

    /// Waits for the file that is being written.
    async fn end_file(&mut self) -> Result<()> {
        if let Some(writing) = self.writing.take() {
            let written = writing.await.map_err(|error| {
                Error::new(ErrorKind::Storage, "write keys", "the worker writing keys ended early")
                    .caused_by(error)
            })?;
            self.files.push(written?);
        }
        Ok(())
    }

    /// What was taken in since this was called last.
    pub(super) async fn finish(&mut self) -> Result<TakenKeys> {
        self.begin_file().await?;
        self.end_file().await?;
        let without_key = std::mem::take(&mut self.without_key);
        Ok(TakenKeys { files: std::mem::take(&mut self.files), without_key })
    }
}
