//! The class `Stop` of the module.

use pyo3::prelude::*;

/// Lets another thread or a signal handler stop a pull or a promotion where the next one can go on.
#[pyclass(frozen, name = "Stop", module = "circulate_core._core")]
#[derive(Default)]
pub(crate) struct PyStop {
    requested: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

#[pymethods]
impl PyStop {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Ask it to stop.
    fn request(&self) {
        self.requested.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether it was requested to stop.
    #[getter]
    pub(crate) fn requested(&self) -> bool {
        self.requested.load(std::sync::atomic::Ordering::Relaxed)
    }
}
