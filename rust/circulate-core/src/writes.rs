//! The writes of the commit protocol by what they mean, for who watches them: a replay that ends a process at each, and the crash
//! points of tests.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use serde_json::Value;

use crate::clock::Clock;
use crate::error::Result;
use crate::lake::sink::{BucketLocation, Created, Listed, Object, Sink, StoredObject};
use crate::state::{Expect, Item, ItemKey, STREAMS, StateStore};

/// Knows of every write before and after it is made.
pub trait WriteWatch: Send + Sync + fmt::Debug {
    /// The worker is `before` or `after` a write of this meaning, such as `checkpoint`.
    fn at<'a>(&'a self, when: &'a str, meaning: &'a str) -> BoxFuture<'a, ()>;

    /// What is held during each write of state, if something is.
    fn held(&self) -> Option<&tokio::sync::Mutex<()>> {
        None
    }
}

/// A sink and a store whose writes are watched. Where a clock is given, the time of the store is its.
pub fn watched(
    sink: Arc<dyn Sink>,
    store: Arc<dyn StateStore>,
    watch: Arc<dyn WriteWatch>,
    clock: Option<Clock>,
) -> (Arc<dyn Sink>, Arc<dyn StateStore>) {
    let tasks = Mutex::default();
    (
        Arc::new(WatchedSink { sink, watch: Arc::clone(&watch) }),
        Arc::new(WatchedStore { store, watch, clock, tasks }),
    )
}

#[derive(Debug)]
struct WatchedSink {
    sink: Arc<dyn Sink>,
    watch: Arc<dyn WriteWatch>,
}

fn kind_of(key: &str) -> &'static str {
    match key.strip_prefix("_circulate/") {
        None => "object",
        Some(_) if key.ends_with(".committed") => "marker",
        Some(_) if key.ends_with("/dedup.json") => "dedup-set",
        Some(_) if key.ends_with("/promotion.json") => "promotion",
        Some(rest) if rest.contains("/tables-") => "tables",
        Some(rest) if rest.contains("/position-") => "position",
        Some(rest) if rest.ends_with("/poll.json") => "poll",
        Some(rest) if rest.contains("/deletes-") => "deletes",
        Some(rest) if rest.contains("/candidates-") => "candidates",
        Some(rest) if rest.contains("/scopes-") => "scopes",
        Some(rest) if rest.contains("/keys-") => "keys",
        Some(rest) if rest.split('/').count() == 5 => "part",
        Some(_) => "index",
    }
}

impl Sink for WatchedSink {
    fn create(&self, object: Object) -> BoxFuture<'_, Result<Created>> {
        Box::pin(async move {
            let kind = kind_of(&object.key);
            self.watch.at("before", kind).await;
            let created = self.sink.create(object).await;
            self.watch.at("after", kind).await;
            created
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        self.sink.read(key)
    }

    fn copy_from<'a>(
        &'a self,
        from: &'a dyn Sink,
        known: &'a StoredObject,
    ) -> BoxFuture<'a, Result<Created>> {
        Box::pin(async move {
            self.watch.at("before", "copy").await;
            let created = self.sink.copy_from(from, known).await;
            self.watch.at("after", "copy").await;
            created
        })
    }

    fn memory_to_copy(&self, from: &dyn Sink, bytes: u64) -> u64 {
        self.sink.memory_to_copy(from, bytes)
    }

    fn bucket_location(&self) -> Option<BucketLocation> {
        self.sink.bucket_location()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Listed>> {
        self.sink.list(prefix)
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        self.sink.remove(key)
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        self.sink.probe()
    }

    fn uri(&self) -> String {
        self.sink.uri()
    }
}

#[derive(Debug)]
struct WatchedStore {
    store: Arc<dyn StateStore>,
    watch: Arc<dyn WriteWatch>,
    clock: Option<Clock>,
    /// Position and fence of each task as written last, to distinguish a renewal from a checkpoint.
    tasks: Mutex<HashMap<String, (Value, Value)>>,
}

impl WatchedStore {
    /// What a write means in the protocol.
    fn meaning(&self, key: &ItemKey, doc: &Value) -> &'static str {
        let sk = &key.sk;
        match sk.split('#').next() {
            _ if key.pk == STREAMS && doc["address"].is_string() => "address",
            // Made known right before its first head is written.
            _ if key.pk == STREAMS => "head",
            Some("head") if doc["open_run"].is_null() => "head-freed",
            Some("head") => "head",
            Some("cursor") => "cursor",
            Some("paginators") => "paginators",
            Some("run") => match doc["status"].as_str() {
                Some("committed") if doc["marker"].is_null() => "marked",
                Some("committed") => "commit",
                Some("open") if doc["ledger"]["attempts"] == 0 => "open",
                Some("open") if doc["ended_at"].is_null() => "attempt",
                Some("pending") if !doc["promoting_until"].is_null() => "promoting",
                _ => "settle",
            },
            _ => self.meaning_of_task(sk, doc),
        }
    }

    fn meaning_of_task(&self, sk: &str, doc: &Value) -> &'static str {
        let now = (doc["position"].clone(), doc["fence"].clone());
        let before =
            self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(sk.to_owned(), now.clone());
        match before {
            _ if doc["lease_until"].is_null() => "lease-freed",
            None => "claim",
            Some((_, fence)) if fence != now.1 => "claim",
            Some((position, _)) if position != now.0 => "checkpoint",
            Some(_) => "renewal",
        }
    }
}

impl StateStore for WatchedStore {
    fn now(&self) -> BoxFuture<'_, Result<Timestamp>> {
        match &self.clock {
            Some(clock) => Box::pin(std::future::ready(Ok(clock.now()))),
            None => self.store.now(),
        }
    }

    fn get<'a>(&'a self, key: &'a ItemKey) -> BoxFuture<'a, Result<Option<Item>>> {
        self.store.get(key)
    }

    fn put<'a>(&'a self, key: &'a ItemKey, doc: Value, expect: Expect) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(async move {
            let meaning = self.meaning(key, &doc);
            self.watch.at("before", meaning).await;
            let written = {
                let _held = match self.watch.held() {
                    Some(lock) => Some(lock.lock().await),
                    None => None,
                };
                self.store.put(key, doc, expect).await
            };
            self.watch.at("after", meaning).await;
            written
        })
    }

    fn list<'a>(
        &'a self,
        pk: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(ItemKey, Item)>>> {
        self.store.list(pk, prefix, limit)
    }
}
