//! State: cursors, leases and the run ledger of a stream.
//!
//! [`StateStore`] is the seam, and a narrow one: items with a version, written only if the version is the expected
//! one. Everything that makes the commit protocol safe (leases, fences, one writer) is built once on top of that, in
//! [`StreamState`].

mod admin;
mod dynamodb;
mod items;
mod learned;
mod leased_run;
mod markers;
mod memory;
mod open;
mod sqlite;
mod stream;

use std::fmt;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;

use crate::error::Result;
use crate::lake::stream_id::StreamId;

pub use admin::{Decision, ListedRun, StreamStatus, decide, moved, promoting, reset, show};
pub use dynamodb::DynamoTable;
pub use items::{
    Cursor, CursorValue, Head, JobPosition, Ledger, ListRestart, ListedStream, MarkerStatus, Mode,
    OpenPartition, PlanParts, PlanPosition, PollCursor, Position, RunItem, RunStatus, SeenOrder, TaskItem,
};
pub use learned::{Learned, LearnedProof, PaginatorProof, Paginators};
pub use leased_run::LeasedRun;
pub use markers::{Marked, mark_all, mark_where_due, place_marker};
pub use memory::MemoryStore;
pub use open::{Acquired, Busy, RunRequest};
pub use sqlite::SqliteStore;
pub(crate) use stream::STREAMS;
pub use stream::{Lease, StreamState, list_runs, streams};

/// Which item: all items of a stream share `pk`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The stream as text, or `streams` where all streams are listed.
    pub pk: String,
    /// `head`, `paginators`, `cursor#...`, `run#...`, `task#...`.
    pub sk: String,
}

impl ItemKey {
    /// The key of an item of a stream.
    pub fn new(stream: &StreamId, sk: &str) -> Self {
        Self { pk: stream.to_string(), sk: sk.to_owned() }
    }
}

/// An item as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its content, a JSON object.
    pub doc: Value,
    /// Grows by one with every write.
    pub version: u64,
}

/// What must be true for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is no such item.
    Absent,
    /// The item has this version.
    Version(u64),
}

/// A store of items with conditional writes.
pub trait StateStore: Send + Sync + fmt::Debug {
    /// The store's own time. Leases are judged by it, never by a worker's clock.
    fn now(&self) -> BoxFuture<'_, Result<Timestamp>>;

    /// Reads an item; what was written before is seen.
    fn get<'a>(&'a self, key: &'a ItemKey) -> BoxFuture<'a, Result<Option<Item>>>;

    /// Writes an item if `expect` holds, in one step. Returns the new version, or `None` if it does not hold.
    fn put<'a>(&'a self, key: &'a ItemKey, doc: Value, expect: Expect) -> BoxFuture<'a, Result<Option<u64>>>;

    /// Reads the items of a partition key whose sort key starts with `prefix`, greatest sort key first.
    fn list<'a>(
        &'a self,
        pk: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(ItemKey, Item)>>>;
}
