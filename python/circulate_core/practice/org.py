"""The practice org itself: its parts put together, started and stopped."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from circulate_core.practice.answers import AnswerMaker
from circulate_core.practice.api import Api
from circulate_core.practice.control import Control
from circulate_core.practice.cursors import Cursors
from circulate_core.practice.directory import Directory, TruthEntry
from circulate_core.practice.faults import Fault, FaultPlan
from circulate_core.practice.limits import Limiter, Window
from circulate_core.practice.listing import Listing
from circulate_core.practice.log import LogEntry, RequestLog
from circulate_core.practice.server import HOST, PracticeServer

DEFAULT_TOKEN = "practice-token"  # noqa: S105 - protects nothing
_MAX_PORT = 65535
_POLL_S = 0.02


class PracticeOrg:
    """An Okta-shaped org on loopback, with made-up users and, on demand, faults.

    The same seed gives the same users, cursors and changes. Use it as a context manager, or call `start` and `stop`.
    After `stop` it can be started again and listens at the same port, with the users as they were.

    Args:
        users: How many users there are at the start; a million starts in about a second.
        seed: Number everything follows from.
        token: API token to accept.
        port: Port to listen at; 0 takes a free one.
        rate_limit: Requests allowed in a window.
        window: Length of a rate-limit window, in seconds.
        concurrency: Requests allowed at the same time.
        latency: Seconds that every answer is held back.
        faults: Faults to show, as `Fault` or as text, `KIND[:VALUE][@PAGE][*TIMES]`.
        change_every: Seconds between changes made by themselves, or None for no such changes.
        change_count: Users touched by each of them.
        gzip: Whether to compress answers for clients that take it.
        log: File to log answers to, as JSON Lines; replaced if it exists.
        keep_log: Whether to keep the log in memory too, for the `log` property.
        nasty: Whether profiles hold attributes that break clients that parse and write anew.
        cache_bytes: Memory that rendered pages may take; 400,000 users need about 700 MB.
        clock: Source of the time, in epoch seconds.
        wait: Waits for a number of seconds; by default until then or until the org stops.

    Raises:
        ValueError: If a number is out of range or a fault is not one.

    Example:
        >>> with PracticeOrg(users=10) as org:
        ...     len(list(org.truth()))
        10
    """

    def __init__(  # noqa: PLR0913 - a configuration, by keyword
        self,
        *,
        users: int = 1000,
        seed: int = 1,
        token: str = DEFAULT_TOKEN,
        port: int = 0,
        rate_limit: int = 600,
        window: float = 60.0,
        concurrency: int = 75,
        latency: float = 0.0,
        faults: Iterable[Fault | str] = (),
        change_every: float | None = None,
        change_count: int = 10,
        gzip: bool = False,
        log: str | PathLike[str] | None = None,
        keep_log: bool = True,
        nasty: bool = True,
        cache_bytes: int = 2_000_000_000,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        _check_at_least(0, users=users, seed=seed, port=port, latency=latency, change_count=change_count)
        _check_at_least(1, rate_limit=rate_limit, concurrency=concurrency, cache_bytes=cache_bytes)
        if port > _MAX_PORT:
            message = f"port must be at most {_MAX_PORT}, not {port}"
            raise ValueError(message)
        _check_positive(window=window, change_every=1.0 if change_every is None else change_every)
        self.token = token
        self._port = port
        self._latency = latency
        self._change_every = change_every
        self._change_count = change_count
        self._wait = wait
        self._requests_before = 0
        self._directory = Directory(users, seed, clock, nasty=nasty, cache_bytes=cache_bytes)
        self._cursors = Cursors(seed)
        self._limiter = Limiter(rate_limit, window, concurrency, clock)
        self._log = RequestLog(None if log is None else Path(log), keep=keep_log)
        self._api = Api(
            directory=self._directory,
            listing=Listing(self._directory, self._cursors),
            limiter=self._limiter,
            faults=FaultPlan(fault if isinstance(fault, Fault) else Fault.parse(fault) for fault in faults),
            maker=AnswerMaker(seed),
            clock=clock,
            token=token,
            gzip=gzip,
        )
        self._stopping = threading.Event()
        self._server: PracticeServer | None = None
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """Base URL of the org, without a slash at the end.

        Raises:
            RuntimeError: If the org was never started and has no port yet.
        """
        if not self._port:
            message = "the practice org has no URL before it is started"
            raise RuntimeError(message)
        return f"http://{HOST}:{self._port}"

    @property
    def log(self) -> list[LogEntry]:
        """Every answer so far, oldest first; empty with `keep_log=False`."""
        return self._log.entries()

    @property
    def windows(self) -> list[Window]:
        """Rate-limit windows so far, oldest first, with how many requests came in each."""
        return self._limiter.windows

    @property
    def request_count(self) -> int:
        """Requests to the API so far, whatever the answer; control routes are not counted."""
        return self._requests_before + (self._server.request_count if self._server else 0)

    def wait_for_requests(self, count: int, *, timeout: float) -> None:
        """Block until the API was asked so often since the start.

        Args:
            count: Requests to wait for.
            timeout: Seconds after which to give up.

        Raises:
            TimeoutError: If it was not asked so often in time.
        """
        if self._server is None or not self._server.wait_for_requests(count, timeout):
            message = f"fewer than {count} requests within {timeout} s"
            raise TimeoutError(message)

    def change(self, count: int, *, at: float | None = None) -> list[str]:
        """Change users and return their ids; see `Directory.change`."""
        return self._directory.change(count, at=at)

    def expire_cursors(self) -> None:
        """Refuse every page address that was given out so far, as an org does after some time."""
        self._cursors.expire()

    def truth(self) -> Iterator[TruthEntry]:
        """Yield id, digest, length, `lastUpdated` and status of the newest version of every user."""
        return self._directory.truth()

    def start(self) -> Self:
        """Start to serve.

        Returns:
            The org itself.

        Raises:
            OSError: If the port is taken or the log cannot be written.
            RuntimeError: If the org is running.
        """
        if self._server is not None:
            message = "the practice org is running already"
            raise RuntimeError(message)
        self._stopping = threading.Event()
        wait = self._wait or self._stopping.wait
        server = PracticeServer(
            self._port,
            self._api,
            Control(self._directory, self._limiter),
            log=self._log,
            wait=wait,
            latency=self._latency,
        )
        self._log.open()
        self._server, self._port = server, server.server_port
        self._threads = [threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)]
        if self._change_every is not None:
            self._threads.append(threading.Thread(target=self._keep_changing, args=(self._change_every,), daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Stop to serve and end every connection; harmless when the org is not running."""
        server, self._server = self._server, None
        if server is None:
            return
        self._stopping.set()
        server.shutdown()
        server.end_connections()
        server.server_close()
        for thread in self._threads:
            thread.join()
        self._requests_before += server.request_count
        self._log.close()

    def _keep_changing(self, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            self._directory.change(self._change_count)

    def __enter__(self) -> Self:
        """Start the org."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the org."""
        self.stop()


def _check_at_least(least: int, **numbers: float) -> None:
    for name, number in numbers.items():
        if number < least:
            message = f"{name} must be at least {least}, not {number}"
            raise ValueError(message)


def _check_positive(**seconds: float) -> None:
    for name, number in seconds.items():
        if number <= 0:
            message = f"{name} must be longer than 0 seconds"
            raise ValueError(message)
