//! What a run shows to be no longer there. It is drawn when the run is published, from keys in order: those of the run, and those
//! that were current before, by the committed runs since the last one that read everything.
//!
//! Whoever publishes the run, after whatever crash, draws the same: state lets no other run of the stream be committed meanwhile.

use std::collections::BTreeSet;

use super::earlier::EarlierRuns;
use super::levels::digest_of_values;
use super::pull::Pull;
use super::run_keys::{CollectedKeys, KeySource};
use crate::catalog::PaginatorSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::entry_files::{EntryReader, EntryWriter};
use crate::lake::external_sort::Sorter;
use crate::lake::manifest::{Candidates, Deletes, EntryFile, Identity, RunKeys, Withheld, sha256_hex};
use crate::lake::record_key::{KEY_ENTRY, SCOPE_ENTRY, ScopeKey, scope_of_entry};
use crate::lake::sink::Sink;
use crate::page::EndKind;
use crate::state::{LeasedRun, Position};

/// Of so many keys a run may miss so many in a hundred before somebody has to agree.
const FEW: u64 = 100;
const MAX_PERCENT: u64 = 20;

/// A key that the run lacks, with what that means.
type MissingKey = [u8; KEY_ENTRY + 1];
/// It is missing for the first time.
const IS_NEW: u8 = 0;
/// It may be deleted.
const IS_SURE: u8 = 1;
/// The run did not read what it would be in to its end, or may not see it.
const IS_DOUBTFUL: u8 = 2;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Domain {
    /// All of the stream: what the run lacks is not there.
    Stream,
    /// The children of parents whose lists were read, or that no longer exist.
    Parents,
    /// Nothing: the run only adds.
    Nothing,
}

/// How a run is compared with what was current before.
#[derive(Debug)]
struct Comparison {
    domain: Domain,
    /// Parents whose lists were read to their end.
    scopes: Vec<EntryFile>,
    /// So were all lists.
    all_is_read: bool,
    /// What lacks a record must do so twice.
    is_weak: bool,
    /// What was withheld was there by other rights.
    is_foreign: bool,
}

/// Files with fewer keys on average are put together.
const KEYS_OF_FILE: u64 = 5_000;

/// Parents of which all are looked at to leave out files of earlier runs.
const FEW_PARENTS: u64 = 10_000;

impl Comparison {
    /// The parents that are compared, in hex, if they are few.
    async fn near(&self, sink: &dyn Sink) -> Result<Option<Vec<String>>> {
        let count: u64 = self.scopes.iter().map(|file| file.entries).sum();
        if self.domain == Domain::Stream || count > FEW_PARENTS {
            return Ok(None);
        }
        let mut parents = Vec::new();
        let mut reader = EntryReader::<SCOPE_ENTRY>::new(sink, self.scopes.clone());
        while let Some(entry) = reader.next().await? {
            parents.push(scope_of_entry(&entry).to_string());
        }
        Ok(Some(parents))
    }
}

/// What came of the comparison.
#[derive(Debug)]
struct Compared {
    /// Keys of the run.
    keys: u64,
    /// Keys that were current before, as far as they were compared.
    before: u64,
    sure: u64,
    new: u64,
    doubtful: u64,
    /// Those that earlier runs lacked too, and that were there by other rights.
    foreign: u64,
    missing: Sorter<{ KEY_ENTRY + 1 }>,
}

impl Pull {
    /// The keys of a run, and what it shows to be no longer there; nothing of either if its records have no keys.
    pub(super) async fn keys_and_deletes(
        &self,
        held: &LeasedRun,
        position: &Position,
        mut collected: CollectedKeys,
    ) -> Result<(Option<RunKeys>, Option<Deletes>)> {
        if !collected.are_known {
            return Ok((None, None));
        }
        let keys = self.keys(held);
        let is_by_parent = collected.are_by_parent();
        let scopes = collected.write_scopes(&*self.sink, &keys).await?;
        let is_whole =
            held.run.is_whole() && self.stream().window().is_none() && self.stream().polling().is_none();
        let domain = match is_whole {
            true => Domain::Stream,
            false if is_by_parent && !scopes.is_empty() => Domain::Parents,
            false => Domain::Nothing,
        };
        let doubts = doubts(position);
        let mut run_keys = RunKeys {
            files: collected.files.clone(),
            scopes,
            whole: is_whole,
            complete: is_whole && doubts.is_empty(),
            selection: self.selection()?,
            rights: digest_of(&self.rights())?,
            without_key: collected.without_key,
        };
        let mut earlier = match domain {
            Domain::Nothing => EarlierRuns::default(),
            Domain::Stream | Domain::Parents => self.earlier_runs(held).await?,
        };
        let comparison = Comparison {
            domain,
            scopes: run_keys.scopes.clone(),
            all_is_read: doubts.is_empty(),
            is_weak: self.is_weak(position),
            is_foreign: earlier.seen_by.iter().any(|rights| *rights != run_keys.rights),
        };
        if !are_scattered(&collected.files) && earlier.are_none() {
            return Ok((Some(run_keys), (domain != Domain::Nothing).then(Deletes::default)));
        }
        let mut result = self.compare(held, &collected.files, &mut earlier, &comparison).await;
        if let Err(error) = &result
            && error.kind() == ErrorKind::Mismatch
        {
            // A file of an earlier run, or one of our own: that fails again.
            earlier = EarlierRuns::unknown(error);
            result = self.compare(held, &collected.files, &mut earlier, &comparison).await;
        }
        let (compared, files) = result?;
        if are_scattered(&collected.files) {
            run_keys.files = files;
        }
        if domain == Domain::Nothing {
            return Ok((Some(run_keys), None));
        }
        // What is not known can't be carried on, unless somebody says that it need not be.
        run_keys.whole &= earlier.doubts.is_empty() || self.options.accept_deletes;
        let mut reasons = earlier.doubts;
        let is_unknown = !reasons.is_empty();
        if earlier.selections.iter().any(|selection| *selection != run_keys.selection) {
            reasons.push(
                "what is requested, or by whose rights, is not what it was when they were read".to_owned(),
            );
        }
        let foreign = compared.foreign;
        let mut deletes = self.decide_deletes(held, compared, domain, reasons, &doubts, is_unknown).await?;
        let candidates = &mut deletes.candidates;
        if candidates.count > 0 {
            let seen_before = if candidates.count == foreign { BTreeSet::new() } else { earlier.rights };
            candidates.seen_by = seen_before.into_iter().chain(earlier.seen_by).collect();
        }
        Ok((Some(run_keys), Some(deletes)))
    }

    /// Goes through all keys in order. Returns what came of it, and new files of the run's keys if these are scattered.
    async fn compare(
        &self,
        held: &LeasedRun,
        files: &[EntryFile],
        earlier: &mut EarlierRuns,
        comparison: &Comparison,
    ) -> Result<(Compared, Vec<EntryFile>)> {
        let (sink, bytes, stream_keys) = (&*self.sink, self.options.memory.for_sorting(), self.keys(held));
        let mut run = KeySource::merge(sink, files.to_vec(), bytes).await?;
        let mut writer =
            are_scattered(files).then(|| EntryWriter::<KEY_ENTRY>::new(sink, &stream_keys, "keys"));
        let mut scopes = Scopes::new(EntryReader::new(sink, comparison.scopes.clone()));
        let near = comparison.near(sink).await?;
        let identity = Identity::of(&self.definition);
        let mut before = earlier.current(sink, &identity, bytes, near.as_deref()).await?;
        let missing = Sorter::new(bytes / 4);
        let mut compared = Compared { keys: 0, before: 0, sure: 0, new: 0, doubtful: 0, foreign: 0, missing };
        let (mut next_of_run, mut next_before) = (run.next().await?, before.next().await?);
        while let Some(entry) = smaller(next_of_run, next_before.map(|current| current.entry)) {
            let is_in_run = next_of_run == Some(entry);
            if is_in_run {
                compared.keys += 1;
                if let Some(writer) = &mut writer {
                    writer.push(&entry).await?;
                }
                next_of_run = run.next().await?;
            }
            let Some(current) = next_before.filter(|current| current.entry == entry) else { continue };
            next_before = before.next().await?;
            let list_is_read = comparison.all_is_read && comparison.domain == Domain::Stream
                || scopes.have(scope_of_entry(&entry)).await?;
            if !list_is_read && comparison.domain != Domain::Stream {
                continue;
            }
            compared.before += 1;
            if is_in_run {
                continue;
            }
            let is_of_stream = comparison.domain == Domain::Stream;
            let (count, what) = match list_is_read {
                false => (&mut compared.doubtful, IS_DOUBTFUL),
                true if comparison.is_foreign && current.was_withheld => (&mut compared.foreign, IS_DOUBTFUL),
                true if comparison.is_weak && !(current.was_missing && is_of_stream) => {
                    (&mut compared.new, IS_NEW)
                }
                true => (&mut compared.sure, IS_SURE),
            };
            *count += 1;
            let mut missing: MissingKey = [what; KEY_ENTRY + 1];
            missing[..KEY_ENTRY].copy_from_slice(&entry);
            compared.missing.push(missing)?;
        }
        let files = match writer {
            Some(writer) => writer.finish().await?,
            None => Vec::new(),
        };
        Ok((compared, files))
    }

    /// Applies the brakes, and writes what is deleted and what is not.
    async fn decide_deletes(
        &self,
        held: &LeasedRun,
        compared: Compared,
        domain: Domain,
        mut reasons: Vec<String>,
        doubts: &[String],
        is_unknown: bool,
    ) -> Result<Deletes> {
        let Compared { keys, before, sure, new, doubtful, foreign, missing } = compared;
        if keys == 0 && domain == Domain::Stream {
            reasons.push("the list is empty".to_owned());
        } else if before >= FEW && sure * 100 > before * MAX_PERCENT {
            reasons.push(format!("{sure} of {before} would be deleted, more than {MAX_PERCENT} %"));
        }
        let is_accepted = self.options.accept_deletes;
        // What is not known may be more than what is missing of what is.
        let are_held = (sure > 0 || is_unknown) && !reasons.is_empty() && !is_accepted;
        let stream_keys = self.keys(held);
        let mut deletes = EntryWriter::<KEY_ENTRY>::new(&*self.sink, &stream_keys, "deletes");
        let mut candidates = EntryWriter::<KEY_ENTRY>::new(&*self.sink, &stream_keys, "candidates");
        let mut missing = missing.finish()?;
        let (mut count, mut withheld) = (0, 0);
        while let Some(entry) = missing.take_next()? {
            let is_sure = entry[KEY_ENTRY] == IS_SURE;
            let key = entry.first_chunk::<KEY_ENTRY>().copied().unwrap_or([0; KEY_ENTRY]);
            if is_accepted || (is_sure && !are_held) {
                deletes.push(&key).await?;
                count += 1;
            } else {
                candidates.push(&key).await?;
                withheld += 1;
            }
        }
        if !are_held {
            reasons.clear();
        }
        if doubtful > 0 {
            reasons.extend(doubts.iter().cloned());
        }
        if foreign > 0 {
            reasons.push(
                "they were read by other settings or rights, which these may not show, and nobody has agreed that they no longer exist"
                    .to_owned(),
            );
        }
        if new > 0 {
            reasons.push(
                "the list is taken for whole though nothing shows that it is: what the next complete full run lacks too is deleted"
                    .to_owned(),
            );
        }
        let reason = reasons.join("; ");
        Ok(Deletes {
            count,
            files: deletes.finish().await?,
            withheld: (withheld > 0 || are_held).then_some(Withheld { count: withheld, reason }),
            candidates: Candidates {
                count: withheld,
                files: candidates.finish().await?,
                seen_by: BTreeSet::new(),
            },
        })
    }

    /// Digest of what a run selects, and by whose rights.
    fn selection(&self) -> Result<String> {
        digest_of(&serde_json::json!({
            "definition": self.definition.spec_hash()?,
            "values": digest_of_values(&self.levels()?),
            "account": self.rights(),
        }))
    }

    /// What decides which records the account is shown.
    fn rights(&self) -> serde_json::Value {
        self.account.selects(&self.definition.scopes().unwrap_or_default())
    }

    /// Whether nothing shows that its lists are whole: one came in one page, and was assumed to be; or records may have moved
    /// between numbered pages.
    fn is_weak(&self, position: &Position) -> bool {
        let numbered =
            self.definition.lists().into_iter().any(
                |list| matches!(&list.list.paginator, PaginatorSpec::Page(page) if page.total.is_none()),
            );
        numbered || position.ends.counts.contains_key(&EndKind::Assumed)
    }
}

/// Whether keys are in many small files, of which every later run would request each.
fn are_scattered(files: &[EntryFile]) -> bool {
    let keys: u64 = files.iter().map(|file| file.entries).sum();
    files.len() > 1 && keys < KEYS_OF_FILE * files.len() as u64
}

fn digest_of(selected: &serde_json::Value) -> Result<String> {
    let text = serde_json::to_string(selected).map_err(|error| {
        Error::new(ErrorKind::Definition, "hash selection", "cannot write JSON").caused_by(error)
    })?;
    Ok(sha256_hex(text.as_bytes()))
}

/// Why a run does not show what is no longer there, although it read everything that it could.
fn doubts(position: &Position) -> Vec<String> {
    let mut doubts = Vec::new();
    if !position.gaps().is_empty() {
        doubts.push("a list has gaps".to_owned());
    } else if position.unavailable.is_some() || position.ends.counts.contains_key(&EndKind::Unavailable) {
        doubts.push("the account lacks a feature".to_owned());
    }
    if position.ends.moved().next().is_some() {
        doubts.push("a list changed while it was read".to_owned());
    }
    doubts
}

fn smaller(one: Option<[u8; KEY_ENTRY]>, other: Option<[u8; KEY_ENTRY]>) -> Option<[u8; KEY_ENTRY]> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Parents, looked up in order.
struct Scopes<'s> {
    reader: EntryReader<'s, SCOPE_ENTRY>,
    next: Option<ScopeKey>,
    is_begun: bool,
}

impl<'s> Scopes<'s> {
    fn new(reader: EntryReader<'s, SCOPE_ENTRY>) -> Self {
        Self { reader, next: None, is_begun: false }
    }

    /// Whether a parent is among them. None before the last one that was looked up is found any more.
    async fn have(&mut self, scope: ScopeKey) -> Result<bool> {
        while !self.is_begun || self.next.is_some_and(|next| next < scope) {
            self.is_begun = true;
            self.next = self.reader.next().await?.map(|entry| scope_of_entry(&entry));
        }
        Ok(self.next == Some(scope))
    }
}
