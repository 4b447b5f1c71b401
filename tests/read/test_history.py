"""The history of a run: few points, none of the waits lost."""

import itertools
from collections.abc import Sequence

import pytest

from circulate_core.history import MAX_POINTS, History
from circulate_core.results import Snapshot
from circulate_core.watch import Watch


def snapshot(**changes: object) -> Snapshot:
    zero: dict[str, object] = {
        "run_id": None,
        "pages": 0,
        "records": 0,
        "objects": 0,
        "bytes_stored": 0,
        "requests": 0,
        "retries": 0,
        "throttled": 0,
        "seconds_waited": 0.0,
        "bytes_received": 0,
        "quota": None,
        "waiting": None,
        "notes": [],
    }
    return Snapshot({**zero, **changes})


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def history_of(*snapshots: tuple[float, Snapshot]) -> History:
    clock = Clock()
    history = History("okta.users", clock=clock)
    for seconds, each in snapshots:
        clock.now = 100.0 + seconds
        history.add(each)
    return history


def test_points_have_the_time_since_the_beginning() -> None:
    history = history_of((0.5, snapshot(records=1)), (2.0, snapshot(records=9)))
    assert [(seconds, point.records) for seconds, point in history.points] == [(0.5, 1), (2.0, 9)]
    assert (history.seconds, len(history)) == (2.0, 2)
    assert repr(history) == "<History of okta.users: 2 points, 2.0 s>"


def test_an_empty_history_is_empty() -> None:
    history = History()
    assert (history.points, history.waits, history.seconds, len(history)) == ([], [], 0.0, 0)


@pytest.mark.parametrize("count", [1, MAX_POINTS - 1, MAX_POINTS, MAX_POINTS + 1, 2_345, 100_000])
def test_a_history_stays_small_and_evenly_spread(count: int) -> None:
    history = history_of(*((float(second), snapshot(records=second)) for second in range(count)))
    seconds = [point.seconds for point in history.points]
    assert len(seconds) <= MAX_POINTS
    assert (seconds[0], seconds[-1]) == (0.0, count - 1.0)
    apart = {later - earlier for earlier, later in itertools.pairwise(seconds[:-1])}
    assert len(apart) <= 1
    assert len(seconds) >= min(count, MAX_POINTS // 2)


def test_waits_are_known_from_what_they_added_up_to() -> None:
    history = history_of(
        (1.0, snapshot()),
        (10.0, snapshot(seconds_waited=6.0)),
        (20.0, snapshot(seconds_waited=6.0, waiting=("the quota", 9.0))),
        (30.0, snapshot(seconds_waited=15.0)),
        (31.0, snapshot(seconds_waited=15.0, waiting=("the quota", 9.0))),
        (35.0, snapshot(seconds_waited=15.0, waiting=("the quota", 5.0))),
    )
    assert history.waits == [(4.0, 10.0, ""), (21.0, 30.0, "the quota"), (31.0, 35.0, "the quota")]


class Shown:
    """A display that remembers what it was shown."""

    def __init__(self) -> None:
        self.records: list[int] = []
        self.notes: list[str] = []
        self.ended: list[str] = []

    def show(self, shown: Snapshot, notes: Sequence[str] | None = None) -> None:
        """Remember a snapshot."""
        self.records.append(shown.records)
        self.notes += shown.notes if notes is None else notes

    def end(self, ending: object) -> None:
        """Remember how it ended."""
        self.ended.append(str(getattr(ending, "word", "")))


def test_a_display_is_drawn_a_few_times_a_second_and_loses_no_note() -> None:
    clock, shown, reported = Clock(), Shown(), list[int]()
    with Watch(History(clock=clock), shown, lambda each: reported.append(each.records), clock=clock) as watch:
        for step in range(11):
            clock.now = 100.0 + step * 0.05
            watch.show(snapshot(records=step, notes=[f"note {step}"]))
    assert reported == list(range(11))
    assert shown.records == [0, 4, 8]
    assert shown.notes == [f"note {step}" for step in range(9)]
    assert shown.ended == ["not read to its end"]


def test_a_display_of_something_short_is_never_shown() -> None:
    clock, shown = Clock(), Shown()
    with Watch(History(clock=clock), shown, patience=1.0, clock=clock) as watch:
        watch.show(snapshot())
    assert (shown.records, shown.ended) == ([], [])


def test_what_ends_with_an_error_is_shown_to_have_failed() -> None:
    shown = Shown()
    watch = Watch(History(), shown)
    watch.__exit__(ValueError, ValueError("no"), None)
    assert shown.ended == ["failed"]
