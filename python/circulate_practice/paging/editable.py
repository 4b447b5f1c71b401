"""Lists whose records can be added and renamed: all but the users, which change in their own way."""

from typing import ClassVar

from circulate_practice.data.columns import StartingValues, newest_start
from circulate_practice.data.ids import Ids
from circulate_practice.data.json_text import edited, value_in
from circulate_practice.paging.collection import Clock, Collection
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

    _NAMED: ClassVar[tuple[str, ...]] = ("name",)
    """The members that lead to the name of a record."""

    def __init__(  # noqa: PLR0913 - what all of them share
        self, name: str, kind: str, count: int, ids: Ids, seed: int, *, clock: Clock, cache: PageCache
    ) -> None:
        start = StartingValues(seed, newest_start(clock()), name)
        super().__init__(name, kind, count, ids, start, clock=clock, cache=cache)

    def add(self) -> int:
        """Add a record, created now, and return its index."""
        with self._lock:
            self._changes += 1
            return self._append(self._now())

    def rename(self, index: int) -> None:
        """Give a record a new name, which moves its `lastUpdated`."""
        with self._lock:
            self._changes += 1
            self._touch(index)
            self._updated[index] = self._now()
            edits = self._edits.get(index, {})
            value = edits.get(self._NAMED[0])
            if value is not None:  # what the version says of the name is not seen
                edits[self._NAMED[0]] = _renamed(value, self._NAMED[1:], b" (renamed %d)" % self._version[index])

    def _listed(self, index: int) -> bool:
        return self.exists(index)


def _renamed(value: bytes, path: tuple[str, ...], ending: bytes) -> bytes:
    """Return the JSON `value` with `ending` behind the text at the end of `path`."""
    if not path:
        return value[:-1] + ending + b'"'
    inner = value_in(value, path[0])
    return value if inner is None else edited(value, {path[0]: _renamed(inner, path[1:], ending)})
