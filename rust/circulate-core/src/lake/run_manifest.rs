//! Runs as their manifests in a place have them: which there are, and what the index of one says.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::TryStreamExt;
use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::{INDEX, MARKER, StreamKeys, check_key};
use crate::lake::manifest::{self, Index, sha256_hex};
use crate::lake::marker::Marker;
use crate::lake::sink::Sink;
use crate::lake::stream_id::StreamId;

/// A run as its index has it, which lies under the key that its name gives it.
#[derive(Debug)]
pub struct RunManifest {
    /// The index.
    pub index: Index,
    /// SHA-256 of the index, in hex.
    pub sha256: String,
    /// Names of what belongs to the run.
    pub keys: StreamKeys,
    /// The stream.
    pub stream: StreamId,
}

impl RunManifest {
    /// Reads the index at `key`, which is the one of its run.
    pub async fn read(sink: &dyn Sink, key: &str, operation: &'static str) -> Result<Self> {
        let run = Self::read_at(sink, key, operation).await?;
        run.check_key(key, operation)?;
        Ok(run)
    }

    /// Reads the index at `key`, whatever run it is of.
    pub async fn read_at(sink: &dyn Sink, key: &str, operation: &'static str) -> Result<Self> {
        let Some(bytes) = sink.read(key).await? else {
            return Err(Error::new(ErrorKind::Storage, operation, "there is no such manifest")
                .with("key", key)
                .with("in", sink.uri()));
        };
        let index: Index = manifest::parse(key, &bytes)?;
        let stream = index.stream_id();
        let keys = StreamKeys::new(&stream, &index.run_id, index.started_at);
        Ok(Self { sha256: sha256_hex(&bytes), index, keys, stream })
    }

    /// Refuses the index of another run than the key that it was read from says.
    pub fn check_key(&self, key: &str, operation: &'static str) -> Result<()> {
        if self.keys.index() == key {
            return Ok(());
        }
        let message = "the manifest is of another run than its key says";
        Err(Error::new(ErrorKind::Mismatch, operation, message)
            .with("key", key)
            .with("run", &self.index.run_id))
    }

    /// Reads its marker, which must be of this index; `None` if there is none.
    pub async fn marker(&self, sink: &dyn Sink) -> Result<Option<Marker>> {
        let marker = Marker::read(sink, &self.keys).await?;
        if let Some(marker) = &marker {
            marker.check(&self.keys, &self.sha256)?;
        }
        Ok(marker)
    }

    /// When it was committed, if what is in the place says that it was.
    pub fn committed_at(&self, marker: Option<&Marker>) -> Option<Timestamp> {
        // A target holds nothing but committed runs; promotions by older versions made no markers there.
        let promoted = || self.index.promoted_from.as_ref().map(|_| self.index.started_at);
        marker.map(|marker| marker.committed_at).or_else(promoted)
    }
}

/// What is listed of the runs of a stream.
#[derive(Debug, Default)]
pub struct ListedRuns {
    /// The runs that have an index, from the first begun to the last.
    pub indexes: BTreeSet<String>,
    /// The runs that have a marker.
    pub markers: BTreeSet<String>,
}

/// Lists the streams of a place, each with the runs that have files there. `source` bounds what is looked at.
pub async fn list_runs(sink: &dyn Sink, source: Option<&str>) -> Result<BTreeMap<StreamId, ListedRuns>> {
    let prefix = source.map_or_else(|| "_circulate/".to_owned(), |source| format!("_circulate/{source}/"));
    let mut found: BTreeMap<StreamId, ListedRuns> = BTreeMap::new();
    let mut listing = sink.list(&prefix);
    while let Some(listed) = listing.try_next().await? {
        let parts: Vec<_> = listed.key.split('/').collect();
        let [_, source, account, endpoint, file] = parts[..] else { continue };
        if check_key(&listed.key).is_err() {
            continue;
        }
        let stream = StreamId::new(source, account, endpoint);
        if let Some(run_id) = file.strip_suffix(INDEX) {
            found.entry(stream).or_default().indexes.insert(run_id.to_owned());
        } else if let Some(run_id) = file.strip_suffix(MARKER) {
            found.entry(stream).or_default().markers.insert(run_id.to_owned());
        }
    }
    Ok(found)
}

/// The key of the index of a listed run.
pub fn index_key(stream: &StreamId, run_id: &str) -> String {
    format!("_circulate/{}/{run_id}{INDEX}", stream.folder())
}
