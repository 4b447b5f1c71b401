//! Lakes of runs that tests make up, and what they must read as: a naive model over the same records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::paths::TablePlaces;
use super::rebuild::{record_of_row, text_at};
use super::table::{LakeReading, LakeTable, View};
use super::*;
use crate::clock::later;
use crate::encode::{Compression, Encoder, Format, JsonArray, Ndjson, Scratch};
use crate::error::Result;
use crate::extract::cursor::Window;
use crate::lake::entry_files::write_entries;
use crate::lake::external_sort::sort;
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{self, sha256_hex};
use crate::lake::marker::Marker;
use crate::lake::record_key::{KeyBuilder, KeyValue, RecordKey, ScopeKey, key_entry};
use crate::lake::sink::{MemorySink, Object, Sink};
use crate::lake::stream_id::StreamId;
use crate::stop::Stop;
use crate::table::{Contract, Converter, Nested, TableOptions, TableSchema};

/// How a run's objects look.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    Json(Compression),
    Ndjson(Compression),
    Parquet(Nested),
    Arrow(Nested),
}

impl Look {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let compression =
            || proptest::sample::select(vec![Compression::Gzip, Compression::Zstd, Compression::None]);
        let nested = || proptest::sample::select(vec![Nested::Struct, Nested::Flatten, Nested::Json]);
        prop_oneof![
            compression().prop_map(Self::Json),
            compression().prop_map(Self::Ndjson),
            nested().prop_map(Self::Parquet),
            nested().prop_map(Self::Arrow),
        ]
    }
}

/// A run as a test wants it.
#[derive(Debug, Clone)]
pub(super) struct TestRun {
    pub(super) account: &'static str,
    pub(super) look: Look,
    /// The records of each object.
    pub(super) objects: Vec<Vec<Value>>,
    pub(super) full: bool,
    pub(super) partial: bool,
    /// It has an index and no marker.
    pub(super) uncommitted: bool,
    /// The ids that it deletes.
    pub(super) deletes: Vec<Value>,
}

impl TestRun {
    pub(super) fn of(look: Look, records: &[Value]) -> Self {
        let objects = vec![records.to_vec()];
        Self {
            account: "acme",
            look,
            objects,
            full: true,
            partial: false,
            uncommitted: false,
            deletes: Vec::new(),
        }
    }
}

/// A lake in memory.
#[derive(Debug)]
pub(super) struct TestLake {
    pub(super) sink: Arc<MemorySink>,
    /// Where runs are written.
    pub(super) location: Arc<dyn Sink>,
    pub(super) identity: Value,
    /// What each run says of its keys.
    pub(super) keys: Value,
    runs: u32,
    pub(super) memory: u64,
}

/// The time at which the `n`th run was committed.
pub(super) fn committed_at(n: u32) -> Timestamp {
    let first = "2026-11-22T05:30:00Z".parse().unwrap();
    later(first, Duration::from_secs(u64::from(n) * 3600))
}

impl TestLake {
    pub(super) fn new(identity: Value) -> Self {
        let sink = Arc::<MemorySink>::default();
        Self {
            location: Arc::clone(&sink) as _,
            sink,
            identity,
            keys: Value::Null,
            runs: 0,
            memory: 64_000_000,
        }
    }

    pub(super) async fn create(&self, key: &str, bytes: impl Into<Bytes>) {
        let object =
            Object { key: key.to_owned(), bytes: bytes.into(), content_type: "", content_encoding: None };
        self.location.create(object).await.unwrap();
    }

    /// Writes a run, and returns the key of its index.
    pub(super) async fn write(&mut self, run: &TestRun) -> String {
        self.write_objects(run, run.objects.iter().cloned()).await
    }

    /// Writes a run with those objects.
    pub(super) async fn write_objects(
        &mut self,
        run: &TestRun,
        objects: impl Iterator<Item = Vec<Value>>,
    ) -> String {
        let number = self.runs;
        self.runs += 1;
        let run_id = format!("20261122T{number:06}000Z-0123456789");
        let stream = StreamId::new("test", run.account, "things");
        let started_at = committed_at(number);
        let keys = StreamKeys::new(&stream, &run_id, started_at);
        let (mut entries, mut converter) = (Vec::new(), None);
        for (number, records) in objects.enumerate() {
            let (body, stored) = encoded(run.look, &records, &mut converter);
            let key = keys.object(0, 1, number as u64, ".x");
            entries.push(json!({
                "key": key, "records": records.len(), "bytes": stored.len(), "sha256": sha256_hex(&stored),
                "body_bytes": body.len(), "body_sha256": sha256_hex(&body), "times": times_of(&records),
            }));
            self.create(&key, stored).await;
        }
        let (format, compression) = match run.look {
            Look::Json(compression) => ("json", compression),
            Look::Ndjson(compression) => ("ndjson", compression),
            Look::Parquet(_) => ("parquet", Compression::Zstd),
            Look::Arrow(_) => ("arrow", Compression::Zstd),
        };
        let sum = |name: &str| entries.iter().map(|entry| entry[name].as_u64().unwrap()).sum::<u64>();
        let totals = json!({
            "pages": 1, "records": sum("records"), "objects": entries.len(), "bytes": sum("bytes"),
            "body_bytes": sum("body_bytes"),
        });
        let part = json!({
            "schema": 1, "run_id": run_id, "format": format, "compression": compression, "previous": null,
            "objects": entries,
        });
        let part = serde_json::to_vec(&part).unwrap();
        let part_key = keys.part(0, 1, 0);
        let reference = json!({
            "key": part_key, "sha256": sha256_hex(&part), "objects": totals["objects"], "records": totals["records"],
        });
        self.create(&part_key, part).await;
        let tables = converter.map(|converter: Converter| {
            json!({"columns": converter.schema(), "options": options(run.look), "drift": converter.drift()})
        });
        let deletes = self.write_deletes(run, &keys).await;
        let index = json!({
            "schema": 1, "run_id": run_id, "source": "test", "account": run.account, "endpoint": "things",
            "verdict": if run.partial { "partial" } else { "complete" },
            "mode": if run.full { "full" } else { "incremental" },
            "window": {"since": if run.full { Value::Null } else { json!("2026-01-01T00:00:00Z") }, "until": null},
            "started_at": started_at, "first_server_date": null, "parts": [reference], "totals": totals,
            "cursors": {}, "dedup_key": null, "gaps": [], "repeats": 0, "identity": self.identity, "tables": tables,
            "deletes": deletes, "keys": self.keys,
        });
        self.create(&keys.index(), serde_json::to_vec(&index).unwrap()).await;
        manifest::parse::<manifest::Index>("it", &serde_json::to_vec(&index).unwrap()).unwrap();
        if !run.uncommitted {
            Marker::create(&*self.location, &keys, &run_id, committed_at(number)).await.unwrap();
        }
        keys.index()
    }

    async fn write_deletes(&self, run: &TestRun, keys: &StreamKeys) -> Value {
        let keys_of = run.deletes.iter().filter_map(key_of);
        let mut entries: Vec<_> = keys_of.map(|key| key_entry(ScopeKey::default(), key)).collect();
        sort(&mut entries);
        if entries.is_empty() {
            return Value::Null;
        }
        let key = |_: &str| format!("{}deletes-0.bin", keys.parts());
        let file = write_entries(&*self.location, key, &entries).await.unwrap();
        json!({"count": entries.len(), "files": [file]})
    }

    pub(super) fn table(&self) -> LakeTable {
        LakeTable {
            sink: Arc::clone(&self.location),
            source: "test".to_owned(),
            endpoint: "things".to_owned(),
            account: None,
            view: View::Current,
            at: None,
            changed_after: None,
            window: Window::default(),
            columns: None,
            identity: None,
            declared: None,
            memory: self.memory,
            store: None,
            stop: Stop::new(None),
        }
    }
}

/// Between which the times `at` of records lie.
fn times_of(records: &[Value]) -> Value {
    let times = records.iter().filter_map(|record| record["at"].as_str());
    let times: Vec<Timestamp> = times.filter_map(|text| text.parse().ok()).collect();
    match (times.iter().min(), times.iter().max()) {
        (Some(min), Some(max)) => json!({"min": min, "max": max}),
        _ => Value::Null,
    }
}

/// The key of records with this id, if it is one.
pub(super) fn key_of(id: &Value) -> Option<RecordKey> {
    let mut builder = KeyBuilder::default();
    builder.value(KeyValue::Json(id.to_string().as_bytes()));
    builder.finish()
}

fn options(look: Look) -> TableOptions {
    match look {
        Look::Parquet(nested) | Look::Arrow(nested) => TableOptions { nested, raw: false },
        Look::Json(_) | Look::Ndjson(_) => TableOptions::default(),
    }
}

fn text_of(records: &[Value]) -> Vec<Vec<u8>> {
    records.iter().map(|record| serde_json::to_vec(record).unwrap()).collect()
}

/// The names of the parents in records.
fn parents(records: &[Value]) -> Vec<String> {
    let names = records.iter().filter_map(|record| record["_circulate"]["parent"].as_object());
    let mut names: Vec<_> = names.flat_map(|parent| parent.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

fn encoded(look: Look, records: &[Value], converter: &mut Option<Converter>) -> (Vec<u8>, Vec<u8>) {
    let lines = |mut encoder: Box<dyn Encoder>| {
        for record in text_of(records) {
            encoder.write(&record);
        }
        encoder.finish()
    };
    let packed = |body: Vec<u8>, compression: Compression| {
        let stored = compression.compress(body.clone(), &mut Scratch::default()).unwrap();
        (body, stored)
    };
    match look {
        Look::Json(compression) => packed(lines(Box::<JsonArray>::default()), compression),
        Look::Ndjson(compression) => packed(lines(Box::<Ndjson>::default()), compression),
        Look::Parquet(_) | Look::Arrow(_) => {
            let text = lines(Box::<JsonArray>::default());
            let converter = converter.get_or_insert_with(|| {
                let known = TableSchema::nothing().marked(&parents(records), false);
                Converter::from_sample(&known, options(look), Contract::Evolve, &text).unwrap()
            });
            let batch = converter.convert_array(&text).unwrap();
            let format = if matches!(look, Look::Arrow(_)) { Format::Arrow } else { Format::Parquet };
            let mut columnar = crate::encode::Columnar::new(format, Compression::Zstd, 1_000_000);
            columnar.take(&batch).unwrap();
            let stored = columnar.finish().unwrap().unwrap().bytes;
            (stored.clone(), stored)
        }
    }
}

/// A table that was read: its rows, and what was reported.
#[derive(Debug)]
pub(super) struct ReadTable {
    pub(super) columns: TableSchema,
    pub(super) options: TableOptions,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) report: LakeReport,
}

pub(super) async fn read(table: LakeTable) -> Result<ReadTable> {
    let plan = Arc::new(table.plan().await?);
    let (columns, options) = (plan.columns().clone(), plan.options());
    let schema = plan.schema();
    let mut reading: LakeReading = plan.read(Stop::new(None));
    let mut batches = Vec::new();
    while let Some(batch) = reading.next().await? {
        assert_eq!(batch.schema(), schema);
        batches.push(batch);
    }
    Ok(ReadTable { columns, options, batches, report: reading.report().unwrap().clone() })
}

impl ReadTable {
    /// Each row as where it is from (its account; in the history its run, and what it says) and the digest of what it holds, sorted.
    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        for batch in &self.batches {
            let schema = batch.schema();
            let paths = TablePlaces { columns: &self.columns, options: self.options, arrow: &schema };
            for row in 0..batch.num_rows() {
                let record = record_of_row(&paths, batch, row).unwrap();
                let text = |column: &str| {
                    text_at(batch, column, row).map(|text| String::from_utf8(text.to_vec()).unwrap())
                };
                let of_history = ["_run_id", "_change"].into_iter().filter_map(text);
                let origin: Vec<_> = text("_account").into_iter().chain(of_history).collect();
                rows.push((origin.join(" "), content(&record, self.options.nested == Nested::Flatten)));
            }
        }
        rows.sort();
        rows
    }
}

/// What a record holds, without what no table tells from nothing.
pub(super) fn content(record: &[u8], without_empty: bool) -> String {
    let mut value: Value = serde_json::from_slice(record).unwrap();
    settle(&mut value, without_empty);
    let mut builder = KeyBuilder::default();
    builder.value(KeyValue::Json(&serde_json::to_vec(&value).unwrap()));
    format!("{} {}", builder.finish().unwrap(), value)
}

/// Times in one form, so that what is shown when a test fails can be compared.
fn settle(value: &mut Value, without_empty: bool) {
    match value {
        Value::String(text) => {
            if let Some(micros) = crate::timestamp::parse_timestamp(text.as_bytes())
                .and_then(crate::timestamp::Instant::microseconds)
            {
                *text = Timestamp::from_microsecond(micros).unwrap().to_string();
            }
        }
        Value::Array(items) => {
            for item in items {
                settle(item, without_empty);
            }
        }
        Value::Object(members) => {
            for member in members.values_mut() {
                settle(member, without_empty);
            }
            members.retain(|_, member| {
                let is_empty = member.as_object().is_some_and(serde_json::Map::is_empty);
                !(member.is_null() || without_empty && is_empty)
            });
            let mut sorted: BTreeMap<_, _> = std::mem::take(members).into_iter().collect();
            members.extend(std::mem::take(&mut sorted));
        }
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15) {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
                let whole = whole as i64;
                *number = whole.into();
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn id() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (0u8..6).prop_map(|id| json!(format!("id-{id}"))),
        2 => (0u8..3).prop_map(|id| json!(id)),
        1 => Just(json!(1.5)),
        1 => Just(json!("2026-01-01T00:00:00Z")),
        1 => Just(Value::Null),
        1 => Just(json!("é\n\"")),
        1 => (0u8..2).prop_map(|id| json!({"a": {"b": id}, "c": "x"})),
        1 => (0u8..2).prop_map(|id| json!([1, {"x": id}])),
    ]
}

pub(super) fn record() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        (0i64..4).prop_map(|number| json!(number)),
        Just(json!(2.5)),
        Just(json!("text")),
        Just(json!("2026-02-03T04:05:06.789Z")),
        Just(json!(true)),
        Just(Value::Null),
        Just(json!([1, 2])),
        Just(json!([{"x": "y"}])),
        Just(json!({"login": "a"})),
        Just(json!({"login": 7, "other": null})),
    ];
    let members = proptest::collection::btree_map("[a-d]", scalar, 0..4);
    let version =
        prop_oneof![Just(Value::Null), (0i64..3).prop_map(|v| json!(v)), Just(json!("2026-01-01T00:00:00Z"))];
    (id(), members, version, 0u8..3).prop_map(|(id, members, version, n)| {
        let mut record = json!({"id": id, "version": version, "n": n});
        record.as_object_mut().unwrap().extend(members);
        record
    })
}

pub(super) fn run() -> impl Strategy<Value = TestRun> {
    let objects = proptest::collection::vec(proptest::collection::vec(record(), 1..5), 0..4);
    let flags = (any::<bool>(), proptest::bool::weighted(0.2), any::<bool>(), proptest::bool::weighted(0.1));
    let deletes = proptest::collection::vec(id(), 0..4);
    (Look::any(), objects, flags, deletes).prop_map(|(look, objects, flags, deletes)| {
        let (second, partial, full, uncommitted) = flags;
        let account = if second { "other" } else { "acme" };
        TestRun { account, look, objects, full, partial, uncommitted, deletes }
    })
}

pub(super) fn by_id() -> Value {
    json!({"kind": "entity", "primary_key": ["/id"]})
}

pub(super) fn expected(records: &[(String, Value)], table: &ReadTable) -> Vec<(String, String)> {
    let without_empty = table.options.nested == Nested::Flatten;
    let row = |(account, record): &(String, Value)| {
        (account.clone(), content(record.to_string().as_bytes(), without_empty))
    };
    let mut rows: Vec<_> = records.iter().map(row).collect();
    rows.sort();
    rows
}

pub(super) async fn lake_of(identity: Value, runs: &[TestRun]) -> TestLake {
    let mut lake = TestLake::new(identity);
    for run in runs {
        lake.write(run).await;
    }
    lake
}

pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The version of a record as it compares to that of others.
pub(super) fn rank(record: &Value) -> (u8, i64) {
    match &record["version"] {
        Value::Number(number) => (1, number.as_i64().unwrap()),
        Value::String(_) => (2, 0),
        _ => (0, 0),
    }
}
