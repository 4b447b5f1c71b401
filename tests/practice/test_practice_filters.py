"""The filter grammar."""

from array import array

import pytest

from circulate_practice.data.ids import USER, Ids
from circulate_practice.data.timestamps import parse_timestamp
from circulate_practice.okta.users import STATUSES
from circulate_practice.paging.filters import FilterError, compile_filter, id_in, name_in, time_in

DAYS = ("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.001Z")
NAMES = ("ACTIVE", "STAGED", "DEPROVISIONED", "ACTIVE")
IDS = Ids(1, USER)


def matches(text: str) -> list[int]:
    """Return which of the four users above match."""
    updated = array("q", [parse_timestamp(day) or 0 for day in DAYS])
    status = array("B", [STATUSES.index(name) for name in NAMES])
    match = compile_filter(
        text, {"lastUpdated": time_in(updated), "status": name_in(status, STATUSES), "id": id_in(IDS)}
    )
    return [index for index in range(4) if match(index)]


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [("gt", [3]), ("ge", [1, 2, 3]), ("lt", [0]), ("le", [0, 1, 2]), ("eq", [1, 2]), ("GT", [3]), ("Le", [0, 1, 2])],
)
def test_last_updated_is_compared_as_a_time(comparison: str, expected: list[int]) -> None:
    assert matches(f'lastUpdated {comparison} "2026-01-02T00:00:00.000Z"') == expected


def test_times_may_leave_milliseconds_out() -> None:
    assert matches('lastUpdated gt "2026-01-03T00:00:00Z"') == [3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('status eq "ACTIVE"', [0, 3]),
        ('status EQ "RECOVERY"', []),
        (f'id eq "{IDS.id_of(2).decode()}"', [2]),
        ('id eq "00uNobody"', []),
        ('status eq "ACTIVE" and lastUpdated lt "2026-01-02T00:00:00.000Z"', [0]),
        ('status eq "STAGED" or status eq "ACTIVE" and lastUpdated gt "2026-01-02T00:00:00.000Z"', [1, 3]),
        ('(status eq "STAGED" or status eq "ACTIVE") AND lastUpdated gt "2026-01-02T00:00:00.000Z"', [3]),
        ('((status eq "STAGED"))Or(status eq "DEPROVISIONED")', [1, 2]),
        ('  status   eq   "STAGED"  ', [1]),
    ],
)
def test_expressions(text: str, expected: list[int]) -> None:
    assert matches(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lastUpdated",
        "lastUpdated gt",
        "lastUpdated gt 2026-01-02T00:00:00.000Z",
        'lastUpdated gt "yesterday"',
        'lastUpdated gt "2026-01-02"',
        'lastUpdated ne "2026-01-02T00:00:00.000Z"',
        'lastupdated gt "2026-01-02T00:00:00.000Z"',
        'created gt "2026-01-02T00:00:00.000Z"',
        'status gt "ACTIVE"',
        'status eq "active"',
        'status eq "ACTIVE" and',
        'status eq "ACTIVE" status eq "STAGED"',
        'not status eq "ACTIVE"',
        '(status eq "ACTIVE"',
        'status eq "ACTIVE")',
        'status eq "ACTIVE',
        "status eq 'ACTIVE'",
        "; drop",
    ],
)
def test_what_okta_does_not_take_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        matches(text)
