"""The base of results: a document of the engine, with typed attributes that nobody can change.

A result keeps the document that it was made of, and `to_dict` returns that. So nothing of it is lost: neither the
nanoseconds of a time nor a member that only a newer version knows.
"""

from __future__ import annotations

import copy
import types
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple, NoReturn, Self, Union, cast, get_args, get_origin

from circulate_core import display
from circulate_core.exceptions import DataError

Decode = Callable[[Any, str], Any]
"""Takes a member of a document and its path, and returns the attribute."""


class Result:
    """Base of results: read-only attributes, `to_dict` and `from_dict`. Two are equal if their attributes are.

    Args:
        document: What the engine returned.

    `result["member"]`, the way of versions before 0.2, still returns a member of the document. It goes with 0.3.
    """

    __slots__ = ("_document",)
    _document: dict[str, Any]
    _earlier_names: ClassVar[Mapping[str, str]] = {}
    """Attributes whose members had another name in version 0.1."""
    _secret: ClassVar[frozenset[str]] = frozenset()
    """Attributes that are not shown."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        try:
            _fill(self, document, "")
        except _WrongMember as wrong:
            message = f"invalid {type(self).__name__}: {wrong}"
            hint = "give what `to_dict()` returned, or a line that `--json` wrote"
            raise DataError(message, hint=hint) from None

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Make it of what `to_dict` returned, or of a line that `--json` wrote.

        Args:
            document: The document. Members that this version does not know are kept.

        Raises:
            DataError: A member is missing or of another type. All mistakes are named.
        """
        return cls(copy.deepcopy(document))

    def to_dict(self) -> dict[str, Any]:
        """Return it as what JSON can hold; times are RFC 3339 strings, as precise as they are known."""
        return copy.deepcopy(self._document)

    def shown(self) -> dict[str, Any]:
        """Return the attributes that are not empty, with `***` for secrets."""
        values = {name: getattr(self, name) for name in _members(self)}
        return {
            name: "***" if name in self._secret else value
            for name, value in values.items()
            if value not in (None, False, 0, (), {})
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

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return a member of the document."""
        self._warn_of_item(name)
        return self._document[self._present(name)]

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - JSON
        """Return a member of the document, or the default."""
        self._warn_of_item(name)
        return self._document.get(self._present(name), default)

    def keys(self) -> list[str]:
        """Return the names of the document's members."""
        self._warn("`keys()`")
        return list(self._document)

    def __iter__(self) -> Iterator[str]:
        """Return the names of the document's members."""
        self._warn("iteration")
        return iter(self._document)

    def __contains__(self, name: object) -> bool:
        """Return whether the document has a member."""
        self._warn("`in`")
        return name in self._document

    def _present(self, name: str) -> str:
        """Return the name, of today or of 0.1, by which the document has a member."""
        both = next((both for both in self._earlier_names.items() if name in both), (name,))
        return next((each for each in both if each in self._document), name)

    def _warn_of_item(self, name: str) -> None:
        new = next((new for new, earlier in self._earlier_names.items() if earlier == name), name)
        self._warn(f'`["{name}"]`', f"`.{new}`, or `.to_dict()` for JSON", stacklevel=4)

    def _warn(self, what: str, use: str = "`.to_dict()`", *, stacklevel: int = 3) -> None:
        message = f"{what} of a {type(self).__name__} is deprecated; use {use}"
        warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


class _WrongMember(Exception):  # noqa: N818 - it never leaves this module
    """A member is not what it should be. The text says which one, and how."""


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
    for field in fields(kind):
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
    if isinstance(document, (list, tuple)) and len(document) == len(members):
        # The engine returns pairs as lists.
        document = dict(zip(members, document, strict=True))
    object.__setattr__(result, "_document", _of_type(Mapping, "an object", document, path))
    mistakes = []
    for name, (names, decode, default) in members.items():
        found = next((each for each in names if each in document), None)
        try:
            if found is not None:
                object.__setattr__(result, name, decode(document[found], f"{path}.{found}".lstrip(".")))
            elif default is not MISSING:
                object.__setattr__(result, name, default)
            else:
                mistakes.append(f"`{f'{path}.{name}'.lstrip('.')}` is missing")
        except _WrongMember as wrong:
            mistakes.append(str(wrong))
    if mistakes:
        raise _WrongMember("; ".join(mistakes))


_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}
"""What JSON has for a type, and what that is called. Other types are strings."""


def _decoder(hint: Any) -> Decode:  # noqa: ANN401 - a type hint; one branch for each kind of them
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
        return lambda value, path: {
            key: item(each, f"{path}.{key}") for key, each in _of_type(Mapping, "an object", value, path).items()
        }
    if hint is datetime:
        return _time
    if isinstance(hint, type) and issubclass(hint, Result):
        return lambda value, path: _nested(hint, value, path)
    kinds, words = _PLAIN.get(hint, ((str,), "a string"))
    return lambda value, path: _of_type(kinds, words, value, path)


def _nested(kind: type[Result], value: Any, path: str) -> Result:  # noqa: ANN401 - JSON
    result = kind.__new__(kind)
    _fill(result, value, path)
    return result


def _time(value: Any, path: str) -> datetime:  # noqa: ANN401 - JSON
    """Return a time of RFC 3339, or of seconds since 1970."""
    if isinstance(value, str) and value.startswith(("-", "0000")):
        # Records may be that old, and a datetime can't.
        return datetime.min.replace(tzinfo=UTC)
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        return datetime.fromtimestamp(_of_type((int, float), "a time", value, path), UTC)
    except (ValueError, OverflowError, OSError):
        _refuse("a time", value, path)


def _of_type(kinds: type | tuple[type, ...], words: str, value: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds != (bool,)):
        _refuse(words, value, path)
    return value


def _refuse(words: str, value: object, path: str) -> NoReturn:
    where = f"`{path}`: " if path else ""
    message = f"{where}expected {words}, given {value!r:.80}"
    raise _WrongMember(message)
