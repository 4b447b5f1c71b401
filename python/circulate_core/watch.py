"""Progress of a read or a pull as it goes: its history, a display, and the caller's callback."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from circulate_core.history import History
    from circulate_core.progress import Display
    from circulate_core.results import Report, Snapshot

T = TypeVar("T")

LOOKED_AT = 0.1
"""Seconds between two looks at work in the event loop."""
REDRAWN = 0.2
"""Seconds between two states of a display."""


def in_notebook() -> bool:
    """Return whether this runs in a kernel of Jupyter. Nothing is imported to find out."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def display_for(stream: str, progress: bool | None) -> Display | None:  # noqa: FBT001 - as the user gave it
    """Return where progress is shown, or None if it is not.

    Args:
        stream: `source.endpoint`.
        progress: Whether to show it; None shows it in notebooks only.
    """
    notebook = in_notebook()
    if not (notebook if progress is None else progress):
        return None
    if notebook:
        from circulate_core.jupyter.progress import NotebookProgress  # noqa: PLC0415 - for notebooks only

        return NotebookProgress(stream)
    from circulate_core.progress import TerminalProgress  # noqa: PLC0415 - seldom needed

    return TerminalProgress(stream)


class Watch:
    """Looks on while the `with` block lasts.

    Args:
        history: Keeps the snapshots.
        display: Shows them, if anybody wants to see them.
        on_progress: The caller's function, which gets every snapshot.
        patience: Seconds after which the display is shown. Default 0.
        clock: Source of the time, in seconds.
    """

    def __init__(
        self,
        history: History,
        display: Display | None = None,
        on_progress: Callable[[Snapshot], object] | None = None,
        *,
        patience: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._display = display
        self._on_progress = on_progress
        self._clock = clock
        self._began = clock()
        self._next = self._began + patience
        self._shown = not patience
        self._report: Report | None = None
        self._last: Snapshot | None = None
        self._unshown: list[str] = []

    def show(self, snapshot: Snapshot) -> None:
        """Take a snapshot in."""
        self._last = snapshot
        self._history.add(snapshot)
        if self._display and self._is_due(snapshot):
            self._display.show(snapshot, self._unshown)
            self._unshown = []
        if self._on_progress:
            self._on_progress(snapshot)

    def _is_due(self, snapshot: Snapshot) -> bool:
        """Return whether to draw the display again. Notes of snapshots that are not shown are kept for the next one."""
        self._unshown += snapshot.notes
        if (now := self._clock()) < self._next:
            return False
        self._next = now + REDRAWN
        self._shown = True
        return True

    async def wait_for(self, work: Awaitable[T], snapshot: Callable[[], Snapshot]) -> T:
        """Wait for some work in the event loop, and look about ten times a second how it goes.

        Args:
            work: What to wait for.
            snapshot: Returns the progress.
        """
        import asyncio  # noqa: PLC0415 - not for those who do without

        pending = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([pending], timeout=LOOKED_AT))[0]:
                self.show(snapshot())
        except asyncio.CancelledError:
            pending.cancel()
            raise
        self.show(snapshot())
        return pending.result()

    def done(self, report: Report | None) -> None:
        """Say that the work has come to its end."""
        self._report = report

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show what came of it."""
        if self._display is None or not self._shown:
            return
        from circulate_core.progress import ending_of, ending_without_report  # noqa: PLC0415 - see above

        seconds = self._clock() - self._began
        if self._report is not None:
            self._display.end(ending_of(self._report, seconds))
        else:
            self._display.end(ending_without_report(error, self._last, seconds))
