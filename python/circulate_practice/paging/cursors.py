"""The opaque `after` values that continue a list.

A cursor names the next record, carries a keyed digest and ends in characters that a client changes as soon as it
decodes the next URL and encodes it again, or splits a Link header at commas: percent-encoded `=`, `+` and `-`, and a
bare `;` and `,`. Only the text that was handed out, byte for byte, for the list and the filter it was handed out for,
is accepted.
"""

import base64
import binascii
import hashlib
import struct
from typing import Final, NamedTuple

_LAYOUT: Final = struct.Struct(">IIB")
_DIGEST_SIZE: Final = 7  # with the layout's 9 bytes it makes 16, so that base64 ends in two padding characters
_CORE_LENGTH: Final = 22
_TAIL: Final = "%3D%3D%2B;0,%2D"


class CursorError(ValueError):
    """The text is not a cursor of this org, list and filter, or was altered on the way."""


class Position(NamedTuple):
    """Where in a list a request stands.

    Attributes:
        start: First record to look at.
        page: Number of the page, from 1.
        after_empty: Whether an additional empty page was served in front of this one.
    """

    start: int = 0
    page: int = 1
    after_empty: bool = False


class Cursors:
    """Issue and read the cursors of one org; those of another seed are refused.

    Args:
        seed: Number the whole org follows from.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._age = 0

    def expire(self) -> None:
        """Refuse every cursor that was issued so far."""
        self._age += 1

    def issue(self, position: Position, scope: str) -> str:
        """Return the cursor of `position` as it must stand in a URL, percent-encoding included.

        Args:
            position: Where the page begins.
            scope: The list and its query; the cursor holds for nothing else.
        """
        packed = _LAYOUT.pack(*position)
        key = b"cursors:%d:%d" % (self._seed, self._age)
        digest = hashlib.blake2b(packed + scope.encode(), key=key, digest_size=_DIGEST_SIZE).digest()
        core = base64.urlsafe_b64encode(packed + digest).decode()[:_CORE_LENGTH]
        return core + _TAIL

    def read(self, raw: str, scope: str) -> Position:
        """Return the position that `raw`, the text between `after=` and the next `&`, stands for.

        Raises:
            CursorError: If it is anything but a cursor issued for `scope`, unchanged.
        """
        try:
            packed = base64.urlsafe_b64decode(raw[:_CORE_LENGTH] + "==")[: _LAYOUT.size]
            start, page, after_empty = _LAYOUT.unpack(packed)
        except (ValueError, binascii.Error, struct.error) as error:
            raise CursorError from error
        position = Position(start, page, bool(after_empty))
        if self.issue(position, scope) != raw:
            raise CursorError
        return position
