"""The execution environments of a function: a call gets one to itself, and leaves it to later calls."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from circulate_local.environment import Environment
from circulate_local.refusals import too_many

_CLOSE_SECONDS: Final = 10


class Pool:
    """Hand out environments.

    Args:
        make: Makes a new environment.
        concurrency: How many calls may run at once.
    """

    def __init__(self, make: Callable[[], Environment], concurrency: int) -> None:
        self._make = make
        self._concurrency = concurrency
        self._changed = threading.Condition()
        self._closed = False
        self._idle: list[Environment] = []
        self._busy: list[Environment] = []
        self._calls = 0

    @contextmanager
    def environment(self) -> Iterator[Environment]:
        """Give the environment that was used last, or a new one.

        Raises:
            InvokeError: Too many calls run already.
        """
        with self._changed:
            if self._closed or self._calls >= self._concurrency:
                raise too_many()
            self._calls += 1
            found = self._idle.pop() if self._idle else None
        try:
            yield from self._lend(found or self._make())
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """End all calls and shut down all environments, at once."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            for environment in self._busy:
                environment.abort()
        if idle:
            with ThreadPoolExecutor(len(idle)) as executor:
                list(executor.map(Environment.close, idle))
        with self._changed:
            self._changed.wait_for(lambda: not self._calls, _CLOSE_SECONDS)

    def _lend(self, environment: Environment) -> Iterator[Environment]:
        with self._changed:
            self._busy.append(environment)
            if self._closed:
                environment.abort()
        reusable = False
        try:
            yield environment
            reusable = True
        finally:
            with self._changed:
                self._busy.remove(environment)
                reusable = reusable and not self._closed
                if reusable:
                    self._idle.append(environment)
            if not reusable:
                environment.close()
