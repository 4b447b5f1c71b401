//! Keeps the lease of a run alive.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::state::LeasedRun;

/// Keeps the lease alive through long waits, until it is ended, or dropped because the run was. A renewal that fails is
/// tried again; if we were taken over meanwhile, the next checkpoint says so.
pub(super) struct Renewal {
    ending: Arc<Notify>,
    task: AbortOnDropHandle<()>,
}

impl Renewal {
    pub(super) fn start(held: Arc<LeasedRun>, interval: Duration) -> Self {
        let ending = Arc::new(Notify::new());
        let ended = Arc::clone(&ending);
        let task = tokio::spawn(async move {
            while tokio::time::timeout(interval, ended.notified()).await.is_err() {
                let _ = held.renew().await;
            }
        });
        Self { ending, task: AbortOnDropHandle::new(task) }
    }

    /// Lets a renewal that is on its way land: were it cut off, we would not know the version it wrote.
    pub(super) async fn end(mut self) {
        self.ending.notify_one();
        let _ = (&mut self.task).await;
    }
}
