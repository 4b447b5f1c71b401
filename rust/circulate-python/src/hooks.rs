//! Hooks: functions of the user's own in Python, as the engine calls them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use circulate_core::api::hooks::{HookHost, HookedPage, Hooks, NextRequest, Signature};
use circulate_core::api::http::Request;
use circulate_core::catalog::{HookFiles, HookRef, Name};
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::secrets::Secret;
use circulate_core::stop::Stop;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use http::HeaderMap;
use jiff::Timestamp;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use tokio::sync::mpsc;

/// The module that calls hooks. It is imported for definitions that have some.
const HOOKS: &str = "circulate_core.hooks";
/// Threads that are in a hook.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// A thread is in a hook for as long as there is one of these.
struct AtWork;

impl AtWork {
    fn begin() -> Self {
        AT_WORK.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How many threads are in a hook: those that nobody waits for any more are there until it returns.
#[pyfunction]
pub(crate) fn hooks_at_work() -> usize {
    AT_WORK.load(Ordering::SeqCst)
}

/// Pieces of a page that wait to be taken in.
const PIECES_AHEAD: usize = 2;

/// The hooks of definitions, loaded. It takes no longer than `stop` allows.
pub(crate) async fn load(files: Arc<HookFiles>, stop: &Stop) -> Result<Hooks> {
    if files.is_empty() {
        return Ok(Hooks::default());
    }
    if let Some(why) = &files.refused {
        let names = files.hooks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("the definition has hooks ({names}), which may not run: {why}");
        return Err(Error::new(ErrorKind::Definition, "load hooks", message));
    }
    let names: Vec<_> = files.files.keys().cloned().collect();
    let loading = tokio::task::spawn_blocking(move || {
        let _at_work = AtWork::begin();
        Python::attach(|py| LoadedHooks::new(py, &files))
    });
    let loaded = tokio::select! {
        loaded = loading => loaded.map_err(|error| ended_early("load hooks").caused_by(error))??,
        reason = stop.requested() => {
            let message = format!("stopped ({}) while a file with hooks was being run: {}", reason.as_str(), names.join(", "));
            return Err(Error::new(ErrorKind::Hook, "load hooks", message)
                .hint("what a file of hooks does outside of its functions is done before the first request: it may wait for nothing"));
        }
    };
    Ok(Hooks::new(Arc::new(loaded)))
}

/// Hooks that are loaded.
#[derive(Debug)]
struct LoadedHooks(BTreeMap<HookRef, Arc<LoadedHook>>);

#[derive(Debug)]
struct LoadedHook {
    hook: HookRef,
    /// The file, as its code knows it.
    path: String,
    function: Py<PyAny>,
}

impl LoadedHooks {
    fn new(py: Python<'_>, files: &HookFiles) -> Result<Self> {
        let path = |name: &str| {
            files.files.get(name).map(|file| file.path.display().to_string()).unwrap_or_default()
        };
        let load = || -> PyResult<Vec<Py<PyAny>>> {
            let codes: Vec<_> = files
                .files
                .iter()
                .map(|(name, file)| (name, path(name), PyBytes::new(py, &file.code)))
                .collect();
            let hooks: Vec<_> = files.hooks.iter().map(|hook| (hook.file(), hook.function())).collect();
            py.import(HOOKS)?.getattr("load")?.call1((codes, hooks))?.extract()
        };
        let functions = load()
            .map_err(|error| Error::new(ErrorKind::Definition, "load hooks", error.value(py).to_string()))?;
        let loaded = files.hooks.iter().zip(functions).map(|(hook, function)| {
            (hook.clone(), Arc::new(LoadedHook { hook: hook.clone(), path: path(hook.file()), function }))
        });
        Ok(Self(loaded.collect()))
    }

    /// A hook. The interpreter is not needed for that, which another hook may keep busy.
    fn get(&self, hook: &HookRef) -> Result<Arc<LoadedHook>> {
        self.0.get(hook).cloned().ok_or_else(|| {
            Error::new(ErrorKind::Hook, "run hook", "the hook was not loaded").with("hook", hook)
        })
    }
}

impl LoadedHook {
    /// The error for an exception: what was raised, or what is wrong with what was returned, and where.
    fn failed(&self, py: Python<'_>, raised: &PyErr) -> Error {
        let about = || -> PyResult<(Option<String>, String, u32)> {
            let arguments = (raised.value(py), &self.path, &self.function, raised.traceback(py));
            py.import(HOOKS)?.getattr("failure")?.call1(arguments)?.extract()
        };
        let (kind, message, line) =
            about().unwrap_or_else(|_| (None, "it failed, and so did saying how".to_owned(), 1));
        let what = match kind {
            Some(kind) if message.is_empty() => format!("the hook raised {kind}"),
            Some(kind) => format!("the hook raised {kind}: {message}"),
            None => format!("the hook {message}"),
        };
        Error::new(ErrorKind::Hook, "run hook", what)
            .with("hook", &self.hook)
            .with("at", format!("{}:{line}", self.path))
    }

    /// Calls it on a thread of its own.
    fn call<T: Send + 'static>(
        self: Arc<Self>,
        call: impl FnOnce(Python<'_>, &Bound<'_, PyModule>, &Py<PyAny>) -> PyResult<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let calling = tokio::task::spawn_blocking(move || {
            let _at_work = AtWork::begin();
            Python::attach(|py| {
                let called = py.import(HOOKS).and_then(|module| call(py, &module, &self.function));
                called.map_err(|error| self.failed(py, &error))
            })
        });
        Box::pin(async {
            calling.await.unwrap_or_else(|error| Err(ended_early("run hook").caused_by(error)))
        })
    }

    /// What it yields of a page, by the function `by` of the module, from a thread of its own. That ends when nobody takes more.
    fn yielded<T: Send + 'static>(
        self: Arc<Self>,
        by: &'static str,
        page: HookedPage,
        taken: fn(&Bound<'_, PyAny>) -> PyResult<T>,
    ) -> BoxStream<'static, Result<T>> {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        tokio::task::spawn_blocking(move || {
            let _at_work = AtWork::begin();
            Python::attach(|py| {
                let yielding = || -> PyResult<()> {
                    let module = py.import(HOOKS)?;
                    let made = module.getattr(by)?.call1((&self.function, response(py, &module, page)?))?;
                    for piece in made.try_iter()? {
                        let piece = taken(&piece?)?;
                        if py.detach(|| sender.blocking_send(Yielded::Piece(piece))).is_err() {
                            return Ok(());
                        }
                    }
                    // Nobody may be there any more to take it.
                    let _ = py.detach(|| sender.blocking_send(Yielded::End));
                    Ok(())
                };
                if let Err(raised) = yielding() {
                    let error = self.failed(py, &raised);
                    let _ = py.detach(|| sender.blocking_send(Yielded::Failed(error)));
                }
            });
        });
        unfold(Some(pieces), async |pieces: Option<mpsc::Receiver<Yielded<T>>>| {
            let mut pieces = pieces?;
            match pieces.recv().await {
                Some(Yielded::Piece(piece)) => Some((Ok(piece), Some(pieces))),
                Some(Yielded::Failed(error)) => Some((Err(error), None)),
                Some(Yielded::End) => None,
                None => Some((Err(ended_early("run hook")), None)),
            }
        })
        .boxed()
    }
}

/// What a thread with a hook says.
enum Yielded<T> {
    Piece(T),
    Failed(Error),
    /// There is no more. A thread that ended otherwise has not said this.
    End,
}

fn ended_early(operation: &'static str) -> Error {
    Error::new(ErrorKind::Hook, operation, "the thread of the hook ended early")
}

impl HookHost for LoadedHooks {
    fn page(&self, hook: &HookRef, page: HookedPage) -> BoxStream<'static, Result<Bytes>> {
        match self.get(hook) {
            Ok(loaded) => loaded.yielded("page", page, |piece| Ok(Bytes::copy_from_slice(piece.extract()?))),
            Err(error) => failing(error),
        }
    }

    fn split(&self, hook: &HookRef, page: HookedPage) -> BoxStream<'static, Result<Vec<Bytes>>> {
        let records = |batch: &Bound<'_, PyAny>| -> PyResult<Vec<Bytes>> {
            let batch = batch.cast::<PyList>()?;
            batch.iter().map(|record| Ok(Bytes::copy_from_slice(record.extract()?))).collect()
        };
        match self.get(hook) {
            Ok(loaded) => loaded.yielded("split", page, records),
            Err(error) => failing(error),
        }
    }

    fn next(
        &self,
        hook: &HookRef,
        request: Request,
        page: HookedPage,
    ) -> BoxFuture<'static, Result<Option<NextRequest>>> {
        type Named =
            (Option<String>, Vec<(String, Option<String>)>, Vec<(String, String)>, Vec<(String, String)>);
        let loaded = match self.get(hook) {
            Ok(loaded) => loaded,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let named = loaded.call(move |py, module, function| {
            let arguments =
                (function, self::request(py, module, &request, None)?, response(py, module, page)?);
            module.getattr("next_page")?.call1(arguments)?.extract::<Option<Named>>()
        });
        Box::pin(async {
            let Some((url, query, headers, members)) = named.await? else { return Ok(None) };
            let mut body = Vec::new();
            for (pointer, json) in members {
                let value = serde_json::from_str(&json).map_err(|error| {
                    Error::new(ErrorKind::Hook, "run hook", "a member of the body is not JSON")
                        .caused_by(error)
                })?;
                body.push((pointer, value));
            }
            Ok(Some(NextRequest { url, query, headers, body }))
        })
    }

    fn sign(
        &self,
        hook: &HookRef,
        request: Request,
        settings: BTreeMap<Name, Secret>,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Signature>> {
        let loaded = match self.get(hook) {
            Ok(loaded) => loaded,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let signed = loaded.call(move |py, module, function| {
            let values = PyDict::new(py);
            for (name, value) in &settings {
                values.set_item(name.as_str(), value.expose())?;
            }
            let arguments = (function, self::request(py, module, &request, Some(now))?, values);
            module.getattr("sign")?.call1(arguments)?.extract()
        });
        Box::pin(async {
            let (headers, query) = signed.await?;
            Ok(Signature { headers, query })
        })
    }
}

fn failing<T: Send + 'static>(error: Error) -> BoxStream<'static, Result<T>> {
    futures_util::stream::once(std::future::ready(Err(error))).boxed()
}

/// A page as hooks see it.
fn response<'py>(
    py: Python<'py>,
    module: &Bound<'py, PyModule>,
    page: HookedPage,
) -> PyResult<Bound<'py, PyAny>> {
    let body = PyBytes::new(py, &page.body);
    // Python has its own now.
    drop(page.body);
    module.getattr("Response")?.call1((page.status, headers(py, module, &page.headers)?, body))
}

/// A request as hooks see it.
fn request<'py>(
    py: Python<'py>,
    module: &Bound<'py, PyModule>,
    request: &Request,
    now: Option<Timestamp>,
) -> PyResult<Bound<'py, PyAny>> {
    let (method, url) = (request.method.as_str(), request.url.as_str());
    let (body, now) = (PyBytes::new(py, &request.body), now.map(|now| now.to_string()));
    module.getattr("request_of")?.call1((method, url, headers(py, module, &request.headers)?, body, now))
}

fn headers<'py>(
    py: Python<'py>,
    module: &Bound<'py, PyModule>,
    headers: &HeaderMap,
) -> PyResult<Bound<'py, PyAny>> {
    let pairs: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), PyBytes::new(py, value.as_bytes()))).collect();
    module.getattr("Headers")?.call1((pairs,))
}
