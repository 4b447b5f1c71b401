"""Progress of a read or a pull: its facts, and the line on a terminal that shows them.

On a terminal the line is rewritten; elsewhere there is a plain line now and then. `jupyter/progress.py` shows the same
facts in a notebook.
"""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from circulate_core.console import MARKS, counted, is_quiet, is_terminal, paint, say, size, span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from circulate_core.results import Report, Snapshot

PLAIN_INTERVAL = 10.0
"""Seconds between plain lines."""
WHY_LENGTH = 100
"""Characters of what an error says; all of it is raised."""


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


def counts(snapshot: Snapshot, seconds: float) -> list[str]:
    """Return what was done so far, as people read it."""
    return [
        counted(snapshot.pages, "page"),
        counted(snapshot.records, "record"),
        size(snapshot.bytes_received),
        f"{snapshot.records / seconds:,.0f}/s",
    ]


def waiting(snapshot: Snapshot) -> str | None:
    """Return what is waited for and how long, if anything is."""
    if (wait := snapshot.waiting) is None:
        return None
    if wait.reason.startswith("waiting "):
        return f"waiting {wait.seconds:.0f} s {wait.reason.removeprefix('waiting ')}"
    return f"waiting {wait.seconds:.0f} s: {wait.reason}"


def ending_of(report: Report, seconds: float) -> Ending:
    """Return how something ended that has a report."""
    mark, colour = MARKS[report.status]
    if report.status == "busy":
        return Ending(mark, colour, "busy", ["another worker or a pending run has the stream"])
    facts = [counted(report.records, "record"), counted(report.pages, "page"), span(seconds)]
    if report.seconds_waited:
        facts.append(f"{span(report.seconds_waited)} waited")
    if report.retries:
        facts.append(f"{report.retries:,} retried")
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


class TerminalProgress:
    """Shows snapshots of a read or a pull on stderr while the `with` block lasts."""

    def __init__(self, title: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.title = title
        self._clock = clock
        self._began = self._last_plain = clock()
        self._live = is_terminal() and not is_quiet()
        self._shown = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the live line."""
        self._clear()

    def show(self, snapshot: Snapshot, notes: Sequence[str] | None = None) -> None:
        """Show where the work is, and what it has to say: notes, by default those of the snapshot."""
        for note in snapshot.notes if notes is None else notes:
            self._clear()
            say(paint(f"  {note}", "dim"))
        line = self._line(snapshot)
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\033[2K{line[:width]}")
            sys.stderr.flush()
            self._shown = True
        elif self._clock() - self._last_plain >= PLAIN_INTERVAL:
            self._last_plain = self._clock()
            say(line)

    def end(self, ending: Ending) -> None:
        """Put what came of it in the place of the live line."""
        self._clear()
        say(f"{paint(ending.mark, ending.colour)} {self.title}: {ending.word}  {'  '.join(ending.facts)}")

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return max(self._clock() - self._began, 0.001)

    def _line(self, snapshot: Snapshot) -> str:
        parts = [self.title, *counts(snapshot, self.seconds)]
        if quota := snapshot.quota:
            parts.append(f"quota {quota.remaining:,} of {quota.limit:,} left")
        if wait := waiting(snapshot):
            parts.append(wait)
        return "  ".join(parts)

    def _clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\033[2K")
            sys.stderr.flush()
            self._shown = False
