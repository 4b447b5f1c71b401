"""The log of responses: what was handed over, with the digest of every record, one JSON line a response.

The line of a response is on disk before the client has the last byte of it, so whatever a client received in full is in
the log. The texts of the records are shared with the cached pages; keeping the log in memory costs little.
"""

import json
import threading
from pathlib import Path
from typing import IO, NotRequired, TypedDict

from circulate_practice.server.responses import NO_RECORDS


class LoggedRecord(TypedDict):
    """One record of a logged page; `bytes` is its length and `sha256` the digest of its bytes as sent.

    `parent` is the id of the app or group that the list belongs to, and missing where there is none. Events of the
    system log have their `uuid` as `id` and `published` as `lastUpdated`.
    """

    parent: NotRequired[str]
    id: str
    sha256: str
    bytes: int
    lastUpdated: str


class LogFacts(TypedDict):
    """What the log says of a response, besides its records.

    `time` is in epoch seconds, `target` is path and query as received, `status` is 0 for a connection that was reset,
    `fault` names the faults it met. `collection` names the requested list, None for anything but a list, and
    `page` counts from 1 in it. `complete` says that the whole body was handed over and that a client may take the
    records from it.
    """

    time: float
    method: str
    target: str
    status: int
    fault: str | None
    collection: str | None
    page: int | None
    complete: bool


class LogEntry(LogFacts):
    """One line of the log; `seq` counts from 1."""

    seq: int
    records: list[LoggedRecord]


class RequestLog:
    """Keep the log in a file, in memory, or both.

    Args:
        path: File to write; replaced when the org first starts. None writes no file.
        keep: Whether to keep the entries in memory.
    """

    def __init__(self, path: Path | None, *, keep: bool) -> None:
        self._path = path
        self._keep = keep
        self._file: IO[bytes] | None = None
        self._kept: list[tuple[bytes, bytes]] = []
        self._seq = 0
        self._lock = threading.Lock()

    def open(self) -> None:
        """Open the file, going on with it if this log has written to it before."""
        if self._path is not None:
            self._file = self._path.open("ab" if self._seq else "wb")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def write(self, facts: LogFacts, records: bytes = NO_RECORDS) -> None:
        """Add one entry, and hand its line to the operating system.

        Args:
            facts: Everything but the number and the records.
            records: The JSON array of the records.
        """
        with self._lock:
            self._seq += 1
            head = json.dumps({"seq": self._seq, **facts}, separators=(",", ":")).encode()[:-1]
            if self._keep:
                self._kept.append((head, records))
            if self._file is not None:
                self._file.write(b'%b,"records":%b}\n' % (head, records))
                self._file.flush()

    def entries(self) -> list[LogEntry]:
        """Return the entries kept in memory, oldest first."""
        with self._lock:
            kept = list(self._kept)
        return [json.loads(b'%b,"records":%b}' % pair) for pair in kept]
