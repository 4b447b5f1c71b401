"""The base of results: a document of the engine, with typed attributes that nobody can change.

A result keeps the document that it was made of, and `to_dict` returns that. So nothing of it is lost: neither the
nanoseconds of a time nor a member that only a newer version knows.
"""

from __future__ import annotations

import copy
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple, NoReturn, Self, Union, cast, get_args, get_origin

from circulate_core import display
from circulate_core.earlier import AsDict, AsPair
from circulate_core.exceptions import DataError

Decode = Callable[[Any, str], Any]
"""Takes a member of a document and its path, and returns the attribute."""


class Result(AsDict):
    """Base of results: read-only attributes, `to_dict` and `from_dict`. Two are equal if their attributes are.

    Args:
        document: What `to_dict` returned, or a line that `--json` wrote. It is copied.

    Raises:
        DataError: A member is missing or of another type. All mistakes are named.
    """

    __slots__ = ("_document",)
    _secret: ClassVar[frozenset[str]] = frozenset()
    """Attributes that are not shown."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        _fill_or_refuse(self, copy.deepcopy(document))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Make it of what `to_dict` returned, or of a line that `--json` wrote.

        Args:
            document: The document. Members that this version does not know are kept.

        Raises:
            DataError: A member is missing or of another type. All mistakes are named.
        """
        return cls(document)

    @classmethod
    def _of_engine(cls, document: dict[str, Any]) -> Self:
        """Make it of a document that nobody else has."""
        made = cls.__new__(cls)
        _fill_or_refuse(made, document)
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return it as what JSON can hold; times are RFC 3339 strings, as precise as they are known."""
        return copy.deepcopy(self._document)

    def shown(self) -> dict[str, Any]:
        """Return the attributes that are not empty, with `***` for secrets."""
        values = {name: getattr(self, name) for name in _members(self)}
        return {
            name: "***" if name in self._secret else value
            for name, value in values.items()
            if value not in (None, False, (), {})
        }

    def __repr__(self) -> str:
        """Show what is not empty."""
        shown = (f"{name}={_text(value)}" for name, value in self.shown().items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return display.html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle it by its document."""
        return type(self), (self._document,)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return repr(dict(value) if isinstance(value, types.MappingProxyType) else value)


class _WrongMember(Exception):  # noqa: N818 - it never leaves this module
    """A member is not what it should be. The text says which one, and how."""


def _fill_or_refuse(result: Result, document: object) -> None:
    try:
        _fill(result, document, "")
    except _WrongMember as wrong:
        message = f"invalid {type(result).__name__}: {wrong}"
        hint = "give what `to_dict()` returned, or a line that `--json` wrote"
        raise DataError(message, hint=hint) from None


class _Member(NamedTuple):
    """How an attribute is made of a document."""

    names: tuple[str, ...]
    """What its member is called; the first is today's name."""
    decode: Decode
    default: Any
    """The attribute if there is no such member; MISSING if there must be one."""


def _members(result: Result) -> dict[str, _Member]:
    """Return how the attributes of a result are made, by name."""
    return _members_of(cast("Any", type(result)))


@cache
def _members_of(kind: Any) -> dict[str, _Member]:  # noqa: ANN401 - a class, which mypy takes for unhashable
    hints = typing.get_type_hints(kind)
    members = {}
    # Its own attributes come before those that it shares with other kinds, such as sums.
    for field in sorted(fields(kind), key=lambda field: field.name not in kind.__annotations__):
        earlier = kind._earlier_names.get(field.name)  # noqa: SLF001 - of this module
        names = (field.name, earlier) if earlier else (field.name,)
        members[field.name] = _Member(names, _decoder(hints[field.name]), field.default)
    return members


def _fill(result: Result, document: Any, path: str) -> None:  # noqa: ANN401 - JSON
    """Set the attributes of a result.

    Raises:
        _WrongMember: Members are missing or of another type.
    """
    members = _members(result)
    if isinstance(result, AsPair) and isinstance(document, (list, tuple)) and len(document) == len(members):
        # The engine returns pairs as lists.
        document = dict(zip(members, document, strict=True))
    if not isinstance(document, Mapping):
        _refuse("an object", type(document) if result._secret else document, path)  # noqa: SLF001 - of this module
    object.__setattr__(result, "_document", document)
    mistakes = []
    for name, member in members.items():
        try:
            object.__setattr__(result, name, _attribute(name, member, document, path))
        except _WrongMember as wrong:
            # What is not as it should be may still be a secret.
            hidden = f"`{path}{name}`: not as it should be" if name in result._secret else str(wrong)  # noqa: SLF001 - see above
            mistakes.append(hidden)
    if mistakes:
        raise _WrongMember("; ".join(mistakes))


def _attribute(name: str, member: _Member, document: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - any of them
    found = next((each for each in member.names if each in document), None)
    if found is not None:
        return member.decode(document[found], f"{path}{found}")
    if member.default is MISSING:
        message = f"`{path}{name}` is missing"
        raise _WrongMember(message)
    return member.default


_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}
"""What JSON has for a type, and what that is called. Other types are strings."""


def _decoder(hint: Any) -> Decode:  # noqa: ANN401, PLR0911 - a type hint; one branch for each kind of them
    """Return what makes an attribute of a type hint, of those that results have."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (_decoder(each) for each in arguments if each is not types.NoneType)
        return lambda value, path: None if value is None else inner(value, path)
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda value, path: tuple(
            item(each, f"{path}[{at}]") for at, each in enumerate(_of_type(list, "a list", value, path))
        )
    if origin is dict:
        item = _decoder(arguments[1])
        return lambda value, path: types.MappingProxyType(
            {key: item(each, f"{path}.{key}") for key, each in _of_type(Mapping, "an object", value, path).items()}
        )
    if hint is datetime:
        return _time
    if isinstance(hint, type) and issubclass(hint, Result):
        return lambda value, path: _nested(hint, value, path)
    if hint is Any:
        return lambda value, _: value
    kinds, words = _PLAIN.get(hint, ((str,), "a string"))
    return lambda value, path: _of_type(kinds, words, value, path)


def _nested(kind: type[Result], value: Any, path: str) -> Result:  # noqa: ANN401 - JSON
    result = kind.__new__(kind)
    _fill(result, value, f"{path}.")
    return result


_BEFORE_YEAR_1 = re.compile(r"(-\d{4,6}|0000)-\d\d-\d\d")
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _time(value: Any, path: str) -> datetime:  # noqa: ANN401 - JSON
    """Return a time of RFC 3339, or of seconds since 1970. A year that Python does not have becomes the nearest one."""
    if isinstance(value, str):
        return _FIRST if _BEFORE_YEAR_1.match(value) else _time_of_text(value, path)
    seconds = _of_type((int, float), "a time", value, path)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        if isinstance(seconds, float) and math.isnan(seconds):
            _refuse("a time", value, path)
        return _LAST if seconds > 0 else _FIRST


def _time_of_text(text: str, path: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        _refuse("a time", text, path)
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return _FIRST if parsed.year == 1 else _LAST


def _of_type(kinds: type | tuple[type, ...], words: str, value: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds != (bool,)):
        _refuse(words, value, path)
    return value


def _refuse(words: str, value: object, path: str) -> NoReturn:
    try:
        given = f"{value!r:.80}"
    except ValueError:
        # A number of more digits than Python writes.
        given = type(value).__name__
    where = f"`{path.rstrip('.')}`: " if path else ""
    message = f"{where}expected {words}, given {given}"
    raise _WrongMember(message)
