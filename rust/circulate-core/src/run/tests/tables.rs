//! Pulls into tables: what becomes of their columns from object to object, attempt to attempt and run to run.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::encode::{Compression, Format};
use crate::lake::manifest::{Tables, read_existing};
use crate::lake::write::ObjectFormat;
use crate::stop::Stop;
use crate::table::{Contract, Nested, TableOptions};
use crate::testing::{Lake, Script, ScriptedResponse, after, page, user};

fn tables(mut pull: Pull) -> Pull {
    pull.options.objects = ObjectFormat::new(Format::Parquet, None, None, None).unwrap();
    pull.options.mode = Mode::Full;
    pull
}

/// A user with members of its own.
fn user_with(number: u32, members: &str) -> String {
    user(number).replacen('{', &format!("{{{members},"), 1)
}

async fn pulled(pull: Pull) -> Report {
    let outcome = tables(pull).run().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.report.status, Verdict::Complete);
    outcome.report
}

/// Pulls one page into tables.
async fn pull_page(lake: &Lake, records: &[String]) -> Report {
    pulled(lake.pull(&Script::new([page(records)]))).await
}

/// The batches of each object that a report's manifest names.
async fn read(lake: &Lake, report: &Report) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    for object in lake.objects(report.manifest.as_ref().unwrap()).await {
        let stored = read_existing(&*lake.sink, &object.key).await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(stored).unwrap().build().unwrap();
        batches.extend(reader.map(Result::unwrap));
    }
    batches
}

async fn index(lake: &Lake, report: &Report) -> Index {
    let key = report.manifest.as_ref().unwrap();
    manifest::parse(key, &read_existing(&*lake.sink, key).await.unwrap()).unwrap()
}

async fn tables_of(lake: &Lake, report: &Report) -> Tables {
    index(lake, report).await.tables.unwrap()
}

fn ids(batch: &RecordBatch) -> Vec<&str> {
    batch.column_by_name("id").unwrap().as_string::<i32>().iter().flatten().collect()
}

fn integers(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
}

fn rescued(batch: &RecordBatch) -> Vec<Option<&str>> {
    batch.column_by_name("_rescued").unwrap().as_string::<i32>().iter().collect()
}

#[tokio::test(start_paused = true)]
async fn a_list_becomes_one_table_that_a_manifest_describes() {
    let lake = Lake::default();
    let script = Script::new([page(&[user(0), user(1)]).next(&after(2)), page(&[user(2)])]);
    let report = pulled(lake.pull(&script)).await;
    assert_eq!((report.totals.records, report.totals.objects), (3, 1));
    let batches = read(&lake, &report).await;
    assert_eq!(ids(&batches[0]), ["00u0", "00u1", "00u2"]);
    let objects = lake.objects(report.manifest.as_ref().unwrap()).await;
    assert!(objects[0].key.ends_with("-00000000.parquet"), "{objects:?}");
    assert_eq!(tables_of(&lake, &report).await.drift.total(), 0);
    assert_eq!(report.drift, Some(Drifted::default()));
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_has_its_declared_columns_and_no_object() {
    let lake = Lake::default();
    let report = pull_page(&lake, &[]).await;
    assert_eq!(report.totals.objects, 0);
    let columns = tables_of(&lake, &report).await.columns.arrow(TableOptions::default());
    let created = columns.field_with_name("created").unwrap().data_type().clone();
    assert!(matches!(created, DataType::Timestamp(..)), "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_the_columns_of_the_run_before() {
    let lake = Lake::default();
    pull_page(&lake, &[user_with(0, r#""zone":5"#)]).await;
    let report = pull_page(&lake, &[user_with(1, r#""zone":"five","extra":1"#)]).await;
    let batches = read(&lake, &report).await;
    assert_eq!(integers(&batches[0], "zone"), [None], "a column never changes its type");
    assert_eq!(integers(&batches[0], "extra"), [Some(1)]);
    assert_eq!(rescued(&batches[0]), [Some(r#"{"/zone":"five"}"#)]);
    let drifted = report.drift.unwrap();
    let locations: Vec<_> = drifted.entries.iter().map(|entry| (&*entry.path, &*entry.example)).collect();
    assert_eq!(locations, [("/extra", "1"), ("/zone", r#""five""#)]);
}

#[tokio::test(start_paused = true)]
async fn after_an_empty_run_the_first_records_show_the_columns() {
    let lake = Lake::default();
    pull_page(&lake, &[]).await;
    pull_page(&lake, &[]).await;
    let mut pull = lake.pull(&Script::new([page(&[user_with(0, r#""zone":5"#)])]));
    pull.options.contract = Contract::Freeze;
    let report = pulled(pull).await;
    assert_eq!(integers(&read(&lake, &report).await[0], "zone"), [Some(5)]);
    assert_eq!(report.drift, Some(Drifted::default()));
    assert!(!tables_of(&lake, &report).await.empty);
    pull_page(&lake, &[]).await;
    let report = pull_page(&lake, &[user_with(1, r#""zone":"five""#)]).await;
    assert_eq!(integers(&read(&lake, &report).await[0], "zone"), [None], "and later empty runs keep them");
}

#[tokio::test(start_paused = true)]
async fn new_columns_begin_a_new_object() {
    let lake = Lake::default();
    let script = Script::new([page(&[user(0)]).next(&after(1)), page(&[user_with(1, r#""late":7"#)])]);
    let mut pull = lake.pull(&script);
    // Every page is converted by itself.
    pull.options.checkpoint_interval = Duration::ZERO;
    let report = pulled(pull).await;
    let batches = read(&lake, &report).await;
    assert_eq!(batches.len(), 2);
    assert!(batches[0].column_by_name("late").is_none());
    assert_eq!(integers(&batches[1], "late"), [Some(7)]);
    let columns = tables_of(&lake, &report).await.columns;
    assert!(columns.members().iter().any(|member| member.name == "late"));
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_goes_on_with_columns_and_drift_of_the_one_before() {
    let lake = Lake::default();
    pull_page(&lake, &[user_with(9, r#""zone":5"#)]).await;
    let stop = Stop::new(None);
    let first = page(&[user_with(0, r#""new":1"#), user_with(1, r#""zone":"x""#)]).next(&after(2));
    let second = page(&[user_with(2, r#""zone":true,"new":"y""#)]);
    let script = Script::new([first, second.clone().interrupting(&stop)]);
    let mut pull = lake.pull(&script);
    pull.stop = stop;
    let report = tables(pull).run().await.report;
    assert_eq!((report.status, report.totals.records), (Verdict::Partial, 2));
    let report = pulled(lake.pull(&Script::new([second]))).await;
    assert!(report.resumed);
    assert_eq!(report.drift.as_ref().unwrap().values, 4, "{:?}", report.drift);
    let batches = read(&lake, &report).await;
    assert_eq!(rescued(batches.last().unwrap()), [Some(r#"{"/zone":true,"/new":"y"}"#)]);
}

#[tokio::test(start_paused = true)]
async fn what_drifts_under_freeze_ends_the_pull_and_loses_nothing() {
    let lake = Lake::default();
    pull_page(&lake, &[user_with(0, r#""zone":5"#)]).await;
    let drifting = || lake.pull(&Script::new([page(&[user_with(1, r#""zone":"five""#)])]));
    let mut frozen = tables(drifting());
    frozen.options.contract = Contract::Freeze;
    let outcome = frozen.run().await;
    let error = outcome.error.unwrap();
    assert!(error.to_string().contains("`/zone`: expected integer, found string"), "{error}");
    assert!(error.hint_text().unwrap().contains("rescue"));
    assert_eq!(outcome.report.totals.records, 0);
    let report = pulled(drifting()).await;
    assert!(!report.resumed, "the first page was not taken in, so there is nothing to go on with");
    assert_eq!(rescued(&read(&lake, &report).await[0]), [Some(r#"{"/zone":"five"}"#)]);
}

#[tokio::test(start_paused = true)]
async fn new_members_are_rescued_if_columns_are_to_stay() {
    let lake = Lake::default();
    pull_page(&lake, &[user(0)]).await;
    let mut pull = lake.pull(&Script::new([page(&[user_with(1, r#""extra":{"a":[1]}"#)])]));
    pull.options.contract = Contract::Rescue;
    let report = pulled(pull).await;
    let batches = read(&lake, &report).await;
    assert!(batches[0].column_by_name("extra").is_none());
    assert_eq!(rescued(&batches[0]), [Some(r#"{"/extra":{"a":[1]}}"#)]);
}

#[tokio::test(start_paused = true)]
async fn another_layout_than_readers_know_is_refused_with_the_way_out() {
    let lake = Lake::default();
    pull_page(&lake, &[user(0)]).await;
    let mut pull = tables(lake.pull(&Script::new([])));
    pull.options.tables.nested = Nested::Flatten;
    let error = pull.run().await.error.unwrap();
    assert!(error.hint_text().unwrap().contains("pull with `struct`"), "{error:?}");
    assert_eq!(lake.runs().await.len(), 1, "no run was opened for it");
}

#[tokio::test(start_paused = true)]
async fn tables_and_records_may_follow_each_other() {
    let lake = Lake::default();
    pull_page(&lake, &[user(0)]).await;
    let mut json = lake.pull(&Script::new([page(&[user(1)])]));
    json.options.mode = Mode::Full;
    let report = json.run().await.report;
    assert_eq!((report.status, report.drift), (Verdict::Complete, None));
    assert_eq!(pull_page(&lake, &[user(2)]).await.totals.records, 1);
}

#[tokio::test(start_paused = true)]
async fn tables_are_closed_by_their_size() {
    let lake = Lake::default();
    let big = |number| user_with(number, &format!(r#""noise":"{}""#, "x".repeat(3_000_000)));
    let pages = (0..6).map(|n| {
        let response = page(&[big(n)]);
        if n < 5 { response.next(&after(n)) } else { response }
    });
    let mut pull = tables(lake.pull(&Script::new(pages)));
    pull.options.objects =
        ObjectFormat::new(Format::Arrow, Some(Compression::None), None, Some(5_000_000)).unwrap();
    let report = pull.run().await.report;
    assert_eq!(report.status, Verdict::Complete);
    let objects = lake.objects(report.manifest.as_ref().unwrap()).await;
    assert_eq!(objects.iter().map(|object| object.records).collect::<Vec<_>>(), [2, 2, 2]);
    assert!(objects.iter().all(|object| object.key.contains(".arrow")));
}

#[tokio::test(start_paused = true)]
async fn the_same_records_become_the_same_bytes() {
    let responses = || {
        Script::new([page(&[user(0), user_with(1, r#""b":1,"a":"2""#)]), ScriptedResponse::new(200, "[]")])
    };
    let mut digests = Vec::new();
    for _ in 0..2 {
        let lake = Lake::default();
        let report = pulled(lake.pull(&responses())).await;
        digests.push(lake.objects(report.manifest.as_ref().unwrap()).await[0].sha256.clone());
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn options_that_tables_do_not_know_are_refused() {
    let gzip = ObjectFormat::new(Format::Parquet, Some(Compression::Gzip), None, None).unwrap_err();
    assert!(gzip.to_string().contains("zstd"), "{gzip}");
    assert!(ObjectFormat::new(Format::Parquet, None, Some(10), None).is_err());
    let parquet = ObjectFormat::new(Format::Parquet, None, None, None).unwrap();
    assert!(parquet.memory(Some(1_000_000)).is_err());
}
