//! Reads everything a manifest names, and checks that it is what was written.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::encode::{Compression, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::entry_files::read_entries;
use crate::lake::keys::{StreamKeys, check_key};
use crate::lake::manifest::{
    Deletes, EntryFile, Index, ObjectEntry, Part, Totals, read_body, read_part, read_stored,
};
use crate::lake::record_key::{KEY_ENTRY, SCOPE_ENTRY};
use crate::lake::run_manifest::RunManifest;
use crate::lake::sink::Sink;
use crate::page::{Record, Watch};
use crate::state::{RunStatus, StateStore, StreamState, place_marker};

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// The run.
    pub run_id: String,
    /// `source.endpoint`.
    pub stream: String,
    /// The account.
    pub account: String,
    /// Sums of what was read back.
    #[serde(flatten)]
    pub totals: Totals,
    /// What is wrong, a sentence each; empty if all is well.
    pub problems: Vec<String>,
}

/// Reads the index at `key`, its parts and every object: digests, sizes and record counts. Each object is in memory by
/// itself. With a `store` that knows the stream, state and index must agree too. Problems are collected; only an index
/// that can't be read is an error.
pub async fn verify(sink: &dyn Sink, key: &str, store: Option<&dyn StateStore>) -> Result<Verified> {
    let run = RunManifest::read_at(sink, key, "verify").await?;
    let misplaced = run.check_key(key, "verify").err();
    let marker = run.marker(sink).await;
    let RunManifest { index, keys, stream, .. } = run;
    let mut verified = Verified {
        run_id: index.run_id.clone(),
        stream: stream.name(),
        account: index.account.clone(),
        totals: Totals { pages: index.totals.pages, ..Totals::default() },
        problems: misplaced.iter().map(ToString::to_string).collect(),
    };
    for reference in &index.parts {
        let part = match keys.check_part(&reference.key) {
            Ok(()) => read_part::<Part>(sink, reference).await,
            Err(error) => Err(error),
        };
        match part {
            Ok(part) => verify_part(sink, &keys, &part, &mut verified).await,
            Err(error) => verified.problems.push(error.to_string()),
        }
    }
    for file in index.key_files() {
        verify_entries::<KEY_ENTRY>(sink, &keys, file, &mut verified).await;
    }
    for file in index.scope_files() {
        verify_entries::<SCOPE_ENTRY>(sink, &keys, file, &mut verified).await;
    }
    verified.problems.extend(index.deletes.iter().flat_map(wrong_counts));
    // These are read by the next pull, and by a clean-up.
    let others = index.dedup_key.iter().chain(index.plan.iter().map(|plan| &plan.key));
    verified.problems.extend(others.filter_map(|key| check_key(key).err()).map(|error| error.to_string()));
    if verified.problems.is_empty() && verified.totals != index.totals {
        verified
            .problems
            .push(format!("the index has {:?}, its objects {:?}", index.totals, verified.totals));
    }
    if let Some(store) = store {
        verified.problems.extend(disagreement(store, &index, key).await?);
        if verified.problems.is_empty() {
            place_marker(sink, store, &stream, &index.run_id).await?;
        }
    }
    verified.problems.extend(marker.err().map(|error| error.to_string()));
    Ok(verified)
}

/// Where the index counts other deletes than its files hold.
fn wrong_counts(deletes: &Deletes) -> Vec<String> {
    let counted = [
        ("deletes", deletes.count, &deletes.files),
        ("withheld deletes", deletes.candidates.count, &deletes.candidates.files),
    ];
    let wrong = counted.into_iter().filter_map(|(what, count, files)| {
        let held: u64 = files.iter().map(|file| file.entries).sum();
        (held != count).then(|| format!("the index counts {count} {what}, its files hold {held}"))
    });
    wrong.collect()
}

/// What state says otherwise than the index.
async fn disagreement(store: &dyn StateStore, index: &Index, key: &str) -> Result<Option<String>> {
    let stream = index.stream_id();
    if StreamState::head(store, &stream).await?.is_none() {
        return Ok(None);
    }
    let Some(run) = StreamState::run(store, &stream, &index.run_id).await? else {
        return Ok(Some("state does not know the run of this manifest".to_owned()));
    };
    Ok(match run.status {
        RunStatus::Open => {
            Some("state says that the run is not finished: the next pull commits it".to_owned())
        }
        RunStatus::Abandoned => {
            Some("state says that the run was abandoned: its manifest does not count".to_owned())
        }
        _ if run.manifest.as_deref() != Some(key) => {
            Some("state names another manifest for this run".to_owned())
        }
        // Objects may be fewer and larger after a promotion; what was pulled is the same.
        _ if index.promoted_from.is_some()
            && (run.ledger.totals.pages, run.ledger.totals.records)
                == (index.totals.pages, index.totals.records) =>
        {
            None
        }
        _ if run.ledger.totals != index.totals => {
            Some(format!("state has {:?}, the index {:?}", run.ledger.totals, index.totals))
        }
        _ => None,
    })
}

/// Checks a file of entries.
async fn verify_entries<const N: usize>(
    sink: &dyn Sink,
    keys: &StreamKeys,
    file: &EntryFile,
    verified: &mut Verified,
) {
    let read = match keys.check_part(&file.key) {
        Ok(()) => read_entries::<N>(sink, file).await.map(drop),
        Err(error) => Err(error),
    };
    verified.problems.extend(read.err().map(|error| error.to_string()));
}

async fn verify_part(sink: &dyn Sink, keys: &StreamKeys, part: &Part, verified: &mut Verified) {
    for object in &part.objects {
        let found = match keys.check_object(&object.key) {
            Ok(()) => verify_object(sink, part, object).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(()) => verified.totals.add(object),
            Err(error) => verified.problems.push(error.to_string()),
        }
    }
}

async fn verify_object(sink: &dyn Sink, part: &Part, object: &ObjectEntry) -> Result<()> {
    let records = match part.format {
        Format::Json => count_records(part.format, &read_body(sink, part.compression, object).await?),
        Format::Ndjson => {
            let stored = read_stored(sink, object).await?;
            count_lines(part.compression, &stored, object)
        }
        Format::Parquet | Format::Arrow => part.format.rows(read_stored(sink, object).await?),
    };
    let records = records.map_err(|error| error.with("key", &object.key))?;
    if records != object.records {
        let message = format!("the object holds {records} records, the manifest says {}", object.records);
        return Err(Error::new(ErrorKind::Mismatch, "verify", message).with("key", &object.key));
    }
    Ok(())
}

fn count_records(format: Format, body: &[u8]) -> Result<u64> {
    let mut records = 0;
    let count = |_: &Record<'_>| {
        records += 1;
        Ok(())
    };
    format.for_each_record(body, &Watch::default(), count)?;
    Ok(records)
}

/// Line by line: what many objects were put into is too large to be held before compression.
fn count_lines(compression: Compression, stored: &[u8], object: &ObjectEntry) -> Result<u64> {
    let wrong = |what: &str| Error::new(ErrorKind::Mismatch, "read object", what);
    let mut body = compression.reader(stored)?;
    let (mut line, mut records, mut digest) = (Vec::new(), 0, Sha256::new());
    loop {
        line.clear();
        let read = body.read_until(b'\n', &mut line);
        if read.map_err(|error| wrong("the object cannot be decompressed").caused_by(error))? == 0 {
            break;
        }
        digest.update(&line);
        records += count_records(Format::Ndjson, &line)?;
    }
    if crate::hex(&digest.finalize()) == object.body_sha256 {
        return Ok(records);
    }
    Err(wrong("the object's content differs from what was written"))
}

#[cfg(test)]
#[path = "tests/verify.rs"]
mod tests;
