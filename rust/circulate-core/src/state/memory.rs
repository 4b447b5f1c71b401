//! A store in memory, for tests and samples.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;

use super::{Expect, Item, ItemKey, StateStore};
use crate::clock::Clock;
use crate::error::Result;

/// Items by key.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Clock,
    items: Mutex<BTreeMap<ItemKey, Item>>,
}

impl MemoryStore {
    /// An empty store that has the time of `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, items: Mutex::default() }
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<ItemKey, Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryStore {
    fn now(&self) -> BoxFuture<'_, Result<Timestamp>> {
        Box::pin(async { Ok(self.clock.now()) })
    }

    fn get<'a>(&'a self, key: &'a ItemKey) -> BoxFuture<'a, Result<Option<Item>>> {
        Box::pin(async move { Ok(self.items().get(key).cloned()) })
    }

    fn put<'a>(&'a self, key: &'a ItemKey, doc: Value, expect: Expect) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(async move {
            let mut items = self.items();
            let there = items.get(key).map(|item| item.version);
            let version = match (expect, there) {
                (Expect::Absent, None) => 1,
                (Expect::Version(expected), Some(there)) if expected == there => there + 1,
                _ => return Ok(None),
            };
            items.insert(key.clone(), Item { doc, version });
            Ok(Some(version))
        })
    }

    fn list<'a>(
        &'a self,
        pk: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(ItemKey, Item)>>> {
        Box::pin(async move {
            let is_listed = |key: &ItemKey| key.sk.starts_with(prefix) && pk == key.pk;
            let items = self.items();
            let mut found: Vec<_> = items
                .iter()
                .filter(|(key, _)| is_listed(key))
                .map(|(key, item)| (key.clone(), item.clone()))
                .collect();
            found.sort_by(|(a, _), (b, _)| b.sk.cmp(&a.sk));
            found.truncate(limit);
            Ok(found)
        })
    }
}
