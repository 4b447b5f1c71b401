//! What a pull says of itself when it has ended.

use jiff::Timestamp;
use serde::Serialize;

use super::pull::Pull;
use crate::clock::later;
use crate::error::Error;
use crate::extract::cursor::Window;
use crate::lake::manifest::{DeleteCounts, Deletes, Index, PartitionCounts, Totals};
use crate::page::Ends;
use crate::progress::Traffic;
use crate::state::{Busy, LeasedRun, Mode, Position, RunItem};
use crate::stop::StopReason;
use crate::table::{Drift, DriftEntry};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything requested is in the manifest.
    Complete,
    /// Stopped at a checkpoint, and the next start goes on from there; or committed with gaps.
    Partial,
    /// Another worker is at it.
    Busy,
    /// An error ended the attempt; the next start goes on from the last checkpoint.
    Failed,
}

/// What a pull did: the Lambda result and the CLI's summary.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run; of a busy stream the one that is going on.
    pub run_id: Option<String>,
    /// How it ended.
    pub status: Verdict,
    /// `source.endpoint`.
    pub stream: String,
    /// The account.
    pub account: String,
    /// Where objects are.
    pub destination: String,
    /// `incremental`, `full` or `window`.
    pub mode: Mode,
    /// The period requested.
    pub window: Window,
    /// The run was begun by an earlier attempt.
    pub resumed: bool,
    /// Key of the manifest's index, of a complete run or of the pending one that keeps a stream busy.
    pub manifest: Option<String>,
    /// Sums over the whole run up to its last checkpoint.
    #[serde(flatten)]
    pub totals: Totals,
    /// What HTTP cost over the whole run.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// What this attempt did, of a run that was begun by an earlier one; else this attempt did all of it.
    pub attempt: Option<AttemptTotals>,
    /// Records left out because an earlier run delivered the same bytes.
    pub repeats: u64,
    /// Records left out because they are older than what an earlier run read, where the API does not select by time.
    pub unchanged: u64,
    /// What the API said to an account that lacks the feature.
    pub unavailable: Option<String>,
    /// How many partitions were pulled, of a stream that is pulled in partitions.
    pub partitions: Option<PartitionCounts>,
    /// What is missing because the API refused it or no longer has it, up to 1,000.
    pub gaps: Vec<String>,
    /// How the lists ended.
    pub ends: Ends,
    /// Records that are no longer there; `None` if the run does not show that.
    pub deletes: Option<DeleteCounts>,
    /// Records without a value for one of the members of the key.
    pub records_without_key: u64,
    /// What is to be known about what was read, in sentences.
    pub warnings: Vec<String>,
    /// How far behind the API's present a poll is that a deadline ended, in seconds.
    pub behind: Option<u64>,
    /// What had no place in the columns of tables, or came to be one; `None` if objects are not tables.
    pub drift: Option<Drifted>,
    /// Records whose cursor member is missing or no time.
    pub records_without_time: u64,
    /// Where the next run begins.
    pub next_since: Option<Timestamp>,
    /// The run to go on with, if it stopped before its end and what it read is kept.
    pub continuation: Option<String>,
    /// Before this time (epoch seconds, by the store's clock) going on is of no use.
    pub resume_after: Option<i64>,
    /// Why the run stopped early: `deadline`, `interrupted` or `wait`, followed by what led to it.
    pub stopped_by: Option<String>,
    /// Who holds a busy stream (nobody, if a run is pending), and until when unless the lease is renewed.
    pub held_by: Option<(Option<String>, Timestamp)>,
}

/// What one attempt at a run did, up to its last checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AttemptTotals {
    /// What it read and wrote.
    #[serde(flatten)]
    pub totals: Totals,
    /// What HTTP cost.
    #[serde(flatten)]
    pub traffic: Traffic,
}

/// What drifted, in short; the manifest has all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drifted {
    /// How many values.
    pub values: u64,
    /// Where most of them are, up to 10 entries.
    #[serde(rename = "places")]
    pub entries: Vec<DriftEntry>,
}

impl Drifted {
    const MAX_ENTRIES: usize = 10;

    fn of(drift: &Drift) -> Self {
        let mut entries: Vec<_> = drift.entries().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.count));
        entries.truncate(Self::MAX_ENTRIES);
        Self { values: drift.total(), entries }
    }
}

/// A report, and the error of a failed run.
#[derive(Debug)]
pub struct Outcome {
    /// What was done.
    pub report: Report,
    /// What went wrong, if the verdict is `failed`.
    pub error: Option<Error>,
}

impl Report {
    /// Before anything is done.
    pub(super) fn blank(pull: &Pull) -> Self {
        Self {
            run_id: None,
            status: Verdict::Failed,
            stream: pull.definition.name(),
            account: pull.account.name().to_owned(),
            destination: pull.sink.uri(),
            mode: pull.options.mode,
            window: pull.options.window.clone(),
            resumed: false,
            manifest: None,
            totals: Totals::default(),
            traffic: Traffic::default(),
            attempt: None,
            repeats: 0,
            unchanged: 0,
            unavailable: None,
            partitions: None,
            gaps: Vec::new(),
            ends: Ends::default(),
            deletes: None,
            records_without_key: 0,
            warnings: Vec::new(),
            behind: None,
            drift: None,
            records_without_time: 0,
            next_since: None,
            continuation: None,
            resume_after: None,
            stopped_by: None,
            held_by: None,
        }
    }

    pub(super) fn busy(&mut self, busy: Busy) {
        self.status = Verdict::Busy;
        self.run_id = Some(busy.run_id);
        self.resume_after = Some(busy.until.as_second() + 1);
        self.manifest = busy.manifest;
        self.held_by = Some((busy.worker, busy.until));
    }

    /// What was requested was done by an earlier attempt.
    pub(super) fn done_before(&mut self, run: &RunItem, index: &Index, key: String) {
        self.run_id = Some(run.run_id.clone());
        self.resumed = true;
        self.attempt = Some(AttemptTotals::default());
        (self.mode, self.window) = (run.mode, run.window.clone());
        self.totals = index.totals.clone();
        self.traffic = run.ledger.traffic.clone();
        self.repeats = index.repeats;
        self.unchanged = index.unchanged;
        self.unavailable.clone_from(&index.unavailable);
        self.partitions.clone_from(&index.partitions);
        self.gaps.clone_from(&index.gaps);
        self.ends = index.ends.clone();
        self.behind = index.behind;
        self.complete(index, key);
    }

    pub(super) fn began(&mut self, held: &LeasedRun) {
        self.run_id = Some(held.run.run_id.clone());
        self.resumed = held.resumed;
        (self.mode, self.window) = (held.run.mode, held.run.window.clone());
    }

    /// An attempt that began at `before` came to `position`.
    pub(super) fn worked(&mut self, before: &Position, position: &Position) {
        self.attempt = self.resumed.then(|| AttemptTotals {
            totals: position.totals.since(&before.totals),
            traffic: position.traffic.since(&before.traffic),
        });
        self.totals = position.totals.clone();
        self.traffic = position.traffic.clone();
        self.repeats = position.repeats;
        self.unchanged = position.unchanged;
        self.unavailable.clone_from(&position.unavailable);
        self.gaps = position.gaps();
        self.ends = position.ends.clone();
        self.behind = position.behind;
        if let Some(plan) = &position.plan {
            self.partitions = Some(plan.counts.clone());
        }
        self.records_without_time = position.watermark.without_time;
    }

    pub(super) fn complete(&mut self, index: &Index, key: String) {
        self.status = if index.gaps.is_empty() { Verdict::Complete } else { Verdict::Partial };
        self.manifest = Some(key);
        self.warnings.clone_from(&index.warnings);
        self.deletes = index.deletes.as_ref().map(Deletes::counts);
        self.records_without_key = index.keys.as_ref().map_or(0, |keys| keys.without_key);
        self.next_since = index.cursors.values().next().copied();
        self.drift = index.tables.as_ref().map(|tables| Drifted::of(&tables.drift));
    }

    pub(super) fn partial(&mut self, reason: StopReason, in_words: String, now: Timestamp) {
        self.status = Verdict::Partial;
        self.continuation.clone_from(&self.run_id);
        self.stopped_early(reason, in_words, now);
    }

    /// An error ended it that leaves nothing of what was read.
    pub(super) fn condemned(&mut self) {
        self.totals = Totals::default();
        if let Some(attempt) = &mut self.attempt {
            attempt.totals = Totals::default();
        }
        self.ends = Ends::default();
        self.partitions = None;
    }

    /// An error ended it, and the next start goes on from its last checkpoint.
    pub(super) fn kept(&mut self) {
        self.continuation.clone_from(&self.run_id);
    }

    /// Something stopped it; of a polling stream it is complete all the same, up to there.
    pub(super) fn stopped_early(&mut self, reason: StopReason, in_words: String, now: Timestamp) {
        self.stopped_by = Some(in_words);
        if let StopReason::Wait(wait) = reason {
            self.resume_after = Some(later(now, wait).as_second() + 1);
        }
    }
}
