//! A practice lake: a place and a state in memory, pulls into it, and what came of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ManualClock, Script, connection, okta, okta_account};
use crate::api::auth::sign_in;
use crate::api::http::Transport;
use crate::catalog::Definition;
use crate::lake::keys::INDEX;
use crate::lake::manifest::{self, Index, ObjectEntry, Part, read_existing, read_part};
use crate::lake::sink::{MemorySink, Sink};
use crate::page::Watch;
use crate::page::record::Splitter;
use crate::progress::Progress;
use crate::run::{Pull, PullOptions};
use crate::state::{MemoryStore, RunItem, StateStore, list_runs};
use crate::stop::Stop;
use crate::upkeep::verify::verify;

/// Where pulls of `okta.users` go in a test.
#[derive(Debug)]
pub struct Lake {
    /// Its objects.
    pub sink: Arc<MemorySink>,
    /// Its state.
    pub store: Arc<MemoryStore>,
    /// The time of its state.
    pub clock: ManualClock,
    pulls: AtomicU64,
}

impl Default for Lake {
    fn default() -> Self {
        let clock = ManualClock::new("2026-11-22T05:30:00Z");
        let store = Arc::new(MemoryStore::new(clock.clock()));
        Self { sink: Arc::default(), store, clock, pulls: AtomicU64::new(0) }
    }
}

impl Lake {
    /// A pull of `okta.users` with the responses of `script`. Every pull has a seed of its own, the same in each test.
    pub fn pull(&self, script: &Arc<Script>) -> Pull {
        self.pull_of(okta("users"), Arc::clone(script) as _)
    }

    /// A pull of any stream of `okta` through `transport`.
    pub fn pull_of(&self, definition: Definition, transport: Arc<dyn Transport>) -> Pull {
        let nth = self.pulls.fetch_add(1, Ordering::SeqCst) + 1;
        let (account, connection) = (okta_account(), connection(&definition.source, transport));
        let scopes = definition.scopes();
        Pull {
            authorize: sign_in(&definition.source, &account, &connection, scopes.as_ref()).unwrap(),
            connection,
            definition,
            account,
            sink: Arc::clone(&self.sink) as _,
            store: Arc::clone(&self.store) as _,
            parents_from: None,
            options: PullOptions::default(),
            worker: format!("worker-{nth}"),
            progress: Arc::default(),
            stop: Stop::new(None),
            seed: Some(nth),
        }
    }

    /// The same pull again, by another worker with the responses of `script`.
    pub fn again(&self, pull: &Pull, script: &Arc<Script>) -> Pull {
        Pull { options: pull.options.clone(), progress: Arc::<Progress>::default(), ..self.pull(script) }
    }

    /// Its sink, to be wrapped.
    pub fn as_sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink) as _
    }

    /// Its state, to be wrapped.
    pub fn as_store(&self) -> Arc<dyn StateStore> {
        Arc::clone(&self.store) as _
    }

    /// The manifests' indices, oldest first: what readers of the lake see.
    pub async fn indices(&self) -> Vec<Index> {
        let mut found = Vec::new();
        let is_index = |key: &&String| {
            key.starts_with("_circulate/") && key.split('/').count() == 5 && key.ends_with(INDEX)
        };
        for key in self.sink.keys().iter().filter(is_index) {
            let bytes = self.sink.read(key).await.unwrap().unwrap();
            found.push(manifest::parse(key, &bytes).unwrap());
        }
        found
    }

    /// The objects that the index at `key` names, in order. Everything it names must be as it was written.
    pub async fn objects(&self, key: &str) -> Vec<ObjectEntry> {
        let verified = verify(&*self.sink, key, Some(&*self.store)).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
        let index: Index = manifest::parse(key, &read_existing(&*self.sink, key).await.unwrap()).unwrap();
        let mut objects = Vec::new();
        for part in &index.parts {
            objects.extend(read_part::<Part>(&*self.sink, part).await.unwrap().objects);
        }
        objects
    }

    /// The records that the index at `key` names, in order. The objects are gzip-compressed arrays.
    pub async fn records(&self, key: &str) -> Vec<String> {
        let mut records = Vec::new();
        for object in self.objects(key).await {
            let stored = read_existing(&*self.sink, &object.key).await.unwrap();
            let size = usize::try_from(object.body_bytes).unwrap();
            let body = crate::encode::Compression::Gzip.decompress(&stored, size).unwrap();
            records.extend(split(&body));
        }
        records
    }

    /// The ledger, newest run first.
    pub async fn runs(&self) -> Vec<RunItem> {
        let runs = list_runs(&*self.store, 100).await.unwrap();
        runs.into_iter().map(|(_, run)| run).collect()
    }
}

fn split(array: &[u8]) -> Vec<String> {
    let watch = Watch::default();
    let mut splitter = Splitter::new(&watch, u64::MAX, usize::MAX);
    splitter.feed(array).unwrap();
    let text = |at: u64| usize::try_from(at).unwrap();
    let records = splitter.finish().unwrap().records;
    let slices = records.iter().map(|span| &array[text(span.start)..text(span.end)]);
    slices.map(|record| String::from_utf8(record.to_vec()).unwrap()).collect()
}
