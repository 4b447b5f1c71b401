//! Fakes, and one conformance suite per seam: every implementation of [`Sink`] and [`StateStore`] passes the same.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a failed check panics, as tests do")]

#[cfg(feature = "testing")]
pub mod crash;
mod faulty;
mod hooks;
mod lake;
mod pages;
mod routes;
#[cfg(test)]
mod stand_in;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use crate::api::account::Account;
use crate::api::auth::{Connection, Tokens};
use crate::api::hooks::Hooks;
use crate::api::http::{Pacing, Request, Response, Transport};
use crate::catalog::{Catalog, Definition, Source};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::sink::{Created, Object, Sink, StoredObject, create_same};
use crate::state::{Expect, Item, ItemKey, StateStore};
use crate::stop::{Stop, StopReason};

pub use faulty::Faulty;
pub use hooks::FakeHooks;
pub use lake::Lake;
pub use pages::{USERS_URL, after, page, user, user_at, users};
pub use routes::{Routes, Server};
#[cfg(test)]
pub(crate) use stand_in::{put_secret, stand_in};

/// The token of [`okta_account`]: where it turns up in a text, a secret has leaked.
pub const CANARY: &str = "00canary_Tok3n-that-must-never-be-shown";

/// An account of `okta` at `https://acme.okta.com`.
pub fn okta_account() -> Account {
    let given = [("org_url", "https://acme.okta.com"), ("api_token", CANARY)];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Account::resolve(&okta_users().source, &given.into(), None, None).unwrap()
}

/// A connection of its own.
pub fn connection(source: &Source, transport: Arc<dyn Transport>) -> Connection {
    let tokens = Arc::new(Tokens::new(Clock::system()));
    // Waits go by tokio's clock, which tests can pause.
    let wall = ManualClock::new("2026-11-22T05:30:00Z").clock();
    Connection { transport, pacing: Arc::new(Pacing::new(source, wall)), tokens, hooks: Hooks::default() }
}

/// The shipped definition of `okta.users`.
pub fn okta_users() -> Definition {
    okta("users")
}

/// The shipped definition of a stream of `okta`.
pub fn okta(endpoint: &str) -> Definition {
    let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/circulate_core/catalog");
    Catalog::new(vec![catalog.into()]).stream(&format!("okta.{endpoint}")).unwrap()
}

/// A clock that is moved by hand.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: &str) -> Self {
        Self(Arc::new(Mutex::new(now.parse().unwrap())))
    }

    /// Moves it on.
    pub fn advance(&self, span: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(span).unwrap();
    }

    /// Sets it back.
    pub fn set_back(&self, span: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_sub(span).unwrap();
    }

    /// It as a [`Clock`].
    pub fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Clock::from_fn(move || *now.lock().unwrap())
    }
}

/// One response of [`Script`].
#[derive(Debug, Clone)]
pub struct ScriptedResponse {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    broken: bool,
    delay: Duration,
    stop: Option<Stop>,
}

impl ScriptedResponse {
    /// The same without a `Date`.
    pub fn undated(self) -> Self {
        self.without("date")
    }

    /// The same without a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// A response with this status and body, made at the fixed date of all responses.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let response = Self {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            broken: false,
            delay: Duration::ZERO,
            stop: None,
        };
        response.header("date", "Sun, 22 Nov 2026 05:30:00 GMT")
    }

    /// With one more header line.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    /// With a header line of any octets that a header may hold; others are left out.
    pub fn octets(mut self, name: &'static str, value: &[u8]) -> Self {
        let value =
            value.iter().copied().filter(|octet| *octet >= b' ' && *octet != 0x7f).collect::<Vec<_>>();
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(&value).unwrap());
        self
    }

    /// The first line of this name.
    pub fn line(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(HeaderValue::as_bytes)
    }

    /// With its body made into another.
    pub fn with_body(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(&mut self.body);
        self
    }

    /// With a `next` link to `url`.
    pub fn next(self, url: &str) -> Self {
        self.header("link", &format!("<{url}>; rel=\"next\""))
    }

    /// With quota headers, reset so many seconds after the date.
    pub fn quota(self, limit: u64, remaining: u64, reset_in: i64) -> Self {
        let reset = "2026-11-22T05:30:00Z".parse::<Timestamp>().unwrap().as_second() + reset_in;
        self.header("x-rate-limit-limit", &limit.to_string())
            .header("x-rate-limit-remaining", &remaining.to_string())
            .header("x-rate-limit-reset", &reset.to_string())
    }

    /// The connection breaks after the body.
    pub fn broken(mut self) -> Self {
        self.broken = true;
        self
    }

    /// The response takes so long.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Before it comes, somebody requests the run to stop.
    pub fn interrupting(mut self, stop: &Stop) -> Self {
        self.stop = Some(stop.clone());
        self
    }

    /// What a transport gives, when it is time.
    async fn arrive(self) -> Result<Response> {
        if let Some(stop) = &self.stop {
            stop.request(StopReason::Interrupted);
            // Long enough for the run to notice first.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // A sleep of no time would still wait for the next tick.
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        Ok(self.response())
    }

    fn response(self) -> Response {
        let mut pieces: Vec<Result<Bytes>> =
            self.body.chunks(1000).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        if self.broken {
            pieces.push(Err(
                Error::new(ErrorKind::Network, "read response", "the connection broke").temporary()
            ));
        }
        let status = StatusCode::from_u16(self.status).unwrap();
        Response { status, headers: self.headers, body: stream::iter(pieces).boxed() }
    }
}

/// A transport that gives prepared responses in order, and remembers what was requested.
#[derive(Debug, Default)]
pub struct Script {
    responses: Mutex<VecDeque<ScriptedResponse>>,
    /// The requests so far.
    pub requests: Mutex<Vec<Request>>,
}

impl Script {
    /// Gives `responses` in order.
    pub fn new(responses: impl IntoIterator<Item = ScriptedResponse>) -> Arc<Self> {
        Arc::new(Self { responses: Mutex::new(responses.into_iter().collect()), requests: Mutex::default() })
    }

    /// The URLs requested so far.
    pub fn urls(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.url.to_string()).collect()
    }
}

impl Transport for Script {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response>> {
        self.requests.lock().unwrap().push(request);
        let response = self.responses.lock().unwrap().pop_front();
        Box::pin(async move {
            let ended = || Error::new(ErrorKind::Network, "send request", "the script is at its end");
            response.ok_or_else(ended)?.arrive().await
        })
    }
}

/// An object with a text.
pub fn object(key: &str, text: &str) -> Object {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    Object { key: key.to_owned(), bytes, content_type: "application/json", content_encoding: None }
}

/// What every sink must do.
pub async fn sink_suite(sink: &dyn Sink) {
    storing_suite(sink).await;
    racing_suite(sink).await;
}

/// What every sink must do for one worker.
pub async fn storing_suite(sink: &dyn Sink) {
    assert_eq!(sink.read("a/b").await.unwrap(), None, "nothing is there at first");
    assert_eq!(sink.create(object("a/b", "one")).await.unwrap(), Created::New);
    assert_eq!(sink.create(object("a/b", "two")).await.unwrap(), Created::Exists);
    assert_eq!(sink.read("a/b").await.unwrap().unwrap(), "one", "nothing is overwritten");
    create_same(sink, object("a/b", "one")).await.unwrap();
    let other = create_same(sink, object("a/b", "two")).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Mismatch);
    for key in ["a/x=1/c+d%e&é#f.json", "a/empty"] {
        let text = if key.ends_with("empty") { "" } else { "text" };
        assert_eq!(sink.create(object(key, text)).await.unwrap(), Created::New);
        assert_eq!(sink.read(key).await.unwrap().unwrap(), text);
    }
    let mut listed = list(sink, "").await;
    listed.sort();
    assert_eq!(listed, ["a/b:3", "a/empty:0", "a/x=1/c+d%e&é#f.json:4"]);
    assert_eq!(list(sink, "a/x=").await, ["a/x=1/c+d%e&é#f.json:4"]);
    sink.remove("a/empty").await.unwrap();
    sink.remove("a/empty").await.unwrap();
    assert_eq!(sink.read("a/empty").await.unwrap(), None);
    for key in ["../beside", "a/../../beside", "/beside"] {
        assert_eq!(sink.read(key).await.unwrap_err().kind(), ErrorKind::Mismatch, "{key}");
        assert_eq!(sink.create(object(key, "text")).await.unwrap_err().kind(), ErrorKind::Mismatch, "{key}");
    }
}

/// What every sink must do for many workers.
pub async fn racing_suite(sink: &dyn Sink) {
    let racing = (0..20).map(|n| sink.create(object("race", &n.to_string())));
    let won = futures_util::future::join_all(racing).await;
    let won = won.into_iter().filter(|created| matches!(created, Ok(Created::New))).count();
    assert_eq!(won, 1, "one of many creates of a key wins");
}

/// What every pair of sinks must do for copies.
pub async fn copying_suite(from: &dyn Sink, to: &dyn Sink) {
    let astray = to.copy_from(from, &known("../beside", "text")).await.unwrap_err();
    assert_eq!(astray.kind(), ErrorKind::Mismatch);
    for key in ["c/plain", "c/a b/50%+ü/é&#?=x", "c/empty"] {
        let text = if key.ends_with("empty") { "" } else { "text" };
        from.create(object(key, text)).await.unwrap();
        assert_eq!(to.copy_from(from, &known(key, text)).await.unwrap(), Created::New);
        assert_eq!(to.read(key).await.unwrap().unwrap(), text);
        assert_eq!(to.copy_from(from, &known(key, text)).await.unwrap(), Created::Exists);
    }
    from.remove("c/plain").await.unwrap();
    assert_eq!(to.copy_from(from, &known("c/plain", "text")).await.unwrap(), Created::Exists, "it is here");
    for (here, there, hint) in [
        (None, None, "removed"),
        (None, Some("other"), "wrote under this key"),
        (None, Some("longer"), "wrote under this key"),
        (Some("other"), Some("known"), "never overwritten"),
        (Some("longer"), None, "never overwritten"),
    ] {
        let key = format!("c/{here:?}-{there:?}");
        for (sink, text) in [(to, here), (from, there)] {
            if let Some(text) = text {
                sink.create(object(&key, text)).await.unwrap();
            }
        }
        let error = to.copy_from(from, &known(&key, "known")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{key}: {error}");
        assert!(error.hint_text().unwrap().contains(hint) && error.to_string().contains(&key), "{error:?}");
        assert_eq!(to.read(&key).await.unwrap().as_deref(), here.map(str::as_bytes), "nothing was written");
    }
    let (key, contents) = ("c/race", ["one", "two"]);
    from.create(object(key, contents[0])).await.unwrap();
    let stored = known(key, contents[0]);
    let copies = futures_util::future::join_all((0..8).map(|_| to.copy_from(from, &stored))).await;
    assert!(copies.into_iter().all(|copied| copied.is_ok()), "many at once do no harm");
    assert_eq!(to.read(key).await.unwrap().unwrap(), contents[0]);
}

fn known(key: &str, text: &str) -> StoredObject {
    StoredObject {
        key: key.to_owned(),
        bytes: text.len() as u64,
        sha256: crate::lake::manifest::sha256_hex(text.as_bytes()),
        content_type: "application/json",
        content_encoding: None,
    }
}

async fn list(sink: &dyn Sink, prefix: &str) -> Vec<String> {
    let listed =
        sink.list(prefix).map(|listed| listed.map(|listed| format!("{}:{}", listed.key, listed.bytes)));
    listed.try_collect().await.unwrap()
}

/// A store without a time of its own has the one it is given.
pub async fn time_suite<S: StateStore>(open: impl Fn(Clock) -> S) {
    let clock = ManualClock::new("2026-11-22T05:30:00.123Z");
    let store = open(clock.clock());
    assert_eq!(store.now().await.unwrap().to_string(), "2026-11-22T05:30:00.123Z");
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.now().await.unwrap().to_string(), "2026-11-22T05:30:01.123Z");
}

/// What every state store must do. `open` opens the same, empty store every time.
pub async fn state_suite<S: StateStore>(open: impl Fn() -> S) {
    let store = open();
    let began = store.now().await.unwrap();
    assert!(store.now().await.unwrap() >= began, "time does not go back");

    let key = |sk: &str| ItemKey { pk: "okta#acme#users".to_owned(), sk: sk.to_owned() };
    assert_eq!(store.get(&key("head")).await.unwrap(), None);
    assert_eq!(store.put(&key("head"), json!({}), Expect::Version(1)).await.unwrap(), None);
    assert_eq!(store.put(&key("head"), json!({"a": 1}), Expect::Absent).await.unwrap(), Some(1));
    assert_eq!(store.put(&key("head"), json!({"a": 2}), Expect::Absent).await.unwrap(), None);
    assert_eq!(
        store.put(&key("head"), json!({"a": "é", "n": null}), Expect::Version(1)).await.unwrap(),
        Some(2)
    );
    assert_eq!(store.put(&key("head"), json!({"a": 4}), Expect::Version(1)).await.unwrap(), None);
    let item = Item { doc: json!({"a": "é", "n": null}), version: 2 };
    assert_eq!(store.get(&key("head")).await.unwrap(), Some(item.clone()));
    assert_eq!(open().get(&key("head")).await.unwrap(), Some(item), "another opening sees it");

    for run in ["run#2", "run#1", "run_x"] {
        store.put(&key(run), json!({}), Expect::Absent).await.unwrap();
    }
    let other = ItemKey { pk: "okta#other#users".to_owned(), sk: "run#3".to_owned() };
    store.put(&other, json!({}), Expect::Absent).await.unwrap();
    let listed = store.list("okta#acme#users", "run#", 10).await.unwrap();
    assert_eq!(listed.iter().map(|(key, _)| key.sk.as_str()).collect::<Vec<_>>(), ["run#2", "run#1"]);
    assert_eq!(store.list("okta#other#users", "", 10).await.unwrap().len(), 1);
    let listed = store.list("okta#acme#users", "run#", 1).await.unwrap();
    assert_eq!(listed.iter().map(|(key, _)| key.sk.as_str()).collect::<Vec<_>>(), ["run#2"]);

    count_together(&store, &key("counter")).await;
}

/// Many compare-and-swaps at once lose none.
async fn count_together<S: StateStore>(store: &S, key: &ItemKey) {
    const WRITERS: u64 = 60;
    store.put(key, json!(0), Expect::Absent).await.unwrap();
    let add_one = async || loop {
        let item = store.get(key).await.unwrap().unwrap();
        let next = json!(item.doc.as_u64().unwrap() + 1);
        if store.put(key, next, Expect::Version(item.version)).await.unwrap().is_some() {
            break;
        }
    };
    futures_util::future::join_all((0..WRITERS).map(|_| add_one())).await;
    assert_eq!(store.get(key).await.unwrap().unwrap().doc, json!(WRITERS));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::sink::MemorySink;
    use crate::state::MemoryStore;

    #[tokio::test]
    async fn memory_passes_the_sink_suite() {
        sink_suite(&MemorySink::default()).await;
    }

    #[tokio::test]
    async fn memory_passes_the_copying_suite() {
        copying_suite(&MemorySink::default(), &MemorySink::default()).await;
    }

    #[tokio::test]
    async fn memory_passes_the_state_suite() {
        time_suite(MemoryStore::new).await;
        let shared = Arc::new(MemoryStore::new(Clock::system()));
        state_suite(|| Shared(Arc::clone(&shared))).await;
    }

    /// Opens the same memory every time.
    #[derive(Debug)]
    struct Shared(Arc<MemoryStore>);

    impl StateStore for Shared {
        fn now(&self) -> BoxFuture<'_, Result<Timestamp>> {
            self.0.now()
        }
        fn get<'a>(&'a self, key: &'a ItemKey) -> BoxFuture<'a, Result<Option<Item>>> {
            self.0.get(key)
        }
        fn put<'a>(
            &'a self,
            key: &'a ItemKey,
            doc: serde_json::Value,
            expect: Expect,
        ) -> BoxFuture<'a, Result<Option<u64>>> {
            self.0.put(key, doc, expect)
        }
        fn list<'a>(
            &'a self,
            pk: &'a str,
            prefix: &'a str,
            limit: usize,
        ) -> BoxFuture<'a, Result<Vec<(ItemKey, Item)>>> {
            self.0.list(pk, prefix, limit)
        }
    }
}
