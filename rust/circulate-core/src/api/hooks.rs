//! The seam between pages and requests and the code of the user's own that they pass through.
//!
//! Whoever runs that code is a [`HookHost`]. [`Hooks`] calls it, and knows which call has not returned: code can't be stopped,
//! only be left behind.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::api::http::Request;
use crate::catalog::{HookRef, Name};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// A page as a hook sees it.
#[derive(Debug, Clone)]
pub struct HookedPage {
    /// HTTP status.
    pub status: u16,
    /// Headers of the response.
    pub headers: HeaderMap,
    /// Its body, unpacked.
    pub body: Bytes,
}

/// What a hook says of the next request: what differs from that of the page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NextRequest {
    /// Its URL, absolute or relative to that of the page; none if it is the same.
    pub url: Option<String>,
    /// Query parameters; none takes one out.
    pub query: Vec<(String, Option<String>)>,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Members of the body, by JSON Pointer.
    pub body: Vec<(String, Value)>,
}

/// What a hook puts on a request to sign it.
#[derive(Clone, Default)]
pub struct Signature {
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Query parameters.
    pub query: Vec<(String, String)>,
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature")
    }
}

/// Runs hooks, each call on a thread of its own, so that one that blocks keeps nobody else waiting. Their errors name the file
/// and the line.
pub trait HookHost: Send + Sync + fmt::Debug {
    /// The body that `hook` makes of a page, in pieces.
    fn page(&self, hook: &HookRef, page: HookedPage) -> BoxStream<'static, Result<Bytes>>;

    /// The records that `hook` makes of a page, some at a time.
    fn split(&self, hook: &HookRef, page: HookedPage) -> BoxStream<'static, Result<Vec<Bytes>>>;

    /// The request behind that of a page; `None` if there is none.
    fn next(
        &self,
        hook: &HookRef,
        request: Request,
        page: HookedPage,
    ) -> BoxFuture<'static, Result<Option<NextRequest>>>;

    /// What signs `request` at `now`.
    fn sign(
        &self,
        hook: &HookRef,
        request: Request,
        settings: BTreeMap<Name, Secret>,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Signature>>;
}

/// Calls hooks. Clones share what is known of the calls.
#[derive(Debug, Clone, Default)]
pub struct Hooks(Option<Arc<Calls>>);

#[derive(Debug)]
struct Calls {
    host: Arc<dyn HookHost>,
    /// The longest time that a call of a hook took.
    longest: Mutex<BTreeMap<HookRef, Duration>>,
    /// The last call that was left behind.
    left: Mutex<Option<LeftCall>>,
    /// A large page goes through hooks while no other one does.
    large: Arc<Semaphore>,
}

/// The right to have a large page in memory. Dropping it lets the next one come.
#[derive(Debug)]
pub struct LargePage(#[expect(dead_code, reason = "what it is for is to be dropped")] OwnedSemaphorePermit);

/// A call of a hook that did not return while anybody waited for it.
#[derive(Debug, Clone)]
pub struct LeftCall {
    hook: HookRef,
    /// How long it had been running.
    span: Duration,
    /// The longest that an earlier call took; none if no call has returned.
    longest: Option<Duration>,
}

/// A call that takes so many times as long as any before it is taken for one that blocks.
const FACTOR: u32 = 10;
/// Unless it is as short as that; so is a first call.
const SHORT: Duration = Duration::from_millis(250);

impl LeftCall {
    /// Whether it looks as if it would never return, rather than being slow as calls of it are.
    pub fn seems_blocked(&self) -> bool {
        self.span > (self.longest.unwrap_or_default() * FACTOR).max(SHORT)
    }

    /// The hook, as it is written.
    pub fn hook(&self) -> String {
        self.hook.to_string()
    }

    /// The error for it: `when` says when nobody waited any longer.
    pub fn error(&self, when: &str) -> Error {
        let seconds = self.span.as_secs_f64();
        let what = format!("the hook had not returned {when}, after {seconds:.1} s");
        Error::new(ErrorKind::Hook, "run hook", what).with("hook", &self.hook).hint(
            "a hook that blocks can't be stopped: its thread stays until this process ends; the next pull goes on from the \
             last checkpoint",
        )
    }
}

impl Hooks {
    /// Hooks that `host` runs.
    pub fn new(host: Arc<dyn HookHost>) -> Self {
        let (longest, left, large) = (Mutex::default(), Mutex::default(), Arc::new(Semaphore::new(1)));
        Self(Some(Arc::new(Calls { host, longest, left, large })))
    }

    /// Waits until no other large page is on its way through hooks. Pages of lists that are read side by side would not fit in
    /// memory all at once.
    pub async fn large_page(&self) -> Option<LargePage> {
        let large = Arc::clone(&self.0.as_ref()?.large);
        large.acquire_owned().await.ok().map(LargePage)
    }

    /// As [`HookHost::page`].
    pub fn page(&self, hook: &HookRef, page: HookedPage) -> Result<BoxStream<'static, Result<Bytes>>> {
        let calls = self.calls(hook)?;
        let pieces = calls.host.page(hook, page);
        Ok(watched(Arc::clone(calls), hook.clone(), pieces))
    }

    /// As [`HookHost::split`].
    pub fn split(&self, hook: &HookRef, page: HookedPage) -> Result<BoxStream<'static, Result<Vec<Bytes>>>> {
        let calls = self.calls(hook)?;
        let records = calls.host.split(hook, page);
        Ok(watched(Arc::clone(calls), hook.clone(), records))
    }

    /// As [`HookHost::next`].
    pub async fn next(
        &self,
        hook: &HookRef,
        request: Request,
        page: HookedPage,
    ) -> Result<Option<NextRequest>> {
        let calls = self.calls(hook)?;
        calls.watch(hook, calls.host.next(hook, request, page)).await
    }

    /// As [`HookHost::sign`].
    pub async fn sign(
        &self,
        hook: &HookRef,
        request: Request,
        settings: BTreeMap<Name, Secret>,
        now: Timestamp,
    ) -> Result<Signature> {
        let calls = self.calls(hook)?;
        calls.watch(hook, calls.host.sign(hook, request, settings, now)).await
    }

    /// The last call that was left behind, if there is one since this was asked for.
    pub fn take_left(&self) -> Option<LeftCall> {
        self.0.as_ref()?.left.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn calls(&self, hook: &HookRef) -> Result<&Arc<Calls>> {
        self.0.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Definition,
                "run hook",
                "the definition has a hook, and nothing here runs hooks",
            )
            .with("hook", hook)
        })
    }
}

impl Calls {
    /// Waits for a call, and notes how long it took, or that nobody waited for it to return.
    async fn watch<T>(&self, hook: &HookRef, call: impl Future<Output = T>) -> T {
        let mut waiting = PendingCall { calls: self, hook, began: Instant::now(), has_returned: false };
        let result = call.await;
        waiting.has_returned = true;
        result
    }
}

/// What a hook yields, each piece waited for as a call is.
fn watched<T: Send + 'static>(
    calls: Arc<Calls>,
    hook: HookRef,
    pieces: BoxStream<'static, Result<T>>,
) -> BoxStream<'static, Result<T>> {
    let next = |(calls, hook, mut pieces): (Arc<Calls>, HookRef, BoxStream<'static, Result<T>>)| async move {
        let piece = calls.watch(&hook, pieces.next()).await?;
        Some((piece, (calls, hook, pieces)))
    };
    unfold((calls, hook, pieces), next).boxed()
}

/// Somebody waits for a call.
struct PendingCall<'c> {
    calls: &'c Calls,
    hook: &'c HookRef,
    began: Instant,
    has_returned: bool,
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        let span = self.began.elapsed();
        let mut longest = self.calls.longest.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_returned {
            let known = longest.entry(self.hook.clone()).or_default();
            *known = span.max(*known);
            return;
        }
        let left = LeftCall { hook: self.hook.clone(), span, longest: longest.get(self.hook).copied() };
        *self.calls.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
    }
}

#[cfg(test)]
#[path = "tests/hooks.rs"]
mod tests;
