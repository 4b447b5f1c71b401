"""Starting values of every record of a list: when it was created and last updated, and its status.

They come from one extendable digest a block of records, so that a million users start in well under a second, user 7 is
the same in an org of ten and in one of a million, and users can be added at the end.
"""

import hashlib
import sys
from array import array
from collections.abc import Iterator
from typing import Final

from circulate_practice.okta.users import STATUSES

_BLOCK: Final = 8192
_DAY_MS: Final = 86_400_000
_CREATED_BEFORE_MS: Final = 730 * _DAY_MS
_CREATED_SPAN_MS: Final = 1460 * _DAY_MS
_UPDATED_SPAN_MS: Final = 729 * _DAY_MS
_SHARED_STEP_MS: Final = 3_600_000
_NEWEST: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
_MARGIN_MS: Final = 60_000
_OFTEN: Final = {"STAGED": 10, "PROVISIONED": 10, "SUSPENDED": 8, "LOCKED_OUT": 6, "PASSWORD_EXPIRED": 12}
_RARELY: Final = {"RECOVERY": 4, "DEPROVISIONED": 13}  # of 256; 13 is 5 %


def _status_table() -> bytes:
    """Return the status for each value of a random byte."""
    table = b"".join(bytes([STATUSES.index(name)]) * share for name, share in (_OFTEN | _RARELY).items())
    return table + bytes([STATUSES.index("ACTIVE")]) * (256 - len(table))


_STATUS_OF_BYTE: Final = _status_table()


def newest_start(now: float) -> int:
    """Return the time, in epoch milliseconds, before which all starting values lie.

    It is a fixed day, so that two orgs of one seed hold the same bytes, unless the clock stands before it.

    Args:
        now: The server's clock at its start, in epoch seconds.
    """
    return min(_NEWEST, int(now * 1000) - _MARGIN_MS)


class StartingValues:
    """The starting columns of one list of an org.

    Args:
        seed: Number the whole org follows from.
        newest: Latest value a time may have, in epoch milliseconds; see `newest_start`.
        kind: Sets the columns of one list apart from those of another; empty for users.
    """

    def __init__(self, seed: int, newest: int, kind: str = "") -> None:
        self._name = b"%b%d" % (kind.encode(), seed)
        self._newest = newest

    def statuses(self, count: int) -> "array[int]":
        """Return the status of users 0 to `count`, as positions in `STATUSES`."""
        return self.choices(count, _STATUS_OF_BYTE)

    def choices(self, count: int, table: bytes) -> "array[int]":
        """Return one of the 256 values of `table` for each of the records 0 to `count`."""
        column = array("B")
        for words in self._blocks(count):
            column.frombytes(bytes([word & 255 for word in words]).translate(table))
        return column[:count]

    def updates(self, count: int) -> "array[int]":
        """Return `lastUpdated` of records 0 to `count`, in epoch milliseconds; one in eight shares it with others."""
        newest, span, step = self._newest, _UPDATED_SPAN_MS, _SHARED_STEP_MS
        column = array("q")
        for words in self._blocks(count):
            ages = [(word >> 16) % span if word & 0x700 else (word >> 16) % span // step * step for word in words]
            column.extend([newest - age for age in ages])
        return column[:count]

    def created(self, index: int) -> int:
        """Return when a record that was there at the start was created, in epoch milliseconds."""
        digest = hashlib.blake2b(b"created:%b:%d" % (self._name, index), digest_size=8).digest()
        return self._newest - _CREATED_BEFORE_MS - int.from_bytes(digest, "big") % _CREATED_SPAN_MS

    def _blocks(self, count: int) -> Iterator["array[int]"]:
        for block in range(-(-count // _BLOCK)):
            words = array("Q", hashlib.shake_128(b"block:%b:%d" % (self._name, block)).digest(_BLOCK * 8))
            if sys.byteorder == "big":
                words.byteswap()
            yield words
