//! What a run wrote: parts that list objects, and one index that names the parts.
//!
//! Both are immutable. The index is created once, at the end of a run, and its creation makes the run visible.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::catalog::{Definition, PageFormat, Pointer, RecordKind, RecordsSpec, TimeFormat, Zone};
use crate::encode::{Compression, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::{Digest, MAX_DEDUP_SET, Recent, TimeRange, Window};
use crate::extract::plan::Partition;
use crate::lake::keys::check_key;
use crate::lake::sink::{Object, Sink, StoredObject, differs, missing};
use crate::lake::stream_id::StreamId;
use crate::page::{EndKind, Ends};
use crate::table::{Drift, TableOptions, TableSchema};

/// The version of the two file formats.
pub const SCHEMA: u32 = 1;
/// The most objects that a part lists.
pub const MAX_OBJECTS_PER_PART: usize = 1000;
/// The most recent records that a part lists: 2 MB of JSON.
pub const MAX_RECENT_PER_PART: usize = 20_000;
/// The most partitions that a part lists.
pub const MAX_PARTITIONS_PER_PART: usize = 10_000;

/// One object of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEntry {
    /// Its key, relative to the place of the lake.
    pub key: String,
    /// Records in it.
    pub records: u64,
    /// Its size as stored.
    pub bytes: u64,
    /// SHA-256 of the stored bytes, in hex.
    pub sha256: String,
    /// Its size before compression.
    pub body_bytes: u64,
    /// SHA-256 of its bytes before compression, in hex.
    pub body_sha256: String,
    /// Between which its records' times lie, as far as they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<ObjectTimes>,
}

/// Between which the times of an object's records lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectTimes {
    /// None is before it.
    pub min: Timestamp,
    /// None is after it.
    pub max: Timestamp,
}

impl ObjectTimes {
    /// Those of both.
    pub fn and(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

impl From<TimeRange> for ObjectTimes {
    fn from(time: TimeRange) -> Self {
        Self { min: time.from, max: time.to }
    }
}

impl ObjectEntry {
    /// It as an object that can be copied, if it is of this format and compression.
    pub fn known(&self, format: Format, compression: Compression) -> StoredObject {
        StoredObject {
            key: self.key.clone(),
            bytes: self.bytes,
            sha256: self.sha256.clone(),
            content_type: format.content_type(),
            content_encoding: compression.content_encoding(),
        }
    }
}

/// Up to 1,000 objects, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Version of this format.
    pub schema: u32,
    /// The run.
    pub run_id: String,
    /// Format of the objects.
    pub format: Format,
    /// Compression of the objects.
    pub compression: Compression,
    /// The part written before this one. State needs to remember only the last.
    pub previous: Option<PartRef>,
    /// The objects.
    pub objects: Vec<ObjectEntry>,
    /// Records that the next run may be shown again, as far as was known at this checkpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Recent>,
    /// Partitions that were done with since the part before, of a stream that is pulled in partitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionEntry>,
    /// Keys of the records since the part before, if records have keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<TakenKeys>,
}

/// Keys of records as they were taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenKeys {
    /// Files of them, each sorted by itself.
    pub files: Vec<EntryFile>,
    /// Records without a value for one of the members of the key.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub without_key: u64,
}

/// A file of sorted entries, see [`entry_files`](crate::lake::entry_files).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFile {
    /// Its key.
    pub key: String,
    /// SHA-256 of it, in hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Entries in it.
    pub entries: u64,
    /// The first of them, in hex.
    pub first: String,
    /// The last of them, in hex.
    pub last: String,
}

/// What a run says of the keys of its stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunKeys {
    /// Keys of its records with the parents in front of each: files that are sorted by themselves, and may have the same keys.
    pub files: Vec<EntryFile>,
    /// Parents whose lists were read to their end, or that no longer exist, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<EntryFile>,
    /// All of the stream was requested. What was current before and is not among these keys is deleted by the run, or among its
    /// candidates: readers of keys need none of an earlier run.
    pub whole: bool,
    /// All of it was read: what is not among these keys was not there.
    pub complete: bool,
    /// Digest of what was selected, and by whose rights.
    pub selection: String,
    /// Digest of the settings and rights alone.
    #[serde(default)]
    pub rights: String,
    /// Records without a value for one of the members of the key. They are never merged nor deleted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub without_key: u64,
}

/// Records that a run shows to be no longer there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletes {
    /// How many are deleted.
    pub count: u64,
    /// Their keys, as those of the run's records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<EntryFile>,
    /// What is not there either, and is not deleted: how many, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
    /// What that is.
    #[serde(default, skip_serializing_if = "Candidates::are_none")]
    pub candidates: Candidates,
}

impl Deletes {
    /// How many, without which.
    pub fn counts(&self) -> DeleteCounts {
        DeleteCounts { count: self.count, withheld: self.withheld.clone() }
    }
}

/// How many records a run shows to be no longer there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteCounts {
    /// How many are deleted.
    pub count: u64,
    /// How many are not, and why.
    pub withheld: Option<Withheld>,
}

/// Why records that were not there are not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// How many they are.
    pub count: u64,
    /// Why, in words.
    pub reason: String,
}

/// Records that were not there and are not deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidates {
    /// How many they are.
    pub count: u64,
    /// Their keys.
    pub files: Vec<EntryFile>,
    /// Digests of the settings and rights by which they were read when they were there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub seen_by: BTreeSet<String>,
}

impl Candidates {
    fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A partition that was pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEntry {
    /// The partition.
    pub partition: Partition,
    /// What came of it.
    pub outcome: PartitionOutcome,
    /// Its records.
    pub records: u64,
    /// How its list ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndKind>,
    /// The endpoint whose list it is of, if that is a list of parents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Its list changed while it was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
}

/// What came of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartitionOutcome {
    /// All of its records are there.
    Complete,
    /// Its parent is gone (404), and its records with it.
    Gone,
    /// The API refused (403): its records are missing.
    Refused,
    /// The account lacks the feature: there is nothing to have.
    Unavailable,
    /// Its list goes on after what was read of it.
    Contradicted,
}

/// How many partitions were pulled, by what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCounts {
    /// All of their records are there.
    pub complete: u64,
    /// Their parents are gone.
    pub gone: u64,
    /// Refused: their records are missing.
    pub refused: u64,
    /// The account lacks the feature.
    #[serde(default)]
    pub unavailable: u64,
    /// Their lists go on after what was read of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub contradicted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl PartitionCounts {
    /// Counts one.
    pub fn add(&mut self, outcome: PartitionOutcome) {
        *match outcome {
            PartitionOutcome::Complete => &mut self.complete,
            PartitionOutcome::Gone => &mut self.gone,
            PartitionOutcome::Refused => &mut self.refused,
            PartitionOutcome::Unavailable => &mut self.unavailable,
            PartitionOutcome::Contradicted => &mut self.contradicted,
        } += 1;
    }

    /// Whether none were done with.
    pub fn is_nothing(&self) -> bool {
        self.total() == 0
    }

    /// Counts those of another plan.
    pub fn add_all(&mut self, others: &Self) {
        self.complete += others.complete;
        self.gone += others.gone;
        self.refused += others.refused;
        self.unavailable += others.unavailable;
        self.contradicted += others.contradicted;
    }

    /// How many were done with, whatever came of them.
    pub fn total(&self) -> u64 {
        self.complete + self.gone + self.refused + self.unavailable + self.contradicted
    }
}

/// Partitions that are to be pulled, as they were listed when the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPart {
    /// Version of this format.
    pub schema: u32,
    /// The run.
    pub run_id: String,
    /// The part written before this one. Parts are worked on from the last to the first.
    pub previous: Option<PartRef>,
    /// The partitions.
    pub partitions: Vec<Partition>,
}

/// The records that the next run will be shown again. It leaves them out where they are the same, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupSet {
    /// Version of this format.
    pub schema: u32,
    /// The run that was shown them.
    pub run_id: String,
    /// Their digests, sorted.
    pub sha256: Vec<Digest>,
    /// The greatest time in this run and those before it, of a polling stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greatest: Option<Timestamp>,
    /// The set of the run before, of a polling stream: a run is shown nothing twice, so its own set is not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// A part by key and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRef {
    /// Its key.
    pub key: String,
    /// SHA-256 of the part, in hex.
    pub sha256: String,
    /// Objects it lists.
    pub objects: u64,
    /// Records in these objects.
    pub records: u64,
}

/// Sums over a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Pages read.
    pub pages: u64,
    /// Records.
    pub records: u64,
    /// Objects.
    pub objects: u64,
    /// Their size as stored.
    pub bytes: u64,
    /// Their size before compression.
    pub body_bytes: u64,
}

impl Totals {
    /// Adds an object.
    pub fn add(&mut self, object: &ObjectEntry) {
        self.records += object.records;
        self.objects += 1;
        self.bytes += object.bytes;
        self.body_bytes += object.body_bytes;
    }

    /// What was added since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            pages: self.pages.saturating_sub(earlier.pages),
            records: self.records.saturating_sub(earlier.records),
            objects: self.objects.saturating_sub(earlier.objects),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            body_bytes: self.body_bytes.saturating_sub(earlier.body_bytes),
        }
    }
}

/// The whole run in one small file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Version of this format.
    pub schema: u32,
    /// The run.
    pub run_id: String,
    /// Its source.
    pub source: String,
    /// Its account.
    pub account: String,
    /// Its endpoint.
    pub endpoint: String,
    /// `complete`, or `partial` if there are gaps.
    pub verdict: String,
    /// `incremental` or `full`.
    pub mode: String,
    /// The period that it took.
    pub window: Window,
    /// When it started, by the state store's clock.
    pub started_at: Timestamp,
    /// The server's `Date` at its first response; or, if that had none, our clock less the declared `lag`.
    pub first_server_date: Option<Timestamp>,
    /// Its parts, in order.
    pub parts: Vec<PartRef>,
    /// Sums over all parts.
    pub totals: Totals,
    /// Where each partition's next run begins.
    pub cursors: BTreeMap<String, Timestamp>,
    /// The set of records that the next run will be shown again.
    pub dedup_key: Option<String>,
    /// The page that the next run of a polling stream goes on with, if its address is too long for an item of state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PartRef>,
    /// What is missing because the API refused it or no longer has it, up to 1,000; the parts name all partitions.
    #[serde(alias = "holes")]
    pub gaps: Vec<String>,
    /// How its lists ended. Versions before 0.2 did not record it.
    #[serde(default, skip_serializing_if = "Ends::is_empty")]
    pub ends: Ends,
    /// What made the records, where they are not bytes of the API's responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<MadeBy>,
    /// What is to be known about what it read, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How far behind the API's present a poll is that a deadline ended, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// What the API said to an account that lacks the feature: then there are no records to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// How many partitions were pulled, of a stream that is pulled in partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartitionCounts>,
    /// The last part of the plan that says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PartRef>,
    /// Records left out because an earlier run delivered the same bytes.
    pub repeats: u64,
    /// Records left out because they are older than what an earlier run read, where the API does not select by time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unchanged: u64,
    /// The tables that its objects are, if they are tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Tables>,
    /// What identifies its records. Versions before 0.2 did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Keys of its records, if they have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<RunKeys>,
    /// Records that are no longer there, as far as the run shows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<Deletes>,
    /// The manifest that this one was promoted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_from: Option<PromotedFrom>,
}

impl Index {
    /// The stream that was pulled.
    pub fn stream_id(&self) -> StreamId {
        StreamId::new(&self.source, &self.account, &self.endpoint)
    }

    /// Files of keys that it names: of its records, of what it deletes, and of what it does not delete yet.
    pub fn key_files(&self) -> impl Iterator<Item = &EntryFile> {
        let keys = self.keys.iter().flat_map(|keys| &keys.files);
        keys.chain(
            self.deletes.iter().flat_map(|deletes| deletes.files.iter().chain(&deletes.candidates.files)),
        )
    }

    /// Files of parents that it names.
    pub fn scope_files(&self) -> impl Iterator<Item = &EntryFile> {
        self.keys.iter().flat_map(|keys| &keys.scopes)
    }

    /// All files of entries that it names.
    pub fn entry_files(&self) -> impl Iterator<Item = &EntryFile> {
        self.key_files().chain(self.scope_files())
    }
}

/// What identifies records, as the definition said it when they were pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What they are.
    pub kind: RecordKind,
    /// The members that are a record's key, in order; none if nothing but all that it holds is.
    pub primary_key: Vec<Pointer>,
    /// The names of the parents that stand in front of records and belong to the key, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// The member whose greater value is the newer version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Pointer>,
    /// The members that hold a record's time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub time: Vec<Pointer>,
    /// How they write it.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub time_format: TimeFormat,
    /// The zone of times without an offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
}

fn is_usual(format: &TimeFormat) -> bool {
    *format == TimeFormat::default()
}

impl Identity {
    /// That of the records of a definition.
    pub fn of(definition: &Definition) -> Self {
        let list = &definition.endpoint.list;
        let rule = list.incremental();
        Self {
            kind: list.kind(),
            primary_key: list.primary_key.members().to_vec(),
            parents: definition.names_of_parents().into_iter().map(str::to_owned).collect(),
            version: list.version.clone(),
            time: list.times().to_vec(),
            time_format: rule.map(|rule| rule.format_of_records().clone()).unwrap_or_default(),
            time_zone: rule.and_then(|rule| rule.zone.records.clone()),
        }
    }

    /// Whether a record's newest version counts and a key tells which records are versions of one.
    pub fn is_merged(&self) -> bool {
        self.kind == RecordKind::Entity && !self.primary_key.is_empty()
    }
}

/// What made the records of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeBy {
    /// The format of pages, if it is one whose records are not JSON: `csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What stands for a record in a page, if that is no object: `scalars`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<String>,
    /// The hooks that pages went through, by what they make: `page`, `split`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hooks: BTreeMap<String, MadeByHook>,
}

/// A hook, and the code that it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeByHook {
    /// The function, such as `hooks.py:records`.
    pub hook: String,
    /// SHA-256 of its file, in hex.
    pub sha256: String,
}

impl MadeBy {
    /// What makes the records of a definition; `None` if that is the API itself.
    pub fn of(definition: &Definition) -> Option<Self> {
        let list = &definition.endpoint.list;
        let hooks = [("page", &list.hooks.page), ("split", &list.hooks.split)].into_iter();
        let by_hook = hooks.filter_map(|(kind, hook)| {
            let hook = hook.as_ref()?;
            let sha256 = definition.hooks.files.get(hook.file())?.sha256();
            Some((kind.to_owned(), MadeByHook { hook: hook.to_string(), sha256 }))
        });
        let made_by = Self {
            format: (list.format == PageFormat::Csv).then(|| list.format.as_str().to_owned()),
            records: matches!(list.records, RecordsSpec::Scalars(_)).then(|| "scalars".to_owned()),
            hooks: by_hook.collect(),
        };
        (made_by != Self::default()).then_some(made_by)
    }
}

/// The tables of a run. Its later objects may have more columns than its first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tables {
    /// Their columns, as of the last object.
    pub columns: TableSchema,
    /// How they are laid out.
    pub options: TableOptions,
    /// What had no place in the columns, or came to be one.
    pub drift: Drift,
    /// No record has come into them yet: nobody knows the columns, and the first records may show more of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
}

/// The manifest that another one was promoted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotedFrom {
    /// Where it is: a folder or a bucket with a prefix, as a URI.
    #[serde(rename = "place")]
    pub location: String,
    /// The key of its index.
    pub key: String,
    /// SHA-256 of its index, in hex.
    pub sha256: String,
}

/// A manifest file as an object.
pub fn to_object<T: Serialize>(key: String, file: &T) -> Result<Object> {
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::Storage, "write manifest", "cannot write JSON").caused_by(error)
    };
    // A file may list hundreds of thousands of digests: memory that grew with it would be up to three times as much.
    let mut size = ByteCount(1);
    serde_json::to_writer_pretty(&mut size, file).map_err(failed)?;
    let mut bytes = Vec::with_capacity(size.0);
    serde_json::to_writer_pretty(&mut bytes, file).map_err(failed)?;
    bytes.push(b'\n');
    Ok(Object { key, bytes: bytes.into(), content_type: "application/json", content_encoding: None })
}

/// Counts what is written.
struct ByteCount(usize);

impl std::io::Write for ByteCount {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads a manifest file.
pub fn parse<T: for<'de> Deserialize<'de>>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::Mismatch, "read manifest", "this is not a manifest of ours")
            .caused_by(error)
            .with("key", key)
    })
}

/// Reads the part of a manifest or plan that `reference` names, and checks that it is the one that was written.
pub async fn read_part<T: for<'de> Deserialize<'de>>(sink: &dyn Sink, reference: &PartRef) -> Result<T> {
    parse(&reference.key, &read_part_file(sink, reference).await?)
}

/// The same part as the bytes that were written.
pub async fn read_part_file(sink: &dyn Sink, reference: &PartRef) -> Result<Bytes> {
    let bytes = read_existing(sink, &reference.key).await?;
    if sha256_hex(&bytes) == reference.sha256 {
        return Ok(bytes);
    }
    let changed = "the manifest part was changed after it was written";
    Err(Error::new(ErrorKind::Mismatch, "read manifest", changed).with("key", &reference.key))
}

/// Reads an object that must be there.
pub async fn read_existing(sink: &dyn Sink, key: &str) -> Result<Bytes> {
    check_key(key)?;
    sink.read(key).await?.ok_or_else(|| missing(key))
}

/// Reads an object and takes it out of its compression; both forms must be as they were written.
pub async fn read_body(sink: &dyn Sink, compression: Compression, object: &ObjectEntry) -> Result<Vec<u8>> {
    let wrong = |what: &str| Error::new(ErrorKind::Mismatch, "read object", what).with("key", &object.key);
    let stored = read_stored(sink, object).await?;
    let size =
        usize::try_from(object.body_bytes).map_err(|_| wrong("the object is too large for this machine"))?;
    let body = compression.decompress(&stored, size).map_err(|error| error.with("key", &object.key))?;
    if sha256_hex(&body) != object.body_sha256 {
        return Err(wrong("the object's content differs from what was written"));
    }
    Ok(body)
}

/// Reads an object as it is stored, which must be as it was written.
pub async fn read_stored(sink: &dyn Sink, object: &ObjectEntry) -> Result<Bytes> {
    let stored = read_existing(sink, &object.key).await?;
    if sha256_hex(&stored) == object.sha256 { Ok(stored) } else { Err(differs(&object.key)) }
}

/// The parts that end at `last`, first part first, with the records that are not before `bound`; none of these if there are
/// more than can be remembered. One part is in memory at a time.
///
/// `see` is shown each of them, last part first.
pub async fn chain(
    sink: &dyn Sink,
    last: Option<&PartRef>,
    bound: Option<Timestamp>,
    mut see: impl FnMut(&Part) -> Result<()> + Send,
) -> Result<(Vec<PartRef>, Option<Vec<Digest>>)> {
    let (mut parts, mut recent) = (Vec::new(), Some(Vec::new()));
    let mut next = last.cloned();
    while let Some(reference) = next {
        let part: Part = read_part(sink, &reference).await?;
        see(&part)?;
        let again = part.recent.into_iter().filter(|record| bound.is_some_and(|bound| record.time >= bound));
        if let Some(all) = &mut recent {
            all.extend(again.map(|record| record.sha256));
            // A record that was shown twice counts once.
            if all.len() > MAX_DEDUP_SET {
                all.sort_unstable();
                all.dedup();
            }
        }
        recent = recent.filter(|all| all.len() <= MAX_DEDUP_SET);
        next = part.previous;
        parts.push(reference);
    }
    parts.reverse();
    if let Some(all) = &mut recent {
        all.sort_unstable();
        all.dedup();
    }
    Ok((parts, recent))
}

/// SHA-256 in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    crate::hex(&<Sha256 as sha2::Digest>::digest(bytes))
}
