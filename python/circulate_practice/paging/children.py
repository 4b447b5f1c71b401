"""Lists below a parent: users and groups of an app, members of a group, factors and roles of a user.

How many children a parent has, and which, follows from the seed; nothing is held for a parent until its children
change, so a million of them cost nothing to start with. Children keep their position for good and new ones are added at
the end.
"""

import hashlib
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from circulate_practice.data.columns import newest_start
from circulate_practice.data.sizes import Sizes
from circulate_practice.paging.collection import Clock, Collection, TruthEntry, truth_of
from circulate_practice.paging.pages import Page, PageCache, Record

_TRUTH_BATCH: Final = 200


class Child(NamedTuple):
    """One child: whose it is, which record it stands for, and what changed about it."""

    parent_id: bytes
    number: int
    version: int
    created: int
    updated: int
    noise: bytes


class Changed(NamedTuple):
    """Ids of the children that a change added, updated and removed."""

    added: list[str]
    updated: list[str]
    removed: list[str]


@dataclass(slots=True)
class _State:
    """What changed about the children of one parent: how many positions there are, and what became of them."""

    count: int
    removed: set[int] = field(default_factory=set)
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)
    changes: int = 0


class Children(ABC):
    """The children of all parents of one kind, safe to use from several threads.

    Args:
        name: Name of the list.
        parents: The parents.
        sizes: How many children each has at the start.
        pool: How many records there are to stand for; a parent may have more children than that.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        cache: Where rendered pages are kept.
    """

    def __init__(  # noqa: PLR0913 - what all child lists share
        self,
        name: str,
        parents: Collection,
        sizes: Sizes,
        pool: int,
        seed: int,
        *,
        clock: Clock,
        cache: PageCache,
    ) -> None:
        self.name = name
        self.parents = parents
        self._sizes = sizes
        self._pool = pool
        self._key = b"%b:%d" % (name.encode(), seed)
        self._clock = clock
        self._cache = cache
        self._newest = newest_start(clock())
        self._bases: dict[int, int] = {}
        self._states: dict[int, _State] = {}
        self._random = random.Random(f"{name}:{seed}")  # noqa: S311 - repeatable, not secret
        self._lock = threading.RLock()

    def page(self, parent: int, start: int, limit: int) -> Page:
        """Return the page of the children of `parent` that covers the next `limit` positions from `start`."""
        key = (self.name, str(parent), start, limit)
        with self._lock:
            version = self._version(parent)
            page = self._cache.get(key, lambda page: page.version == version)
            if page is None:
                count = self._count(parent)
                page = Page.of(self._records(parent, range(start, min(start + limit, count))))
                page.start, page.stop, page.version = start, min(start + limit, count), version
                page.more = page.stop < count
                self._cache.put(key, page)
            return page

    def truth(self) -> Iterator[TruthEntry]:
        """Yield what the newest version of every child of every parent looks like; forbidden ones are there too."""
        for parent in range(len(self.parents)):
            start = 0
            while self.parents.exists(parent) and start < self._count(parent):
                with self._lock:
                    positions = range(start, min(start + _TRUTH_BATCH, self._count(parent)))
                    entries = [truth_of(record) for record in self._records(parent, positions)]
                yield from entries
                start += _TRUTH_BATCH

    def begin(self, parent: int, count: int) -> None:
        """Give a parent that was just added `count` children."""
        self._bases[parent] = count

    def change(self, parent: int, *, add: int = 0, update: int = 0, remove: int = 0) -> Changed:
        """Change the children of one parent; of each kind as many as there can be.

        Args:
            parent: The parent.
            add: How many to add.
            update: How many to give new content.
            remove: How many to take away.
        """
        now = int(self._clock() * 1000)
        with self._lock:
            state = self._states.setdefault(parent, _State(self._count(parent)))
            there = [position for position in range(state.count) if position not in state.removed]
            chosen = self._random.sample(there, min(remove + update, len(there)))
            removed, updated = chosen[:remove], chosen[remove:]
            added = list(range(state.count, state.count + self._room(state.count, add)))
            before = self._ids(parent, removed)
            state.changes += 1
            state.removed.update(removed)
            state.count += len(added)
            for position in updated + added:
                version, _ = state.versions.get(position, (0, 0))
                state.versions[position] = (version + (position not in added), now)
            return Changed(self._ids(parent, added), self._ids(parent, updated), before)

    @abstractmethod
    def _record(self, child: Child) -> Record:
        """Return the newest version of one child."""

    def _room(self, count: int, requested: int) -> int:  # noqa: ARG002 - for lists that can be full
        """Return how many of the `requested` children can be added behind position `count`."""
        return requested

    def _version(self, parent: int) -> int:
        """Return a number that grows whenever a page of `parent` may have changed."""
        state = self._states.get(parent)
        return 0 if state is None else state.changes

    def _base(self, parent: int) -> int:
        """Return how many children `parent` began with."""
        given = self._bases.get(parent)
        return self._sizes.drawn(b"%b:%d" % (self._key, parent)) if given is None else given

    def _count(self, parent: int) -> int:
        """Return how many positions `parent` has, those of removed children included."""
        state = self._states.get(parent)
        return self._base(parent) if state is None else state.count

    def _numbers(self, parent: int, positions: Iterable[int]) -> list[int]:
        """Return the records that positions stand for; never the same for two positions of one parent."""
        size = max(self._pool, self._base(parent))
        digest = hashlib.blake2b(b"%d" % parent, key=self._key, digest_size=8).digest()
        first = int.from_bytes(digest, "big")
        return [(first + position) % size if position < size else position for position in positions]

    def _records(self, parent: int, positions: Iterable[int]) -> list[Record]:
        """Return the children at `positions`, without those that were removed."""
        state = self._states.get(parent) or _State(0)
        there = [position for position in positions if position not in state.removed]
        parent_id, created = self.parents.id_of(parent), self.parents.created(parent)
        span = max(1, self._newest - created)
        records = []
        for position, number in zip(there, self._numbers(parent, there), strict=True):
            noise = hashlib.blake2b(b"%d:%d" % (parent, position), key=self._key, digest_size=16).digest()
            start = created + int.from_bytes(noise[:5], "big") % span
            version, updated = state.versions.get(position, (0, start))
            records.append(self._record(Child(parent_id, number, version, min(start, updated), updated, noise)))
        return records

    def _ids(self, parent: int, positions: Iterable[int]) -> list[str]:
        return [record.id.decode() for record in self._records(parent, positions)]
