//! Brings a run into a table of the Glue Data Catalog, for Athena and whatever else reads that. [`Registration::run`] reads like the
//! protocol: it is committed → not registered yet → files → table and view have its columns → its partition is registered.
//!
//! The partition is the commit point: the catalog creates one of these values once. Until then nobody reads the files, and who is too
//! late finds it there. Each attempt writes to a folder of its own, so an attempt that was killed leaves files that no
//! partition names, and nothing that another could mistake for its own.

mod columns;
mod glue;
mod rows;
mod table;
mod view;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::spawn_blocking;

use crate::encode::{Encoded, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::entry_files::read_entries;
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{EntryFile, Identity, Index, Part, read_part, read_stored};
use crate::lake::record_key::{KEY_BYTES, KEY_ENTRY};
use crate::lake::run_manifest::{RunManifest, index_key, list_runs};
use crate::lake::sink::{Object, Sink, create_same};
use crate::lake::stream_id::StreamId;
use crate::progress::{Completion, Progress};
use crate::read::lake::{LakeObject, streams_there};
use crate::stop::Stop;
pub use glue::GlueDatabase;
use glue::Written;
use rows::{RowCounts, RowWriter};
use table::{CatalogTable, StreamTable, storage};

/// Attempts at a table that others give other columns to meanwhile. Each of them has taken in what the one before had met.
const ATTEMPTS: usize = 10;

/// A run to register, with everything it needs.
#[derive(Debug)]
pub struct Registration {
    /// Where the run is.
    pub from: Arc<dyn Sink>,
    /// The key of its index there.
    pub manifest: String,
    /// Where files of tables lie.
    pub to: Arc<dyn Sink>,
    /// The database that has the tables.
    pub database: GlueDatabase,
    /// Bytes that records and files on their way may hold.
    pub memory: u64,
    /// Counts what is done.
    pub progress: Arc<Progress>,
    /// Says when to stop.
    pub stop: Stop,
}

/// How a registration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationStatus {
    /// The run is in its table.
    Complete,
    /// Stopped early; the next one starts over.
    Partial,
}

/// What a registration did: the Lambda result and the CLI's summary.
#[derive(Debug, Clone, Serialize)]
pub struct Registered {
    /// The run.
    pub run_id: String,
    /// How it ended.
    pub status: RegistrationStatus,
    /// `source.endpoint`.
    pub stream: String,
    /// The account.
    pub account: String,
    /// The database of table and view.
    pub database: String,
    /// The table with all versions.
    pub table: String,
    /// The view of what is current.
    pub view: String,
    /// Where the files of the run lie, of one that is in its table.
    pub location: Option<String>,
    /// Its records.
    pub records: u64,
    /// Records that it says are deleted.
    pub deletes: u64,
    /// Records without a value for each member of their key: no later version replaces them.
    pub without_key: u64,
    /// Its files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// It was in its table before.
    pub found: bool,
    /// Why it stopped early.
    pub stopped_by: Option<String>,
}

/// The run as its manifest has it.
struct ManifestRun {
    index: Index,
    identity: Identity,
    keys: StreamKeys,
    stream: StreamId,
    /// SHA-256 of the index that it was pulled with, wherever it has been promoted to since.
    origin: String,
    committed_at: jiff::Timestamp,
}

/// What was written of a run.
struct WrittenRun {
    state: CatalogTable,
    counts: RowCounts,
    folder: String,
    files: u64,
    bytes: u64,
}

impl Registration {
    /// Registers the run, unless it is registered.
    pub async fn run(&self) -> Result<Registered> {
        let run = self.read_run().await?;
        self.progress.set_stream(&run.stream.name(), run.stream.account());
        self.progress.set_run(&run.index.run_id);
        let table = self.table(&run);
        if let Some(partition) = self.partition(&run, &table).await? {
            return self.found(&run, &table, &partition);
        }
        for _ in 0..ATTEMPTS {
            let before = table.read().await?;
            let Some(written) = self.write(&run, &before).await? else {
                return Ok(self.partial(&run, &table));
            };
            if written.files == 0 {
                // A poll every few minutes mostly finds nothing, and a partition for each would slow queries down.
                return Ok(Registered { status: RegistrationStatus::Complete, ..self.partial(&run, &table) });
            }
            let Some(state) = table.grow(&before, &written.state).await? else { continue };
            table.show().await?;
            return self.commit(&run, &table, &written, &state).await;
        }
        let message = "others kept changing the table";
        Err(Error::new(ErrorKind::Storage, "register run", message)
            .with("table", table.table_name())
            .temporary()
            .hint("register it again: nothing is lost"))
    }

    async fn read_run(&self) -> Result<ManifestRun> {
        let run = RunManifest::read(&*self.from, &self.manifest, "register run").await?;
        let marker = run.marker(&*self.from).await?;
        let Some(committed_at) = run.committed_at(marker.as_ref()) else {
            let message = "nothing says that the run is committed";
            return Err(Error::new(ErrorKind::State, "register run", message)
                .with("run", &run.index.run_id)
                .temporary()
                .hint("a pending run counts once it is promoted; `circulate verify --mark` marks committed runs of \
                       before 0.2"));
        };
        let RunManifest { index, sha256, keys, stream } = run;
        let Some(identity) = index.identity.clone() else {
            let message =
                "the manifest does not say what identifies its records: a version before 0.2 wrote it";
            return Err(Error::new(ErrorKind::Settings, "register run", message)
                .with("run", &index.run_id)
                .hint("register the runs that are pulled from now on, a full one first"));
        };
        let origin = index.promoted_from.as_ref().map_or(sha256, |origin| origin.sha256.clone());
        Ok(ManifestRun { index, identity, keys, stream, origin, committed_at })
    }

    fn table<'r>(&'r self, run: &'r ManifestRun) -> StreamTable<'r> {
        StreamTable {
            glue: &self.database,
            stream: run.stream.name(),
            identity: &run.identity,
            location: format!("{}/{}/", self.to.uri().trim_end_matches('/'), folder_of_stream(run)),
        }
    }

    async fn partition(&self, run: &ManifestRun, table: &StreamTable<'_>) -> Result<Option<Value>> {
        self.database.partition(&table.table_name(), &values(run)).await
    }

    /// Writes the files of a run for a table that has `before`; `None` if it was stopped before the end.
    async fn write(&self, run: &ManifestRun, before: &CatalogTable) -> Result<Option<WrittenRun>> {
        self.progress.set_completion(Some(Completion {
            unit: "objects".to_owned(),
            done: 0,
            total: Some(run.index.totals.objects),
            estimated: false,
        }));
        let [account, run_id] = values(run);
        let folder = format!(
            "{}/{}={account}/{}={run_id}/{:016x}",
            folder_of_stream(run),
            rows::ACCOUNT,
            rows::RUN_ID,
            fastrand::u64(..)
        );
        let (columns, schema) = (before.columns.clone(), before.schema.clone());
        let mut writer =
            RowWriter::new(&run.index, &run.identity, run.committed_at, columns, schema, self.memory);
        let mut stored = StoredFiles { to: &*self.to, folder: &folder, files: 0, bytes: 0 };
        if is_replaced(run) {
            writer = stored.of(writer, |writer, store| writer.replace(store)).await?;
        }
        for file in run.index.deletes.iter().flat_map(|deletes| &deletes.files) {
            let keys = self.deleted(run, file).await?;
            writer = stored.of(writer, move |writer, store| writer.deletes(&keys, store)).await?;
        }
        for reference in &run.index.parts {
            run.keys.check_part(&reference.key)?;
            let part: Part = read_part(&*self.from, reference).await?;
            for entry in part.objects {
                if self.stop.reason().is_some() {
                    return Ok(None);
                }
                run.keys.check_object(&entry.key)?;
                let bytes = read_stored(&*self.from, &entry).await?;
                let object = LakeObject { entry, format: part.format, compression: part.compression, run: 0 };
                writer =
                    stored.of(writer, move |writer, store| writer.object(&object, &bytes, store)).await?;
                self.progress.count_done(1);
            }
        }
        writer = stored.of(writer, |writer, store| writer.finish(store)).await?;
        let StoredFiles { files, bytes, .. } = stored;
        let schema = match &run.index.tables {
            Some(tables) if !tables.empty => before.schema.clone().or_else(|| Some(tables.columns.clone())),
            _ => writer.schema().cloned().or_else(|| before.schema.clone()),
        };
        let state = CatalogTable { columns: writer.columns().to_vec(), schema };
        Ok(Some(WrittenRun { state, counts: writer.counts(), folder, files, bytes }))
    }

    /// The keys of records that a file of deletions names.
    async fn deleted(&self, run: &ManifestRun, file: &EntryFile) -> Result<Vec<[u8; KEY_BYTES]>> {
        run.keys.check_part(&file.key)?;
        let entries = read_entries(&*self.from, file).await?;
        // The parents stand in front of the key, which holds them too.
        let key = |entry: &[u8; KEY_ENTRY]| {
            let mut key = [0; KEY_BYTES];
            key.copy_from_slice(&entry[KEY_BYTES..]);
            key
        };
        Ok(entries.iter().map(key).collect())
    }

    /// Registers the partition: from here on the run is in its table.
    async fn commit(
        &self,
        run: &ManifestRun,
        table: &StreamTable<'_>,
        written: &WrittenRun,
        state: &CatalogTable,
    ) -> Result<Registered> {
        let location = format!("{}/{}/", self.to.uri().trim_end_matches('/'), written.folder);
        let counts = &written.counts;
        let partition = json!({
            "Values": values(run),
            "StorageDescriptor": storage(&location, &state.glue_columns()),
            "Parameters": {
                "classification": "parquet",
                ORIGIN: run.origin,
                "circulate.committed_at": run.committed_at.to_string(),
                "circulate.records": counts.records.to_string(),
                "circulate.deletes": counts.deletes.to_string(),
                "circulate.without_key": counts.without_key.to_string(),
                "circulate.files": written.files.to_string(),
                "circulate.bytes": written.bytes.to_string(),
            },
        });
        let created = self.database.create_partition(&table.table_name(), &partition).await?;
        let there = match created {
            Written::Done => partition,
            // By another one; or by us, if the response to an earlier try was lost.
            Written::Overtaken => self.partition(run, table).await?.ok_or_else(|| {
                let message = "the partition was dropped while it was registered";
                Error::new(ErrorKind::Storage, "register run", message).temporary()
            })?,
        };
        let is_ours = there["StorageDescriptor"]["Location"] == json!(location);
        Ok(Registered { found: !is_ours, ..self.found(run, table, &there)? })
    }

    /// What its partition says of a run.
    fn found(&self, run: &ManifestRun, table: &StreamTable<'_>, partition: &Value) -> Result<Registered> {
        let parameters = &partition["Parameters"];
        if parameters[ORIGIN].as_str() != Some(&run.origin) {
            let message = "the table has a partition for this run that was made of another manifest";
            return Err(Error::new(ErrorKind::Mismatch, "register run", message)
                .with("table", table.table_name())
                .with("run", &run.index.run_id));
        }
        let count = |name: &str| {
            let text = parameters[format!("circulate.{name}")].as_str();
            text.and_then(|text| text.parse().ok()).unwrap_or_default()
        };
        Ok(Registered {
            status: RegistrationStatus::Complete,
            location: partition["StorageDescriptor"]["Location"].as_str().map(str::to_owned),
            records: count("records"),
            deletes: count("deletes"),
            without_key: count("without_key"),
            files: count("files"),
            bytes: count("bytes"),
            found: true,
            stopped_by: None,
            ..self.partial(run, table)
        })
    }

    fn partial(&self, run: &ManifestRun, table: &StreamTable<'_>) -> Registered {
        Registered {
            run_id: run.index.run_id.clone(),
            status: RegistrationStatus::Partial,
            stream: run.stream.name(),
            account: run.stream.account().to_owned(),
            database: self.database.name().to_owned(),
            table: table.table_name(),
            view: table.view_name(),
            location: None,
            records: 0,
            deletes: 0,
            without_key: 0,
            files: 0,
            bytes: 0,
            found: false,
            stopped_by: self.stop.reason().map(|reason| self.stop.in_words(reason)),
        }
    }
}

/// The parameter of a partition that says which manifest it was made of.
const ORIGIN: &str = "circulate.manifest_sha256";

/// The values of the partition of a run.
fn values(run: &ManifestRun) -> [&str; 2] {
    [run.stream.account(), &run.index.run_id]
}

fn folder_of_stream(run: &ManifestRun) -> String {
    format!("{}/{}", run.index.source, run.index.endpoint)
}

/// Whether nothing of before counts: nothing tells which records are versions of one, and this run has all there are.
fn is_replaced(run: &ManifestRun) -> bool {
    let index = &run.index;
    let is_whole = match index.mode.as_str() {
        "full" => true,
        _ => index.window.since.is_none(),
    };
    let is_without_key = run.identity.kind == crate::catalog::RecordKind::Entity && !run.identity.is_merged();
    is_without_key && is_whole && index.verdict == "complete" && index.unavailable.is_none()
}

/// The files of an attempt.
struct StoredFiles<'s> {
    to: &'s dyn Sink,
    folder: &'s str,
    files: u64,
    bytes: u64,
}

impl StoredFiles<'_> {
    /// Lets `work` go on beside us, and stores the files that it completes.
    async fn of(
        &mut self,
        mut writer: RowWriter,
        work: impl FnOnce(&mut RowWriter, rows::Files<'_>) -> Result<()> + Send + 'static,
    ) -> Result<RowWriter> {
        let (done, mut files) = channel(1);
        let working = spawn_blocking(move || {
            let store = |file: Encoded| hand_over(&done, file);
            let worked = work(&mut writer, &store);
            (writer, worked)
        });
        while let Some(file) = files.recv().await {
            self.store(file).await?;
        }
        let (writer, worked) = working.await.map_err(|error| ended_early().caused_by(error))?;
        worked.map(|()| writer)
    }

    async fn store(&mut self, Encoded { bytes, .. }: Encoded) -> Result<()> {
        let key = format!("{}/{:05}.parquet", self.folder, self.files);
        self.files += 1;
        self.bytes += bytes.len() as u64;
        let content_type = Format::Parquet.content_type();
        // Nobody else writes to this folder: what is there already is of a try whose response was lost.
        create_same(self.to, Object { key, bytes: bytes.into(), content_type, content_encoding: None }).await
    }
}

fn hand_over(done: &Sender<Encoded>, file: Encoded) -> Result<()> {
    done.blocking_send(file).map_err(|_| ended_early())
}

fn ended_early() -> Error {
    Error::new(ErrorKind::Storage, "register run", "a worker that makes files ended early")
}

/// The keys of the manifests of all runs of a place, or of one stream there, from the oldest to the newest of each stream and
/// account; an error if there is none. Which of them are committed is known when they are registered.
pub async fn manifests(from: &dyn Sink, stream: Option<&str>) -> Result<Vec<String>> {
    let source = stream.map(|name| name.split('.').next().unwrap_or(name));
    let listed = list_runs(from, source).await?;
    let chosen = listed.iter().filter(|(id, _)| stream.is_none_or(|stream| stream == id.name()));
    let keys: Vec<_> =
        chosen.flat_map(|(id, runs)| runs.indexes.iter().map(|run_id| index_key(id, run_id))).collect();
    if keys.is_empty() {
        let of_stream = stream.map(|stream| format!("of {stream} ")).unwrap_or_default();
        let message = format!("there are no runs {of_stream}in {}", from.uri());
        let hint = streams_there(from, stream.unwrap_or_default()).await?;
        return Err(Error::new(ErrorKind::Settings, "register run", message).hint(hint));
    }
    Ok(keys)
}
