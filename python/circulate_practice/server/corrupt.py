"""What the faults do to the body of a page.

Some leave it a page that means the same (`pretty`, `crlf`, `bom`, `big-record`, `gzip-bomb`), and then the log shows
the records as they stand in the altered body. The others make something no client may take records from; for them the
log shows none.
"""

import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from circulate_practice.data.fragments import padded
from circulate_practice.paging.pages import NO_FRAME, Frame, Page, Record, log_text
from circulate_practice.server.faults import Due
from circulate_practice.server.responses import NO_RECORDS, Response

LOGIN_PAGE: Final = b"<!DOCTYPE html>\n<html><head><title>Sign In</title></head><body><form>...</form></body></html>\n"

_KINDS: Final = ("big-record", "pretty", "crlf", "scalar", "nan", "invalid-utf8", "bom", "gzip-bomb")
_DESTRUCTIVE: Final = ("truncate", "truncate-json", "not-array", "scalar", "invalid-utf8", "nan", "trailing")
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_INDENT: Final = b"  "
_SPACES: Final = b" " * 1_048_576


@dataclass(slots=True)
class Altered:
    """The body of a page after the faults had their way.

    Attributes:
        body: Bytes to send, after content encoding.
        log_records: What the log shows as `records`.
        whole: Whether the client may take records from it.
        cut: Where the transfer breaks off, or None.
        zipped: Whether `body` is compressed.
    """

    body: bytes
    log_records: bytes
    whole: bool
    cut: int | None
    zipped: bool


def render(page: Page, due: Due, *, compress: bool, frame: Frame = NO_FRAME) -> Altered:
    """Return the body of `page` inside `frame` with the faults in `due`, compressed if `compress` says so."""
    whole = not due.has(*_DESTRUCTIVE)
    if frame == NO_FRAME and not due.has(*_KINDS, *_DESTRUCTIVE):
        return Altered(page.zipped() if compress else page.body, page.log_text, whole, None, compress)
    records = _records(page, due)
    body = _body(records, due, frame)
    bomb = due.value("gzip-bomb")
    if bomb is not None:
        body = _bomb(body, int(bomb))
    elif compress:
        body = gzip.compress(body, mtime=0)
    zipped = compress or bomb is not None
    cut = None
    if due.has("truncate"):
        cut = len(body) // 2 if zipped else _middle(records, body)
    return Altered(body, log_text(records) if whole else NO_RECORDS, whole, cut, zipped)


def spoil(response: Response, due: Due) -> None:
    """Do to a response that is not a page what the faults in `due` do to a body."""
    size = due.value("big-record")
    if size is not None:
        response.body = padded(response.body, int(size))
    if due.has("truncate-json"):
        response.body = response.body[: len(response.body) // 2]
    if due.has("truncate"):
        response.cut = len(response.body) // 2


def pretty(text: bytes, newline: bytes, depth: int = 0) -> bytes:
    """Return the JSON `text` with a newline and indentation between tokens; the tokens keep every byte."""
    out: list[bytes] = []
    for token in _TOKEN.findall(text):
        if token in b"{[":
            depth += 1
            out += (token, newline, _INDENT * depth)
        elif token in b"}]":
            depth -= 1
            out += (newline, _INDENT * depth, token)
        elif token == b",":
            out += (token, newline, _INDENT * depth)
        else:
            out.append(b" : " if token == b":" else token)
    return b"".join(out)


def _newline(due: Due) -> bytes:
    """Return the line end that `due` asks for between tokens; nothing leaves the body compact."""
    return b"\r\n" if due.has("crlf") else b"\n" if due.has("pretty") else b""


def _records(page: Page, due: Due) -> list[Record]:
    """Return the records of `page` as they are to stand in the body."""
    records = page.records()
    size, newline = due.value("big-record"), _newline(due)
    if size is not None and records:
        middle = records[len(records) // 2]
        records[len(records) // 2] = middle._replace(body=padded(middle.body, int(size)))
    if newline:
        records = [record._replace(body=pretty(record.body, newline, depth=1)) for record in records]
    for kind, member in (("nan", b'"practiceScore":NaN'), ("invalid-utf8", b'"practiceName":"\xc3\x28\xff"')):
        if due.has(kind):
            _spoil(records, member)
    if due.has("scalar"):
        records.insert(len(records) // 2, Record(b"", b"", b"7"))
    return records


def _spoil(records: list[Record], member: bytes) -> None:
    """Put `member` in front of the other members of the record in the middle."""
    if not records:
        records.append(Record(b"", b"", b"{%b}" % member))
        return
    middle = records[len(records) // 2]
    records[len(records) // 2] = middle._replace(body=b"{%b,%b" % (member, middle.body[1:]))


def _body(records: Sequence[Record], due: Due, frame: Frame) -> bytes:
    """Return the document that holds `records`, before content encoding."""
    gap = _newline(due) and _newline(due) + _INDENT
    array = b"[%b%b%b]" % (gap, (b"," + gap).join([record.body for record in records]), _newline(due))
    body = array.join(frame)
    if due.has("not-array"):
        body = b'{"users":%b}' % body
    if due.has("bom"):
        body = b"\xef\xbb\xbf" + body
    if due.has("trailing"):
        body += b'{"more":true}'
    if due.has("truncate-json"):
        body = body[: _middle(records, body)]
    return body


def _middle(records: Sequence[Record], body: bytes) -> int:
    """Return an offset inside the record in the middle, or the middle of the body if there is none."""
    if not records:
        return len(body) // 2
    middle = records[len(records) // 2].body
    return body.find(middle) + (len(middle) + 1) // 2


def _bomb(body: bytes, size: int) -> bytes:
    """Return `body` compressed, with `size` bytes of white space inserted behind its opening bracket."""
    opened = body.index(b"[") + 1
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(body[:opened])]
    parts += [packer.compress(_SPACES[: size - start]) for start in range(0, size, len(_SPACES))]
    parts += (packer.compress(body[opened:]), packer.flush())
    return b"".join(parts)
