//! What a run has done so far and what it waits for, for people and ledgers to read while it runs. What happens is counted
//! here, and sent to those who keep logs.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::Error;
use crate::events::Events;
use crate::redact::Redactor;

/// Counters of one attempt at a run, shared by its parts.
#[derive(Debug, Default)]
pub struct Progress {
    requests: AtomicU64,
    retries: AtomicU64,
    throttled: AtomicU64,
    waited_ms: AtomicU64,
    received: AtomicU64,
    pages: AtomicU64,
    records: AtomicU64,
    parents: AtomicU64,
    done: AtomicU64,
    objects: AtomicU64,
    stored: AtomicU64,
    live: Mutex<Live>,
    events: Events,
    /// Nothing is kept of what is read.
    is_read: AtomicBool,
}

#[derive(Debug, Default)]
struct Live {
    /// What is done is counted beside it.
    completion: Option<Completion>,
    wait: Option<(String, Instant)>,
    /// How many requests wait, and since when at least one does.
    waiting: usize,
    waiting_since: Option<Instant>,
    quota: Option<Quota>,
    notes: VecDeque<String>,
}

/// The quota as the API last reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Requests left in the window.
    pub remaining: u64,
    /// Requests allowed in the window.
    pub limit: u64,
}

/// How much of a run is done, earlier attempts included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completion {
    /// What is counted, in the plural, such as `groups` or `records`; a period that is read in order counts in `seconds`.
    pub unit: String,
    /// How many are done.
    pub done: u64,
    /// How many there are; `None` while they are being listed.
    pub total: Option<u64>,
    /// The total was not counted: the API declares it, or an earlier run had as many.
    pub estimated: bool,
}

impl Completion {
    /// An estimate that has been overtaken is none.
    fn is_plausible(&self) -> bool {
        !self.estimated || self.total.is_none_or(|total| self.done <= total)
    }
}

/// What HTTP cost: part of reports and of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Retries after a failure or a 429.
    pub retries: u64,
    /// 429 responses.
    pub throttled: u64,
    /// Seconds spent waiting: for the quota, or before a retry.
    pub seconds_waited: f64,
    /// Bytes of pages received, after decompression.
    pub bytes_received: u64,
}

impl Traffic {
    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            retries: self.retries + other.retries,
            throttled: self.throttled + other.throttled,
            seconds_waited: self.seconds_waited + other.seconds_waited,
            bytes_received: self.bytes_received + other.bytes_received,
        }
    }

    /// What was added since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            retries: self.retries.saturating_sub(earlier.retries),
            throttled: self.throttled.saturating_sub(earlier.throttled),
            seconds_waited: (self.seconds_waited - earlier.seconds_waited).max(0.0),
            bytes_received: self.bytes_received.saturating_sub(earlier.bytes_received),
        }
    }
}

/// A reading of [`Progress`].
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// The run, once it is open.
    pub run_id: Option<String>,
    /// Pages read in this attempt.
    pub pages: u64,
    /// Records of the stream read in this attempt.
    pub records: u64,
    /// Parents listed in this attempt, of a child stream.
    pub parents: u64,
    /// How much of the run is done, where that is known.
    pub completion: Option<Completion>,
    /// Objects written in this attempt.
    pub objects: u64,
    /// Bytes of these objects as stored.
    pub bytes_stored: u64,
    /// What HTTP cost.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// The quota as last reported.
    pub quota: Option<Quota>,
    /// What the run waits for now, and for how many more seconds.
    pub waiting: Option<(String, f64)>,
    /// What is worth showing a person since the last reading.
    pub notes: Vec<String>,
}

/// The most characters of a note.
const MAX_NOTE: usize = 4_000;
/// Notes kept for a reader who is late.
const MAX_NOTES: usize = 100;

impl Progress {
    /// A request is about to be sent.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A request is about to be retried at once.
    pub fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// A request that was sent so many times failed with `error`, and is about to be retried after `wait`.
    pub fn retrying(&self, url: &str, attempts: u32, wait: Duration, error: &Error) {
        self.count_retry();
        let (seconds, error) = (wait.as_secs_f64(), error.to_string());
        self.events.request_retried(url, attempts.into(), seconds, &error);
        self.show(&format!("retrying in {seconds:.1} s: {error}"));
    }

    /// The API responded with 429.
    pub fn throttled(&self, url: &str, error: &Error) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
        self.events.throttled(url, &error.to_string());
    }

    /// A page of so many bytes and records was taken in.
    pub fn count_page(&self, bytes: u64, records: u64) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.received.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// A page of so many bytes was taken in that lists parents of a child stream.
    pub fn count_page_of_parents(&self, bytes: u64, parents: u64) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.received.fetch_add(bytes, Ordering::Relaxed);
        self.count_parents(parents);
    }

    /// So many parents of a child stream were listed.
    pub fn count_parents(&self, parents: u64) {
        self.parents.fetch_add(parents, Ordering::Relaxed);
    }

    /// What the run is measured by from here on; `None` if nobody knows how much there is.
    pub fn set_completion(&self, completion: Option<Completion>) {
        let mut live = self.live();
        self.done.store(completion.as_ref().map_or(0, |completion| completion.done), Ordering::Relaxed);
        live.completion = completion;
    }

    /// So many more are done of what the run is measured by.
    pub fn count_done(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    /// An object of so many records and stored bytes was written.
    pub fn stored(&self, key: &str, records: u64, bytes: u64) {
        self.objects.fetch_add(1, Ordering::Relaxed);
        self.stored.fetch_add(bytes, Ordering::Relaxed);
        if let Some(events) = self.kept() {
            events.object_stored(key, records, bytes);
        }
    }

    /// An object of so many records and stored bytes was copied.
    pub fn copied(&self, key: &str, records: u64, bytes: u64) {
        self.stored(key, records, bytes);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// The API reported its quota.
    pub fn set_quota(&self, quota: Quota) {
        self.live().quota = Some(quota);
    }

    /// Says something that a person should know, such as that a run starts over.
    pub fn note(&self, text: impl AsRef<str>) {
        self.events.note(text.as_ref());
        self.show(text.as_ref());
    }

    fn show(&self, text: &str) {
        let mut live = self.live();
        if live.notes.len() == MAX_NOTES {
            live.notes.pop_front();
        }
        live.notes.push_back(Redactor::shared().shown(text, MAX_NOTE));
    }

    /// Marks that a request waits for `why`, until the returned guard is dropped. The time is counted once, however many
    /// wait at the same time.
    pub fn waiting(&self, why: impl Into<String>, span: Duration) -> WaitGuard<'_> {
        let began = Instant::now();
        let mut live = self.live();
        live.wait = Some((Redactor::shared().shown(&why.into(), MAX_NOTE), began + span));
        live.waiting += 1;
        live.waiting_since.get_or_insert(began);
        WaitGuard { progress: self }
    }

    /// What HTTP cost so far.
    pub fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            requests: read(&self.requests),
            retries: read(&self.retries),
            throttled: read(&self.throttled),
            seconds_waited: Duration::from_millis(read(&self.waited_ms)).as_secs_f64(),
            bytes_received: read(&self.received),
        }
    }

    /// The run counts; its index is `manifest`.
    pub fn committed(&self, manifest: &str, records: u64, objects: u64, bytes: u64) {
        if let Some(events) = self.kept() {
            events.run_committed(manifest, records, objects, bytes);
        }
    }

    /// Work on a stream begins.
    pub fn set_stream(&self, stream: &str, account: &str) {
        self.events.set_stream(stream, account);
    }

    /// A run was opened or taken up.
    pub fn set_run(&self, run_id: &str) {
        self.set_completion(None);
        if let Some(events) = self.kept() {
            events.set_run(run_id);
        }
    }

    /// Nothing is kept of what is read: there is no run that anybody could look up.
    pub fn keeps_nothing(&self) {
        self.is_read.store(true, Ordering::Relaxed);
    }

    /// Where events go.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Where events go that are about a run and what it keeps; `None` if it keeps nothing.
    pub(crate) fn kept(&self) -> Option<&Events> {
        (!self.is_read.load(Ordering::Relaxed)).then_some(&self.events)
    }

    /// Reads everything, and takes the notes.
    pub fn snapshot(&self) -> Snapshot {
        let traffic = self.traffic();
        let mut live = self.live();
        let done = self.done.load(Ordering::Relaxed);
        let completion = live.completion.clone().map(|completion| Completion { done, ..completion });
        let left = |until: Instant| until.saturating_duration_since(Instant::now()).as_secs_f64();
        Snapshot {
            run_id: self.events.run_id(),
            pages: self.pages.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
            parents: self.parents.load(Ordering::Relaxed),
            completion: completion.filter(Completion::is_plausible),
            objects: self.objects.load(Ordering::Relaxed),
            bytes_stored: self.stored.load(Ordering::Relaxed),
            traffic,
            quota: live.quota,
            waiting: live.wait.as_ref().map(|(why, until)| (why.clone(), left(*until))),
            notes: live.notes.drain(..).collect(),
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Progress::waiting`].
#[derive(Debug)]
pub struct WaitGuard<'p> {
    progress: &'p Progress,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let mut live = self.progress.live();
        live.waiting -= 1;
        if live.waiting == 0 {
            live.wait = None;
            let waited = live.waiting_since.take().map(|since| since.elapsed()).unwrap_or_default();
            let millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            self.progress.waited_ms.fetch_add(millis, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_is_counted_once_however_many_wait() {
        let progress = Progress::default();
        let wait = async || {
            let _waiting = progress.waiting("for a test", Duration::from_secs(3));
            tokio::time::sleep(Duration::from_secs(3)).await;
        };
        tokio::join!(wait(), wait(), wait());
        wait().await;
        assert!((progress.traffic().seconds_waited - 6.0).abs() < 0.1);
        assert_eq!(progress.snapshot().waiting, None);
    }

    fn records(done: u64, total: u64, estimated: bool) -> Completion {
        Completion { unit: "records".to_owned(), done, total: Some(total), estimated }
    }

    #[test]
    fn an_estimated_total_is_given_up_once_more_is_done() {
        let progress = Progress::default();
        progress.set_completion(Some(records(2, 5, true)));
        progress.count_done(3);
        assert_eq!(progress.snapshot().completion, Some(records(5, 5, true)));
        progress.count_done(1);
        assert_eq!(progress.snapshot().completion, None);
        progress.set_completion(Some(records(6, 5, false)));
        assert_eq!(progress.snapshot().completion, Some(records(6, 5, false)), "what was counted stands");
        progress.set_run("another");
        assert_eq!(progress.snapshot().completion, None);
    }

    #[test]
    fn parents_are_no_records() {
        let progress = Progress::default();
        progress.count_page_of_parents(10, 3);
        progress.count_page(20, 5);
        let Snapshot { pages, records, parents, traffic, .. } = progress.snapshot();
        assert_eq!((pages, records, parents, traffic.bytes_received), (2, 5, 3, 30));
    }
}
