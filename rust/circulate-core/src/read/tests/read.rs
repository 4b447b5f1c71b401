//! What somebody gets who reads a stream without keeping it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::api::auth::sign_in;
use crate::error::ErrorKind;
use crate::page::{Record, Watch};
use crate::stop::StopReason;
use crate::testing::{
    Script, ScriptedResponse, after, connection, okta, okta_account, okta_users, page, users,
};

fn read_of(definition: Definition, script: &Arc<Script>, records: usize) -> Read {
    let account = okta_account();
    let transport = Arc::clone(script);
    let connection = connection(&definition.source, transport);
    let authorize = sign_in(&definition.source, &account, &connection, None).unwrap();
    Read {
        definition,
        account,
        connection,
        authorize,
        window: Window::default(),
        batch: BatchLimits { records, ..BatchLimits::default() },
        options: PullOptions::default(),
        progress: Arc::default(),
        stop: Stop::new(None),
    }
}

/// All records of a batch, as text.
fn strings(batch: &Bytes) -> Vec<String> {
    let mut strings = Vec::new();
    let each = |record: &Record<'_>| {
        strings.push(String::from_utf8(record.bytes.to_vec()).unwrap());
        Ok(())
    };
    Format::Json.for_each_record(batch, &Watch::default(), each).unwrap();
    strings
}

#[tokio::test(start_paused = true)]
async fn batches_come_in_order_with_their_bytes_as_received() {
    let script = Script::new([
        page(&users(0..3)).next(&after(3)),
        page(&users(3..5)).next(&after(5)),
        page(&users(5..9)),
    ]);
    let mut reading = read_of(okta_users(), &script, 2).start();
    let (mut all, mut sizes) = (Vec::new(), Vec::new());
    while let Some(batch) = reading.next().await.unwrap() {
        let records = strings(&batch);
        sizes.push(records.len());
        all.extend(records);
    }
    assert_eq!(all, users(0..9));
    assert_eq!(sizes, [2, 2, 2, 2, 1]);
    assert_eq!(reading.next().await.unwrap(), None, "it stays at its end");
    assert_eq!(reading.report().unwrap().totals.records, 9);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_failure_is_handed_over_first() {
    let script = Script::new([page(&users(0..3)).next(&after(3)), ScriptedResponse::new(200, "<html>")]);
    let mut reading = read_of(okta_users(), &script, 1000).start();
    assert_eq!(strings(&reading.next().await.unwrap().unwrap()), users(0..3));
    assert_eq!(reading.next().await.unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(reading.next().await.unwrap_err().kind(), ErrorKind::Stopped, "and that is no end");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_not_read_to_its_end_never_ends_like_one_that_was() {
    let script = Script::new([page(&users(0..3)).next(&after(3)), page(&users(3..4))]);
    let read = read_of(okta_users(), &script, 1000);
    read.stop.request(StopReason::Interrupted);
    let mut reading = read.start();
    let error = loop {
        match reading.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended as if it were complete"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
}

#[tokio::test(start_paused = true)]
async fn requests_wait_until_batches_are_taken() {
    let pages: Vec<_> = (0..50).map(|n| page(&users(n..n + 1)).next(&after(n + 1))).collect();
    let script = Script::new(pages);
    let mut reading = read_of(okta_users(), &script, 1).start();
    reading.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let requested = script.urls().len();
    assert!(requested < 10, "{requested} pages were asked for, though only one batch was taken");
    drop(reading);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(script.urls().len() <= requested + 1);
}

#[tokio::test(start_paused = true)]
async fn children_name_their_parents() {
    let apps = [r#"{"id":"0oa1"}"#.to_owned(), r#"{"id":"0oa2"}"#.to_owned()];
    let script = Script::new([page(&apps), page(&users(0..1)), page(&users(1..2))]);
    let mut reading = read_of(okta("application_users"), &script, 1000).start();
    let batch = reading.next().await.unwrap().unwrap();
    let records: Vec<Value> = serde_json::from_slice(&batch).unwrap();
    let parents: Vec<_> = records.iter().map(|record| &record["_circulate"]["parent"]["id"]).collect();
    assert_eq!(parents, ["0oa1", "0oa2"]);
    assert_eq!(reading.next().await.unwrap(), None);
}
