//! A sink in memory, for tests and samples.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;

use super::{Created, Listed, Object, Sink};
use crate::error::Result;
use crate::lake::keys::check_key;

/// Objects by key. It keeps no times: everything was written long ago.
#[derive(Debug, Default)]
pub struct MemorySink {
    name: &'static str,
    objects: Mutex<BTreeMap<String, Bytes>>,
}

impl MemorySink {
    /// One with a name, which its location shows.
    pub fn named(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn create(&self, object: Object) -> BoxFuture<'_, Result<Created>> {
        Box::pin(async move {
            check_key(&object.key)?;
            let mut objects = self.objects();
            if objects.contains_key(&object.key) {
                return Ok(Created::Exists);
            }
            objects.insert(object.key, object.bytes);
            Ok(Created::New)
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(async move { check_key(key).map(|()| self.objects().get(key).cloned()) })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Listed>> {
        let listed = |(key, bytes): (&String, &Bytes)| {
            Ok(Listed { key: key.clone(), bytes: bytes.len() as u64, written: Timestamp::UNIX_EPOCH })
        };
        let objects = self.objects();
        let below: Vec<_> = objects.iter().filter(|(key, _)| key.starts_with(prefix)).map(listed).collect();
        stream::iter(below).boxed()
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        self.objects().remove(key);
        Box::pin(ready(Ok(())))
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn uri(&self) -> String {
        format!("memory:{}", self.name)
    }
}
