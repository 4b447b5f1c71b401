//! One worker's go at a run: pages in, objects out, a checkpoint now and then.

use std::sync::Arc;

use tokio::time::Instant;

use super::Pull;
use super::fetch::{Pages, Step};
use crate::client::Client;
use crate::cursor::{Digest, Overlap, Recent};
use crate::error::{Error, ErrorKind, Result};
use crate::http::server_date;
use crate::manifest::{self, DedupSet, MAX_OBJECTS_PER_PART, ObjectEntry, Part, PartRef, SCHEMA, sha256_hex};
use crate::progress::Traffic;
use crate::sink::{StreamKeys, create_same};
use crate::state::{Held, Mode, Position};
use crate::stop::StopReason;
use crate::write::ObjectWriter;

const TASK: u32 = 0;

/// What came of an attempt.
pub(super) struct Attempted {
    /// Where the run stands, as of its last checkpoint.
    pub(super) position: Position,
    /// How the attempt ended.
    pub(super) end: Result<End>,
}

/// Where an attempt ended without an error.
pub(super) enum End {
    /// The list was read to its end.
    OfTheList,
    /// Something asked the run to stop.
    Early(StopReason),
    /// The API no longer knows the page where an earlier attempt stopped.
    PageForgotten(Error),
}

/// One worker's go at a run: from its position to the end of the list, or to whatever stops it.
pub(super) struct Attempt<'p> {
    pull: &'p Pull,
    client: Arc<Client>,
    held: &'p Held,
    keys: StreamKeys,
    writer: ObjectWriter,
    /// Up to the last page taken in.
    position: Position,
    /// Up to the last checkpoint.
    saved: Position,
    overlap: Overlap,
    earlier_traffic: Traffic,
    checkpoint_at: Instant,
}

impl<'p> Attempt<'p> {
    pub(super) fn new(pull: &'p Pull, client: Arc<Client>, held: &'p Held) -> Self {
        let keys = pull.keys(held);
        let position = held.position.clone();
        let writer = ObjectWriter::new(
            Arc::clone(&pull.sink),
            keys.clone(),
            TASK,
            held.fence,
            pull.options.objects,
            position.next_sequence,
            pull.options.memory,
            Arc::clone(&pull.progress),
        );
        Self {
            pull,
            client,
            held,
            keys,
            writer,
            saved: position.clone(),
            overlap: Overlap::default(),
            earlier_traffic: position.traffic.clone(),
            position,
            checkpoint_at: Instant::now() + pull.options.checkpoint_interval,
        }
    }

    pub(super) async fn run(mut self) -> Attempted {
        let end = self.take_pages().await;
        self.saved.traffic = self.traffic();
        Attempted { position: self.saved, end }
    }

    async fn take_pages(&mut self) -> Result<End> {
        // An earlier attempt read the list to its end: there is nothing left to ask the API.
        if self.position.finished {
            return Ok(End::OfTheList);
        }
        self.overlap = Overlap::new(self.delivered_before().await?);
        let mut pages =
            Pages::start(self.pull, Arc::clone(&self.client), &self.held.run.window, &self.position)?;
        while !self.position.finished {
            match pages.next().await {
                Ok(step) => self.take_in(step).await?,
                Err(error) if self.is_forgotten(&error) => return Ok(End::PageForgotten(error)),
                Err(error) => {
                    // What was read up to here is good: the next start need not ask for it again.
                    self.checkpoint().await?;
                    let ends_early = matches!(error.kind(), ErrorKind::Stopped | ErrorKind::RateLimited);
                    return match self.pull.stop.reason().filter(|_| ends_early) {
                        Some(reason) => Ok(End::Early(reason)),
                        None => Err(error),
                    };
                }
            }
            if self.position.finished || self.checkpoint_is_due() {
                self.checkpoint().await?;
            }
            if let Some(reason) = self.pull.stop.reason().filter(|_| !self.position.finished) {
                self.checkpoint().await?;
                return Ok(End::Early(reason));
            }
        }
        Ok(End::OfTheList)
    }

    /// Page addresses hold cursors that an API forgets after a while. Ours was taken from a checkpoint, not from a page
    /// just read, and is refused as it stands.
    fn is_forgotten(&self, error: &Error) -> bool {
        let stored = self.held.position.next_url.as_ref();
        error.kind() == ErrorKind::Refused && stored.is_some() && stored == self.position.next_url.as_ref()
    }

    async fn take_in(&mut self, step: Step) -> Result<()> {
        let date = server_date(&step.page.headers);
        self.position.first_server_date = self.position.first_server_date.or(date);
        let has_cursor = self.pull.stream().incremental.is_some();
        let moves_cursor = has_cursor && self.held.run.mode != Mode::Window;
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            let time = if has_cursor { self.position.watermark.see(record.field) } else { None };
            let bound = if moves_cursor { self.pull.next_bound(self.held, &self.position) } else { None };
            if self.overlap.repeats(record.bytes, time, bound) {
                self.position.repeats += 1;
            } else {
                self.writer.push(record.bytes).await?;
            }
        }
        drop(records);
        self.position.totals.pages += 1;
        self.position.finished = step.next.is_none();
        self.position.next_url = step.next.map(String::from);
        self.position.guard = step.guard;
        Ok(())
    }

    fn checkpoint_is_due(&self) -> bool {
        self.writer.unreported() >= self.pull.options.checkpoint_objects
            || Instant::now() >= self.checkpoint_at
    }

    /// The records of the overlap that the run before this one delivered. A full refresh leaves nothing out.
    async fn delivered_before(&self) -> Result<Vec<Digest>> {
        let run = &self.held.run;
        let key = run.from_cursor.as_ref().and_then(|cursor| cursor.dedup_key.as_ref());
        match key.filter(|_| run.mode == Mode::Incremental) {
            None => Ok(Vec::new()),
            Some(key) => {
                let set: DedupSet =
                    manifest::parse(key, &manifest::read_existing(&*self.pull.sink, key).await?)?;
                Ok(set.sha256)
            }
        }
    }

    /// At a page boundary: closes the open batch, lists the new objects in a manifest part, and only then writes where
    /// to go on.
    async fn checkpoint(&mut self) -> Result<()> {
        let objects = self.writer.finish().await?;
        let recent = self.overlap.take_recent(self.pull.next_bound(self.held, &self.position));
        let mut chunks: Vec<_> =
            objects.chunks(MAX_OBJECTS_PER_PART).map(|chunk| (chunk, Vec::new())).collect();
        match chunks.last_mut() {
            Some((_, with_last)) => *with_last = recent,
            None if recent.is_empty() => {}
            None => chunks.push((&[], recent)),
        }
        for (chunk, recent) in chunks {
            self.list_in_part(chunk, recent).await?;
        }
        self.position.next_sequence = self.writer.next_sequence();
        self.position.traffic = self.traffic();
        self.held.checkpoint(self.position.clone()).await?;
        self.saved = self.position.clone();
        self.checkpoint_at = Instant::now() + self.pull.options.checkpoint_interval;
        Ok(())
    }

    async fn list_in_part(&mut self, objects: &[ObjectEntry], recent: Vec<Recent>) -> Result<()> {
        let part = Part {
            schema: SCHEMA,
            run_id: self.held.run.run_id.clone(),
            format: self.pull.options.objects.format,
            compression: self.pull.options.objects.compression,
            previous: self.position.last_part.take(),
            objects: objects.to_vec(),
            recent,
        };
        self.position.last_part = Some(self.write_part(self.position.next_part, &part).await?);
        self.position.next_part += 1;
        for object in objects {
            self.position.totals.add(object);
        }
        Ok(())
    }

    async fn write_part(&self, number: u64, part: &Part) -> Result<PartRef> {
        let key = self.keys.part(TASK, self.held.fence, number);
        let object = manifest::to_object(key.clone(), part)?;
        let sha256 = sha256_hex(&object.bytes);
        create_same(&*self.pull.sink, object).await?;
        let records = part.objects.iter().map(|object| object.records).sum();
        Ok(PartRef { key, sha256, objects: part.objects.len() as u64, records })
    }

    fn traffic(&self) -> Traffic {
        self.earlier_traffic.plus(&self.pull.progress.traffic())
    }
}
