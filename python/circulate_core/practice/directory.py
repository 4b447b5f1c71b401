"""The users of the practice org: columns in memory, records rendered on demand, changes.

Only what filters need is held for every user (about 20 bytes each). A record is rendered when its page is first asked
for. Users keep their index for good and new ones are added at the end, so somebody paging while users change neither
skips nor repeats one that did not.
"""

import random
import threading
from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypedDict

from circulate_core.practice.columns import StartingValues, newest_start
from circulate_core.practice.filters import Columns, Match, compile_filter
from circulate_core.practice.ids import UserIds
from circulate_core.practice.pages import Page, PageCache, Record
from circulate_core.practice.stamps import stamp
from circulate_core.practice.users import DEPROVISIONED, STATUSES, Row, UserWriter

Clock = Callable[[], float]
"""Returns the time in epoch seconds, as `time.time` does."""

_SHARE_OF_RARE = 20
_RARE_FROM = 5


class TruthEntry(TypedDict):
    """What the newest version of one user looks like."""

    id: str
    sha256: str
    bytes: int
    lastUpdated: str
    status: str


class Directory:
    """All users of one org, safe to use from several threads.

    Args:
        users: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        nasty: Whether profiles carry the attributes of `NASTY`.
        cache_bytes: How much memory rendered pages may take.
    """

    def __init__(self, users: int, seed: int, clock: Clock, *, nasty: bool, cache_bytes: int) -> None:
        self._clock = clock
        self._start = StartingValues(seed, newest_start(clock()))
        self._start_count = users
        self._status = self._start.statuses(users)
        self._updated = self._start.updates(users)
        self._version = array("I", bytes(4 * users))
        self._changed = array("I", bytes(4 * users))
        self._changes = 0
        self._born: dict[int, int] = {}
        self._random = random.Random(f"changes:{seed}")  # noqa: S311 - repeatable, not secret
        self._ids = UserIds(seed)
        self._writer = UserWriter(seed, self._ids, nasty=nasty)
        self._cache = PageCache(cache_bytes)
        self._lock = threading.RLock()
        self._compiled = lru_cache(maxsize=64)(self._compile)

    def __len__(self) -> int:
        """Return how many users there are, DEPROVISIONED ones included."""
        return len(self._status)

    def page(self, filter_text: str, start: int, limit: int) -> Page:
        """Return the page that begins at user `start`, rendered or from the cache.

        Without a filter a page covers the next `limit` users and leaves DEPROVISIONED ones out, so it may hold fewer;
        with one it covers as many users as it takes to find `limit` that match.

        Raises:
            FilterError: If `filter_text` is not a filter this org understands.
        """
        match = self._compiled(filter_text) if filter_text else None
        key = (filter_text, start, limit)
        with self._lock:
            page = self._cache.get(key, self._is_current)
            if page is None:
                page = self._render(match, start, limit)
                self._cache.put(key, page)
            return page

    def user(self, user_id: str) -> Record | None:
        """Return the newest record of one user, or None when there is no such user."""
        index = self._ids.index_of(user_id.encode())
        with self._lock:
            return self._record(index) if index is not None and index < len(self) else None

    def truth(self) -> Iterator[TruthEntry]:
        """Yield what the newest version of every user looks like, in the order of the list."""
        index = 0
        while index < len(self):
            with self._lock:
                record, status = self._record(index), STATUSES[self._status[index]]
            yield TruthEntry(
                id=record.user_id.decode(),
                sha256=record.sha256,
                bytes=len(record.body),
                lastUpdated=record.updated.decode(),
                status=status,
            )
            index += 1

    def change(self, count: int, *, at: float | None = None) -> list[str]:
        """Change `count` users, all at the same time, and return their ids.

        Most are updated. From five on, one in twenty (at least one) becomes DEPROVISIONED, and as many are new.

        Args:
            count: How many users to change.
            at: Their new `lastUpdated` in epoch seconds, by default now.
        """
        now = int((self._clock() if at is None else at) * 1000)
        rare = max(1, count // _SHARE_OF_RARE) if count >= _RARE_FROM else 0
        with self._lock:
            self._changes += 1
            known = self._random.sample(range(len(self)), min(count - rare, len(self)))
            for position, index in enumerate(known):
                self._touch(index, now, gone=position < rare)
            return [self._ids.id_of(index).decode() for index in known + [self._add(now) for _ in range(rare)]]

    def _touch(self, index: int, now: int, *, gone: bool) -> None:
        self._updated[index] = now
        self._version[index] += 1
        self._changed[index] = self._changes
        if gone:
            self._status[index] = DEPROVISIONED

    def _add(self, now: int) -> int:
        index = len(self)
        self._born[index] = now
        self._updated.append(now)
        self._version.append(0)
        self._changed.append(self._changes)
        self._status.append(STATUSES.index("ACTIVE"))
        return index

    def _compile(self, filter_text: str) -> Match:
        return compile_filter(filter_text, Columns(self._updated, self._status, self._ids))

    def _is_current(self, page: Page) -> bool:
        """Tell whether no user of `page`'s range changed since it was rendered."""
        if page.stamp != self._changes:
            touched = max(self._changed[page.start : page.stop + 1], default=0) > page.stamp
            if touched or (not page.more and page.stop < len(self)):
                return False
            page.stamp = self._changes
        return True

    def _render(self, match: Match | None, start: int, limit: int) -> Page:
        chosen, stop = self._window(start, limit) if match is None else self._matching(match, start, limit)
        page = Page.of([self._record(index) for index in chosen])
        page.start, page.stop, page.more = start, stop, stop < len(self)
        page.stamp = self._changes
        return page

    def _window(self, start: int, limit: int) -> tuple[list[int], int]:
        stop = min(start + limit, len(self))
        return [index for index in range(start, stop) if self._status[index] != DEPROVISIONED], stop

    def _matching(self, match: Match, start: int, limit: int) -> tuple[list[int], int]:
        """Return the next `limit` matches and where the one after them is."""
        chosen: list[int] = []
        for index in range(start, len(self)):
            if match(index):
                if len(chosen) == limit:
                    return chosen, index
                chosen.append(index)
        return chosen, len(self)

    def _record(self, index: int) -> Record:
        created = self._start.created(index) if index < self._start_count else self._born[index]
        updated = self._updated[index]
        row = Row(index, self._version[index], self._status[index], updated, created)
        return Record(self._ids.id_of(index), stamp(updated), self._writer.record(row))
