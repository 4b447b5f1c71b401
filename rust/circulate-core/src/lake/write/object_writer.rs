//! The writer of the objects of a task.

use super::object_store::ObjectStore;
use super::table::TableFilling;
use super::written_times::WrittenTimes;
use crate::encode::{Encoder, TableRules, TableState};
use crate::error::Result;
use crate::extract::cursor::TimeRange;
use crate::lake::manifest::ObjectEntry;

/// Writes the objects of one task.
#[derive(Debug)]
pub struct ObjectWriter {
    filling: Filling,
    store: ObjectStore,
    times: WrittenTimes,
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
        Self { filling, store, times: WrittenTimes::default() }
    }

    /// Takes a record in, which has that time. Waits while too many objects are on their way.
    pub async fn push(&mut self, record: &[u8], time: Option<TimeRange>) -> Result<()> {
        let (encoder, records) = match &mut self.filling {
            Filling::Table(table) => {
                self.times.push(time);
                return table.push(record, &mut self.store).await;
            }
            Filling::Text { encoder, records } => (encoder, records),
        };
        let batch = self.store.looks.batch;
        if !batch.admit(*records, encoder.size_with(record.len())) {
            self.times.close();
            self.store.store(encoder.finish(), std::mem::take(records)).await?;
        }
        let size = encoder.size_with(record.len());
        encoder.write(record);
        self.times.push(time);
        *records += 1;
        if batch.full(*records, size) {
            self.times.close();
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
        let mut stored = std::mem::take(&mut self.store.stored);
        self.times.close();
        self.times.give(&mut stored);
        Ok(stored)
    }
}
