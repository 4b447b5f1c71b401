//! Polling lists: polled by a durable cursor, begun by time when that is refused, and requested in windows.

use std::sync::Arc;

use super::*;
use crate::error::ErrorKind;
use crate::extract::cursor::Window;
use crate::page::EndKind;
use crate::state::StateStore;
use crate::stop::Stop;
use crate::testing::{Lake, Routes, ScriptedResponse, okta, page};

/// What is requested of the org first: by the server's date, as far back as it keeps events.
const FIRST: &str = "/api/v1/logs?limit=2&since=2026-08-24T05%3A30%3A00.000Z&sortOrder=ASCENDING";
/// What the server's time is requested with.
const SMALL: &str = "/api/v1/logs?limit=100&sortOrder=ASCENDING";

fn at(cursor: u32) -> String {
    format!("/api/v1/logs?after={cursor}&limit=2&sortOrder=ASCENDING")
}

fn link(path: &str) -> String {
    format!("https://acme.okta.com{path}")
}

fn event(number: u32) -> String {
    format!(r#"{{"uuid":"{number}", "published":"2026-11-22T05:{number:02}:00.000Z"}}"#)
}

fn events(numbers: &[u32], cursor: u32) -> ScriptedResponse {
    let events: Vec<_> = numbers.iter().map(|number| event(*number)).collect();
    page(&events).next(&link(&at(cursor)))
}

/// A log with three events on two pages, and nothing after them.
fn org() -> Arc<Routes> {
    Routes::new([
        (SMALL, page(&[])),
        (FIRST, events(&[1, 2], 1)),
        (&at(1), events(&[3], 2)),
        (&at(2), events(&[], 2)),
    ])
}

fn pull(lake: &Lake, org: &Arc<Routes>) -> Pull {
    let mut definition = okta("system_log");
    definition.endpoint.list.page_size.as_mut().unwrap().max = 2;
    lake.pull_of(definition, Arc::clone(org) as _)
}

async fn poll(lake: &Lake, org: &Arc<Routes>) -> (Report, Vec<String>) {
    let outcome = pull(lake, org).run().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.report.status, Verdict::Complete);
    let records = lake.records(outcome.report.manifest.as_ref().unwrap()).await;
    (outcome.report, records)
}

#[tokio::test(start_paused = true)]
async fn a_poll_reads_until_it_has_caught_up_and_the_next_one_goes_on_there() {
    let (lake, org) = (Lake::default(), org());
    assert_eq!(poll(&lake, &org).await.1, [event(1), event(2), event(3)]);
    assert_eq!(
        org.requested(),
        [at(1), at(2), SMALL.to_owned(), FIRST.to_owned()],
        "it goes on while pages are not empty"
    );
    assert_eq!(
        poll(&lake, &org).await.1,
        [""; 0],
        "a page that leads to itself is no circle when it is empty"
    );
    assert_eq!(org.requested(), [at(2)]);
    org.set(&at(2), events(&[4, 5], 3));
    org.set(&at(3), events(&[6], 4));
    org.set(&at(4), events(&[], 4));
    let (report, records) = poll(&lake, &org).await;
    assert_eq!(records, [event(4), event(5), event(6)]);
    assert_eq!(org.requested(), [at(2), at(3), at(4)]);
    assert_eq!(report.ends.counts, [(EndKind::CaughtUp, 1)].into());
}

#[tokio::test(start_paused = true)]
async fn an_event_from_the_future_ends_no_poll() {
    let (lake, org) = (Lake::default(), org());
    let future = r#"{"uuid":"x", "published":"2099-11-22T05:00:00.000Z"}"#.to_owned();
    org.set(FIRST, page(&[future.clone(), event(1)]).next(&link(&at(1))));
    let (report, records) = poll(&lake, &org).await;
    assert_eq!(records, [future, event(1), event(3)]);
    assert_eq!(report.ends.counts, [(EndKind::CaughtUp, 1)].into());
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_cannot_know_how_far_it_is_moves_no_cursor() {
    let (lake, org) = (Lake::default(), org());
    let timeless = [r#"{"uuid":"1"}"#.to_owned(), r#"{"uuid":"2"}"#.to_owned()];
    org.set(FIRST, page(&timeless));
    for _ in 0..2 {
        let (report, records) = poll(&lake, &org).await;
        assert_eq!((report.next_since, records.len()), (None, 2), "no address, and no time");
        assert!(report.warnings[0].starts_with("no cursor is kept"), "{:?}", report.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_is_refused_is_replaced_by_time_and_nothing_comes_twice() {
    let (lake, org) = (Lake::default(), org());
    poll(&lake, &org).await;
    // Two more runs, the last of which finds nothing: what is delivered is remembered across them.
    org.set(&at(2), events(&[4], 3));
    org.set(&at(3), events(&[], 3));
    poll(&lake, &org).await;
    poll(&lake, &org).await;
    org.requested();
    org.set(&at(3), ScriptedResponse::new(400, "{}"));
    let by_time = "/api/v1/logs?limit=2&since=2026-11-22T04%3A54%3A00.000Z&sortOrder=ASCENDING";
    org.set(by_time, events(&[1, 2], 11));
    org.set(&at(11), events(&[4, 3], 12));
    org.set(&at(12), events(&[5], 13));
    org.set(&at(13), events(&[], 13));
    let (report, records) = poll(&lake, &org).await;
    assert_eq!((records, report.repeats), (vec![event(5)], 4));
    assert_eq!(poll(&lake, &org).await.1, [""; 0]);
    assert_eq!(org.requested().last().unwrap(), by_time);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_refuses_to_begin_by_time_too_is_not_requested_for_ever() {
    let (lake, org) = (Lake::default(), org());
    poll(&lake, &org).await;
    org.requested();
    org.set(&at(2), ScriptedResponse::new(400, "{}"));
    let error = pull(&lake, &org).run().await.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(org.requested().len(), 2, "the address, and the time");
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_before_a_late_event_is_remembered() {
    let (lake, org) = (Lake::default(), org());
    poll(&lake, &org).await;
    org.set(&at(2), page(&[published(9, "2026-11-22T03:00:00.000Z")]).next(&link(&at(3))));
    org.set(&at(3), events(&[4], 4));
    org.set(&at(4), events(&[], 4));
    poll(&lake, &org).await;
    poll(&lake, &org).await;
    org.set(&at(4), ScriptedResponse::new(400, "{}"));
    org.set(
        "/api/v1/logs?limit=2&since=2026-11-22T04%3A54%3A00.000Z&sortOrder=ASCENDING",
        events(&[1, 2], 11),
    );
    org.set(&at(11), events(&[3, 4], 12));
    org.set(&at(12), events(&[5], 13));
    org.set(&at(13), events(&[], 13));
    let (report, records) = poll(&lake, &org).await;
    assert_eq!((records, report.repeats), (vec![event(5)], 4));
}

#[tokio::test(start_paused = true)]
async fn a_poll_by_time_that_is_stopped_is_not_complete_before_it_has_caught_up() {
    let (lake, org) = (Lake::default(), org());
    poll(&lake, &org).await;
    org.set(&at(2), ScriptedResponse::new(400, "{}"));
    let stop = Stop::new(None);
    org.set(
        "/api/v1/logs?limit=2&since=2026-11-22T04%3A53%3A00.000Z&sortOrder=ASCENDING",
        events(&[1, 2], 11),
    );
    org.set(&at(11), events(&[3, 4], 12).interrupting(&stop));
    let report = Pull { stop, ..pull(&lake, &org) }.run().await.report;
    assert_eq!(report.status, Verdict::Partial);
    org.set(&at(11), events(&[3, 4], 12));
    org.set(&at(12), events(&[5], 13));
    org.set(&at(13), events(&[], 13));
    let (report, records) = poll(&lake, &org).await;
    assert_eq!((records, report.repeats), (vec![event(4), event(5)], 3));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_not_read_for_too_long_has_a_gap() {
    let (lake, org) = (Lake::default(), org());
    poll(&lake, &org).await;
    lake.clock.advance(Duration::from_hours(100 * 24));
    let report = pull(&lake, &org).run().await.report;
    assert_eq!(report.status, Verdict::Partial);
    assert!(report.gaps[0].contains("which the API no longer keeps"), "{:?}", report.gaps);
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_twice_either_if_the_run_that_began_by_time_is_taken_up_again() {
    let (lake, org) = (Lake::default(), org());
    poll(&lake, &org).await;
    org.set(&at(2), ScriptedResponse::new(400, "{}"));
    org.set(
        "/api/v1/logs?limit=2&since=2026-11-22T04%3A53%3A00.000Z&sortOrder=ASCENDING",
        events(&[1, 4], 11),
    );
    org.set(&at(11), ScriptedResponse::new(200, "<html>"));
    assert_eq!(pull(&lake, &org).run().await.report.status, Verdict::Failed);
    org.set(&at(11), events(&[2, 3], 12));
    org.set(&at(12), events(&[5], 13));
    org.set(&at(13), events(&[], 13));
    let (report, records) = poll(&lake, &org).await;
    assert_eq!((records, report.repeats, report.resumed), (vec![event(4), event(5)], 3, true));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_stopped_is_complete_up_to_there() {
    let (lake, org) = (Lake::default(), org());
    let stop = Stop::new(None);
    org.set(&at(1), events(&[3], 2).interrupting(&stop));
    let report = Pull { stop, ..pull(&lake, &org) }.run().await.report;
    assert_eq!((report.status, report.stopped_by.as_deref()), (Verdict::Complete, Some("interrupted")));
    assert_eq!(report.behind, Some(28 * 60), "the newest event is of 05:02, and it is 05:30");
    assert_eq!(report.ends.counts, [(EndKind::Behind, 1)].into());
    assert_eq!(lake.records(report.manifest.as_ref().unwrap()).await, [event(1), event(2)]);
    org.set(&at(1), events(&[3], 2));
    assert_eq!(poll(&lake, &org).await.1, [event(3)]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_goes_on_from_its_checkpoint() {
    let (lake, org) = (Lake::default(), org());
    org.set(&at(1), ScriptedResponse::new(200, "<html>"));
    assert_eq!(pull(&lake, &org).run().await.report.status, Verdict::Failed);
    org.set(&at(1), events(&[3], 2));
    let (report, records) = poll(&lake, &org).await;
    assert_eq!((records, report.resumed), (vec![event(1), event(2), event(3)], true));
}

#[tokio::test(start_paused = true)]
async fn a_first_poll_without_any_event_has_a_cursor_all_the_same() {
    let (lake, org) = (Lake::default(), org());
    org.set(FIRST, events(&[], 7));
    assert_eq!(poll(&lake, &org).await.1, [""; 0]);
    org.set(&at(7), events(&[8], 9));
    org.set(&at(9), events(&[], 9));
    assert_eq!(poll(&lake, &org).await.1, [event(8)]);
}

fn windowed(lake: &Lake, org: &Arc<Routes>, since: &str, until: &str) -> Pull {
    let mut pull = pull(lake, org);
    pull.options.mode = Mode::Window;
    let time = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
    pull.options.window = Window { since: time(since), until: time(until) };
    pull
}

fn between(since: &str, until: &str) -> String {
    let time = |text: &str| text.replace(':', "%3A");
    format!("/api/v1/logs?limit=2&since={}&sortOrder=ASCENDING&until={}", time(since), time(until))
}

fn published(uuid: u32, time: &str) -> String {
    format!(r#"{{"uuid":"{uuid}","published":"{time}"}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_part_of_time_is_requested_in_windows_that_share_no_event() {
    let (lake, org) = (Lake::default(), org());
    let noon = published(2, "2026-11-20T12:00:00.000Z");
    let (before, after) =
        (published(1, "2026-11-20T11:59:59.999Z"), published(3, "2026-11-21T11:59:59.000Z"));
    let first = between("2026-11-19T11:59:59.000Z", "2026-11-20T12:00:01.000Z");
    let rest = "https://acme.okta.com/api/v1/logs?after=w&limit=2";
    org.set(&first, page(std::slice::from_ref(&before)).next(rest));
    org.set("/api/v1/logs?after=w&limit=2", page(std::slice::from_ref(&noon)));
    org.set(
        &between("2026-11-20T11:59:59.000Z", "2026-11-21T12:00:01.000Z"),
        page(&[before.clone(), noon.clone(), after.clone()]),
    );
    let outcome = windowed(&lake, &org, "2026-11-19T12:00:00Z", "2026-11-21T12:00:00Z").run().await;
    assert_eq!(outcome.report.status, Verdict::Complete, "{:?}", outcome.error);
    let mut records = lake.records(outcome.report.manifest.as_ref().unwrap()).await;
    records.sort();
    assert_eq!(records, [before, noon, after]);
    assert_eq!(poll(&lake, &org).await.1.len(), 3, "the cursor was left alone");
}

#[tokio::test(start_paused = true)]
async fn what_the_api_no_longer_keeps_is_a_gap_and_what_it_refuses_is_reported_at_once() {
    let (lake, org) = (Lake::default(), org());
    let kept = between("2026-08-24T05:29:59.000Z", "2026-08-24T12:00:01.000Z");
    org.set(&kept, page(&[]));
    let outcome = windowed(&lake, &org, "2026-07-01T00:00:00Z", "2026-08-24T12:00:00Z").run().await;
    assert_eq!(outcome.report.status, Verdict::Partial, "{:?}", outcome.error);
    assert_eq!(outcome.report.gaps, ["before 2026-08-24T05:30:00Z, which the API no longer keeps"]);
    org.requested();
    for (since, part) in [("2026-01-01T00:00:00Z", "so far back"), ("2027-01-01T00:00:00Z", "in the future")]
    {
        let error = windowed(&lake, &org, since, "").run().await.error.unwrap();
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(org.requested(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_address_too_long_for_state_is_kept_beside_the_manifest() {
    let (lake, org) = (Lake::default(), org());
    let long = format!("/api/v1/logs?after={}&limit=2&sortOrder=ASCENDING", "z".repeat(60_000));
    org.set(&at(1), page(&[event(3)]).next(&link(&long)));
    org.set(&long, page(&[]).next(&link(&long)));
    let (report, records) = poll(&lake, &org).await;
    assert_eq!(records, [event(1), event(2), event(3)]);
    let items = lake.store.list("okta#acme.okta.com#system_log", "", usize::MAX).await.unwrap();
    assert!(items.iter().all(|(_, item)| item.doc.to_string().len() < 50_000));
    // It outlives its run: the next one needs it.
    let collected = crate::upkeep::gc::gc(&*lake.sink, &*lake.store, Duration::ZERO, false).await.unwrap();
    let poll_key = format!("{}/poll.json", report.manifest.unwrap().trim_end_matches(".json"));
    assert!(!collected.removed_keys.contains(&poll_key) && lake.sink.keys().contains(&poll_key));
    org.requested();
    org.set(&long, page(&[event(4)]).next(&link(&at(9))));
    org.set(&at(9), events(&[], 9));
    assert_eq!(poll(&lake, &org).await.1, [event(4)]);
    assert_eq!(org.requested(), [at(9), long]);
}
