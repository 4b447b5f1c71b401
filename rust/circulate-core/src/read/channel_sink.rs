//! A sink that hands objects with records over, in order, and keeps what else a run writes until it is dropped.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::{Mutex, mpsc};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::StreamKeys;
use crate::lake::sink::{Created, Listed, MemorySink, Object, Sink};

/// See the module.
#[derive(Debug)]
pub(super) struct ChannelSink {
    manifests: MemorySink,
    line: Mutex<Line>,
}

/// Objects are packed side by side, so one may be ready before its turn.
#[derive(Debug)]
struct Line {
    batches: mpsc::Sender<Bytes>,
    next: u64,
    early: BTreeMap<u64, Bytes>,
}

impl ChannelSink {
    pub(super) fn new(batches: mpsc::Sender<Bytes>) -> Self {
        let line = Line { batches, next: 0, early: BTreeMap::new() };
        Self { manifests: MemorySink::default(), line: Mutex::new(line) }
    }
}

impl Line {
    async fn take_in(&mut self, sequence: u64, batch: Bytes) -> Result<()> {
        self.early.insert(sequence, batch);
        while let Some(batch) = self.early.remove(&self.next) {
            self.batches.send(batch).await.map_err(|_| nobody_takes_them())?;
            self.next += 1;
        }
        Ok(())
    }
}

fn nobody_takes_them() -> Error {
    Error::new(ErrorKind::Stopped, "hand batch over", "nobody takes the records any more")
}

impl Sink for ChannelSink {
    fn create(&self, object: Object) -> BoxFuture<'_, Result<Created>> {
        Box::pin(async move {
            match StreamKeys::sequence_of(&object.key) {
                None => self.manifests.create(object).await,
                Some(sequence) => {
                    self.line.lock().await.take_in(sequence, object.bytes).await.map(|()| Created::New)
                }
            }
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        self.manifests.read(key)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Listed>> {
        self.manifests.list(prefix)
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        self.manifests.remove(key)
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        self.manifests.probe()
    }

    fn uri(&self) -> String {
        "reader".to_owned()
    }
}
