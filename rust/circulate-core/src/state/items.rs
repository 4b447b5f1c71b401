//! The content of items.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::extract::cursor::{Watermark, Window};
use crate::extract::plan::Partition;
use crate::lake::manifest::{DeleteCounts, PartRef, PartitionCounts, Totals};
use crate::page::{EndKind, Ends, LoopGuard};
use crate::progress::Traffic;

/// `head`: what a stream is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The run that has begun and not ended.
    pub open_run: Option<String>,
    /// The newest run, whatever came of it.
    pub last_attempt: Option<String>,
    /// The newest run that was committed.
    pub last_complete: Option<String>,
    /// Where objects of this stream go.
    pub destination: Option<String>,
}

/// What is kept of a stream where all streams are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedStream {
    /// Where its account was when it was pulled, see [`Account::address`](crate::api::account::Account::address). None if nothing
    /// was pulled yet, if an older version did, or if the account was said to have moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// How much a run takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What changed since the cursor.
    #[default]
    Incremental,
    /// Everything.
    Full,
    /// A part of time given by hand; the cursor stays where it is.
    Window,
}

impl Mode {
    /// The mode in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incremental => "incremental",
            Self::Full => "full",
            Self::Window => "window",
        }
    }
}

/// What has become of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Begun and not ended; goes on from its last checkpoint.
    Open,
    /// Complete and visible; its cursors count once somebody commits it.
    Pending,
    /// Complete, and its cursors count.
    Committed,
    /// Given up.
    Abandoned,
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Committed => "committed",
            Self::Abandoned => "abandoned",
        })
    }
}

/// Whether the marker of a committed run is in the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkerStatus {
    /// It is to be created, by whoever has to do with the run next.
    Due,
}

/// `run#{run_id}`: one run and what it has done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunItem {
    /// The run.
    pub run_id: String,
    /// What has become of it.
    pub status: RunStatus,
    /// When it was opened, by the store's clock; part of its keys.
    pub started_at: Timestamp,
    /// When its status was settled or its last attempt ended.
    pub ended_at: Option<Timestamp>,
    /// How much it takes.
    pub mode: Mode,
    /// The period that it takes.
    pub window: Window,
    /// The cursor it began from.
    pub from_cursor: Option<CursorValue>,
    /// The definition it was begun with.
    pub spec_hash: String,
    /// Where its objects go.
    pub destination: String,
    /// Its index, once there is one.
    pub manifest: Option<String>,
    /// It is committed, and the place may not have its marker yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<MarkerStatus>,
    /// A pending run that is neither committed nor abandoned by then is abandoned by the next start.
    #[serde(default)]
    pub pending_until: Option<Timestamp>,
    /// Leave it pending for so many seconds once it is complete, instead of committing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_seconds: Option<u64>,
    /// Its promotion has begun, by a worker that has time until then. What is being copied to readers cannot be given up
    /// by itself any more: only the end of the promotion settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoting_until: Option<Timestamp>,
    /// The run that this one replaces, because the API no longer knew the page where that one stood.
    #[serde(default, alias = "instead_of", skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Given up for another run that does the same.
    #[serde(default, rename = "begun_anew")]
    pub started_over: bool,
    /// Idempotency key, such as a request id: if a run with this key has finished, none is begun.
    #[serde(default, alias = "request", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// What it did.
    #[serde(default)]
    pub ledger: Ledger,
}

impl RunItem {
    /// Whether it takes everything: a full refresh, or a run before which nothing was delivered.
    pub fn is_whole(&self) -> bool {
        match self.mode {
            Mode::Full => true,
            Mode::Incremental => self.from_cursor.is_none(),
            Mode::Window => false,
        }
    }
}

/// What a run did, over all its attempts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Times it was begun or taken up again.
    pub attempts: u32,
    /// What it wrote.
    pub totals: Totals,
    /// What HTTP cost.
    pub traffic: Traffic,
    /// What it shows to be no longer there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<DeleteCounts>,
    /// Why the last attempt stopped early: an error, or a reason to stop.
    pub stopped_by: Option<String>,
    /// The version of the code that last worked on it.
    pub code_version: String,
}

/// `task#{run_id}#{n}`: one worker's share of a run, and its lease.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskItem {
    /// Grows with every take-over; part of object keys.
    pub fence: u64,
    /// Who works on it.
    pub worker: String,
    /// Until when nobody else may; past times mean it is free.
    pub lease_until: Option<Timestamp>,
    /// Where to go on.
    pub position: Position,
}

/// A checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The next page; `None` before the first one.
    pub next_url: Option<String>,
    /// The list was read to its end.
    pub finished: bool,
    /// The number of the next object.
    pub next_sequence: u64,
    /// The number of the next manifest part.
    pub next_part: u64,
    /// The last manifest part written.
    pub last_part: Option<PartRef>,
    /// Sums up to here.
    pub totals: Totals,
    /// Records left out up to here, because an earlier run delivered the same bytes.
    #[serde(default)]
    pub repeats: u64,
    /// Records left out up to here, because they are older than what was read before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unchanged: u64,
    /// The greatest time seen up to here.
    pub watermark: Watermark,
    /// Whether records came in the order that the definition declares.
    #[serde(default, skip_serializing_if = "SeenOrder::is_unknown")]
    pub order: SeenOrder,
    /// What the API gave to go on with at the next pull: an address, or what the response is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<String>,
    /// How the list started over within the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<ListRestart>,
    /// Records up to this time are too many to be remembered for the next run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_forgotten: Option<Timestamp>,
    /// The server's `Date` at the first response of the run; or, if that had none, our clock less the declared `lag`.
    pub first_server_date: Option<Timestamp>,
    /// The first response of the run was seen, whether or not it had a `Date`.
    #[serde(default)]
    pub dated: bool,
    /// What HTTP cost up to here.
    pub traffic: Traffic,
    /// Notices circles.
    pub guard: LoopGuard,
    /// What the API said to an account that lacks the feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// How the lists read so far ended.
    #[serde(default, skip_serializing_if = "Ends::is_empty")]
    pub ends: Ends,
    /// How far behind the API's present a poll is that a deadline ended, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// A poll was begun by time, and may be shown again what was delivered.
    #[serde(default)]
    pub by_time: bool,
    /// What the API no longer had when the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<String>,
    /// Where a stream stands that is pulled in partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanPosition>,
    /// The job that makes the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobPosition>,
    /// The columns of tables up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<PartRef>,
    /// Where the whole position is, if it is too large for an item of state; then this one is [in short](Self::in_short).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<PartRef>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A job that was submitted and is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPosition {
    /// Its id, if the API gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where its status is requested, if the API named that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_url: Option<String>,
    /// When it was submitted, by the store's clock.
    pub submitted_at: Timestamp,
}

/// How a list started over within a run, because the API no longer knew where it stood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRestart {
    /// From this time on, if it is not that of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What the API said.
    pub why: String,
}

/// What is known of the order in which records came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenOrder {
    /// The least time up to here, of a list whose newest records come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Timestamp>,
    /// They came in another order than the definition declares.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_broken: bool,
}

impl SeenOrder {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl Position {
    /// Whether the API says that nothing has changed since it was read before.
    pub fn is_unchanged(&self) -> bool {
        self.ends.counts.contains_key(&EndKind::Unchanged)
    }

    /// Whether the API has responded: what it said belongs to the account.
    pub fn is_begun(&self) -> bool {
        let read = self.totals.pages > 0 || self.next_url.is_some() || self.first_server_date.is_some();
        // One that is kept elsewhere is too large to be nothing.
        read || self.finished || self.details.is_some()
    }

    /// What state holds of a position that is kept elsewhere.
    pub fn in_short(&self, details: PartRef) -> Self {
        Self {
            finished: self.finished,
            next_sequence: self.next_sequence,
            next_part: self.next_part,
            totals: self.totals.clone(),
            repeats: self.repeats,
            traffic: self.traffic.clone(),
            details: Some(details),
            ..Self::default()
        }
    }

    /// What is missing, as far as the index names it.
    pub fn gaps(&self) -> Vec<String> {
        let of_plan = self.plan.iter().flat_map(|plan| &plan.gaps);
        self.lapsed.iter().chain(of_plan).cloned().chain(self.ends.gaps()).collect()
    }

    /// Whether nothing was read.
    pub fn is_blank(&self) -> bool {
        let unread = self.totals.pages == 0 && self.next_url.is_none() && !self.finished;
        unread
            && self.plan.is_none()
            && self.job.is_none()
            && self.last_part.is_none()
            && self.details.is_none()
    }
}

/// Where a stream stands that is pulled in partitions: first all of them are listed in a plan, then each is pulled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanPosition {
    /// All partitions are in the plan.
    pub complete: bool,
    /// The last part of the plan.
    pub last: Option<PartRef>,
    /// The number of the next part.
    pub next_part: u64,
    /// The part whose partitions are being pulled.
    pub current: Option<PartRef>,
    /// How many of its partitions were begun.
    pub begun: usize,
    /// Partitions that were begun and are not done with.
    pub open: Vec<OpenPartition>,
    /// How many partitions its parts hold; 0 if an older version made the plan.
    #[serde(default)]
    pub partitions: u64,
    /// How many were done with.
    pub counts: PartitionCounts,
    /// Of a plan that leads to another one: how many lists led to its partitions. `None` of the plan of the stream's own lists, and
    /// while the list of its topmost parents is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<usize>,
    /// The plan that it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<PlanParts>,
    /// How many of the partitions of plans that led to it were done with.
    #[serde(default, skip_serializing_if = "PartitionCounts::is_nothing")]
    pub above: PartitionCounts,
    /// Digest of the values that its lists are requested for, if there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    /// The end of the period that its windows are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The first of what is missing.
    #[serde(alias = "holes")]
    pub gaps: Vec<String>,
}

impl PlanPosition {
    /// Whether all of its partitions are known.
    pub fn is_full(&self) -> bool {
        self.complete || self.level.is_some()
    }

    /// How many partitions refused, at all levels.
    pub fn refused(&self) -> u64 {
        self.counts.refused + self.above.refused
    }
}

/// The parts of a plan that is being made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanParts {
    /// The last part.
    pub last: Option<PartRef>,
    /// How many partitions its parts hold.
    pub partitions: u64,
}

/// A partition that is being pulled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenPartition {
    /// The partition.
    pub partition: Partition,
    /// The next page; `None` before the first one.
    pub next_url: Option<String>,
    /// Its records up to here.
    pub records: u64,
    /// Its pages up to here.
    #[serde(default)]
    pub pages: u64,
    /// Notices circles.
    pub guard: LoopGuard,
    /// The least time up to here, of a list whose newest records come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Timestamp>,
    /// Its list started over within the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restarted: bool,
    /// Of several parents that are requested at once: those of which no record has come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

impl OpenPartition {
    /// One that begins, for several parents if these are given.
    pub fn begin(partition: Partition, unseen: Vec<String>) -> Self {
        let (next_url, guard, least) = (None, LoopGuard::default(), None);
        Self { partition, next_url, records: 0, pages: 0, guard, least, restarted: false, unseen }
    }
}

/// Where a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorValue {
    /// Its lower bound.
    pub since: Timestamp,
    /// Key of the set of records after that bound that were delivered already.
    pub dedup_key: Option<String>,
    /// The definition of the run that set it: by another one it would mean something else.
    pub spec_hash: String,
    /// Where to go on, of a polling stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollCursor>,
    /// The last part of the manifest of the run that set it, which names the partitions that were read up to it: others are read
    /// from their beginning. Only of a stream whose partitions are selected by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartRef>,
    /// Digest of the values that the lists of that run were requested for. Of a new one no parent's children were requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
}

/// Where the next run of a polling stream goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollCursor {
    /// The page to go on with.
    pub url: Option<String>,
    /// Where its address is kept, if that is too long for an item of state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_at: Option<PartRef>,
    /// When the list was read up to there, by the server's clock.
    pub read_at: Timestamp,
    /// The greatest time that was ever seen.
    pub greatest: Option<Timestamp>,
}

/// `cursor#{partition}`: where the next run begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Where the next run begins.
    pub value: Option<CursorValue>,
    /// The run that set it.
    pub run: Option<String>,
    /// What counts once `next_run` is committed.
    pub next_value: Option<CursorValue>,
    /// The run that wrote it.
    pub next_run: Option<String>,
}
