//! Runs whose definition has hooks.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::api::hooks::Hooks;
use crate::catalog::{Definition, endpoint_from_yaml};
use crate::error::ErrorKind;
use crate::page::EndKind;
use crate::stop::Stop;
use crate::testing::{FakeHooks, Lake, ScriptedResponse, Server, okta};

fn definition(list: &str) -> Definition {
    let yaml =
        format!("endpoint: users\nabout: x\nlist: {{path: /api/v1/users, primary_key: [/id], {list}}}\n");
    let endpoint = endpoint_from_yaml(&yaml, std::path::Path::new("users.yaml")).unwrap();
    Definition { endpoint, ..okta("users") }
}

fn pull(lake: &Lake, list: &str, fake: &FakeHooks, server: &Arc<Server>) -> Pull {
    let mut pull = lake.pull_of(definition(list), Arc::clone(server) as _);
    pull.connection = pull.connection.with_hooks(Hooks::new(Arc::new(fake.clone())));
    pull
}

fn server() -> Arc<Server> {
    Server::new(|url| {
        let page = url.query().unwrap_or("page=1").to_owned();
        ScriptedResponse::new(200, format!("[{{\"id\": \"{page}\"}}]"))
    })
}

#[tokio::test(start_paused = true)]
async fn a_list_that_a_hook_leads_through_ends_where_it_says() {
    let (lake, fake, server) = (Lake::default(), FakeHooks::default(), server());
    let outcome = pull(&lake, "paginator: {hook: h.py:next}", &fake, &server).run().await;
    assert_eq!(
        (outcome.report.status, outcome.report.totals.records),
        (Verdict::Complete, 3),
        "{:?}",
        outcome.error
    );
    assert_eq!(outcome.report.ends.counts[&EndKind::Hook], 1);
}

#[tokio::test(start_paused = true)]
async fn a_hook_leads_neither_elsewhere_nor_in_a_circle() {
    for (hook, kind) in [
        ("elsewhere", ErrorKind::Data),
        ("same", ErrorKind::Cycle),
        ("raise", ErrorKind::Hook),
        ("body", ErrorKind::Hook),
    ] {
        let (lake, fake, server) = (Lake::default(), FakeHooks::default(), server());
        let outcome = pull(&lake, &format!("paginator: {{hook: h.py:{hook}}}"), &fake, &server).run().await;
        assert_eq!(outcome.error.map(|error| error.kind()), Some(kind), "{hook}");
        assert_eq!((outcome.report.status, outcome.report.totals.records), (Verdict::Failed, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_raises_is_called_once_and_nothing_of_its_page_counts() {
    for list in ["hooks: {page: h.py:raise}, paginator: none", "hooks: {split: h.py:raise}, paginator: none"]
    {
        let (lake, fake, server) = (Lake::default(), FakeHooks::default(), server());
        let outcome = pull(&lake, list, &fake, &server).run().await;
        assert_eq!(outcome.error.map(|error| error.kind()), Some(ErrorKind::Hook));
        assert_eq!((outcome.report.traffic.requests, outcome.report.totals.records), (1, 0));
    }
}

/// A run with a deadline whose hook blocks, and the one after it without.
async fn blocked(list: &str, before: &[Duration]) -> (Outcome, Outcome) {
    let (lake, fake, server) = (Lake::default(), FakeHooks::default(), server());
    let calls = before.len();
    let mut spans = before.iter().copied().map(Some).collect::<Vec<_>>();
    spans.push(None);
    fake.take(spans);
    let mut first = pull(&lake, list, &fake, &server);
    first.stop = Stop::new(Some(Instant::now() + Duration::from_secs(100)));
    let first = first.run().await;
    assert_eq!(fake.calls(), calls + 1);
    fake.takes(Some(Duration::ZERO));
    (first, pull(&lake, list, &fake, &server).run().await)
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_blocks_fails_its_run_at_the_deadline_and_keeps_what_was_read() {
    let (first, second) = blocked("paginator: {hook: h.py:next}", &[Duration::from_millis(5)]).await;
    let error = first.error.unwrap();
    assert_eq!(
        (first.report.status, first.report.totals.records, error.kind()),
        (Verdict::Failed, 1, ErrorKind::Hook)
    );
    assert!(error.to_string().contains("the hook had not returned at the deadline"), "{error}");
    assert_eq!(
        (second.report.status, second.report.totals.records, second.report.resumed),
        (Verdict::Complete, 3, true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_only_slow_leaves_the_rest_to_the_next_run() {
    let (first, second) = blocked("paginator: {hook: h.py:next}", &[Duration::from_mins(1)]).await;
    assert_eq!(
        (first.report.status, first.report.totals.records),
        (Verdict::Partial, 1),
        "{:?}",
        first.error
    );
    let why = first.report.stopped_by.unwrap();
    assert_eq!(why, "deadline, while running the hook h.py:next");
    assert_eq!((second.report.status, second.report.totals.records), (Verdict::Complete, 3));
}

#[tokio::test(start_paused = true)]
async fn a_hook_has_no_more_time_than_a_request() {
    let list = "hooks: {page: h.py:page}, paginator: none";
    let (lake, fake, server) = (Lake::default(), FakeHooks::default(), server());
    fake.takes(None);
    let outcome = pull(&lake, list, &fake, &server).run().await;
    let error = outcome.error.unwrap();
    assert!(error.to_string().contains("the hook had not returned within 300 s"), "{error}");
    assert_eq!(outcome.report.traffic.requests, 1, "it is not called again");
}
