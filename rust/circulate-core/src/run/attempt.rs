//! One worker's go at a run: pages in, objects out, a checkpoint now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Pull;
use super::fetch::{Pages, Step};
use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::http::server_date;
use crate::manifest::{self, MAX_OBJECTS_PER_PART, Part, PartRef, SCHEMA, sha256_hex};
use crate::progress::Traffic;
use crate::sink::{StreamKeys, create_same};
use crate::state::{Held, Position};
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
            pull.options.concurrency,
            Arc::clone(&pull.progress),
        );
        Self {
            pull,
            client,
            held,
            keys,
            writer,
            saved: position.clone(),
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
        let mut pages =
            Pages::start(self.pull, Arc::clone(&self.client), &self.held.run.window, &self.position)?;
        while !self.position.finished {
            match pages.next().await {
                Ok(step) => self.take_in(step).await?,
                Err(error) => {
                    // What was read up to here is good: the next start need not ask for it again.
                    self.checkpoint().await?;
                    return match self.pull.stop.reason() {
                        Some(reason) if error.kind() == ErrorKind::Stopped => Ok(End::Early(reason)),
                        _ if error.kind() == ErrorKind::RateLimited => {
                            Ok(End::Early(StopReason::Wait(Duration::ZERO)))
                        }
                        _ => Err(error),
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

    async fn take_in(&mut self, step: Step) -> Result<()> {
        let date = server_date(&step.page.headers);
        self.position.first_server_date = self.position.first_server_date.or(date);
        let has_cursor = self.pull.stream().incremental.is_some();
        let mut records = step.page.records();
        while let Some(record) = records.next()? {
            if has_cursor {
                self.position.watermark.see(record.field);
            }
            self.writer.push(record.bytes).await?;
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

    /// At a page boundary: closes the open batch, lists the new objects in a manifest part, and only then writes where
    /// to go on.
    async fn checkpoint(&mut self) -> Result<()> {
        let first_sequence = self.saved.next_sequence;
        let objects = self.writer.finish().await?;
        for (index, chunk) in objects.chunks(MAX_OBJECTS_PER_PART).enumerate() {
            let sequence = first_sequence + (index * MAX_OBJECTS_PER_PART) as u64;
            let part = Part {
                schema: SCHEMA,
                run_id: self.held.run.run_id.clone(),
                format: self.pull.options.objects.format,
                compression: self.pull.options.objects.compression,
                previous: self.position.last_part.take(),
                objects: chunk.to_vec(),
            };
            self.position.last_part = Some(self.write_part(sequence, &part).await?);
            for object in chunk {
                self.position.totals.add(object);
            }
        }
        self.position.next_sequence = self.writer.next_sequence();
        self.position.traffic = self.traffic();
        self.held.checkpoint(self.position.clone()).await?;
        self.saved = self.position.clone();
        self.checkpoint_at = Instant::now() + self.pull.options.checkpoint_interval;
        Ok(())
    }

    async fn write_part(&self, sequence: u64, part: &Part) -> Result<PartRef> {
        let key = self.keys.part(TASK, self.held.fence, sequence);
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
