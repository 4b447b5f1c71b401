//! Removes what no manifest names: objects after the last checkpoint of a worker that died, and all of runs that were
//! given up.
//!
//! Only streams that the given state knows at this place are touched; an open run keeps everything it has.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use serde::Serialize;

use crate::clock::earlier;
use crate::error::Result;
use crate::lake::keys::{INDEX, MARKER, check_key};
use crate::lake::manifest::{self, Index, Part, PlanPart, read_part};
use crate::lake::sink::Sink;
use crate::lake::stream_id::StreamId;
use crate::state::{RunStatus, StateStore, StreamState, streams};

/// What was found, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Objects that stay.
    pub kept: u64,
    /// Garbage that is too young to be removed.
    pub young: u64,
    /// Garbage that was removed, or would be.
    pub removed: u64,
    /// Its size.
    pub removed_bytes: u64,
    /// Its keys.
    pub removed_keys: Vec<String>,
}

/// Removes garbage written longer than `older_than` ago; with `dry_run` only reports it.
pub async fn gc(
    sink: &dyn Sink,
    store: &dyn StateStore,
    older_than: Duration,
    dry_run: bool,
) -> Result<Collected> {
    let before = earlier(store.now().await?, older_than);
    let mut collected = Collected::default();
    for stream in streams(store).await? {
        let head = StreamState::head(store, &stream).await?;
        if head.and_then(|head| head.destination).is_some_and(|destination| destination == sink.uri()) {
            let folder = stream.folder();
            for prefix in [format!("{folder}/"), format!("_circulate/{folder}/")] {
                let mut names = Names { sink, store, stream: &stream, run: None };
                collect(&mut names, &prefix, before, dry_run, &mut collected).await?;
            }
        }
    }
    Ok(collected)
}

async fn collect(
    names: &mut Names<'_>,
    prefix: &str,
    before: Timestamp,
    dry_run: bool,
    collected: &mut Collected,
) -> Result<()> {
    let sink = names.sink;
    let mut listing = sink.list(prefix);
    while let Some(listed) = listing.next().await {
        let listed = listed?;
        let garbage = match Owner::of(&listed.key) {
            Some(owner) => !names.has(&owner, &listed.key).await?,
            None => false,
        };
        if !garbage {
            collected.kept += 1;
        } else if listed.written > before {
            collected.young += 1;
        } else {
            if !dry_run {
                sink.remove(&listed.key).await?;
            }
            collected.removed += 1;
            collected.removed_bytes += listed.bytes;
            collected.removed_keys.push(listed.key);
        }
    }
    Ok(())
}

/// The run that an object belongs to, as its key says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    stream: StreamId,
    run_id: String,
    /// A file that was being written when its worker died.
    unfinished: bool,
}

impl Owner {
    /// `None` for what is not ours.
    fn of(key: &str) -> Option<Self> {
        check_key(key).ok()?;
        let ours = key.strip_prefix("_circulate/");
        let parts: Vec<_> = ours.unwrap_or(key).split('/').collect();
        let [source, account, endpoint, rest @ ..] = &parts[..] else { return None };
        let file = rest.last()?;
        let run_id = match (ours, rest) {
            (Some(_), [file]) => {
                file.strip_suffix(INDEX).or_else(|| file.strip_suffix(MARKER)).unwrap_or(file)
            }
            (Some(_), [run_id, _]) => run_id,
            (None, [date, hour, object]) if is_dated(date, hour) => {
                // The run id holds one dash of its own; task, fence and sequence follow.
                object.match_indices('-').nth(1).map_or(*object, |(at, _)| &object[..at])
            }
            _ => return None,
        };
        let unfinished = file.starts_with(".writing-");
        Some(Self { stream: StreamId::new(source, account, endpoint), run_id: run_id.to_owned(), unfinished })
    }
}

/// Whether objects are in folders of these names; the shorter names are those of versions before 0.2.
fn is_dated(date: &str, hour: &str) -> bool {
    let days = date.strip_prefix("circulate_").unwrap_or(date);
    let hours = hour.strip_prefix("circulate_").unwrap_or(hour);
    days.starts_with("date=") && hours.starts_with("hour=")
}

/// Knows which keys are named, a run at a time.
struct Names<'g> {
    sink: &'g dyn Sink,
    store: &'g dyn StateStore,
    stream: &'g StreamId,
    run: Option<(Owner, Named)>,
}

enum Named {
    All,
    These(HashSet<String>),
}

impl Names<'_> {
    async fn has(&mut self, owner: &Owner, key: &str) -> Result<bool> {
        if owner.unfinished {
            return Ok(false);
        }
        if self.run.as_ref().is_none_or(|(known, _)| known != owner) {
            self.run = Some((owner.clone(), self.named_by(owner).await?));
        }
        Ok(match &self.run {
            Some((_, Named::These(keys))) => keys.contains(key),
            _ => true,
        })
    }

    async fn named_by(&self, owner: &Owner) -> Result<Named> {
        match StreamState::run(self.store, self.stream, &owner.run_id).await?.map(|run| run.status) {
            Some(RunStatus::Open) => Ok(Named::All),
            Some(RunStatus::Abandoned) => Ok(Named::These(HashSet::new())),
            Some(RunStatus::Pending | RunStatus::Committed) | None => self.named_by_index(owner).await,
        }
    }

    async fn named_by_index(&self, owner: &Owner) -> Result<Named> {
        let key = format!("_circulate/{}/{}{INDEX}", owner.stream.folder(), owner.run_id);
        let mut keys = HashSet::new();
        if let Some(bytes) = self.sink.read(&key).await? {
            let index: Index = manifest::parse(&key, &bytes)?;
            for reference in &index.parts {
                let part: Part = read_part(self.sink, reference).await?;
                keys.extend(part.objects.into_iter().map(|object| object.key));
                keys.extend(part.keys.into_iter().flat_map(|keys| keys.files).map(|file| file.key));
                keys.insert(reference.key.clone());
            }
            let mut next = index.plan.clone();
            while let Some(reference) = next {
                next = read_part::<PlanPart>(self.sink, &reference).await?.previous;
                keys.insert(reference.key);
            }
            keys.extend(index.entry_files().map(|file| file.key.clone()));
            keys.extend(index.dedup_key);
            keys.extend(index.poll.map(|reference| reference.key));
            keys.insert(format!("_circulate/{}/{}{MARKER}", owner.stream.folder(), owner.run_id));
            keys.insert(key);
        }
        Ok(Named::These(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_their_run() {
        let run = "20261122T053000123Z-1a2b3c4d5e";
        let owner =
            |key: &str| Owner::of(key).map(|owner| (owner.stream.folder(), owner.run_id, owner.unfinished));
        let expected = |unfinished| Some(("okta/acme/users".to_owned(), run.to_owned(), unfinished));
        let object = format!(
            "okta/acme/users/circulate_date=2026-11-22/circulate_hour=05/{run}-0-0001-00000012.json.gz"
        );
        assert_eq!(owner(&object), expected(false));
        assert_eq!(owner(&format!("_circulate/okta/acme/users/{run}.json")), expected(false));
        assert_eq!(owner(&format!("_circulate/okta/acme/users/{run}.committed")), expected(false));
        assert_eq!(owner(&format!("_circulate/okta/acme/users/{run}/0-0001-00000000.json")), expected(false));
        assert_eq!(owner(&format!("_circulate/okta/acme/users/{run}/.writing-x1")), expected(true));
        for foreign in [
            "_circulate/okta/acme/users/%2e%2e.json",
            ".circulate/state.db",
            "notes.txt",
            "okta/acme/users/readme.md",
            "a/b/c/d/e/f/g",
        ] {
            assert_eq!(owner(foreign), None, "{foreign}");
        }
    }
}
