"""Progress in a notebook: one line below the cell that is replaced as the work goes on, and stays when it has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from circulate_core.jupyter import html
from circulate_core.progress import TimeLeft, amount, counts, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circulate_core.progress import Ending
    from circulate_core.results import Snapshot


class NotebookProgress:
    """Shows snapshots of a read or a pull below the cell.

    What is saved with the notebook, or made of it, is the last state only.

    Args:
        title: What is read.
        clock: Source of the time, in seconds.
    """

    def __init__(self, title: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.title = title
        self._clock = clock
        self._began = clock()
        self._left = TimeLeft(clock)
        self._notes: list[str] = []
        self._handle: Any = None

    def show(self, snapshot: Snapshot, notes: Sequence[str] | None = None) -> None:
        """Show where the work is, and what it has to say: notes, by default those of the snapshot."""
        self._notes += snapshot.notes if notes is None else notes
        seconds = max(self._clock() - self._began, 0.001)
        done, wait = amount(snapshot), waiting(snapshot)
        others = [*(fact.text for fact in counts(snapshot, seconds)), self._left.after(snapshot)]
        facts = [fact for fact in others if fact]
        shown = html.progress(self.title, facts, snapshot, wait, self._notes)
        self._draw(shown, "  ".join(filter(None, [self.title, done, *facts, wait])))

    def end(self, ending: Ending) -> None:
        """Put what came of it in the place of the line."""
        self._draw(
            html.ended(self.title, ending), f"{ending.mark} {self.title}: {'  '.join([ending.word, *ending.facts])}"
        )

    def _draw(self, shown: str, plain: str) -> None:
        from IPython.display import display  # noqa: PLC0415 - there is one, since a kernel runs this

        bundle = {"text/html": str(shown), "text/plain": plain.encode("utf-8", "replace").decode()}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)
