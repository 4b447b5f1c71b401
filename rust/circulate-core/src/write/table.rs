//! Records gathered for tables. They are converted in pieces, beside the reading of more; and while one piece is
//! converted, the one before is encoded.

use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use tokio::task::JoinHandle;

use super::{ObjectFormat, ObjectStore};
use crate::batch::Memory;
use crate::encode::{Columnar, Encoded, Encoder, JsonArray, Known, TableRules, Tabulator};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of records that are converted at a time.
const PIECE: usize = 4_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct TableFilling {
    gathered: JsonArray,
    records: usize,
    piece: usize,
    tabulator: Lent<Tabulator, RecordBatch>,
    columnar: Lent<Columnar, Vec<Encoded>>,
}

impl TableFilling {
    pub(super) fn new(looks: ObjectFormat, memory: Memory, rules: TableRules) -> Self {
        let columnar = Columnar::new(looks.format, looks.compression, memory.for_table(looks.batch));
        Self {
            gathered: JsonArray::default(),
            records: 0,
            piece: PIECE.min(usize::try_from(memory.for_page()).unwrap_or(PIECE)),
            tabulator: Lent::new(Tabulator::new(rules)),
            columnar: Lent::new(columnar),
        }
    }

    pub(super) async fn push(&mut self, record: &[u8], store: &mut ObjectStore) -> Result<()> {
        if self.records > 0 && self.gathered.size_with(record.len()) > self.piece {
            self.convert(store).await?;
        }
        self.gathered.write(record);
        self.records += 1;
        Ok(())
    }

    /// What is known of the tables by now; `None` while they are being made.
    pub(super) fn known(&mut self) -> Option<Known<'_>> {
        self.tabulator.here().map(|tabulator| tabulator.known())
    }

    /// Completes the open object.
    pub(super) async fn finish(&mut self, store: &mut ObjectStore) -> Result<()> {
        if self.records > 0 {
            self.convert(store).await?;
        }
        if let Some(table) = self.tabulator.back().await? {
            self.encode(table, store).await?;
        }
        self.collect(store).await?;
        self.columnar.lend(|columnar| columnar.finish().map(|object| object.into_iter().collect()))?;
        self.collect(store).await
    }

    async fn convert(&mut self, store: &mut ObjectStore) -> Result<()> {
        let records = self.gathered.finish();
        self.records = 0;
        let before = self.tabulator.back().await?;
        self.tabulator.lend(move |tabulator| tabulator.convert(&records))?;
        match before {
            Some(table) => self.encode(table, store).await,
            None => Ok(()),
        }
    }

    async fn encode(&mut self, table: RecordBatch, store: &mut ObjectStore) -> Result<()> {
        self.collect(store).await?;
        self.columnar.lend(move |columnar| columnar.take(&table))
    }

    /// Waits for what is being encoded, and stores what was completed. Objects of tables are large: of two, one is stored
    /// before the other has grown.
    async fn collect(&mut self, store: &mut ObjectStore) -> Result<()> {
        for Encoded { bytes, records } in self.columnar.back().await?.unwrap_or_default() {
            store.settle().await?;
            store.store(bytes, usize::try_from(records).unwrap_or(usize::MAX)).await?;
        }
        Ok(())
    }
}

/// What is here, or with a worker that makes something with it.
#[derive(Debug)]
enum Lent<T, M> {
    /// Behind a lock, since what compresses tables can't be looked at by two threads.
    Here(Mutex<Box<T>>),
    Away(JoinHandle<(Box<T>, Result<M>)>),
    /// The worker did not come back.
    Lost,
}

impl<T: Send + 'static, M: Send + 'static> Lent<T, M> {
    fn new(what: T) -> Self {
        Self::Here(Mutex::new(Box::new(what)))
    }

    fn here(&mut self) -> Option<&mut T> {
        match self {
            Self::Here(what) => Some(what.get_mut().unwrap_or_else(PoisonError::into_inner)),
            Self::Away(_) | Self::Lost => None,
        }
    }

    /// Gives it to a worker; it must be here.
    fn lend(&mut self, work: impl FnOnce(&mut T) -> Result<M> + Send + 'static) -> Result<()> {
        let Self::Here(what) = std::mem::replace(self, Self::Lost) else { return Err(lost()) };
        let mut what = what.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self = Self::Away(tokio::task::spawn_blocking(move || {
            let made = work(&mut what);
            (what, made)
        }));
        Ok(())
    }

    /// Takes it back if it is away, with what was made.
    async fn back(&mut self) -> Result<Option<M>> {
        let Self::Away(worker) = self else { return Ok(None) };
        let back = worker.await;
        *self = Self::Lost;
        let (what, made) = back.map_err(|error| lost().caused_by(error))?;
        *self = Self::Here(Mutex::new(what));
        made.map(Some)
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Data, "encode table", "the encoding worker ended early")
}
