"""Texts with placeholders: what they stand for, and where that is found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[^{}]+")


class NoValueError(Exception):
    """A placeholder stands for nothing; the text says which one, and why."""


def pieces_of(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a text, and whether each is a placeholder. The engine has checked that it is a template."""
    return [
        (found[1], True) if found[1] else (found[0][:1] if found[0] in {"{{", "}}"} else found[0], False)
        for found in _PIECES.finditer(text)
    ]


def tokens_of(pointer: str) -> list[str]:
    """Return what a JSON Pointer is made of."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def member(document: object, tokens: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    """Return a member of a document. A number is an item of a list, as it is in a state machine.

    Raises:
        KeyError: There is none.
    """
    for token in tokens:
        # No list is that long, and Python reads no number of thousands of digits.
        if isinstance(document, list) and token.isdecimal() and len(token) < 20 and int(token) < len(document):  # noqa: PLR2004
            document = document[int(token)]
        elif isinstance(document, dict) and token in document and not token.isdecimal():
            document = document[token]
        else:
            raise KeyError(token)
    return document


def filled(template: object, inputs: Mapping[str, Any], results: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return a template with its values. A text that is one placeholder becomes its value, whatever its type.

    Args:
        template: A JSON document whose texts may have placeholders.
        inputs: What the inputs are.
        results: The results of the steps that were done, by their ids.

    Raises:
        NoValueError: A placeholder stands for nothing.
    """
    if isinstance(template, dict):
        return {name: filled(each, inputs, results) for name, each in template.items()}
    if isinstance(template, list):
        return [filled(each, inputs, results) for each in template]
    if not isinstance(template, str):
        return template
    values = [
        (_value(piece, inputs, results), is_value) if is_value else (piece, False)
        for piece, is_value in pieces_of(template)
    ]
    if len(values) == 1:
        return values[0][0]
    for value, is_value in values:
        if is_value and (isinstance(value, (dict, list)) or value is None):
            message = f"`{template}`: a list, an object or null can't be a part of a text"
            raise NoValueError(message)
    return "".join(_text(value) for value, _ in values)


def _text(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _value(placeholder: str, inputs: Mapping[str, Any], results: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    kind, name, *rest = tokens_of(f"/{placeholder}")
    known = inputs if kind == "inputs" else results
    if name not in known:
        message = f"`{{{placeholder}}}`: the step `{name}` has no result"
        raise NoValueError(message)
    try:
        return member(known[name], rest)
    except KeyError:
        message = f"`{{{placeholder}}}`: there is no such member"
        raise NoValueError(message) from None


def steps_used(template: object) -> set[str]:
    """Return the ids of steps whose results a template uses."""
    if isinstance(template, dict):
        return set().union(*map(steps_used, template.values()))
    if isinstance(template, list):
        return set().union(*map(steps_used, template))
    if not isinstance(template, str):
        return set()
    named = (tokens_of(f"/{piece}") for piece, is_value in pieces_of(template) if is_value)
    return {name for kind, name, *_ in named if kind == "steps"}
