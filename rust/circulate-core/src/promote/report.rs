//! What a promotion did.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::promotion::Promotion;
use crate::lake::manifest::{Index, ObjectEntry};
use crate::lake::run_manifest::RunManifest;
use crate::lake::sink::Created;
use crate::progress::Progress;
use crate::stop::StopReason;

/// How a promotion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PromotionStatus {
    /// All of the run is there, and it is committed.
    Complete,
    /// Stopped early; the next one of the same run goes on.
    Partial,
}

/// What a promotion did: the Lambda result and the CLI's summary.
#[derive(Debug, Clone, Serialize)]
pub struct Promoted {
    /// The run.
    pub run_id: String,
    /// How it ended.
    pub status: PromotionStatus,
    /// `source.endpoint`.
    pub stream: String,
    /// The account.
    pub account: String,
    /// Key of the run's index in the target; it is there if the promotion is complete.
    pub manifest: String,
    /// The target.
    pub destination: String,
    /// Objects of the run that are known to be in the target.
    pub objects: u64,
    /// Records in them.
    pub records: u64,
    /// Their size as stored.
    pub bytes: u64,
    /// Objects that this promotion brought there.
    pub copied: u64,
    /// Objects that it found there.
    pub skipped: u64,
    /// The run to go on with, of a partial promotion.
    pub continuation: Option<String>,
    /// Why it stopped early.
    pub stopped_by: Option<String>,
}

/// Counts objects that are in the target.
#[derive(Debug, Default)]
pub(super) struct CopyTally(Mutex<Counts>);

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) objects: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    copied: u64,
    skipped: u64,
}

impl CopyTally {
    /// An object is there; what was brought there shows in `progress`.
    pub(super) fn add(&self, object: &ObjectEntry, created: Created, progress: &Progress) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.objects += 1;
        progress.count_done(1);
        counts.records += object.records;
        counts.bytes += object.bytes;
        match created {
            Created::New => {
                counts.copied += 1;
                progress.copied(&object.key, object.records, object.bytes);
            }
            Created::Exists => counts.skipped += 1,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Promotion {
    pub(super) fn complete(&self, run: &RunManifest, index: &Index, tally: &CopyTally) -> Promoted {
        let copied = tally.counts().copied;
        let (objects, records, bytes) = (index.totals.objects, index.totals.records, index.totals.bytes);
        let skipped = objects.saturating_sub(copied);
        let counts = Counts { objects, records, bytes, copied, skipped };
        self.promoted(run, PromotionStatus::Complete, counts)
    }

    pub(super) fn partial(&self, run: &RunManifest, tally: &CopyTally) -> Promoted {
        Promoted {
            continuation: Some(run.index.run_id.clone()),
            // What could not have ended in time was not begun.
            stopped_by: Some(self.stop.reason().unwrap_or(StopReason::Deadline).as_str().to_owned()),
            ..self.promoted(run, PromotionStatus::Partial, tally.counts())
        }
    }

    fn promoted(&self, run: &RunManifest, status: PromotionStatus, counts: Counts) -> Promoted {
        let index = &run.index;
        Promoted {
            run_id: index.run_id.clone(),
            status,
            stream: format!("{}.{}", index.source, index.endpoint),
            account: index.account.clone(),
            manifest: run.keys.index(),
            destination: self.to.uri(),
            objects: counts.objects,
            records: counts.records,
            bytes: counts.bytes,
            copied: counts.copied,
            skipped: counts.skipped,
            continuation: None,
            stopped_by: None,
        }
    }
}
