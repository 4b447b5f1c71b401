"""Where values stand: places of a request that a client fills, and places of a response that a list fills.

Both are spelled as in a definition: a name or `{query: name}`, `{header: name}`, `{body: /pointer}`, `{path: template}`
in a request; a pointer or `{header: name}` in a response.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from circulate_practice.paging.kit.messages import ListReply, ListRequest

Place = str | Mapping[str, str]
"""A place in a request."""

Signal = str | Mapping[str, str]
"""A place in a response."""


class _Absent:
    """What is not there, where None would be a value."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


def value_in(request: ListRequest, place: Place) -> Any:  # noqa: ANN401 - JSON
    """Return what a request has in a place: text, or in a JSON body any value; ABSENT if nothing is there."""
    kind, name = kind_and_name(place)
    if kind == "header":
        return request.headers.get(name.lower(), ABSENT)
    if kind == "body":
        return at(request.document, name)
    if kind == "path":
        return _in_path(request.path, name)
    return dict(request.query).get(name, ABSENT)


def kind_and_name(place: Place) -> tuple[str, str]:
    """Return what kind a place is of (query, header, body, path), and its name."""
    if isinstance(place, str):
        return "query", place
    ((kind, name),) = place.items()
    return kind, name


def write(document: Any, reply: ListReply, signal: Signal, value: object) -> None:  # noqa: ANN401 - JSON
    """Put a value where a response says it: a member of its document, or a header; ABSENT puts nothing."""
    if value is ABSENT or (value is None and "header" in signal):
        return
    if isinstance(signal, str):
        put(document, signal, value)
    elif "body" in signal:
        put(document, signal["body"], value)
    else:
        text = value if isinstance(value, str) else str(value).lower()
        reply.headers.append((signal["header"], text))


def at(document: Any, pointer: str) -> Any:  # noqa: ANN401 - JSON
    """Return the member of an object that a JSON Pointer names, or ABSENT."""
    for key in _keys(pointer):
        if not isinstance(document, dict) or key not in document:
            return ABSENT
        document = document[key]
    return document


def put(document: Any, pointer: str, value: object) -> None:  # noqa: ANN401 - JSON
    """Set the member of an object that a JSON Pointer names, making the objects around it.

    Raises:
        ValueError: There is no such member: something other than an object is in the way.
    """
    *above, last = _keys(pointer)
    for key in above:
        document = document.setdefault(key, {}) if isinstance(document, dict) else None
    if not isinstance(document, dict):
        message = f"a page cannot have `{pointer}`: the records are in its way"
        raise ValueError(message)  # noqa: TRY004 - the two pointers contradict each other
    document[last] = value


def _keys(pointer: str) -> list[str]:
    # `~2` is ours: a member that is named `*`.
    return [key.replace("~1", "/").replace("~2", "*").replace("~0", "~") for key in pointer.split("/")[1:]]


def _in_path(path: str, template: str) -> Any:  # noqa: ANN401 - as `value_in`
    """Return the token in a path; its first segment is the name of the list, whatever the template calls it."""
    path, template = path.split("/", 2)[-1], template.split("/", 2)[-1]
    before, _, after = template.partition("{token}")
    if path.startswith(before) and path.endswith(after) and len(path) > len(before) + len(after):
        return unquote(path[len(before) : len(path) - len(after)])
    return ABSENT
