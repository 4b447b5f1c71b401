"""Hooks: functions of one's own that pages and requests of a definition pass through.

```python
# definitions/acme/hooks.py
import json
from xml.etree import ElementTree


def decode(body, response):
    rows = ElementTree.fromstring(body).iter("row")
    return json.dumps([row.attrib for row in rows]).encode()
```

The guide about definitions says which hooks there are, and what each gets and returns. The engine imports this module
for definitions that have some, and calls hooks from threads of its own, several at a time.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = 1024 * 1024
"""Bytes that are handed over at a time."""
_RECORDS = 500
"""Records that are handed over at a time."""
_MODULE = "circulate_hooks_"
"""What names of modules with hooks begin with."""
_MESSAGE = 2_000
"""Characters of an exception's text that are looked at."""


class Headers(Mapping[str, str]):
    """Headers by name, in whatever case. Several of one name are one, with commas between them."""

    def __init__(self, headers: Iterable[tuple[str, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in headers:
            text = value.decode("latin-1")
            known = self._values.get(name.lower())
            self._values[name.lower()] = text if known is None else f"{known}, {text}"

    def __getitem__(self, name: str) -> str:
        """Return the value of a header."""
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        """Yield their names, in lower case."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(self._values)

    def __repr__(self) -> str:
        """Name them, without their values."""
        return f"<Headers {' '.join(self._values)}>"


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """A page as the API sent it.

    Attributes:
        status: HTTP status.
        headers: Its headers.
        body: Its body, unpacked; behind a `page` hook, what that has made.
    """

    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """Return its body, as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request, as it was sent, or as it will be: without credentials.

    Attributes:
        method: HTTP method.
        url: Absolute URL.
        headers: Its headers.
        body: Its body; empty if it has none.
        time: For `sign`: the server's time, as far as it is known.
    """

    method: str
    url: str
    headers: Headers
    body: bytes
    time: datetime | None = None

    @property
    def query(self) -> dict[str, str]:
        """The parameters of its URL; of several with one name the last."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))


def request_of(method: str, url: str, headers: Headers, body: bytes, time: str | None) -> Request:
    """Return a request, with the time that the engine has."""
    return Request(method, url, headers, body, None if time is None else datetime.fromisoformat(time))


class WrongResultError(Exception):
    """A hook returned what it may not."""


class LoadError(Exception):
    """Files with hooks can't be used. The text has a line for each mistake."""


def load(
    files: Iterable[tuple[str, str, bytes]], hooks: Iterable[tuple[str, str]]
) -> list[Callable[[Any, Any], object]]:
    """Run files of hooks, and return the functions, in their order.

    Args:
        files: Name, path and code of each file. The code that runs is made of these bytes.
        hooks: File and function of each hook.

    Raises:
        LoadError: A file is not Python or raises, or has no such function.
    """
    modules: dict[str, ModuleType] = {}
    paths: dict[str, str] = {}
    mistakes: list[str] = []
    for name, path, code in files:
        paths[name] = path
        try:
            modules[name] = _module(path, code)
        except LoadError as error:
            mistakes.append(str(error))
    functions: list[Callable[[Any, Any], object]] = []
    for name, function in hooks:
        if name not in modules:
            continue
        found: Any = getattr(modules[name], function, None)
        if problem := _problem_of(found, function):
            mistakes.append(f"{paths[name]}:{_first_line(found)}: {problem}")
        else:
            functions.append(found)
    if mistakes:
        raise LoadError("\n".join(mistakes))
    return functions


def _module(path: str, code: bytes) -> ModuleType:
    """Run a file with hooks, in a namespace of its own."""
    # Dataclasses look their module up by its name.
    digest = hashlib.sha256(os.fsencode(path) + b"\0" + code).hexdigest()
    name = f"{_MODULE}{digest[:16]}"
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    try:
        exec(compile(code, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - what hooks are for
    except BaseException as error:  # noqa: BLE001 - `sys.exit` of a file of hooks ends no process
        del sys.modules[name]
        kind, message, line = failure(error, path)
        hint = ""
        if isinstance(error, ModuleNotFoundError):
            hint = "; a hook imports what is installed, and no file beside it"
        said = f"{path}:{line}: {kind}: {message}{hint}"
        raise LoadError(said) from None
    return module


def _problem_of(found: object, name: str) -> str | None:
    """Return why something can't be a hook."""
    if found is None:
        return f"there is no function `{name}` in it"
    if not callable(found):
        return f"`{name}` is not a function"
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        return f"`{name}` is an async function; a hook is called from a thread, and is a plain one"
    try:
        inspect.signature(found).bind(None, None)
    except TypeError:
        return f"`{name}` has to take two arguments"
    except ValueError:
        # One that is built in does not say what it takes.
        pass
    return None


def failure(
    error: BaseException, path: str, function: object = None, trace: TracebackType | None = None
) -> tuple[str | None, str, int]:
    """Return what an exception is, what it says, and the line of the file that it came from.

    Args:
        error: What was raised.
        path: The file with the hook.
        function: The hook, whose first line counts if no other does.
        trace: Where it was raised, if it does not say so itself.
    """
    if isinstance(error, SyntaxError) and error.filename == path:
        return type(error).__name__, str(error.msg), error.lineno or 1
    line, trace = 0, trace or error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        message = str(error)[:_MESSAGE]
    except Exception:  # noqa: BLE001 - its text is the user's code, too
        message = "(it has no text)"
    kind = type(error)
    is_plain = kind.__module__ == "builtins" or kind.__module__.startswith(_MODULE)
    named = kind.__qualname__ if is_plain else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, WrongResultError):
        return None, message, line or _first_line(function)
    return named, message, line or _first_line(function)


def _first_line(function: object) -> int:
    code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
    return getattr(code, "co_firstlineno", 1)


def page(function: Callable[[Any, Any], object], response: Response) -> Iterator[bytes]:
    """Yield what a hook makes of a page, in pieces."""
    made = function(response.body, response)
    if isinstance(made, (bytes, bytearray, memoryview)):
        yield from _pieces(made)
        return
    if isinstance(made, (str, Mapping)) or not isinstance(made, Iterable):
        _wrong(made, "a page is bytes, or bytes in pieces")
    for piece in made:
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            _wrong(piece, "a page is bytes, or bytes in pieces", "yielded")
        yield from _pieces(piece)


def _pieces(made: bytes | bytearray | memoryview) -> Iterator[bytes]:
    whole = memoryview(made).cast("B")
    for start in range(0, len(whole), _PIECE):
        yield bytes(whole[start : start + _PIECE])


def split(function: Callable[[Any, Any], object], response: Response) -> Iterator[list[bytes]]:
    """Yield the records that a hook makes of a page, some at a time."""
    made = function(response.body, response)
    if isinstance(made, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(made, Iterable):
        _wrong(made, "records are a list, or come one by one")
    batch: list[bytes] = []
    size = 0
    for number, record in enumerate(made, 1):
        batch.append(_record(number, record))
        size += len(batch[-1])
        if len(batch) == _RECORDS or size >= _PIECE:
            yield batch
            batch, size = [], 0
    yield batch


def _record(number: int, record: object) -> bytes:
    if isinstance(record, bytes):
        return record
    if not isinstance(record, dict):
        _wrong(record, "a record is a dict, or bytes with a JSON object", f"has for record {number}")
    return _json(record, f"record {number} can't be written as JSON")


def _json(value: object, otherwise: str) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which JSON can hold and UTF-8 can't.
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"{otherwise}: {error}"
        raise WrongResultError(message) from None


Parameters = list[tuple[str, str | None]]


def next_page(
    function: Callable[[Any, Any], object], request: Request, response: Response
) -> tuple[str | None, Parameters, list[tuple[str, str]], list[tuple[str, str]]] | None:
    """Return what the next request has that a hook names: URL, query, headers, and members of the body as JSON."""
    made = function(request, response)
    if made is None:
        return None
    named = _members({"url": made} if isinstance(made, str) else made, ("url", "query", "headers", "body"))
    url = named.get("url")
    if not (url is None or isinstance(url, str)):
        _wrong(url, "a URL is a str", "has for `url`")
    query: Parameters = [
        (name, None if value is None else _text(value, f"query.{name}"))
        for name, value in _mapping(named, "query").items()
    ]
    headers = [(name, _text(value, f"headers.{name}")) for name, value in _mapping(named, "headers").items()]
    body = [
        (_pointer(name), _json(value, f"`{name}` of the body can't be written as JSON").decode())
        for name, value in _mapping(named, "body").items()
    ]
    return url, query, headers, body


def sign(
    function: Callable[[Any, Any], object], request: Request, settings: dict[str, str]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the headers and the query parameters by which a hook signs a request."""
    named = _members(function(request, settings), ("headers", "query"))
    return (
        [(name, _text(value, f"headers.{name}")) for name, value in _mapping(named, "headers").items()],
        [(name, _text(value, f"query.{name}")) for name, value in _mapping(named, "query").items()],
    )


def _members(made: object, keys: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(made, Mapping):
        _wrong(made, f"expected a dict with {' and '.join(f'`{key}`' for key in keys)}")
    if unknown := [key for key in made if key not in keys]:
        message = f"returned the key {unknown[0]!r}; the keys here are {', '.join(keys)}"
        raise WrongResultError(message)
    return made


def _mapping(made: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = made.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        _wrong(found, "it is a dict of names and values", f"has for `{key}`")
    return found


def _text(value: object, place: str) -> str:
    """Return a value of a query or a header."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, float) and isfinite(value):
        return repr(value)
    return _wrong(value, "it is a text or a number", f"has for `{place}`")


def _pointer(name: str) -> str:
    """Return where a member of the body is, as a JSON Pointer."""
    return name if name.startswith("/") else "/" + name.replace("~", "~0").replace("/", "~1")


def _wrong(made: object, expected: str, verb: str = "returned") -> NoReturn:
    """Refuse what a hook returned, without showing it: it may be a page."""
    if isinstance(made, Coroutine):
        made.close()
    kind = type(made).__qualname__
    shown = "None" if made is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    message = f"{verb} {shown}: {expected}"
    raise WrongResultError(message)
