"""JSON text with some of its strings and numbers replaced, and all other bytes as they were."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[\[\]{},:]|true|false|null', re.DOTALL)


class Value(NamedTuple):
    """A string or a number of a document.

    Attributes:
        member: Name of the member that it is the value of, or that the array is which it stands in.
        names: Names of all members of the object that it is in, once the object was read before; else nothing.
        text: The string; of a number its digits.
        is_number: Whether it is a number.
        path: Members and `*` down to it.
    """

    member: str
    names: frozenset[str]
    text: str
    is_number: bool
    path: tuple[str, ...]


def is_json(text: str) -> bool:
    """Return whether a text is JSON: a document, or several on lines."""
    try:
        json.loads(text)
    except ValueError:
        pass
    else:
        return text.lstrip()[:1] in {"{", "["}
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return bool(lines) and all(isinstance(json.loads(line), dict | list) for line in lines)
    except ValueError:
        return False


def rewritten(text: str, value: Callable[[Value], str | None], name: Callable[[str], str]) -> str:
    """Return a JSON text with other values.

    Args:
        text: One document, or several in a row.
        value: Returns what stands in the place of a string or a number, or None to leave it.
        name: Returns what stands in the place of the name of a member.
    """
    siblings = _siblings(text)
    out, at = [], 0
    stack: list[tuple[int | None, list[str]]] = []
    """Of each container the number of the object, or None, and the member that is read."""
    objects = 0
    tokens = list(_TOKEN.finditer(text))
    for index, token in enumerate(tokens):
        word = token[0]
        if word == "{":
            stack.append((objects, [""]))
            objects += 1
        elif word == "[":
            stack.append((None, [stack[-1][1][0] if stack else ""]))
        elif word in "]}":
            if stack:
                stack.pop()
        elif word[0] == '"' or word[0] in "-0123456789":
            is_number = word[0] != '"'
            decoded = word if is_number else json.loads(word, strict=False)
            follows = tokens[index + 1][0] if index + 1 < len(tokens) else ""
            if not is_number and follows == ":" and stack and stack[-1][0] is not None:
                stack[-1][1][0] = decoded
                new: str | None = name(decoded)
            else:
                number = stack[-1][0] if stack else None
                path = tuple("*" if number is None else member[0] for number, member in stack)
                names = siblings[number] if number is not None else frozenset()
                new = value(Value(stack[-1][1][0] if stack else "", names, decoded, is_number, path))
            if new is not None and new != decoded:
                out.append(text[at : token.start()])
                out.append(new if is_number else json.dumps(new, ensure_ascii=word.isascii()))
                at = token.end()
    return "".join([*out, text[at:]])


def _siblings(text: str) -> list[frozenset[str]]:
    """Return the names of the members of each object, in the order in which objects begin."""
    found: list[set[str]] = []
    stack: list[int | None] = []
    tokens = list(_TOKEN.finditer(text))
    for index, token in enumerate(tokens):
        word = token[0]
        if word == "{":
            stack.append(len(found))
            found.append(set())
        elif word == "[":
            stack.append(None)
        elif word in "]}":
            if stack:
                stack.pop()
        elif word[0] == '"' and stack and index + 1 < len(tokens) and tokens[index + 1][0] == ":":
            number = stack[-1]
            if number is not None:
                found[number].add(json.loads(word, strict=False))
    return [frozenset(each) for each in found]
