"""Finds the recorded response to a request, or says what differs from the nearest one."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from circulate_core.authoring.cassettes.scrubbing import is_recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from circulate_core.authoring.cassettes.cassette import Exchange, Request, Response

Key = tuple[str, str, str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], str]
"""What makes a request another one: method, origin, path, query, headers and body."""
_ANEW: Final = frozenset({"client_assertion", "assertion"})
"""Fields of a body that are signed again each time."""
_OF_CLIENTS: Final = frozenset({"accept", "content-type", "circulate-replay", "x-forwarded-for"})


class Missing(Exception):  # noqa: N818 - what the client did is the error
    """A request that is not in the recording."""


class Tape:
    """The exchanges of a recording by their requests.

    A request that was sent several times gets its responses in their order, and the last one from then on.
    """

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._responses: dict[Key, list[Response | None]] = {}
        self._sent: dict[Key, Request] = {}
        for exchange in exchanges:
            key = key_of(exchange.request)
            self._sent.setdefault(key, exchange.request)
            self._responses.setdefault(key, []).append(exchange.response)
        self._at: dict[Key, int] = {}
        self._lock = threading.Lock()

    def response(self, request: Request, *, taken: bool = True) -> Response | None:
        """Return the response to a request; None if the recording ends before it.

        Args:
            request: The request.
            taken: Whether the next one like it gets the next response.

        Raises:
            Missing: There is no such request.
        """
        key = key_of(request)
        with self._lock:
            responses = self._responses.get(key)
            if responses is None:
                raise Missing(self._explained(request, key))
            at = self._at.get(key, 0)
            if taken:
                self._at[key] = min(at + 1, len(responses) - 1)
            return responses[at]

    def never_asked(self, asked: Iterable[Key]) -> list[str]:
        """Return the recorded requests that are not among those asked, as people read them."""
        left = {key: None for key, responses in self._responses.items() if responses != [None]}
        for key in asked:
            left.pop(key, None)
        return [shown(self._sent[key]) for key in left]

    def _explained(self, request: Request, key: Key) -> str:
        nearest = min(self._responses, key=lambda each: _distance(key, each), default=None)
        if nearest is None:
            return f"the recording has no request at all, and {shown(request)} was sent"
        lines = "; ".join(_differences(key, nearest))
        return f"not recorded: {shown(request)}. The nearest is {shown(self._sent[nearest])}: {lines}"


def key_of(request: Request) -> Key:
    """Return what makes a request another one."""
    parts = urlsplit(request.url)
    query = tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))
    headers = tuple(
        sorted((name, value) for name, value in request.headers if is_recorded(name) and name not in _OF_CLIENTS)
    )
    origin = f"{parts.scheme}://{parts.netloc}"
    return request.method, origin, unquote(parts.path), query, headers, _canonical(request.body)


def shown(request: Request) -> str:
    """Return a request as people read it."""
    parts = urlsplit(request.url)
    return f"{request.method} {parts.path}{'?' if parts.query else ''}{parts.query}"


def _canonical(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        fields = parse_qsl(text, keep_blank_values=True)
        if not fields:
            return text
        return json.dumps(sorted((name, "" if name in _ANEW else value) for name, value in fields))
    if isinstance(document, dict):
        document = {name: "" if name in _ANEW else value for name, value in document.items()}
    return json.dumps(document, sort_keys=True)


def _distance(one: Key, other: Key) -> tuple[int, int]:
    apart = (one[0] != other[0]) + 4 * (one[1] != other[1]) + 4 * (one[2] != other[2])
    return apart, len(list(_differences(one, other)))


def _differences(one: Key, other: Key) -> Iterator[str]:
    """Yield what differs, each with the key of the definition that says it."""
    if one[0] != other[0]:
        yield f"the method is {one[0]}, recorded is {other[0]} (`method`)"
    if one[1] != other[1]:
        yield f"the origin is {one[1]}, recorded is {other[1]} (`base_url`)"
    if one[2] != other[2]:
        yield f"the path is {one[2]}, recorded is {other[2]} (`path`)"
    yield from _pairs_apart("parameter", "`query`, `page_size`, `paginator` or `incremental`", one[3], other[3])
    yield from _pairs_apart("header", "`headers` or `paginator`", one[4], other[4])
    if one[5] != other[5]:
        yield f"the body is {_cut(one[5])}, recorded is {_cut(other[5])} (`body` or `paginator`)"


def _pairs_apart(
    what: str, keys: str, one: Iterable[tuple[str, str]], other: Iterable[tuple[str, str]]
) -> Iterator[str]:
    ours, theirs = _by_name(one), _by_name(other)
    for name in {**ours, **theirs}:
        if ours.get(name) != theirs.get(name):
            values = [_cut(", ".join(each[name])) if name in each else "missing" for each in (ours, theirs)]
            yield f"the {what} {name} is {values[0]}, recorded is {values[1]} ({keys})"


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _cut(text: Any) -> str:  # noqa: ANN401 - whatever is shown
    return f"{text:.80}" + ("…" if len(text) > 80 else "")  # noqa: PLR2004 - what fits on a line
