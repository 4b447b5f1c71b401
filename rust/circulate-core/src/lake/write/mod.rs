//! Records in, stored objects out: batches are encoded as records come, then compressed and stored side by side while
//! the next batch fills, and reported in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

use crate::encode::{Compression, Encoder, Format, Scratch, TableRules, TableState};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::batch::{BatchLimits, Memory};
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{ObjectEntry, sha256_hex};
use crate::lake::sink::{Object, Sink, create_same};
use crate::progress::Progress;

mod table;

use table::TableFilling;

/// How objects look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ObjectFormat {
    /// How records become bytes.
    pub format: Format,
    /// How these are compressed: tables inside, other formats as a whole.
    pub compression: Compression,
    /// When an object is full.
    pub batch: BatchLimits,
}

impl ObjectFormat {
    /// Objects of `format`; what is not given is as it does best for most: JSON of 1,000 records or 3 MB by gzip, tables of 64 MB
    /// by zstd.
    pub fn new(
        format: Format,
        compression: Option<Compression>,
        records: Option<usize>,
        bytes: Option<usize>,
    ) -> Result<Self> {
        let (usual, batch) = if format.is_columnar() {
            (Compression::Zstd, BatchLimits::of_tables())
        } else {
            (Compression::Gzip, BatchLimits::default())
        };
        let compression = compression.unwrap_or(usual);
        if format.is_columnar() && (compression == Compression::Gzip || records.is_some()) {
            let what = if records.is_some() {
                "tables are closed by their size, not by a number of records"
            } else {
                "tables are compressed by zstd, or not at all"
            };
            return Err(Error::new(ErrorKind::Settings, "read settings", what)
                .hint("leave the option out (--batch-records, --compression)"));
        }
        let batch =
            BatchLimits { records: records.unwrap_or(batch.records), bytes: bytes.unwrap_or(batch.bytes) };
        Ok(Self { format, compression, batch })
    }

    /// The memory for such objects: so many bytes, or by default enough.
    pub fn memory(&self, bytes: Option<u64>) -> Result<Memory> {
        if self.format.is_columnar() {
            return Memory::for_tables_of(bytes);
        }
        bytes.map_or(Ok(Memory::default()), |bytes| Memory::new(bytes, self.batch))
    }

    /// How objects as a whole are compressed.
    pub fn around(&self) -> Compression {
        if self.format.is_columnar() { Compression::None } else { self.compression }
    }

    fn suffix(&self) -> String {
        format!("{}{}", self.format.suffix(), self.around().suffix())
    }
}

/// Writes the objects of one task.
#[derive(Debug)]
pub struct ObjectWriter {
    filling: Filling,
    store: ObjectStore,
}

/// What records are gathered in.
#[derive(Debug)]
enum Filling {
    Text { encoder: Box<dyn Encoder>, records: usize },
    Table(TableFilling),
}

impl ObjectWriter {
    /// Writes objects to `store`; tables, if that is what they are, by `rules`.
    pub fn new(store: ObjectStore, rules: TableRules) -> Self {
        let looks = store.looks;
        let filling = match looks.format.encoder() {
            Some(encoder) => Filling::Text { encoder, records: 0 },
            None => Filling::Table(TableFilling::new(looks, store.memory, rules)),
        };
        Self { filling, store }
    }

    /// Takes a record in. Waits while too many objects are on their way.
    pub async fn push(&mut self, record: &[u8]) -> Result<()> {
        let (encoder, records) = match &mut self.filling {
            Filling::Table(table) => return table.push(record, &mut self.store).await,
            Filling::Text { encoder, records } => (encoder, records),
        };
        let batch = self.store.looks.batch;
        if !batch.admit(*records, encoder.size_with(record.len())) {
            self.store.store(encoder.finish(), std::mem::take(records)).await?;
        }
        let size = encoder.size_with(record.len());
        encoder.write(record);
        *records += 1;
        if batch.full(*records, size) {
            self.store.store(encoder.finish(), std::mem::take(records)).await?;
        }
        Ok(())
    }

    /// The number of the next object.
    pub fn next_sequence(&self) -> u64 {
        self.store.next_sequence
    }

    /// Objects begun since the last [`finish`](Self::finish).
    pub fn unreported(&self) -> usize {
        self.store.stored.len() + self.store.running.len()
    }

    /// What is known of tables by now, after [`finish`](Self::finish).
    pub fn known(&mut self) -> Option<TableState<'_>> {
        match &mut self.filling {
            Filling::Table(table) => table.known(),
            Filling::Text { .. } => None,
        }
    }

    /// Closes the open batch, waits until everything is stored, and reports it in order.
    pub async fn finish(&mut self) -> Result<Vec<ObjectEntry>> {
        match &mut self.filling {
            Filling::Table(table) => table.finish(&mut self.store).await?,
            Filling::Text { records: 0, .. } => {}
            Filling::Text { encoder, records } => {
                self.store.store(encoder.finish(), std::mem::take(records)).await?;
            }
        }
        self.store.settle().await?;
        Ok(std::mem::take(&mut self.store.stored))
    }
}

/// Where finished objects go: they are stored side by side, and reported in order.
#[derive(Debug)]
pub struct ObjectStore {
    sink: Arc<dyn Sink>,
    keys: StreamKeys,
    task: u32,
    fence: u64,
    looks: ObjectFormat,
    next_sequence: u64,
    memory: Memory,
    room: Arc<Room>,
    running: VecDeque<AbortOnDropHandle<Result<ObjectEntry>>>,
    stored: Vec<ObjectEntry>,
    progress: Arc<Progress>,
}

impl ObjectStore {
    /// Takes objects of `task` from number `next_sequence` on, as many at a time as `memory` allows, and no more than `at_once`.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, given once")]
    pub fn new(
        sink: Arc<dyn Sink>,
        keys: StreamKeys,
        task: u32,
        fence: u64,
        looks: ObjectFormat,
        next_sequence: u64,
        memory: Memory,
        at_once: u32,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            sink,
            keys,
            task,
            fence,
            looks,
            next_sequence,
            memory,
            room: Arc::new(Room::new(memory, at_once)),
            running: VecDeque::new(),
            stored: Vec::new(),
            progress,
        }
    }

    async fn store(&mut self, body: Vec<u8>, records: usize) -> Result<()> {
        self.collect_what_is_stored().await?;
        let key = self.keys.object(self.task, self.fence, self.next_sequence, &self.looks.suffix());
        self.next_sequence += 1;
        let packing = self.room.packing.take(body.len() as u64).await?;
        let (sink, room, looks) = (Arc::clone(&self.sink), Arc::clone(&self.room), self.looks);
        let storing = tokio::spawn(store(sink, room, packing, key, records as u64, body, looks));
        self.running.push_back(AbortOnDropHandle::new(storing));
        Ok(())
    }

    /// Waits until all that was begun is stored.
    async fn settle(&mut self) -> Result<()> {
        while !self.running.is_empty() {
            self.collect_one().await?;
        }
        Ok(())
    }

    /// So that a failure is noticed soon, and not only when all is closed.
    async fn collect_what_is_stored(&mut self) -> Result<()> {
        while self.running.front().is_some_and(AbortOnDropHandle::is_finished) {
            self.collect_one().await?;
        }
        Ok(())
    }

    async fn collect_one(&mut self) -> Result<()> {
        let Some(next) = self.running.pop_front() else { return Ok(()) };
        let object = next.await.map_err(|error| {
            Error::new(ErrorKind::Storage, "store object", "the worker storing an object ended early")
                .caused_by(error)
        })??;
        self.progress.count_object(object.bytes);
        self.stored.push(object);
        Ok(())
    }
}

/// Bounds what objects on their way hold.
#[derive(Debug)]
struct Room {
    packing: Budget,
    storing: Budget,
    /// One for each object that was packed at the same time.
    scratch: Mutex<Vec<Scratch>>,
}

impl Room {
    fn new(memory: Memory, at_once: u32) -> Self {
        Self {
            packing: Budget::new(memory.for_packing(), at_once.min(Memory::packed_at_once())),
            storing: Budget::new(memory.for_storing(), at_once),
            scratch: Mutex::default(),
        }
    }

    fn take_scratch(&self) -> Scratch {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn keep_scratch(&self, scratch: Scratch) {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}

/// Bytes that may be held, by so many holders at the most.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Arc<Semaphore>,
    units: u32,
    least: u32,
}

/// Bytes per permit.
const UNIT: u64 = 4096;

impl Budget {
    pub(crate) fn new(bytes: u64, holders: u32) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX / 2).max(holders);
        Self { left: Arc::new(Semaphore::new(units as usize)), units, least: units / holders.max(1) }
    }

    /// Waits until there are so many. Who wants more than there are at all waits until nobody holds any.
    pub(crate) async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(self.least, self.units);
        Arc::clone(&self.left).acquire_many_owned(units).await.map_err(closed)
    }
}

fn closed(error: AcquireError) -> Error {
    Error::new(ErrorKind::Storage, "store object", "objects are no longer stored").caused_by(error)
}

async fn store(
    sink: Arc<dyn Sink>,
    room: Arc<Room>,
    packing: OwnedSemaphorePermit,
    key: String,
    records: u64,
    body: Vec<u8>,
    looks: ObjectFormat,
) -> Result<ObjectEntry> {
    let body_bytes = body.len() as u64;
    let shared = Arc::clone(&room);
    let pack = move || {
        let body_sha256 = sha256_hex(&body);
        // What a single huge record took is not kept.
        let keep = body.len() <= looks.batch.bytes;
        let mut scratch = shared.take_scratch();
        let stored = looks.around().compress(body, &mut scratch)?;
        if keep {
            shared.keep_scratch(scratch);
        }
        Ok::<_, Error>((body_sha256, sha256_hex(&stored), stored))
    };
    let (body_sha256, sha256, stored) = tokio::task::spawn_blocking(pack).await.map_err(|error| {
        Error::new(ErrorKind::Storage, "compress object", "the compressing worker ended early")
            .caused_by(error)
    })??;
    let bytes = stored.len() as u64;
    let _storing = room.storing.take(bytes).await?;
    drop(packing);
    let object = Object {
        key: key.clone(),
        bytes: stored.into(),
        content_type: looks.format.content_type(),
        content_encoding: looks.around().content_encoding(),
    };
    create_same(&*sink, object).await?;
    Ok(ObjectEntry { key, records, bytes, sha256, body_bytes, body_sha256 })
}
