//! What was current before a run: the keys of the committed runs of its place, from the last one that requested everything on.
//! That one carries what came before it, since what it lacked is deleted by it or among its candidates.

use std::collections::{BTreeSet, HashSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::earlier_objects::keys_of_objects;
use super::pull::Pull;
use super::run_keys::KeySource;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::entry_files::read_entries;
use crate::lake::external_sort::{Sorted, Sorter};
use crate::lake::keys::MARKER;
use crate::lake::manifest::{self, Candidates, EntryFile, Identity, Index};
use crate::lake::record_key::KEY_ENTRY;
use crate::lake::sink::Sink;
use crate::state::{LeasedRun, Mode, RunItem, RunStatus, StreamState};

/// Runs that are listed at first.
const LISTED: usize = 50;
/// Files that are read at the same time.
const AT_ONCE: u64 = 16;

/// The committed runs before a run, oldest first.
#[derive(Debug, Default)]
pub(super) struct EarlierRuns {
    runs: Vec<EarlierRun>,
    /// What earlier runs selected.
    pub(super) selections: BTreeSet<String>,
    /// By what settings and rights they read what they had.
    pub(super) rights: BTreeSet<String>,
    /// The same of what was withheld.
    pub(super) seen_by: BTreeSet<String>,
    /// Why what was current is not known for certain.
    pub(super) doubts: Vec<String>,
}

#[derive(Debug)]
struct EarlierRun {
    keys: EarlierKeys,
    deletes: Vec<EntryFile>,
    /// What it lacked and did not delete, if it is the first one.
    candidates: Vec<EntryFile>,
    is_complete: bool,
}

#[derive(Debug)]
enum EarlierKeys {
    Files(Vec<EntryFile>),
    /// It is of a version that wrote no keys: they are in its objects.
    Objects(Box<Index>),
}

impl Pull {
    /// The committed runs of this place, from the last one that requested everything on.
    pub(super) async fn earlier_runs(&self, held: &LeasedRun) -> Result<EarlierRuns> {
        let (mut earlier, mut seen, mut limit) = (EarlierRuns::default(), HashSet::new(), LISTED);
        let mut known = BTreeSet::new();
        loop {
            let listed = StreamState::runs(&*self.store, &self.stream_id(), limit).await?;
            let is_all = listed.len() < limit;
            for run in listed {
                known.insert(run.run_id.clone());
                let counts = run.status == RunStatus::Committed && run.destination == self.sink.uri();
                if !counts || run.run_id >= held.run.run_id || !seen.insert(run.run_id.clone()) {
                    continue;
                }
                if reaches_behind(&run, held) {
                    earlier.doubts.push(format!(
                        "run {} took what is older than this run begins with (`full_since`)",
                        run.run_id
                    ));
                }
                if self.see_earlier(&run, &mut earlier).await? {
                    earlier.runs.reverse();
                    return Ok(earlier);
                }
            }
            if is_all {
                earlier.doubts.extend(self.unknown_runs(&known).await);
                earlier.runs.reverse();
                return Ok(earlier);
            }
            limit *= 8;
        }
    }

    /// Why what a place had before is not known by state: its runs are of another one, such as one that was lost.
    async fn unknown_runs(&self, known: &BTreeSet<String>) -> Option<String> {
        let prefix = format!("_circulate/{}/", self.stream_id().folder());
        let (mut runs, mut listing) = (0, self.sink.list(&prefix));
        while let Some(listed) = listing.next().await {
            let key = match listed {
                Ok(listed) => listed.key,
                Err(error) => return Some(format!("whether the place has other runs is not known: {error}")),
            };
            let run_id = key.strip_prefix(&prefix).and_then(|file| file.strip_suffix(MARKER));
            runs += usize::from(run_id.is_some_and(|run_id| !known.contains(run_id)));
        }
        (runs > 0).then(|| {
            format!("state does not know all committed runs of the place: {runs} are of another one")
        })
    }

    /// Takes in what the index of a run says; returns whether it requested everything.
    async fn see_earlier(&self, run: &RunItem, earlier: &mut EarlierRuns) -> Result<bool> {
        let key = run.manifest.clone().unwrap_or_else(|| self.stream_keys(run).index());
        let Some(bytes) = self.sink.read(&key).await? else {
            earlier.doubts.push(format!("the manifest of run {} is missing", run.run_id));
            return Ok(false);
        };
        let index: Index = match manifest::parse(&key, &bytes) {
            Ok(index) => index,
            Err(error) => {
                earlier.doubts.push(unreadable(&run.run_id, &error));
                return Ok(false);
            }
        };
        let deletes = index.deletes.clone().unwrap_or_default();
        let (is_whole, is_complete) = match &index.keys {
            Some(keys) => (keys.whole, keys.complete),
            None => (self.had_everything(&index), true),
        };
        let keys = match index.keys.clone() {
            Some(keys) => {
                earlier.selections.insert(keys.selection);
                earlier.rights.insert(keys.rights);
                EarlierKeys::Files(keys.files)
            }
            None => EarlierKeys::Objects(Box::new(index)),
        };
        let candidates = if is_whole { deletes.candidates } else { Candidates::default() };
        earlier.seen_by.extend(candidates.seen_by);
        let candidates = candidates.files;
        earlier.runs.push(EarlierRun { keys, deletes: deletes.files, candidates, is_complete });
        Ok(is_whole)
    }

    /// Whether a run of a version that wrote no keys read all of the stream.
    fn had_everything(&self, index: &Index) -> bool {
        let is_one_of_time = self.stream().window().is_some() || self.stream().polling().is_some();
        let whole = index.mode == Mode::Full.as_str()
            || (index.mode == Mode::Incremental.as_str() && index.window.since.is_none());
        let is_certain = index.gaps.is_empty() && index.unavailable.is_none();
        whole && is_certain && !is_one_of_time && index.ends.moved().next().is_none()
    }
}

/// Whether an earlier run took records that are older than any that this one requests. What was last changed in 1970 was not
/// changed since there are APIs: that is the beginning.
fn reaches_behind(earlier: &RunItem, held: &LeasedRun) -> bool {
    let begins = held.run.window.since.filter(|since| held.run.is_whole() && *since > Timestamp::UNIX_EPOCH);
    begins.is_some_and(|begins| earlier.window.since.is_none_or(|since| since < begins))
}

/// What counts of an entry that several runs have: the latest run, and in one run what is greater here.
const DELETE: u8 = 0;
const MISSING: u8 = 1;
const THERE: u8 = 2;

/// A key, the number of the run, and what it says of the key.
type Event = [u8; KEY_ENTRY + 5];

impl EarlierRuns {
    /// Whether there are none, nor a doubt that there are.
    pub(super) fn are_none(&self) -> bool {
        self.runs.is_empty() && self.doubts.is_empty()
    }

    /// Nothing is known, since a file is not as it was written.
    pub(super) fn unknown(error: &Error) -> Self {
        Self { doubts: vec![error.to_string()], ..Self::default() }
    }

    /// The keys that are current after all of them, in order. Those of parents that are not among `scopes` may be left out, if these
    /// are given: sorted, in hex.
    pub(super) async fn current<'s>(
        &mut self,
        sink: &'s dyn Sink,
        identity: &Identity,
        bytes: u64,
        scopes: Option<&[String]>,
    ) -> Result<CurrentKeys<'s>> {
        let (mut events, mut first_files, mut is_complete) = (Sorter::new(bytes), Vec::new(), false);
        let is_near = |file: &EntryFile| scopes.is_none_or(|scopes| has_scope_of(scopes, file));
        let near =
            |files: &[EntryFile]| files.iter().filter(|file| is_near(file)).cloned().collect::<Vec<_>>();
        for (number, run) in self.runs.iter().enumerate() {
            add(sink, near(&run.deletes), &mut events, number, DELETE, bytes).await?;
            match &run.keys {
                EarlierKeys::Files(files) if number == 0 => {
                    first_files = near(files);
                    is_complete = run.is_complete;
                    add(sink, near(&run.candidates), &mut events, number, MISSING, bytes).await?;
                }
                EarlierKeys::Files(files) => {
                    add(sink, near(files), &mut events, number, THERE, bytes).await?;
                }
                EarlierKeys::Objects(index) => {
                    let mut push = |entry: [u8; KEY_ENTRY]| events.push(event(&entry, number, THERE));
                    match keys_of_objects(sink, index, identity, &mut push).await {
                        Ok(()) => {}
                        Err(error) if error.kind() == ErrorKind::Mismatch => {
                            self.doubts.push(unreadable(&index.run_id, &error));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        let mut first = KeySource::merge(sink, first_files, bytes).await?;
        let mut events = events.finish()?;
        let (next_of_first, next_event) = (first.next().await?, events.take_next()?);
        Ok(CurrentKeys { first, events, next_of_first, next_event, is_complete })
    }
}

fn event(entry: &[u8; KEY_ENTRY], number: usize, what: u8) -> Event {
    let mut event = [what; KEY_ENTRY + 5];
    event[..KEY_ENTRY].copy_from_slice(entry);
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    event[KEY_ENTRY..KEY_ENTRY + 4].copy_from_slice(&number.to_be_bytes());
    event
}

/// Adds what the run of this number says of the keys in some files.
async fn add(
    sink: &dyn Sink,
    files: Vec<EntryFile>,
    events: &mut Sorter<{ KEY_ENTRY + 5 }>,
    number: usize,
    what: u8,
    bytes: u64,
) -> Result<()> {
    let largest = files.iter().map(|file| file.entries).max().unwrap_or(0).max(1) * KEY_ENTRY as u64;
    let at_once = usize::try_from((bytes / largest).clamp(1, AT_ONCE)).unwrap_or(1);
    let read = |file: EntryFile| async move { read_entries(sink, &file).await };
    let mut read = stream::iter(files).map(read).buffered(at_once);
    while let Some(entries) = read.try_next().await? {
        let of_file: Vec<Event> = entries.iter().map(|entry| event(entry, number, what)).collect();
        events.push_sorted(&of_file)?;
    }
    Ok(())
}

/// Whether a file may have a key of one of these parents.
fn has_scope_of(scopes: &[String], file: &EntryFile) -> bool {
    let half = |entry: &'_ str| entry.get(..KEY_ENTRY).unwrap_or_default().to_owned();
    let (first, last) = (half(&file.first), half(&file.last));
    let at = scopes.partition_point(|scope| *scope < first);
    scopes.get(at).is_some_and(|scope| *scope <= last)
}

fn unreadable(run_id: &str, error: &Error) -> String {
    format!("the keys of run {run_id} cannot be read: {error}")
}

/// A key that is current.
#[derive(Debug, Clone, Copy)]
pub(super) struct CurrentKey {
    pub(super) entry: [u8; KEY_ENTRY],
    /// The last run that requested everything lacked it already, and none has seen it since.
    pub(super) was_withheld: bool,
    /// That run was complete.
    pub(super) was_missing: bool,
}

/// Gives out what is current, in order.
#[derive(Debug)]
pub(super) struct CurrentKeys<'s> {
    /// Keys of the first run, which may be many.
    first: KeySource<'s>,
    events: Sorted<{ KEY_ENTRY + 5 }>,
    next_of_first: Option<[u8; KEY_ENTRY]>,
    next_event: Option<Event>,
    is_complete: bool,
}

impl CurrentKeys<'_> {
    /// The next key.
    pub(super) async fn next(&mut self) -> Result<Option<CurrentKey>> {
        loop {
            let of_event = self.next_event.map(|event| entry_of(&event));
            let entry = match (self.next_of_first, of_event) {
                (Some(one), Some(other)) => one.min(other),
                (Some(entry), None) | (None, Some(entry)) => entry,
                (None, None) => return Ok(None),
            };
            let mut what = None;
            if self.next_of_first == Some(entry) {
                what = Some(THERE);
                self.next_of_first = self.first.next().await?;
            }
            while let Some(event) = self.next_event.filter(|event| entry_of(event) == entry) {
                // A run lists what it deletes beside what it has, and never the same.
                what = Some(event[KEY_ENTRY + 4]);
                self.next_event = self.events.take_next()?;
            }
            if what != Some(DELETE) {
                let was_withheld = what == Some(MISSING);
                let was_missing = was_withheld && self.is_complete;
                return Ok(Some(CurrentKey { entry, was_withheld, was_missing }));
            }
        }
    }
}

fn entry_of(event: &Event) -> [u8; KEY_ENTRY] {
    event.first_chunk().copied().unwrap_or([0; KEY_ENTRY])
}
