//! A promotion: a run, and where it is promoted to.

use std::sync::Arc;

use super::groups::Limits;
use crate::error::{Error, ErrorKind};
use crate::lake::sink::Sink;
use crate::progress::Progress;
use crate::state::StateStore;
use crate::stop::Stop;

/// Objects that are copied at the same time.
pub(super) const COPIED_AT_ONCE: u32 = 32;
/// Parts that are open at the same time, so that the end of one does not keep copies waiting.
pub(super) const PARTS_AT_ONCE: usize = 4;

/// A run to copy, with everything it needs.
#[derive(Debug)]
pub struct Promotion {
    /// Where it was pulled to.
    pub from: Arc<dyn Sink>,
    /// The key of its index there.
    pub manifest: String,
    /// Where readers look.
    pub to: Arc<dyn Sink>,
    /// The state that knows the run.
    pub store: Arc<dyn StateStore>,
    /// Put many objects into one, with a record a line. A promotion goes on as it was begun.
    pub compact: Option<Limits>,
    /// Bytes that objects on their way may hold.
    pub memory: u64,
    /// Counts what is done.
    pub progress: Arc<Progress>,
    /// Says when to stop.
    pub stop: Stop,
}

impl Promotion {
    pub(super) fn other_sums(&self) -> Error {
        Error::new(ErrorKind::Mismatch, "promote", "the totals of the index differ from those of its parts")
            .with("key", &self.manifest)
    }
}
