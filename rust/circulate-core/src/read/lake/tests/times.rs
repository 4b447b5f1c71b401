//! What is wanted by the time of records is what a naive model says, and objects that cannot hold it are not read.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{Look, TestRun, block_on, expected, lake_of, read};
use super::*;
use crate::encode::Compression;
use crate::extract::cursor::Window;
use crate::table::Nested;

const JSON: Look = Look::Json(Compression::Gzip);

fn at(minute: u8) -> String {
    format!("2026-01-01T00:{minute:02}:00Z")
}

fn window(since: Option<u8>, until: Option<u8>) -> Window {
    let bound = |minute: Option<u8>| minute.map(|minute| at(minute).parse().unwrap());
    Window { since: bound(since), until: bound(until) }
}

fn events() -> Value {
    json!({"kind": "event", "primary_key": ["/id"], "time": ["/at"]})
}

fn by_id() -> Value {
    json!({"kind": "entity", "primary_key": ["/id"], "time": ["/at"]})
}

fn record() -> impl Strategy<Value = Value> {
    let time = prop_oneof![
        8 => (0u8..20).prop_map(|minute| json!(at(minute))),
        1 => Just(Value::Null),
        1 => Just(json!("never")),
    ];
    (0u8..8, time).prop_map(|(id, at)| json!({"id": id, "at": at}))
}

fn run() -> impl Strategy<Value = TestRun> {
    let objects = proptest::collection::vec(proptest::collection::vec(record(), 1..4), 0..4);
    (Look::any(), objects).prop_map(|(look, objects)| TestRun { objects, ..TestRun::of(look, &[]) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn it_is_the_rows_of_the_table_with_such_a_time(
        runs in proptest::collection::vec(run(), 1..5),
        since in proptest::option::of(0u8..10),
        until in proptest::option::of(10u8..20),
        are_events in any::<bool>(),
    ) {
        block_on(async {
            let lake = lake_of(if are_events { events() } else { by_id() }, &runs).await;
            let whole = read(lake.table()).await.unwrap();
            let window = window(since, until);
            let table = read(LakeTable { window: window.clone(), ..lake.table() }).await.unwrap();
            let is_requested = |row: &(String, String)| {
                let time = row.1.split("\"at\":\"").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
                let time: Option<jiff::Timestamp> = time;
                window == Window::default() || time.is_some_and(|time| window.may_hold(time.into()))
            };
            let requested: Vec<_> = whole.rows().into_iter().filter(is_requested).collect();
            assert_eq!(table.rows(), requested);
            let ids = Some(vec!["id".to_owned()]);
            let ids = read(LakeTable { window: window.clone(), columns: ids, ..lake.table() }).await.unwrap();
            assert_eq!(ids.report.rows, requested.len() as u64, "the time need not be a column that is wanted");
        });
    }
}

#[tokio::test]
async fn objects_of_another_time_are_not_read() {
    let record_at = |minute: u8| vec![json!({"id": minute, "at": at(minute)})];
    for look in [JSON, Look::Parquet(Nested::Struct)] {
        let run = TestRun { objects: (0..10).map(record_at).collect(), ..TestRun::of(look, &[]) };
        for identity in [events(), by_id()] {
            let lake = lake_of(identity, std::slice::from_ref(&run)).await;
            let table = read(LakeTable { window: window(Some(3), Some(5)), ..lake.table() }).await.unwrap();
            let records = [3, 4].map(|minute| ("acme".to_owned(), record_at(minute).remove(0)));
            assert_eq!(table.rows(), expected(&records, &table));
            assert_eq!((table.report.objects_read, table.report.objects_skipped), (2, 8));
        }
    }
}

#[tokio::test]
async fn records_of_epoch_times_are_selected_too() {
    let identity = json!({"kind": "event", "primary_key": [], "time": ["/at"], "time_format": "epoch_ms"});
    let record = |second: u64| json!({"at": second * 1000});
    for look in [JSON, Look::Arrow(Nested::Flatten)] {
        let lake = lake_of(identity.clone(), &[TestRun::of(look, &[record(5), record(15)])]).await;
        let window = Window { since: Some("1970-01-01T00:00:10Z".parse().unwrap()), until: None };
        let table = read(LakeTable { window, ..lake.table() }).await.unwrap();
        assert_eq!(table.rows(), expected(&[("acme".to_owned(), record(15))], &table));
    }
}

#[tokio::test]
async fn where_records_have_no_time_it_is_refused() {
    let lake =
        lake_of(json!({"kind": "entity", "primary_key": ["/id"]}), &[TestRun::of(JSON, &[json!({"id": 1})])])
            .await;
    let refused = read(LakeTable { window: window(Some(1), None), ..lake.table() }).await.unwrap_err();
    assert!(refused.to_string().contains("no time to select them by"), "{refused}");
    let lake = lake_of(by_id(), &[TestRun::of(JSON, &[json!({"id": 1})])]).await;
    let history = LakeTable { window: window(Some(1), None), view: View::History, ..lake.table() };
    assert!(read(history).await.unwrap_err().to_string().contains("history is not selected by the time"));
    let turned = read(LakeTable { window: window(Some(5), Some(5)), ..lake.table() }).await.unwrap_err();
    assert!(turned.to_string().contains("`since` is not before `until`"), "{turned}");
}
