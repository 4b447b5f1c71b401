//! The current table is what a naive model says, whatever formats, layouts and accounts the runs have.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{
    Look, ReadTable, TestLake, TestRun, block_on, by_id, committed_at, expected, key_of, lake_of, rank, read,
    run,
};
use super::*;
use crate::encode::Compression;
use crate::error::ErrorKind;
use crate::lake::record_key::RecordKey;
use crate::lake::sink::Sink;
use crate::table::Nested;

const JSON: Look = Look::Json(Compression::Gzip);

/// The newest record of each account and key, and all without a key.
fn naive(runs: &[TestRun], by_version: bool) -> Vec<(String, Value)> {
    let (mut newest, mut without_key) = (BTreeMap::new(), Vec::new());
    for run in runs.iter().filter(|run| !run.uncommitted) {
        for key in run.deletes.iter().filter_map(key_of) {
            newest.remove(&(run.account.to_owned(), key));
        }
        let mut of_run: BTreeMap<RecordKey, &Value> = BTreeMap::new();
        for record in run.objects.iter().flatten() {
            let Some(key) = key_of(&record["id"]) else {
                without_key.push((run.account.to_owned(), record.clone()));
                continue;
            };
            let known = of_run.entry(key).or_insert(record);
            if !by_version || rank(record) >= rank(known) {
                *known = record;
            }
        }
        for (key, record) in of_run {
            newest.insert((run.account.to_owned(), key), record.clone());
        }
    }
    let with_key = newest.into_iter().map(|((account, _), record)| (account, record));
    with_key.chain(without_key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn it_is_the_newest_version_of_each_record(runs in proptest::collection::vec(run(), 1..6), by_version in any::<bool>()) {
        prop_assume!(runs.iter().any(|run| !run.uncommitted));
        block_on(async {
            let mut identity = by_id();
            if by_version {
                identity["version"] = json!("/version");
            }
            let lake = lake_of(identity, &runs).await;
            let table = read(lake.table()).await.unwrap();
            let naive = naive(&runs, by_version);
            assert_eq!(table.rows(), expected(&naive, &table));
            assert_eq!(table.report.rows, naive.len() as u64);
            let nulls = runs.iter().filter(|run| !run.uncommitted).flat_map(|run| run.objects.iter().flatten());
            let nulls = nulls.filter(|record| record["id"].is_null()).count();
            assert_eq!(table.report.without_key, nulls as u64);
        });
    }

    #[test]
    fn requested_columns_are_those_of_the_whole_table(runs in proptest::collection::vec(run(), 1..5)) {
        prop_assume!(runs.iter().any(|run| !run.uncommitted));
        block_on(async {
            let lake = lake_of(by_id(), &runs).await;
            let whole = read(lake.table()).await.unwrap();
            let names: Vec<_> = whole.batches.iter().flat_map(|batch| batch.schema().fields().to_vec()).collect();
            let Some(requested) = names.iter().map(|field| field.name()).find(|name| name.starts_with('c')) else { return };
            let requested = vec![requested.clone(), "_account".to_owned()];
            let pruned = read(LakeTable { columns: Some(requested.clone()), ..lake.table() }).await.unwrap();
            let shown = |table: &ReadTable| {
                let mut rows: Vec<_> = table.batches.iter().flat_map(|batch| {
                    let columns = requested.iter().map(|name| std::sync::Arc::clone(batch.column_by_name(name).unwrap()));
                    let columns: Vec<_> = columns.collect();
                    (0..batch.num_rows()).map(move |row| format!("{:?}", columns.iter().map(|column| column.slice(row, 1)).collect::<Vec<_>>())).collect::<Vec<_>>()
                }).collect();
                rows.sort();
                rows
            };
            assert_eq!(shown(&pruned), shown(&whole));
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn as_of_a_time_it_is_that_of_the_runs_until_then(runs in proptest::collection::vec(run(), 1..6), until in 0usize..6) {
        let past = &runs[..runs.len().min(until + 1)];
        prop_assume!(past.iter().any(|run| !run.uncommitted));
        block_on(async {
            let lake = lake_of(by_id(), &runs).await;
            let at = committed_at(u32::try_from(until).unwrap());
            let table = read(LakeTable { at: Some(at), ..lake.table() }).await.unwrap();
            assert_eq!(table.rows(), expected(&naive(past, false), &table));
        });
    }
}

#[tokio::test]
async fn before_the_first_run_there_is_no_table() {
    let lake = lake_of(by_id(), &[TestRun::of(JSON, &[json!({"id": 1})])]).await;
    let at = Some("2026-01-01T00:00:00Z".parse().unwrap());
    let error = read(LakeTable { at, ..lake.table() }).await.unwrap_err();
    assert!(error.to_string().contains("no run of test.things was committed until 2026-01-01"), "{error}");
    assert!(error.hint_text().unwrap().contains("2026-11-22"), "{error}");
}

#[tokio::test]
async fn deletes_of_a_tampered_file_are_an_error_and_withheld_ones_are_named() {
    let mut second = TestRun::of(JSON, &[json!({"id": 2})]);
    second.deletes = vec![json!(1)];
    let lake = lake_of(by_id(), &[TestRun::of(JSON, &[json!({"id": 1})]), second]).await;
    assert_eq!(read(lake.table()).await.unwrap().report.rows, 1);
    let file = lake.sink.keys().into_iter().find(|key| key.ends_with("deletes-0.bin")).unwrap();
    lake.sink.remove(&file).await.unwrap();
    lake.create(&file, vec![0; 32]).await;
    assert!(read(lake.table()).await.unwrap_err().to_string().contains(&file));
}

/// Removes the objects of a run, as retention does.
async fn forget(lake: &TestLake, run: u32) {
    let run = format!("/20261122T{run:06}000Z-");
    for key in lake.sink.keys().into_iter().filter(|key| key.starts_with("test/") && key.contains(&run)) {
        lake.sink.remove(&key).await.unwrap();
    }
}

#[tokio::test]
async fn what_retention_removed_is_not_needed_after_a_full_run_that_says_what_is_gone() {
    let records = |n: u8| (0..n).map(|id| json!({"id": id, "n": n})).collect::<Vec<_>>();
    let mut runs = [4, 3, 2].map(|n| TestRun::of(JSON, &records(n)));
    runs[1].objects = records(3).into_iter().map(|record| vec![record]).collect();
    runs[2].full = false;
    let identity = by_id();
    let mut lake = lake_of(identity.clone(), &runs).await;
    forget(&lake, 0).await;
    let error = read(lake.table()).await.unwrap_err();
    assert!(
        error.to_string().contains("000000000Z-") && error.hint_text().unwrap().contains("--full"),
        "{error}"
    );
    let history = read(LakeTable { view: View::History, ..lake.table() }).await.unwrap();
    assert_eq!((history.report.rows, history.report.history_starts_at), (5, Some(committed_at(1))));
    // The second object of a run, while its first one is there.
    let keys = lake.sink.keys();
    let gone = keys.iter().filter(|key| key.starts_with("test/") && key.contains("T000001")).nth(1).unwrap();
    lake.sink.remove(gone).await.unwrap();
    let error = read(LakeTable { view: View::History, ..lake.table() }).await.unwrap_err();
    assert!(error.to_string().contains(gone), "{error}");
    // What a full run says that has keys beside its manifest needs nothing of those before it.
    for whole in [false, true] {
        lake = TestLake::new(identity.clone());
        lake.keys = json!({"files": [], "whole": whole, "complete": true, "selection": "s"});
        for run in &runs {
            lake.write(run).await;
        }
        forget(&lake, 0).await;
        let table = read(lake.table()).await;
        assert_eq!(table.map(|table| table.report.rows).ok(), whole.then_some(3));
    }
}

/// Removes the index of a run, and not its marker.
async fn lose(lake: &TestLake, run: u32) -> String {
    let name = format!("/20261122T{run:06}000Z-0123456789.json");
    let key = lake.sink.keys().into_iter().find(|key| key.ends_with(&name)).unwrap();
    lake.sink.remove(&key).await.unwrap();
    key
}

#[tokio::test]
async fn a_committed_run_whose_manifest_is_missing_is_an_error_that_names_it() {
    let runs = [1, 2, 3].map(|id| TestRun::of(JSON, &[json!({"id": id})]));
    for number in [1, 2, 0] {
        let lake = lake_of(by_id(), &runs).await;
        let key = lose(&lake, number).await;
        let error = read(lake.table()).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Mismatch && error.to_string().contains(&key), "{error}");
        // What is oldest may have been removed by retention.
        let history = read(LakeTable { view: View::History, ..lake.table() }).await;
        let starts = history.map(|table| (table.report.rows, table.report.history_starts_at)).ok();
        assert_eq!(starts, (number == 0).then_some((2, Some(committed_at(1)))));
    }
    let lake = lake_of(by_id(), &runs[..1]).await;
    let key = lose(&lake, 0).await;
    assert!(read(lake.table()).await.unwrap_err().to_string().contains(&key), "no manifest is left");
    let mut whole = TestLake::new(by_id());
    whole.keys = json!({"files": [], "whole": true, "complete": true, "selection": "s"});
    for run in &runs {
        whole.write(run).await;
    }
    lose(&whole, 0).await;
    assert_eq!(read(whole.table()).await.unwrap().report.rows, 1, "a full run needs nothing before it");
}

#[tokio::test]
async fn a_key_that_is_an_object_or_a_list_is_the_same_in_any_format() {
    let looks = [Nested::Struct, Nested::Flatten, Nested::Json].map(Look::Parquet);
    let record = |id: Value, n: u8| json!({"id": id, "n": n});
    let ids = [json!({"a": 1, "b": {"c": "x"}}), json!({"a": 2, "b": {"c": "x"}}), json!({"a": "one"})];
    let lists = [json!([1, 2]), json!([2, 1]), json!([1])];
    for (look, ids) in looks.into_iter().flat_map(|look| [(look, &ids), (look, &lists)]) {
        let all = |n: u8| ids.iter().map(|id| record(id.clone(), n)).collect::<Vec<_>>();
        let mut gone = TestRun::of(JSON, &all(3)[1..]);
        gone.deletes = vec![ids[0].clone()];
        let lake = lake_of(by_id(), &[TestRun::of(JSON, &all(1)), TestRun::of(look, &all(2)), gone]).await;
        for (until, expected_records) in [(0, all(1)), (1, all(2)), (2, all(3)[1..].to_vec())] {
            let table = read(LakeTable { at: Some(committed_at(until)), ..lake.table() }).await.unwrap();
            let records: Vec<_> =
                expected_records.into_iter().map(|record| ("acme".to_owned(), record)).collect();
            assert_eq!(table.rows(), expected(&records, &table), "{look:?} {until}");
            assert_eq!(table.report.without_key, 0);
        }
    }
}

#[tokio::test]
async fn without_a_key_it_is_the_last_complete_full_run() {
    let records = [json!({"a": 1}), json!({"a": 1})];
    let mut partial = TestRun::of(JSON, &[json!({"a": 2})]);
    partial.partial = true;
    let mut incremental = TestRun::of(JSON, &[json!({"a": 3})]);
    incremental.full = false;
    let first = TestRun::of(JSON, &[json!({"a": 0})]);
    let lake = lake_of(
        json!({"kind": "entity", "primary_key": []}),
        &[first, TestRun::of(JSON, &records), partial, incremental],
    )
    .await;
    let table = read(lake.table()).await.unwrap();
    let records = records.map(|record| ("acme".to_owned(), record));
    assert_eq!(table.rows(), expected(&records, &table));
}

#[tokio::test]
async fn children_of_two_parents_with_one_id_are_two_records() {
    let child = |parent: &str, n: u8| json!({"_circulate": {"parent": {"group": parent}}, "id": "x", "n": n});
    for look in
        [JSON, Look::Ndjson(Compression::None), Look::Parquet(Nested::Struct), Look::Arrow(Nested::Flatten)]
    {
        let runs = [
            TestRun::of(look, &[child("a", 1), child("b", 2)]),
            TestRun::of(Look::Parquet(Nested::Struct), &[child("a", 3)]),
        ];
        let lake =
            lake_of(json!({"kind": "entity", "primary_key": ["/id"], "parents": ["group"]}), &runs).await;
        let table = read(lake.table()).await.unwrap();
        let expected_records = [child("a", 3), child("b", 2)].map(|record| ("acme".to_owned(), record));
        assert_eq!(table.rows(), expected(&expected_records, &table), "{look:?}");
    }
}

#[tokio::test]
async fn what_was_tampered_with_or_is_missing_is_an_error_that_names_it() {
    for look in [JSON, Look::Ndjson(Compression::Zstd), Look::Parquet(Nested::Struct)] {
        let lake = lake_of(by_id(), &[TestRun::of(look, &[json!({"id": 1})])]).await;
        let object = lake.sink.keys().into_iter().find(|key| key.starts_with("test/")).unwrap();
        let mut bytes = lake.sink.read(&object).await.unwrap().unwrap().to_vec();
        lake.sink.remove(&object).await.unwrap();
        let missing = read(lake.table()).await.unwrap_err();
        assert!(missing.kind() == ErrorKind::Mismatch && missing.to_string().contains(&object), "{missing}");
        bytes[10] ^= 1;
        lake.create(&object, bytes).await;
        let changed = read(lake.table()).await.unwrap_err();
        assert!(changed.kind() == ErrorKind::Mismatch && changed.to_string().contains(&object), "{changed}");
    }
}

#[tokio::test]
async fn an_index_that_is_not_the_committed_one_is_an_error() {
    let mut lake = TestLake::new(by_id());
    let index = lake.write(&TestRun::of(JSON, &[json!({"id": 1})])).await;
    let changed = String::from_utf8(lake.sink.read(&index).await.unwrap().unwrap().to_vec()).unwrap();
    lake.sink.remove(&index).await.unwrap();
    lake.create(&index, changed.replace("\"repeats\":0", "\"repeats\":1")).await;
    let error = read(lake.table()).await.unwrap_err();
    assert!(error.to_string().contains("not the one that was committed"), "{error}");
}

#[tokio::test]
async fn a_run_without_a_marker_does_not_count_and_is_named() {
    let mut pending = TestRun::of(JSON, &[json!({"id": 2})]);
    pending.uncommitted = true;
    let lake = lake_of(by_id(), &[TestRun::of(JSON, &[json!({"id": 1})]), pending]).await;
    let table = read(lake.table()).await.unwrap();
    assert_eq!((table.report.rows, table.report.uncounted.len()), (1, 1));
    assert!(table.report.uncounted[0].run_id.starts_with("20261122T000001"), "{:?}", table.report);
}

#[tokio::test]
async fn a_place_of_an_older_version_says_how_it_can_be_read() {
    let mut old = TestRun::of(JSON, &[json!({"id": 1})]);
    old.uncommitted = true;
    let lake = lake_of(Value::Null, &[old.clone(), old]).await;
    let error = read(lake.table()).await.unwrap_err();
    assert!(error.to_string().contains("which runs of test.things count: 2 runs"), "{error}");
    assert!(error.hint_text().unwrap().contains("verify --mark"), "{error}");
}

#[tokio::test]
async fn a_run_that_does_not_say_what_identifies_its_records_takes_it_from_the_caller() {
    let lake =
        lake_of(Value::Null, &[TestRun::of(JSON, &[json!({"id": 1}), json!({"id": 1, "n": 2})])]).await;
    let error = read(lake.table()).await.unwrap_err();
    assert!(error.hint_text().unwrap().contains("primary_key"), "{error}");
    let identity = serde_json::from_value(by_id()).unwrap();
    let table = read(LakeTable { identity: Some(identity), ..lake.table() }).await.unwrap();
    assert_eq!(table.report.rows, 1);
}

#[tokio::test]
async fn unknown_streams_accounts_and_columns_are_refused_with_what_there_is() {
    let lake = lake_of(by_id(), &[TestRun::of(JSON, &[json!({"id": 1, "b": 2})])]).await;
    let other = LakeTable { endpoint: "others".to_owned(), ..lake.table() };
    let error = read(other).await.unwrap_err();
    assert!(error.to_string().contains("no committed run of test.others"));
    assert_eq!(error.hint_text(), Some("the tables there: test.things"));
    for (source, endpoint) in
        [("test", "thigns"), ("tset", "things"), ("TEST", "Things"), ("other", "things")]
    {
        let typo = LakeTable { source: source.to_owned(), endpoint: endpoint.to_owned(), ..lake.table() };
        let error = read(typo).await.unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean `test.things`? the tables there: test.things"));
    }
    for (account, hint) in
        [("nobody", "it has the accounts: acme"), ("acne", "did you mean `acme`? it has the accounts: acme")]
    {
        let account = LakeTable { account: Some(account.to_owned()), ..lake.table() };
        let error = read(account).await.unwrap_err();
        assert!(error.to_string().contains("of the account `"), "{error}");
        assert_eq!(error.hint_text(), Some(hint));
    }
    let columns = Some(vec!["b".to_owned(), "x".to_owned(), "y".to_owned()]);
    let error = read(LakeTable { columns, ..lake.table() }).await.unwrap_err();
    assert!(error.to_string().contains("no column `x`, `y`"), "{error}");
    assert!(error.hint_text().unwrap().contains("_account, b, id, _rescued"), "{error}");
    let columns = Some(vec!["ID".to_owned(), "b.c".to_owned()]);
    let error = read(LakeTable { columns, ..lake.table() }).await.unwrap_err();
    assert!(error.hint_text().unwrap().starts_with("did you mean `id`, `b`? "), "{error}");
    let columns = Some(vec!["id".to_owned(), "b".to_owned(), "id".to_owned()]);
    let error = read(LakeTable { columns, ..lake.table() }).await.unwrap_err();
    assert!(error.to_string().contains("the column `id` is requested twice"), "{error}");
}

#[tokio::test]
async fn members_by_our_names_are_rescued() {
    let record = json!({"id": 1, "_account": "mine", "_Account": 5});
    for look in [JSON, Look::Parquet(Nested::Struct)] {
        let lake = lake_of(by_id(), &[TestRun::of(look, std::slice::from_ref(&record))]).await;
        let table = read(lake.table()).await.unwrap();
        assert_eq!(table.rows(), expected(&[("acme".to_owned(), record.clone())], &table), "{look:?}");
        assert_eq!(
            table.batches[0]
                .schema()
                .fields()
                .iter()
                .filter(|f| f.name().to_lowercase() == "_account")
                .count(),
            1
        );
    }
}

#[tokio::test]
async fn no_column_at_all_counts_rows_and_reads_no_object_twice() {
    let lake = lake_of(by_id(), &[TestRun::of(JSON, &[json!({"id": 1}), json!({"id": 2})])]).await;
    let table = read(LakeTable { columns: Some(Vec::new()), ..lake.table() }).await.unwrap();
    assert_eq!(table.batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), 2);
    assert_eq!((table.report.rows, table.report.objects_read), (2, 0));
}

#[tokio::test]
async fn objects_without_a_row_that_counts_are_read_once() {
    let old = TestRun::of(JSON, &[json!({"id": 1})]);
    let lake = lake_of(by_id(), &[old.clone(), old.clone(), old]).await;
    let table = read(lake.table()).await.unwrap();
    assert_eq!((table.report.objects_read, table.report.objects_skipped), (1, 2));
}

#[tokio::test]
async fn streams_are_listed_with_what_counts() {
    let mut other = TestRun::of(JSON, &[json!({"id": 1})]);
    other.account = "other";
    let lake = lake_of(by_id(), &[TestRun::of(JSON, &[json!({"id": 1})]), other]).await;
    let streams = lake_streams(&*lake.sink, None).await.unwrap();
    assert_eq!(streams.len(), 1);
    assert_eq!((streams[0].stream.as_str(), streams[0].runs, streams[0].records), ("test.things", 2, 2));
    assert_eq!(streams[0].accounts, ["acme", "other"]);
    assert_eq!(streams[0].primary_key.as_deref(), Some(&["/id".to_owned()][..]));
}
