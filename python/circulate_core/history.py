"""How a read or a pull went over time: snapshots of it, thinned so that they stay few."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from circulate_core.results import Snapshot

MAX_POINTS = 1_000
"""Points that a history holds at most."""


class Point(NamedTuple):
    """What was done at one time."""

    seconds: float
    """Seconds since the beginning."""
    snapshot: Snapshot
    """What was done by then."""


class Wait(NamedTuple):
    """A time in which nothing was requested."""

    began: float
    """Seconds since the beginning."""
    ended: float
    """Seconds since the beginning."""
    why: str
    """What was waited for; empty if it was over before anybody looked."""


class History:
    """Snapshots of one read or pull, with their times.

    It holds 1,000 points at most, the first and the newest among them: when it is full, every second one is dropped,
    and from then on every second one is not taken, so that they stay evenly spread.

    Args:
        stream: `source.endpoint`, for titles.
        headroom: Share of the quota that is left to others, 0 to 1, if it is known.
        clock: Source of the time, in seconds.
    """

    def __init__(
        self, stream: str = "", *, headroom: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stream = stream
        self.headroom = headroom
        self._clock = clock
        self._began = clock()
        self._kept: list[Point] = []
        self._newest: Point | None = None
        self._seen = 0
        self._every = 1

    def add(self, snapshot: Snapshot) -> None:
        """Take a snapshot in, as of now."""
        self._newest = Point(self._clock() - self._began, snapshot)
        if self._seen % self._every == 0:
            self._kept.append(self._newest)
        self._seen += 1
        if len(self._kept) == MAX_POINTS:
            del self._kept[1::2]
            self._every *= 2

    @property
    def points(self) -> list[Point]:
        """The points, oldest first."""
        newest = self._newest
        if newest is None or self._kept[-1] is newest:
            return list(self._kept)
        return [*self._kept, newest]

    @property
    def seconds(self) -> float:
        """Seconds up to the newest point."""
        return self._newest.seconds if self._newest else 0.0

    @property
    def waits(self) -> list[Wait]:
        """When the API or a retry was waited for, oldest first.

        Time waited is counted when a wait ends, so that none is lost between two points, however far apart they are.
        """
        waits: list[Wait] = []
        counted, why, since = 0.0, "", None
        for at, snapshot in self.points:
            if snapshot.waiting and since is None:
                why, since = snapshot.waiting.reason, at
            if (now := snapshot.seconds_waited) > counted:
                after = waits[-1].ended if waits else 0.0
                waits.append(Wait(max(after, at - (now - counted)), at, why))
                counted, why, since = now, "", None
        if since is not None:
            waits.append(Wait(since, self.seconds, why))
        return waits

    def __len__(self) -> int:
        """Return how many points it holds."""
        return len(self.points)

    def __repr__(self) -> str:
        """Say how much it is."""
        return f"<History of {self.stream}: {len(self):,} points, {self.seconds:.1f} s>"
