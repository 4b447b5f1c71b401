"""Okta-shaped identifiers that can be turned back into the number they were made from.

An id is `00u`, eight characters that spell a scrambled number, and nine that all users of an org share, much as
the ids of a real org share an ending. Because the scrambling can be undone, looking up a user by id needs no table.
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


class UserIds:
    """Make and read the user ids of one org.

    Args:
        seed: Number that sets this org's ids apart from those of another seed.

    Example:
        >>> ids = UserIds(seed=1)
        >>> ids.index_of(ids.id_of(41))
        41
    """

    def __init__(self, seed: int) -> None:
        digest = hashlib.blake2b(b"ids:%d" % seed).digest()
        self._offset = int.from_bytes(digest[:8], "big") % _SPACE
        self._ending = bytes(_ALPHABET[byte % _BASE] for byte in digest[8:17])

    def id_of(self, index: int) -> bytes:
        """Return the id of user `index` as 20 ASCII bytes."""
        high, low = divmod((index + self._offset) * _FACTOR % _SPACE, _BASE**4)
        first, second = divmod(high, _BASE**2)
        third, fourth = divmod(low, _BASE**2)
        return b"00u" + _PAIRS[first] + _PAIRS[second] + _PAIRS[third] + _PAIRS[fourth] + self._ending

    def index_of(self, user_id: bytes) -> int | None:
        """Return the number behind `user_id`, or None when no user of this org can have that id.

        The number may lie beyond the users that exist; the caller knows how many there are.
        """
        if len(user_id) != _LENGTH or not user_id.startswith(b"00u") or not user_id.endswith(self._ending):
            return None
        value = 0
        for start in range(3, 11, 2):
            pair = _PAIR_VALUES.get(user_id[start : start + 2])
            if pair is None:
                return None
            value = value * _BASE**2 + pair
        return (value * _INVERSE - self._offset) % _SPACE
