"""What an address of an API responds with: JSON, lines of it, or a CSV. All else is an error that says what it is."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from circulate_core.reading import Source

_SECRET = re.compile(
    r"(?i:(?:.*[-_.])?(?:h?api[-_]?key|access[-_]?key|(?:access|auth|session)?token|(?:client)?secret|password|passwd|pwd"
    r"|signature|sig|key|auth|jwt|session[-_]?id))"
    r"|.*[a-z0-9](?:Token|Secret|Password|Signature|(?<=api|app)Key|(?<=access)Key)"
)
_NO_SECRET = re.compile(r".*(?:page|next|continuation|cursor|scroll|sync|primary|sort|order).*", re.IGNORECASE)
Format = Literal["json", "ndjson", "csv"]
_TITLE = re.compile(rb"<title[^>]*>([^<]{0,200})", re.IGNORECASE)
_HALVES = re.compile(rb"(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\ud[89a-f][0-9a-f]{2}", re.IGNORECASE)
"""Characters beyond 16 bits, as JSON escapes them, and halves of such, which no address can hold."""
_MAX_SHOWN = 120
_NUMBER_OR_TIME = re.compile(r"-?\d{1,16}(\.\d{1,6})?|\d{4}-\d\d-\d\d([Tt ][\d:.]+([Zz]|[+-]\d\d:?\d\d)?)?")


@dataclass(frozen=True)
class Response:
    """A response with data.

    Attributes:
        url: What was requested.
        status: Its status.
        headers: Its headers by lower-case name; of several of a name the last one.
        body: Its body as it was received.
        format: How the body is written.
        value: The body, parsed: of lines and of a CSV a list of objects.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    format: Format
    value: Any = field(repr=False)


def fetch(source: Source, url: str) -> Response:
    """Request an address of a source's own origin.

    Raises:
        DataError: What came is neither JSON nor lines of it nor a CSV.
        CirculateError: The API refused it, or is out of reach.
    """
    account = account_of(None, **source._account, catalog=source._catalog)  # noqa: SLF001 - of one family
    status, headers, body = _core.fetch(source.name, url, account)
    known = dict(headers)
    form, value = decoded(status, known, body)
    return Response(url, status, known, body, form, value)


def is_secret(parameter: str) -> bool:
    """Return whether a parameter is called as secrets are, and not as what leads to another page."""
    return bool(_SECRET.fullmatch(parameter)) and not _NO_SECRET.fullmatch(parameter)


def shown_url(url: str, own: Collection[tuple[str, str]]) -> str:
    """Return an address as it may be shown.

    APIs repeat the secrets of a request in the address of the next page, under any name. So of values that the user did
    not give only numbers and times are shown.

    Args:
        url: The address.
        own: The parameters that the user gave.
    """
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    shown = [(name, value if _is_plain(name, value, own) else "***") for name, value in query]
    return _core.shown(url if shown == query else urlunsplit(parts._replace(query=urlencode(shown, safe="*"))))


def _is_plain(name: str, value: str, own: Collection[tuple[str, str]]) -> bool:
    return not is_secret(name) and ((name, value) in own or not value or bool(_NUMBER_OR_TIME.fullmatch(value)))


def decoded(status: int, headers: Mapping[str, str], body: bytes) -> tuple[Format, Any]:
    """Return how a body is written, and what it holds.

    Raises:
        DataError: It is neither JSON nor lines of it nor a CSV.
    """
    text = _HALVES.sub(lambda found: found[1] or b"\\ufffd", body.lstrip(b"\xef\xbb\xbf \t\r\n"))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not text:
        message = f"the response has no body ({status})"
        hint = "try an address that has records: what a list without any looks like shows nothing of the others"
        raise _refused(message, hint)
    if kind == "text/csv":
        return "csv", _rows(body)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if lines := _lines(text):
            return "ndjson", lines
    else:
        if isinstance(value, dict) and "ndjson" in kind:
            return "ndjson", [value]
        if isinstance(value, (dict, list)):
            return "json", value
        message = f"the response is JSON, but neither an object nor an array: {_shown(text)}"
        raise _refused(message, None)
    raise _unreadable(kind, text)


def _unreadable(kind: str, text: bytes) -> DataError:
    start = text[:2_000].lower()
    if "html" in kind or start.startswith((b"<!doctype html", b"<html")):
        title = _TITLE.search(text[:20_000])
        named = f" (“{_shown(title[1].strip())}”)" if title else ""
        is_login = any(word in text[:20_000].lower() for word in (b'type="password"', b"sign in", b"log in", b"login"))
        hint = (
            "it is a page to sign in at: give `--auth`, and check that the address is that of the API"
            if is_login
            else "check that the address is that of the API, and not of its documentation or its console"
        )
        return _refused(f"the response is a web page{named}, and not data", hint)
    if "xml" in kind or start.startswith(b"<?xml") or re.match(rb"<[a-z]", start):
        hint = "many APIs have JSON, too, at `.json` or by `format=json`; else a hook can read it (`hooks: page`)"
        return _refused("the response is XML, which definitions do not read", hint)
    return _refused(f"the response is not JSON: {_shown(text)}", "definitions read JSON, lines of JSON, and CSV")


def _lines(text: bytes) -> list[dict[str, Any]]:
    """Return the objects of lines; none if one of them is not an object."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:  # noqa: PLR2004 - one line is a document
        return []
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        found.append(value)
    return found


def _rows(body: bytes) -> list[dict[str, Any]]:
    try:
        rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig")), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        message = f"the response says that it is a CSV, and cannot be read as one: {error}"
        raise _refused(message, None) from None
    if any(None in row or None in row.values() for row in rows):
        message = "the response says that it is a CSV, and has a row with more or fewer values than there are names"
        raise _refused(message, None)
    return rows


def _shown(text: bytes) -> str:
    return _core.shown(text[:_MAX_SHOWN].decode(errors="replace"), limit=_MAX_SHOWN)


def _refused(message: str, hint: str | None) -> DataError:
    return DataError(message, operation="look at response", hint=hint)
