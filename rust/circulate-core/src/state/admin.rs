//! Looking at the state of streams, and setting it back: what people do by hand.

use jiff::Timestamp;
use serde::Serialize;

use super::items::{Cursor, CursorValue, Head, ListedStream, MarkerStatus, RunItem, RunStatus, TaskItem};
use super::stream::{
    STREAMS, StreamState, cursor_key, end_time, listed_key, read, run_key, say_in_head, streams, task_key,
};
use super::{Expect, ItemKey, StateStore};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::stream_id::StreamId;

/// A run and the stream that it is of.
#[derive(Debug, Clone, Serialize)]
pub struct ListedRun {
    /// `source.endpoint`.
    pub stream: String,
    /// The account.
    pub account: String,
    /// The run.
    #[serde(flatten)]
    pub run: RunItem,
}

impl ListedRun {
    /// `run` of `stream`.
    pub fn new(stream: &StreamId, run: RunItem) -> Self {
        Self { stream: stream.name(), account: stream.account().to_owned(), run }
    }
}

/// The state of one stream.
#[derive(Debug, Clone, Serialize)]
pub struct StreamStatus {
    /// `source.endpoint`.
    pub stream: String,
    /// The account.
    pub account: String,
    /// Where its account was when it was pulled.
    pub address: Option<String>,
    /// Where its objects go.
    pub destination: Option<String>,
    /// Where the next run begins.
    pub cursor: Option<CursorValue>,
    /// The newest run, whatever came of it.
    pub last_attempt: Option<ListedRun>,
    /// The newest run that counts.
    pub last_complete: Option<ListedRun>,
    /// The run that has begun and not ended, or that is pending.
    pub open_run: Option<ListedRun>,
    /// Who works on the open run.
    pub worker: Option<String>,
    /// Until when nobody else may; `None` if the run is free.
    pub held_until: Option<Timestamp>,
}

/// The state of all streams that a store knows, sorted.
pub async fn show(store: &dyn StateStore) -> Result<Vec<StreamStatus>> {
    let mut shown = Vec::new();
    for stream in streams(store).await? {
        // A start that died before its first write to `head` leaves none.
        if let Some(head) = StreamState::head(store, &stream).await? {
            shown.push(status(store, &stream, head).await?);
        }
    }
    Ok(shown)
}

async fn status(store: &dyn StateStore, stream: &StreamId, head: Head) -> Result<StreamStatus> {
    let now = store.now().await?;
    let run = async |run_id: Option<&String>| match run_id {
        Some(run_id) => StreamState::run(store, stream, run_id).await,
        None => Ok(None),
    };
    let listed = |run| ListedRun::new(stream, run);
    let unsettled = |run: &RunItem| matches!(run.status, RunStatus::Open | RunStatus::Pending);
    let open_run = run(head.open_run.as_ref()).await?.filter(unsettled);
    let task = match &open_run {
        Some(run) => item::<TaskItem>(store, &ItemKey::new(stream, &task_key(&run.run_id)))
            .await?
            .map(|(task, _)| task),
        None => None,
    };
    let lease = task.as_ref().and_then(|task| task.lease_until);
    let pending = open_run.as_ref().and_then(|run| run.pending_until);
    Ok(StreamStatus {
        stream: stream.name(),
        account: stream.account().to_owned(),
        address: item::<ListedStream>(store, &listed_key(stream))
            .await?
            .and_then(|(listed, _)| listed.address),
        destination: head.destination,
        cursor: StreamState::current_cursor(store, stream).await?,
        last_attempt: run(head.last_attempt.as_ref()).await?.map(listed),
        last_complete: run(head.last_complete.as_ref()).await?.map(listed),
        worker: task.map(|task| task.worker).filter(|_| open_run.is_some()),
        held_until: lease.or(pending).filter(|until| *until > now),
        open_run: open_run.map(listed),
    })
}

/// Forgets where the next run of a stream would begin, and gives an unfinished run up. Refused while a worker is at it, and
/// of a run whose promotion has begun, unless it is `forced`: a lease may be kept alive by nothing but a clock that was
/// wrong when it was written. Its worker, should it live, is fenced off.
pub async fn reset(store: &dyn StateStore, stream: &StreamId, forced: bool) -> Result<()> {
    let key = |sk: &str| ItemKey::new(stream, sk);
    let Some((mut head, head_version)) = item::<Head>(store, &key("head")).await? else {
        return Err(Error::new(ErrorKind::State, "reset state", "there is no state of this stream")
            .with("stream", stream));
    };
    if let Some(run_id) = &head.open_run {
        give_up(store, stream, run_id, forced, "state was reset").await?;
    }
    if let Some((_, version)) = item::<Cursor>(store, &key(&cursor_key())).await? {
        let doc = to_doc(&Cursor::default())?;
        written(store.put(&key(&cursor_key()), doc, Expect::Version(version)).await?)?;
    }
    forget_address(store, stream).await?;
    head.open_run = None;
    // The destination belongs to what was delivered there, which no longer counts.
    head.destination = None;
    written(store.put(&key("head"), to_doc(&head)?, Expect::Version(head_version)).await?)
}

/// Forgets where an account was: the next pull of each of its streams notes where it is now, and goes on
/// from its cursor. Returns where it was.
pub async fn moved(store: &dyn StateStore, source: &str, account: &str) -> Result<Option<String>> {
    let mut known = None;
    let of_account = StreamId::prefix_of_account(source, account);
    for (key, _) in store.list(STREAMS, &of_account, usize::MAX).await? {
        known = known.or(forget_address(store, &key.sk.parse()?).await?);
    }
    Ok(known)
}

async fn forget_address(store: &dyn StateStore, stream: &StreamId) -> Result<Option<String>> {
    let key = listed_key(stream);
    let Some((listed, version)) = item::<ListedStream>(store, &key).await? else { return Ok(None) };
    written(store.put(&key, to_doc(&ListedStream::default())?, Expect::Version(version)).await?)?;
    Ok(listed.address)
}

/// What becomes of a pending run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It and its cursor count.
    Commit,
    /// It is given up.
    Abandon {
        /// Even if its promotion has begun; what was copied stays where readers look. Even if it is not at its end, and
        /// whoever holds it.
        forced: bool,
    },
}

/// Commits a pending run, or abandons it, and returns it. Doing so again changes nothing, and returns none. An open run is abandoned by force only, unless its
/// list was read to its end: then its lease is broken, and the next pull commits it.
pub async fn decide(
    store: &dyn StateStore,
    stream: &StreamId,
    run_id: &str,
    decision: Decision,
) -> Result<Option<RunItem>> {
    let wrong =
        |message: String| Error::new(ErrorKind::State, "decide on run", message).with("stream", stream);
    let status = match decision {
        Decision::Commit => RunStatus::Committed,
        Decision::Abandon { .. } => RunStatus::Abandoned,
    };
    let key = ItemKey::new(stream, &run_key(run_id));
    let decided = loop {
        let Some((mut run, version)) = item::<RunItem>(store, &key).await? else {
            return Err(wrong(format!("there is no run `{run_id}`")).hint("`circulate runs` lists them"));
        };
        if run.status == status {
            break None;
        }
        if run.status == RunStatus::Open && decision == (Decision::Abandon { forced: true }) {
            let task = item::<TaskItem>(store, &ItemKey::new(stream, &task_key(run_id))).await?;
            if task.is_some_and(|(task, _)| task.position.finished) {
                break_lease(store, stream, run_id, true).await?;
                return Err(wrong("the run was read to its end and may be visible".to_owned())
                    .with("run", run_id)
                    .hint("nobody holds it any more: the next pull commits it"));
            }
            give_up(store, stream, run_id, true, "abandoned by force").await?;
            break None;
        }
        if run.status != RunStatus::Pending {
            return Err(wrong(format!("the run is {}, not pending", run.status)).with("run", run_id));
        }
        if let Decision::Abandon { forced: false } = decision {
            not_promoting(&run)?;
        }
        run.status = status;
        run.ended_at = Some(end_time(store, stream, status).await?);
        run.marker = (status == RunStatus::Committed).then_some(MarkerStatus::Due);
        // Somebody else has written it since: what is there now decides.
        if store.put(&key, to_doc(&run)?, Expect::Version(version)).await?.is_some() {
            break Some(run);
        }
    };
    say_in_head(store, stream, run_id, status).await?;
    Ok(decided)
}

/// Notes that a pending run is being promoted, by a worker that has time until then. A run that is settled stays as it is.
pub async fn promoting(
    store: &dyn StateStore,
    stream: &StreamId,
    run_id: &str,
    until: Timestamp,
) -> Result<()> {
    let key = ItemKey::new(stream, &run_key(run_id));
    loop {
        let Some((mut run, version)) = item::<RunItem>(store, &key).await? else { return Ok(()) };
        if run.status != RunStatus::Pending {
            return Ok(());
        }
        run.promoting_until = Some(until);
        // Somebody else has written it since: what is there now decides.
        if store.put(&key, to_doc(&run)?, Expect::Version(version)).await?.is_some() {
            return Ok(());
        }
    }
}

fn not_promoting(run: &RunItem) -> Result<()> {
    if run.promoting_until.is_none() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::State,
        "decide on run",
        "the promotion of this run has begun: parts of it are where readers look",
    )
    .with("run", &run.run_id)
    .hint("promote it to its end; or give --force, and remove by hand what has its id in the target"))
}

/// Abandons a run, and fences its worker off.
async fn give_up(
    store: &dyn StateStore,
    stream: &StreamId,
    run_id: &str,
    forced: bool,
    why: &str,
) -> Result<()> {
    let key = ItemKey::new(stream, &run_key(run_id));
    let Some((mut run, version)) = item::<RunItem>(store, &key).await? else { return Ok(()) };
    if !matches!(run.status, RunStatus::Open | RunStatus::Pending) {
        return Ok(());
    }
    if !forced {
        not_promoting(&run)?;
    }
    break_lease(store, stream, run_id, forced).await?;
    run.status = RunStatus::Abandoned;
    run.ended_at = Some(store.now().await?);
    run.ledger.stopped_by = Some(why.to_owned());
    written(store.put(&key, to_doc(&run)?, Expect::Version(version)).await?)
}

/// Takes a run from its worker; while its lease is alive, by force only.
async fn break_lease(store: &dyn StateStore, stream: &StreamId, run_id: &str, forced: bool) -> Result<()> {
    let key = ItemKey::new(stream, &task_key(run_id));
    let Some((mut task, version)) = item::<TaskItem>(store, &key).await? else { return Ok(()) };
    let now = store.now().await?;
    if let Some(until) = task.lease_until.filter(|until| *until > now && !forced) {
        return Err(Error::new(
            ErrorKind::Busy,
            "reset state",
            format!("{} is pulling this stream", task.worker),
        )
        .with("until", until)
        .hint("stop it first; if it is dead, its lease lapses by itself; --force breaks one that a wrong clock keeps"));
    }
    task.fence += 1;
    task.lease_until = None;
    written(store.put(&key, to_doc(&task)?, Expect::Version(version)).await?)
}

async fn item<T: serde::de::DeserializeOwned>(
    store: &dyn StateStore,
    key: &ItemKey,
) -> Result<Option<(T, u64)>> {
    let item = store.get(key).await?;
    item.map(|item| Ok((read(&key.sk, item.doc)?, item.version))).transpose()
}

fn to_doc<T: Serialize>(doc: &T) -> Result<serde_json::Value> {
    serde_json::to_value(doc)
        .map_err(|error| Error::new(ErrorKind::State, "write state", "cannot write JSON").caused_by(error))
}

fn written(version: Option<u64>) -> Result<()> {
    version
        .map(drop)
        .ok_or_else(|| Error::new(ErrorKind::Busy, "reset state", "the state changed meanwhile; look again"))
}
