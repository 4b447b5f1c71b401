"""Lists in lists: organizations, their repositories, the issues of these, and their comments.

Ids are unique among their siblings only, as those of many APIs are. Its time is its own.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import circulate_core
from circulate_core import Stop
from circulate_core.results import Report
from circulate_practice.compare import records
from support.http_server import Handler, Reply, Server

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition

KINDS = ["orgs", "repos", "issues", "comments"]
NAMES = ["org", "repo", "issue"]
SIZE = 2
Way = tuple[str, ...]
"""The ids that lead to a record, from the organization's on."""

SOURCE: dict[str, Any] = {
    "source": "forge",
    "title": "Forge",
    "settings": {
        "base_url": {"env": "FORGE_URL", "about": "its address"},
        "states": {"env": "FORGE_STATES", "about": "states of issues, separated by commas"},
    },
    "base_url": "{base_url}",
    "auth": ["none"],
    "check": {"path": "/orgs"},
}


def listing(level: int, **more: object) -> dict[str, Any]:
    """Return what a user writes for the lists of a level."""
    steps = [f"{kind}/{{{name}}}" for kind, name in zip(KINDS, NAMES, strict=False)][:level]
    listed: dict[str, Any] = {
        "path": "/" + "/".join([*steps, KINDS[level]]),
        "records": "/items",
        "primary_key": ["/id"],
        "paginator": {"next_url": {"body": "/next"}},
    }
    if level:
        listed["parent"] = {"endpoint": KINDS[level - 1], "fields": {NAMES[level - 1]: "/id"}}
    return {**listed, **more}


def definition(**lists: dict[str, Any]) -> "InlineDefinition":
    """Return the definition of all four streams, with other lists instead of some."""
    listed = {kind: listing(level) for level, kind in enumerate(KINDS)} | lists
    endpoints = {
        kind: {"endpoint": kind, "about": f"The {kind}.", "scopes": [], "list": each} for kind, each in listed.items()
    }
    return {"source": SOURCE, "endpoints": endpoints}


def write(folder: Path, defined: "InlineDefinition", source: str = "forge") -> Path:
    """Write a catalog with these streams; JSON is YAML, too."""
    (folder / source).mkdir(parents=True, exist_ok=True)
    (folder / source / "source.yaml").write_text(json.dumps(defined["source"]))
    for name, endpoint in defined["endpoints"].items():
        (folder / source / f"{name}.yaml").write_text(json.dumps(endpoint))
    return folder


@dataclass
class Node:
    """A record as it is now, and those below it."""

    version: int
    at: datetime
    state: str = "open"
    below: dict[str, "Node"] = field(default_factory=dict)


@dataclass
class Forge:
    """What there is, and an API that shows it."""

    now: datetime = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    root: Node = field(default_factory=lambda: Node(0, datetime(2026, 1, 1, tzinfo=UTC)))
    statuses: dict[str, int] = field(default_factory=dict)
    """Statuses of lists, by their paths, that are not 200."""
    shown: Counter[tuple[Way, int]] = field(default_factory=Counter)
    requests: list[str] = field(default_factory=list)
    on_request: Callable[[int], None] = lambda _: None
    dated: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *way: str, at: datetime | None = None, state: str = "open") -> Node:
        """Add a record, or change one, with all that leads to it."""
        node = self.root
        for number, name in enumerate(way):
            known = node.below.get(name)
            is_last = number == len(way) - 1
            if known is None or is_last:
                self.now += timedelta(seconds=1)
                below = known.below if known else {}
                when = at if at is not None and is_last else self.now
                known = Node(known.version + 1 if known else 1, when, state if is_last else "open", below)
                node.below[name] = known
            node = known
        return node

    def grow(self, chance: random.Random, sizes: tuple[int, ...] = (4, 3, 3, 3)) -> None:
        """Fill it with as many of each as these at most, of which some have none; with ids that paths have to quote."""
        names = ["a", "b/c", "d e", "é?", "f#g", "%41", "x,y"]

        def fill(way: Way, sizes: tuple[int, ...]) -> None:
            for number in range(chance.randint(0 if way else sizes[0], sizes[0])):
                self.add(*way, f"{chance.choice(names)}{number}")
                if len(sizes) > 1:
                    fill((*way, list(self.at(way).below)[-1]), sizes[1:])

        fill((), sizes)

    def at(self, way: Way) -> Node:
        """Return the record that ids lead to."""
        node = self.root
        for name in way:
            node = node.below[name]
        return node

    def ways(self, level: int) -> Iterator[Way]:
        """Go through all that there is of a kind."""

        def below(way: Way, node: Node, left: int) -> Iterator[Way]:
            for name, child in node.below.items():
                yield from below((*way, name), child, left - 1) if left else [(*way, name)]

        yield from below((), self.root, level)

    def respond(self, request: Handler) -> Reply:
        """Show a page."""
        with self.lock:
            number = len(self.requests)
            self.requests.append(request.path)
        self.on_request(number)
        url = urlsplit(request.path)
        steps = [unquote(step) for step in url.path.split("/")[1:]]
        way: Way = tuple(steps[1::2])
        headers = [("Date", format_datetime(self.now, usegmt=True))] if self.dated else []
        if status := self.statuses.get(url.path):
            return Reply({"error": "not for you"}, headers, status, date=False)
        try:
            node = self.at(way)
        except KeyError:
            return Reply({"error": "not here"}, headers, 404, date=False)
        if steps[0::2] != KINDS[: len(way) + 1]:
            return Reply({"error": "no such list"}, headers, 404, date=False)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        there = [(name, child) for name, child in node.below.items() if _selects(query, child)]
        start = int(query.get("start", 0))
        page = there[start : start + SIZE]
        with self.lock:
            self.shown.update(((*way, name), child.version) for name, child in page)
        items = [
            {"id": name, "version": child.version, "at": child.at.isoformat(), "state": child.state}
            for name, child in page
        ]
        body: dict[str, Any] = {"items": items}
        if start + SIZE < len(there):
            kept = "".join(f"{name}={quote(value)}&" for name, value in query.items() if name != "start")
            body["next"] = f"{url.path}?{kept}start={start + SIZE}"
        return Reply(body, headers, date=False)


def _selects(query: dict[str, str], node: Node) -> bool:
    """Whether a request's filter has a record."""
    return (
        ("since" not in query or node.at >= datetime.fromisoformat(query["since"]))
        and ("until" not in query or node.at < datetime.fromisoformat(query["until"]))
        and query.get("state", node.state) == node.state
    )


@dataclass
class Lake:
    """Pulls of one stream into one folder."""

    folder: Path
    url: str
    stream: str
    definition: "InlineDefinition"
    settings: dict[str, str] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)

    def pull(self, stop: Stop | None = None, **options: Any) -> Report:  # noqa: ANN401 - of `pull`
        """Pull once."""
        report = circulate_core.pull(
            f"forge.{self.stream}",
            to=self.folder,
            settings={"base_url": self.url, **self.settings},
            account="practice",
            catalog=[self.definition],
            stop=stop,
            **options,
        )
        self.reports.append(report)
        return report

    @property
    def found(self) -> list[Any]:
        """All records that committed runs wrote."""
        return [
            json.loads(record)
            for report in self.reports
            if report.manifest
            for record in records(self.folder / report.manifest)
        ]

    @property
    def versions(self) -> Counter[tuple[Way, int]]:
        """How often each version of a record is in the lake, by what leads to it."""
        return Counter(map(version_of, self.found))


def version_of(record: Any) -> tuple[Way, int]:  # noqa: ANN401 - JSON
    """Return what leads to a record by its parents' ids, and its version."""
    parents = record.get("_circulate", {}).get("parent", {})
    way = tuple(parents[name] for name in NAMES if name in parents)
    return (*way, record["id"]), record["version"]


@contextmanager
def serving(
    forge: Forge, folder: Path, stream: str, settings: dict[str, str] | None = None, **lists: dict[str, Any]
) -> Iterator[Lake]:
    """Serve what there is, and return what pulls a stream of it."""
    with Server(forge.respond) as server:
        yield Lake(folder, server.url, stream, definition(**lists), settings or {})
