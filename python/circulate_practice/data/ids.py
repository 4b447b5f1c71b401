"""Okta-shaped identifiers that can be turned back into the number they were made from.

An id is three characters for its kind (`00u` for users), eight that spell a scrambled number, and nine that all ids of
an org share, much as those of a real org share an ending. Because the scrambling can be undone, looking up a record by
id needs no table.
"""

import hashlib

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE = len(_ALPHABET)
_PAIRS = [bytes((high, low)) for high in _ALPHABET for low in _ALPHABET]
_PAIR_VALUES = {pair: value for value, pair in enumerate(_PAIRS)}
_SPACE = _BASE**8
_FACTOR = 0x5DEECE66D1F3  # shares no factor with 62, so that multiplying by it can be undone
_INVERSE = pow(_FACTOR, -1, _SPACE)
_LENGTH = 20
_KIND_STEP = 0x9E3779B97F4A7C15  # sets kinds apart: user 5 and app 5 differ in more than three characters

USER = b"00u"
APP = b"0oa"
GROUP = b"00g"
DEVICE = b"guo"
POLICY = b"00p"
ZONE = b"nzo"
API_TOKEN = b"00T"
SERVER = b"aus"
FACTOR = b"ufs"
ROLE = b"irb"
GRANT = b"oag"
TOKEN = b"oar"


class Ids:
    """Make and read the ids of one kind of record of one org.

    Args:
        seed: Number that sets this org's ids apart from those of another seed.
        kind: The first three characters, such as `USER`.

    Example:
        >>> ids = Ids(seed=1, kind=USER)
        >>> ids.index_of(ids.id_of(41))
        41
    """

    def __init__(self, seed: int, kind: bytes) -> None:
        digest = hashlib.blake2b(b"ids:%d" % seed).digest()
        shift = (int.from_bytes(kind, "big") - int.from_bytes(USER, "big")) * _KIND_STEP
        self._kind = kind
        self._offset = (int.from_bytes(digest[:8], "big") + shift) % _SPACE
        self._ending = bytes(_ALPHABET[byte % _BASE] for byte in digest[8:17])

    def id_of(self, index: int) -> bytes:
        """Return the id of record `index` as 20 ASCII bytes."""
        high, low = divmod((index + self._offset) * _FACTOR % _SPACE, _BASE**4)
        first, second = divmod(high, _BASE**2)
        third, fourth = divmod(low, _BASE**2)
        return self._kind + _PAIRS[first] + _PAIRS[second] + _PAIRS[third] + _PAIRS[fourth] + self._ending

    def index_of(self, record_id: bytes) -> int | None:
        """Return the number behind `record_id`, or None when no record of this kind and org can have that id.

        The number may lie beyond the records that exist; the caller knows how many there are.
        """
        if len(record_id) != _LENGTH or not record_id.startswith(self._kind) or not record_id.endswith(self._ending):
            return None
        value = 0
        for start in range(3, 11, 2):
            pair = _PAIR_VALUES.get(record_id[start : start + 2])
            if pair is None:
                return None
            value = value * _BASE**2 + pair
        return (value * _INVERSE - self._offset) % _SPACE
