"""The filter expressions Okta takes for lists, compiled to a test of one record's columns.

`lastUpdated gt "2026-01-01T00:00:00.000Z" and (status eq "ACTIVE" or status eq "STAGED")`: the attributes of the list,
times with `eq`, `gt`, `ge`, `lt` and `le`, texts with `eq`, `sw` and `co`, all else with `eq`, combined with `and`,
`or` and parentheses; `and` binds tighter.
Attribute names and values are case-sensitive, operators are not. `not`, other attributes and other operators are
refused, as Okta refuses them.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from circulate_practice.data.ids import Ids
from circulate_practice.data.timestamps import parse_timestamp

Match = Callable[[int], bool]
"""Returns whether the record at an index belongs to the response."""

Attribute = Callable[[str, str], Match | None]
"""Compiles the comparison of one attribute with a value; gives None when the list does not offer it."""

_TOKEN: Final = re.compile(r'\s*(?:(?P<paren>[()])|(?P<word>[A-Za-z.]+)|"(?P<text>(?:[^"\\]|\\.)*)")')
_COMPARISONS: Final = {"eq": operator.eq, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}

_TEXT_COMPARISONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "eq": operator.eq,
    "sw": str.startswith,
    "co": operator.contains,
}


class FilterError(ValueError):
    """The expression is not one this org understands; the message says where."""


def time_in(column: Sequence[int]) -> Attribute:
    """Return the attribute whose times, in epoch milliseconds, `column` holds."""

    def compiled(comparison: str, value: str) -> Match | None:
        bound = parse_timestamp(value)
        if bound is None:
            message = f'"{value}" is not a time like 2026-01-01T00:00:00.000Z'
            raise FilterError(message)
        holds = _COMPARISONS.get(comparison)
        return None if holds is None else lambda index: bool(holds(column[index], bound))

    return compiled


def name_in(column: Sequence[int], names: Sequence[str]) -> Attribute:
    """Return the attribute whose values `column` holds as positions in `names`."""

    def compiled(comparison: str, value: str) -> Match | None:
        if comparison != "eq" or value not in names:
            return None
        number = names.index(value)
        return lambda index: column[index] == number

    return compiled


def text_in(text_of: Callable[[int], str]) -> Attribute:
    """Return the attribute whose value, a text in which case does not count, `text_of` gives."""

    def compiled(comparison: str, value: str) -> Match | None:
        holds = _TEXT_COMPARISONS.get(comparison)
        wanted = value.casefold()
        return None if holds is None else lambda index: holds(text_of(index).casefold(), wanted)

    return compiled


def id_in(ids: Ids) -> Attribute:
    """Return the attribute that is the id of the record."""

    def compiled(comparison: str, value: str) -> Match | None:
        number = ids.index_of(value.encode())
        return (lambda index: index == number) if comparison == "eq" else None

    return compiled


def compile_filter(text: str, attributes: Mapping[str, Attribute]) -> Match:
    """Return the test that `text` stands for.

    Raises:
        FilterError: If `text` is not a filter expression, or uses what is not among `attributes`.
    """
    parser = _Parser(_tokens(text), attributes)
    match = parser.alternatives()
    parser.expect_end()
    return match


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            message = f"unexpected text at character {at + 1}"
            raise FilterError(message)
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens, one method a rule of the grammar."""

    def __init__(self, tokens: list[tuple[str, str]], attributes: Mapping[str, Attribute]) -> None:
        self._tokens = tokens
        self._attributes = attributes
        self._at = 0

    def alternatives(self) -> Match:
        match = self._conjunction()
        while self._take_operator("or"):
            match = _either(match, self._conjunction())
        return match

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            self._refuse("and, or, or the end")

    def _conjunction(self) -> Match:
        match = self._term()
        while self._take_operator("and"):
            match = _both(match, self._term())
        return match

    def _term(self) -> Match:
        if self._peek() == ("paren", "("):
            self._at += 1
            match = self.alternatives()
            if self._peek() != ("paren", ")"):
                self._refuse("a closing parenthesis")
            self._at += 1
            return match
        return self._comparison(self._take("word"), self._take("word").lower(), self._take("text"))

    def _comparison(self, attribute: str, comparison: str, text: str) -> Match:
        value = re.sub(r"\\(.)", r"\1", text)
        attribute_of = self._attributes.get(attribute)
        match = None if attribute_of is None else attribute_of(comparison, value)
        if match is None:
            message = f'"{attribute} {comparison}" with value "{value}" is not supported'
            raise FilterError(message)
        return match

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, kind: str) -> str:
        found, text = self._peek()
        if found != kind:
            self._refuse({"word": "an attribute and an operator", "text": "a value in double quotes"}[kind])
        self._at += 1
        return text

    def _take_operator(self, word: str) -> bool:
        kind, text = self._peek()
        taken = kind == "word" and text.lower() == word
        self._at += taken
        return taken

    def _refuse(self, expected: str) -> None:
        message = f"expected {expected}, found {self._peek()[1] or 'the end'}"
        raise FilterError(message)


def _either(first: Match, second: Match) -> Match:
    return lambda index: first(index) or second(index)


def _both(first: Match, second: Match) -> Match:
    return lambda index: first(index) and second(index)
