//! Markers of committed runs, created in the place where state says that they are due.
//!
//! A commit is one write of state; the marker in the place follows it. Whatever stops a worker in between, whoever has to do
//! with the run next creates the same one.

use serde::Serialize;

use super::items::{RunItem, RunStatus};
use super::stream::{StreamState, get, read, run_key, streams};
use super::{Expect, ItemKey, StateStore};
use crate::error::Result;
use crate::lake::keys::StreamKeys;
use crate::lake::marker::Marker;
use crate::lake::sink::Sink;
use crate::lake::stream_id::StreamId;

/// Creates the marker of a run if it is due in this place, and notes that it is there. Returns whether it was due.
pub async fn place_marker(
    sink: &dyn Sink,
    store: &dyn StateStore,
    stream: &StreamId,
    run_id: &str,
) -> Result<bool> {
    let Some(run) = get::<RunItem>(store, stream, &run_key(run_id)).await? else { return Ok(false) };
    let mut item = run.doc;
    if item.status != RunStatus::Committed || item.marker.is_none() || item.destination != sink.uri() {
        return Ok(false);
    }
    create_marker(sink, stream, &item).await?;
    item.marker = None;
    let doc = serde_json::to_value(&item).map_err(|error| super::stream::unreadable(run_id, error))?;
    // Who was quicker noted the same.
    store.put(&ItemKey::new(stream, &run_key(run_id)), doc, Expect::Version(run.version)).await?;
    Ok(true)
}

/// Creates the marker of the last run that a stream committed, if it is due: no run begins before.
pub async fn mark_where_due(sink: &dyn Sink, store: &dyn StateStore, stream: &StreamId) -> Result<()> {
    let Some(head) = StreamState::head(store, stream).await? else { return Ok(()) };
    // A worker may have died before it said in `head` that its run is committed.
    for run_id in head.open_run.iter().chain(&head.last_complete) {
        place_marker(sink, store, stream, run_id).await?;
    }
    Ok(())
}

/// What became of the markers of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Marked {
    /// Markers that were created.
    pub created: u64,
    /// Markers that were there.
    pub there: u64,
    /// Committed runs whose index is not in the place.
    pub elsewhere: u64,
}

/// Creates the markers of all runs that state says are committed, and whose index is in the place: for places that were
/// pulled to before there were markers.
pub async fn mark_all(sink: &dyn Sink, store: &dyn StateStore) -> Result<Marked> {
    let mut marked = Marked::default();
    for stream in streams(store).await? {
        for (key, item) in store.list(&stream.to_string(), "run#", usize::MAX).await? {
            let run: RunItem = read(&key.sk, item.doc)?;
            let keys = StreamKeys::new(&stream, &run.run_id, run.started_at);
            if run.status != RunStatus::Committed {
                continue;
            }
            if Marker::read(sink, &keys).await?.is_some() {
                marked.there += 1;
            } else if sink.read(&keys.index()).await?.is_some() {
                create_marker(sink, &stream, &run).await?;
                marked.created += 1;
            } else {
                marked.elsewhere += 1;
            }
            place_marker(sink, store, &stream, &run.run_id).await?;
        }
    }
    Ok(marked)
}

async fn create_marker(sink: &dyn Sink, stream: &StreamId, run: &RunItem) -> Result<()> {
    let keys = StreamKeys::new(stream, &run.run_id, run.started_at);
    let committed_at = run.ended_at.unwrap_or(run.started_at);
    Marker::create(sink, &keys, &run.run_id, committed_at).await
}

#[cfg(test)]
#[path = "tests/markers.rs"]
mod tests;
