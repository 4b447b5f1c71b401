"""Compare what a pull wrote with what the practice org says it sent.

The digests of the org's log come from the bytes it put on the socket. The records of objects are cut out here, by
Python's own JSON decoder, so that the engine is judged by nothing of its own.
"""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_DECODER = json.JSONDecoder()


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
    """Compare the records of a run with the digests of the records that were sent.

    Args:
        manifest: The run's manifest index.
        sent: SHA-256 of each record sent, as often as it was sent.

    Returns:
        The comparison, counting repeated records as often as they occur.
    """
    written = Counter(hashlib.sha256(record).hexdigest() for record in records(manifest))
    expected = Counter(sent)
    same = (written & expected).total()
    return Comparison(same, (expected - written).total(), (written - expected).total())


def sent_by(log: Path, *, after: int = 0) -> Iterator[str]:
    """Yield the digest of every record of every complete list answer in a log file, but for the first `after` lines."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["complete"] and entry["seq"] > after:
                yield from (record["sha256"] for record in entry["records"])


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
