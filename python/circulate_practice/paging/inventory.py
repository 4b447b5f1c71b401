"""What the smaller lists share (devices, policies, zones, API tokens, authorization servers).

Their records have an id, two dates, and members of their own.
"""

import hashlib
from abc import abstractmethod
from functools import cache as cached
from typing import NamedTuple

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.ids import Ids
from circulate_practice.data.timestamps import timestamp
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.editable import Editable
from circulate_practice.paging.pages import PageCache

_orders = cached(rearrangements)


class Entry(NamedTuple):
    """What varies between the records of one list.

    Attributes:
        number: Its index in the list.
        id: Its id.
        here: Its address.
        suffix: Ends its name, and changes with each renaming.
        created: When it was created, in epoch milliseconds.
        updated: When it was last updated.
        noise: Eight bytes to choose by.
        extras: Members for a place where Okta's description allows any.
    """

    number: int
    id: bytes
    here: bytes
    suffix: bytes
    created: int
    updated: int
    noise: bytes
    extras: bytes


class Inventory(Editable):
    """One such list of one org.

    Args:
        name: Name of the list.
        kind: What Okta's errors call such a record.
        path: Path of the list.
        count: How many there are at the start.
        seed: Number everything follows from.
        prefix: First three characters of the ids.
        clock: Source of the time of changes.
        edge_cases: Whether records carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(  # noqa: PLR0913 - what all of them share
        self,
        name: str,
        kind: str,
        path: str,
        count: int,
        seed: int,
        *,
        prefix: bytes,
        clock: Clock,
        edge_cases: bool,
        cache: PageCache,
    ) -> None:
        super().__init__(name, kind, count, Ids(seed, prefix), seed, clock=clock, cache=cache)
        self._key = b"%b:%d" % (name.encode(), seed)
        self._address = ORG_URL + path.encode()
        self._extras = Extras(self._key, edge_cases=edge_cases)

    @abstractmethod
    def _members(self, entry: Entry) -> tuple[bytes, ...]:
        """Return the members of a record besides `id` and the dates, in the order Okta uses."""

    def _body(self, index: int) -> bytes:
        noise = hashlib.blake2b(b"%d" % index, key=self._key, digest_size=10).digest()
        record_id, version = self._ids.id_of(index), self._version[index]
        entry = Entry(
            index,
            record_id,
            b"%b/%b" % (self._address, record_id),
            b"%d%b" % (index, b" (renamed %d)" % version if version else b""),
            self.created(index),
            self._updated[index],
            noise,
            self._extras.of(index, noise[8]),
        )
        members = (
            b'"id":"%b"' % record_id,
            b'"created":"%b"' % timestamp(entry.created),
            b'"lastUpdated":"%b"' % timestamp(entry.updated),
            *self._members(entry),
        )
        return b"{%b}" % b",".join(_orders(len(members))[noise[9] & 7](members))
