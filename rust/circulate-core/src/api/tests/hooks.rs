use futures_util::stream::pending;
use futures_util::{FutureExt, StreamExt};

use super::*;
use crate::testing::FakeHooks;

fn hook(text: &str) -> HookRef {
    HookRef::try_from(text.to_owned()).unwrap()
}

fn page() -> HookedPage {
    HookedPage { status: 200, headers: HeaderMap::new(), body: Bytes::from_static(b"a page") }
}

/// A call of a hook that took `span`, and one that nobody waited for after `left`.
async fn left_after(spans: &[Duration], left: Duration) -> LeftCall {
    let fake = FakeHooks::default();
    let hooks = Hooks::new(Arc::new(fake.clone()));
    for span in spans {
        fake.takes(Some(*span));
        hooks.page(&hook("hooks.py:f"), page()).unwrap().collect::<Vec<_>>().await;
        assert!(hooks.take_left().is_none(), "it has returned");
    }
    fake.takes(None);
    let mut pieces = hooks.page(&hook("hooks.py:f"), page()).unwrap();
    let waited = tokio::time::timeout(left, pieces.next()).await;
    assert!(waited.is_err());
    drop(pieces);
    hooks.take_left().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_returned_before_seems_blocked() {
    assert!(!left_after(&[], Duration::from_millis(200)).await.seems_blocked(), "it has just begun");
    let left = left_after(&[], Duration::from_millis(300)).await;
    assert!(left.seems_blocked());
    let error = left.error("at the deadline");
    assert_eq!(error.kind(), ErrorKind::Hook);
    assert_eq!(error.to_string(), "the hook had not returned at the deadline, after 0.3 s — hook hooks.py:f");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_slow_as_those_before_it_is_at_work() {
    let seconds = Duration::from_secs;
    assert!(!left_after(&[seconds(3)], seconds(29)).await.seems_blocked());
    assert!(left_after(&[seconds(3)], seconds(31)).await.seems_blocked());
    assert!(!left_after(&[Duration::from_millis(1)], Duration::from_millis(200)).await.seems_blocked());
    assert!(left_after(&[Duration::from_millis(1)], Duration::from_millis(300)).await.seems_blocked());
}

#[tokio::test]
async fn what_is_dropped_between_two_pieces_was_not_left_behind() {
    let hooks = Hooks::new(Arc::new(FakeHooks::default()));
    let mut pieces = hooks.page(&hook("hooks.py:f"), page()).unwrap();
    pieces.next().await.unwrap().unwrap();
    drop(pieces);
    assert!(hooks.take_left().is_none());
    let mut pieces = watched(
        Arc::clone(hooks.0.as_ref().unwrap()),
        hook("hooks.py:f"),
        pending::<Result<Bytes>>().boxed(),
    );
    assert!(pieces.next().now_or_never().is_none());
    drop(pieces);
    assert!(hooks.take_left().is_some());
    assert!(hooks.take_left().is_none(), "it is reported once");
}

#[test]
fn without_a_host_a_hook_is_an_error_of_the_definition() {
    let error = Hooks::default().page(&hook("hooks.py:f"), page()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Definition);
}
