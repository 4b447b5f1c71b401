//! Events of the engine as records of Python's `logging`.
//!
//! The engine's threads never wait for the interpreter: an event goes into the queue of the work that it is about. What waits
//! for that work hands it on, a tenth of a second later at most, with no lock held: a logging handler may do what it likes,
//! also call this package. `logging` is never imported here. Where nobody has imported it, nobody listens.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use circulate_core::events::{TARGET, is_ours};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};

/// Events of one work that wait to be handed on. Those before the newest so many are dropped, and counted.
const MAX_WAITING: usize = 1000;

/// How long events are handed on at a time.
const TURN: Duration = Duration::from_millis(100);

/// What every record has: what the event is about, as far as that is known.
const SUBJECT: [&str; 3] = ["run_id", "stream", "account"];

/// Levels of `logging`.
const WARNING: u8 = 30;
const INFO: u8 = 20;
const DEBUG: u8 = 10;
const NOBODY: u8 = u8::MAX;

/// The least level that somebody listens to.
static LEAST: AtomicU8 = AtomicU8::new(NOBODY);

/// The queues of works that are under way, by their number.
#[derive(Default)]
pub(crate) struct EventQueues(Mutex<BTreeMap<u64, Weak<EventQueue>>>);

#[derive(Default)]
struct EventQueue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    events: VecDeque<LogEvent>,
    dropped: u64,
}

impl EventQueues {
    fn open(&self, work: u64) -> Arc<EventQueue> {
        let queue = Arc::default();
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        queues.insert(work, Arc::downgrade(&queue));
        queue
    }

    fn put(&self, event: LogEvent) {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.get(&event.work).and_then(Weak::upgrade);
        drop(queues);
        if let Some(queue) = queue {
            queue.put(event);
        }
    }
}

impl EventQueue {
    fn put(&self, event: LogEvent) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.events.len() == MAX_WAITING {
            waiting.events.pop_front();
            waiting.dropped += 1;
        }
        waiting.events.push_back(event);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).events.is_empty()
    }

    /// The oldest event; before it, how many were dropped.
    fn pop(&self) -> Option<LogEvent> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut waiting.dropped) {
            0 => waiting.events.pop_front(),
            dropped => waiting.events.front().map(|before| LogEvent::of_dropped(dropped, before)),
        }
    }
}

/// An event, as it was sent.
#[derive(Default)]
struct LogEvent {
    level: u8,
    work: u64,
    message: String,
    fields: Vec<(&'static str, FieldValue)>,
}

#[derive(Clone, IntoPyObject)]
enum FieldValue {
    Text(String),
    Integer(u64),
    Number(f64),
    Flag(bool),
}

impl LogEvent {
    /// So many events were dropped before this one.
    fn of_dropped(count: u64, event: &Self) -> Self {
        let subject = event.fields.iter().filter(|(name, _)| SUBJECT.contains(name)).cloned();
        let what =
            [("event", FieldValue::Text("events_dropped".to_owned())), ("count", FieldValue::Integer(count))];
        let message = format!("{count} events were dropped: more came than were taken");
        Self { level: WARNING, work: event.work, message, fields: subject.chain(what).collect() }
    }
}

impl Visit for LogEvent {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((field.name(), FieldValue::Text(value.to_owned())));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "work" {
            self.work = value;
        } else {
            self.fields.push((field.name(), FieldValue::Integer(value)));
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), FieldValue::Number(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), FieldValue::Flag(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Takes events of the engine in, and nothing else: what other crates say may hold secrets. A registry, such as that of
/// `tracing-subscriber`, would keep spans, of which the engine has none.
struct Listener {
    queues: fn() -> Option<&'static EventQueues>,
}

/// Listens from now on, for all of the process. `queues` returns those of this process, which may have been forked since.
pub(crate) fn listen(queues: fn() -> Option<&'static EventQueues>) {
    // There is one already where an engine was started before.
    let _ = tracing::subscriber::set_global_default(Listener { queues });
}

fn level_of(level: Level) -> u8 {
    match level {
        Level::ERROR | Level::WARN => WARNING,
        Level::INFO => INFO,
        Level::DEBUG | Level::TRACE => DEBUG,
    }
}

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_ours(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata) && level_of(*metadata.level()) >= LEAST.load(Ordering::Relaxed)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut sent = LogEvent { level: level_of(*event.metadata().level()), ..LogEvent::default() };
        event.record(&mut sent);
        if let Some(queues) = (self.queues)() {
            queues.put(sent);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Looks who listens, before work begins. Returns whether anybody does.
pub(crate) fn look(py: Python<'_>) -> PyResult<bool> {
    Ok(listening_logger(py)?.is_some())
}

/// Hands events of one work on to `logging`.
pub(crate) struct EventLog {
    queue: Arc<EventQueue>,
    /// What handlers find as their context, if that is not the one of who hands on.
    context: Option<Py<PyAny>>,
}

impl EventLog {
    /// Begins to keep events of this work.
    pub(crate) fn open(queues: &EventQueues, work: u64) -> Self {
        Self { queue: queues.open(work), context: None }
    }

    /// The same, to be handed on by another thread in the context of this one.
    pub(crate) fn with_context(&self, py: Python<'_>) -> PyResult<Self> {
        let context = py.import("contextvars")?.call_method0("copy_context")?.unbind();
        Ok(Self { queue: Arc::clone(&self.queue), context: Some(context) })
    }

    /// Hands on what waits, for a tenth of a second at most: handlers may be slower than the engine, and who waits for the
    /// work has more to look at. Returns whether more waits. What a handler raises is shown as Python shows what nobody can
    /// catch, and keeps the work from nothing; Ctrl-C and the like are returned.
    pub(crate) fn hand_on(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(logger) = listening_logger(py)? else { return Ok(false) };
        let began = Instant::now();
        while let Some(event) = self.queue.pop() {
            self.log(&logger, event)?;
            if began.elapsed() >= TURN {
                return Ok(!self.queue.is_empty());
            }
        }
        Ok(false)
    }

    fn log(&self, logger: &Bound<'_, PyAny>, event: LogEvent) -> PyResult<()> {
        let py = logger.py();
        let written = || {
            if !logger.call_method1("isEnabledFor", (event.level,))?.is_truthy()? {
                return Ok(py.None().into_bound(py));
            }
            let (file, line, function, _) = logger.call_method0("findCaller")?.extract::<(
                Bound<'_, PyAny>,
                Bound<'_, PyAny>,
                Bound<'_, PyAny>,
                Bound<'_, PyAny>,
            )>()?;
            let (no_arguments, no_error) = (PyTuple::empty(py), py.None());
            let made = (TARGET, event.level, file, line, event.message, no_arguments, no_error, function);
            let record = logger.call_method1("makeRecord", made)?;
            // After the record was made, since a factory of the application may have attributes of these names.
            for name in SUBJECT {
                record.setattr(name, py.None())?;
            }
            for (name, value) in event.fields {
                record.setattr(name, value)?;
            }
            match &self.context {
                None => logger.call_method1("handle", (record,)),
                Some(context) => {
                    let handle = logger.getattr("handle")?;
                    context.bind(py).call_method1("run", (handle, record))
                }
            }
        };
        match written() {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                error.write_unraisable(py, Some(logger));
                Ok(())
            }
            other => other.map(drop),
        }
    }
}

/// The logger, if anybody may listen to it. Looks who does: from which level on is noted for [`Listener`].
fn listening_logger(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let found = match look_for_listeners(py) {
        // Such as from a module that is being imported. Ctrl-C is not lost.
        Err(error) if error.is_instance_of::<PyException>(py) => None,
        found => found?,
    };
    LEAST.store(found.as_ref().map_or(NOBODY, |(_, least)| *least), Ordering::Relaxed);
    Ok(found.map(|(logger, _)| logger))
}

fn look_for_listeners(py: Python<'_>) -> PyResult<Option<(Bound<'_, PyAny>, u8)>> {
    let modules = py.import("sys")?.getattr("modules")?;
    let Ok(logging) = modules.get_item("logging") else { return Ok(None) };
    let logger = logging.call_method1("getLogger", (TARGET,))?;
    // Without any handler, `logging` would write warnings to stderr: that is for applications, not for libraries.
    if !logger.call_method0("hasHandlers")?.is_truthy()? {
        return Ok(None);
    }
    for level in [DEBUG, INFO, WARNING] {
        if logger.call_method1("isEnabledFor", (level,))?.is_truthy()? {
            return Ok(Some((logger, level)));
        }
    }
    Ok(None)
}
