//! What a thread does that waits for a pull or a promotion.

use std::sync::Arc;

use circulate_core::progress::Progress;
use circulate_core::stop;
use pyo3::prelude::*;

use crate::events::{self, EventLog};
use crate::results::result;
use crate::runtime::{Engine, Watcher};
use crate::stop::PyStop;

/// Shows progress, logs events, and hands requests to stop on to the work.
pub(crate) struct WorkWatcher {
    events: EventLog,
    progress: Arc<Progress>,
    stop: stop::Stop,
    requested: Option<Py<PyStop>>,
    on_progress: Option<Py<PyAny>>,
    interrupted: bool,
}

impl WorkWatcher {
    pub(crate) fn new(
        py: Python<'_>,
        progress: &Arc<Progress>,
        stop: &stop::Stop,
        requested: Option<Py<PyStop>>,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self {
            events: event_log(py, progress)?,
            progress: Arc::clone(progress),
            stop: stop.clone(),
            requested,
            on_progress,
            interrupted: false,
        })
    }

    /// The same, for another thread that watches in the context of this one.
    pub(crate) fn in_background(self, py: Python<'_>) -> PyResult<Self> {
        Ok(Self { events: self.events.with_context(py)?, ..self })
    }
}

/// The log of events of a work.
pub(crate) fn event_log(py: Python<'_>, progress: &Progress) -> PyResult<EventLog> {
    events::look(py)?;
    Ok(EventLog::open(&Engine::get()?.events, progress.events().work()))
}

impl Watcher for WorkWatcher {
    fn tick(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.requested.as_ref().is_some_and(|requested| requested.get().requested()) {
            self.stop.request(stop::StopReason::Interrupted);
        }
        if let Some(callback) = &self.on_progress {
            callback.call1(py, (result(py, "Snapshot", &self.progress.snapshot())?,))?;
        }
        Ok(())
    }

    fn hand_on(&mut self, py: Python<'_>) -> PyResult<bool> {
        self.events.hand_on(py)
    }

    fn interrupted(&mut self) -> bool {
        self.stop.request(stop::StopReason::Interrupted);
        !std::mem::replace(&mut self.interrupted, true)
    }
}

/// For short work that has events all the same.
pub(crate) struct EventWatcher(pub(crate) EventLog);

impl Watcher for EventWatcher {
    fn tick(&mut self, _: Python<'_>) -> PyResult<()> {
        Ok(())
    }

    fn hand_on(&mut self, py: Python<'_>) -> PyResult<bool> {
        self.0.hand_on(py)
    }

    fn interrupted(&mut self) -> bool {
        false
    }
}
