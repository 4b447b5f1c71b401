//! Hooks that are Rust.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt, once};
use jiff::Timestamp;
use serde_json::json;

use crate::api::hooks::{HookHost, HookedPage, NextRequest, Signature};
use crate::api::http::{Request, parameter};
use crate::catalog::{HookRef, Name};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// Hooks by the name of their function: `page` makes an array of the lines of a page, `split` makes records of them, `next` counts
/// the parameter `page` up to 3, `raise` raises. All of them take as long as is said.
#[derive(Debug, Clone)]
pub struct FakeHooks {
    /// How long the next calls take; the last one stays.
    takes: Arc<Mutex<VecDeque<Option<Duration>>>>,
    calls: Arc<AtomicUsize>,
    /// What was signed: the URL, the settings, the time.
    pub signed: Arc<Mutex<Vec<(String, String, Timestamp)>>>,
    /// What is signed with.
    pub signature: Arc<Mutex<Signature>>,
}

impl Default for FakeHooks {
    fn default() -> Self {
        Self {
            takes: Arc::new(Mutex::new([Some(Duration::ZERO)].into())),
            calls: Arc::default(),
            signed: Arc::default(),
            signature: Arc::default(),
        }
    }
}

impl FakeHooks {
    /// Lets calls take so long from now on; or for ever.
    pub fn takes(&self, span: Option<Duration>) {
        self.take([span]);
    }

    /// Lets each call take one of these times, and all that follow the last of them.
    pub fn take(&self, spans: impl IntoIterator<Item = Option<Duration>>) {
        *self.takes.lock().unwrap() = spans.into_iter().collect();
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn after<T: Send + 'static>(&self, made: Result<T>) -> BoxFuture<'static, Result<T>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut takes = self.takes.lock().unwrap();
        let takes = if takes.len() > 1 { takes.pop_front().unwrap() } else { takes[0] };
        Box::pin(async move {
            match takes {
                Some(span) => tokio::time::sleep(span).await,
                None => std::future::pending().await,
            }
            made
        })
    }
}

fn raised(hook: &HookRef) -> Error {
    Error::new(ErrorKind::Hook, "run hook", "the hook raised ValueError").with("hook", hook)
}

fn lines(page: &HookedPage) -> Vec<Bytes> {
    page.body.split(|byte| *byte == b'\n').map(Bytes::copy_from_slice).collect()
}

impl HookHost for FakeHooks {
    fn page(&self, hook: &HookRef, page: HookedPage) -> BoxStream<'static, Result<Bytes>> {
        let made = match hook.function() {
            "raise" => Err(raised(hook)),
            _ => Ok(Bytes::from([b"[".as_slice(), &lines(&page).join(&b','), b"]"].concat())),
        };
        once(self.after(made)).boxed()
    }

    fn split(&self, hook: &HookRef, page: HookedPage) -> BoxStream<'static, Result<Vec<Bytes>>> {
        let made = match hook.function() {
            "raise" => Err(raised(hook)),
            _ => Ok(lines(&page)),
        };
        once(self.after(made)).boxed()
    }

    fn next(
        &self,
        hook: &HookRef,
        request: Request,
        _: HookedPage,
    ) -> BoxFuture<'static, Result<Option<NextRequest>>> {
        let number = parameter(&request.url, "page").map_or(1, |page| page.parse::<u32>().unwrap());
        let next = |number: u32| NextRequest {
            query: vec![("page".to_owned(), Some(number.to_string()))],
            ..NextRequest::default()
        };
        self.after(match hook.function() {
            "raise" => Err(raised(hook)),
            "elsewhere" => Ok(Some(NextRequest {
                url: Some("https://elsewhere.example/2".to_owned()),
                ..NextRequest::default()
            })),
            "body" => {
                Ok(Some(NextRequest { body: vec![("/page".to_owned(), json!(2))], ..NextRequest::default() }))
            }
            "same" => Ok(Some(NextRequest::default())),
            _ => Ok((number < 3).then(|| next(number + 1))),
        })
    }

    fn sign(
        &self,
        hook: &HookRef,
        request: Request,
        settings: BTreeMap<Name, Secret>,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Signature>> {
        let values: Vec<_> = settings.values().map(|value| value.expose().to_owned()).collect();
        self.signed.lock().unwrap().push((request.url.to_string(), values.join(" "), now));
        let signature = self.signature.lock().unwrap().clone();
        self.after(if hook.function() == "raise" { Err(raised(hook)) } else { Ok(signature) })
    }
}
