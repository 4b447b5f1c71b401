"""Coverage: which time a lake holds of each stream, where gaps are, and how they are filled."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from circulate_core.coverages import Coverage, covered

DAY = timedelta(days=1)
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def at(day: float) -> str:
    """Return a time as manifests have it."""
    return (BEGIN + day * DAY).isoformat().replace("+00:00", "Z")


def ran(
    number: int, since: float | None, until: float | None, *, at_day: float, verdict: str = "complete", **more: object
) -> dict[str, Any]:
    """Return a run as the engine lists it."""
    bounds = {"since": None if since is None else at(since), "until": None if until is None else at(until)}
    return {
        "run_id": str(number),
        "verdict": verdict,
        "window": bounds,
        "started_at": at(at_day),
        "first_server_date": at(at_day),
        "behind": None,
        "expired": False,
        **more,
    }


def spans(found: Coverage) -> list[tuple[float | None, float, str]]:
    """Return spans in days."""
    return [
        (None if span.since is None else (span.since - BEGIN) / DAY, (span.until - BEGIN) / DAY, span.kind)
        for span in found.spans
    ]


def of(*runs: dict[str, Any]) -> Coverage:
    """Return the coverage of runs."""
    return covered("okta.users", "acme", runs)


def test_a_run_of_everything_covers_all_time_up_to_the_date_of_the_server() -> None:
    found = of(ran(1, None, None, at_day=3, started_at=at(9)))
    assert spans(found) == [(None, 3.0, "complete")]
    assert found.complete_until == BEGIN + 3 * DAY
    assert found.gaps == ()


def test_a_run_since_1970_covers_from_the_beginning() -> None:
    """What a full pull asks of an API that must be given a time."""
    run = {**ran(1, None, None, at_day=3), "window": {"since": "1970-01-01T00:00:00Z", "until": None}}
    assert spans(of(run)) == [(None, 3, "complete")]


def test_a_time_between_two_runs_that_none_took_is_missing() -> None:
    found = of(ran(1, None, 2, at_day=5), ran(2, 4, None, at_day=6))
    assert spans(found) == [(None, 2.0, "complete"), (2.0, 4.0, "missing"), (4.0, 6.0, "complete")]
    assert (found.complete_until, [gap.kind for gap in found.gaps]) == (BEGIN + 2 * DAY, ["missing"])


def test_what_a_run_with_gaps_took_is_partial_until_another_has_it_whole() -> None:
    partial = ran(1, 0, 4, at_day=5, verdict="partial")
    assert spans(of(partial)) == [(0.0, 4.0, "partial")]
    assert spans(of(partial, ran(2, 1, 2, at_day=6))) == [
        (0.0, 1.0, "partial"),
        (1.0, 2.0, "complete"),
        (2.0, 4.0, "partial"),
    ]
    assert of(partial, ran(2, None, None, at_day=6)).gaps == ()


def test_a_poll_that_is_behind_covers_up_to_there() -> None:
    assert spans(of(ran(1, 0, None, at_day=4, behind=86_400))) == [(0.0, 3.0, "complete")]


def test_a_period_in_the_future_is_covered_up_to_the_present_only() -> None:
    assert spans(of(ran(1, 0, 30, at_day=4))) == [(0.0, 4.0, "complete")]


def test_what_retention_removed_is_expired_and_no_gap() -> None:
    found = of(ran(1, 0, 2, at_day=2, expired=True), ran(2, 2, 4, at_day=4))
    assert spans(found) == [(0.0, 2.0, "expired"), (2.0, 4.0, "complete")]
    assert (found.gaps, found.complete_until) == ((), None)


def test_without_a_date_of_the_server_the_beginning_of_the_run_counts() -> None:
    assert spans(of(ran(1, 0, None, at_day=4, first_server_date=None))) == [(0.0, 4.0, "complete")]


@pytest.mark.parametrize("seed", range(200))
def test_each_moment_is_what_the_runs_hold_of_it(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - of a test
    bounds, kinds = [None, *range(10)], ["complete", "partial"]
    drawn = [
        (
            random.choice(bounds),
            random.choice(bounds),
            random.randrange(10),
            random.choice(kinds),
            random.random() < 0.2,
        )
        for _ in range(random.randrange(6))
    ]
    runs = [
        ran(number, since, until, at_day=day, verdict=verdict, expired=expired)
        for number, (since, until, day, verdict, expired) in enumerate(drawn)
    ]
    found = of(*runs)

    def holds(run: tuple[int | None, int | None, int, str, bool], moment: float) -> bool:
        since, until, day, _, _ = run
        return (since is None or since <= moment) and moment < min(until if until is not None else day, day)

    for half in range(-1, 20):
        moment = half / 2 + 0.25
        time = BEGIN + moment * DAY
        held = {"expired" if run[4] else run[3] for run in drawn if holds(run, moment)}
        expected = next((kind for kind in ("complete", "partial", "expired") if kind in held), None)
        (kind, *_) = [*(s.kind for s in found.spans if (s.since is None or s.since <= time) and time < s.until), None]
        bounds = [(s.since, s.until) for s in found.spans]
        inside = bool(bounds) and (bounds[0][0] is None or bounds[0][0] <= time) and time < bounds[-1][1]
        assert kind == (expected or ("missing" if inside else None)), (moment, runs)
