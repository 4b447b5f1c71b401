//! How much of a run is done, as its progress shows it.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::catalog::{NextUrl, PaginatorSpec, Pointer, Signal};
use crate::progress::{Completion, Snapshot};
use crate::state::PlanPosition;
use crate::testing::{Lake, Routes, ScriptedResponse, Server, okta, page, user_at};

const APPS: &str = "/api/v1/apps?limit=200";

fn users_of(app: &str) -> String {
    format!("/api/v1/apps/{app}/users?limit=500")
}

fn record(id: &str) -> String {
    format!(r#"{{"id":"{id}","label":"{id}"}}"#)
}

/// Three applications, the first of them listed twice, with two users, one and none.
fn org() -> Arc<Routes> {
    Routes::new([
        (APPS, page(&["a", "b", "c", "a"].map(record))),
        (&users_of("a"), page(&["1", "2"].map(record))),
        (&users_of("b"), page(&["3"].map(record))),
        (&users_of("c"), page(&[])),
    ])
}

/// What a pull came to, and its progress at its end.
async fn pulled(pull: Pull) -> (Report, Snapshot) {
    let outcome = pull.run().await;
    (outcome.report, pull.progress.snapshot())
}

async fn pull_users_of_apps(lake: &Lake, org: &Arc<Routes>) -> (Report, Snapshot) {
    pulled(lake.pull_of(okta("application_users"), Arc::clone(org) as _)).await
}

fn counted(unit: &str, done: u64, total: u64) -> Completion {
    Completion { unit: unit.to_owned(), done, total: Some(total), estimated: false }
}

fn about(done: u64, total: u64) -> Completion {
    Completion { estimated: true, ..counted("records", done, total) }
}

#[tokio::test(start_paused = true)]
async fn parents_are_counted_apart_from_the_records_of_their_children() {
    let (report, progress) = pull_users_of_apps(&Lake::default(), &org()).await;
    assert_eq!((progress.records, progress.parents), (3, 4));
    assert_eq!(progress.records, report.totals.records);
    assert_eq!(progress.completion, Some(counted("applications", 3, 3)));
}

#[tokio::test(start_paused = true)]
async fn while_parents_are_listed_nobody_knows_how_many_there_are() {
    let (lake, org) = (Lake::default(), org());
    let more = "/api/v1/apps?after=x&limit=200";
    org.set(APPS, page(&["a", "b"].map(record)).next(&format!("https://acme.okta.com{more}")));
    org.set(more, ScriptedResponse::new(403, "{}"));
    let listing =
        |done| Some(Completion { unit: "applications".into(), done, total: None, estimated: false });
    assert_eq!(pull_users_of_apps(&lake, &org).await.1.completion, listing(2));
    let (_, resumed) = pull_users_of_apps(&lake, &org).await;
    assert_eq!((resumed.completion, resumed.parents), (listing(2), 0), "the whole run counts");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_taken_up_again_starts_at_what_it_had() {
    let (lake, org) = (Lake::default(), org());
    org.set(&users_of("c"), ScriptedResponse::new(400, "{}"));
    let (failed, progress) = pull_users_of_apps(&lake, &org).await;
    assert_eq!(progress.completion, Some(counted("applications", 2, 3)));
    assert_eq!(failed.attempt, None, "it did all there is");
    let (still, progress) = pull_users_of_apps(&lake, &org).await;
    assert_eq!(progress.completion, Some(counted("applications", 2, 3)));
    assert_eq!((progress.records, progress.parents), (0, 0), "these are of this attempt");
    org.set(&users_of("c"), page(&["4"].map(record)));
    let (report, progress) = pull_users_of_apps(&lake, &org).await;
    assert_eq!(progress.completion, Some(counted("applications", 3, 3)));
    assert!(report.resumed);
    let of_attempt = report.attempt.unwrap();
    assert_eq!((report.totals.records, report.totals.pages), (4, 4));
    assert_eq!((of_attempt.totals.records, of_attempt.totals.pages), (1, 1));
    let requests = failed.traffic.requests + still.attempt.unwrap().traffic.requests;
    assert_eq!(report.traffic.requests, requests + of_attempt.traffic.requests);
    assert_eq!(of_attempt.traffic.requests, 1);
}

#[test]
fn the_plan_of_an_older_version_has_no_number_of_partitions() {
    let mut plan = serde_json::to_value(PlanPosition { partitions: 3, ..PlanPosition::default() }).unwrap();
    plan.as_object_mut().unwrap().remove("partitions");
    assert_eq!(serde_json::from_value::<PlanPosition>(plan).unwrap().partitions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pull_of_everything_expects_as_much_as_the_last_one_had() {
    let (lake, org) = (Lake::default(), Routes::new([]));
    let all = "/api/v1/users?filter=lastUpdated+ge+%221970-01-01T00%3A00%3A00.000Z%22&limit=200";
    let changed = "/api/v1/users?filter=lastUpdated+ge+%222026-11-22T04%3A55%3A00.000Z%22&limit=200";
    let pull = async |path, users: u32, mode| {
        let records: Vec<_> = (0..users).map(|id| user_at(id, "2026-11-22T05:00:00Z")).collect();
        org.set(path, page(&records));
        let mut pull = lake.pull_of(okta("users"), Arc::clone(&org) as _);
        pull.options.mode = mode;
        let (report, progress) = pulled(pull).await;
        assert_eq!(report.status, Verdict::Complete, "{report:?}");
        progress.completion
    };
    assert_eq!(pull(all, 3, Mode::Incremental).await, None, "nobody knows");
    assert_eq!(pull(changed, 4, Mode::Incremental).await, None, "this is not all");
    assert_eq!(pull(all, 2, Mode::Full).await, Some(about(2, 3)));
    assert_eq!(pull(all, 3, Mode::Full).await, None, "it has more than the last one");
}

#[tokio::test(start_paused = true)]
async fn a_total_that_the_api_declares_is_expected_about() {
    let mut definition = okta("users");
    let list = &mut definition.endpoint.list;
    list.paginator = PaginatorSpec::NextUrl(NextUrl {
        from: Signal::Body(Pointer::try_from("/next".to_owned()).unwrap()),
        keep: Vec::new(),
    });
    list.records = Pointer::try_from("/items".to_owned()).unwrap().into();
    list.query.clear();
    if let Some(rule) = list.incremental_mut() {
        rule.full_since = None;
    }
    for (declared, expected) in [
        (json!({"total": 4}), Some(about(3, 4))),
        (json!({"total": 2}), None),
        (json!({"pages": 2, "total": 4}), Some(about(3, 4))),
        (json!({"pages": 2}), None),
    ] {
        let server = Server::new(move |url| {
            let mut body = declared.clone();
            let first = !url.query_pairs().any(|(name, _)| name == "after");
            body["items"] = if first { json!([{"id": 1}, {"id": 2}]) } else { json!([{"id": 3}]) };
            if first {
                body["next"] = json!("https://acme.okta.com/api/v1/users?after=2");
            }
            ScriptedResponse::new(200, body.to_string())
        });
        let (report, progress) = pulled(Lake::default().pull_of(definition.clone(), server as _)).await;
        assert_eq!((report.totals.records, progress.completion), (3, expected), "{report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_read_in_order_covers_its_period() {
    let first = "/api/v1/logs?limit=1000&since=2026-08-24T05%3A30%3A00.000Z&sortOrder=ASCENDING";
    let next = "/api/v1/logs?after=1&limit=1000&sortOrder=ASCENDING";
    let half = r#"{"uuid":"1", "published":"2026-10-08T05:30:00.000Z"}"#.to_owned();
    let org = Routes::new([
        ("/api/v1/logs?limit=100&sortOrder=ASCENDING", page(&[])),
        (first, page(&[half]).next(&format!("https://acme.okta.com{next}"))),
        (next, ScriptedResponse::new(400, "{}")),
    ]);
    let (_, progress) = pulled(Lake::default().pull_of(okta("system_log"), org as _)).await;
    let days = |number: u64| number * 24 * 60 * 60;
    assert_eq!(progress.completion, Some(counted("seconds", days(45), days(90))));
}

#[tokio::test(start_paused = true)]
async fn a_period_of_a_log_is_counted_in_windows() {
    let (lake, org) = (Lake::default(), Server::new(|_| page(&[])));
    let mut pull = lake.pull_of(okta("system_log"), org as _);
    pull.options.mode = Mode::Window;
    pull.options.window.since = Some("2026-11-20T05:30:00Z".parse().unwrap());
    pull.options.window.until = Some("2026-11-22T05:30:00Z".parse().unwrap());
    let windows = pulled(pull).await.1.completion.unwrap();
    assert_eq!((windows.unit.as_str(), Some(windows.done)), ("windows", windows.total));
    assert!(windows.done > 1, "{windows:?}");
}
