//! Crash points: before and after every write that the commit protocol makes.
//!
//! A process started with `CIRCULATE_CRASH=NAME#N` kills itself with SIGKILL at the N-th time it gets to point NAME; with
//! `CIRCULATE_PAUSE=NAME#N` it stops itself with SIGSTOP there. With `CIRCULATE_CRASH_LOG=FILE` it appends the name of
//! every point it gets to. Only builds with the feature `testing` have this.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use rustix::process::{Signal, getpid, kill_process};
use serde_json::Value;

use crate::error::Result;
use crate::lake::sink::{BucketLocation, Created, Listed, Object, Sink, StoredObject};
use crate::state::{Expect, Item, ItemKey, STREAMS, StateStore};

/// Those of what is no write of the commit protocol.
static OTHERS: LazyLock<Points> = LazyLock::new(Points::of_environment);

/// A point beside the commit protocol, such as `refresh-token-granted`.
pub async fn reach(name: &str) {
    OTHERS.at("at", name).await;
}

/// Puts crash points around every write, if the environment names them.
pub fn armed(sink: Arc<dyn Sink>, store: Arc<dyn StateStore>) -> (Arc<dyn Sink>, Arc<dyn StateStore>) {
    let points = Arc::new(Points::of_environment());
    if points.crash.is_none() && points.pause.is_none() && points.log.is_none() {
        return (sink, store);
    }
    let tasks = Mutex::default();
    (
        Arc::new(CrashingSink { sink, points: Arc::clone(&points) }),
        Arc::new(CrashingStore { store, points, tasks }),
    )
}

fn target(variable: &str) -> Option<(String, u64)> {
    let text = std::env::var(variable).ok()?;
    let (name, number) = text.split_once('#').expect("NAME#N");
    Some((name.to_owned(), number.parse().expect("NAME#N")))
}

#[derive(Debug)]
struct Points {
    crash: Option<(String, u64)>,
    pause: Option<(String, u64)>,
    log: Option<String>,
    hits: Mutex<HashMap<String, u64>>,
    /// Held during every write of state: a process stopped in the middle of one would keep SQLite's lock.
    quiet: tokio::sync::Mutex<()>,
}

impl Points {
    fn of_environment() -> Self {
        Self {
            crash: target("CIRCULATE_CRASH"),
            pause: target("CIRCULATE_PAUSE"),
            log: std::env::var("CIRCULATE_CRASH_LOG").ok(),
            hits: Mutex::default(),
            quiet: tokio::sync::Mutex::default(),
        }
    }

    async fn at(&self, when: &str, what: &str) {
        let name = format!("{when}-{what}");
        let hit = {
            let mut hits = self.hits.lock().unwrap();
            let hit = hits.entry(name.clone()).or_default();
            *hit += 1;
            *hit
        };
        if let Some(log) = &self.log {
            let mut file = OpenOptions::new().append(true).create(true).open(log).unwrap();
            file.write_all(format!("{name}\n").as_bytes()).unwrap();
        }
        let here = (name, hit);
        if self.crash.as_ref() == Some(&here) {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        if self.pause.as_ref() == Some(&here) {
            let _quiet = self.quiet.lock().await;
            kill_process(getpid(), Signal::STOP).unwrap();
            // The signal reaches this thread a little later.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[derive(Debug)]
struct CrashingSink {
    sink: Arc<dyn Sink>,
    points: Arc<Points>,
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
        Some(rest) if rest.split('/').count() == 5 => "part",
        Some(_) => "index",
    }
}

impl Sink for CrashingSink {
    fn create(&self, object: Object) -> BoxFuture<'_, Result<Created>> {
        Box::pin(async move {
            let kind = kind_of(&object.key);
            self.points.at("before", kind).await;
            let created = self.sink.create(object).await;
            self.points.at("after", kind).await;
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
            self.points.at("before", "copy").await;
            let created = self.sink.copy_from(from, known).await;
            self.points.at("after", "copy").await;
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
struct CrashingStore {
    store: Arc<dyn StateStore>,
    points: Arc<Points>,
    /// Position and fence of each task as written last, to distinguish a renewal from a checkpoint.
    tasks: Mutex<HashMap<String, (Value, Value)>>,
}

impl CrashingStore {
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
        let before = self.tasks.lock().unwrap().insert(sk.to_owned(), now.clone());
        match before {
            _ if doc["lease_until"].is_null() => "lease-freed",
            None => "claim",
            Some((_, fence)) if fence != now.1 => "claim",
            Some((position, _)) if position != now.0 => "checkpoint",
            Some(_) => "renewal",
        }
    }
}

impl StateStore for CrashingStore {
    fn now(&self) -> BoxFuture<'_, Result<Timestamp>> {
        self.store.now()
    }

    fn get<'a>(&'a self, key: &'a ItemKey) -> BoxFuture<'a, Result<Option<Item>>> {
        self.store.get(key)
    }

    fn put<'a>(&'a self, key: &'a ItemKey, doc: Value, expect: Expect) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(async move {
            let meaning = self.meaning(key, &doc);
            self.points.at("before", meaning).await;
            let written = {
                let _quiet = self.points.quiet.lock().await;
                self.store.put(key, doc, expect).await
            };
            self.points.at("after", meaning).await;
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
