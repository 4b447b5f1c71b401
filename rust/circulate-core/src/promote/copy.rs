//! Promotion as it is: the same objects under the same keys, listed by the same parts.
//!
//! Parts are begun and finished in order, so that of a promotion that is stopped as many as can be are whole; the objects
//! of the next ones are copied meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::{COPIED_AT_ONCE, CopyTally, PARTS_AT_ONCE, Promotion};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::entry_files::known_file;
use crate::lake::manifest::{self, ObjectEntry, Part, PartRef, Totals, read_part_file, sha256_hex};
use crate::lake::run_manifest::RunManifest;
use crate::lake::sink::{Created, Object, Sink, another, create_same};
use crate::lake::write::Budget;
use crate::progress::Completion;

/// A part as it was found.
struct FoundPart {
    key: String,
    bytes: Bytes,
    part: Part,
    /// It is in the target, and so is all that it names.
    there: bool,
}

/// A part whose objects are being copied.
struct PartCopy {
    key: String,
    bytes: Bytes,
    copies: JoinSet<Result<(ObjectEntry, Created)>>,
    /// All of its objects were begun.
    whole: bool,
}

impl Promotion {
    /// Copies all parts with their objects; `None` if it was stopped before the end.
    pub(super) async fn copied(
        &self,
        run: &RunManifest,
        tally: &CopyTally,
    ) -> Result<Option<(Vec<PartRef>, Totals)>> {
        run.index.parts.iter().try_for_each(|part| run.keys.check_part(&part.key))?;
        self.progress.set_completion(Some(Completion {
            unit: "objects".to_owned(),
            done: 0,
            total: Some(run.index.totals.objects),
            estimated: false,
        }));
        let room = Budget::new(self.memory, COPIED_AT_ONCE);
        let parts = stream::iter(run.index.parts.iter().cloned());
        let mut found = parts.map(|part| self.find(part)).buffered(PARTS_AT_ONCE);
        let mut open = VecDeque::new();
        let mut whole = true;
        while let Some(found) = found.next().await {
            let found = found.map_err(ended_early)??;
            whole = self.stop.reason().is_none();
            if !whole {
                break;
            }
            if found.there {
                for object in &found.part.objects {
                    tally.add(object, Created::Exists, &self.progress);
                }
                continue;
            }
            found.part.objects.iter().try_for_each(|object| run.keys.check_object(&object.key))?;
            open.push_back(self.begin_part(found, &room).await?);
            if open.len() == PARTS_AT_ONCE
                && let Some(first) = open.pop_front()
            {
                whole = self.finish_part(first, tally).await?;
            }
            if !whole {
                break;
            }
        }
        for begun in open {
            whole &= self.finish_part(begun, tally).await?;
        }
        if !whole {
            return Ok(None);
        }
        let (there, totals) = (tally.counts(), &run.index.totals);
        if (there.objects, there.records, there.bytes) != (totals.objects, totals.records, totals.bytes) {
            return Err(self.other_sums());
        }
        Ok(Some((run.index.parts.clone(), totals.clone())))
    }

    /// Copies the files of keys that the index names; returns whether all of them are there. The entries of a promotion that
    /// compacts objects are the same: they say nothing of objects.
    pub(super) async fn copy_entries(&self, run: &RunManifest) -> Result<bool> {
        let files: Vec<_> = run.index.entry_files().map(known_file).collect();
        files.iter().try_for_each(|file| run.keys.check_part(&file.key))?;
        let largest = files.iter().map(|file| self.to.memory_to_copy(&*self.from, file.bytes)).max();
        let at_once = self.memory / largest.unwrap_or(0).max(1);
        let at_once = usize::try_from(at_once.clamp(1, u64::from(COPIED_AT_ONCE))).unwrap_or(1);
        let copies = files.iter().map(|file| async move {
            if self.stop.reason().is_some() {
                return Ok(false);
            }
            self.to.copy_from(&*self.from, file).await.map(|_| true)
        });
        let copies: Vec<_> = copies.collect();
        stream::iter(copies)
            .buffered(at_once)
            .try_fold(true, |all, copied| async move { Ok(all && copied) })
            .await
    }

    /// Finds a part on a task of its own: it is not to wait while we wait for room.
    fn find(&self, reference: PartRef) -> JoinHandle<Result<FoundPart>> {
        let (from, to) = (Arc::clone(&self.from), Arc::clone(&self.to));
        tokio::spawn(async move { find(&*from, &*to, reference).await })
    }

    /// Begins to copy what a part lists, as far as there is time.
    async fn begin_part(&self, found: FoundPart, room: &Budget) -> Result<PartCopy> {
        let FoundPart { key, bytes, part, .. } = found;
        let mut copies = JoinSet::new();
        let objects = part.objects.len();
        for object in part.objects {
            let room = room.take(self.to.memory_to_copy(&*self.from, object.bytes)).await?;
            if self.stop.reason().is_some() {
                break;
            }
            let (from, to) = (Arc::clone(&self.from), Arc::clone(&self.to));
            copies.spawn(async move {
                let known = object.known(part.format, part.compression);
                let created = to.copy_from(&*from, &known).await?;
                drop(room);
                Ok((object, created))
            });
        }
        let whole = copies.len() == objects;
        Ok(PartCopy { key, bytes, copies, whole })
    }

    /// Waits for the copies, then lists them in the target; returns whether that could be done.
    async fn finish_part(&self, begun: PartCopy, tally: &CopyTally) -> Result<bool> {
        let PartCopy { key, bytes, mut copies, whole } = begun;
        while let Some(copied) = copies.join_next().await {
            let (object, created) = copied.map_err(ended_early)??;
            tally.add(&object, created, &self.progress);
        }
        if whole {
            let content_type = "application/json";
            create_same(&*self.to, Object { key, bytes, content_type, content_encoding: None }).await?;
        }
        Ok(whole)
    }
}

async fn find(from: &dyn Sink, to: &dyn Sink, reference: PartRef) -> Result<FoundPart> {
    let there = to.read(&reference.key).await?;
    let bytes = match &there {
        Some(there) if sha256_hex(there) != reference.sha256 => return Err(another(&reference.key)),
        Some(there) => there.clone(),
        None => read_part_file(from, &reference).await?,
    };
    let part = manifest::parse(&reference.key, &bytes)?;
    Ok(FoundPart { key: reference.key, bytes, part, there: there.is_some() })
}

fn ended_early(error: JoinError) -> Error {
    Error::new(ErrorKind::Storage, "promote", "the copying worker ended early").caused_by(error)
}
