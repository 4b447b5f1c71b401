//! Pulls that are stopped, fail or die in between, and what the next start makes of them.

use std::sync::Arc;

use tokio::time::Instant;

use super::*;
use crate::error::ErrorKind;
use crate::extract::batch::BatchLimits;
use crate::extract::cursor::Window;
use crate::lake::sink::LocalFolder;
use crate::state::{RunStatus, StateStore, list_runs};
use crate::stop::Stop;
use crate::testing::{Faulty, Lake, Script, ScriptedResponse, after, page, users};

/// Longer than a lease: a worker that died no longer holds its run.
const LAPSE: Duration = Duration::from_secs(61);

/// Three pages of two users each.
fn three_pages() -> [ScriptedResponse; 3] {
    [page(&users(0..2)).next(&after(2)), page(&users(2..4)).next(&after(4)), page(&users(4..6))]
}

fn small_objects(pull: &mut Pull) {
    pull.options.objects.batch = BatchLimits { records: 2, bytes: 1_000_000 };
}

/// Pulls `responses`, which must complete with `users(0..6)` in the lake, each once.
async fn completes(
    lake: &Lake,
    responses: impl IntoIterator<Item = ScriptedResponse>,
) -> (Report, Vec<String>) {
    let script = Script::new(responses);
    let outcome = lake.pull(&script).run().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.report.status, Verdict::Complete);
    let key = outcome.report.manifest.clone().unwrap();
    assert_eq!(lake.records(&key).await, users(0..6));
    (outcome.report, script.urls())
}

/// Pulls the same users again after a run that was committed: all of them are left out.
async fn repeats(lake: &Lake) {
    let outcome = lake.pull(&Script::new([page(&users(0..6))])).run().await;
    assert_eq!((outcome.report.status, outcome.report.repeats), (Verdict::Complete, 6));
    assert_eq!(outcome.report.totals.records, 0);
}

/// A pull of `responses` that ends early, whatever that means for it.
async fn ends_early(
    lake: &Lake,
    responses: impl IntoIterator<Item = ScriptedResponse>,
    verdict: Verdict,
) -> Outcome {
    let outcome = lake.pull(&Script::new(responses)).run().await;
    assert_eq!(outcome.report.status, verdict, "{:?}", outcome.error);
    assert!(lake.indices().await.is_empty(), "nothing is committed");
    outcome
}

/// Fails at its second page.
async fn fails_at_page_two(lake: &Lake) -> Outcome {
    let [first, ..] = three_pages();
    ends_early(lake, [first, ScriptedResponse::new(200, "<html>")], Verdict::Failed).await
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_pull_goes_on_with_exactly_the_next_page() {
    let (lake, [first, second, third]) = (Lake::default(), three_pages());
    let stop = Stop::new(None);
    let script = Script::new([first, second.clone().interrupting(&stop)]);
    let outcome = Pull { stop, ..lake.pull(&script) }.run().await;
    assert_eq!((outcome.report.status, outcome.report.totals.records), (Verdict::Partial, 2));
    assert_eq!(outcome.report.continuation, outcome.report.run_id);
    assert_eq!(outcome.report.stopped_by.as_deref(), Some("interrupted"));
    let (report, urls) = completes(&lake, [second, third]).await;
    assert_eq!(urls, [after(2), after(4)]);
    assert!(report.resumed && report.run_id == outcome.report.run_id);
    assert_eq!((report.totals.pages, report.totals.records), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_is_stopped_before_its_first_response_keeps_its_run() {
    let lake = Lake::default();
    let stop = Stop::new(None);
    stop.request(StopReason::Interrupted);
    let partial = Pull { stop, ..lake.pull(&Script::new([])) }.run().await.report;
    assert_eq!((partial.status, partial.totals.pages), (Verdict::Partial, 0));
    let (report, _) = completes(&lake, three_pages()).await;
    assert_eq!(report.run_id, partial.run_id);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_an_attempt_at_a_checkpoint() {
    let (lake, [first, second, third]) = (Lake::default(), three_pages());
    let stop = Stop::new(Some(Instant::now() + Duration::from_secs(20)));
    let script = Script::new([first, second.clone().after(Duration::from_secs(100))]);
    let report = Pull { stop, ..lake.pull(&script) }.run().await.report;
    assert_eq!((report.status, report.totals.records), (Verdict::Partial, 2));
    assert_eq!(report.stopped_by.as_deref(), Some("deadline"));
    completes(&lake, [second, third]).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_outlasts_the_deadline_is_left_to_the_next_start() {
    let (lake, [first, second, third]) = (Lake::default(), three_pages());
    let stop = Stop::new(Some(Instant::now() + Duration::from_secs(5)));
    let script = Script::new([first, ScriptedResponse::new(429, "").quota(600, 0, 17)]);
    let began = Instant::now();
    let report = Pull { stop, ..lake.pull(&script) }.run().await.report;
    assert!(report.status == Verdict::Partial && began.elapsed() < Duration::from_secs(5));
    let now = lake.store.now().await.unwrap().as_second();
    let resume_in = report.resume_after.unwrap() - now;
    assert!((18..=21).contains(&resume_in), "{resume_in}");
    completes(&lake, [second, third]).await;
}

#[tokio::test(start_paused = true)]
async fn a_429_without_end_ends_an_attempt_as_partial() {
    let (lake, [first, second, third]) = (Lake::default(), three_pages());
    let throttled = vec![ScriptedResponse::new(429, "").header("retry-after", "1"); 40];
    let outcome = ends_early(&lake, [first].into_iter().chain(throttled), Verdict::Partial).await;
    assert!(outcome.error.is_none() && outcome.report.resume_after.is_some());
    assert_eq!(outcome.report.traffic.throttled, 31);
    let (report, _) = completes(&lake, [second, third]).await;
    assert_eq!(report.traffic.throttled, 31, "the report is about the whole run");
    assert_eq!(lake.runs().await[0].ledger.attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn of_two_starts_at_once_one_runs_and_the_other_names_it() {
    let lake = Lake::default();
    let [first, second, third] = three_pages();
    let script = Script::new([first.after(Duration::from_secs(5)), second, third]);
    let start =
        || Pull { store: Faulty::slow(lake.as_store(), Duration::from_millis(7)), ..lake.pull(&script) };
    let (a, b) = (start(), start());
    let (one, other) = tokio::join!(a.run(), b.run());
    let (ran, refused) = if one.report.status == Verdict::Busy { (other, one) } else { (one, other) };
    assert_eq!((ran.report.status, refused.report.status), (Verdict::Complete, Verdict::Busy));
    assert_eq!(refused.report.run_id, ran.report.run_id);
    let (holder, _) = refused.report.held_by.unwrap();
    let holder = holder.unwrap();
    assert!(holder == "worker-1" || holder == "worker-2", "{holder}");
    assert_eq!(lake.records(&ran.report.manifest.unwrap()).await, users(0..6));
}

/// Parts and indices in the lake.
fn manifests(lake: &Lake) -> usize {
    let is_json = |key: &&String| key.starts_with("_circulate/") && key.strip_suffix(".json").is_some();
    lake.sink.keys().iter().filter(is_json).count()
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_taken_over_changes_nothing_any_more() {
    let lake = Lake::default();
    let [first, second, third] = three_pages();
    let delayed = third.clone().after(Duration::from_secs(10));
    let old = lake.pull(&Script::new([first, second.clone(), delayed]));
    let take_over = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        lake.clock.advance(LAPSE);
        let (report, urls) = completes(&lake, three_pages()).await;
        (report, urls, manifests(&lake), lake.runs().await)
    };
    let (outcome, (report, urls, written, ledger)) = tokio::join!(old.run(), take_over);
    assert_eq!((urls.len(), report.resumed), (3, true), "the old worker had no checkpoint yet");
    let error = outcome.error.unwrap();
    assert!(error.kind() == ErrorKind::State && error.to_string().contains("taken over"), "{error}");
    assert_eq!(manifests(&lake), written + 1, "a part that no index names");
    assert_eq!(lake.runs().await, ledger);
    assert!(
        lake.objects(&report.manifest.unwrap()).await.iter().all(|object| object.key.contains("-0-0002-"))
    );
}

/// Pulls everything, but dies at the `nth` call of this kind; then starts again once the lease has lapsed.
async fn after_death(
    call: &'static str,
    nth: u32,
    again: impl IntoIterator<Item = ScriptedResponse>,
) -> (Report, Vec<String>) {
    let lake = Lake::default();
    let mut pull = lake.pull(&Script::new(three_pages()));
    small_objects(&mut pull);
    pull.sink = Faulty::dies(lake.as_sink(), call, nth);
    pull.store = Faulty::dies(lake.as_store(), call, nth);
    Box::pin(pull.run()).await;
    lake.clock.advance(LAPSE);
    Box::pin(completes(&lake, again)).await
}

#[tokio::test(start_paused = true)]
async fn a_death_between_index_and_commit_is_made_good_without_a_request() {
    let (report, urls) = after_death("put task#", 3, []).await;
    assert!(urls.is_empty() && report.resumed);
    assert_eq!((report.totals.pages, report.traffic.requests), (3, 3));
    assert_eq!(report.next_since.unwrap().to_string(), "2026-11-22T04:55:00Z");
}

#[tokio::test(start_paused = true)]
async fn a_death_before_the_index_costs_no_request_either() {
    let (_, urls) = after_death("put cursor#", 1, []).await;
    assert!(urls.is_empty());
}

/// With threads of its own a runtime begins at once what is spawned, also what is aborted right after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_was_read_to_its_end_is_never_requested_again() {
    for _ in 0..100 {
        let (_, urls) = after_death("put cursor#", 1, []).await;
        assert!(urls.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_before_the_checkpoint_begins_the_pages_again() {
    let (report, urls) = after_death("put task#", 2, three_pages()).await;
    assert_eq!((urls.len(), report.totals.pages, report.totals.objects), (3, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_death_anywhere_in_state_leaves_a_run_that_completes() {
    for nth in 1..40 {
        let (lake, script) = (Lake::default(), Script::new(three_pages()));
        let dying = Faulty::dies(lake.as_store(), "", nth);
        let outcome = Pull { store: dying, ..lake.pull(&script) }.run().await;
        lake.clock.advance(LAPSE);
        let committed = lake.runs().await.iter().any(|run| run.status == RunStatus::Committed);
        if committed {
            repeats(&lake).await;
        } else {
            completes(&lake, three_pages()).await;
        }
        assert_eq!(lake.indices().await.len(), 1 + usize::from(committed), "death at call {nth}");
        assert_eq!(committed, outcome.error.is_none(), "death at call {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_anywhere_in_the_sink_leaves_a_run_that_completes() {
    for nth in 1..12 {
        let lake = Lake::default();
        let mut pull = lake.pull(&Script::new(three_pages()));
        small_objects(&mut pull);
        pull.sink = Faulty::dies(lake.as_sink(), "", nth);
        let failed = pull.run().await.error.is_some();
        lake.clock.advance(LAPSE);
        let finished = lake.runs().await[0].ledger.totals.pages == 3;
        if failed {
            completes(&lake, if finished { vec![] } else { three_pages().into() }).await;
        } else {
            repeats(&lake).await;
        }
        assert_eq!(lake.indices().await.len(), if failed { 1 } else { 2 }, "death at call {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_worker_died_before_it_began_is_listed_as_abandoned() {
    let lake = Lake::default();
    let mut pull = lake.pull(&Script::new(three_pages()));
    pull.store = Faulty::dies(lake.as_store(), "put head", 1);
    pull.run().await;
    let statuses: Vec<_> = lake.runs().await.iter().map(|run| run.status).collect();
    assert_eq!(statuses, [RunStatus::Abandoned]);
}

#[tokio::test(start_paused = true)]
async fn a_death_between_commit_and_head_leaves_a_committed_run() {
    let lake = Lake::default();
    let mut pull = lake.pull(&Script::new(three_pages()));
    pull.store = Faulty::dies(lake.as_store(), "put head", 2);
    let first = pull.run().await.report;
    assert_eq!(first.status, Verdict::Complete, "what counts is done");
    let script = Script::new([page(&[])]);
    let second = lake.pull(&script).run().await.report;
    assert!(!second.resumed && second.run_id != first.run_id);
    assert!(script.urls()[0].contains("2026-11-22T04%3A55%3A00.000Z"), "the cursor counts");
}

#[tokio::test(start_paused = true)]
async fn a_pull_to_another_location_is_refused_with_a_way_out() {
    let (lake, script) = (Lake::default(), Script::new([]));
    fails_at_page_two(&lake).await;
    let mut pull = lake.pull(&script);
    pull.sink = Arc::new(LocalFolder::new("/elsewhere".into()));
    let error = pull.run().await.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("memory:") && error.to_string().contains("/elsewhere"), "{error}");
    assert!(error.hint_text().unwrap().contains("`state`") && script.urls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_run_of_another_mode_is_refused_with_a_way_out() {
    let (lake, script) = (Lake::default(), Script::new([]));
    fails_at_page_two(&lake).await;
    let mut pull = lake.pull(&script);
    pull.options.mode = Mode::Full;
    let error = pull.run().await.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.hint_text().unwrap().contains("`restart`") && script.urls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn restart_gives_the_unfinished_run_up_and_starts_over() {
    let lake = Lake::default();
    let failed = fails_at_page_two(&lake).await.report;
    let script = Script::new(three_pages());
    let mut pull = lake.pull(&script);
    (pull.options.mode, pull.options.restart) = (Mode::Full, true);
    let report = pull.run().await.report;
    assert!(report.status == Verdict::Complete && report.run_id != failed.run_id && !report.resumed);
    assert_eq!(lake.records(&report.manifest.unwrap()).await, users(0..6));
    let given_up = lake.runs().await.into_iter().find(|run| Some(&run.run_id) == failed.run_id.as_ref());
    assert_eq!(given_up.unwrap().status, RunStatus::Abandoned);
}

#[tokio::test(start_paused = true)]
async fn restart_brings_a_run_to_its_end_that_readers_see_already() {
    let lake = Lake::default();
    let dying = Faulty::dies(lake.as_store(), "put task#", 3);
    Pull { store: dying, ..lake.pull(&Script::new(three_pages())) }.run().await;
    lake.clock.advance(LAPSE);
    let mut pull = lake.pull(&Script::new([page(&users(0..6))]));
    (pull.options.mode, pull.options.restart) = (Mode::Full, true);
    assert_eq!(pull.run().await.report.status, Verdict::Complete);
    let runs = lake.runs().await;
    assert_eq!(runs.iter().filter(|run| run.status == RunStatus::Committed).count(), 2, "{runs:?}");
    assert_eq!(lake.indices().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn restart_for_another_location_gives_nothing_up() {
    let lake = Lake::default();
    fails_at_page_two(&lake).await;
    let mut pull = lake.pull(&Script::new([]));
    pull.sink = Arc::new(LocalFolder::new("/elsewhere".into()));
    pull.options.restart = true;
    assert_eq!(pull.run().await.error.unwrap().kind(), ErrorKind::State);
    assert_eq!(lake.runs().await[0].status, RunStatus::Open);
}

#[tokio::test(start_paused = true)]
async fn restart_does_not_take_a_run_away_from_its_worker() {
    let lake = Lake::default();
    let [first, ..] = three_pages();
    let running = lake.pull(&Script::new([first.after(Duration::from_secs(9)), page(&[])]));
    let restart = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut pull = lake.pull(&Script::new([]));
        pull.options.restart = true;
        pull.run().await.report
    };
    let (outcome, refused) = tokio::join!(running.run(), restart);
    assert_eq!((outcome.report.status, refused.status), (Verdict::Complete, Verdict::Busy));
}

#[tokio::test(start_paused = true)]
async fn a_full_sink_fails_the_pull_and_the_next_start_completes_it() {
    for nth in 1..=3 {
        let lake = Lake::default();
        let mut pull = lake.pull(&Script::new(three_pages()));
        small_objects(&mut pull);
        pull.sink = Faulty::fails(lake.as_sink(), "create okta/", nth);
        let outcome = pull.run().await;
        assert_eq!(outcome.error.unwrap().kind(), ErrorKind::Storage);
        assert_eq!(outcome.report.status, Verdict::Failed);
        completes(&lake, three_pages()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_cannot_be_written_fails_the_pull_and_the_next_start_writes_it() {
    // Keys, the part, and what comes once the list was read.
    for nth in 1..=3 {
        let lake = Lake::default();
        let mut pull = lake.pull(&Script::new(three_pages()));
        pull.sink = Faulty::fails(lake.as_sink(), "create _circulate/", nth);
        assert_eq!(pull.run().await.error.unwrap().kind(), ErrorKind::Storage);
        lake.clock.advance(LAPSE);
        let again = if nth <= 2 { three_pages().into() } else { Vec::new() };
        completes(&lake, again).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_between_pages_keeps_what_came_before_it() {
    let (lake, [first, second, third]) = (Lake::default(), three_pages());
    let mut pull = lake.pull(&Script::new([first, second]));
    pull.options.checkpoint_objects = 1;
    small_objects(&mut pull);
    pull.store = Faulty::dies(lake.as_store(), "put task#", 4);
    pull.run().await;
    lake.clock.advance(LAPSE);
    let (report, urls) = completes(&lake, [third]).await;
    assert_eq!(urls, [after(4)]);
    assert_eq!(lake.indices().await[0].parts.len(), 3, "one part for each checkpoint");
    assert_eq!(report.totals.objects, 3);
}

#[tokio::test(start_paused = true)]
async fn a_long_response_does_not_cost_the_lease() {
    let lake = Lake::default();
    let [first, ..] = three_pages();
    let pull = lake.pull(&Script::new([first.after(Duration::from_secs(250)), page(&[])]));
    let passing = async {
        for _ in 0..24 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            lake.clock.advance(Duration::from_secs(10));
            assert_eq!(lake.pull(&Script::new([])).run().await.report.status, Verdict::Busy);
        }
    };
    assert_eq!(tokio::join!(pull.run(), passing).0.report.status, Verdict::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_of_a_renewal_frees_the_run_all_the_same() {
    for millis in (19_950..20_150).step_by(5) {
        let lake = Lake::default();
        let slow = page(&users(0..6)).after(Duration::from_millis(millis));
        let mut pull = lake.pull(&Script::new([slow]));
        pull.store = Faulty::slow(lake.as_store(), Duration::from_millis(20));
        pull.sink = Faulty::fails(lake.as_sink(), "create okta/", 1);
        assert!(pull.run().await.error.is_some());
        completes(&lake, [page(&users(0..6))]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_is_dropped_no_longer_renews_its_lease() {
    let lake = Lake::default();
    let pull = lake.pull(&Script::new([page(&[]).after(Duration::from_hours(1))]));
    tokio::time::timeout(Duration::from_secs(30), pull.run()).await.unwrap_err();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(25)).await;
        lake.clock.advance(Duration::from_secs(25));
    }
    completes(&lake, three_pages()).await;
}

/// A full run that stopped after its first page, and what it reported.
async fn stopped_full_run(lake: &Lake, change: impl Fn(&mut Pull)) -> Report {
    let stop = Stop::new(None);
    let [first, second, _] = three_pages();
    let mut pull = lake.pull(&Script::new([first, second.interrupting(&stop)]));
    small_objects(&mut pull);
    (pull.options.mode, pull.stop) = (Mode::Full, stop);
    change(&mut pull);
    let report = Box::pin(pull.run()).await.report;
    assert_eq!((report.status, report.continuation.as_ref()), (Verdict::Partial, report.run_id.as_ref()));
    report
}

fn unattended(
    lake: &Lake,
    responses: impl IntoIterator<Item = ScriptedResponse>,
    continuation: Option<&str>,
) -> Pull {
    let mut pull = lake.pull(&Script::new(responses));
    pull.options.unattended = true;
    pull.options.continuation = continuation.map(str::to_owned);
    pull
}

#[tokio::test(start_paused = true)]
async fn an_unattended_start_of_another_mode_ends_the_open_run_first() {
    let lake = Lake::default();
    let full = stopped_full_run(&lake, |_| ()).await;
    let [_, second, third] = three_pages();
    let rest = [second, third, page(&users(0..6))];
    let outcome = Box::pin(unattended(&lake, rest, None).run()).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let report = outcome.report;
    assert_eq!((report.status, report.mode, report.repeats), (Verdict::Complete, Mode::Incremental, 6));
    assert_ne!(report.run_id, full.run_id);
    let runs = list_runs(&*lake.store, 9).await.unwrap();
    let modes: Vec<_> = runs.iter().map(|(_, run)| (run.mode, run.status)).collect();
    assert_eq!(modes, [(Mode::Incremental, RunStatus::Committed), (Mode::Full, RunStatus::Committed)]);
}

#[tokio::test(start_paused = true)]
async fn a_continuation_of_a_run_that_was_started_over_goes_on_with_the_one_in_its_place() {
    let lake = Lake::default();
    let run_id = stopped_full_run(&lake, |_| ()).await.run_id.unwrap();
    // The API has forgotten the page; the run in its place is stopped too, or its worker dies before it begins.
    let stop = Stop::new(None);
    let gone = ScriptedResponse::new(410, "");
    let [first, second, third] = three_pages();
    let mut again = unattended(&lake, [gone, first, second.clone().interrupting(&stop)], Some(&run_id));
    small_objects(&mut again);
    again.stop = stop;
    let report = Box::pin(again.run()).await.report;
    assert_eq!((report.status, report.mode), (Verdict::Partial, Mode::Full));
    assert_ne!(report.run_id.as_ref(), Some(&run_id));
    // The event comes a second time, and so does the third once all is done.
    for responses in [vec![second, third], vec![]] {
        let done = Box::pin(unattended(&lake, responses, Some(&run_id)).run()).await;
        assert!(done.error.is_none(), "{:?}", done.error);
        assert_eq!(
            (done.report.status, done.report.mode, &done.report.run_id),
            (Verdict::Complete, Mode::Full, &report.run_id)
        );
        assert_eq!(lake.records(done.report.manifest.as_ref().unwrap()).await, users(0..6));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_run_of_another_definition_is_started_over_when_nobody_looks() {
    let lake = Lake::default();
    let run_id =
        stopped_full_run(&lake, |pull| pull.definition.endpoint.list.page_size = None).await.run_id.unwrap();
    let done = Box::pin(unattended(&lake, three_pages(), Some(&run_id)).run()).await;
    assert!(done.error.is_none(), "{:?}", done.error);
    assert_eq!((done.report.status, done.report.mode), (Verdict::Complete, Mode::Full));
    assert_eq!(lake.records(done.report.manifest.as_ref().unwrap()).await, users(0..6));
}

#[tokio::test(start_paused = true)]
async fn whether_a_run_is_left_pending_is_decided_when_it_begins() {
    let lake = Lake::default();
    let pending = |pull: &mut Pull| pull.options.pending = Some(Duration::from_hours(1));
    let run_id = stopped_full_run(&lake, pending).await.run_id.unwrap();
    let [_, second, third] = three_pages();
    let done = Box::pin(unattended(&lake, [second, third], Some(&run_id)).run()).await;
    assert_eq!(done.report.status, Verdict::Complete);
    let runs = list_runs(&*lake.store, 9).await.unwrap();
    assert_eq!(runs[0].1.status, RunStatus::Pending);
    let busy = lake.pull(&Script::new([])).run().await.report;
    assert_eq!((busy.status, busy.manifest), (Verdict::Busy, done.report.manifest), "what waits is named");
}

#[tokio::test(start_paused = true)]
async fn an_adopted_run_that_is_started_over_is_not_taken_for_what_was_requested() {
    let lake = Lake::default();
    let part = |pull: &mut Pull| {
        pull.options.mode = Mode::Window;
        pull.options.window = Window { since: Some("2026-01-01T00:00:00Z".parse().unwrap()), until: None };
    };
    stopped_full_run(&lake, part).await;
    let gone = ScriptedResponse::new(410, "");
    let responses = [vec![gone], three_pages().to_vec(), vec![page(&users(0..6))]].concat();
    let mut pull = unattended(&lake, responses, None);
    pull.options.idempotency_key = Some("b".to_owned());
    let outcome = Box::pin(pull.run()).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!((outcome.report.status, outcome.report.mode), (Verdict::Complete, Mode::Incremental));
    let runs = list_runs(&*lake.store, 9).await.unwrap();
    let kinds: Vec<_> =
        runs.iter().map(|(_, run)| (run.mode, run.status, run.idempotency_key.as_deref())).collect();
    assert_eq!(
        kinds,
        [
            (Mode::Incremental, RunStatus::Committed, Some("b")),
            (Mode::Window, RunStatus::Committed, None),
            (Mode::Window, RunStatus::Abandoned, None),
        ]
    );
}
