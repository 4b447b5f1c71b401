"""Errors in the place of a page: a status of 200, and a body that says that something is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circulate_core.authoring import members

if TYPE_CHECKING:
    from collections.abc import Iterator

ERRORS = ("error", "errors", "fault", "faults", "exception", "exceptions", "errormessage", "errormessages")
"""Members that say what is wrong, by their names in small letters without `_` and `-`."""
_FLAGS = ("success", "ok", "succeeded", "issuccess")
"""Members that are false where something is wrong."""
_STATES = {"error", "errors", "fail", "failed", "failure", "fault"}
"""What `status` says where something is wrong."""
_OF_ERRORS = {
    *("code", "errorcode", "error", "message", "errormessage", "detail", "details", "description", "title", "type"),
    *("field", "fields", "status", "reason", "target", "source", "parameter", "path", "location", "extensions"),
}
"""Members of an error."""
_SAY_ERROR = {"errorcode", "error", "errormessage"}
_TEXTS = (
    "message",
    "errormessage",
    "faultstring",
    "description",
    "errordescription",
    "detail",
    "details",
    "reason",
    "title",
    "text",
)
_DEPTH = 6


@dataclass(frozen=True)
class ErrorPage:
    """What says that a page is an error.

    Attributes:
        pointer: The member that says so; nothing for the page itself.
        text: What is wrong, in the API's words.
        rule: What `when` of a definition says to know such a page; None if no rule can.
    """

    pointer: str
    text: str
    rule: dict[str, Any] | None


def error_in(page: object, resource: str, given: str | None = None) -> ErrorPage | None:
    """Return what says that a page is an error; None of a page of records.

    Args:
        page: The page.
        resource: The last segment of its address: a list of errors is a list.
        given: Where somebody says that the records are.
    """
    if _is_of_errors(resource):
        return None
    if isinstance(page, list):
        return _error_in_list(page)
    return _error_in_object(page, resource, given) if isinstance(page, dict) else None


def is_error_name(name: str) -> bool:
    """Return whether a member is called as those that say what is wrong."""
    return _squeezed(name) in ERRORS


def _is_of_errors(resource: str) -> bool:
    """Whether a list is one of errors, such as `/errors` and `/crash-errors`."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", resource).lower())
    return any(word in ERRORS for word in words)


def _error_in_object(page: dict[str, Any], resource: str, given: str | None) -> ErrorPage | None:
    """Return what of an object says that something is wrong."""
    records = _records(page, given)
    for name, value in page.items() if not records else ():
        if _squeezed(name) in ERRORS and _says_something(value) and f"/{members.escaped(name)}" != given:
            pointer = f"/{members.escaped(name)}"
            return ErrorPage(pointer, _text_of(value) or _text_of(page), {"body": {pointer: {"empty": False}}})
    # A flag may be about what the records say: `{"ok": false, "checks": [...]}`.
    says_why = any(isinstance(value, str) and _squeezed(name) in _TEXTS for name, value in page.items())
    if records and (not says_why or any(members.is_called(each, resource) for each in records)):
        return None
    for name, value in page.items():
        pointer = f"/{members.escaped(name)}"
        is_flag = _squeezed(name) in _FLAGS and (value is False or str(value).lower() == "false")
        is_state = _squeezed(name) in {"status", "result"} and str(value).lower() in _STATES
        if is_flag or is_state:
            return ErrorPage(pointer, _text_of(page), {"body": {pointer: value}})
    return None


def _error_in_list(page: list[Any]) -> ErrorPage | None:
    """Return the error that an array of nothing but errors is."""
    if not page or not all(isinstance(each, dict) and each for each in page):
        return None
    names = [{_squeezed(name) for name in each} for each in page]
    if all(each <= _OF_ERRORS and each & _SAY_ERROR and each & {*_TEXTS} for each in names):
        name = next(name for name in page[0] if _squeezed(name) in _SAY_ERROR)
        rule = {"body": {f"/0/{members.escaped(name)}": {"empty": False}}}
        return ErrorPage("", _text_of(page), rule)
    return None


def _records(page: dict[str, Any], given: str | None) -> list[members.RecordList]:
    """Return where a page has records, but in what says what is wrong."""
    others = {name: value for name, value in page.items() if not is_error_name(name)}
    return [each for each in members.record_lists(others) if isinstance(each.where, str) or each.pointer == given]


def _says_something(value: object) -> bool:
    return value not in (None, False, 0, "", [], {}) and str(value).lower() not in {"0", "none", "null", "false", "ok"}


def _text_of(value: object) -> str:
    """Return what is wrong, in the API's words."""
    if isinstance(value, str):
        return value
    return next((text for name in _TEXTS for text in _texts(value, name)), "") or next(_any_texts(value), "")


def _texts(value: object, name: str, depth: int = _DEPTH) -> Iterator[str]:
    for key, member in _inner(value):
        if key is not None and _squeezed(key) in {name, f"{name}s"} and isinstance(member, str):
            yield member
        if depth:
            yield from _texts(member, name, depth - 1)


def _any_texts(value: object, depth: int = _DEPTH) -> Iterator[str]:
    for _, member in _inner(value):
        if isinstance(member, str):
            yield member
        elif depth:
            yield from _any_texts(member, depth - 1)


def _inner(value: object) -> list[tuple[str | None, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return [(None, each) for each in value] if isinstance(value, list) else []


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
