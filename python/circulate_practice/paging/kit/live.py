"""The records of a list at present, in their order, while some come and go."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from circulate_practice.paging.kit.places import at


@dataclass(slots=True)
class Entry:
    """A record and its place in the list.

    Attributes:
        rank: Number that orders the list; it never changes.
        record: The record.
        hidden: It takes up a place and is not handed over, as one that was filtered out of a finished page.
    """

    rank: int
    record: Any
    hidden: bool = False


class Live:
    """A list's records at present."""

    def __init__(self, records: Iterable[Any]) -> None:
        self.entries = [Entry(rank, record) for rank, record in enumerate(records)]
        self.inserted: list[Any] = []
        self.deleted: list[Any] = []

    @property
    def shown(self) -> list[Any]:
        """The records that are handed over."""
        return [entry.record for entry in self.entries if not entry.hidden]

    @property
    def before_first(self) -> int:
        """A rank with all records behind it."""
        return self.entries[0].rank - 1 if self.entries else 0

    def index_after(self, rank: int) -> int:
        """Return the index of the first entry behind a rank, whether or not there still is one of that rank."""
        return bisect_right([entry.rank for entry in self.entries], rank)

    def rank_of(self, pointer: str, value: object) -> int | None:
        """Return the rank of the record in which a member has a value, or None; `/value` is that of a scalar."""
        return next((entry.rank for entry in self.entries if _member(entry.record, pointer) == str(value)), None)

    def insert(self, record: object) -> None:
        """Add a record at the front, as lists do that show the newest first."""
        self.entries.insert(0, Entry(self.entries[0].rank - 1, record))
        self.inserted.append(record)

    def delete(self, index: int) -> None:
        """Take a record away."""
        self.deleted.append(self.entries.pop(index).record)


def _member(record: object, pointer: str) -> str:
    return str(at(record if isinstance(record, dict) else {"value": record}, pointer))
