//! Copies a run into a place for readers, driven by its manifest. [`Promotion::run`] reads like the protocol: state
//! allows it → marked there → begun → objects, then their part → index → commit → marker.
//!
//! What a manifest names appears there and nothing else, each object whole. A part of the manifest is there only when all
//! of its objects are, so whatever stops a promotion, the next one skips whole parts and goes on. Nothing is overwritten,
//! and everything that is written is the same each time, so two at once do no harm.

mod compact;
mod copy;
mod groups;
mod promotion;
mod report;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::manifest::{self, Index, Part, PartRef, PromotedFrom, SCHEMA, Totals};
use crate::lake::marker::Marker;
use crate::lake::run_manifest::RunManifest;
use crate::lake::sink::{Created, another, missing};
use crate::state::{Decision, RunStatus, StreamState, decide, place_marker, promoting};

pub use groups::Limits;
pub use promotion::Promotion;
use promotion::{COPIED_AT_ONCE, PARTS_AT_ONCE};
use report::CopyTally;
pub use report::{Promoted, PromotionStatus};

/// `promotion.json`: how a promotion was begun. Two ways in one place would give readers each record twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PromotionFile {
    schema: u32,
    run_id: String,
    /// SHA-256 of the index that is promoted, in hex.
    manifest_sha256: String,
    compact: Option<Limits>,
}

impl Promotion {
    /// Copies what is not there yet, and commits a pending run. Done before, it changes nothing and reports the same.
    pub async fn run(&self) -> Result<Promoted> {
        let run = self.read_run().await?;
        self.progress.set_stream(&run.stream.name(), run.stream.account());
        self.progress.set_run(&run.index.run_id);
        self.allowed(&run).await?;
        let tally = CopyTally::default();
        if let Some(there) = self.index_there(&run).await? {
            self.commit(&run).await?;
            self.mark_committed(&run).await?;
            return Ok(self.complete(&run, &there, &tally));
        }
        let before = self.begun(&run).await?;
        if before.is_none() {
            // A manifest that is refused leaves no trace: neither in state nor in the target.
            self.check(&run).await?;
        }
        self.mark(&run).await?;
        let parts = match self.begin(&run, before).await?.compact {
            Some(limits) => self.compacted(&run, limits, &tally).await?,
            None => self.copied(&run, &tally).await?,
        };
        let Some((parts, totals)) = parts else { return Ok(self.partial(&run, &tally)) };
        if !self.copy_entries(&run).await? {
            return Ok(self.partial(&run, &tally));
        }
        // It may have been given up by force.
        self.allowed(&run).await?;
        let index = self.publish(&run, parts, totals).await?;
        self.commit(&run).await?;
        self.mark_committed(&run).await?;
        Ok(self.complete(&run, &index, &tally))
    }

    /// From here on a pending run cannot be given up by itself, since its objects will be seen by readers.
    async fn mark(&self, run: &RunManifest) -> Result<()> {
        let now = self.store.now().await?;
        let until = later(now, self.stop.left().unwrap_or_default());
        promoting(&*self.store, &run.stream, &run.index.run_id, until).await?;
        // It may have been given up before that.
        self.allowed(run).await
    }

    async fn read_run(&self) -> Result<RunManifest> {
        if self.from.uri() == self.to.uri() {
            return Err(Error::new(
                ErrorKind::Settings,
                "promote",
                "a run is promoted to another place than it is in",
            )
            .with("place", self.to.uri()));
        }
        RunManifest::read(&*self.from, &self.manifest, "promote").await
    }

    /// Only a run that counts, or that waits to be decided on, may be promoted.
    async fn allowed(&self, run: &RunManifest) -> Result<()> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::State, "promote", what.to_owned()).with("run", &run.index.run_id)
        };
        let Some(known) = StreamState::run(&*self.store, &run.stream, &run.index.run_id).await? else {
            return Err(wrong("state does not know the run of this manifest")
                .with("stream", &run.stream)
                .hint("name the state that it was pulled with (`state`)"));
        };
        match known.status {
            RunStatus::Open => {
                let unfinished = wrong("the run is not finished: the next pull commits it").temporary();
                return Err(unfinished.hint("pull the stream once more, then promote"));
            }
            RunStatus::Abandoned => {
                return Err(wrong("the run was abandoned: its manifest does not count")
                    .hint("promote the run that was begun after it; `circulate runs` lists them"));
            }
            RunStatus::Pending | RunStatus::Committed => {}
        }
        if known.manifest.as_deref() != Some(&self.manifest) || known.ledger.totals != run.index.totals {
            return Err(Error::new(ErrorKind::Mismatch, "promote", "state differs from the manifest")
                .with("key", &self.manifest)
                .hint("`circulate verify` with `state` says what differs"));
        }
        Ok(())
    }

    /// The index in the target, if the run was promoted before.
    async fn index_there(&self, run: &RunManifest) -> Result<Option<Index>> {
        let key = run.keys.index();
        let Some(bytes) = self.to.read(&key).await? else { return Ok(None) };
        let there: Index = manifest::parse(&key, &bytes)?;
        match &there.promoted_from {
            Some(origin) if origin.sha256 == run.sha256 => Ok(Some(there)),
            _ => Err(another(&key)),
        }
    }

    /// Reads what the index names, before anything is written: all parts are there and as they were written, and together
    /// they are what the index says. Nothing that they name is of another stream.
    async fn check(&self, run: &RunManifest) -> Result<()> {
        run.index.entry_files().try_for_each(|file| run.keys.check_part(&file.key))?;
        let parts = stream::iter(run.index.parts.iter().cloned());
        let mut parts = parts.map(|part| self.sums_of(run, part)).buffered(PARTS_AT_ONCE);
        let (mut objects, mut records, mut bytes) = (0, 0, 0);
        while let Some(sums) = parts.try_next().await? {
            (objects, records, bytes) = (objects + sums.objects, records + sums.records, bytes + sums.bytes);
        }
        let totals = &run.index.totals;
        if (objects, records, bytes) == (totals.objects, totals.records, totals.bytes) {
            return Ok(());
        }
        Err(self.other_sums())
    }

    async fn sums_of(&self, run: &RunManifest, reference: PartRef) -> Result<Totals> {
        run.keys.check_part(&reference.key)?;
        let part: Part = manifest::read_part(&*self.from, &reference).await?;
        let mut sums = Totals::default();
        for object in &part.objects {
            run.keys.check_object(&object.key)?;
            sums.add(object);
        }
        Ok(sums)
    }

    /// How the promotion was begun before, if it was.
    async fn begun(&self, run: &RunManifest) -> Result<Option<PromotionFile>> {
        let key = run.keys.promotion();
        let Some(bytes) = self.to.read(&key).await? else { return Ok(None) };
        let there: PromotionFile = manifest::parse(&key, &bytes)?;
        if there.manifest_sha256 == run.sha256 { Ok(Some(there)) } else { Err(another(&key)) }
    }

    /// Notes how the promotion is done, or learns how it was begun.
    async fn begin(&self, run: &RunManifest, before: Option<PromotionFile>) -> Result<PromotionFile> {
        let key = run.keys.promotion();
        let begun = PromotionFile {
            schema: SCHEMA,
            run_id: run.index.run_id.clone(),
            manifest_sha256: run.sha256.clone(),
            compact: self.compaction_of(run),
        };
        let there = match before {
            Some(there) => there,
            None if self.to.create(manifest::to_object(key.clone(), &begun)?).await? == Created::New => {
                return Ok(begun);
            }
            None => self.begun(run).await?.ok_or_else(|| missing(&key))?,
        };
        if there.compact != begun.compact {
            let how = if there.compact.is_some() { "with" } else { "without" };
            self.progress.note(format!("the promotion was begun {how} compaction, and goes on as it was"));
        }
        Ok(there)
    }

    /// Tables are large already, and their formats can't be put one after the other.
    fn compaction_of(&self, run: &RunManifest) -> Option<Limits> {
        self.compact.filter(|_| run.index.tables.is_none())
    }

    /// Makes the run visible to readers of manifests: everything that the index names is there.
    async fn publish(&self, run: &RunManifest, parts: Vec<PartRef>, totals: Totals) -> Result<Index> {
        let index = Index {
            parts,
            totals: Totals { pages: run.index.totals.pages, ..totals },
            // What the next pull needs stays where it pulls to.
            dedup_key: None,
            poll: None,
            plan: None,
            promoted_from: Some(PromotedFrom {
                location: self.from.uri(),
                key: self.manifest.clone(),
                sha256: run.sha256.clone(),
            }),
            ..run.index.clone()
        };
        match self.to.create(manifest::to_object(run.keys.index(), &index)?).await? {
            Created::New => Ok(index),
            Created::Exists => self.index_there(run).await?.ok_or_else(|| another(&run.keys.index())),
        }
    }

    /// Creates the marker of the run in the target.
    async fn mark_committed(&self, run: &RunManifest) -> Result<()> {
        let run_id = &run.index.run_id;
        let known = StreamState::run(&*self.store, &run.stream, run_id).await?;
        let committed_at = known.and_then(|known| known.ended_at).unwrap_or(run.index.started_at);
        Marker::create(&*self.to, &run.keys, run_id, committed_at).await?;
        // Whoever promotes need not be allowed to write where the run was pulled to; then the next pull does it.
        let _ = place_marker(&*self.from, &*self.store, &run.stream, run_id).await;
        Ok(())
    }

    /// Commits a pending run. Somebody else may do the same at the same time.
    async fn commit(&self, run: &RunManifest) -> Result<()> {
        let run_id = &run.index.run_id;
        let error = match decide(&*self.store, &run.stream, run_id, Decision::Commit).await {
            Ok(None) => return Ok(()),
            Ok(Some(_)) => {
                let Totals { records, objects, bytes, .. } = run.index.totals;
                self.progress.committed(&self.manifest, records, objects, bytes);
                return Ok(());
            }
            Err(error) => error,
        };
        let known = StreamState::run(&*self.store, &run.stream, run_id).await?;
        if known.is_some_and(|known| known.status == RunStatus::Committed) { Ok(()) } else { Err(error) }
    }
}

#[cfg(test)]
#[path = "tests/promote.rs"]
mod tests;
