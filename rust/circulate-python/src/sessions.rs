//! Sessions that this process has begun.

use pyo3::prelude::*;
use tokio::task::JoinSet;

use crate::runtime::Engine;

/// Log out of all sessions of this process, as far as their servers let us; Python calls it when it ends.
#[pyfunction]
pub(crate) fn log_out(py: Python<'_>) {
    let Some(engine) = Engine::started() else { return };
    py.detach(|| {
        engine.block_on(async {
            let connections = engine.connections.all().into_iter();
            let outs: JoinSet<_> = connections
                .map(|connection| async move { connection.tokens.sessions().log_out().await })
                .collect();
            outs.join_all().await;
        });
    });
}
