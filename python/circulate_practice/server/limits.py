"""The org's rate limits, one a bucket of paths, and its limit of simultaneous requests.

A window starts with the first request in it and is not aligned to the clock, as Okta's are not. Every request that
reaches the limiter counts in its window, those it rejects too.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

_CONCURRENCY_RESET_S: Final = 60


@dataclass
class Window:
    """Requests of one rate-limit window.

    Attributes:
        start: When its first request came, in epoch seconds.
        count: Requests that came in it, rejected ones included.
        rejected: Requests among them that the limiter rejected with 429.
    """

    start: float
    count: int = 0
    rejected: int = 0


class RateState(NamedTuple):
    """The three numbers of the rate-limit headers; `reset` is in epoch seconds."""

    limit: int
    remaining: int
    reset: int


class Excess(Enum):
    """Which limit a request went over."""

    NONE = "none"
    RATE = "rate"
    CONCURRENCY = "concurrency"


class _Bucket:
    """The windows of one bucket; its users see to it that one thread at a time works on it."""

    def __init__(self, limit: int, length: float, clock: Callable[[], float]) -> None:
        self.limit = limit
        self.windows: list[Window] = []
        self._length = length
        self._clock = clock

    def count(self) -> Window:
        """Count one request and return the window it came in."""
        window = self._current()
        if window is None:
            window = Window(self._clock())
            self.windows.append(window)
        window.count += 1
        return window

    def state(self) -> RateState:
        """Return what the headers say at present."""
        window = self._current() or Window(self._clock())
        remaining = max(0, self.limit - window.count)
        return RateState(self.limit, remaining, math.ceil(window.start + self._length))

    def _current(self) -> Window | None:
        newest = self.windows[-1] if self.windows else None
        return newest if newest is not None and self._clock() < newest.start + self._length else None


class Limiter:
    """Count requests and decide which of them are too many.

    Args:
        limits: Requests allowed in a window, for each bucket.
        window: Length of a window, in seconds.
        concurrency: Requests of all buckets allowed at the same time.
        clock: Source of the time, in epoch seconds.
    """

    def __init__(self, limits: Mapping[str, int], window: float, concurrency: int, clock: Callable[[], float]) -> None:
        self._buckets = {name: _Bucket(limit, window, clock) for name, limit in limits.items()}
        self._concurrency = concurrency
        self._clock = clock
        self._in_flight = 0
        self._lock = threading.Lock()

    @property
    def windows(self) -> list[Window]:
        """The windows of all buckets so far, oldest first, as copies."""
        with self._lock:
            windows = [replace(window) for bucket in self._buckets.values() for window in bucket.windows]
        return sorted(windows, key=lambda window: window.start)

    def windows_of(self, bucket: str) -> list[Window]:
        """Return the windows of one bucket so far, oldest first, as copies.

        Raises:
            KeyError: If there is no such bucket.
        """
        with self._lock:
            return [replace(window) for window in self._buckets[bucket].windows]

    @contextmanager
    def slot(self) -> Iterator[int]:
        """Hold one of the simultaneous requests; gives how many there are, this one included."""
        with self._lock:
            self._in_flight += 1
            in_flight = self._in_flight
        try:
            yield in_flight
        finally:
            with self._lock:
                self._in_flight -= 1

    def admit(self, bucket: str, in_flight: int) -> Excess:
        """Count one request of a bucket and return the limit that it exceeds, if any."""
        with self._lock:
            window = self._buckets[bucket].count()
            if in_flight > self._concurrency:
                window.rejected += 1
                return Excess.CONCURRENCY
            if window.count > self._buckets[bucket].limit:
                window.rejected += 1
                return Excess.RATE
            return Excess.NONE

    def state(self, bucket: str, excess: Excess = Excess.NONE) -> RateState:
        """Return what the headers say of a bucket to a request that went over `excess`.

        Where too many requests run at once that is a limit of 0, and a reset far away.
        """
        if excess is Excess.CONCURRENCY:
            return RateState(0, 0, math.ceil(self._clock()) + _CONCURRENCY_RESET_S)
        with self._lock:
            state = self._buckets[bucket].state()
        return state if excess is Excess.NONE else state._replace(remaining=0)
