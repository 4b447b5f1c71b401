//! Markers: what says in a place that a run is committed, for readers who do not know its state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{self, SCHEMA, read_existing, sha256_hex};
use crate::lake::sink::{Sink, create_same};

/// `{run_id}.committed`, beside the index of a run. It is created once the run is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Version of this format.
    pub schema: u32,
    /// The run.
    pub run_id: String,
    /// When it was committed, by the state store's clock.
    pub committed_at: Timestamp,
    /// The key of its index.
    pub manifest: String,
    /// SHA-256 of its index, in hex.
    pub sha256: String,
}

impl Marker {
    /// Creates the marker of a run, whose index is there, unless there is the same one.
    pub async fn create(
        sink: &dyn Sink,
        keys: &StreamKeys,
        run_id: &str,
        committed_at: Timestamp,
    ) -> Result<()> {
        let manifest = keys.index();
        let sha256 = sha256_hex(&read_existing(sink, &manifest).await?);
        let marker = Self { schema: SCHEMA, run_id: run_id.to_owned(), committed_at, manifest, sha256 };
        create_same(sink, manifest::to_object(keys.marker(), &marker)?).await
    }

    /// Reads the marker of a run; `None` if there is none.
    pub async fn read(sink: &dyn Sink, keys: &StreamKeys) -> Result<Option<Self>> {
        let key = keys.marker();
        let Some(bytes) = sink.read(&key).await? else { return Ok(None) };
        manifest::parse(&key, &bytes).map(Some)
    }

    /// Refuses a marker that is of another index than the one of these keys with this SHA-256.
    pub fn check(&self, keys: &StreamKeys, sha256: &str) -> Result<()> {
        if self.manifest == keys.index() && self.sha256 == sha256 {
            return Ok(());
        }
        let message = "the manifest is not the one that was committed";
        Err(Error::new(ErrorKind::Mismatch, "read manifest", message)
            .with("key", keys.index())
            .with("marker", keys.marker()))
    }
}
