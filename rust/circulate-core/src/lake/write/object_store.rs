//! Objects on their way to a place: compressed and stored side by side, and reported in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;

use super::budget::Budget;
use super::object_format::ObjectFormat;
use crate::encode::Scratch;
use crate::error::{Error, ErrorKind, Result};
use crate::extract::batch::Memory;
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{ObjectEntry, sha256_hex};
use crate::lake::sink::{Object, Sink, create_same};
use crate::progress::Progress;

/// Where finished objects go: they are stored side by side, and reported in order.
#[derive(Debug)]
pub struct ObjectStore {
    sink: Arc<dyn Sink>,
    keys: StreamKeys,
    task: u32,
    fence: u64,
    pub(super) looks: ObjectFormat,
    pub(super) next_sequence: u64,
    pub(super) memory: Memory,
    room: Arc<Room>,
    pub(super) running: VecDeque<AbortOnDropHandle<Result<ObjectEntry>>>,
    pub(super) stored: Vec<ObjectEntry>,
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

    pub(super) async fn store(&mut self, body: Vec<u8>, records: usize) -> Result<()> {
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
    pub(super) async fn settle(&mut self) -> Result<()> {
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
        self.progress.stored(&object.key, object.records, object.bytes);
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
    Ok(ObjectEntry { key, records, bytes, sha256, body_bytes, body_sha256, times: None })
}
