//! The one tokio runtime, and the one way Python waits for it.

use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

/// How often a waiting thread looks for signals and shows progress.
const TICK: Duration = Duration::from_millis(100);

struct Started {
    runtime: Runtime,
    process: u32,
}

static RUNTIME: OnceLock<Started> = OnceLock::new();

/// The runtime, started at the first use. It does not survive a fork, since its threads do not.
fn runtime() -> PyResult<&'static Runtime> {
    if RUNTIME.get().is_none() {
        give_large_blocks_back();
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("circulate")
            .build()
            .map_err(|error| PyRuntimeError::new_err(format!("cannot start threads: {error}")))?;
        // Another thread may have been first; then this runtime is dropped unused.
        let _ = RUNTIME.set(Started { runtime, process: std::process::id() });
    }
    let started = RUNTIME.get().ok_or_else(|| PyRuntimeError::new_err("cannot start threads"))?;
    if started.process != std::process::id() {
        return Err(PyRuntimeError::new_err(
            "circulate_core was used before this process was forked; use the `spawn` start method",
        ));
    }
    Ok(&started.runtime)
}

/// The C library would learn from the first large page to keep blocks of its size, one for each of its arenas. Blocks of
/// more than 4 MB, which only rare pages need, are given back to the system instead.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a setting of the C library, by the one function there is for it")]
fn give_large_blocks_back() {
    // SAFETY: mallopt takes two numbers, may be called at any time, and changes nothing but what later calls do.
    let _ = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_large_blocks_back() {}

/// What a waiting thread does besides waiting.
pub(crate) trait Watcher {
    /// Called about every 100 ms with the interpreter attached.
    fn tick(&mut self, py: Python<'_>) -> PyResult<()>;

    /// A signal handler or `tick` raised. Returns whether to wait on for an orderly end.
    fn interrupted(&mut self) -> bool;
}

/// Runs `work` to its end with the interpreter detached. An exception of a signal handler is raised after the work has
/// ended in good order, or at once if it comes a second time.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    work: impl Future<Output = T> + Send + 'static,
    watcher: &mut dyn Watcher,
) -> PyResult<T> {
    let (sender, mut done) = sync_channel(1);
    let task = runtime()?.spawn(async move {
        // The other side is gone only if the caller no longer waits.
        let _ = sender.send(work.await);
    });
    let mut raised = None;
    loop {
        // A unique borrow, since a receiver may move to another thread but not be shared with one.
        let done = &mut done;
        match py.detach(move || done.recv_timeout(TICK)) {
            Ok(result) => {
                watcher.tick(py)?;
                return raised.map_or(Ok(result), Err);
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the engine's worker ended early; this is a bug"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Err(error) = py.check_signals().and_then(|()| watcher.tick(py)) {
            if !watcher.interrupted() {
                task.abort();
                return Err(error);
            }
            raised = Some(error);
        }
    }
}

/// For short work: nothing to show, and no reason to wait on.
pub(crate) struct Plain;

impl Watcher for Plain {
    fn tick(&mut self, _: Python<'_>) -> PyResult<()> {
        Ok(())
    }

    fn interrupted(&mut self) -> bool {
        false
    }
}
