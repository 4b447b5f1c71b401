"""The org's rate limit and its limit of simultaneous requests.

A window starts with the first request in it and is not aligned to the clock, as Okta's are not. Every request that
reaches the limiter counts in its window, those it rejects too.
"""

import math
import threading
from collections.abc import Callable, Iterator
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
        rejected: Requests among them that the limiter answered with 429.
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


class Limiter:
    """Count requests and decide which of them are too many.

    Args:
        rate_limit: Requests allowed in a window.
        window: Length of a window, in seconds.
        concurrency: Requests allowed at the same time.
        clock: Source of the time, in epoch seconds.
    """

    def __init__(self, rate_limit: int, window: float, concurrency: int, clock: Callable[[], float]) -> None:
        self._rate_limit = rate_limit
        self._length = window
        self._concurrency = concurrency
        self._clock = clock
        self._windows: list[Window] = []
        self._in_flight = 0
        self._lock = threading.Lock()

    @property
    def windows(self) -> list[Window]:
        """All windows so far, oldest first, as copies."""
        with self._lock:
            return [replace(window) for window in self._windows]

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

    def admit(self, in_flight: int) -> Excess:
        """Count one request and tell which limit, if any, it goes over."""
        with self._lock:
            window = self._current()
            if window is None:
                window = Window(self._clock())
                self._windows.append(window)
            window.count += 1
            if in_flight > self._concurrency:
                window.rejected += 1
                return Excess.CONCURRENCY
            if window.count > self._rate_limit:
                window.rejected += 1
                return Excess.RATE
            return Excess.NONE

    def state(self) -> RateState:
        """Return what the headers say at present."""
        with self._lock:
            window = self._current() or Window(self._clock())
            remaining = max(0, self._rate_limit - window.count)
            return RateState(self._rate_limit, remaining, math.ceil(window.start + self._length))

    def exhausted(self) -> RateState:
        """Return what the headers say when the rate limit is used up."""
        return self.state()._replace(remaining=0)

    def crowded(self) -> RateState:
        """Return what the headers say when too many requests run at once: a limit of 0, and a reset far away."""
        return RateState(0, 0, math.ceil(self._clock()) + _CONCURRENCY_RESET_S)

    def _current(self) -> Window | None:
        newest = self._windows[-1] if self._windows else None
        return newest if newest is not None and self._clock() < newest.start + self._length else None
