//! Stores and sinks that fail, die or dawdle when a test wants them to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::sink::{Created, Listed, Object, Sink};
use crate::state::{Expect, Item, ItemKey, StateStore};

/// A [`Sink`] or [`StateStore`] that passes calls on until the one that it is to fail at. Calls are named by what they
/// do and to which key: `create okta/...`, `read ...`, `put run#...`, `get head`, `now`, `list`.
#[derive(Debug)]
pub struct Faulty<S: ?Sized> {
    inner: Arc<S>,
    call: &'static str,
    /// Calls that start with `call` and are still let through.
    left: AtomicU32,
    for_good: bool,
    /// The call happens all the same.
    only_response: bool,
    dead: AtomicBool,
    slow: Duration,
}

impl<S: ?Sized + Send + Sync> Faulty<S> {
    /// Fails once: at the `nth` call (from 1) whose name starts with `call`.
    pub fn fails(inner: Arc<S>, call: &'static str, nth: u32) -> Arc<Self> {
        Arc::new(Self::new(inner, call, nth))
    }

    /// Loses a response once: the `nth` call whose name starts with `call` happens, and fails.
    pub fn loses(inner: Arc<S>, call: &'static str, nth: u32) -> Arc<Self> {
        Arc::new(Self { only_response: true, ..Self::new(inner, call, nth) })
    }

    /// Fails at the `nth` call whose name starts with `call` and at every call after it, as if the worker had died.
    pub fn dies(inner: Arc<S>, call: &'static str, nth: u32) -> Arc<Self> {
        Arc::new(Self { for_good: true, ..Self::new(inner, call, nth) })
    }

    /// Never fails, but takes `slow` before each call and after it, so that calls of others come in between.
    pub fn slow(inner: Arc<S>, slow: Duration) -> Arc<Self> {
        Arc::new(Self { slow, ..Self::new(inner, "", u32::MAX) })
    }

    fn new(inner: Arc<S>, call: &'static str, nth: u32) -> Self {
        Self {
            inner,
            call,
            left: AtomicU32::new(nth - 1),
            for_good: false,
            only_response: false,
            dead: AtomicBool::new(false),
            slow: Duration::ZERO,
        }
    }

    async fn pass<T: Send>(&self, name: String, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.dawdle().await;
        if self.dead.load(Ordering::SeqCst) || self.strikes(&name) {
            if self.only_response {
                call.await?;
            }
            return Err(Error::new(ErrorKind::Storage, "test", format!("made to fail at `{name}`")));
        }
        let done = call.await;
        self.dawdle().await;
        done
    }

    async fn dawdle(&self) {
        // A sleep of no time would still wait for the next tick.
        if !self.slow.is_zero() {
            tokio::time::sleep(self.slow).await;
        }
    }

    fn strikes(&self, name: &str) -> bool {
        if !name.starts_with(self.call) {
            return false;
        }
        let one_less = |left: u32| left.checked_sub(1);
        let now = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err();
        if now && self.for_good {
            self.dead.store(true, Ordering::SeqCst);
        } else if now {
            self.left.store(u32::MAX, Ordering::SeqCst);
        }
        now
    }
}

impl Sink for Faulty<dyn Sink> {
    fn create(&self, object: Object) -> BoxFuture<'_, Result<Created>> {
        Box::pin(self.pass(format!("create {}", object.key), self.inner.create(object)))
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(self.pass(format!("read {key}"), self.inner.read(key)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Listed>> {
        self.inner.list(prefix)
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        self.inner.remove(key)
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.probe()
    }

    fn uri(&self) -> String {
        self.inner.uri()
    }
}

impl StateStore for Faulty<dyn StateStore> {
    fn now(&self) -> BoxFuture<'_, Result<Timestamp>> {
        Box::pin(self.pass("now".to_owned(), self.inner.now()))
    }

    fn get<'a>(&'a self, key: &'a ItemKey) -> BoxFuture<'a, Result<Option<Item>>> {
        Box::pin(self.pass(format!("get {}", key.sk), self.inner.get(key)))
    }

    fn put<'a>(&'a self, key: &'a ItemKey, doc: Value, expect: Expect) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(self.pass(format!("put {}", key.sk), self.inner.put(key, doc, expect)))
    }

    fn list<'a>(
        &'a self,
        pk: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(ItemKey, Item)>>> {
        Box::pin(self.pass("list".to_owned(), self.inner.list(pk, prefix, limit)))
    }
}
