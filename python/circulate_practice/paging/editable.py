"""Lists whose records can be added, deleted and renamed: all but the users, which change in their own way."""

from circulate_practice.data.columns import StartingValues, newest_start
from circulate_practice.data.ids import Ids
from circulate_practice.paging.collection import Clock, Collection
from circulate_practice.paging.filters import Match
from circulate_practice.paging.pages import PageCache


class Editable(Collection):
    """One such list of one org.

    Args:
        name: Name of the list.
        kind: What Okta's errors call such a record.
        count: How many there are at the start.
        ids: Their ids.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        cache: Where rendered pages are kept.
    """

    def __init__(  # noqa: PLR0913 - what all of them share
        self, name: str, kind: str, count: int, ids: Ids, seed: int, *, clock: Clock, cache: PageCache
    ) -> None:
        start = StartingValues(seed, newest_start(clock()), name)
        super().__init__(name, kind, count, ids, start, clock=clock, cache=cache)
        self._deleted: set[int] = set()

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
            self._deleted.add(index)

    def rename(self, index: int) -> None:
        """Give a record a new name, which moves its `lastUpdated`."""
        with self._lock:
            self._changes += 1
            self._touch(index)
            self._updated[index] = self._now()

    def exists(self, index: int) -> bool:
        """Return whether record `index` was not deleted."""
        return index not in self._deleted

    def _listed(self, index: int) -> bool:
        return self.exists(index)

    def _compile(self, filter_text: str) -> Match:
        match, deleted = super()._compile(filter_text), self._deleted
        return lambda index: index not in deleted and match(index)
