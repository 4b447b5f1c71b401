//! What reading a lake's table did, and what is to be known about it.

use jiff::Timestamp;
use serde::Serialize;

use super::runs::UncountedRun;

/// What a run lacked, and what is not deleted all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithheldDeletes {
    /// The account.
    pub account: String,
    /// The run.
    pub run_id: String,
    /// How many records.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LakeReport {
    /// Rows that were handed over.
    pub rows: u64,
    /// Committed runs that the table is of.
    pub runs: u64,
    /// Accounts that these are of.
    pub accounts: Vec<String>,
    /// When the first and the last of them was committed.
    pub first_committed_at: Option<Timestamp>,
    /// See above.
    pub last_committed_at: Option<Timestamp>,
    /// Objects whose rows were read.
    pub objects_read: u64,
    /// Objects that hold no row of the table, or none of the time that is wanted.
    pub objects_skipped: u64,
    /// Records without a value for a member of their key: they are never merged.
    pub without_key: u64,
    /// What is in the table although a run lacked it, since nothing may be deleted by that.
    pub withheld: Vec<WithheldDeletes>,
    /// Bytes of keys that did not fit into memory.
    pub spilled_bytes: u64,
    /// Runs with a manifest that do not count.
    pub uncounted: Vec<UncountedRun>,
    /// The table has rows since this time only: what was before is not there any more.
    pub history_starts_at: Option<Timestamp>,
}

impl LakeReport {
    /// Notes that what was before is not there any more.
    pub(super) fn starts_at(&mut self, time: Timestamp) {
        self.history_starts_at = self.history_starts_at.max(Some(time));
    }
}
