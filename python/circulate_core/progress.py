"""Progress of a read or a pull: its facts, and the line on a terminal that shows them.

On a terminal the line is rewritten; elsewhere there is a plain line now and then. `jupyter/progress.py` shows the same
facts in a notebook.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
import time
import unicodedata
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from circulate_core.console import LIVE, MARKS, counted, is_quiet, is_terminal, paint, say, size, span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from circulate_core.results import Attempt, Report, Snapshot

PLAIN_INTERVAL = 10.0
"""Seconds between plain lines."""
WHY_LENGTH = 100
"""Characters of what an error says; all of it is raised."""
OBSERVED = 5.0
"""Seconds of work after which the time that is left can be estimated."""
REMEMBERED = 120.0
"""Seconds of work that an estimate looks back on: two windows of a quota per minute."""
STEADY = 2.0
"""How much faster or slower the newer half of that may be than all of it: else nothing is estimated."""
ALWAYS = 100
"""Weight of what is never left out of a line."""


class Ending(NamedTuple):
    """How a read or a pull ended."""

    mark: str
    """A sign for it."""
    colour: str
    """Its colour: green, yellow or red."""
    word: str
    """How it ended, in a word."""
    facts: list[str]
    """What it did, in short."""


class Display(Protocol):
    """Where progress is shown."""

    def show(self, snapshot: Snapshot, notes: Sequence[str] | None = None) -> None:
        """Show where the work is, and what it has to say: notes, by default those of the snapshot."""

    def end(self, ending: Ending) -> None:
        """Show what came of it, in place of the progress."""


class Fact(NamedTuple):
    """A part of a line."""

    text: str
    weight: int
    """How important it is: what weighs least is left out first."""
    short: str | None = None
    """What stands in its place where there is no room for it."""


class TimeLeft:
    """Estimates how long work still takes that is counted n of N.

    Args:
        clock: Source of the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._what: tuple[str, int | None] | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def after(self, snapshot: Snapshot) -> str | None:
        """Take a snapshot in. Return how long it still takes, or None if that cannot be said."""
        completion, now = snapshot.completion, self._clock()
        what = None if completion is None else (completion.unit, completion.total)
        if what != self._what:
            self._what = what
            self._seen.clear()
        if completion is None or completion.total is None:
            return None
        if not self._seen or now - self._seen[-1][0] >= 1:
            self._seen.append((now, completion.done))
        while now - self._seen[0][0] > REMEMBERED:
            self._seen.popleft()
        rate = self._rate()
        if rate is None or completion.done >= completion.total:
            return None
        waits = snapshot.waiting.seconds if snapshot.waiting else 0.0
        return time_left(max((completion.total - completion.done) / rate, waits))

    def _rate(self) -> float | None:
        """Return how much is done in a second, if that has been steady."""
        (began, before), (now, done) = self._seen[0], self._seen[-1]
        if now - began < OBSERVED:
            return None
        middle, by_then = next((when, had) for when, had in self._seen if when >= (began + now) / 2)
        rate = (done - before) / (now - began)
        newer = (done - by_then) / max(now - middle, 1)
        return rate if 0 < rate < newer * STEADY and newer < rate * STEADY else None


def time_left(seconds: float) -> str:
    """Return how long something still takes, no more precisely than an estimate is: `40 s left`, `4 min left`."""
    if seconds < 55:  # noqa: PLR2004 - above it is a minute
        return f"{max(math.ceil(seconds / 5), 1) * 5} s left"
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min left"
    return f"{minutes // 60} h {minutes % 60} min left"


def amount(snapshot: Snapshot) -> str | None:
    """Return how much of the run is done, n of N, if that is known."""
    if (completion := snapshot.completion) is None:
        return None
    unit = completion.unit.replace("_", " ")
    if not completion.total:
        return f"{completion.done:,} {unit} listed"
    if unit == "seconds":
        return f"{completion.done * 100 // completion.total} % of the period"
    return f"{completion.done:,} of {'about ' if completion.estimated else ''}{completion.total:,} {unit}"


def counts(snapshot: Snapshot, seconds: float) -> list[Fact]:
    """Return what was done so far, besides the amount, as people read it: only what is not zero."""
    known = snapshot.completion
    if not snapshot.pages and not snapshot.records:
        return [] if known else [Fact("no page yet", 2)]
    facts = []
    if known is None:
        facts.append(Fact(counted(snapshot.pages, "page"), 2))
    if snapshot.records and not (known and known.unit == "records"):
        facts.append(Fact(counted(snapshot.records, "record"), 4))
    if snapshot.bytes_received:
        facts.append(Fact(size(snapshot.bytes_received), 2))
    if known is None and snapshot.records:
        facts.append(Fact(f"{snapshot.records / seconds:,.0f}/s", 1))
    return facts


def waiting(snapshot: Snapshot) -> str | None:
    """Return what is waited for and how long, if anything is."""
    if (wait := snapshot.waiting) is None:
        return None
    if wait.reason.startswith("waiting "):
        return f"waiting {wait.seconds:.0f} s {wait.reason.removeprefix('waiting ')}"
    return f"waiting {wait.seconds:.0f} s: {wait.reason}"


def work_of(report: Report) -> Report | Attempt:
    """Return what this attempt did: what earlier attempts at the run did took other time."""
    return report.attempt or report


def ending_of(report: Report, seconds: float) -> Ending:
    """Return how something ended that has a report. Its time and its numbers are those of this attempt."""
    mark, colour = MARKS[report.status]
    if report.status == "busy":
        return Ending(mark, colour, "busy", ["another worker or a pending run has the stream"])
    work = work_of(report)
    facts = [counted(work.records, "record"), counted(work.pages, "page"), span(seconds)]
    if work.seconds_waited:
        facts.append(f"{span(work.seconds_waited)} waited")
    if work.retries:
        facts.append(f"{work.retries:,} retried")
    if work is not report:
        facts.append(f"the run in all: {counted(report.records, 'record')}")
    if gaps := report.gaps:
        facts.append(f"{counted(len(gaps), 'part')} missing")
    if report.unavailable:
        facts.append("this account lacks the feature")
    if report.stopped_by:
        facts.append(f"stopped by: {report.stopped_by}")
    return Ending(mark, colour, report.status, facts)


def ending_without_report(error: BaseException | None, snapshot: Snapshot | None, seconds: float) -> Ending:
    """Return how something ended that has none: it failed, was interrupted, or the rest was not read."""
    read = [] if snapshot is None else [counted(snapshot.records, "record"), counted(snapshot.pages, "page")]
    facts = [*read, span(seconds)]
    if error is None or isinstance(error, GeneratorExit):
        return Ending(*MARKS["partial"], "not read to its end", facts)
    if isinstance(error, Exception):
        why = str(error)
        return Ending(*MARKS["failed"], "failed", [*facts, why if len(why) <= WHY_LENGTH else f"{why[:WHY_LENGTH]}…"])
    return Ending(*MARKS["partial"], "interrupted", facts)


_ESCAPE_CODES = re.compile(r"\033\[[0-9;]*[A-Za-z]")


def text_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: ideographs take two, accents and escape codes none."""
    return sum(map(_columns, _ESCAPE_CODES.sub("", text)))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(facts: Sequence[Fact], width: int | None = None) -> str:
    """Return facts as a line. Where there is no room for all of them, the least important are left out.

    Args:
        facts: What to say, from left to right.
        width: Columns that there are; None if there are enough.
    """
    if width is None:
        return "  ".join(fact.text for fact in facts)
    texts = {at: fact.text for at, fact in enumerate(facts) if fact.weight == ALWAYS}
    if _room(texts, width) < 0:
        texts = {at: facts[at].short or text for at, text in texts.items()}
    others = [(at, fact) for at, fact in enumerate(facts) if fact.weight != ALWAYS]
    for at, fact in sorted(others, key=lambda numbered: -numbered[1].weight):
        if _room({**texts, at: fact.text}, width) < 0:
            break
        texts[at] = fact.text
    line = "  ".join(texts[at] for at in sorted(texts))
    if text_width(line) <= width:
        return line
    while line and text_width(line) >= width:
        line = line[:-1]
    return f"{line}…"


def _room(texts: dict[int, str], width: int) -> int:
    return width - text_width("  ".join(texts.values()))


class TerminalProgress:
    """Shows snapshots of a read or a pull on stderr while the `with` block lasts.

    Args:
        title: What is read.
        place: Which of several it is, such as `2 of 5 streams`.
        clock: Source of the time, in seconds.
    """

    def __init__(self, title: str, *, place: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.title = title
        self._place = place
        self._clock = clock
        self._left = TimeLeft(clock)
        self._began = self._last_plain = clock()
        self._live = is_terminal() and not is_quiet()

    def __enter__(self) -> Self:
        """Begin."""
        LIVE.has_notes = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the live line."""
        LIVE.has_notes = False
        LIVE.clear()

    def show(self, snapshot: Snapshot, notes: Sequence[str] | None = None) -> None:
        """Show where the work is, and what it has to say: notes, by default those of the snapshot."""
        for note in snapshot.notes if notes is None else notes:
            say(paint(f"  {note}", "dim"))
        facts = self._facts(snapshot, self._left.after(snapshot))
        if self._live:
            LIVE.show(fitted(facts, _terminal_width() - 1))
        elif self._clock() - self._last_plain >= PLAIN_INTERVAL:
            self._last_plain = self._clock()
            say(fitted(facts))

    def end(self, ending: Ending) -> None:
        """Put what came of it in the place of the live line."""
        say(f"{paint(ending.mark, ending.colour)} {self.title}: {ending.word}  {'  '.join(ending.facts)}")

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return max(self._clock() - self._began, 0.001)

    def _facts(self, snapshot: Snapshot, left: str | None) -> list[Fact]:
        """Return what to say of a snapshot, and of the time that is left."""
        facts = [Fact(self.title, ALWAYS)]
        if self._place:
            facts.append(Fact(self._place, 3))
        if done := amount(snapshot):
            facts.append(Fact(done, ALWAYS))
        facts += counts(snapshot, self.seconds)
        if left:
            facts.append(Fact(left, 5))
        if quota := snapshot.quota:
            facts.append(Fact(f"quota {quota.remaining:,} of {quota.limit:,} left", 2))
        if (wait := snapshot.waiting) and (text := waiting(snapshot)):
            facts.append(Fact(text, ALWAYS, f"waiting {wait.seconds:.0f} s"))
        return facts


def _terminal_width() -> int:
    """Return the columns of the terminal, also where only stderr is one."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return shutil.get_terminal_size((columns or 80, 24)).columns
