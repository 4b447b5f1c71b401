"""A page: the body of one list response together with what the log says about its records.

A page keeps its body, the sizes of its records and the log text, all as bytes, so that serving it a second time costs
no rendering and no hashing. It also knows which range of records it was made from, by which the cache knows whether
a later change touched it.
"""

import gzip
import hashlib
import json
import threading
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

PageKey = tuple[str, str, int, int]
"""List, what of it (the filter text as sent, or the number of the parent), first record and limit."""

Frame = tuple[bytes, bytes]
"""What stands in front of and behind the array of records in a body."""

NO_FRAME: Final[Frame] = (b"", b"")
_GZIP_LEVEL = 5


class Record(NamedTuple):
    """One record as it goes on the wire, with the values the log repeats; `parent` is empty for what has none."""

    id: bytes
    updated: bytes
    body: bytes
    parent: bytes = b""

    @property
    def sha256(self) -> str:
        """Digest of the exact bytes, in hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(slots=True)
class Page:
    """One page, rendered.

    Attributes:
        body: JSON array as sent, before any content encoding.
        log_text: JSON array that the log shows as `records`.
        sizes: Length of each record in `body`, in bytes.
        start: First record the page was made from.
        stop: Record at which the next page starts.
        more: Whether there is a next page.
        version: Number of changes the list had seen when the page was last known to be current.
    """

    body: bytes
    log_text: bytes
    sizes: "array[int]"
    start: int = 0
    stop: int = 0
    more: bool = False
    version: int = 0
    _zipped: bytes | None = None

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Page":
        """Return the page that holds `records` as a compact array."""
        body = b"[%b]" % b",".join([record.body for record in records])
        return cls(body, log_text(records), array("I", [len(record.body) for record in records]))

    @property
    def size(self) -> int:
        """Memory the page takes, nearly, in bytes."""
        return len(self.body) + len(self.log_text) + len(self._zipped or b"")

    def zipped(self) -> bytes:
        """Return the body compressed with gzip; done once, without a timestamp in the header."""
        if self._zipped is None:
            self._zipped = gzip.compress(self.body, _GZIP_LEVEL, mtime=0)
        return self._zipped

    def records(self) -> list[Record]:
        """Return the records one by one, for responses that alter some of them."""
        starts = accumulate(self.sizes, lambda at, size: at + size + 1, initial=1)
        bodies = [self.body[at : at + size] for at, size in zip(starts, self.sizes, strict=False)]
        facts = json.loads(self.log_text)
        return [
            Record(fact["id"].encode(), fact["lastUpdated"].encode(), body, fact.get("parent", "").encode())
            for fact, body in zip(facts, bodies, strict=True)
        ]


def log_text(records: Sequence[Record]) -> bytes:
    """Return `records` as the log shows them: parent if any, id, digest, length and `lastUpdated` of each."""
    lines = [
        b'{%b"id":"%b","sha256":"%b","bytes":%d,"lastUpdated":"%b"}'
        % (
            b'"parent":"%b",' % record.parent if record.parent else b"",
            record.id,
            record.sha256.encode(),
            len(record.body),
            record.updated,
        )
        for record in records
    ]
    return b"[%b]" % b",".join(lines)


class PageCache:
    """Rendered pages of all lists by key, up to a total size; safe to use from several threads.

    When it is full the page put in last gives way: pulls read the list from front to back, so whatever was kept from
    the front is read again by the next pull, while dropping the oldest would leave nothing that is ever hit.

    Args:
        limit: Total size, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pages: dict[PageKey, Page] = {}
        self._sizes: dict[PageKey, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: PageKey, current: Callable[[Page], bool]) -> Page | None:
        """Return the page of `key` if it is there and `current` says that it still holds; drop it otherwise."""
        with self._lock:
            page = self._pages.get(key)
            if page is None or current(page):
                return page
            self._drop(key)
            return None

    def put(self, key: PageKey, page: Page) -> None:
        """Keep `page`."""
        with self._lock:
            if key in self._pages:
                self._drop(key)
            while self._pages and self._total + page.size > self._limit:
                self._drop(next(reversed(self._pages)))
            self._pages[key] = page
            self._sizes[key] = page.size
            self._total += page.size

    def _drop(self, key: PageKey) -> None:
        del self._pages[key]
        self._total -= self._sizes.pop(key)
