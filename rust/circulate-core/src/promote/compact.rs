//! Promotion into fewer, larger objects: a record a line, the objects of a group one after the other in one. What was one
//! object is one gzip member (RFC 1952, 2.2) or zstd frame (RFC 8878, 3.1), so they are packed side by side, and whoever
//! reads the formats reads them all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::groups::{Group, Grouper, Limits};
use super::promotion::{COPIED_AT_ONCE, Promotion};
use super::report::CopyTally;
use crate::encode::{Compression, Encoder, Format, Ndjson, Scratch};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::batch::Memory;
use crate::lake::manifest::{
    self, ObjectEntry, ObjectTimes, Part, PartRef, SCHEMA, Totals, read_body, read_part, sha256_hex,
};
use crate::lake::run_manifest::RunManifest;
use crate::lake::sink::{Created, Object, Sink, another, create_same};
use crate::lake::write::Budget;
use crate::page::{Record, Watch};

impl Promotion {
    /// Writes all groups, each with its part; `None` if it was stopped before the end.
    pub(super) async fn compacted(
        &self,
        run: &RunManifest,
        limits: Limits,
        tally: &CopyTally,
    ) -> Result<Option<(Vec<PartRef>, Totals)>> {
        // A group is held besides what is packed; if there is no room for both, packing gets what it can't do without.
        let packing = self.memory.saturating_sub(limits.max_bytes).max(self.memory / 4);
        let mut compaction = Compaction::new(self, run, tally, packing);
        let mut grouper = Grouper::new(limits);
        for reference in &run.index.parts {
            if self.stop.reason().is_some() {
                return Ok(None);
            }
            run.keys.check_part(&reference.key)?;
            let part: Part = read_part(&*self.from, reference).await?;
            for object in part.objects {
                run.keys.check_object(&object.key)?;
                if let Some(group) = grouper.push(part.format, part.compression, object)
                    && !compaction.add(group).await?
                {
                    return Ok(None);
                }
            }
            grouper.take_partitions(part.partitions);
        }
        if let Some(group) = grouper.finish()
            && !compaction.add(group).await?
        {
            return Ok(None);
        }
        if compaction.totals.records != run.index.totals.records {
            return Err(self.other_sums());
        }
        Ok(Some((compaction.parts, compaction.totals)))
    }
}

struct Compaction<'p> {
    promotion: &'p Promotion,
    run: &'p RunManifest,
    tally: &'p CopyTally,
    parts: Vec<PartRef>,
    totals: Totals,
    /// The longest that a group has taken.
    longest: Duration,
    packer: Arc<Packer>,
}

impl<'p> Compaction<'p> {
    fn new(promotion: &'p Promotion, run: &'p RunManifest, tally: &'p CopyTally, packing: u64) -> Self {
        let packer = Packer {
            room: Budget::new(packing, COPIED_AT_ONCE),
            cores: Semaphore::new(Memory::packed_at_once() as usize),
            scratch: Mutex::default(),
        };
        let (parts, totals) = (Vec::new(), Totals::default());
        Self { promotion, run, tally, parts, totals, longest: Duration::ZERO, packer: Arc::new(packer) }
    }

    /// Sees to it that a group and its part are there; returns whether they are.
    async fn add(&mut self, mut group: Group) -> Result<bool> {
        let promotion = self.promotion;
        if promotion.stop.reason().is_some() {
            return Ok(false);
        }
        let key = self.run.keys.group_part(self.parts.len());
        if let Some(there) = promotion.to.read(&key).await? {
            self.found(&group, key, &there)?;
            return Ok(true);
        }
        if !promotion.stop.allows(self.longest) {
            return Ok(false);
        }
        let began = Instant::now();
        let objects = match group.folder() {
            "" => Vec::new(),
            folder => {
                let key = self.run.keys.group_object(folder, self.parts.len(), &suffix(&group));
                let times = group.objects.iter().filter_map(|object| object.times).reduce(ObjectTimes::and);
                // Until it is to be stored, nothing is lost by stopping.
                let packed = tokio::select! {
                    packed = self.pack(&mut group) => packed?,
                    _ = promotion.stop.requested() => return Ok(false),
                };
                let (entry, created) = self.store(key, &group, packed).await?;
                self.tally.add(&entry, created, &promotion.progress);
                vec![ObjectEntry { times, ..entry }]
            }
        };
        let part = self.part(group, objects);
        let object = manifest::to_object(key.clone(), &part)?;
        let sha256 = sha256_hex(&object.bytes);
        create_same(&*promotion.to, object).await?;
        self.list_part(key, sha256, &part);
        self.longest = self.longest.max(began.elapsed());
        Ok(true)
    }

    /// A part that an earlier try wrote, after its object.
    fn found(&mut self, group: &Group, key: String, bytes: &[u8]) -> Result<()> {
        let part: Part = manifest::parse(&key, bytes)?;
        let records = |objects: &[ObjectEntry]| objects.iter().map(|object| object.records).sum::<u64>();
        let same = part.run_id == self.run.index.run_id
            && part.previous.as_ref() == self.parts.last()
            && part.partitions == group.partitions
            && records(&part.objects) == records(&group.objects);
        if !same {
            return Err(another(&key));
        }
        for object in &part.objects {
            self.tally.add(object, Created::Exists, &self.promotion.progress);
        }
        self.list_part(key, sha256_hex(bytes), &part);
        Ok(())
    }

    fn part(&self, group: Group, objects: Vec<ObjectEntry>) -> Part {
        Part {
            schema: SCHEMA,
            run_id: self.run.index.run_id.clone(),
            format: Format::Ndjson,
            compression: group.compression,
            previous: self.parts.last().cloned(),
            objects,
            recent: Vec::new(),
            partitions: group.partitions,
            keys: None,
        }
    }

    fn list_part(&mut self, key: String, sha256: String, part: &Part) {
        part.objects.iter().for_each(|object| self.totals.add(object));
        let records = part.objects.iter().map(|object| object.records).sum();
        self.parts.push(PartRef { key, sha256, objects: part.objects.len() as u64, records });
    }

    /// Reads the objects of a group and packs them side by side, and puts them together in order.
    async fn pack(&self, group: &mut Group) -> Result<Packed> {
        let (format, compression) = (group.format, group.compression);
        // Compressed again it is about as large.
        let room = usize::try_from(group.bytes() + group.bytes() / 16).unwrap_or_default();
        let mut all = Packed { bytes: Vec::with_capacity(room), ..Packed::default() };
        let members = stream::iter(std::mem::take(&mut group.objects)).map(|object| {
            let (packer, from) = (Arc::clone(&self.packer), Arc::clone(&self.promotion.from));
            packer.member(from, format, compression, object)
        });
        let mut members = members.buffered(COPIED_AT_ONCE as usize);
        while let Some(member) = members.try_next().await? {
            all = on_a_thread(move || all.with(member)).await?;
        }
        Ok(all)
    }

    /// Stores a group, unless an earlier try of ours did; another version of us may have compressed it to other bytes.
    async fn store(&self, key: String, group: &Group, packed: Packed) -> Result<(ObjectEntry, Created)> {
        let (bytes, body_sha256) = (Bytes::from(packed.bytes), crate::hex(&packed.body.finalize()));
        let object = Object {
            key: key.clone(),
            bytes: bytes.clone(),
            content_type: Format::Ndjson.content_type(),
            content_encoding: group.compression.content_encoding(),
        };
        let created = self.promotion.to.create(object).await?;
        let stored = match created {
            Created::New => bytes,
            Created::Exists => {
                let there = manifest::read_existing(&*self.promotion.to, &key).await?;
                let (compression, expected) = (group.compression, body_sha256.clone());
                let read = there.clone();
                let same = move || {
                    read == bytes || digest_of_body(compression, &read).is_ok_and(|digest| digest == expected)
                };
                if !on_a_thread(same).await? {
                    return Err(another(&key));
                }
                there
            }
        };
        let bytes = stored.len() as u64;
        let sha256 = on_a_thread(move || sha256_hex(&stored)).await?;
        let (records, body_bytes) = (packed.records, packed.body_bytes);
        Ok((ObjectEntry { key, records, bytes, sha256, body_bytes, body_sha256, times: None }, created))
    }
}

fn suffix(group: &Group) -> String {
    format!("{}{}", Format::Ndjson.suffix(), group.compression.suffix())
}

/// Makes members of objects.
#[derive(Debug)]
struct Packer {
    /// What objects may hold that are read or packed.
    room: Budget,
    /// Packing more at a time would only take more memory.
    cores: Semaphore,
    scratch: Mutex<Vec<Scratch>>,
}

/// An object as a part of a larger one.
struct CompactedObject {
    records: u64,
    lines: Vec<u8>,
    stored: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl Packer {
    async fn member(
        self: Arc<Self>,
        from: Arc<dyn Sink>,
        format: Format,
        compression: Compression,
        object: ObjectEntry,
    ) -> Result<CompactedObject> {
        // As it is stored, as it was received, and as lines, twice while they are packed.
        let room = self.room.take(object.bytes + 3 * object.body_bytes).await?;
        let body = read_body(&*from, compression, &object).await?;
        let packer = Arc::clone(&self);
        let _core = self.cores.acquire().await.map_err(ended_early)?;
        on_a_thread(move || packer.packed(format, compression, &object, &body, room)).await?
    }

    fn packed(
        &self,
        format: Format,
        compression: Compression,
        object: &ObjectEntry,
        body: &[u8],
        room: OwnedSemaphorePermit,
    ) -> Result<CompactedObject> {
        let (mut encoder, mut records) = (Ndjson::default(), 0);
        let write = |record: &Record<'_>| {
            encoder.write(record.bytes);
            records += 1;
            Ok(())
        };
        format
            .for_each_record(body, &Watch::default(), write)
            .map_err(|error| error.with("key", &object.key))?;
        if records != object.records {
            let message = format!("the object holds {records} records, the manifest says {}", object.records);
            return Err(Error::new(ErrorKind::Mismatch, "promote", message).with("key", &object.key));
        }
        let lines = encoder.finish();
        let mut scratch = self.scratches().pop().unwrap_or_default();
        let stored = compression.compress(lines.clone(), &mut scratch)?;
        self.scratches().push(scratch);
        Ok(CompactedObject { records, lines, stored, _room: room })
    }

    fn scratches(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A group in one.
#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    records: u64,
    body_bytes: u64,
    /// Digest of all lines.
    body: Sha256,
}

impl Packed {
    fn with(mut self, member: CompactedObject) -> Self {
        let CompactedObject { records, lines, stored, _room } = member;
        self.bytes.extend_from_slice(&stored);
        self.records += records;
        self.body_bytes += lines.len() as u64;
        self.body.update(&lines);
        self
    }
}

/// SHA-256 of what is stored before it was compressed, in hex.
fn digest_of_body(compression: Compression, stored: &[u8]) -> Result<String> {
    let mut digest = Sha256::new();
    let mut body = compression.reader(stored)?;
    loop {
        let piece = body.fill_buf().map_err(|error| {
            Error::new(ErrorKind::Mismatch, "read object", "the object cannot be decompressed")
                .caused_by(error)
        })?;
        if piece.is_empty() {
            return Ok(crate::hex(&digest.finalize()));
        }
        digest.update(piece);
        let read = piece.len();
        body.consume(read);
    }
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(ended_early)
}

fn ended_early(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Storage, "compact objects", "the compacting worker ended early").caused_by(error)
}
