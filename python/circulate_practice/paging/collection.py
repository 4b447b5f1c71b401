"""A list of records that stand for themselves (users, apps, groups): columns in memory, records rendered on demand.

Only what filters need is held for every record (about 20 bytes each). A record is rendered when its page is first
requested. Records keep their index for good and new ones are added at the end, so somebody paging while records change
neither skips nor repeats one that did not.
"""

import threading
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NotRequired, TypedDict

from circulate_practice.data.columns import StartingValues
from circulate_practice.data.ids import Ids
from circulate_practice.data.json_text import edited
from circulate_practice.data.timestamps import timestamp
from circulate_practice.paging.filters import Attribute, Match, compile_filter
from circulate_practice.paging.pages import Page, PageCache, Record

Clock = Callable[[], float]
"""Returns the time in epoch seconds, as `time.time` does."""


class TruthEntry(TypedDict):
    """What the newest version of one record looks like; `parent` and `status` are missing where there are none."""

    parent: NotRequired[str]
    id: str
    sha256: str
    bytes: int
    lastUpdated: str
    status: NotRequired[str]


def truth_of(record: Record) -> TruthEntry:
    """Return what the truth says of `record`."""
    entry = TruthEntry(
        id=record.id.decode(), sha256=record.sha256, bytes=len(record.body), lastUpdated=record.updated.decode()
    )
    if record.parent:
        entry["parent"] = record.parent.decode()
    return entry


class Collection(ABC):
    """One list, safe to use from several threads.

    Args:
        name: Name of the list.
        kind: What Okta's errors call such a record.
        count: How many records there are at the start.
        ids: Their ids.
        start: Their starting values.
        clock: Source of the time of changes.
        cache: Where rendered pages are kept.
    """

    def __init__(  # noqa: PLR0913 - what all lists share
        self, name: str, kind: str, count: int, ids: Ids, start: StartingValues, *, clock: Clock, cache: PageCache
    ) -> None:
        self.name = name
        self.kind = kind
        self._ids = ids
        self._start = start
        self._start_count = count
        self._clock = clock
        self._cache = cache
        self._updated = start.updates(count)
        self._version = array("I", bytes(4 * count))
        self._changed = array("I", bytes(4 * count))
        self._changes = 0
        self._born: dict[int, int] = {}
        self._deleted: set[int] = set()
        self._edits: dict[int, dict[str, bytes | None]] = {}
        self._forbidden: set[int] = set()
        self._lock = threading.RLock()
        self._compiled = lru_cache(maxsize=64)(self._compile)

    def __len__(self) -> int:
        """Return how many records were ever there."""
        return len(self._updated)

    @property
    def changes(self) -> int:
        """How often anything changed."""
        return self._changes

    @property
    def deletions(self) -> int:
        """How many records were deleted."""
        return len(self._deleted)

    def page(self, filter_text: str, start: int, limit: int) -> Page:
        """Return the page that begins at record `start`, rendered or from the cache.

        Without a filter a page covers the next `limit` records and leaves out those that a plain list does not show, so
        it may hold fewer; with one it covers as many records as it takes to find `limit` that match.

        Raises:
            FilterError: If `filter_text` is not a filter this list understands.
        """
        match = self._compiled(filter_text) if filter_text else None
        key = (self.name, filter_text, start, limit)
        with self._lock:
            page = self._cache.get(key, self._is_current)
            if page is None:
                page = self._render(match, start, limit)
                self._cache.put(key, page)
            return page

    def one(self, record_id: str) -> Record | None:
        """Return the newest version of one record, or None when there is no such record."""
        with self._lock:
            index = self.index_of(record_id)
            return None if index is None else self.record(index)

    def index_of(self, record_id: str) -> int | None:
        """Return the index of the record with that id, or None when there is none."""
        index = self._ids.index_of(record_id.encode())
        return index if index is not None and index < len(self) and self.exists(index) else None

    def truth(self) -> Iterator[TruthEntry]:
        """Yield what the newest version of every record looks like, in the order of the list."""
        index = 0
        while index < len(self):
            with self._lock:
                entry = self._truth_at(index) if self.exists(index) else None
            if entry is not None:
                yield entry
            index += 1

    def exists(self, index: int) -> bool:
        """Return whether record `index` was not deleted."""
        return index not in self._deleted

    def delete(self, index: int) -> None:
        """Delete a record, and with it its children; its id is never used again."""
        with self._lock:
            self._changes += 1
            self._touch(index)
            self._deleted.add(index)
            self._edits.pop(index, None)

    def edit(self, index: int, values: Mapping[str, bytes | None], *, touch: bool = True) -> None:
        """Give members of a record other values, as JSON text; None takes a member away.

        Args:
            index: The record.
            values: The values by the name of the member; `lastUpdated` is not among them.
            touch: Whether this moves `lastUpdated`.
        """
        with self._lock:
            self._changes += 1
            self._changed[index] = self._changes
            if touch:
                self._updated[index] = self._now()
            self._edits.setdefault(index, {}).update(values)

    def id_of(self, index: int) -> bytes:
        """Return the id of record `index`, whether or not there is one yet."""
        return self._ids.id_of(index)

    def forbid(self, index: int) -> None:
        """Refuse the lists below a record from now on."""
        self._forbidden.add(index)

    def allow(self, index: int) -> None:
        """Serve the lists below a record again."""
        self._forbidden.discard(index)

    def is_forbidden(self, index: int) -> bool:
        """Return whether the lists below a record are refused."""
        return index in self._forbidden

    def created(self, index: int) -> int:
        """Return when a record was created, in epoch milliseconds."""
        return self._start.created(index) if index < self._start_count else self._born[index]

    def record(self, index: int) -> Record:
        """Return the newest version of record `index`."""
        with self._lock:
            body, edits = self._body(index), self._edits.get(index)
            return Record(
                self._ids.id_of(index), timestamp(self._updated[index]), edited(body, edits) if edits else body
            )

    @abstractmethod
    def _body(self, index: int) -> bytes:
        """Return the bytes of the newest version of record `index`."""

    def _attributes(self) -> dict[str, Attribute]:
        """Return what filters can look at."""
        return {}

    @abstractmethod
    def _listed(self, index: int) -> bool:
        """Return whether a list without a filter shows record `index`."""

    def _truth_at(self, index: int) -> TruthEntry:
        return truth_of(self.record(index))

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _touch(self, index: int) -> None:
        """Note that the bytes of record `index` are others from now on; `_changes` was counted up before."""
        self._version[index] += 1
        self._changed[index] = self._changes

    def _append(self, now: int) -> int:
        """Add a record that is created `now` and return its index; `_changes` was counted up before."""
        index = len(self)
        self._born[index] = now
        self._version.append(0)
        self._changed.append(self._changes)
        self._updated.append(now)
        return index

    def _compile(self, filter_text: str) -> Match:
        match, deleted = compile_filter(filter_text, self._attributes()), self._deleted
        return lambda index: index not in deleted and match(index)

    def _is_current(self, page: Page) -> bool:
        """Return whether no record of `page`'s range changed since it was rendered."""
        if page.version != self._changes:
            touched = max(self._changed[page.start : page.stop + 1], default=0) > page.version
            if touched or (not page.more and page.stop < len(self)):
                return False
            page.version = self._changes
        return True

    def _render(self, match: Match | None, start: int, limit: int) -> Page:
        chosen, stop = self._window(start, limit) if match is None else self._matching(match, start, limit)
        page = Page.of([self.record(index) for index in chosen])
        page.start, page.stop, page.more = start, stop, stop < len(self)
        page.version = self._changes
        return page

    def _window(self, start: int, limit: int) -> tuple[list[int], int]:
        stop = min(start + limit, len(self))
        return [index for index in range(start, stop) if self._listed(index)], stop

    def _matching(self, match: Match, start: int, limit: int) -> tuple[list[int], int]:
        """Return the next `limit` matches and where the one after them is."""
        chosen: list[int] = []
        for index in range(start, len(self)):
            if match(index):
                if len(chosen) == limit:
                    return chosen, index
                chosen.append(index)
        return chosen, len(self)
