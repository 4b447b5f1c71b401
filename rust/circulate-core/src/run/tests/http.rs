//! What runs make of HTTP as it is: statuses that mean an empty list, and errors that are still there at the deadline.

use std::sync::Arc;

use tokio::time::Instant;

use super::*;
use crate::api::http::RetryPolicy;
use crate::stop::Stop;
use crate::testing::{Lake, Routes, Script, ScriptedResponse, okta, page, users};

const APPS: &str = "/api/v1/apps?limit=200";

#[tokio::test(start_paused = true)]
async fn a_204_is_an_empty_list_where_the_definition_says_so() {
    let lake = Lake::default();
    let (plain, mut declared) = (okta("users"), okta("users"));
    declared.endpoint.list.empty.no_body = true;
    let outcome = lake.pull_of(plain, Script::new([ScriptedResponse::new(204, "")])).run().await;
    let error = outcome.error.unwrap();
    assert!(error.to_string().contains("returned 204: an empty body"), "{error}");
    let mut pull = lake.pull_of(declared, Script::new([ScriptedResponse::new(204, "")]));
    pull.options.restart = true;
    let report = pull.run().await.report;
    assert_eq!((report.status, report.totals.records), (Verdict::Complete, 0));
}

#[tokio::test(start_paused = true)]
async fn an_empty_200_is_requested_once_more() {
    for (responses, done) in [
        (vec![ScriptedResponse::new(200, ""), page(&users(0..2))], true),
        (vec![ScriptedResponse::new(200, ""), ScriptedResponse::new(200, ""), page(&users(0..2))], false),
    ] {
        let script = Script::new(responses);
        let outcome = Lake::default().pull(&script).run().await;
        assert_eq!((outcome.error.is_none(), script.urls().len()), (done, 2), "{:?}", outcome.error);
        assert!(outcome.error.is_none_or(|error| error.to_string().contains("the page has an empty body")));
    }
}

#[tokio::test(start_paused = true)]
async fn children_that_a_status_says_there_are_none_of_are_complete() {
    let user = |id: &str| format!(r#"{{"id":"{id}"}}"#);
    let app = |id: &str| format!(r#"{{"id":"{id}","label":"x"}}"#);
    let users_of = |app: &str| format!("/api/v1/apps/{app}/users?limit=500");
    let org = Routes::new([
        (APPS, page(&[app("a"), app("b"), app("c")])),
        (&users_of("a"), page(&[user("1")])),
        (&users_of("b"), ScriptedResponse::new(404, "{}")),
        (&users_of("c"), ScriptedResponse::new(204, "")),
    ]);
    let mut definition = okta("application_users");
    definition.endpoint.list.empty.statuses = [204, 404].into();
    let report = Lake::default().pull_of(definition, Arc::clone(&org) as _).run().await.report;
    assert_eq!((report.status, report.totals.records), (Verdict::Complete, 1));
    let partitions = report.partitions.unwrap();
    assert_eq!((partitions.complete, partitions.gone), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_still_there_at_the_deadline_is_reported_with_it() {
    let lake = Lake::default();
    let script = Script::new(vec![ScriptedResponse::new(500, ""); 40]);
    let mut pull = lake.pull(&script);
    pull.options.retry = RetryPolicy { attempts: 100, budget: 100, ..RetryPolicy::default() };
    pull.stop = Stop::new(Some(Instant::now() + Duration::from_secs(5)));
    let report = pull.run().await.report;
    assert_eq!((report.status, report.resume_after), (Verdict::Partial, None));
    let stopped_by = report.stopped_by.unwrap();
    assert!(stopped_by.starts_with("deadline, while retrying: Okta returned 500 — url"), "{stopped_by}");
    let ledger = lake.runs().await.remove(0).ledger;
    assert_eq!(ledger.stopped_by.as_deref(), Some(stopped_by.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_our_own_headroom_is_reported_as_that() {
    let lake = Lake::default();
    let script = Script::new([page(&users(0..2)).next(&crate::testing::after(2)).quota(10, 5, 60)]);
    let mut pull = lake.pull(&script);
    pull.stop = Stop::new(None).waiting_up_to(Some(Duration::from_secs(30)));
    let report = pull.run().await.report;
    assert_eq!(report.status, Verdict::Partial);
    let waiting = "wait: waiting to leave 50 % of the quota to others (headroom)";
    assert_eq!(report.stopped_by.as_deref(), Some(waiting));
    assert!(report.resume_after.is_some());
}
