//! The part of the commit protocol that lives in state: who may work on a stream, where to go on, what is committed.
//!
//! Every write is conditional on the version that this worker last saw. A worker that was taken over has seen an old
//! version, so nothing it still tries to write happens: that is the fence.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::items::{Cursor, CursorValue, Head, ListedStream, RunItem, RunStatus};
use super::{Expect, ItemKey, StateStore};
use crate::MAX_TEXT;
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::stream_id::StreamId;
use crate::redact::Redactor;

/// The one task and the one partition of a stream that is pulled by one worker.
const TASK: u32 = 0;
const PARTITION: &str = "all";
/// The partition key under which every stream is listed.
pub(crate) const STREAMS: &str = "streams";
/// How many of the newest runs of a stream are looked through.
const LOOKED_THROUGH: usize = 50;
/// Times a start looks again when another start got in between.
pub(super) const LOOKS: u32 = 5;

/// The state of one stream of one account, as one worker sees it.
#[derive(Debug, Clone)]
pub struct StreamState {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) stream: StreamId,
    pub(super) worker: String,
    lease: Lease,
    pub(super) seed: Option<u64>,
}

/// For how long others keep away from a run whose worker says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// How long at most.
    pub span: Duration,
    /// When the worker will have ended for certain, if that is known: a Lambda function is stopped when its time is up.
    pub worker_ends: Option<Instant>,
}

#[derive(Debug, Clone)]
pub(super) struct Versioned<T> {
    pub(super) doc: T,
    pub(super) version: u64,
}

impl StreamState {
    /// The state of a stream; `worker` shows people who holds a lease, which lasts `lease` unless it is renewed. `seed`
    /// fixes the random part of run ids, for tests.
    pub fn new(
        store: Arc<dyn StateStore>,
        stream: StreamId,
        worker: String,
        lease: Lease,
        seed: Option<u64>,
    ) -> Self {
        Self { store, stream, worker, lease, seed }
    }

    /// Refuses to go on under an account's name with another account: its cursors say what was delivered of the one that
    /// they were set by, and its records would lie beside those of the other. All streams of the account count.
    pub(super) async fn check_address(&self, address: &str) -> Result<()> {
        let of_account = StreamId::prefix_of_account(self.stream.source(), self.stream.account());
        for (key, item) in self.store.list(STREAMS, &of_account, usize::MAX).await? {
            let known = read::<ListedStream>(&key.sk, item.doc)?.address;
            if let Some(known) = known.filter(|known| known != address) {
                return Err(other_address(&key.sk.parse()?, &known, address));
            }
        }
        Ok(())
    }

    /// Notes where the account is that is pulled from, before anything of it counts.
    pub(super) async fn note_address(&self, address: &str) -> Result<()> {
        let key = listed_key(&self.stream);
        let noted = ListedStream { address: Some(address.to_owned()) };
        for _ in 0..LOOKS {
            let (there, expect) = match self.store.get(&key).await? {
                Some(item) => (read(&key.sk, item.doc)?, Expect::Version(item.version)),
                None => (ListedStream::default(), Expect::Absent),
            };
            let doc = serde_json::to_value(&noted).map_err(|error| unreadable(&key.sk, error))?;
            if there.address.is_some() || self.store.put(&key, doc, expect).await?.is_some() {
                break;
            }
        }
        // Of two that noted different ones at the same time, one at least sees both.
        self.check_address(address).await
    }

    pub(super) async fn run_of(&self, run_id: Option<&str>) -> Result<Option<RunItem>> {
        match run_id {
            Some(run_id) => Self::run(&*self.store, &self.stream, run_id).await,
            None => Ok(None),
        }
    }

    /// Where the next run begins.
    pub async fn cursor(&self) -> Result<Option<CursorValue>> {
        Self::current_cursor(&*self.store, &self.stream).await
    }

    /// The `head` item of a stream.
    pub async fn head(store: &dyn StateStore, stream: &StreamId) -> Result<Option<Head>> {
        get(store, stream, "head").await.map(|head| head.map(|head| head.doc))
    }

    /// One run of a stream.
    pub async fn run(store: &dyn StateStore, stream: &StreamId, run_id: &str) -> Result<Option<RunItem>> {
        get(store, stream, &run_key(run_id)).await.map(|run| run.map(|run| run.doc))
    }

    /// The newest runs of a stream, newest first.
    pub async fn newest_runs(store: &dyn StateStore, stream: &StreamId) -> Result<Vec<RunItem>> {
        Self::runs(store, stream, LOOKED_THROUGH).await
    }

    /// The newest runs, newest first: no more than `limit`.
    pub async fn runs(store: &dyn StateStore, stream: &StreamId, limit: usize) -> Result<Vec<RunItem>> {
        let listed = store.list(&stream.to_string(), "run#", limit).await?;
        listed.into_iter().map(|(key, item)| read(&key.sk, item.doc)).collect()
    }

    /// Where the next run of a stream begins.
    pub async fn current_cursor(store: &dyn StateStore, stream: &StreamId) -> Result<Option<CursorValue>> {
        let Some(cursor) = get::<Cursor>(store, stream, &cursor_key()).await? else { return Ok(None) };
        Ok(current(store, stream, &cursor.doc).await?.0)
    }

    /// See [`say_in_head`].
    pub(super) async fn say_in_head(&self, run_id: &str, status: RunStatus) -> Result<()> {
        say_in_head(&*self.store, &self.stream, run_id, status).await
    }

    pub(super) async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    pub(super) async fn lease_end(&self) -> Result<Timestamp> {
        let left = self.lease.worker_ends.map(|end| end.saturating_duration_since(Instant::now()));
        Ok(later(self.store.now().await?, left.map_or(self.lease.span, |left| left.min(self.lease.span))))
    }

    pub(super) async fn settle(
        &self,
        mut run: Versioned<RunItem>,
        status: RunStatus,
        why: Option<&str>,
    ) -> Result<()> {
        run.doc.status = status;
        run.doc.ended_at = Some(end_time(&*self.store, &self.stream, status).await?);
        run.doc.ledger.stopped_by = why.map(|why| Redactor::shared().shown(why, MAX_TEXT));
        let written = self.put(&run_key(&run.doc.run_id), &run.doc, Expect::Version(run.version)).await?;
        written.map(drop).ok_or_else(fenced_off)
    }

    pub(super) async fn current(&self, cursor: &Cursor) -> Result<(Option<CursorValue>, Option<String>)> {
        current(&*self.store, &self.stream, cursor).await
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, sk: &str) -> Result<Option<Versioned<T>>> {
        get(&*self.store, &self.stream, sk).await
    }

    pub(super) async fn put<T: Serialize + Sync>(
        &self,
        sk: &str,
        doc: &T,
        expect: Expect,
    ) -> Result<Option<u64>> {
        let doc = serde_json::to_value(doc).map_err(|error| unreadable(sk, error))?;
        self.store.put(&self.key(sk), doc, expect).await
    }

    fn key(&self, sk: &str) -> ItemKey {
        ItemKey::new(&self.stream, sk)
    }
}

/// What counts, and the run that set it: the next value, if the run that wrote it is committed.
async fn current(
    store: &dyn StateStore,
    stream: &StreamId,
    cursor: &Cursor,
) -> Result<(Option<CursorValue>, Option<String>)> {
    let Some(next_run) = &cursor.next_run else { return Ok((cursor.value.clone(), cursor.run.clone())) };
    let committed = match StreamState::run(store, stream, next_run).await? {
        Some(run) => run.status == RunStatus::Committed,
        // A store may forget runs of long ago; `head` remembers the last one that counts.
        None => {
            StreamState::head(store, stream).await?.and_then(|head| head.last_complete).as_ref()
                == Some(next_run)
        }
    };
    Ok(if committed {
        (cursor.next_value.clone(), cursor.next_run.clone())
    } else {
        (cursor.value.clone(), cursor.run.clone())
    })
}

pub(super) async fn get<T: DeserializeOwned>(
    store: &dyn StateStore,
    stream: &StreamId,
    sk: &str,
) -> Result<Option<Versioned<T>>> {
    let Some(item) = store.get(&ItemKey::new(stream, sk)).await? else {
        return Ok(None);
    };
    Ok(Some(Versioned { doc: read(sk, item.doc)?, version: item.version }))
}

/// When a run ends that is settled now. Whoever reads a place orders runs by the time of their commit, so none is committed
/// before the one that it came after, even if the store's clock was set back.
pub(super) async fn end_time(
    store: &dyn StateStore,
    stream: &StreamId,
    status: RunStatus,
) -> Result<Timestamp> {
    let now = store.now().await?;
    if status != RunStatus::Committed {
        return Ok(now);
    }
    let last = StreamState::head(store, stream).await?.and_then(|head| head.last_complete);
    let last = match last {
        Some(run_id) => StreamState::run(store, stream, &run_id).await?.and_then(|run| run.ended_at),
        None => None,
    };
    Ok(last.map_or(now, |last| last.max(now)))
}

/// Takes a settled run out of `head`. That is a convenience for people and the next start, which repairs it if this
/// worker ends before.
pub(super) async fn say_in_head(
    store: &dyn StateStore,
    stream: &StreamId,
    run_id: &str,
    status: RunStatus,
) -> Result<()> {
    let Some(mut head) = get::<Head>(store, stream, "head").await? else { return Ok(()) };
    if head.doc.open_run.as_deref() == Some(run_id) {
        head.doc.open_run = None;
        if status == RunStatus::Committed {
            head.doc.last_complete = Some(run_id.to_owned());
        }
        let doc = serde_json::to_value(&head.doc).map_err(|error| unreadable("head", error))?;
        store.put(&ItemKey::new(stream, "head"), doc, Expect::Version(head.version)).await?;
    }
    Ok(())
}

/// Reads the content of an item.
pub(super) fn read<T: DeserializeOwned>(sk: &str, doc: serde_json::Value) -> Result<T> {
    serde_json::from_value(doc).map_err(|error| unreadable(sk, error))
}

/// Every stream that a store knows, sorted as its text is.
pub async fn streams(store: &dyn StateStore) -> Result<Vec<StreamId>> {
    let listed = store.list(STREAMS, "", usize::MAX).await?;
    listed.into_iter().rev().map(|(key, _)| key.sk.parse()).collect()
}

/// The newest runs of all streams, with the stream each belongs to. A run that no `head` ever named is shown as abandoned:
/// its worker died before it began, and nobody will take it up.
pub async fn list_runs(store: &dyn StateStore, limit: usize) -> Result<Vec<(StreamId, RunItem)>> {
    let mut runs = Vec::new();
    for stream in streams(store).await? {
        let open_run = StreamState::head(store, &stream).await?.and_then(|head| head.open_run);
        for (key, item) in store.list(&stream.to_string(), "run#", limit).await? {
            let mut run: RunItem = read(&key.sk, item.doc)?;
            if run.status == RunStatus::Open && open_run.as_ref() != Some(&run.run_id) {
                run.status = RunStatus::Abandoned;
                run.ledger.stopped_by = Some("its worker died before it began".to_owned());
            }
            runs.push((stream.clone(), run));
        }
    }
    runs.sort_by(|(_, a), (_, b)| b.run_id.cmp(&a.run_id));
    runs.truncate(limit);
    Ok(runs)
}

/// An account's name stands for one account.
fn other_address(stream: &StreamId, known: &str, requested: &str) -> Error {
    let (source, account) = (stream.source(), stream.account());
    let message = format!(
        "the account `{account}` is at another address: what was pulled under this name is not of it"
    );
    Error::new(ErrorKind::State, "open run", message)
        .with("state has", known)
        .with("asked for", requested)
        .with("stream", stream)
        .hint(format!(
            "pull another account under a name of its own (`account`); if this one has moved, `circulate state moved \
             {source} --account {account}` goes on with the new address; `circulate state reset` forgets a stream"
        ))
}

pub(super) fn fenced_off() -> Error {
    Error::new(ErrorKind::State, "write state", "another worker has taken over this run; nothing was changed")
        .hint("this worker was paused or cut off for longer than its lease")
}

pub(super) fn unreadable(sk: &str, error: serde_json::Error) -> Error {
    Error::new(ErrorKind::State, "read state", "a state item is not as this version of circulate writes it")
        .caused_by(error)
        .with("item", sk)
}

/// The key of a stream where all streams are listed.
pub(super) fn listed_key(stream: &StreamId) -> ItemKey {
    ItemKey { pk: STREAMS.to_owned(), sk: stream.to_string() }
}

pub(super) fn run_key(run_id: &str) -> String {
    format!("run#{run_id}")
}

pub(super) fn task_key(run_id: &str) -> String {
    format!("task#{run_id}#{TASK}")
}

pub(super) fn cursor_key() -> String {
    format!("cursor#{PARTITION}")
}

#[cfg(test)]
#[path = "tests/stream.rs"]
mod tests;
