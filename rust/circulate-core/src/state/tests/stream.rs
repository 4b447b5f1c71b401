//! Who may work on a stream, where to go on, and what counts.

use super::super::items::Mode;
use super::super::leased_run::LeasedRun;
use super::super::open::{Acquired, RunRequest};
use super::*;
use crate::clock::later;
use crate::extract::cursor::Window;
use crate::progress::Traffic;
use crate::state::MemoryStore;
use crate::state::{Decision, Position, decide, moved, promoting, reset, show};
use crate::testing::{Faulty, Lake, ManualClock};

const LEASE: Lease = Lease { span: Duration::from_mins(1), worker_ends: None };

struct Stand {
    store: Arc<MemoryStore>,
    clock: ManualClock,
}

impl Stand {
    fn new() -> Self {
        let Lake { store, clock, .. } = Lake::default();
        Self { store, clock }
    }

    fn store(&self) -> Arc<dyn StateStore> {
        Arc::clone(&self.store) as _
    }

    /// The stream as the `nth` worker sees it.
    fn worker(&self, nth: u64) -> StreamState {
        state(self.store(), nth)
    }

    /// The run as the `nth` worker, who must get it, holds it.
    async fn held(&self, nth: u64, request: &RunRequest) -> LeasedRun {
        match self.worker(nth).open(request).await.unwrap() {
            Acquired::LeasedRun(held) => *held,
            other => panic!("{other:?}"),
        }
    }

    async fn run(&self, run_id: &str) -> RunItem {
        self.worker(0).get::<RunItem>(&run_key(run_id)).await.unwrap().unwrap().doc
    }
}

/// The stream of most tests.
fn users() -> StreamId {
    StreamId::new("okta", "acme", "users")
}

fn state(store: Arc<dyn StateStore>, nth: u64) -> StreamState {
    StreamState::new(store, users(), format!("worker-{nth}"), LEASE, Some(nth))
}

fn incremental() -> RunRequest {
    RunRequest {
        mode: Mode::Incremental,
        window: Window::default(),
        full_since: None,
        spec_hash: "hash".to_owned(),
        destination: "memory:".to_owned(),
        address: "https://acme.okta.com".to_owned(),
        restart: false,
        adopt: false,
        pending: None,
        replaces: None,
        continuation: None,
        idempotency_key: None,
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cursor(since: &str) -> CursorValue {
    CursorValue {
        values: None,
        since: time(since),
        dedup_key: None,
        spec_hash: "hash".to_owned(),
        poll: None,
        partitions: None,
    }
}

fn at_page(number: u64) -> Position {
    let url = format!("https://acme.okta.com/{number}");
    Position { next_url: Some(url), next_sequence: number, ..Position::default() }
}

#[tokio::test]
async fn a_first_start_opens_a_run_that_begins_at_the_beginning() {
    let held = Stand::new().held(1, &incremental()).await;
    assert!(!held.resumed);
    assert_eq!((held.fence, &held.position), (1, &Position::default()));
    assert_eq!((held.run.status, held.run.started_at), (RunStatus::Open, time("2026-11-22T05:30:00Z")));
}

#[tokio::test]
async fn while_a_run_is_held_others_are_shown_by_whom_and_until_when() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    let Acquired::Busy(busy) = stand.worker(2).open(&incremental()).await.unwrap() else { panic!("held") };
    assert_eq!((&busy.run_id, busy.worker.as_deref().unwrap()), (&held.run.run_id, "worker-1"));
    assert_eq!(busy.until, time("2026-11-22T05:31:00Z"));
}

#[tokio::test]
async fn renewing_extends_the_lease_by_the_stores_clock() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    stand.clock.advance(Duration::from_secs(50));
    held.renew().await.unwrap();
    stand.clock.advance(Duration::from_secs(59));
    assert!(matches!(stand.worker(2).open(&incremental()).await.unwrap(), Acquired::Busy(_)));
}

#[tokio::test]
async fn a_checkpoint_extends_the_lease_too() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    stand.clock.advance(Duration::from_secs(50));
    held.checkpoint(at_page(2)).await.unwrap();
    stand.clock.advance(Duration::from_secs(59));
    assert!(matches!(stand.worker(2).open(&incremental()).await.unwrap(), Acquired::Busy(_)));
}

#[tokio::test]
async fn a_released_run_is_free_at_once_and_goes_on_at_its_checkpoint() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    held.checkpoint(at_page(3)).await.unwrap();
    held.release("interrupted", Traffic { requests: 7, ..Traffic::default() }).await.unwrap();
    assert_eq!(stand.run(&held.run.run_id).await.ledger.stopped_by.as_deref(), Some("interrupted"));
    let next = stand.held(2, &incremental()).await;
    assert!(next.resumed && next.run.run_id == held.run.run_id);
    assert_eq!((next.fence, next.position.next_sequence, next.position.traffic.requests), (2, 3, 7));
    assert_eq!((next.run.ledger.attempts, &next.run.ledger.stopped_by), (2, &None));
}

#[tokio::test]
async fn a_lapsed_lease_is_taken_over_with_the_next_fence() {
    let stand = Stand::new();
    let old = stand.held(1, &incremental()).await;
    old.checkpoint(at_page(5)).await.unwrap();
    stand.clock.advance(LEASE.span);
    let new = stand.held(2, &incremental()).await;
    assert!(new.resumed && new.run.run_id == old.run.run_id);
    assert_eq!((new.fence, new.position.next_sequence), (2, 5));
}

#[tokio::test]
async fn a_worker_that_was_taken_over_can_write_nothing() {
    let stand = Stand::new();
    let old = stand.held(1, &incremental()).await;
    stand.clock.advance(LEASE.span);
    let new = stand.held(2, &incremental()).await;
    new.checkpoint(at_page(9)).await.unwrap();
    let writes = [
        old.checkpoint(at_page(1)).await,
        old.renew().await,
        old.commit("index").await,
        old.release("deadline", Traffic::default()).await,
        old.abandon().await,
    ];
    for write in writes {
        assert!(write.unwrap_err().to_string().contains("another worker has taken over"));
    }
    assert_eq!(stand.run(&new.run.run_id).await.status, RunStatus::Open);
    new.checkpoint(at_page(10)).await.unwrap();
    new.commit("index").await.unwrap();
    assert_eq!(stand.run(&new.run.run_id).await.status, RunStatus::Committed);
}

#[tokio::test]
async fn a_write_whose_response_was_lost_does_not_fence_its_worker_off() {
    let stand = Stand::new();
    let lossy: Arc<dyn StateStore> = Faulty::loses(stand.store(), "put task#", 2);
    let Acquired::LeasedRun(held) = state(lossy, 1).open(&incremental()).await.unwrap() else {
        panic!("free")
    };
    held.renew().await.unwrap_err();
    held.checkpoint(at_page(3)).await.unwrap();
    held.release("deadline", Traffic::default()).await.unwrap();
    assert_eq!(stand.held(2, &incremental()).await.position, at_page(3));
}

#[tokio::test]
async fn a_worker_that_was_taken_over_after_a_lost_response_can_write_nothing() {
    let stand = Stand::new();
    let lossy: Arc<dyn StateStore> = Faulty::loses(stand.store(), "put task#", 2);
    let Acquired::LeasedRun(held) = state(lossy, 1).open(&incremental()).await.unwrap() else {
        panic!("free")
    };
    held.renew().await.unwrap_err();
    stand.clock.advance(LEASE.span);
    let next = stand.held(2, &incremental()).await;
    let error = held.checkpoint(at_page(9)).await.unwrap_err();
    assert!(error.to_string().contains("another worker has taken over"), "{error}");
    next.checkpoint(at_page(4)).await.unwrap();
}

#[tokio::test]
async fn a_cursor_counts_only_once_its_run_is_committed() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    held.set_next_cursor(cursor("2026-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(stand.worker(1).cursor().await.unwrap(), None);
    held.commit("index").await.unwrap();
    assert_eq!(stand.worker(1).cursor().await.unwrap(), Some(cursor("2026-01-01T00:00:00Z")));
}

#[tokio::test]
async fn a_run_begins_at_the_cursor_and_one_that_is_given_up_leaves_it() {
    let stand = Stand::new();
    let first = stand.held(1, &incremental()).await;
    first.set_next_cursor(cursor("2026-01-01T00:00:00Z")).await.unwrap();
    first.commit("index").await.unwrap();
    let second = stand.held(2, &incremental()).await;
    assert_eq!(second.run.window.since, Some(time("2026-01-01T00:00:00Z")));
    second.set_next_cursor(cursor("2026-02-02T00:00:00Z")).await.unwrap();
    second.abandon().await.unwrap();
    let third = stand.held(3, &incremental()).await;
    assert!(!third.resumed && third.run.run_id != second.run.run_id);
    assert_eq!(third.run.from_cursor, Some(cursor("2026-01-01T00:00:00Z")));
}

#[tokio::test]
async fn a_cursor_can_be_set_again_by_the_worker_that_takes_over() {
    let stand = Stand::new();
    stand.held(1, &incremental()).await.set_next_cursor(cursor("2026-01-01T00:00:00Z")).await.unwrap();
    stand.clock.advance(LEASE.span);
    let new = stand.held(2, &incremental()).await;
    new.set_next_cursor(cursor("2026-01-02T00:00:00Z")).await.unwrap();
    new.commit("index").await.unwrap();
    assert_eq!(stand.worker(1).cursor().await.unwrap(), Some(cursor("2026-01-02T00:00:00Z")));
}

#[tokio::test]
async fn a_committed_run_is_followed_by_a_new_one() {
    let stand = Stand::new();
    let first = stand.held(1, &incremental()).await;
    first.commit("index").await.unwrap();
    let second = stand.held(2, &incremental()).await;
    assert!(!second.resumed && second.run.run_id != first.run.run_id && second.fence == 1);
    let head: Head = stand.worker(0).get("head").await.unwrap().unwrap().doc;
    assert_eq!(head.last_complete.as_ref(), Some(&first.run.run_id));
    assert_eq!(head.last_attempt, Some(second.run.run_id));
}

#[tokio::test]
async fn no_run_is_committed_before_the_one_that_it_came_after_even_if_the_clock_was_set_back() {
    for pending in [false, true] {
        let stand = Stand::new();
        let first = stand.held(1, &incremental()).await;
        first.commit("index").await.unwrap();
        stand.clock.set_back(Duration::from_hours(2));
        let second = stand.held(2, &incremental()).await;
        if pending {
            second.leave_pending("index", Duration::from_hours(1)).await.unwrap();
            decide(&*stand.store, &users(), &second.run.run_id, Decision::Commit).await.unwrap();
        } else {
            second.commit("index").await.unwrap();
        }
        let [first, second] = [stand.run(&first.run.run_id).await, stand.run(&second.run.run_id).await];
        let order = |run: &RunItem| (run.ended_at, run.run_id.clone());
        assert!(order(&first) < order(&second), "{first:?} {second:?}");
    }
}

#[tokio::test]
async fn a_head_that_missed_a_commit_is_put_right_by_the_next_start() {
    let stand = Stand::new();
    let dying = state(Faulty::dies(stand.store(), "put head", 2), 1);
    let Acquired::LeasedRun(first) = dying.open(&incremental()).await.unwrap() else { panic!("held") };
    first.commit("index").await.unwrap();
    let second = stand.held(2, &incremental()).await;
    let head: Head = stand.worker(0).get("head").await.unwrap().unwrap().doc;
    assert_eq!(
        (head.last_complete, head.open_run),
        (Some(first.run.run_id.clone()), Some(second.run.run_id))
    );
}

#[tokio::test]
async fn a_run_that_was_begun_otherwise_is_refused_unless_it_is_to_be_given_up() {
    let month = Window { since: Some(time("2026-01-01T00:00:00Z")), until: None };
    let others = [
        RunRequest { mode: Mode::Full, ..incremental() },
        RunRequest { spec_hash: "other".to_owned(), ..incremental() },
        RunRequest { mode: Mode::Window, window: month, ..incremental() },
    ];
    for other in others {
        let stand = Stand::new();
        let held = stand.held(1, &incremental()).await;
        held.checkpoint(at_page(1)).await.unwrap();
        held.release("deadline", Traffic::default()).await.unwrap();
        let error = stand.worker(2).open(&other).await.unwrap_err();
        assert!(error.hint_text().unwrap().contains("`restart`"), "{error:?}");
        let restarted = stand.held(2, &RunRequest { restart: true, ..other }).await;
        assert!(restarted.resumed && restarted.run.run_id == held.run.run_id);
    }
}

#[tokio::test]
async fn a_run_without_a_page_starts_over_whatever_it_was_begun_with() {
    for other in [
        RunRequest { mode: Mode::Full, ..incremental() },
        RunRequest { spec_hash: "corrected".to_owned(), ..incremental() },
    ] {
        let stand = Stand::new();
        let held = stand.held(1, &incremental()).await;
        held.release("deadline", Traffic::default()).await.unwrap();
        let over = stand.held(2, &other).await;
        assert!(!over.resumed && over.run.run_id != held.run.run_id);
        assert_eq!((over.run.mode, &over.run.spec_hash), (other.mode, &other.spec_hash));
        assert_eq!(stand.run(&held.run.run_id).await.status, RunStatus::Abandoned);
    }
}

#[tokio::test]
async fn a_window_goes_on_only_as_the_same_window() {
    let window = |day: &str| {
        let since = Some(time(&format!("2026-01-{day}T00:00:00Z")));
        RunRequest { mode: Mode::Window, window: Window { since, until: None }, ..incremental() }
    };
    let stand = Stand::new();
    let held = stand.held(1, &window("01")).await;
    held.checkpoint(at_page(1)).await.unwrap();
    held.release("deadline", Traffic::default()).await.unwrap();
    assert!(stand.worker(2).open(&window("02")).await.is_err());
    assert!(stand.held(2, &window("01")).await.resumed);
}

#[tokio::test]
async fn a_state_belongs_to_one_destination() {
    let stand = Stand::new();
    stand.held(1, &incremental()).await.commit("index").await.unwrap();
    let elsewhere = RunRequest { destination: "s3://other".to_owned(), ..incremental() };
    let error = stand.worker(2).open(&elsewhere).await.unwrap_err();
    assert!(error.hint_text().unwrap().contains("`state`"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn of_many_starts_at_once_one_gets_the_run() {
    let stand = Stand::new();
    let slow = Faulty::slow(stand.store(), Duration::from_millis(3));
    let starts = (1..=4).map(|nth| {
        let worker = state(Arc::clone(&slow) as _, nth);
        async move { worker.open(&incremental()).await }
    });
    let opened = futures_util::future::join_all(starts).await;
    let held = opened.iter().filter(|opening| matches!(opening, Ok(Acquired::LeasedRun(_)))).count();
    let busy = opened.iter().filter(|opening| matches!(opening, Ok(Acquired::Busy(_)))).count();
    assert_eq!((held, busy), (1, 3), "{opened:?}");
}

#[tokio::test]
async fn streams_do_not_get_in_each_others_way() {
    let stand = Stand::new();
    stand.held(1, &incremental()).await;
    for stream in ["okta#acme#groups", "okta#other#users", "duo#acme#users"] {
        let other =
            StreamState::new(stand.store(), stream.parse().unwrap(), "worker-2".to_owned(), LEASE, Some(1));
        assert!(matches!(other.open(&incremental()).await.unwrap(), Acquired::LeasedRun(_)), "{stream:?}");
    }
}

#[tokio::test]
async fn the_ledger_lists_the_newest_run_first() {
    let stand = Stand::new();
    let first = stand.held(1, &incremental()).await;
    first.commit("index").await.unwrap();
    stand.clock.advance(Duration::from_secs(1));
    let second = stand.held(2, &incremental()).await;
    let listed = list_runs(&*stand.store, 10).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|(_, run)| &run.run_id).collect();
    assert_eq!(ids, [&second.run.run_id, &first.run.run_id]);
    assert_eq!(listed[0].0, users());
}

#[tokio::test]
async fn an_item_that_is_not_ours_is_explained() {
    let stand = Stand::new();
    let key = stand.worker(1).key("head");
    stand.store.put(&key, serde_json::json!([7]), Expect::Absent).await.unwrap();
    let error = stand.worker(1).open(&incremental()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("item head"), "{error}");
}

#[tokio::test]
async fn a_cursor_of_another_definition_is_refused_with_a_way_out() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    held.set_next_cursor(cursor("2026-01-01T00:00:00Z")).await.unwrap();
    held.commit("index").await.unwrap();
    let changed = RunRequest { spec_hash: "other".to_owned(), ..incremental() };
    let error = stand.worker(2).open(&changed).await.unwrap_err();
    assert!(error.hint_text().unwrap().contains("--full"), "{error:?}");
    let full = RunRequest { mode: Mode::Full, ..changed };
    assert!(matches!(stand.worker(2).open(&full).await.unwrap(), Acquired::LeasedRun(_)));
}

#[tokio::test]
async fn a_continuation_goes_on_with_its_run_whatever_mode_it_has_and_begins_no_other() {
    let stand = Stand::new();
    let full = RunRequest { mode: Mode::Full, ..incremental() };
    let first = stand.held(1, &full).await;
    first.release("deadline", Traffic::default()).await.unwrap();
    let run_id = first.run.run_id.clone();
    let go_on = RunRequest { continuation: Some(run_id.clone()), ..incremental() };
    let second = stand.held(2, &go_on).await;
    assert_eq!(
        (second.run.run_id.as_str(), second.run.mode, second.resumed),
        (run_id.as_str(), Mode::Full, true)
    );
    assert!(matches!(stand.worker(3).open(&go_on).await.unwrap(), Acquired::Busy(_)));
    second.commit("index.json").await.unwrap();
    for _ in 0..2 {
        let Acquired::Done(done) = stand.worker(4).open(&go_on).await.unwrap() else { panic!("it is done") };
        assert_eq!((done.run_id, done.manifest.as_deref()), (run_id.clone(), Some("index.json")));
    }
    for (run, part) in [("20261122T053000000Z-0", "no run of this stream has this id")] {
        let request = RunRequest { continuation: Some(run.to_owned()), ..incremental() };
        let error = stand.worker(5).open(&request).await.unwrap_err();
        assert!(error.to_string().contains(part) && error.kind() == ErrorKind::Settings, "{error}");
    }
    let given_up = stand.held(6, &incremental()).await;
    given_up.abandon().await.unwrap();
    let request = RunRequest { continuation: Some(given_up.run.run_id), ..incremental() };
    let error = stand.worker(7).open(&request).await.unwrap_err();
    assert!(error.to_string().contains("the run was given up"), "{error}");
    let changed = RunRequest { spec_hash: "other".to_owned(), ..go_on };
    assert!(matches!(stand.worker(8).open(&changed).await.unwrap(), Acquired::Done(_)));
}

#[tokio::test]
async fn the_same_request_once_more_begins_no_second_run() {
    let stand = Stand::new();
    let keyed = |key: &str| RunRequest { idempotency_key: Some(key.to_owned()), ..incremental() };
    let first = stand.held(1, &keyed("a")).await;
    first.release("deadline", Traffic::default()).await.unwrap();
    let again = stand.held(2, &keyed("a")).await;
    assert_eq!(again.run.run_id, first.run.run_id, "it was not at its end yet");
    again.commit("index.json").await.unwrap();
    let Acquired::Done(done) = stand.worker(3).open(&keyed("a")).await.unwrap() else { panic!("it is done") };
    assert_eq!(done.run_id, first.run.run_id);
    let other = stand.held(4, &keyed("b")).await;
    assert_ne!(other.run.run_id, first.run.run_id);
    other.leave_pending("index.json", Duration::from_mins(5)).await.unwrap();
    assert!(matches!(stand.worker(5).open(&keyed("b")).await.unwrap(), Acquired::Done(_)));
    assert!(matches!(stand.worker(6).open(&keyed("c")).await.unwrap(), Acquired::Busy(_)));
}

#[tokio::test]
async fn a_run_that_is_being_promoted_is_left_to_who_is_at_it() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    held.leave_pending("index.json", Duration::from_mins(5)).await.unwrap();
    let busy = async || match stand.worker(2).open(&incremental()).await.unwrap() {
        Acquired::Busy(busy) => (busy.until, busy.manifest),
        other => panic!("{other:?}"),
    };
    let now = stand.store.now().await.unwrap();
    assert_eq!(busy().await, (later(now, Duration::from_mins(5)), Some("index.json".to_owned())));
    let until = later(now, Duration::from_mins(15));
    promoting(&*stand.store, &users(), &held.run.run_id, until).await.unwrap();
    assert_eq!(busy().await, (until, None), "nobody else need promote it meanwhile");
    stand.clock.advance(Duration::from_mins(15));
    assert_eq!(busy().await, (until, Some("index.json".to_owned())), "it was left behind");
    stand.clock.advance(Duration::from_hours(1000));
    assert_eq!(busy().await.1, Some("index.json".to_owned()), "and is never given up");
    decide(&*stand.store, &users(), &held.run.run_id, Decision::Commit).await.unwrap();
    promoting(&*stand.store, &users(), &held.run.run_id, until).await.unwrap();
    assert_ne!(stand.held(3, &incremental()).await.run.run_id, held.run.run_id);
}

#[tokio::test(start_paused = true)]
async fn two_who_decide_the_same_at_once_both_succeed() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    held.leave_pending("index.json", Duration::from_mins(5)).await.unwrap();
    let slow = Faulty::slow(stand.store(), Duration::from_secs(1));
    let stream = users();
    let commit = || decide(&*slow, &stream, &held.run.run_id, Decision::Commit);
    let (one, other) = tokio::join!(commit(), commit());
    one.unwrap();
    other.unwrap();
    let abandon = decide(&*slow, &stream, &held.run.run_id, Decision::Abandon { forced: false });
    assert!(abandon.await.unwrap_err().to_string().contains("committed, not pending"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_with_the_worker_if_that_is_known() {
    let stand = Stand::new();
    let lease = Lease { worker_ends: Some(Instant::now() + Duration::from_secs(20)), ..LEASE };
    let doomed = StreamState::new(stand.store(), users(), "worker-1".to_owned(), lease, Some(1));
    assert!(matches!(doomed.open(&incremental()).await.unwrap(), Acquired::LeasedRun(_)));
    stand.clock.advance(Duration::from_secs(19));
    assert!(matches!(stand.worker(2).open(&incremental()).await.unwrap(), Acquired::Busy(_)));
    stand.clock.advance(Duration::from_secs(1));
    assert!(stand.held(2, &incremental()).await.resumed);
}

#[tokio::test]
async fn a_continuation_is_not_led_to_a_run_that_nobody_ever_saw() {
    let stand = Stand::new();
    let first = stand.held(1, &incremental()).await;
    first.start_over().await.unwrap();
    let run_id = first.run.run_id.clone();
    // Its worker died before `head` named it.
    let unseen =
        RunItem { run_id: format!("{}z", &run_id), replaces: Some(run_id.clone()), ..first.run.clone() };
    let unseen = RunItem { status: RunStatus::Open, ..unseen };
    let key = ItemKey::new(&users(), &run_key(&unseen.run_id));
    stand.store.put(&key, serde_json::to_value(&unseen).unwrap(), Expect::Absent).await.unwrap();
    let go_on = RunRequest { continuation: Some(run_id.clone()), ..incremental() };
    let second = stand.held(2, &go_on).await;
    assert_eq!(second.run.replaces.as_ref(), Some(&run_id));
    assert_ne!(second.run.run_id, unseen.run_id);
    second.commit("index.json").await.unwrap();
    assert!(matches!(stand.worker(3).open(&go_on).await.unwrap(), Acquired::Done(_)));
}

/// The same request at another address.
fn at_address(address: &str, request: RunRequest) -> RunRequest {
    RunRequest { address: address.to_owned(), ..request }
}

const OTHER: &str = "https://other.okta.com";

/// A position after the first page.
fn begun() -> Position {
    Position { first_server_date: Some(time("2026-11-22T05:30:00Z")), ..at_page(2) }
}

#[tokio::test]
async fn an_account_at_another_address_is_refused_whatever_is_requested_of_it() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    held.checkpoint(begun()).await.unwrap();
    let month = Window { since: Some(time("2026-11-01T00:00:00Z")), until: None };
    let ways = |run_id: &str| {
        [
            incremental(),
            RunRequest { mode: Mode::Full, ..incremental() },
            RunRequest { mode: Mode::Window, window: month.clone(), ..incremental() },
            RunRequest { restart: true, ..incremental() },
            RunRequest { adopt: true, ..incremental() },
            RunRequest { continuation: Some(run_id.to_owned()), ..incremental() },
        ]
    };
    let run_id = held.run.run_id.clone();
    // Open and held, open and free, pending, committed: the name stands for one account.
    for _ in 0..4 {
        for request in ways(&run_id) {
            let error = stand.worker(2).open(&at_address(OTHER, request)).await.unwrap_err();
            let (shown, hint) = (error.to_string(), error.hint_text().unwrap().to_owned());
            assert!(shown.contains("https://acme.okta.com") && shown.contains(OTHER), "{shown}");
            assert!(hint.contains("--account") && hint.contains("state moved okta --account acme"), "{hint}");
        }
        match stand.run(&run_id).await.status {
            RunStatus::Open => {
                held.release("deadline", Traffic::default()).await.ok();
                let held = stand.worker(3).open(&incremental()).await.unwrap();
                let Acquired::LeasedRun(held) = held else { panic!("{held:?}") };
                held.leave_pending("index", Duration::from_hours(1)).await.unwrap();
            }
            _ => drop(decide(&*stand.store, &users(), &run_id, Decision::Commit).await.unwrap()),
        }
    }
    // Another stream of the account is of it too; another account is not.
    let stream = |account: &'static str, endpoint: &'static str| {
        let stream = StreamId::new("okta", account, endpoint);
        StreamState::new(stand.store(), stream, "worker-9".to_owned(), LEASE, Some(9))
    };
    stream("acme", "groups").open(&at_address(OTHER, incremental())).await.unwrap_err();
    stream("acme", "groups").open(&incremental()).await.unwrap();
    stream("acme2", "users").open(&at_address(OTHER, incremental())).await.unwrap();
}

#[tokio::test]
async fn an_address_counts_once_the_api_has_responded() {
    let stand = Stand::new();
    // A mistyped one, at which nobody responded.
    let mistyped = stand.held(1, &at_address("https://amce.okta.com", incremental())).await;
    mistyped.checkpoint(Position::default()).await.unwrap();
    mistyped.release("no such host", Traffic::default()).await.unwrap();
    let held = stand.held(2, &incremental()).await;
    held.checkpoint(begun()).await.unwrap();
    stand.worker(3).open(&at_address(OTHER, incremental())).await.unwrap_err();
}

#[tokio::test]
async fn of_two_accounts_that_begin_under_one_name_at_the_same_time_one_at_most_counts() {
    let stand = Stand::new();
    let stream = |endpoint: &'static str| {
        let stream = StreamId::new("okta", "acme", endpoint);
        StreamState::new(stand.store(), stream, "worker".to_owned(), LEASE, Some(1))
    };
    let users = stream("users").open(&incremental()).await.unwrap();
    let groups = stream("groups").open(&at_address(OTHER, incremental())).await.unwrap();
    let (Acquired::LeasedRun(users), Acquired::LeasedRun(groups)) = (users, groups) else { panic!() };
    users.checkpoint(begun()).await.unwrap();
    let error = groups.checkpoint(begun()).await.unwrap_err();
    assert!(error.to_string().contains("https://acme.okta.com"), "{error}");
}

#[tokio::test]
async fn what_an_older_version_left_takes_the_address_of_the_next_run() {
    let stand = Stand::new();
    let old = stand.held(1, &incremental()).await;
    old.checkpoint(begun()).await.unwrap();
    old.commit("index").await.unwrap();
    let listed = ItemKey { pk: "streams".to_owned(), sk: "okta#acme#users".to_owned() };
    let there = stand.store.get(&listed).await.unwrap().unwrap();
    stand.store.put(&listed, serde_json::json!({}), Expect::Version(there.version)).await.unwrap();
    let held = stand.held(2, &at_address(OTHER, incremental())).await;
    held.checkpoint(begun()).await.unwrap();
    held.commit("index").await.unwrap();
    stand.worker(3).open(&incremental()).await.unwrap_err();
}

#[tokio::test]
async fn an_account_that_has_moved_is_accepted_by_hand_and_keeps_its_cursor() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    held.checkpoint(begun()).await.unwrap();
    held.set_next_cursor(cursor("2026-11-22T05:00:00Z")).await.unwrap();
    held.commit("index").await.unwrap();
    let shown = show(&*stand.store).await.unwrap();
    assert_eq!(shown[0].address.as_deref(), Some("https://acme.okta.com"));
    let before = moved(&*stand.store, "okta", "acme").await.unwrap();
    assert_eq!(before.as_deref(), Some("https://acme.okta.com"));
    assert_eq!(moved(&*stand.store, "okta", "acme").await.unwrap(), None);
    let held = stand.held(2, &at_address(OTHER, incremental())).await;
    assert_eq!(held.run.from_cursor, Some(cursor("2026-11-22T05:00:00Z")));
    held.checkpoint(begun()).await.unwrap();
    held.commit("index").await.unwrap();
    stand.worker(3).open(&incremental()).await.unwrap_err();
    // What is forgotten belongs to nobody.
    reset(&*stand.store, &users(), false).await.unwrap();
    stand.held(4, &incremental()).await;
}

#[tokio::test]
async fn force_breaks_a_lease_that_a_wrong_clock_keeps_alive() {
    let stand = Stand::new();
    let held = stand.held(1, &incremental()).await;
    held.checkpoint(begun()).await.unwrap();
    let run_id = held.run.run_id.clone();
    let opening = stand.worker(2).open(&incremental()).await.unwrap();
    assert!(matches!(opening, Acquired::Busy(_)), "{opening:?}");
    let stream = users();
    let abandon = |forced| decide(&*stand.store, &stream, &run_id, Decision::Abandon { forced });
    abandon(false).await.unwrap_err();
    abandon(true).await.unwrap();
    held.checkpoint(begun()).await.unwrap_err();
    held.commit("index").await.unwrap_err();
    let held = stand.held(3, &incremental()).await;
    assert!(!held.resumed);
    reset(&*stand.store, &users(), false).await.unwrap_err();
    reset(&*stand.store, &users(), true).await.unwrap();
    held.commit("index").await.unwrap_err();
    // A run that may be visible is not given up, but free.
    let held = stand.held(4, &incremental()).await;
    held.checkpoint(Position { finished: true, ..begun() }).await.unwrap();
    let run_id = held.run.run_id.clone();
    let abandon = Decision::Abandon { forced: true };
    let error = decide(&*stand.store, &users(), &run_id, abandon).await.unwrap_err();
    assert!(error.hint_text().unwrap().contains("the next pull commits it"), "{error:?}");
    held.commit("index").await.unwrap_err();
    assert_eq!(stand.held(5, &incremental()).await.run.run_id, run_id);
}
