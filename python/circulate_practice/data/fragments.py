"""What the writers of records share: orders of members, the attributes that break careless readers, padding."""

import hashlib
from collections.abc import Callable
from operator import itemgetter
from typing import Final

from circulate_practice.data.edge_cases import EDGE_CASES

ORG_URL: Final = b"https://practice-org.example.com"
"""Org named in `_links`; it is not where the server listens, so that records do not depend on the port."""

_HARMLESS: Final = (b'"favouriteColour":"blue"',)
_PAD_OVERHEAD: Final = len(b'"practicePadding":"",')


def rearrangements(size: int) -> tuple[Callable[[tuple[bytes, ...]], tuple[bytes, ...]], ...]:
    """Return ways to order `size` members; the first keeps the order Okta uses and is taken most often."""
    usual = list(range(size))
    turned = usual[size // 2 :] + usual[: size // 2]
    woven = usual[::2] + usual[1::2]
    orders = (usual, usual, usual, turned, woven, usual[::-1], usual, turned[::-1])
    return tuple(itemgetter(*order) for order in orders)


class Extras:
    """Attributes for the places where Okta's description allows any.

    Args:
        key: Sets the records of one list apart from others: where in the kinds the first one begins follows from it.
        edge_cases: Whether they are those of `EDGE_CASES`. Without them DuckDB, Arrow, ... take the records.
    """

    def __init__(self, key: bytes, *, edge_cases: bool) -> None:
        self._kinds = tuple(EDGE_CASES.values()) if edge_cases else _HARMLESS
        self._first = hashlib.blake2b(key).digest()[0]

    def of(self, number: int, noise: int) -> bytes:
        """Return one or two of the kinds: the first in turn, so that none is missing, the other by chance."""
        kinds = self._kinds
        turn = (number + self._first) % len(kinds)
        other = (turn + noise) % len(kinds)
        return kinds[turn] if other == turn else kinds[turn] + b"," + kinds[other]


def padded(record: bytes, size: int) -> bytes:
    """Return `record` with a padding attribute in front that brings it to `size` bytes, or as it is if it is larger."""
    missing = size - len(record) - _PAD_OVERHEAD
    return record if missing < 0 else b'{"practicePadding":"%b",%b' % (b"x" * missing, record[1:])
