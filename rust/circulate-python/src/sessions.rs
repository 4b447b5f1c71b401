//! Sessions that this process has begun.

use std::time::Duration;

use pyo3::prelude::*;
use tokio::task::JoinSet;

use crate::runtime::Engine;

/// Log out of all sessions of this process, as far as their servers let us within some seconds; Python calls it when it ends.
#[pyfunction]
#[pyo3(signature = (seconds=5.0))]
pub(crate) fn log_out(py: Python<'_>, seconds: f64) {
    let Some(engine) = Engine::started() else { return };
    let patience = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    py.detach(|| {
        engine.block_on(async {
            let connections = engine.connections.all().into_iter();
            let outs: JoinSet<_> = connections
                .map(|connection| async move { connection.tokens.sessions().log_out(patience).await })
                .collect();
            outs.join_all().await;
        });
    });
}
