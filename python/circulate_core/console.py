"""Writing for people: data to stdout, everything else to stderr, colour only where it is welcome."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from typing import TextIO

    from circulate_core.exceptions import CirculateError
    from circulate_core.results import Run, Status

MARKS: dict[Status, tuple[str, str]] = {
    "complete": ("✓", "green"),
    "partial": ("◐", "yellow"),
    "busy": ("●", "yellow"),
    "failed": ("✗", "red"),
}
"""How each verdict is marked, and its colour."""

SHOWN_AS_NOTES = {"note", "request_retried"}
"""Events that progress shows, whoever wants to see events."""

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}


def colours_enabled() -> bool:
    """Return whether stderr is a terminal whose reader has not turned colours off (no-color.org)."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def is_terminal() -> bool:
    """Return whether stderr is a terminal that can rewrite a line. It may be closed."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def shows_data() -> bool:
    """Return whether stdout is a terminal. It may be closed."""
    return sys.stdout is not None and sys.stdout.isatty()


def paint(text: str, colour: str) -> str:
    """Return `text` in a colour, or as it is where colours are not enabled."""
    return f"\033[{_CODES[colour]}m{text}\033[0m" if colours_enabled() else text


_quiet = False


@contextmanager
def quietly(*, quiet: bool) -> Iterator[None]:
    """Write nothing but errors to stderr while the `with` block lasts, if that is wanted."""
    global _quiet  # noqa: PLW0603 - like stderr, it is of the whole process
    before, _quiet = _quiet, quiet
    try:
        yield
    finally:
        _quiet = before


def is_quiet() -> bool:
    """Return whether only errors are written to stderr."""
    return _quiet


class LiveLine:
    """The last line of a terminal, which is rewritten.

    Attributes:
        has_notes: Whether progress is shown, with notes above it.
    """

    def __init__(self) -> None:
        self._shown = False
        self.has_notes = False

    def show(self, text: str) -> None:
        """Put this in its place."""
        sys.stderr.write(f"\r\033[2K{text}")
        sys.stderr.flush()
        self._shown = True

    def clear(self) -> None:
        """Remove it, if it is shown."""
        if self._shown:
            sys.stderr.write("\r\033[2K")
            sys.stderr.flush()
            self._shown = False


LIVE = LiveLine()
"""What is shown on stderr below all other lines."""


def say(text: str = "") -> None:
    """Write a line to stderr, above the live line, unless only errors are written."""
    if not _quiet:
        _write(text)


def _write(text: str) -> None:
    # A daemon may have closed it.
    if sys.stderr is not None:
        LIVE.clear()
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - where people read it


@contextmanager
def showing_events(verbosity: int) -> Iterator[None]:
    """Write the events of the engine to stderr while the `with` block lasts, a dim line each.

    Args:
        verbosity: How much: nothing (0), what happens to a run (1), and each object, too (2).
    """
    if not verbosity:
        yield
        return
    import logging  # noqa: PLC0415 - slow, and only for those who want to see more

    class Lines(logging.Handler):
        """Writes a line for each event, but for those that progress shows as a note."""

        def emit(self, record: logging.LogRecord) -> None:
            if not (LIVE.has_notes and getattr(record, "event", None) in SHOWN_AS_NOTES):
                say(paint(f"  {record.getMessage()}", "dim"))

    logger, lines = logging.getLogger("circulate_core"), Lines()
    before = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(lines)


@contextmanager
def noting(kind: type[Warning]) -> Iterator[None]:
    """Write warnings of a kind to stderr while the `with` block lasts, a note for each text."""
    noted: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", kind)
        show_others = warnings.showwarning

        def show(  # noqa: PLR0913, PLR0917 - as `warnings` has it
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, kind):
                show_others(message, category, filename, lineno, file, line)
            elif str(message) not in noted:
                noted.add(str(message))
                say(f"{paint('note:', 'cyan')} {_shown(str(message))}")

        warnings.showwarning = show
        yield


def show_error(error: CirculateError) -> None:
    """Write an error, and its hint if it has one."""
    show_mistake(str(error), error.hint)


def show_mistake(message: str, hint: str | None = None) -> None:
    """Write a mistake and, if given, a hint that says what to do about it."""
    # Names in it may come from a file that somebody else wrote.
    _write(f"{paint('error:', 'red')} {_shown(message)}")
    if hint:
        _write(f"{paint('hint:', 'cyan')} {_shown(hint)}")


def _shown(text: str) -> str:
    from circulate_core._core import shown  # noqa: PLC0415 - the engine is loaded by who makes mistakes, not by all

    return shown(text.encode(errors="backslashreplace").decode(), lines=True)


def size(count: float) -> str:
    """Return a number of bytes as people read it: `2.1 MB` (decimal units)."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 - decimal units
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 page`, `2,000 pages`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def span(seconds: float) -> str:
    """Return a length of time as people read it: `40 ms`, `1.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def utc(time: datetime) -> str:
    """Return a time in UTC without its fraction: `2026-11-22 05:30:00 UTC`."""
    return f"{time.isoformat(sep=' ')[:19]} UTC"


def took(run: Run) -> str:
    """Return how long a run took, as people read it."""
    return "—" if run.ended_at is None else span((run.ended_at - run.started_at).total_seconds())


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns, the first row being the heading."""
    widths = [max(display_width(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = ([_padded(cell, width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - display_width(cell))


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters two, those that stand on another none."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width  # noqa: PLC0415 - for texts that need it

    on_others = {"Mn", "Me", "Cf"}
    return sum(0 if category(c) in on_others else 2 if east_asian_width(c) in "WF" else 1 for c in text)
