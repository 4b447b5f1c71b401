"""Compare what a pull wrote with what the practice org says it sent.

The digests of the org's log come from the bytes it put on the socket. The records of objects are cut out here, by
Python's own JSON decoder, so that the engine is judged by nothing of its own.

A record of a list below a parent is written with one member in front that the API never sent, which names the parent.
It is taken off as text, so that what is left can be compared byte for byte, and the parent is compared as well: it is
part of the key of the record.
"""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from circulate_practice.paging.collection import TruthEntry
from circulate_practice.server.log import LoggedRecord

_DECODER = json.JSONDecoder()
_MEMBER = b'{"_circulate":'


@dataclass(frozen=True)
class Comparison:
    """How many records are in both, and how many in only one of them."""

    same: int
    missing: int
    extra: int

    @property
    def identical(self) -> bool:
        """Whether every record sent was written once, byte for byte, and nothing else."""
        return not self.missing and not self.extra


def compare(manifest: Path, sent: Iterable[str]) -> Comparison:
    """Compare the records of a run with the keys of the records that were sent.

    Args:
        manifest: The run's manifest index.
        sent: Key of each record that must be there, as often as it must be; for a list without a parent that is its
            SHA-256.

    Returns:
        The comparison, counting repeated records as often as they occur.
    """
    written = Counter(_key(*without_parent(record)) for record in records(manifest))
    expected = Counter(sent)
    same = (written & expected).total()
    return Comparison(same, (expected - written).total(), (written - expected).total())


def key_of(record: LoggedRecord | TruthEntry) -> str:
    """Return the key of a record in the org's log or truth: its digest, behind the id of its parent if it has one."""
    return " ".join(filter(None, (record.get("parent"), record["sha256"])))


def sent_by(log: Path, *, after: int = 0, collection: str | None = None) -> Iterator[str]:
    """Yield the key of every record of every complete list response in a log file, once however often it was sent.

    A pull requests a page again to see whether its list ends there, and a smaller one to see whether a next page is
    named; a record is written once all the same.

    Args:
        log: The log file.
        after: How many lines at the start to leave out.
        collection: Name of the only list to look at; None for all.
    """
    keys: dict[str, None] = {}
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["complete"] and entry["seq"] > after and collection in {None, entry["collection"]}:
                keys.update(dict.fromkeys(map(key_of, entry["records"])))
    yield from keys


def without_parent(record: bytes) -> tuple[str | None, bytes]:
    """Return the id of the parent that a written record names, and the record as it was received.

    Example:
        >>> without_parent(b'{"_circulate":{"parent":{"id":"0oa1"}},"id":"00u1"}')
        ('0oa1', b'{"id":"00u1"}')
        >>> without_parent(b'{"id":"0oa1"}')
        (None, b'{"id":"0oa1"}')
    """
    if not record.startswith(_MEMBER):
        return None, record
    text = record.decode()
    member, end = _DECODER.raw_decode(text, len(_MEMBER))
    return str(member["parent"]["id"]), ("{" + text[end:].removeprefix(",")).encode()


def _key(parent: str | None, record: bytes) -> str:
    return " ".join(filter(None, (parent, hashlib.sha256(record).hexdigest())))


def records(manifest: Path) -> Iterator[bytes]:
    """Yield the bytes of every record of a run, in order. Objects are gzip-compressed JSON arrays or plain ones."""
    for path in objects(manifest):
        body = path.read_bytes()
        yield from split_array(gzip.decompress(body) if path.suffix == ".gz" else body)


def objects(manifest: Path) -> Iterator[Path]:
    """Yield the paths of the objects that a manifest names, in order."""
    lake = next(folder.parent for folder in manifest.resolve().parents if folder.name == "_circulate")
    for part in json.loads(manifest.read_bytes())["parts"]:
        for entry in json.loads((lake / part["key"]).read_bytes())["objects"]:
            yield lake / entry["key"]


def split_array(body: bytes) -> Iterator[bytes]:
    """Yield the exact bytes of each element of a JSON array that has no white space between its elements."""
    text = body.decode()
    at = 1
    while at < len(text) and text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end].encode()
        at = end + (text[end] == ",")
    if text[0] != "[" or text[at:] != "]":
        message = "not an array without white space between its elements"
        raise ValueError(message)
