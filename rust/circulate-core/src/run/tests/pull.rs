//! What a pull requests, and what it makes of the responses.

use std::sync::Arc;

use super::*;
use crate::error::ErrorKind;
use crate::extract::batch::BatchLimits;
use crate::extract::cursor::Window;
use crate::lake::manifest::ObjectEntry;
use crate::testing::{Lake, Script, ScriptedResponse, USERS_URL, after, page, user, user_at, users};

const EVERYTHING: &str =
    "https://acme.okta.com/api/v1/users?filter=lastUpdated+ge+%221970-01-01T00%3A00%3A00.000Z%22&limit=200";

fn since(time: &str) -> String {
    EVERYTHING.replace("1970-01-01T00%3A00%3A00.000Z", &time.replace(':', "%3A"))
}

/// Pulls the responses of `script`, which must complete.
async fn complete(lake: &Lake, script: &Arc<Script>) -> Report {
    let outcome = lake.pull(script).run().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.report.status, Verdict::Complete);
    outcome.report
}

/// Pulls one page with a record of this time, which must complete.
async fn pull_record_of(lake: &Lake, time: &str) -> Report {
    complete(lake, &Script::new([page(&[user_at(1, time)])])).await
}

/// The first URL of another pull, which finds nothing new.
async fn requested_next(lake: &Lake, options: impl FnOnce(&mut PullOptions)) -> String {
    let script = Script::new([page(&[])]);
    let mut pull = lake.pull(&script);
    options(&mut pull.options);
    assert_eq!(pull.run().await.report.status, Verdict::Complete);
    script.urls().remove(0)
}

fn window(since: &str, until: &str) -> impl FnOnce(&mut PullOptions) {
    let window = Window { since: Some(since.parse().unwrap()), until: Some(until.parse().unwrap()) };
    |options| (options.mode, options.window) = (Mode::Window, window)
}

async fn objects(lake: &Lake, report: &Report) -> Vec<ObjectEntry> {
    lake.objects(report.manifest.as_ref().unwrap()).await
}

async fn records(lake: &Lake, report: &Report) -> Vec<String> {
    lake.records(report.manifest.as_ref().unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn a_list_becomes_objects_and_a_manifest_with_its_bytes_as_received() {
    let lake = Lake::default();
    let script = Script::new([
        page(&users(0..3)).next(&after(3)),
        page(&users(3..5)).next(&after(5)),
        page(&users(5..9)),
    ]);
    let report = complete(&lake, &script).await;
    assert_eq!(records(&lake, &report).await, users(0..9));
    assert_eq!((report.totals.pages, report.totals.records, report.totals.objects), (3, 9, 1));
    assert_eq!(
        lake.sink.keys().len(),
        6,
        "object, keys, part, dedup set, index, marker: {:?}",
        lake.sink.keys()
    );
}

#[tokio::test(start_paused = true)]
async fn a_first_pull_requests_everything_at_the_greatest_page_size() {
    let script = Script::new([page(&[])]);
    complete(&Lake::default(), &script).await;
    assert_eq!(script.urls(), [EVERYTHING]);
}

#[tokio::test(start_paused = true)]
async fn a_next_link_is_requested_exactly_as_sent() {
    let odd = "https://acme.okta.com/api/v1/users?after=a%2Fb%252B+c|~*%5b%5D,;&limit=7&x='";
    let script = Script::new([page(&users(0..1)).next(odd), page(&[])]);
    complete(&Lake::default(), &script).await;
    // The one change is the one that any client makes: a URL holds no raw apostrophe.
    assert_eq!(script.urls()[1], odd.replace('\'', "%27"));
}

#[tokio::test(start_paused = true)]
async fn neither_an_empty_nor_a_short_page_ends_a_list() {
    let lake = Lake::default();
    let script = Script::new([
        page(&users(0..1)).next(&after(1)),
        page(&[]).next(&after(2)),
        page(&[]).next(&after(3)),
        page(&users(1..3)),
    ]);
    let report = complete(&lake, &script).await;
    assert_eq!(records(&lake, &report).await, users(0..3));
    assert_eq!(report.totals.pages, 4);
}

#[tokio::test(start_paused = true)]
async fn a_list_without_records_is_complete_too() {
    let lake = Lake::default();
    let report = complete(&lake, &Script::new([page(&[])])).await;
    assert_eq!(objects(&lake, &report).await, []);
    assert_eq!((report.totals.pages, report.totals.records), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_closes_at_a_thousand_records_and_spans_pages() {
    let lake = Lake::default();
    let script = Script::new([page(&users(0..600)).next(&after(600)), page(&users(600..1200))]);
    let report = complete(&lake, &script).await;
    let sizes: Vec<_> = objects(&lake, &report).await.iter().map(|object| object.records).collect();
    assert_eq!(sizes, [1000, 200]);
    assert_eq!(records(&lake, &report).await, users(0..1200));
}

/// A record of exactly so many bytes.
fn sized(bytes: usize) -> String {
    let frame = r#"{"lastUpdated":"2026-11-22T05:00:00Z","x":""}"#;
    frame.replace(r#""""#, &format!(r#""{}""#, "x".repeat(bytes - frame.len())))
}

#[tokio::test(start_paused = true)]
async fn a_batch_closes_at_three_million_bytes_of_finished_array() {
    let lake = Lake::default();
    let sizes = [1_000_000, 1_000_000, 999_996, 1_000_000, 1_000_000, 999_997];
    let report = complete(&lake, &Script::new([page(&sizes.map(sized))])).await;
    let objects = objects(&lake, &report).await;
    assert_eq!(objects.iter().map(|object| object.records).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(objects[0].body_bytes, 3_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_record_larger_than_a_batch_is_an_object_of_its_own() {
    let lake = Lake::default();
    let report = complete(&lake, &Script::new([page(&[100, 3_500_000, 100, 100].map(sized))])).await;
    let objects = objects(&lake, &report).await;
    assert_eq!(objects.iter().map(|object| object.records).collect::<Vec<_>>(), [1, 1, 2]);
    assert_eq!(objects[1].body_bytes, 3_500_002);
}

#[tokio::test(start_paused = true)]
async fn the_next_pull_begins_before_the_greatest_time_seen() {
    let lake = Lake::default();
    let report = pull_record_of(&lake, "2026-11-22T07:00:00.5+02:00").await;
    assert_eq!(report.next_since.unwrap().to_string(), "2026-11-22T04:55:00.5Z");
    assert_eq!(requested_next(&lake, |_| ()).await, since("2026-11-22T04:55:00.500Z"));
}

#[tokio::test(start_paused = true)]
async fn the_next_pull_never_begins_after_the_servers_date_at_the_first_response() {
    let lake = Lake::default();
    let later = ScriptedResponse::new(200, format!("[{}]", user_at(2, "2099-01-01T00:00:00Z")));
    let script = Script::new([page(&users(0..1)).next(&after(1)), later]);
    complete(&lake, &script).await;
    assert_eq!(requested_next(&lake, |_| ()).await, since("2026-11-22T05:25:00.000Z"));
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_finds_nothing_keeps_the_bound() {
    let lake = Lake::default();
    pull_record_of(&lake, "2026-11-22T05:00:00Z").await;
    let first = requested_next(&lake, |_| ()).await;
    assert_eq!(requested_next(&lake, |_| ()).await, first);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_requested_as_given_and_the_cursor_not_looked_at() {
    let lake = Lake::default();
    pull_record_of(&lake, "2026-11-22T05:00:00Z").await;
    let requested = requested_next(&lake, window("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")).await;
    let expected = EVERYTHING.replace(
        "1970-01-01T00%3A00%3A00.000Z%22",
        "2026-01-01T00%3A00%3A00.000Z%22+and+lastUpdated+lt+%222026-02-01T00%3A00%3A00.000Z%22",
    );
    assert_eq!(requested, expected);
}

#[tokio::test(start_paused = true)]
async fn a_window_does_not_move_the_cursor() {
    let lake = Lake::default();
    pull_record_of(&lake, "2026-11-22T03:00:00Z").await;
    let script = Script::new([page(&users(0..1))]);
    let mut pull = lake.pull(&script);
    window("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")(&mut pull.options);
    assert_eq!(pull.run().await.report.next_since, None);
    assert_eq!(requested_next(&lake, |_| ()).await, since("2026-11-22T02:55:00.000Z"));
}

#[tokio::test(start_paused = true)]
async fn a_full_pull_requests_everything_and_moves_the_cursor() {
    let lake = Lake::default();
    pull_record_of(&lake, "2026-11-22T03:00:00Z").await;
    let script = Script::new([page(&users(0..1))]);
    let mut pull = lake.pull(&script);
    pull.options.mode = Mode::Full;
    assert_eq!(pull.run().await.report.status, Verdict::Complete);
    assert_eq!(script.urls(), [EVERYTHING]);
    assert_eq!(requested_next(&lake, |_| ()).await, since("2026-11-22T04:55:00.000Z"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_window_is_refused_before_any_request() {
    let (lake, script) = (Lake::default(), Script::new([]));
    let mut pull = lake.pull(&script);
    window("2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z")(&mut pull.options);
    assert_eq!(pull.run().await.error.unwrap().kind(), ErrorKind::Settings);
    assert!(script.urls().is_empty() && lake.runs().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn records_without_a_time_are_delivered_and_counted() {
    let lake = Lake::default();
    let odd = [r#"{"id":"a"}"#, r#"{"lastUpdated":null}"#, r#"{"lastUpdated":"soon"}"#].map(str::to_owned);
    let script = Script::new([page(&odd).next(&after(1)), page(&users(0..1))]);
    let report = complete(&lake, &script).await;
    assert_eq!(report.records_without_time, 3);
    assert_eq!(records(&lake, &report).await[..3], odd);
    assert_eq!(requested_next(&lake, |_| ()).await, since("2026-11-22T04:55:00.000Z"));
}

#[tokio::test(start_paused = true)]
async fn report_manifest_and_ledger_show_the_same() {
    let lake = Lake::default();
    let script = Script::new([
        page(&users(0..3)).next(&after(3)),
        ScriptedResponse::new(429, "").header("retry-after", "2"),
        page(&users(3..5)),
    ]);
    let mut pull = lake.pull(&script);
    pull.options.objects.batch = BatchLimits { records: 2, bytes: 1_000_000 };
    let report = pull.run().await.report;
    let (index, run) = (lake.indices().await.remove(0), lake.runs().await.remove(0));
    let objects = objects(&lake, &report).await;
    assert_eq!((report.totals.records, report.totals.objects), (5, 3));
    assert_eq!(report.totals.bytes, objects.iter().map(|object| object.bytes).sum::<u64>());
    assert_eq!((&index.totals, &run.ledger.totals), (&report.totals, &report.totals));
    assert_eq!(run.ledger.traffic, report.traffic);
    let traffic = &report.traffic;
    assert_eq!((traffic.requests, traffic.retries, traffic.throttled), (3, 1, 1));
    assert!((2.0..=3.0).contains(&traffic.seconds_waited), "{traffic:?}");
    assert_eq!(run.manifest, report.manifest);
}

/// A second page that can't be, and a part of what must be said about it.
async fn refused(second: ScriptedResponse, part: &str) -> (Lake, Arc<Script>) {
    refused_as(ErrorKind::Data, second, part).await
}

async fn refused_as(kind: ErrorKind, second: ScriptedResponse, part: &str) -> (Lake, Arc<Script>) {
    let (lake, first) = (Lake::default(), page(&users(0..2)).next(&after(2)));
    let script = Script::new([first, second, page(&[user(9)])]);
    let outcome = lake.pull(&script).run().await;
    let error = outcome.error.unwrap();
    assert_eq!((outcome.report.status, error.kind()), (Verdict::Failed, kind));
    assert!(error.to_string().contains(part), "{error}");
    assert!(lake.indices().await.is_empty(), "nothing is committed");
    (lake, script)
}

#[tokio::test(start_paused = true)]
async fn a_next_link_to_another_origin_is_never_requested() {
    for (next, part) in [
        ("https://evil.example/api/v1/users?after=1", "another origin"),
        ("https://acme.okta.com:8443/api/v1/users", "another origin"),
        ("https://user@acme.okta.com/api/v1/users", "a user or a password"),
        ("http://acme.okta.com/api/v1/users", "another origin"),
        ("//evil.example/api/v1/users", "another origin"),
    ] {
        let (_, script) = refused(page(&users(2..3)).next(next), part).await;
        assert_eq!(script.urls(), [EVERYTHING.to_owned(), after(2)], "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_bad_link_the_page_that_sent_it_is_requested_again() {
    let bad = page(&users(2..3)).next("https://evil.example/");
    let (lake, _) = refused(bad, "another origin").await;
    let script = Script::new([page(&users(2..4))]);
    let report = complete(&lake, &script).await;
    assert_eq!(script.urls(), [after(2)]);
    assert_eq!(records(&lake, &report).await, users(0..4));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_leads_to_itself_is_refused() {
    let leads_to_itself = page(&users(2..4)).next(&after(2));
    let (_, script) = refused_as(ErrorKind::Cycle, leads_to_itself, "in a circle").await;
    assert_eq!(script.urls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_longer_circle_is_refused_within_a_few_rounds() {
    let round = [2, 3, 4].map(|n| page(&[]).next(&after(n)));
    let script = Script::new(round.iter().cycle().take(60).cloned());
    let lake = Lake::default();
    let outcome = lake.pull(&script).run().await;
    assert!(outcome.error.unwrap().to_string().contains("in a circle"));
    assert!(script.urls().len() <= 16 && lake.indices().await.is_empty(), "{}", script.urls().len());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_page_fails_the_pull_and_is_requested_by_the_next() {
    for (body, part) in [
        (&b"<html><body>Sign in</body></html>"[..], "HTML"),
        (b"{\"users\":[]}", "no array of records"),
        (b"[{\"id\":\"\xff\"}]", "UTF-8"),
        (b"[{\"id\":1},7]", "not an object"),
        (b"[] []", "not JSON"),
    ] {
        let (lake, script) = refused(ScriptedResponse::new(200, body), part).await;
        assert_eq!(script.urls().len(), 2, "{part}: it is not asked for again at once");
        let script = Script::new([page(&users(2..4))]);
        let report = complete(&lake, &script).await;
        assert_eq!(script.urls(), [after(2)], "{part}");
        assert_eq!(records(&lake, &report).await, users(0..4), "{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_breaks_off_is_retried_and_counted_once() {
    let lake = Lake::default();
    let half = |broken: bool| {
        let response = ScriptedResponse::new(200, format!("[{},{}", user(2), &user(3)[..9])).next(&after(4));
        if broken { response.broken() } else { response }
    };
    let first = page(&users(0..2)).next(&format!("{USERS_URL}?after=2"));
    let script = Script::new([first, half(true), half(false), page(&users(2..4))]);
    let report = complete(&lake, &script).await;
    assert_eq!(records(&lake, &report).await, users(0..4));
    assert_eq!((report.totals.pages, report.traffic.requests, report.traffic.retries), (2, 4, 2));
}
