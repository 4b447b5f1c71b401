//! The runs of a place that count: what a manifest names of other runs is no data.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::{MARKER, StreamKeys};
use crate::lake::manifest::Index;
use crate::lake::marker::Marker;
use crate::lake::run_manifest::{ListedRuns, RunManifest, index_key, list_runs};
use crate::lake::sink::{Sink, missing};
use crate::lake::stream_id::StreamId;
use crate::state::{RunStatus, StateStore, StreamState};

/// Manifests that are read at the same time.
const READ_AT_ONCE: usize = 16;

/// A run that counts.
#[derive(Debug, Clone)]
pub(super) struct CommittedRun {
    pub(super) index: Index,
    pub(super) committed_at: Timestamp,
}

impl CommittedRun {
    pub(super) fn keys(&self) -> StreamKeys {
        StreamKeys::new(&self.index.stream_id(), &self.index.run_id, self.index.started_at)
    }

    /// Whether it went on where an earlier run had ended.
    pub(super) fn follows_another(&self) -> bool {
        self.index.mode == "incremental" && !self.is_unbounded()
    }

    /// Whether it asked for all time. Some APIs need to be given a time for that (`full_since`), and get the first one there is.
    fn is_unbounded(&self) -> bool {
        self.index.window.since.is_none_or(|since| since <= Timestamp::UNIX_EPOCH)
    }

    /// Whether it took everything there was, and got it.
    pub(super) fn is_complete_and_whole(&self) -> bool {
        let whole = match self.index.mode.as_str() {
            "full" => true,
            "incremental" => self.is_unbounded(),
            _ => false,
        };
        whole && self.index.verdict == "complete" && self.index.unavailable.is_none()
    }
}

/// A run with an index that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UncountedRun {
    /// The account.
    pub account: String,
    /// The run.
    pub run_id: String,
    /// Why it does not count.
    pub why: String,
}

/// The runs of a stream in a place.
#[derive(Debug, Clone, Default)]
pub(super) struct FoundRuns {
    /// Those that count, by account, each from the first committed to the last.
    pub(super) committed: Vec<CommittedRun>,
    /// The others that have an index.
    pub(super) uncounted: Vec<UncountedRun>,
    /// The index of the last committed run before all of these that is not there any more.
    pub(super) lost: Option<String>,
}

/// Finds the runs of streams. State, if it is given, says of runs without a marker whether they count.
pub(super) async fn find(
    sink: &dyn Sink,
    source: Option<&str>,
    requested: impl Fn(&StreamId) -> bool,
    store: Option<&dyn StateStore>,
) -> Result<BTreeMap<StreamId, FoundRuns>> {
    let mut found = BTreeMap::new();
    for (stream, listed) in list_runs(sink, source).await? {
        if requested(&stream) {
            let runs = judge(sink, &stream, listed, store).await?;
            found.insert(stream, runs);
        }
    }
    Ok(found)
}

async fn read(
    sink: &dyn Sink,
    stream: &StreamId,
    run_id: String,
    is_marked: bool,
) -> Result<(RunManifest, Option<Marker>)> {
    let run = RunManifest::read(sink, &index_key(stream, &run_id), "read lake").await?;
    let marker = if is_marked { run.marker(sink).await? } else { None };
    Ok((run, marker))
}

async fn judge(
    sink: &dyn Sink,
    stream: &StreamId,
    mut listed: ListedRuns,
    store: Option<&dyn StateStore>,
) -> Result<FoundRuns> {
    let lost = lost(sink, stream, &mut listed).await?;
    let ListedRuns { indexes, markers } = listed;
    let mut reads = Vec::new();
    for run_id in indexes {
        let is_marked = markers.contains(&run_id);
        reads.push(read(sink, stream, run_id, is_marked));
    }
    let read: Vec<_> = stream::iter(reads).buffered(READ_AT_ONCE).try_collect().await?;
    let (mut runs, mut unmarked) = (FoundRuns { lost, ..FoundRuns::default() }, Vec::new());
    let mut old_are_marked = false;
    for (run, marker) in read {
        old_are_marked |= marker.is_some() && is_old(&run.index);
        match run.committed_at(marker.as_ref()) {
            Some(committed_at) => runs.committed.push(CommittedRun { index: run.index, committed_at }),
            None => unmarked.push(run.index),
        }
    }
    let of_unknown = unmarked.iter().filter(|index| is_old(index)).count();
    if store.is_none() && of_unknown > 0 && !old_are_marked {
        return Err(unknown(stream, of_unknown));
    }
    for index in unmarked {
        let uncounted = |why: &str| UncountedRun {
            account: stream.account().to_owned(),
            run_id: index.run_id.clone(),
            why: why.to_owned(),
        };
        let Some(store) = store else {
            runs.uncounted
                .push(uncounted("it has no marker: it is pending, was abandoned, or its marker is due"));
            continue;
        };
        match StreamState::run(store, stream, &index.run_id).await? {
            Some(run) if run.status == RunStatus::Committed => {
                let committed_at = run.ended_at.unwrap_or(run.started_at);
                runs.committed.push(CommittedRun { index, committed_at });
            }
            Some(run) => runs.uncounted.push(uncounted(&format!("state says that it is {}", run.status))),
            None => runs.uncounted.push(uncounted("state does not know it")),
        }
    }
    runs.committed.sort_by(|one, other| {
        (one.committed_at, &one.index.run_id).cmp(&(other.committed_at, &other.index.run_id))
    });
    Ok(runs)
}

/// The index of the last run that a marker says is committed, and that is not there. What is oldest may have been removed by
/// a retention of all that a place holds; one behind another that is there was removed by somebody else.
async fn lost(sink: &dyn Sink, stream: &StreamId, listed: &mut ListedRuns) -> Result<Option<String>> {
    let ListedRuns { indexes, markers } = listed;
    let mut lost = None;
    for run_id in markers.difference(&indexes.clone()) {
        let key = index_key(stream, run_id);
        // A folder that is written to while it is listed may show the later of two files alone.
        if sink.read(&key).await?.is_some() {
            indexes.insert(run_id.clone());
        } else if indexes.first().is_some_and(|first| run_id < first) {
            lost = Some(key);
        } else {
            let marker = format!("_circulate/{}/{run_id}{MARKER}", stream.folder());
            return Err(missing(&key).with("marker", marker));
        }
    }
    Ok(lost)
}

/// Whether a version wrote it that made no markers.
fn is_old(index: &Index) -> bool {
    index.identity.is_none()
}

fn unknown(stream: &StreamId, runs: usize) -> Error {
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    let message = format!("nothing says which runs of {} count: {runs} without a marker", stream.name());
    Error::new(ErrorKind::State, "read lake", message)
        .with("account", stream.account())
        .hint("the lake was pulled to by an older version: run `circulate verify --mark` once, or name its state (`state`)")
}
