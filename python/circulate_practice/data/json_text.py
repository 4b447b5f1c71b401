"""JSON objects as text: their members with every byte, so that one can be changed and the others stay as they are.

Records hold numbers, escapes and duplicate keys that no parser gives back; whoever changes a record changes its text.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class Member(NamedTuple):
    """One member of an object: its name, decoded, and the text of both."""

    name: str
    key: bytes
    value: bytes


def compact(text: bytes) -> bytes:
    """Return JSON `text` without the white space between its tokens.

    Example:
        >>> compact(b'{ "a": [1, "b c"] }')
        b'{"a":[1,"b c"]}'
    """
    return b"".join(_TOKEN.findall(text))


def members_of(text: bytes) -> list[Member]:
    """Return the members of the JSON object that `text` is, in order, duplicates included.

    Example:
        >>> [(member.name, member.value) for member in members_of(b'{"a":1.0,"b":{"c":[]}}')]
        [('a', b'1.0'), ('b', b'{"c":[]}')]
    """
    tokens: list[bytes] = _TOKEN.findall(text)[1:-1]
    found, at = [], 0
    while at < len(tokens):
        key, start, depth = tokens[at], at + 2, 0
        at = start
        while at < len(tokens) and (depth or tokens[at] != b","):
            depth += (tokens[at] in b"{[") - (tokens[at] in b"}]")
            at += 1
        found.append(Member(json.loads(key), key, b"".join(tokens[start:at])))
        at += 1
    return found


def value_in(text: bytes, name: str) -> bytes | None:
    """Return the text of the value that counts, the last, of the member `name`; None without one."""
    return next((member.value for member in reversed(members_of(text)) if member.name == name), None)


def edited(text: bytes, values: Mapping[str, bytes | None]) -> bytes:
    """Return the object `text` with other values for some members; None takes a member away, new ones come last.

    Example:
        >>> edited(b'{"a":1.0,"b":2}', {"b": b'"x"', "c": b"[]"})
        b'{"a":1.0,"b":"x","c":[]}'
    """
    left, parts = dict(values), []
    for member in members_of(text):
        if member.name not in values:
            parts.append(b"%b:%b" % (member.key, member.value))
            continue
        value = left.pop(member.name, None)
        if value is not None:
            parts.append(b"%b:%b" % (member.key, value))
    parts += (b"%b:%b" % (quoted(name), value) for name, value in left.items() if value is not None)
    return b"{%b}" % b",".join(parts)


def quoted(text: str) -> bytes:
    """Return `text` as a JSON string, its letters as they are."""
    try:
        return json.dumps(text, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return json.dumps(text).encode()
