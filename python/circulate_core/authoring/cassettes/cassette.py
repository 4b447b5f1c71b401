"""A cassette: requests to an API and its responses, in a file of JSON lines that people can review.

The first line says of what it is, the last how the pull ended that it was recorded from. Between them stands each
exchange, with the body of its response in the lines that follow: a string a line, cut behind records. Strings put
together again are the body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from circulate_core.exceptions import CirculateError

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = 1
_FORMAT: Final = "circulate_cassette"
_LONGEST_PIECE: Final = 4000
_PIECE: Final = re.compile(r"[^\n]{80,4000}?(?:[}\]],(?= *[\[{\"])|\n)|[^\n]{0,79}\n")
"""The end of a record, of a long member, or of a line."""
_BASE64_LINE: Final = 100
_OPERATION: Final = "read cassette"

Pairs = tuple[tuple[str, str], ...]
"""Names and values of headers."""


class CassetteError(CirculateError, ValueError):
    """A file is not a cassette, or cannot be used as one."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, without what proves who sent it.

    Attributes:
        method: HTTP method.
        url: Address, with its query.
        headers: Headers that matter, by names in small letters.
        body: The body.
    """

    method: str
    url: str
    headers: Pairs = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A response.

    Attributes:
        status: Its status.
        headers: Headers that matter, by names in small letters.
        cookies: Names of the cookies that it sets. Their values are not recorded.
        body: The body, decompressed.
    """

    status: int
    headers: Pairs = ()
    cookies: tuple[str, ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and the response to it; None where the recording ends before the request was sent."""

    request: Request
    response: Response | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How the recorded pull ended.

    Attributes:
        status: `complete`, `partial` or `failed`.
        records: Digest of each record, in order, as they are after scrubbing.
    """

    status: str
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cassette:
    """A recording of a pull.

    Attributes:
        stream: The stream that was pulled.
        recorded_at: When, as RFC 3339.
        settings: Settings of the source that are not secret.
        secrets: Settings that are; a stand-in is in the place of each, see `stand_in`.
        exchanges: Requests and responses, in the order of the requests.
        ending: How the pull ended.
        replaced: How many values of each kind have stand-ins.
        edited: Whether the file was changed after it was recorded.
    """

    stream: str
    recorded_at: str
    settings: dict[str, str]
    secrets: tuple[str, ...]
    exchanges: tuple[Exchange, ...]
    ending: Ending
    replaced: dict[str, int] = field(default_factory=dict)
    edited: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether the recording ends before the list does, since only so many requests were to be recorded."""
        return any(each.response is None for each in self.exchanges)

    def text(self) -> str:
        """Return the file."""
        head = {
            _FORMAT: VERSION,
            "stream": self.stream,
            "recorded_at": self.recorded_at,
            "settings": self.settings,
            "secrets": list(self.secrets),
            "replaced": self.replaced,
        }
        lines = [_line(head)]
        for exchange in self.exchanges:
            lines += _lines(exchange)
        recorded = "".join(f"{line}\n" for line in lines)
        digest = hashlib.sha256(recorded.encode()).hexdigest()
        end = {"end": {"status": self.ending.status, "sha256": digest, "records": list(self.ending.records)}}
        return f"{recorded}{_line(end)}\n"

    @classmethod
    def read(cls, path: str | Path) -> Cassette:
        """Read a file.

        Raises:
            CassetteError: It is not a cassette, was cut, or is of a newer version.
        """
        try:
            text = Path(path).read_bytes().decode()
        except OSError as error:
            message = f"cannot read {path}: {error.strerror or error}"
            raise CassetteError(message, operation=_OPERATION, hint=_HINT) from None
        except UnicodeDecodeError:
            raise _not_one(path, "it is not text") from None
        return _Reader(Path(path), text).cassette()


_HINT: Final = "`circulate record STREAM --to FILE` records one"


def stand_in(setting: str) -> str:
    """Return what stands in a cassette for the value of a secret setting."""
    return f"made-up-{setting.replace('_', '-')}"


def digest_of(record: bytes) -> str:
    """Return the digest of a record."""
    return hashlib.sha256(record).hexdigest()[:16]


def _not_one(path: str | Path, why: str) -> CassetteError:
    return CassetteError(f"{path} is not a cassette: {why}", operation=_OPERATION, hint=_HINT)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lines(exchange: Exchange) -> Iterator[str]:
    request, response = exchange.request, exchange.response
    asked: dict[str, Any] = {"method": request.method, "url": request.url}
    if request.headers:
        asked["headers"] = [list(each) for each in request.headers]
    if request.body:
        pieces, encoding = _pieces(request.body)
        asked |= ({"encoding": encoding} if encoding else {}) | {"body": "".join(pieces)}
    if response is None:
        yield _line({"request": asked, "response": None})
        return
    pieces, encoding = _pieces(response.body)
    got: dict[str, Any] = {"status": response.status, "headers": [list(each) for each in response.headers]}
    if response.cookies:
        got["cookies"] = list(response.cookies)
    if encoding:
        got["encoding"] = encoding
    yield _line({"request": asked, "response": got, "lines": len(pieces)})
    yield from map(_line, pieces)


def _pieces(body: bytes) -> tuple[list[str], str | None]:
    """Return a body as strings that fit on lines, and how they encode it if they are not its text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        encoded = base64.b64encode(body).decode()
        return [encoded[at : at + _BASE64_LINE] for at in range(0, len(encoded), _BASE64_LINE)], "base64"
    pieces, at = [], 0
    while at < len(text):
        found = _PIECE.match(text, at)
        end = found.end() if found else at + _LONGEST_PIECE
        pieces.append(text[at:end])
        at = end
    return pieces, None


class _Reader:
    """Reads the lines of a file."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        # `splitlines` would split at characters that JSON strings may hold.
        self._lines = text.removesuffix("\n").split("\n")
        self._at = 0

    def cassette(self) -> Cassette:
        """Return what they say."""
        if not self._text.strip():
            raise _not_one(self._path, "it is empty")
        try:
            head = json.loads(self._lines[0])
        except ValueError:
            raise _not_one(self._path, "its first line is not JSON") from None
        version = head.get(_FORMAT) if isinstance(head, dict) else None
        if version is None:
            raise _not_one(self._path, f"its first line has no `{_FORMAT}`")
        if version != VERSION:
            message = f"{self._path} is a cassette of version {version!r}, and this is read: {VERSION}"
            raise CassetteError(message, operation=_OPERATION, hint="update circulate-core, or record it again")
        self._at = 1
        exchanges: list[Exchange] = []
        while self._at < len(self._lines):
            line = self._next()
            if isinstance(line, dict) and "end" in line:
                return self._made(head, exchanges, line["end"])
            exchanges.append(self._exchange(line))
        message = f"{self._path} is cut: its last line, {len(self._lines)}, is not the end of a recording"
        hint = "take the whole file out of version control, or record it again"
        raise CassetteError(message, operation=_OPERATION, hint=hint)

    def _made(self, head: dict[str, Any], exchanges: list[Exchange], end: Any) -> Cassette:  # noqa: ANN401 - JSON
        if self._at < len(self._lines):
            self._wrong("there is more behind the end of the recording")
        before = "".join(f"{line}\n" for line in self._lines[: self._at - 1])
        try:
            return Cassette(
                stream=_text(head["stream"]),
                recorded_at=_text(head["recorded_at"]),
                settings={_text(name): _text(value) for name, value in head["settings"].items()},
                secrets=tuple(_text(name) for name in head["secrets"]),
                exchanges=tuple(exchanges),
                ending=Ending(_text(end["status"]), tuple(_text(each) for each in end["records"])),
                replaced=dict(head.get("replaced", {})),
                edited=hashlib.sha256(before.encode()).hexdigest() != end.get("sha256"),
            )
        except (KeyError, TypeError, AttributeError) as error:
            message = f"{self._path}: its first or its last line lacks something, or has another kind of it: {error}"
            raise CassetteError(message, operation=_OPERATION, hint=_EDITED) from None

    def _exchange(self, line: Any) -> Exchange:  # noqa: ANN401 - JSON
        at = self._at
        try:
            asked, got = line["request"], line["response"]
            headers = _pairs(asked.get("headers", []))
            body = _decoded([asked.get("body", "")], asked.get("encoding"))
            request = Request(_text(asked["method"]), _text(asked["url"]), headers, body)
            if got is None:
                return Exchange(request, None)
            pieces = [_text(self._next()) for _ in range(line["lines"])]
            cookies = tuple(_text(name) for name in got.get("cookies", []))
            status = got["status"]
            body = _decoded(pieces, got.get("encoding"))
            return Exchange(request, Response(_status(status), _pairs(got["headers"]), cookies, body))
        except CassetteError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self._at = at
            self._wrong(f"it is not an exchange: {type(error).__name__}: {error}")

    def _next(self) -> Any:  # noqa: ANN401 - JSON
        if self._at >= len(self._lines):
            self._wrong("the file is cut: the body that begins before has more lines")
        self._at += 1
        try:
            return json.loads(self._lines[self._at - 1])
        except ValueError as error:
            self._wrong(f"it is not JSON: {error}")

    def _wrong(self, why: str) -> NoReturn:
        message = f"{self._path}, line {self._at}: {why}"
        raise CassetteError(message, operation=_OPERATION, hint=_EDITED)


_EDITED: Final = "was it edited? A line is a JSON value each; record it again if you cannot see what is wrong"


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"expected a string, found {value!r:.60}"
        raise TypeError(message)
    return value


def _status(value: object) -> int:
    if not isinstance(value, int) or not 100 <= value <= 599:  # noqa: PLR2004 - what statuses are
        message = f"invalid status: {value!r}"
        raise ValueError(message)
    return value


def _pairs(value: Any) -> Pairs:  # noqa: ANN401 - JSON
    return tuple((_text(name), _text(text)) for name, text in value)


def _decoded(pieces: list[str], encoding: str | None) -> bytes:
    if encoding is None:
        return "".join(pieces).encode()
    try:
        return base64.b64decode("".join(pieces), validate=True)
    except binascii.Error as error:
        message = f"invalid base64: {error}"
        raise ValueError(message) from None
