//! What a thread does that waits for a pull or a promotion.

use std::sync::Arc;

use circulate_core::progress::Progress;
use circulate_core::stop;
use pyo3::prelude::*;

use crate::results::result;
use crate::runtime::Watcher;
use crate::stop::PyStop;

/// Shows progress, and hands requests to stop on to the work.
pub(crate) struct WorkWatcher {
    progress: Arc<Progress>,
    stop: stop::Stop,
    requested: Option<Py<PyStop>>,
    on_progress: Option<Py<PyAny>>,
    interrupted: bool,
}

impl WorkWatcher {
    pub(crate) fn new(
        progress: &Arc<Progress>,
        stop: &stop::Stop,
        requested: Option<Py<PyStop>>,
        on_progress: Option<Py<PyAny>>,
    ) -> Self {
        Self {
            progress: Arc::clone(progress),
            stop: stop.clone(),
            requested,
            on_progress,
            interrupted: false,
        }
    }
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

    fn interrupted(&mut self) -> bool {
        self.stop.request(stop::StopReason::Interrupted);
        !std::mem::replace(&mut self.interrupted, true)
    }
}
