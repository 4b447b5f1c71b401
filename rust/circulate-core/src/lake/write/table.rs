//! Records gathered for tables. Beside the reading of more they are converted, and what was converted is encoded: three
//! things at a time, each with a piece of its own, and one piece between them, so that none waits for the next. A record
//! that is larger than a piece goes this way alone.

use std::sync::Arc;

use arrow_array::RecordBatch;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, spawn_blocking};

use super::object_format::ObjectFormat;
use super::object_store::ObjectStore;
use crate::encode::{Columnar, Encoded, Encoder, JsonArray, TableRules, TableState, Tabulator};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::batch::Memory;

/// Pieces on their way: each worker has one, and one waits between two of them.
const PIECES: u32 = 5;

/// Records on their way to be encoded, and the room they take.
type RecordsPiece = (Vec<u8>, Arc<OwnedSemaphorePermit>);
type ConvertedPiece = (RecordBatch, Arc<OwnedSemaphorePermit>);

/// See the module.
#[derive(Debug)]
pub(super) struct TableFilling {
    gathered: JsonArray,
    records: usize,
    memory: Memory,
    looks: ObjectFormat,
    tables: Tabulation,
}

/// What knows the columns is with us, or with the workers.
#[derive(Debug)]
enum Tabulation {
    Here(Box<Tabulator>),
    Away(Workers),
    /// A worker did not come back.
    Lost,
}

/// They end by themselves when they are let go.
#[derive(Debug)]
struct Workers {
    pieces: Sender<RecordsPiece>,
    room: Arc<Semaphore>,
    objects: Receiver<Encoded>,
    converting: JoinHandle<Result<Converted>>,
    encoding: JoinHandle<Result<()>>,
}

/// What knows the columns, and whether it has converted everything.
type Converted = (Box<Tabulator>, Result<()>);

impl TableFilling {
    pub(super) fn new(looks: ObjectFormat, memory: Memory, rules: TableRules) -> Self {
        Self {
            gathered: JsonArray::default(),
            records: 0,
            memory,
            looks,
            tables: Tabulation::Here(Box::new(Tabulator::new(rules))),
        }
    }

    pub(super) async fn push(&mut self, record: &[u8], store: &mut ObjectStore) -> Result<()> {
        if self.records > 0 && self.gathered.size_with(record.len()) > self.memory.for_records() {
            self.hand_over(store).await?;
        }
        let large = record.len() > self.memory.for_records();
        if large {
            drop(self.room(PIECES, store).await?);
        }
        self.gathered.write(record);
        self.records += 1;
        if large { self.hand_over(store).await } else { Ok(()) }
    }

    /// What is known of the tables by now; `None` while they are being made.
    pub(super) fn known(&self) -> Option<TableState<'_>> {
        match &self.tables {
            Tabulation::Here(tabulator) => Some(tabulator.known()),
            Tabulation::Away(_) | Tabulation::Lost => None,
        }
    }

    /// Completes the open object.
    pub(super) async fn finish(&mut self, store: &mut ObjectStore) -> Result<()> {
        if self.records > 0 {
            self.hand_over(store).await?;
        }
        self.end(store).await
    }

    /// Hands what was gathered to the workers, once they have room for it.
    async fn hand_over(&mut self, store: &mut ObjectStore) -> Result<()> {
        let records = self.gathered.finish();
        self.records = 0;
        let pieces = if records.len() > self.memory.for_records() + 2 { PIECES } else { 1 };
        let taken = Arc::new(self.room(pieces, store).await?);
        let workers = self.workers()?;
        loop {
            tokio::select! {
                room = workers.pieces.reserve() => match room {
                    Ok(room) => {
                        room.send((records, taken));
                        return Ok(());
                    }
                    Err(_) => break,
                },
                Some(object) = workers.objects.recv() => keep(object, store).await?,
            }
        }
        // They ended early, and say why.
        self.end(store).await?;
        Err(lost())
    }

    /// Waits until there is room for so many pieces.
    async fn room(&mut self, pieces: u32, store: &mut ObjectStore) -> Result<OwnedSemaphorePermit> {
        let workers = self.workers()?;
        loop {
            tokio::select! {
                taken = Arc::clone(&workers.room).acquire_many_owned(pieces) => {
                    return taken.map_err(|error| lost().caused_by(error));
                }
                Some(object) = workers.objects.recv() => keep(object, store).await?,
            }
        }
    }

    fn workers(&mut self) -> Result<&mut Workers> {
        self.tables = match std::mem::replace(&mut self.tables, Tabulation::Lost) {
            Tabulation::Here(tabulator) => {
                let enough = self.memory.for_table(self.looks.batch);
                let columnar = Columnar::new(self.looks.format, self.looks.compression, enough);
                Tabulation::Away(Workers::begin(tabulator, columnar, self.memory.for_columns()))
            }
            other => other,
        };
        match &mut self.tables {
            Tabulation::Away(workers) => Ok(workers),
            Tabulation::Here(_) | Tabulation::Lost => Err(lost()),
        }
    }

    /// Lets the workers come to their end, and stores what they complete.
    async fn end(&mut self, store: &mut ObjectStore) -> Result<()> {
        let workers = match std::mem::replace(&mut self.tables, Tabulation::Lost) {
            Tabulation::Away(workers) => workers,
            other => {
                self.tables = other;
                return Ok(());
            }
        };
        let Workers { pieces, mut objects, converting, encoding, .. } = workers;
        drop(pieces);
        while let Some(object) = objects.recv().await {
            keep(object, store).await?;
        }
        let (tabulator, converted) = back(converting).await?;
        self.tables = Tabulation::Here(tabulator);
        converted.and(back(encoding).await)
    }
}

/// Objects of tables are large: of two, one is stored before the other has grown.
async fn keep(Encoded { bytes, records }: Encoded, store: &mut ObjectStore) -> Result<()> {
    store.settle().await?;
    store.store(bytes, usize::try_from(records).unwrap_or(usize::MAX)).await
}

impl Workers {
    /// Each has a thread of its own until it ends, so that what it allocates and frees is in one place.
    fn begin(mut tabulator: Box<Tabulator>, columnar: Columnar, limit: usize) -> Self {
        let ((pieces, from_pieces), (tables, from_tables)) = (channel(1), channel(1));
        let (done, objects) = channel(1);
        let converting = spawn_blocking(move || {
            let converted = convert(&mut tabulator, limit, from_pieces, &tables);
            Ok((tabulator, converted))
        });
        Self {
            pieces,
            room: Arc::new(Semaphore::new(PIECES as usize)),
            objects,
            converting,
            encoding: spawn_blocking(move || encode(columnar, from_tables, &done)),
        }
    }
}

/// Makes tables of at most about `limit` bytes of pieces, until there are no more or nobody takes them.
fn convert(
    tabulator: &mut Tabulator,
    limit: usize,
    mut pieces: Receiver<RecordsPiece>,
    tables: &Sender<ConvertedPiece>,
) -> Result<()> {
    while let Some((records, room)) = pieces.blocking_recv() {
        let mut from = 0;
        while from < records.len() {
            let table;
            (table, from) = tabulator.convert_some(&records, from, limit)?;
            if tables.blocking_send((table, Arc::clone(&room))).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Makes objects of tables, until there are no more or nobody takes them.
fn encode(
    mut columnar: Columnar,
    mut tables: Receiver<ConvertedPiece>,
    done: &Sender<Encoded>,
) -> Result<()> {
    while let Some((table, _room)) = tables.blocking_recv() {
        for object in columnar.take(&table)? {
            if done.blocking_send(object).is_err() {
                return Ok(());
            }
        }
    }
    if let Some(object) = columnar.finish()? {
        // Who let go wants no more objects.
        let _ = done.blocking_send(object);
    }
    Ok(())
}

async fn back<T>(worker: JoinHandle<Result<T>>) -> Result<T> {
    worker.await.map_err(|error| lost().caused_by(error))?
}

fn lost() -> Error {
    Error::new(ErrorKind::Data, "encode table", "a worker that makes tables ended early")
}
