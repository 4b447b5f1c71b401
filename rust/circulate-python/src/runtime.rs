//! The one tokio runtime of a process, and the two ways Python waits for it: with a thread, and with `await`.

use std::cell::OnceCell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{self, ContextExt, future_into_py};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

use crate::connections::Connections;
use crate::events::{self, EventQueues};
use crate::results::RESULTS;

/// How often a waiting thread looks for signals and shows progress.
const TICK: Duration = Duration::from_millis(100);

/// What is started at the first use.
pub(crate) struct Engine {
    runtime: Runtime,
    process: u32,
    /// Connections by address. They are not for another process.
    pub(crate) connections: Connections,
    /// Events of works that wait to be handed on.
    pub(crate) events: EventQueues,
}

static FIRST: OnceLock<Engine> = OnceLock::new();
/// Of a process that was forked after the first use: the threads of a runtime do not survive that, so it gets one of its own.
/// What was forked from it stays where it is, since it can't be ended either.
static AFTER_FORK: Mutex<Option<&'static Engine>> = Mutex::new(None);

impl Engine {
    fn start() -> PyResult<Self> {
        give_large_blocks_back();
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("circulate")
            .build()
            .map_err(|error| PyRuntimeError::new_err(format!("cannot start threads: {error}")))?;
        events::listen(|| Self::get().ok().map(|engine| &engine.events));
        Ok(Self {
            runtime,
            process: std::process::id(),
            connections: Connections::default(),
            events: EventQueues::default(),
        })
    }

    fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// The engine of this process.
    pub(crate) fn get() -> PyResult<&'static Self> {
        if FIRST.get().is_none() {
            // Another thread may have been first; then this one is dropped unused.
            let _ = FIRST.set(Self::start()?);
        }
        if let Some(engine) = FIRST.get().filter(|engine| engine.is_ours()) {
            return Ok(engine);
        }
        let mut after_fork = AFTER_FORK.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = after_fork.filter(|engine| engine.is_ours()) {
            return Ok(engine);
        }
        let engine: &'static Self = Box::leak(Box::new(Self::start()?));
        *after_fork = Some(engine);
        Ok(engine)
    }

    /// The engine of this process, if it was started.
    pub(crate) fn started() -> Option<&'static Self> {
        let first = FIRST.get().filter(|engine| engine.is_ours());
        let after_fork = || *AFTER_FORK.lock().unwrap_or_else(PoisonError::into_inner);
        first.or_else(|| after_fork().filter(|engine| engine.is_ours()))
    }

    /// Runs `work` on this thread, whatever signals come.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Runs `work` in the background.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runtime.spawn(work)
    }
}

tokio::task_local! {
    static LOCALS: OnceCell<TaskLocals>;
}

/// What awaits run on: the engine of this process, also after a fork.
struct Awaiting;

impl Awaiting {
    fn engine() -> &'static Engine {
        Engine::get().expect("`awaitable` has started it")
    }
}

impl generic::Runtime for Awaiting {
    type JoinError = JoinError;
    type JoinHandle = JoinHandle<()>;

    fn spawn<F: Future<Output = ()> + Send + 'static>(work: F) -> JoinHandle<()> {
        Self::engine().spawn(work)
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) -> JoinHandle<()> {
        Self::engine().runtime.spawn_blocking(work)
    }
}

impl ContextExt for Awaiting {
    fn scope<F, R>(locals: TaskLocals, work: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        Box::pin(LOCALS.scope(OnceCell::from(locals), work))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        LOCALS.try_with(|locals| locals.get().cloned()).unwrap_or_default()
    }
}

/// `work` as something to `await`. Cancelling that drops it.
pub(crate) fn awaitable<'py, T>(
    py: Python<'py>,
    work: impl Future<Output = PyResult<T>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: for<'a> IntoPyObject<'a> + Send + 'static,
{
    Engine::get()?;
    future_into_py::<Awaiting, _, T>(py, work)
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

    /// Hands events on for a tenth of a second at most: before each `tick`, and at the end. Returns whether more wait.
    fn hand_on(&mut self, py: Python<'_>) -> PyResult<bool>;

    /// A signal handler or `tick` raised. Returns whether to wait on for an orderly end.
    fn interrupted(&mut self) -> bool;
}

/// Runs `work` to its end with the interpreter detached. Ctrl-C, or an exception of another signal handler, is raised after the
/// work has ended in good order, or at once if it comes a second time.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    work: impl Future<Output = T> + Send + 'static,
    watcher: &mut dyn Watcher,
) -> PyResult<T> {
    let interrupts = Interrupts::take_over(py)?;
    let result = wait_watching(py, work, watcher, &interrupts);
    interrupts.give_back(py)?;
    result
}

fn wait_watching<T: Send + 'static>(
    py: Python<'_>,
    work: impl Future<Output = T> + Send + 'static,
    watcher: &mut dyn Watcher,
    interrupts: &Interrupts,
) -> PyResult<T> {
    let (sender, mut done) = sync_channel(1);
    let task = Engine::get()?.spawn(async move {
        // The other side has ended only if the caller no longer waits.
        let _ = sender.send(work.await);
    });
    // Most work has a result. Its class is imported while the work is under way, so that nothing but the work can fail at the end.
    let _ = py.import(RESULTS);
    let mut raised = None;
    loop {
        // A unique borrow, since a receiver may move to another thread but not be shared with one.
        let done = &mut done;
        match py.detach(move || done.recv_timeout(TICK)) {
            Ok(result) => {
                let mut handed_on = watcher.hand_on(py);
                if let Some(error) = raised {
                    return Err(error);
                }
                // Handlers may be slow: Ctrl-C ends the wait for them, too.
                while handed_on? {
                    py.check_signals()?;
                    interrupts.check()?;
                    handed_on = watcher.hand_on(py);
                }
                return watcher.tick(py).map(|()| result);
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the engine's worker ended early; this is a bug"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let handed_on = watcher.hand_on(py);
        let mut looked = handed_on.and_then(|_| py.check_signals()).and_then(|()| interrupts.check());
        if raised.is_none() {
            looked = looked.and_then(|()| watcher.tick(py));
        }
        if let Err(error) = looked {
            let (first, again) = match raised.take() {
                Some(first) => (first, true),
                None => (error, false),
            };
            if again || !watcher.interrupted() {
                if !again {
                    let engine = Engine::get()?;
                    py.detach(|| engine.runtime.block_on(circulate_core::api::auth::settled()));
                }
                task.abort();
                return Err(first);
            }
            raised = Some(first);
        }
    }
}

/// Ctrl-C while a thread waits.
///
/// Python's own handler raises `KeyboardInterrupt` in whatever Python code happens to run. That may be a finalizer, which has
/// nobody to raise it to, or a callback's `except`. So the first Ctrl-C is only noted, and raised by [`wait`]. Handlers that
/// others have set are left alone.
struct Interrupts(Option<Py<InterruptHandler>>);

impl Interrupts {
    /// Replaces Python's own handler, if it is in charge and this is the thread that gets signals.
    fn take_over(py: Python<'_>) -> PyResult<Self> {
        let signals = py.import("_signal")?;
        let number = signals.getattr("SIGINT")?;
        let own = signals.getattr("default_int_handler")?;
        if !signals.call_method1("getsignal", (&number,))?.is(&own) {
            return Ok(Self(None));
        }
        let handler = Py::new(py, InterruptHandler::default())?;
        match signals.call_method1("signal", (number, &handler)) {
            Ok(_) => Ok(Self(Some(handler))),
            // Not the main thread.
            Err(error) if error.is_instance_of::<PyValueError>(py) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }

    /// Raises a Ctrl-C that was noted since the last time.
    fn check(&self) -> PyResult<()> {
        match &self.0 {
            Some(handler) if handler.get().noted.swap(false, Ordering::Relaxed) => {
                Err(PyKeyboardInterrupt::new_err(()))
            }
            _ => Ok(()),
        }
    }

    /// Puts Python's own handler back, and raises a Ctrl-C that came in the last moment.
    fn give_back(&self, py: Python<'_>) -> PyResult<()> {
        let Some(handler) = &self.0 else { return Ok(()) };
        let signals = py.import("_signal")?;
        let number = signals.getattr("SIGINT")?;
        // A callback may have set another one.
        if signals.call_method1("getsignal", (&number,))?.is(handler) {
            let arguments = (number, signals.getattr("default_int_handler")?);
            if let Err(second) = signals.call_method1("signal", &arguments) {
                // It looks for signals before it sets the handler.
                signals.call_method1("signal", &arguments)?;
                return Err(second);
            }
        }
        self.check()
    }
}

/// Notes the first Ctrl-C, and raises each that comes after it.
#[pyclass(frozen)]
#[derive(Default)]
struct InterruptHandler {
    came: AtomicBool,
    /// Whether one was noted that has not been raised.
    noted: AtomicBool,
}

#[pymethods]
impl InterruptHandler {
    fn __call__(&self, _number: i32, _frame: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.came.swap(true, Ordering::Relaxed) {
            return Err(PyKeyboardInterrupt::new_err(()));
        }
        self.noted.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// `work` to its end, watched as by [`wait`]. What the watcher raises is raised once the work has ended in good order.
pub(crate) async fn watched<T>(
    work: impl Future<Output = T>,
    mut watcher: impl Watcher + Send + 'static,
) -> PyResult<T> {
    let mut work = std::pin::pin!(work);
    let (mut ended, mut raised) = (None, None);
    loop {
        if ended.is_none() {
            ended = tokio::time::timeout(TICK, &mut work).await.ok();
        }
        // The interpreter may be busy for long; the threads of the engine do not wait for it.
        let tick = move || {
            let ticked = Python::attach(|py| {
                let more = watcher.hand_on(py)?;
                watcher.tick(py).map(|()| more)
            });
            (watcher, ticked)
        };
        let (back, ticked) = tokio::task::spawn_blocking(tick)
            .await
            .map_err(|error| PyRuntimeError::new_err(format!("watching ended early: {error}")))?;
        watcher = back;
        let more_events = ticked.unwrap_or_else(|error| {
            watcher.interrupted();
            raised.get_or_insert(error);
            false
        });
        if let Some(result) = ended.take_if(|_| !more_events) {
            return raised.map_or(Ok(result), Err);
        }
    }
}

/// For short work: nothing to show, and no reason to wait on.
pub(crate) struct Brief;

impl Watcher for Brief {
    fn tick(&mut self, _: Python<'_>) -> PyResult<()> {
        Ok(())
    }

    fn hand_on(&mut self, _: Python<'_>) -> PyResult<bool> {
        Ok(false)
    }

    fn interrupted(&mut self) -> bool {
        false
    }
}
