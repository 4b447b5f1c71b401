//! A bound on what is held at the same time.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, ErrorKind, Result};

/// Bytes that may be held, by so many holders at the most.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Arc<Semaphore>,
    units: u32,
    least: u32,
}

/// Bytes per permit.
const UNIT: u64 = 4096;

impl Budget {
    pub(crate) fn new(bytes: u64, holders: u32) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX / 2).max(holders);
        Self { left: Arc::new(Semaphore::new(units as usize)), units, least: units / holders.max(1) }
    }

    /// Waits until there are so many. Who wants more than there are at all waits until nobody holds any.
    pub(crate) async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(self.least, self.units);
        Arc::clone(&self.left).acquire_many_owned(units).await.map_err(closed)
    }
}

fn closed(error: AcquireError) -> Error {
    Error::new(ErrorKind::Storage, "store object", "objects are no longer stored").caused_by(error)
}
