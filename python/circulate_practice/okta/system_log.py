"""`GET /api/v1/logs`: events in the order they were persisted for those who poll, by `published` for those who bound.

An event can be persisted after others that were published later. Somebody who polls gets it all the same; somebody who
reads a stretch of time has missed it if he read before it was there.
"""

import hashlib
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from circulate_practice.data.json_text import edited
from circulate_practice.data.timestamps import parse_timestamp, timestamp
from circulate_practice.okta.events import EventWriter
from circulate_practice.paging.collection import Clock, TruthEntry, truth_of
from circulate_practice.paging.listing import ListQuery
from circulate_practice.paging.pages import Page, Record
from circulate_practice.server.responses import Refusal

_DAY_MS: Final = 86_400_000
_SINCE_DEFAULT_MS: Final = 7 * _DAY_MS
_KEPT_MS: Final = 90 * _DAY_MS
_SINCE_LIMIT_MS: Final = 180 * _DAY_MS
_APART_MS: Final = 60_000
_LATE_MS: Final = 600_000
_LATE_OF_256: Final = 16


class SystemLog:
    """The events of one org, safe to use from several threads.

    Args:
        count: How many there are at the start, one a minute up to then, some of them persisted late.
        seed: Number everything follows from.
        clock: Source of the time.
        writer: Renders the events.
    """

    def __init__(self, count: int, seed: int, clock: Clock, writer: EventWriter) -> None:
        self._clock = clock
        self._writer = writer
        self._persisted = array("q", (self._now() - (count - number) * _APART_MS for number in range(count)))
        delays = hashlib.shake_128(b"late:%d" % seed).digest(2 * count)
        self._published = array(
            "q",
            (
                persisted - (delays[2 * number + 1] * _LATE_MS // 255 if delays[2 * number] < _LATE_OF_256 else 0)
                for number, persisted in enumerate(self._persisted)
            ),
        )
        self._edits: dict[int, Mapping[str, bytes | None]] = {}
        self._sorted: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def add(self, count: int, *, late: float) -> list[str]:
        """Add events that are persisted now, and return their uuids.

        Args:
            count: How many.
            late: How many seconds ago they were published.
        """
        with self._lock:
            numbers = range(len(self._persisted), len(self._persisted) + count)
            now = self._now()
            self._published.extend([now - int(late * 1000)] * count)
            self._persisted.extend([now] * count)
        return [self._writer.uuid(number).decode() for number in numbers]

    def note(self, values: Mapping[str, bytes | None]) -> None:
        """Add an event that is published and persisted now, whose members have these values, as JSON text."""
        with self._lock:
            self._edits[len(self._persisted)] = values
            now = self._now()
            self._published.append(now)
            self._persisted.append(now)

    def first(self, query: ListQuery) -> int:
        """Return where a query without a cursor begins: behind the last event that is older than it asks for.

        Raises:
            Refusal: If a parameter has a value the log does not take.
        """
        now = self._now()
        since = _time(query, "since", _time(query, "until", now) - _SINCE_DEFAULT_MS)
        if since < now - _SINCE_LIMIT_MS:
            raise Refusal(400, "E0000053", "since")
        with self._lock:
            if not query.value("until"):
                return bisect_left(self._persisted, since)
            before = bisect_left(self._by_published(), (since, 0))
            return self._by_published()[before - 1][1] + 1 if before else 0

    def page(self, query: ListQuery, start: int) -> Page:
        """Return the page of `query`, a poll unless it has `until`.

        Args:
            query: The query.
            start: The number behind that of the last event served, or what `first` gave.

        Raises:
            Refusal: If a parameter has a value the log does not take, or goes with another it cannot go with.
        """
        if query.raw_after is not None and query.value("since"):
            raise Refusal(400, "E0000001", "since", "since: since and after cannot be given together.")
        if query.value("sortOrder") not in {"", "ASCENDING"}:
            raise Refusal(400, "E0000001", "sortOrder", "sortOrder: The practice org serves ASCENDING only.")
        until, oldest = _time(query, "until", 0), self._now() - _KEPT_MS
        with self._lock:
            if not until:
                return self._polled(start, oldest, query.limit)
            return self._bounded(start, oldest, until, query.limit)

    def truth(self) -> Iterator[TruthEntry]:
        """Yield what every event looks like, in the order they were persisted, those no longer served included."""
        for number in range(len(self._persisted)):
            yield truth_of(self._record(number))

    def _polled(self, start: int, oldest: int, limit: int) -> Page:
        """Return the next events in the order they were persisted; there is always a next page."""
        begin = max(start, bisect_left(self._persisted, oldest))
        stop = min(begin + limit, len(self._persisted))
        page = self._page(range(begin, stop))
        page.stop, page.more = stop, True
        return page

    def _bounded(self, start: int, oldest: int, until: int, limit: int) -> Page:
        """Return the next events in the order they were published, as far as they are persisted by now."""
        listed = self._by_published()
        last = (self._published[start - 1], start) if start else (0, 0)
        begin, end = bisect_left(listed, max(last, (oldest, 0))), bisect_left(listed, (until, 0))
        chosen = [number for _, number in listed[begin : max(begin, min(begin + limit, end))]]
        page = self._page(chosen)
        page.stop, page.more = chosen[-1] + 1 if chosen else start, bool(chosen) and begin + limit < end
        return page

    def _by_published(self) -> list[tuple[int, int]]:
        """Return time and number of every event in the order they were published."""
        if len(self._sorted) != len(self._published):
            self._sorted = sorted(zip(self._published, range(len(self._published)), strict=True))
        return self._sorted

    def _page(self, numbers: Iterable[int]) -> Page:
        return Page.of([self._record(number) for number in numbers])

    def _record(self, number: int) -> Record:
        published = self._published[number]
        body, edits = self._writer.record(number, published), self._edits.get(number)
        return Record(self._writer.uuid(number), timestamp(published), edited(body, edits) if edits else body)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _time(query: ListQuery, name: str, default: int) -> int:
    text = query.value(name)
    if not text:
        return default
    time = parse_timestamp(text)
    if time is None:
        raise Refusal(400, "E0000001", name, f"{name}: The value is not a time like 2026-01-01T00:00:00.000Z.")
    return time
