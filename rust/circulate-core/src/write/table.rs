//! Records gathered for tables. They are converted and encoded in pieces, beside the reading of more.

use std::sync::{Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::{ObjectFormat, ObjectStore};
use crate::batch::Memory;
use crate::encode::{Columnar, Encoded, Encoder, JsonArray, Known, TableRules};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of records that are converted at a time.
const PIECE: usize = 4_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct TableFilling {
    gathered: JsonArray,
    records: usize,
    piece: usize,
    tables: Tables,
}

/// The tables are with us, or with a worker that converts a piece.
#[derive(Debug)]
enum Tables {
    /// Behind a lock, since what compresses them can't be looked at by two threads.
    Here(Mutex<Box<Columnar>>),
    Away(JoinHandle<(Box<Columnar>, Result<Vec<Encoded>>)>),
    /// The worker did not come back.
    Lost,
}

impl TableFilling {
    pub(super) fn new(looks: ObjectFormat, memory: Memory, rules: TableRules) -> Self {
        let columnar = Columnar::new(looks.format, looks.compression, memory.for_table(looks.batch), rules);
        Self {
            gathered: JsonArray::default(),
            records: 0,
            piece: PIECE.min(usize::try_from(memory.for_page()).unwrap_or(PIECE)),
            tables: Tables::Here(Mutex::new(Box::new(columnar))),
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
        match &mut self.tables {
            Tables::Here(columnar) => Some(unlocked(columnar).known()),
            Tables::Away(_) | Tables::Lost => None,
        }
    }

    /// Completes the open object.
    pub(super) async fn finish(&mut self, store: &mut ObjectStore) -> Result<()> {
        if self.records > 0 {
            self.convert(store).await?;
        }
        self.work(store, |columnar| columnar.finish().map(|object| object.into_iter().collect())).await?;
        self.back(store).await
    }

    async fn convert(&mut self, store: &mut ObjectStore) -> Result<()> {
        let records = self.gathered.finish();
        self.records = 0;
        self.work(store, move |columnar| columnar.take(&records)).await
    }

    /// Gives the tables away for `work`, once what they were given away for before is done.
    async fn work(
        &mut self,
        store: &mut ObjectStore,
        work: impl FnOnce(&mut Columnar) -> Result<Vec<Encoded>> + Send + 'static,
    ) -> Result<()> {
        self.back(store).await?;
        let Tables::Here(columnar) = std::mem::replace(&mut self.tables, Tables::Lost) else {
            return Err(lost());
        };
        let mut columnar = columnar.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.tables = Tables::Away(tokio::task::spawn_blocking(move || {
            let done = work(&mut columnar);
            (columnar, done)
        }));
        Ok(())
    }

    /// Takes the tables back, and stores what was completed. Objects of tables are large: of two, one is stored before the
    /// other has grown.
    async fn back(&mut self, store: &mut ObjectStore) -> Result<()> {
        let Tables::Away(worker) = &mut self.tables else { return Ok(()) };
        let back = worker.await;
        self.tables = Tables::Lost;
        let (columnar, done) = back.map_err(|error| lost().caused_by(error))?;
        self.tables = Tables::Here(Mutex::new(columnar));
        for Encoded { bytes, records } in done? {
            store.settle().await?;
            store.store(bytes, usize::try_from(records).unwrap_or(usize::MAX)).await?;
        }
        Ok(())
    }
}

fn unlocked(columnar: &mut Mutex<Box<Columnar>>) -> &mut Columnar {
    columnar.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn lost() -> Error {
    Error::new(ErrorKind::Data, "encode table", "the encoding worker ended early")
}
