"""The routes under `/_practice/`, by which tests steer and question a running org.

They need no token, count against no limit and are not in the log.

| route | what it does |
|---|---|
| `GET truth?list=LIST` | returns the newest version of every record of a list, as NDJSON; without a list of the users |
| `GET windows?bucket=PATH` | returns how many requests came when, of one bucket or of all |
| `GET effects?operation=NAME&id=ID` | returns what operations really did, all or some, and how often each did |
| `POST fault?fault=TEXT` | shows one more fault from now on |
| `POST change?count=N` | changes N users |
| `POST add_app?users=N&groups=N`, `POST add_group?members=N` | adds an app or a group |
| `POST add?list=LIST` | adds a record to any other list whose records can be added |
| `POST add_events?count=N&late=TIME` | adds events to the system log, published that long ago |
| `POST delete?id=ID`, `POST rename?id=ID` | deletes or renames a record of any such list |
| `POST forbid?id=ID`, `POST allow?id=ID` | refuses the lists below a user, an app or a group; serves them again |
| `POST change_children?list=LIST&parent=ID&add=N&update=N&remove=N` | changes a list below a user, an app or a group |
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Final
from urllib.parse import parse_qsl

from circulate_practice.data.durations import parse_duration
from circulate_practice.okta.content import Content
from circulate_practice.operations.effects import EffectLog
from circulate_practice.paging.collection import TruthEntry
from circulate_practice.server.faults import Fault, FaultPlan
from circulate_practice.server.limits import Limiter, Window
from circulate_practice.server.responses import JSON_TYPE, Response

PREFIX: Final = "/_practice/"
_TRUTH_BATCH: Final = 200


class Control:
    """Respond to the control routes.

    Args:
        content: What the org holds.
        limiter: The rate limits whose windows to show.
        effects: What operations did.
        faults: The faults to show.
    """

    def __init__(self, content: Content, limiter: Limiter, effects: EffectLog, faults: FaultPlan) -> None:
        self._content = content
        self._limiter = limiter
        self._effects = effects
        self._gets: dict[str, Callable[[_Values], object]] = {
            "windows": lambda given: [asdict(window) for window in self._windows(given.get("bucket"))],
            "effects": self._effects_of,
        }
        self._posts: dict[str, Callable[[_Values], object]] = {
            "change": lambda given: {"changed": content.users.change(given.number("count", 1))},
            "add_app": lambda given: {
                "id": content.add_app(users=given.number("users"), groups=given.number("groups"))
            },
            "add_group": lambda given: {"id": content.add_group(members=given.number("members"))},
            "add": lambda given: {"id": content.add(given["list"])},
            "add_events": lambda given: {
                "uuids": content.events.add(given.number("count", 1), late=parse_duration(given.get("late", "0s")))
            },
            "fault": lambda given: faults.add(Fault.parse(given["fault"])),
            "delete": lambda given: content.delete(given["id"]),
            "rename": lambda given: content.rename(given["id"]),
            "forbid": lambda given: content.forbid(given["id"]),
            "allow": lambda given: content.allow(given["id"]),
            "change_children": self._change_children,
        }

    def respond(self, method: str, target: str) -> Response | Iterator[bytes]:
        """Return the response to a control request; the truth, which may be long, piece by piece as NDJSON."""
        path, _, query = target.partition("?")
        given, name = _Values(parse_qsl(query)).renamed(), path.removeprefix(PREFIX)
        try:
            if (method, name) == ("GET", "truth"):
                return _lines(self._content.truth(given.get("list", "users")))
            if method == "GET" and name in self._gets:
                return _json(200, self._gets[name](given))
            if method == "POST" and name in self._posts:
                return _json(200, self._posts[name](given))
        except LookupError as error:
            return _json(404, {"error": str(error.args[0])})
        except ValueError as error:
            return _json(400, {"error": str(error)})
        return _json(404, {"error": f"no control route {method} {path}"})

    def _windows(self, bucket: str | None) -> list[Window]:
        return self._limiter.windows if bucket is None else self._limiter.windows_of(bucket)

    def _effects_of(self, given: "_Values") -> dict[str, object]:
        effects = self._effects.entries(given.get("operation"), given.get("id"))
        counts = Counter(effect["operation"] for effect in effects)
        return {"count": len(effects), "counts": dict(counts), "effects": effects}

    def _change_children(self, given: "_Values") -> dict[str, list[str]]:
        numbers = {name: given.number(name) for name in ("add", "update", "remove")}
        return self._content.change_children(given["list"], given["parent"], **numbers)._asdict()


class _Values(dict[str, str]):
    """The query of a control request."""

    def renamed(self) -> "_Values":
        """Return it with `list`, whose name was `of` before 0.2; that goes with 0.3."""
        return _Values({"list" if name == "of" else name: value for name, value in self.items()})

    def __missing__(self, name: str) -> str:
        message = f"{name} is missing"
        raise ValueError(message)

    def number(self, name: str, default: int = 0) -> int:
        text = self.get(name, str(default))
        if not (text.isascii() and text.isdigit()):
            message = f"{name} must be a whole number"
            raise ValueError(message)
        return int(text)


def _json(status: int, value: object) -> Response:
    return Response(status=status, body=json.dumps(value).encode(), headers=[("Content-Type", JSON_TYPE)])


def _lines(entries: Iterable[TruthEntry]) -> Iterator[bytes]:
    lines = (json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)
    while batch := b"".join(islice(lines, _TRUTH_BATCH)):
        yield batch
