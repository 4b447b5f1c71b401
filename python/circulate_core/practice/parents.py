"""Records that have children: apps and groups. They can be added, deleted, renamed, and closed to the token."""

from circulate_core.practice.collection import Clock, Collection
from circulate_core.practice.columns import StartingValues, newest_start
from circulate_core.practice.filters import Match
from circulate_core.practice.ids import Ids
from circulate_core.practice.pages import PageCache


class Parents(Collection):
    """The apps, or the groups, of one org.

    Args:
        name: Name of the list.
        kind: What Okta's errors call such a record.
        count: How many there are at the start.
        ids: Their ids.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        cache: Where rendered pages are kept.
    """

    def __init__(  # noqa: PLR0913 - what both kinds share
        self, name: str, kind: str, count: int, ids: Ids, seed: int, *, clock: Clock, cache: PageCache
    ) -> None:
        start = StartingValues(seed, newest_start(clock()), name)
        super().__init__(name, kind, count, ids, start, clock=clock, cache=cache)
        self._gone: set[int] = set()
        self._forbidden: set[int] = set()

    def id_of(self, index: int) -> bytes:
        """Return the id of record `index`, whether or not there is one yet."""
        return self._ids.id_of(index)

    def add(self) -> int:
        """Add a record, created now, and return its index."""
        with self._lock:
            self._changes += 1
            return self._append(self._now())

    def delete(self, index: int) -> None:
        """Delete a record, and with it its children; its id is never used again."""
        with self._lock:
            self._changes += 1
            self._touch(index)
            self._gone.add(index)

    def rename(self, index: int) -> None:
        """Give a record a new name, which moves its `lastUpdated`."""
        with self._lock:
            self._changes += 1
            self._touch(index)
            self._updated[index] = self._now()

    def forbid(self, index: int) -> None:
        """Refuse the children of a record from now on."""
        self._forbidden.add(index)

    def allow(self, index: int) -> None:
        """Serve the children of a record again."""
        self._forbidden.discard(index)

    def is_forbidden(self, index: int) -> bool:
        """Tell whether the children of a record are refused."""
        return index in self._forbidden

    def exists(self, index: int) -> bool:
        """Tell whether record `index` was not deleted."""
        return index not in self._gone

    def _listed(self, index: int) -> bool:
        return self.exists(index)

    def _compile(self, filter_text: str) -> Match:
        match, gone = super()._compile(filter_text), self._gone
        return lambda index: index not in gone and match(index)
