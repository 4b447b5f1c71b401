//! Which committed runs a place holds of its streams, and whether their objects are still there.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Serialize;

use super::runs::{self, CommittedRun};
use crate::error::Result;
use crate::extract::cursor::Window;
use crate::lake::manifest::{Part, read_part};
use crate::lake::sink::Sink;
use crate::lake::stream_id::StreamId;
use crate::state::StateStore;

/// Runs that are looked at at the same time.
const LOOKED_AT_ONCE: usize = 16;

/// A committed run of a place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldRun {
    /// `source.endpoint`.
    pub stream: String,
    /// The account.
    pub account: String,
    /// The run.
    pub run_id: String,
    /// `complete`, or `partial` if there are gaps.
    pub verdict: String,
    /// The period that it took.
    pub window: Window,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The server's `Date` at its first response, or what stands in for it.
    pub first_server_date: Option<Timestamp>,
    /// How far behind the API's present a poll is that a deadline ended, in seconds.
    pub behind: Option<u64>,
    /// Its first object is not there any more: retention takes the oldest first.
    pub expired: bool,
}

/// The committed runs of a place, or of one stream of it, by stream and account, each from the first committed to the last.
pub async fn held_runs(
    sink: &dyn Sink,
    stream: Option<&str>,
    store: Option<&dyn StateStore>,
) -> Result<Vec<HeldRun>> {
    let source = stream.and_then(|stream| stream.split_once('.')).map(|(source, _)| source);
    let is_requested = |id: &StreamId| stream.is_none_or(|stream| id.name() == stream);
    let found = runs::find(sink, source, is_requested, store).await?;
    let committed = found.into_values().flat_map(|found| found.committed);
    stream::iter(committed.map(|run| held(sink, run))).buffered(LOOKED_AT_ONCE).try_collect().await
}

async fn held(sink: &dyn Sink, run: CommittedRun) -> Result<HeldRun> {
    let expired = is_expired(sink, &run).await?;
    let CommittedRun { index, committed_at } = run;
    Ok(HeldRun {
        stream: index.stream_id().name(),
        account: index.account,
        run_id: index.run_id,
        verdict: index.verdict,
        window: index.window,
        started_at: index.started_at,
        committed_at,
        first_server_date: index.first_server_date,
        behind: index.behind,
        expired,
    })
}

async fn is_expired(sink: &dyn Sink, run: &CommittedRun) -> Result<bool> {
    let keys = run.keys();
    for reference in run.index.parts.iter().filter(|part| part.objects > 0).take(1) {
        keys.check_part(&reference.key)?;
        // Parts are as old as their objects.
        if sink.read(&reference.key).await?.is_none() {
            return Ok(true);
        }
        let part: Part = read_part(sink, reference).await?;
        if let Some(object) = part.objects.first() {
            keys.check_object(&object.key)?;
            let mut listing = sink.list(&object.key);
            while let Some(listed) = listing.try_next().await? {
                if listed.key == object.key {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
    }
    Ok(false)
}
