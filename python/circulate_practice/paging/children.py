"""Lists below a parent: users and groups of an app, members of a group, factors and roles of a user.

How many children a parent has, and which, follows from the seed; nothing is held for a parent until its children
change, so a million of them cost nothing to start with. Children keep their position for good and new ones are added at
the end.
"""

import hashlib
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from circulate_practice.data.columns import newest_start
from circulate_practice.data.json_text import edited
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
    """What changed about the children of one parent: how many positions there are, and what became of them.

    Attributes:
        count: Positions, those of removed children included.
        removed: Positions of removed children.
        versions: Version and time of the last change, by position.
        changes: How often anything changed.
        placed: Records that positions stand for because somebody chose them.
        where: Positions of these records.
        edits: Values of members, as JSON text, by position.
    """

    count: int
    removed: set[int] = field(default_factory=set)
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)
    changes: int = 0
    placed: dict[int, int] = field(default_factory=dict)
    where: dict[int, int] = field(default_factory=dict)
    edits: dict[int, dict[str, bytes | None]] = field(default_factory=dict)


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
            before = self._ids(parent, removed)
            added = self._append(parent, state, add)
            state.changes += 1
            for position in removed:
                _remove(state, position)
            for position in updated + added:
                version, _ = state.versions.get(position, (0, 0))
                state.versions[position] = (version + (position not in added), now)
            return Changed(self._ids(parent, added), self._ids(parent, updated), before)

    def find(self, parent: int, number: int) -> int | None:
        """Return the position at which `parent` has record `number` as a child, or None when it has not."""
        with self._lock:
            state = self._states.get(parent) or _State(self._base(parent))
            if number in state.where:
                return state.where[number]
            size, first = self._order(parent)
            position = (number - first) % size if number < size else number
            there = position < state.count and position not in state.removed and position not in state.placed
            return position if there and self._stands(number) else None

    def child(self, parent: int, position: int) -> Record:
        """Return the newest version of the child at a position that `find` or `put` gave."""
        with self._lock:
            return self._records(parent, [position])[0]

    def put(self, parent: int, number: int, values: Mapping[str, bytes | None]) -> int:
        """Make record `number`, which is not yet a child of `parent`, one.

        Args:
            parent: The parent.
            number: The record.
            values: Values that members of the child have, as JSON text; None takes a member away.

        Returns:
            Its position.
        """
        with self._lock:
            state = self._changing(parent)
            position = state.count
            state.count += 1
            state.placed[position], state.where[number] = number, position
            self._edit(state, position, values)
            return position

    def add(self, parent: int, values: Mapping[str, bytes | None]) -> int:
        """Give `parent` one more child, whichever is next, with these values, and return its position."""
        with self._lock:
            state = self._changing(parent)
            [position] = self._append(parent, state, 1)
            self._edit(state, position, values)
            return position

    def take(self, parent: int, position: int) -> None:
        """Take a child away from its parent."""
        with self._lock:
            _remove(self._changing(parent), position)

    def edit(self, parent: int, position: int, values: Mapping[str, bytes | None]) -> None:
        """Give members of a child other values, as JSON text, which moves its `lastUpdated`."""
        with self._lock:
            self._edit(self._changing(parent), position, values)

    def positions(self, parent: int) -> list[int]:
        """Return the positions of all children of `parent`, in order."""
        with self._lock:
            state = self._states.get(parent) or _State(self._base(parent))
            there = [position for position in range(state.count) if position not in state.removed]
            pairs = zip(there, self._numbers(parent, there), strict=True)
            return [position for position, number in pairs if self._stands(number)]

    def _changing(self, parent: int) -> _State:
        """Return what changed about the children of a parent that are changed now."""
        state = self._states.setdefault(parent, _State(self._count(parent)))
        state.changes += 1
        return state

    def _edit(self, state: _State, position: int, values: Mapping[str, bytes | None]) -> None:
        version, _ = state.versions.get(position, (0, 0))
        state.versions[position] = (version, int(self._clock() * 1000))
        if values:
            state.edits.setdefault(position, {}).update(values)

    def _append(self, parent: int, state: _State, wanted: int) -> list[int]:
        """Add as many positions as are `wanted` and can be, and return them.

        A position is left out whose record is a child already, because somebody chose it.
        """
        added: list[int] = []
        while len(added) < wanted and self._room(state.count, 1):
            position = state.count
            state.count += 1
            if state.where and self._numbers(parent, [position])[0] in state.where:
                state.removed.add(position)
            else:
                added.append(position)
        return added

    def _stands(self, number: int) -> bool:  # noqa: ARG002 - for lists whose records can go
        """Return whether the record that a child stands for is still there."""
        return True

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

    def _order(self, parent: int) -> tuple[int, int]:
        """Return how many records positions of `parent` stand for in turn, and which comes first."""
        digest = hashlib.blake2b(b"%d" % parent, key=self._key, digest_size=8).digest()
        return max(self._pool, self._base(parent)), int.from_bytes(digest, "big")

    def _numbers(self, parent: int, positions: Iterable[int]) -> list[int]:
        """Return the records that positions stand for; never the same for two children of one parent."""
        state = self._states.get(parent)
        placed = {} if state is None else state.placed
        size, first = self._order(parent)
        return [
            placed[position] if position in placed else (first + position) % size if position < size else position
            for position in positions
        ]

    def _records(self, parent: int, positions: Iterable[int]) -> list[Record]:
        """Return the children at `positions`, without those that were removed."""
        state = self._states.get(parent) or _State(0)
        there = [position for position in positions if position not in state.removed]
        parent_id, created = self.parents.id_of(parent), self.parents.created(parent)
        span = max(1, self._newest - created)
        records = []
        for position, number in zip(there, self._numbers(parent, there), strict=True):
            if not self._stands(number):
                continue
            noise = hashlib.blake2b(b"%d:%d" % (parent, position), key=self._key, digest_size=16).digest()
            start = created + int.from_bytes(noise[:5], "big") % span
            version, updated = state.versions.get(position, (0, start))
            record = self._record(Child(parent_id, number, version, min(start, updated), updated, noise))
            edits = state.edits.get(position)
            records.append(record._replace(body=edited(record.body, edits)) if edits else record)
        return records

    def _ids(self, parent: int, positions: Iterable[int]) -> list[str]:
        return [record.id.decode() for record in self._records(parent, positions)]


def _remove(state: _State, position: int) -> None:
    """Note that the child at `position` was removed."""
    state.removed.add(position)
    state.where.pop(state.placed.get(position, -1), None)
    state.edits.pop(position, None)
