//! Child streams: what is requested of whom, what is delivered, and what the next start makes of a run that died.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::error::ErrorKind;
use crate::extract::batch::BatchLimits;
use crate::lake::manifest::PartitionOutcome::{Complete, Gone, Refused};
use crate::lake::manifest::{Part, PlanPart, read_part};
use crate::state::StateStore;
use crate::testing::{Faulty, Lake, Routes, ScriptedResponse, okta, page};

const APPS: &str = "/api/v1/apps?limit=200";
const MORE_APPS: &str = "/api/v1/apps?after=c&limit=200";

fn app(id: &str) -> String {
    format!(r#"{{"id":"{id}","label":"App {id}"}}"#)
}

fn users_of(app: &str) -> String {
    format!("/api/v1/apps/{app}/users?limit=500")
}

fn link(path: &str) -> String {
    format!("https://acme.okta.com{path}")
}

fn user(id: &str) -> String {
    format!(r#"{{ "id":"{id}", "n":1.0}}"#)
}

fn delivered(app: &str, id: &str) -> String {
    format!(r#"{{"_circulate":{{"parent":{{"id":"{app}"}}}}, "id":"{id}", "n":1.0}}"#)
}

/// Four applications on two pages: `a` has two pages of users, the first of them empty; `b` none; `c` one; `d` two.
fn org() -> Arc<Routes> {
    let more_of_a = "/api/v1/apps/a/users?after=x&limit=500";
    Routes::new([
        (APPS, page(&[app("a"), app("b")]).next(&link(MORE_APPS))),
        // `b` moved to the second page while the first one was read.
        (MORE_APPS, page(&[app("b"), app("c"), app("d")])),
        (&users_of("a"), page(&[]).next(&link(more_of_a))),
        (more_of_a, page(&[user("1"), user("2")])),
        (&users_of("b"), page(&[])),
        (&users_of("c"), page(&[user("1")])),
        (&users_of("d"), page(&[user("3"), user("1")])),
    ])
}

fn all() -> Vec<String> {
    let mut all = vec![
        delivered("a", "1"),
        delivered("a", "2"),
        delivered("c", "1"),
        delivered("d", "1"),
        delivered("d", "3"),
    ];
    all.sort();
    all
}

fn pull(lake: &Lake, org: &Arc<Routes>) -> Pull {
    let mut pull = lake.pull_of(okta("application_users"), Arc::clone(org) as _);
    pull.options.objects.batch = BatchLimits { records: 2, bytes: 1_000_000 };
    pull
}

async fn run(lake: &Lake, org: &Arc<Routes>) -> Outcome {
    pull(lake, org).run().await
}

async fn completes(lake: &Lake, org: &Arc<Routes>) -> Report {
    let outcome = run(lake, org).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.report.status, Verdict::Complete);
    outcome.report
}

async fn records(lake: &Lake, report: &Report) -> Vec<String> {
    let mut records = lake.records(report.manifest.as_ref().unwrap()).await;
    records.sort();
    records
}

#[tokio::test(start_paused = true)]
async fn every_parent_is_requested_once_and_its_children_are_delivered_with_it() {
    let (lake, org) = (Lake::default(), org());
    let report = completes(&lake, &org).await;
    assert_eq!(records(&lake, &report).await, all());
    let counts = report.partitions.unwrap();
    assert_eq!((counts.complete, counts.gone, counts.refused), (4, 0, 0));
    let requested = org.requested();
    assert_eq!(requested.len(), 7, "two pages of applications, five of users: {requested:?}");
    assert_eq!(requested.iter().collect::<BTreeSet<_>>().len(), 7, "none of them twice");
}

#[tokio::test(start_paused = true)]
async fn the_manifest_says_what_came_of_every_parent() {
    let (lake, org) = (Lake::default(), org());
    org.set(&users_of("b"), ScriptedResponse::new(404, "{}"));
    org.set(&users_of("d"), ScriptedResponse::new(403, "{}"));
    let report = run(&lake, &org).await.report;
    assert_eq!((report.status, &report.gaps[..]), (Verdict::Partial, &["id d".to_owned()][..]));
    assert_eq!(report.continuation, None, "it is done with, and committed");
    let index = &lake.indices().await[0];
    assert_eq!((index.verdict.as_str(), &index.gaps), ("partial", &report.gaps));
    let mut outcomes = Vec::new();
    for reference in &index.parts {
        let part: Part = read_part(&*lake.sink, reference).await.unwrap();
        outcomes.extend(
            part.partitions.into_iter().map(|done| (done.partition.to_string(), done.outcome, done.records)),
        );
    }
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [("id a", Complete, 2), ("id b", Gone, 0), ("id c", Complete, 1), ("id d", Refused, 0)];
    assert_eq!(outcomes, expected.map(|(id, outcome, records)| (id.to_owned(), outcome, records)));
    let plan: PlanPart = read_part(&*lake.sink, index.plan.as_ref().unwrap()).await.unwrap();
    assert_eq!(plan.partitions.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn when_all_parents_refuse_the_run_fails_instead_of_requesting_thousands() {
    let apps: Vec<_> = (0..100).map(|n| app(&format!("app{n}"))).collect();
    let routes = Routes::new([(APPS, page(&apps))]);
    for n in 0..100 {
        routes.set(&users_of(&format!("app{n}")), ScriptedResponse::new(403, "{}"));
    }
    let outcome = run(&Lake::default(), &routes).await;
    assert_eq!(outcome.error.unwrap().kind(), ErrorKind::Forbidden);
    assert!(routes.requested().len() < 30);
}

#[tokio::test(start_paused = true)]
async fn when_no_parent_is_found_the_run_fails_instead_of_being_complete_and_empty() {
    let apps: Vec<_> = (0..10).map(|n| app(&format!("app{n}"))).collect();
    let outcome = run(&Lake::default(), &Routes::new([(APPS, page(&apps))])).await;
    assert_eq!(outcome.error.unwrap().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_failed_at_one_parent_requests_the_others_only_once() {
    let (lake, org) = (Lake::default(), org());
    org.set(&users_of("c"), ScriptedResponse::new(400, "{}"));
    assert_eq!(run(&lake, &org).await.report.status, Verdict::Failed);
    let before = org.requested();
    org.set(&users_of("c"), page(&[user("1")]));
    let report = completes(&lake, &org).await;
    assert!(report.resumed);
    assert_eq!(records(&lake, &report).await, all());
    assert!(!org.requested().contains(&APPS.to_owned()), "the plan is there already, after {before:?}");
}

/// Wherever the worker dies, the next one completes the run, and each child is in the lake once.
#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_any_call_loses_and_repeats_no_child() {
    for (what, calls) in [("create", 30), ("put", 60), ("read", 10), ("get", 20)] {
        for nth in 1..calls {
            let (lake, org) = (Lake::default(), org());
            let mut dying = pull(&lake, &org);
            dying.options.checkpoint_objects = 1;
            dying.sink = Faulty::dies(lake.as_sink(), what, nth);
            dying.store = Faulty::dies(lake.as_store(), what, nth);
            dying.run().await;
            lake.clock.advance(Duration::from_secs(61));
            let outcome = run(&lake, &org).await;
            assert!(outcome.error.is_none(), "{what} {nth}: {:?}", outcome.error);
            for index in lake.indices().await {
                let key = format!("_circulate/okta/acme.okta.com/application_users/{}.json", index.run_id);
                let mut found = lake.records(&key).await;
                found.sort();
                assert_eq!(found, all(), "{what} {nth}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn parents_that_were_just_pulled_are_not_listed_again() {
    let (lake, org) = (Lake::default(), org());
    let apps = lake.pull_of(okta("applications"), Arc::clone(&org) as _).run().await.report;
    assert_eq!(org.requested(), [MORE_APPS, APPS]);
    let children = Pull { parents_from: apps.manifest, ..pull(&lake, &org) };
    let report = children.run().await.report;
    assert_eq!(records(&lake, &report).await, all());
    assert!(org.requested().iter().all(|path| path.contains("/users?")));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_hold_all_parents_is_not_taken_for_their_list() {
    let (lake, org) = (Lake::default(), org());
    let users = lake.pull_of(okta("groups"), Arc::clone(&org) as _);
    org.set("/api/v1/groups?limit=200", page(&[group("g", "2026-11-22T05:00:00.000Z")]));
    let groups = users.run().await.report;
    let children = Pull { parents_from: groups.manifest, ..pull(&lake, &org) };
    let report = children.run().await.report;
    assert_eq!(records(&lake, &report).await, all(), "it is of another stream");
    assert!(org.requested().contains(&APPS.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_parent_without_its_id_is_not_requested() {
    let routes = Routes::new([(APPS, page(&[r#"{"label":"nameless"}"#.to_owned()]))]);
    let error = run(&Lake::default(), &routes).await.error.unwrap();
    assert!(error.to_string().contains("no text or number at `/id`"), "{error}");
}

const GROUPS_SINCE: &str =
    "/api/v1/groups?filter=lastMembershipUpdated+ge+%222026-11-22T04%3A55%3A00.000Z%22&limit=200";

fn group(id: &str, changed: &str) -> String {
    format!(r#"{{"id":"{id}","lastUpdated":"2026-11-22T05:29:00.000Z","lastMembershipUpdated":"{changed}"}}"#)
}

fn members(group: &str) -> String {
    format!("/api/v1/groups/{group}/users?limit=200")
}

#[tokio::test(start_paused = true)]
async fn only_groups_whose_members_changed_are_requested_again() {
    let lake = Lake::default();
    let routes = Routes::new([
        (
            "/api/v1/groups?limit=200",
            page(&[group("g", "2026-11-22T05:00:00.000Z"), group("h", "2026-01-01T00:00:00.000Z")]),
        ),
        (GROUPS_SINCE, page(&[group("g", "2026-11-22T05:00:00.000Z")])),
        (&members("g"), page(&[user("1")])),
        (&members("h"), page(&[user("2")])),
    ]);
    let members_of = |lake: &Lake| lake.pull_of(okta("group_members"), Arc::clone(&routes) as _);
    let first = members_of(&lake).run().await;
    assert_eq!(first.report.totals.records, 2, "{:?}", first.error);
    routes.requested();
    let second = members_of(&lake).run().await.report;
    assert_eq!(routes.requested(), [members("g"), GROUPS_SINCE.to_owned()]);
    assert_eq!(records(&lake, &second).await, [delivered("g", "1")], "a list of members is given whole");
}

#[tokio::test(start_paused = true)]
async fn a_gap_keeps_the_cursor_where_it_is() {
    let lake = Lake::default();
    let routes = Routes::new([
        (
            "/api/v1/groups?limit=200",
            page(&[group("g", "2026-11-22T05:00:00.000Z"), group("h", "2026-01-01T00:00:00.000Z")]),
        ),
        (&members("g"), ScriptedResponse::new(403, "{}")),
        (&members("h"), page(&[user("2")])),
    ]);
    let members_of = |lake: &Lake| lake.pull_of(okta("group_members"), Arc::clone(&routes) as _);
    assert_eq!(members_of(&lake).run().await.report.status, Verdict::Partial);
    routes.set(&members("g"), page(&[user("1")]));
    let next = members_of(&lake).run().await.report;
    assert_eq!((next.status, next.totals.records), (Verdict::Complete, 2), "everything is asked for again");
}

const E15: &str =
    r#"{"errorCode":"E0000015","errorSummary":"You do not have permission to access the feature"}"#;

#[tokio::test(start_paused = true)]
async fn a_list_is_requested_for_each_of_its_values_and_unavailable_ones_are_reported() {
    let lake = Lake::default();
    let policies = okta("policies");
    let routes = Routes::new([]);
    let kinds = &policies.endpoint.list.values()[0];
    for kind in kinds.values.iter().flatten() {
        routes.set(&format!("/api/v1/policies?limit=20&type={kind}"), page(&[user(kind)]));
    }
    routes.set("/api/v1/policies?limit=20&type=ENTITY_RISK", ScriptedResponse::new(401, E15));
    let report = lake.pull_of(policies, Arc::clone(&routes) as _).run().await.report;
    assert_eq!(report.status, Verdict::Complete);
    let counts = report.partitions.clone().unwrap();
    assert_eq!((counts.complete, counts.unavailable), (11, 1));
    let found = records(&lake, &report).await;
    assert_eq!(found.len(), 11);
    assert!(found.contains(&user("PASSWORD")), "records are as received");
}

#[tokio::test(start_paused = true)]
async fn an_account_without_a_feature_is_complete_without_records() {
    for (status, body) in [(404, "{}"), (401, E15)] {
        let lake = Lake::default();
        let routes = Routes::new([("/api/v1/devices?limit=200", ScriptedResponse::new(status, body))]);
        let report = lake.pull_of(okta("devices"), routes).run().await.report;
        assert_eq!((report.status, report.totals.records), (Verdict::Complete, 0));
        assert!(report.unavailable.unwrap().contains(&status.to_string()));
        assert!(lake.indices().await[0].unavailable.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_says_nothing_of_a_feature_fails() {
    let routes = Routes::new([("/api/v1/devices?limit=200", ScriptedResponse::new(403, "{}"))]);
    let error = Lake::default().pull_of(okta("devices"), routes).run().await.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}

#[tokio::test(start_paused = true)]
async fn parents_whose_pages_name_the_next_one_are_all_requested() {
    let lake = Lake::default();
    let assignees = "/api/v1/iam/assignees/users";
    let next = link(&format!("{assignees}?after=x&limit=100"));
    let routes = Routes::new([
        (
            "/api/v1/iam/assignees/users?limit=100",
            ScriptedResponse::new(
                200,
                format!(r#"{{"_links":{{"next":{{"href":"{next}"}}}},"value":[{{"id":"a"}}]}}"#),
            ),
        ),
        (
            "/api/v1/iam/assignees/users?after=x&limit=100",
            ScriptedResponse::new(200, r#"{"value":[{"id":"b"}]}"#),
        ),
        ("/api/v1/users/a/roles", page(&[user("1")])),
        ("/api/v1/users/b/roles", page(&[])),
    ]);
    let report = lake.pull_of(okta("user_roles"), routes).run().await.report;
    assert_eq!(records(&lake, &report).await, [delivered("a", "1")]);
    assert_eq!(report.partitions.unwrap().complete, 2);
}

/// The largest item of state, in bytes. `DynamoDB` refuses more than 400,000.
async fn largest_item(lake: &Lake, pk: &str) -> usize {
    let items = lake.store.list(pk, "", usize::MAX).await.unwrap();
    items.iter().map(|(_, item)| item.doc.to_string().len()).max().unwrap_or(0)
}

/// Ids, cursors and what is missing are as long as an API likes; what state holds of a checkpoint is not.
#[tokio::test(start_paused = true)]
async fn a_checkpoint_fits_into_state_however_long_ids_and_addresses_are() {
    const PK: &str = "okta#acme.okta.com#application_users";
    let ids: Vec<_> = (0..8).map(|number| format!("{number}{}", "x".repeat(5_000))).collect();
    let more = |id: &str| format!("/api/v1/apps/{id}/users?after={}&limit=500", "y".repeat(10_000));
    let apps: Vec<_> = ids.iter().map(|id| app(id)).collect();
    let org = Routes::new([(APPS, page(&apps))]);
    for id in &ids {
        org.set(&users_of(id), page(&[user("1")]).next(&link(&more(id))));
        org.set(&more(id), page(&[user("2")]));
    }
    let mut expected: Vec<_> = ids.iter().flat_map(|id| [delivered(id, "1"), delivered(id, "2")]).collect();
    expected.sort();
    for nth in (1..60).step_by(3) {
        let lake = Lake::default();
        let mut dying = pull(&lake, &org);
        dying.options.checkpoint_objects = 1;
        dying.store = Faulty::dies(lake.as_store(), "put", nth);
        dying.run().await;
        assert!(largest_item(&lake, PK).await < 50_000);
        lake.clock.advance(Duration::from_secs(61));
        let report = completes(&lake, &org).await;
        assert_eq!(records(&lake, &report).await, expected, "{nth}");
        assert!(largest_item(&lake, PK).await < 50_000);
    }
    let large = |key: &&String| key.contains("/position-");
    let lake = Lake::default();
    let mut often = pull(&lake, &org);
    often.options.checkpoint_objects = 1;
    assert_eq!(often.run().await.report.status, Verdict::Complete);
    assert!(lake.sink.keys().iter().any(|key| large(&key)), "what is large is an object");
    let collected = crate::upkeep::gc::gc(&*lake.sink, &*lake.store, Duration::ZERO, false).await.unwrap();
    assert!(collected.removed_keys.iter().all(|key| large(&key)), "{:?}", collected.removed_keys);
    assert!(!lake.sink.keys().iter().any(|key| large(&key)));
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_named_in_short_however_long_its_id_is() {
    let ids: Vec<_> = (0..4).map(|number| format!("{number}{}", "x".repeat(60_000))).collect();
    let apps: Vec<_> = ids.iter().map(|id| app(id)).chain([app("a")]).collect();
    let org = Routes::new([(APPS, page(&apps)), (&users_of("a"), page(&[user("1")]))]);
    for id in &ids {
        org.set(&users_of(id), ScriptedResponse::new(403, "{}"));
    }
    let lake = Lake::default();
    let report = run(&lake, &org).await.report;
    assert_eq!((report.status, report.gaps.len()), (Verdict::Partial, 4));
    for gap in &report.gaps {
        assert!(gap.len() < 250 && gap.ends_with("… (60001 characters)"), "{gap}");
    }
}
