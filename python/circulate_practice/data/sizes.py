"""How many children each parent has at the start: a number for all of them, or a range to draw from."""

import hashlib
import re
from typing import NamedTuple, Self

_SHAPE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)


class Sizes(NamedTuple):
    """Children a parent, from `low` to `high`, all equally likely."""

    low: int
    high: int

    @classmethod
    def of(cls, name: str, given: int | tuple[int, int]) -> Self:
        """Return the sizes that `given`, the value of the setting `name`, stands for.

        Raises:
            ValueError: If a number is below 0 or the range is upside down.
        """
        low, high = (given, given) if isinstance(given, int) else given
        if not 0 <= low <= high:
            message = f"{name} must be a number from 0 on, or two such numbers in order, not {given}"
            raise ValueError(message)
        return cls(low, high)

    def drawn(self, key: bytes) -> int:
        """Return the number of children of the parent that `key` stands for."""
        if self.low == self.high:
            return self.low
        digest = hashlib.blake2b(key, digest_size=8).digest()
        return self.low + int.from_bytes(digest, "big") % (self.high - self.low + 1)


def parse_sizes(text: str) -> int | tuple[int, int]:
    """Return the number or the range that `text` names.

    Raises:
        ValueError: If it names neither.

    Example:
        >>> parse_sizes("0-3")
        (0, 3)
    """
    found = _SHAPE.fullmatch(text)
    if found is None:
        message = f'"{text}" is neither a number nor a range; write 20000 or 0-3'
        raise ValueError(message)
    return int(found[1]) if found[2] is None else (int(found[1]), int(found[2]))
