//! The history is what a naive model says: every version that differs from the one before it, and every deletion.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{
    Look, TestLake, TestRun, block_on, by_id, committed_at, content, expected, key_of, lake_of, rank, read,
    record, run,
};
use super::*;
use crate::encode::Compression;
use crate::lake::record_key::RecordKey;
use crate::table::Nested;

const JSON: Look = Look::Json(Compression::Gzip);

fn history(lake: &TestLake) -> LakeTable {
    LakeTable { view: View::History, ..lake.table() }
}

/// What each run says: account, run and change, with the record; of a deleted one its key.
fn naive(runs: &[TestRun], by_version: bool) -> Vec<(u32, String, Value)> {
    let mut there: BTreeMap<(&str, RecordKey), (String, Value)> = BTreeMap::new();
    let mut said = Vec::new();
    for (number, run) in (0u32..).zip(runs).filter(|(_, run)| !run.uncommitted) {
        let origin = |change: &str| format!("{} 20261122T{number:06}000Z-0123456789 {change}", run.account);
        for key in run.deletes.iter().filter_map(key_of) {
            if let Some((_, record)) = there.remove(&(run.account, key)) {
                said.push((number, origin("delete"), json!({"id": record["id"]})));
            }
        }
        let mut records: Vec<_> = run.objects.iter().flatten().collect();
        if by_version {
            records.sort_by_key(|record| rank(record));
        }
        for record in records {
            let Some(key) = key_of(&record["id"]) else {
                said.push((number, origin("upsert"), record.clone()));
                continue;
            };
            let held = content(record.to_string().as_bytes(), false);
            let before = there.insert((run.account, key), (held.clone(), record.clone()));
            if before.is_none_or(|(before, _)| before != held) {
                said.push((number, origin("upsert"), record.clone()));
            }
        }
    }
    said
}

fn rows(said: Vec<(u32, String, Value)>) -> Vec<(String, Value)> {
    said.into_iter().map(|(_, origin, record)| (origin, record)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn it_is_each_version_and_each_deletion(runs in proptest::collection::vec(run(), 1..6), by_version in any::<bool>()) {
        prop_assume!(runs.iter().any(|run| !run.uncommitted));
        // A layout that does not tell an empty object from none has another history.
        prop_assume!(!runs.iter().any(|run| matches!(run.look, Look::Parquet(Nested::Flatten) | Look::Arrow(Nested::Flatten))));
        block_on(async {
            let mut identity = by_id();
            if by_version {
                identity["version"] = json!("/version");
            }
            let mut lake = lake_of(identity, &runs).await;
            lake.memory = 0;
            let table = read(history(&lake)).await.unwrap();
            assert_eq!(table.rows(), expected(&rows(naive(&runs, by_version)), &table));
        });
    }

    #[test]
    fn changes_after_a_time_are_those_of_later_runs(runs in proptest::collection::vec(run(), 2..6), after in 0u32..5) {
        prop_assume!(runs.iter().any(|run| !run.uncommitted));
        prop_assume!(!runs.iter().any(|run| matches!(run.look, Look::Parquet(Nested::Flatten) | Look::Arrow(Nested::Flatten))));
        block_on(async {
            let lake = lake_of(by_id(), &runs).await;
            let changed_after = Some(committed_at(after));
            let table = read(LakeTable { changed_after, ..history(&lake) }).await.unwrap();
            let mut said = naive(&runs, false);
            said.retain(|(run, _, _)| *run > after);
            assert_eq!(table.rows(), expected(&rows(said), &table));
        });
    }
}

#[tokio::test]
async fn a_row_says_when_its_run_was_committed_and_a_deleted_one_has_its_key_alone() {
    let child = |n: u8| json!({"_circulate": {"parent": {"group": "g"}}, "id": {"a": [n]}, "n": n});
    for look in [JSON, Look::Parquet(Nested::Struct), Look::Arrow(Nested::Json)] {
        let mut lake = TestLake::new(json!({"kind": "entity", "primary_key": ["/n"], "parents": []}));
        lake.write(&TestRun::of(look, &[child(1), child(2)])).await;
        let mut second = TestRun::of(look, &[child(2)]);
        second.deletes = vec![json!(1)];
        lake.write(&second).await;
        let columns = ["_committed_at", "_change", "n", "id", "_parent_group"].map(str::to_owned).to_vec();
        let table = read(LakeTable { columns: Some(columns), ..history(&lake) }).await.unwrap();
        let mut shown = Vec::new();
        for batch in &table.batches {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| arrow_cast_text(column, row));
                shown.push(cells.collect::<Vec<_>>().join("|"));
            }
        }
        shown.sort();
        let id = |n: u8| {
            if matches!(look, Look::Arrow(_)) { format!("{{\"a\":[{n}]}}") } else { format!("a: [{n}]") }
        };
        let at = |run: u32| committed_at(run).as_microsecond();
        assert_eq!(
            shown,
            [
                format!("{}|upsert|1|{}|g", at(0), id(1)),
                format!("{}|upsert|2|{}|g", at(0), id(2)),
                format!("{}|delete|1||", at(1)),
            ],
            "{look:?}"
        );
    }
}

/// A cell as text.
fn arrow_cast_text(column: &arrow_array::ArrayRef, row: usize) -> String {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, TimestampMicrosecondType};
    if column.is_null(row) {
        return String::new();
    }
    if let Some(strings) = column.as_string_opt::<i32>() {
        return strings.value(row).to_owned();
    }
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        return numbers.value(row).to_string();
    }
    if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return times.value(row).to_string();
    }
    if let Some(object) = column.as_struct_opt() {
        return format!("a: {}", arrow_cast_text(object.column(0), row));
    }
    let items = column.as_list::<i32>().value(row);
    format!("[{}]", (0..items.len()).map(|item| arrow_cast_text(&items, item)).collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn without_a_key_there_is_no_history() {
    let lake =
        lake_of(json!({"kind": "entity", "primary_key": []}), &[TestRun::of(JSON, &[json!({"a": 1})])]).await;
    let error = read(history(&lake)).await.unwrap_err();
    assert!(error.to_string().contains("its records have no key"), "{error}");
}

#[tokio::test]
async fn what_happened_is_there_once_and_when_it_came_first() {
    let events = json!({"kind": "event", "primary_key": ["/id"]});
    for look in [JSON, Look::Parquet(Nested::Struct)] {
        let one = json!({"id": 1, "at": "2026-01-01T00:00:00Z"});
        let (two, other) = (json!({"id": 2}), json!({"id": 2, "more": true}));
        let runs = [
            TestRun::of(look, &[one.clone(), two.clone()]),
            TestRun::of(look, &[two.clone(), other.clone()]),
        ];
        let lake = lake_of(events.clone(), &runs).await;
        let table = read(history(&lake)).await.unwrap();
        let origin = |run: u32| format!("acme 20261122T{run:06}000Z-0123456789 upsert");
        let records = [(origin(0), one.clone()), (origin(0), two.clone()), (origin(1), other.clone())];
        assert_eq!(table.rows(), expected(&records, &table), "{look:?}");
        let current = read(lake.table()).await.unwrap();
        let records = [one, two, other].map(|record| ("acme".to_owned(), record));
        assert_eq!(current.rows(), expected(&records, &current), "{look:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_event_that_comes_again_in_another_format_is_there_once(
        records in proptest::collection::vec(record(), 1..12), looks in proptest::collection::vec(Look::any(), 2..4),
    ) {
        // What tables with a column for each member don't have.
        let mut records = records;
        records.push(json!({"id": 1, "empty": {}, "a": {"login": {"x": null}}}));
        let runs: Vec<_> = looks.iter().map(|look| TestRun::of(*look, &records)).collect();
        let (once, often) = block_on(async {
            let events = json!({"kind": "event", "primary_key": ["/id"]});
            let once = read(lake_of(events.clone(), &runs[..1]).await.table()).await.unwrap();
            (once, read(lake_of(events, &runs).await.table()).await.unwrap())
        });
        prop_assert_eq!(once.report.rows, often.report.rows);
    }
}
