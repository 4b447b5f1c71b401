"""The routes under `/_practice/`, by which tests steer and question a running org.

They need no token, count against no limit and are not in the log. `POST /_practice/change?count=N` changes N users,
`GET /_practice/truth` tells the newest version of every user, `GET /_practice/windows` how many requests came when.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from urllib.parse import parse_qs

from circulate_core.practice.answers import JSON_TYPE, Answer
from circulate_core.practice.directory import Directory, TruthEntry
from circulate_core.practice.limits import Limiter

PREFIX = "/_practice/"
_TRUTH_BATCH = 200


class Control:
    """Answer the control routes.

    Args:
        directory: The users.
        limiter: The rate limit whose windows to show.
    """

    def __init__(self, directory: Directory, limiter: Limiter) -> None:
        self._directory = directory
        self._limiter = limiter

    def answer(self, method: str, target: str) -> Answer | Iterator[bytes]:
        """Return the answer to a control request; the truth, which may be long, piece by piece as NDJSON."""
        path, _, query = target.partition("?")
        route = f"{method} {path.removeprefix(PREFIX)}"
        if route == "GET truth":
            return _lines(self._directory.truth())
        if route == "GET windows":
            return _json(200, [asdict(window) for window in self._limiter.windows])
        if route == "POST change":
            return self._change(parse_qs(query).get("count", ["1"])[0])
        return _json(404, {"error": f"no control route {method} {path}"})

    def _change(self, count: str) -> Answer:
        if not (count.isascii() and count.isdigit()):
            return _json(400, {"error": "count must be a whole number"})
        return _json(200, {"changed": self._directory.change(int(count))})


def _json(status: int, value: object) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode(), headers=[("Content-Type", JSON_TYPE)])


def _lines(entries: Iterable[TruthEntry]) -> Iterator[bytes]:
    lines = (json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)
    while batch := b"".join(islice(lines, _TRUTH_BATCH)):
        yield batch
