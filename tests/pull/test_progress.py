"""The line that shows progress: n of N, the time left, and what a narrow terminal leaves out."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from circulate_core.console import LIVE
from circulate_core.progress import ALWAYS, Fact, TerminalProgress, TimeLeft, fitted, text_width, time_left
from circulate_core.results import Snapshot

START: dict[str, Any] = {
    "run_id": "20261122T053000123Z-1a2b3c4d5e",
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
READ = {"pages": 1_240, "records": 45_678, "bytes_received": 12_300_000}


def snapshot(**changes: object) -> Snapshot:
    return Snapshot({**START, **changes})


def of_groups(done: int, total: int | None = 5_600, **changes: Any) -> Snapshot:  # noqa: ANN401 - JSON
    completion = {"unit": "groups", "done": done, "total": total, "estimated": False}
    return snapshot(**READ, completion=completion, **changes)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Terminal(io.StringIO):
    """A terminal that remembers what was written to it."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True

    def line(self) -> str:
        """Return the live line as it is now."""
        return self.getvalue().rpartition("\r\033[2K")[2]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Give what stands in the place of stderr; `COLUMNS` says how wide it is."""
    shown = Terminal()
    # pytest puts a stderr of its own in place when the test begins.
    for module in ("progress", "console"):
        monkeypatch.setattr(f"circulate_core.{module}.sys", SimpleNamespace(stderr=shown))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "121")
    yield shown
    LIVE.clear()


def show_steadily(progress: TerminalProgress, clock: Clock, seconds: int, **changes: Any) -> None:  # noqa: ANN401 - JSON
    """Show a snapshot every second, of a run that takes in 20 groups in each."""
    for second in range(seconds + 1):
        clock.now = float(second)
        progress.show(of_groups(1_000 + 20 * second, **(changes if second == seconds else {})))


def test_a_child_stream_counts_parents_n_of_n_and_estimates_the_time(terminal: Terminal) -> None:
    clock = Clock()
    with TerminalProgress("okta.group_members", clock=clock) as progress:
        progress.show(of_groups(3_400, total=None))
        assert terminal.line() == "okta.group_members  3,400 groups listed  45,678 records  12.3 MB"
        show_steadily(progress, clock, 20)
        assert terminal.line() == ("okta.group_members  1,400 of 5,600 groups  45,678 records  12.3 MB  4 min left")
    assert terminal.line() == ""


WAITING = {"waiting": ["before a retry: Okta returned 503: E0000010", 12.0], "quota": {"remaining": 12, "limit": 600}}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            200,
            (
                "okta.group_members  2 of 5 streams  1,400 of 5,600 groups  45,678 records  12.3 MB  4 min left"
                "  quota 12 of 600 left  waiting 12 s: before a retry: Okta returned 503: E0000010"
            ),
        ),
        (
            161,
            (
                "okta.group_members  2 of 5 streams  1,400 of 5,600 groups  45,678 records  12.3 MB  4 min left"
                "  waiting 12 s: before a retry: Okta returned 503: E0000010"
            ),
        ),
        (
            121,
            (
                "okta.group_members  1,400 of 5,600 groups  4 min left"
                "  waiting 12 s: before a retry: Okta returned 503: E0000010"
            ),
        ),
        (61, "okta.group_members  1,400 of 5,600 groups  waiting 12 s"),
        (41, "okta.group_members  1,400 of 5,600 grou…"),
    ],
)
def test_a_narrow_terminal_leaves_out_what_matters_least(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: int, expected: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    clock = Clock()
    progress = TerminalProgress("okta.group_members", place="2 of 5 streams", clock=clock)
    show_steadily(progress, clock, 20, **WAITING)
    assert terminal.line() == expected
    assert text_width(terminal.line()) < columns


def test_wide_characters_and_escape_codes_are_measured_as_terminals_show_them() -> None:
    assert text_width("日本") == 4
    assert text_width("e\u0301") == 1
    assert text_width("\033[1mokta\033[0m") == 4
    facts = [Fact("ä", ALWAYS), Fact("日本語日本語", ALWAYS, "日本")]
    assert fitted(facts, 15) == "ä  日本語日本語"
    assert fitted(facts, 14) == "ä  日本"
    assert fitted(facts, 6) == "ä  日…"


def test_elsewhere_than_on_a_terminal_there_is_a_plain_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with TerminalProgress("okta.group_members", clock=clock) as progress:
        show_steadily(progress, clock, 20, **WAITING)
    assert capsys.readouterr().err.splitlines() == [
        "okta.group_members  1,200 of 5,600 groups  45,678 records  12.3 MB  4 min left",
        (
            "okta.group_members  1,400 of 5,600 groups  45,678 records  12.3 MB  4 min left  quota 12 of 600 left"
            "  waiting 12 s: before a retry: Okta returned 503: E0000010"
        ),
    ]


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (None, "okta.users  3 pages  600 records  1.0 MB  600/s"),
        (("records", 600, 2_000, True), "okta.users  600 of about 2,000 records  1.0 MB"),
        (("seconds", 45, 90, False), "okta.users  50 % of the period  600 records  1.0 MB"),
        (("application_types", 3, 4, False), "okta.users  3 of 4 application types  600 records  1.0 MB"),
    ],
)
def test_only_what_is_known_and_not_zero_is_shown(
    terminal: Terminal, completion: tuple[str, int, int, bool] | None, expected: str
) -> None:
    clock = Clock()
    progress = TerminalProgress("okta.users", clock=clock)
    progress.show(snapshot())
    assert terminal.line() == "okta.users  no page yet"
    clock.now = 1.0
    known = completion and dict(zip(("unit", "done", "total", "estimated"), completion, strict=True))
    progress.show(snapshot(pages=3, records=600, bytes_received=1_000_000, completion=known))
    assert terminal.line() == expected


def test_an_estimate_is_given_after_some_seconds_of_steady_work_only() -> None:
    clock = Clock()
    left = TimeLeft(clock)

    def after(second: float, done: int, **changes: Any) -> str | None:  # noqa: ANN401 - JSON
        clock.now = second
        return left.after(of_groups(done, **changes))

    assert [after(second, 10 * second) for second in range(5)] == [None] * 5
    assert after(5, 50) == "9 min left"
    assert after(6, 60, waiting=["for the quota", 1_000.0]) == "17 min left", "not before the wait is over"
    assert after(60, 70) is None, "it has slowed down"
    for second in range(61, 200):
        after(second, 70 + 20 * (second - 60))
    assert after(200, 2_870) == "2 min left", "as fast as it goes now"
    assert after(201, 5_600) is None
    assert after(202, 10, total=None) is None
    assert after(210, 10) is None, "what was listed says nothing of what is pulled"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "5 s left"), (37, "40 s left"), (58, "1 min left"), (200, "3 min left"), (7_500, "2 h 5 min left")],
)
def test_an_estimate_is_no_more_precise_than_it_can_be(seconds: float, text: str) -> None:
    assert time_left(seconds) == text
