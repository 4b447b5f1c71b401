"""Values that look like secrets, whatever they are called: people leave their own keys in documents."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

HIDDEN: Final = "***"
_KNOWN: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?"  # a JWT
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*"
    r"|(sk|pk|rk)_(live|test)_\w{8,}|gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}"
    r"|(AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{30,}|ya29\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}",
    re.DOTALL,
)
"""What vendors begin their keys with."""
_WORD: Final = re.compile(r"[A-Za-z0-9+/_=.~-]{20,}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX: Final = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
_PARTS: Final = re.compile(r"[./_~-]+")
_RANDOM: Final = 20
"""Characters of a key without a `.`, `/`, `_` or `-` in between, at least."""
_BITS: Final = 3.6
"""Entropy of a character of random letters and digits: 20 of them have more, and words and names have less."""


def looks_secret(value: object) -> bool:
    """Return whether a value looks like a key or a token: a JWT, a prefix that vendors use, or random characters."""
    return isinstance(value, str) and bool(_KNOWN.search(value) or any(map(_is_random, _WORD.findall(value))))


def without_secrets(text: str) -> str:
    """Return a text with `***` in the place of what looks like a secret."""
    text = _KNOWN.sub(HIDDEN, text)
    return _WORD.sub(lambda found: HIDDEN if _is_random(found[0]) else found[0], text)


def _is_random(word: str) -> bool:
    if _UUID.fullmatch(word):
        # It names things: an account, a workspace.
        return False
    return any(_HEX.fullmatch(part) or _is_mixed(part) for part in [word.rstrip("="), *_PARTS.split(word)])


def _is_mixed(part: str) -> bool:
    """Return whether letters and digits change often, as in no name: `ISO20022Message` has one number in it."""
    if len(part) < _RANDOM or not part.replace("+", "").isalnum():
        return False
    kinds = ["d" if each.isdigit() else "u" if each.isupper() else "l" for each in part]
    if any(map(str.isupper, part)) and re.search(r"[a-z]{6}", part):
        # A word of a name. Of random characters of both cases hardly so many small letters follow each other.
        return False
    numbers = sum(kind == "d" and before != "d" for before, kind in zip(["", *kinds], kinds, strict=False))
    return numbers >= 3 and "".join(kinds).strip("d") != "" and _entropy(part) >= _BITS  # noqa: PLR2004 - see above


def _entropy(text: str) -> float:
    """Return the bits that each character of a text holds."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
