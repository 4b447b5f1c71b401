"""Progress of a pull: one line that is rewritten on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Self

from circulate_core.cli.console import counted, paint, say, size

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from circulate_core.types import Snapshot

PLAIN_INTERVAL = 10.0
"""Seconds between plain lines."""


class Progress:
    """Shows snapshots of a pull on stderr while the `with` block lasts."""

    def __init__(self, title: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.title = title
        self._clock = clock
        self._began = self._last_plain = clock()
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the live line."""
        self._clear()

    def show(self, snapshot: Snapshot) -> None:
        """Show where the pull is, and what it has to say."""
        for note in snapshot["notes"]:
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

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return max(self._clock() - self._began, 0.001)

    def _line(self, snapshot: Snapshot) -> str:
        parts = [
            self.title,
            counted(snapshot["pages"], "page"),
            counted(snapshot["records"], "record"),
            size(snapshot["bytes_received"]),
            f"{snapshot['records'] / self.seconds:,.0f}/s",
        ]
        if quota := snapshot["quota"]:
            parts.append(f"quota {quota['remaining']:,} of {quota['limit']:,} left")
        if waiting := snapshot["waiting"]:
            why, left = waiting
            parts.append(f"waiting {left:.0f} s: {why}")
        return "  ".join(parts)

    def _clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\033[2K")
            sys.stderr.flush()
            self._shown = False
