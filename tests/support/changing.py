"""A list that changes, served by an API that selects by time in a way of its own; and the truth that pulls are held to.

Its time is its own: each change takes some of it, and the clock of the machine has no part in it.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import circulate_core
from circulate_core import Stop
from circulate_core.results import Report
from support.http_server import Handler, Reply, Server
from support.paging_pulls import written_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circulate_core.types import InlineDefinition

SIZE = 3


def random_by(seed: str | int) -> random.Random:
    """Return what is random, and the same each time."""
    return random.Random(seed)  # noqa: S311 - nothing is kept secret by it


def weeks_ago() -> datetime:
    """Return a time some weeks ago, for windows: they reach up to the present of the machine."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=38)


@dataclass(frozen=True)
class Times:
    """How an API writes times, and reads them."""

    format: str = "rfc3339"
    zone: str = "UTC"

    def write(self, time: datetime) -> Any:  # noqa: ANN401 - JSON
        """Return a time as it stands in a record."""
        local = time.astimezone(ZoneInfo(self.zone))
        match self.format:
            case "rfc3339":
                return local.isoformat(timespec="milliseconds")
            case "date":
                return local.strftime("%Y-%m-%d")
            case "epoch_s":
                return int(time.timestamp())
            case "epoch_ms":
                return str(int(time.timestamp() * 1000))
            case "epoch_us":
                return int(time.timestamp()) * 1_000_000 + time.microsecond
            case pattern:
                return local.strftime(pattern)

    def selects(self, time: datetime, since: str | None, until: str | None, *, inclusive: bool) -> bool:
        """Whether a record is in a period, as an API would see it that compares what it writes."""
        return (since is None or self._from(time, since, inclusive=inclusive)) and (
            until is None or self.value(self.write(time)) < self.value(until)
        )

    def _from(self, time: datetime, since: str, *, inclusive: bool) -> bool:
        mine, bound = self.value(self.write(time)), self.value(since)
        return bool(mine >= bound if inclusive else mine > bound)

    def value(self, text: object) -> Any:  # noqa: ANN401 - whatever compares
        """Return what is compared of a time: a local one by what it says, which comes twice once a year."""
        if self.format.startswith("epoch"):
            return int(str(text))
        if self.format == "rfc3339":
            return datetime.fromisoformat(str(text))
        return datetime.strptime(str(text), "%Y-%m-%d" if self.format == "date" else self.format)  # noqa: DTZ007


@dataclass
class Record:
    """A record as it is now."""

    id: int
    version: int
    at: datetime
    gone: bool = False


@dataclass
class Changing:
    """A list that changes, and an API that shows it."""

    records_say: Times = field(default_factory=Times)
    filter_says: Times = field(default_factory=Times)
    inclusive: bool = True
    descending: bool = False
    most: int | None = None
    """Records of a period that it gives; more are refused."""
    longest: timedelta | None = None
    """Periods that it takes; longer ones are refused."""
    ids: int = 12
    """Records have ids below this."""
    now: datetime = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    records: dict[int, Record] = field(default_factory=dict)
    shown: Counter[tuple[int, int]] = field(default_factory=Counter)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    tokens: dict[str, datetime] = field(default_factory=dict)
    on_request: Callable[[int], None] = lambda _: None

    def change(self, chance: random.Random, count: int) -> None:
        """Let some time pass, in which records come and change."""
        for _ in range(count):
            self.now += timedelta(
                seconds=chance.choice([1, 30, 600, 1800, 40_000]), milliseconds=chance.randrange(1000)
            )
            number = chance.randrange(1, self.ids)
            before = self.records.get(number)
            self.records[number] = Record(number, before.version + 1 if before else 1, self.now)

    def body(self, record: Record) -> dict[str, Any]:
        """Return a record as it is shown."""
        return {"id": record.id, "version": record.version, "at": self.records_say.write(record.at)}

    def selected(self, since: str | None, until: str | None) -> list[Record]:
        """Return what a request selects."""
        there = [
            record
            for record in self.records.values()
            if self.filter_says.selects(record.at, since, until, inclusive=self.inclusive)
        ]
        return sorted(there, key=lambda record: record.at, reverse=self.descending)

    def respond(self, request: Handler) -> Reply:
        """Show a page."""
        self.on_request(len(self.requests))
        self.requests.append(request.path)
        self.headers.append(dict(request.headers))
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.path).query).items()}
        since, until, after = query.get("since"), query.get("until"), int(query.get("after", 0))
        if self.longest and since and until:
            period = self.filter_says.value(until) - self.filter_says.value(since)
            length = period if isinstance(period, timedelta) else timedelta(seconds=period)
            if length > self.longest:
                return Reply({"error": f"{length} is too long"}, status=400)
        there = self.selected(since, until)
        if self.most is not None and len(there) > self.most:
            return Reply({"code": "too_many"}, status=413)
        page = there[after : after + SIZE]
        self.shown.update((record.id, record.version) for record in page)
        more = after + SIZE < len(there)
        body: dict[str, Any] = {"items": [self.body(record) for record in page]}
        if more:
            first = request.path.split("&after=")[0]
            body["next"] = f"{first}{'' if '?' in first else '?'}&after={after + SIZE}"
        return Reply(body, [("Date", format_datetime(self.now, usegmt=True))], date=False)


@dataclass
class Lake:
    """Pulls of one list into one folder."""

    folder: Path
    url: str
    listing: dict[str, Any]
    reports: list[Report] = field(default_factory=list)

    def pull(self, stop: Stop | None = None, **options: Any) -> Report:  # noqa: ANN401 - of `pull`
        """Pull once."""
        listing = {
            "path": "/items",
            "records": "/items",
            "primary_key": ["/id"],
            "paginator": {"next_url": {"body": "/next"}},
            **self.listing,
        }
        definition: InlineDefinition = {
            "source": {
                "source": "practice",
                "title": "Practice",
                "settings": {"base_url": {"env": "PRACTICE_URL", "about": "its address"}},
                "base_url": "{base_url}",
                "auth": ["none"],
            },
            "endpoints": {"items": {"about": "Items.", "scopes": [], "list": listing}},
        }
        report = circulate_core.pull(
            "practice.items",
            to=self.folder,
            settings={"base_url": self.url},
            account="practice",
            catalog=[definition],
            stop=stop,
            **options,
        )
        self.reports.append(report)
        return report

    @property
    def found(self) -> list[dict[str, Any]]:
        """All records that committed runs wrote, in their order."""
        return [
            record for report in self.reports if report.manifest for record in written_by(self.folder / report.manifest)
        ]

    @property
    def versions(self) -> Counter[tuple[int, int]]:
        """How often each version of a record is in the lake."""
        return Counter((record["id"], record["version"]) for record in self.found)


@contextmanager
def serving(changing: Any, folder: Path, listing: dict[str, Any]) -> "Iterator[Lake]":  # noqa: ANN401 - what responds
    """Serve a list, and return what pulls it."""
    with Server(changing.respond) as server:
        yield Lake(folder, server.url, listing)


class StopAt:
    """Requests a stop when a request comes, and holds its response back until the pull has ended."""

    def __init__(self, request: int) -> None:
        """Get ready for a stop at that request, counted from now on."""
        self.stop, self.left, self.ended = Stop(), request, threading.Event()

    def __call__(self, _: int) -> None:
        """Take note of a request."""
        if self.left == 0:
            self.stop.request()
            self.ended.wait(30)
        self.left -= 1
