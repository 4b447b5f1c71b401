//! Markers are there once a run is committed, whatever stops the worker in between.

use std::time::Duration;

use super::*;
use crate::lake::manifest::sha256_hex;
use crate::lake::sink::{LocalFolder, MemorySink};
use crate::run::{Pull, Verdict};
use crate::state::{Decision, decide};
use crate::testing::{Faulty, Lake, Script, okta_account, page, users};
use crate::upkeep::gc::gc;

fn one_page(lake: &Lake) -> Pull {
    lake.pull(&Script::new([page(&users(0..2))]))
}

fn users_of_the_account() -> StreamId {
    StreamId::new("okta", okta_account().name(), "users")
}

fn markers(lake: &Lake) -> Vec<String> {
    lake.sink.keys().into_iter().filter(|key| key.ends_with(".committed")).collect()
}

/// The marker of the one run of a lake, which must be as state says.
async fn check_the_marker(lake: &Lake) {
    let run = lake.runs().await.remove(0);
    let stream = users_of_the_account();
    let keys = StreamKeys::new(&stream, &run.run_id, run.started_at);
    assert_eq!(markers(lake), [keys.marker()]);
    let marker = Marker::read(&*lake.sink, &keys).await.unwrap().unwrap();
    let index = lake.sink.read(&keys.index()).await.unwrap().unwrap();
    assert_eq!(marker.sha256, sha256_hex(&index));
    assert_eq!((Some(marker.committed_at), marker.manifest), (run.ended_at, keys.index()));
    assert_eq!((run.status, run.marker), (RunStatus::Committed, None));
}

#[tokio::test(start_paused = true)]
async fn a_committed_run_has_its_marker() {
    let lake = Lake::default();
    assert_eq!(one_page(&lake).run().await.report.status, Verdict::Complete);
    check_the_marker(&lake).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_any_write_after_the_index_leaves_a_marker_to_the_next_start() {
    for (call, nth) in [("put run#", 3), ("put run#", 4), ("put head", 2)] {
        let lake = Lake::default();
        let store = Faulty::dies(lake.as_store(), call, nth);
        Pull { store, ..one_page(&lake) }.run().await;
        lake.clock.advance(Duration::from_secs(61));
        let stop = crate::stop::Stop::new(None);
        stop.request(crate::stop::StopReason::Interrupted);
        Pull { stop, ..lake.pull(&Script::new([page(&users(0..2))])) }.run().await;
        assert_eq!(markers(&lake).len(), 1, "{call} {nth}");
    }
}

/// A lake whose first run cannot write its marker, and what is in the way.
async fn with_something_in_the_way() -> (Lake, String) {
    let model = Lake::default();
    one_page(&model).run().await;
    // Runs of a test all have the same id.
    let marker = markers(&model).remove(0);
    let lake = Lake::default();
    lake.sink.create(crate::testing::object(&marker, "{}")).await.unwrap();
    (lake, marker)
}

#[tokio::test(start_paused = true)]
async fn a_marker_that_could_not_be_written_fails_no_pull_and_comes_with_the_next() {
    let (lake, in_the_way) = with_something_in_the_way().await;
    let outcome = one_page(&lake).run().await;
    assert_eq!((outcome.report.status, outcome.error.is_none()), (Verdict::Complete, true));
    assert_eq!(lake.runs().await[0].marker, Some(crate::state::MarkerStatus::Due));
    lake.sink.remove(&in_the_way).await.unwrap();
    mark_where_due(&*lake.sink, &*lake.store, &users_of_the_account()).await.unwrap();
    check_the_marker(&lake).await;
}

#[tokio::test(start_paused = true)]
async fn a_pending_run_has_its_marker_once_it_is_committed_and_an_abandoned_one_never() {
    for (decision, expected) in [(Decision::Commit, 1), (Decision::Abandon { forced: false }, 0)] {
        let lake = Lake::default();
        let mut pull = one_page(&lake);
        pull.options.pending = Some(Duration::from_mins(10));
        let run_id = pull.run().await.report.run_id.unwrap();
        let stream = users_of_the_account();
        assert_eq!(mark_all(&*lake.sink, &*lake.store).await.unwrap(), Marked::default());
        decide(&*lake.store, &stream, &run_id, decision).await.unwrap();
        assert!(markers(&lake).is_empty());
        let placed = place_marker(&*lake.sink, &*lake.store, &stream, &run_id).await.unwrap();
        assert_eq!((placed, markers(&lake).len()), (expected == 1, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_of_an_older_version_gets_its_markers_by_state() {
    let lake = Lake::default();
    one_page(&lake).run().await;
    let key = markers(&lake).remove(0);
    let before = lake.sink.read(&key).await.unwrap();
    lake.sink.remove(&key).await.unwrap();
    let marked = mark_all(&*lake.sink, &*lake.store).await.unwrap();
    assert_eq!(marked, Marked { created: 1, ..Marked::default() });
    assert_eq!(lake.sink.read(&key).await.unwrap(), before, "it is the same one");
    assert_eq!(mark_all(&*lake.sink, &*lake.store).await.unwrap().there, 1);
    let elsewhere = mark_all(&MemorySink::default(), &*lake.store).await.unwrap();
    assert_eq!(elsewhere, Marked { elsewhere: 1, ..Marked::default() });
}

#[tokio::test(start_paused = true)]
async fn a_marker_is_due_in_no_other_place() {
    let (lake, _) = with_something_in_the_way().await;
    let run_id = one_page(&lake).run().await.report.run_id.unwrap();
    let other = LocalFolder::new("/nowhere".into());
    assert!(!place_marker(&other, &*lake.store, &users_of_the_account(), &run_id).await.unwrap());
    assert!(lake.runs().await[0].marker.is_some());
}

#[tokio::test(start_paused = true)]
async fn gc_keeps_the_marker_of_a_committed_run_and_removes_that_of_none() {
    let lake = Lake::default();
    one_page(&lake).run().await;
    let marker = markers(&lake).remove(0);
    let (folder, _) = marker.rsplit_once('/').unwrap();
    let stray = crate::testing::object(&format!("{folder}/20200101T000000000Z-0000000000.committed"), "{}");
    let stray_key = stray.key.clone();
    lake.sink.create(stray).await.unwrap();
    lake.clock.advance(Duration::from_secs(1));
    let collected = gc(&*lake.sink, &*lake.store, Duration::ZERO, false).await.unwrap();
    assert!(collected.removed_keys.contains(&stray_key), "{collected:?}");
    check_the_marker(&lake).await;
}
