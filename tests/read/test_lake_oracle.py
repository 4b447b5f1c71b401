"""Lakes as tables, judged by what an organization really had: not by rules of whoever reads them."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.changing import random_by
from support.http_server import Handler, Reply, Server
from support.packages import write
from support.stored_entries import stored_keys

import circulate_core
from circulate_core import Lake, LakeTable, Report, _core

PAGE = 40
SOURCE = """\
source: acme
title: Acme
settings:
  url: {env: ACME_URL, about: address}
base_url: "{url}"
auth: [none]
"""
USERS = """\
endpoint: users
about: Users.
list:
  path: /users
  records: /items
  primary_key: [/id]
  paginator: {body_link: /next}
  incremental:
    cursor: /updated
    format: rfc3339
    param: since
    since: "{since}"
    until_param: until
    until: "{until}"
    inclusive: true
    overlap: 1m
"""
GROUPS = """\
endpoint: groups
about: Groups.
list:
  path: /groups
  records: /items
  primary_key: [/id]
  paginator: {body_link: /next}
"""
MEMBERS = """\
endpoint: members
about: Members of groups.
list:
  path: /groups/{id}/members
  parent: {endpoint: groups, fields: {id: /id}}
  records: /items
  primary_key: [/id]
  paginator: {body_link: /next}
"""
LOOKS: list[dict[str, Any]] = [
    {"format": "json"},
    {"format": "json", "compression": "none"},
    {"format": "ndjson", "compression": "zstd"},
    {"format": "parquet"},
    {"format": "arrow"},
]


@dataclass
class Org:
    """What there is, and an API that shows it."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    time: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(days=30))
    made: int = 0
    sees: int | None = None
    """How many users the credentials may see; None for all."""

    def respond(self, request: Handler) -> Reply:
        """Show a page of a list."""
        address = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        match address.path.strip("/").split("/"):
            case ["users"]:
                shown = sorted(self.users)[: self.sees]
                found = [self.users[name] for name in shown if _selected(self.users[name], query)]
            case ["groups"]:
                found = [{"id": name} for name in sorted(self.members)]
            case ["groups", group, "members"] if group in self.members:
                found = [{"id": name, "since": "2026-01-01T00:00:00Z"} for name in sorted(self.members[group])]
            case _:
                return Reply({"error": "not found"}, status=404)
        start = int(query.get("start", "0"))
        body: dict[str, Any] = {"items": found[start : start + PAGE]}
        if start + PAGE < len(found):
            kept = "".join(f"&{name}={value}" for name, value in query.items() if name != "start")
            body["next"] = f"{address.path}?start={start + PAGE}{kept}".replace("+", "%2B")
        return Reply(body)

    def user(self) -> None:
        """Add a user."""
        self.made += 1
        self.users[f"u{self.made:05}"] = {}
        self.change(f"u{self.made:05}", {})

    def change(self, name: str, members: dict[str, Any]) -> None:
        """Give a user other members."""
        self.time += timedelta(seconds=1)
        self.users[name] = {"id": name, "updated": self.time.isoformat(), **members}


def _selected(user: dict[str, Any], query: dict[str, str]) -> bool:
    updated = datetime.fromisoformat(user["updated"])
    since, until = (datetime.fromisoformat(query[name]) if name in query else None for name in ("since", "until"))
    return (since is None or updated >= since) and (until is None or updated < until)


@dataclass
class Story:
    """An org that changes, a lake that is pulled to, and what has to be in it."""

    org: Org
    lake: Lake
    catalog: Path
    url: str
    seed: int
    expected: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Users that must be current: those of the org, and those of whom nobody could know that they are gone."""
    withheld: int = 0
    then: list[tuple[datetime, dict[str, dict[str, Any]]]] = field(default_factory=list)
    """What was current after each committed run."""

    def __post_init__(self) -> None:
        """Get ready."""
        self.random = random_by(self.seed)

    @property
    def table(self) -> LakeTable:
        """The table of users."""
        return self.lake.table("acme.users", catalog=[self.catalog])

    def pull(self, stream: str = "acme.users", **options: Any) -> Report:  # noqa: ANN401 - of `pull`
        """Pull in any format."""
        look = self.random.choice(LOOKS)
        return circulate_core.pull(
            stream, to=self.lake, settings={"url": self.url}, account="acme", catalog=[self.catalog], **look, **options
        )

    def live(self) -> None:
        """Let some time pass for the org."""
        org, random = self.org, self.random
        for _ in range(random.randrange(12)):
            org.user()
        for name in random.sample(sorted(org.users), min(len(org.users), random.randrange(15))):
            members: dict[str, Any] = {"name": random.choice(["Ann", "Böb", "", None])}
            if random.random() < 0.3:
                # Drift: a member of another type, a new one, or one fewer.
                members = random.choice(
                    [{"name": 7}, {"name": {"given": "Ann"}}, {f"extra{random.randrange(4)}": True}, {}]
                )
            org.change(name, members)
        for name in random.sample(sorted(org.users), random.randrange(5)):
            del org.users[name]

    def pull_somehow(self) -> None:
        """Pull users in one of the ways there are, and note what has to be current then."""
        kind = self.random.choice(
            [
                "incremental",
                "incremental",
                "incremental",
                "full",
                "full",
                "window",
                "stopped",
                "abandoned",
                "weak",
                "pending",
            ]
        )
        match kind:
            case "window":
                end = self.org.time + timedelta(seconds=1)
                start = end - timedelta(seconds=self.random.randrange(1, 200))
                report = self.pull(since=start, until=end)
                self.saw({name: user for name, user in self.org.users.items() if user["updated"] >= start.isoformat()})
            case "stopped":
                stop = circulate_core.Stop()
                stop.request()
                self.pull(stop=stop)
                report = self.pull()
                self.saw(self.org.users)
            case "abandoned":
                self.decide(self.pull(pending="1h", mode="full"), commit=False)
                return
            case "pending":
                report = self.pull(pending="1h")
                self.decide(report, commit=True)
                self.saw(self.org.users)
            case "weak" if len(self.org.users) > 2 * PAGE:
                self.org.sees = len(self.org.users) // 2
                report = self.pull(mode="full")
                # Half of them are not seen, and nothing is deleted. The cursor has moved on, so all are read again.
                assert report.deletes is not None
                assert (report.deletes.count, report.deletes.withheld is not None) == (0, bool(self.expected))
                self.saw({name: self.org.users[name] for name in sorted(self.org.users)[: self.org.sees]})
                self.org.sees = None
                self.then.append((self.committed(report), dict(self.expected)))
                report = self.pull_everything()
            case "full":
                report = self.pull_everything()
            case _:
                report = self.pull()
                self.saw(self.org.users)
        assert report.status == "complete", report
        self.then.append((self.committed(report), dict(self.expected)))

    def pull_everything(self) -> Report:
        """Pull everything: who is no longer there is deleted, or withheld and reported."""
        report = self.pull(mode="full")
        self.saw(self.org.users)
        gone = set(self.expected) - set(self.org.users)
        assert report.deletes is not None
        if report.deletes.withheld is None:
            assert report.deletes.count == len(gone)
            self.expected = dict(self.org.users)
        else:
            assert (report.deletes.count, report.deletes.withheld.count) == (0, len(gone))
        return report

    def decide(self, report: Report, *, commit: bool) -> None:
        """Commit a pending run, or abandon it."""
        _core.state_decide(str(self.lake.state), "acme#acme#users", str(report.run_id), commit, False)  # noqa: FBT003 - as declared

    def committed(self, report: Report) -> datetime:
        """Return when a run was committed."""
        runs = _core.lake_runs(self.lake, "acme.users")
        [at] = [run["committed_at"] for run in runs if run["run_id"] == report.run_id]
        return datetime.fromisoformat(at)

    def saw(self, users: dict[str, dict[str, Any]]) -> None:
        """Note that a pull has seen users."""
        self.expected |= users


@contextmanager
def story(folder: Path, seed: int) -> Iterator[Story]:
    """Serve an org, with a lake for it."""
    org = Org()
    catalog = folder / "definitions"
    for name, text in {"source": SOURCE, "users": USERS, "groups": GROUPS, "members": MEMBERS}.items():
        write(catalog / "acme" / f"{name}.yaml", text)
    for _ in range(120):
        org.user()
    with Server(org.respond) as server:
        yield Story(org, Lake(folder / "lake"), catalog, server.url, seed)


def ids_and_times(table: LakeTable) -> dict[str, datetime]:
    """Return who is in a table, and when each was updated; no one is in it twice."""
    rows = table.select("id", "updated").arrow().to_pylist()
    found = {row["id"]: _time(row["updated"]) for row in rows}
    assert len(found) == len(rows), "somebody is there twice"
    return found


def _time(value: object) -> datetime:
    return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def of(users: dict[str, dict[str, Any]]) -> dict[str, datetime]:
    """Return the same of users."""
    return {name: _time(user["updated"]) for name, user in users.items()}


@pytest.mark.parametrize("seed", range(3))
def test_after_random_pulls_current_is_the_org_and_at_is_the_org_then(tmp_path: Path, seed: int) -> None:
    with story(tmp_path, seed) as told:
        for _ in range(40):
            told.live()
            told.pull_somehow()
        assert ids_and_times(told.table) == of(told.expected)
        told.pull_everything()
        assert ids_and_times(told.table) == of(told.expected)
        for at, users in told.random.sample(told.then, 8):
            assert ids_and_times(told.table.at(at)) == of(users), at
        assert readers_own(told.lake) == duckdbs_own(told.lake) == of(told.expected)
        promoted = Lake(tmp_path / "readers")
        for run in reversed(circulate_core.runs(told.lake, limit=1000)):
            if run.status == "committed":
                circulate_core.promote(f"{told.lake.location}/{run.manifest}", to=promoted, state=told.lake.state)
        assert ids_and_times(promoted.table("acme.users", catalog=[told.catalog])) == of(told.expected)
        assert readers_own(promoted) == duckdbs_own(promoted) == of(told.expected)


def test_children_of_deleted_parents_and_members_that_left_are_not_current(tmp_path: Path) -> None:
    with story(tmp_path, 9) as told:
        random = told.random
        for number in range(PAGE + 5):
            told.org.members[f"g{number}"] = {f"u{random.randrange(120):05}" for _ in range(70)}
        for _ in range(6):
            told.pull("acme.groups", mode="full")
            told.pull("acme.members", mode="full")
            for group in random.sample(sorted(told.org.members), 3):
                told.org.members[group] -= {random.choice(sorted(told.org.members[group]))}
                told.org.members[group] |= {f"u{random.randrange(120):05}"}
            if random.random() < 0.3:
                del told.org.members[random.choice(sorted(told.org.members))]
        told.pull("acme.groups", mode="full")
        told.pull("acme.members", mode="full")
        rows = told.lake["acme.members"].select("_parent_id", "id").arrow().to_pylist()
        found = sorted((row["_parent_id"], row["id"]) for row in rows)
        assert found == sorted((group, name) for group, names in told.org.members.items() for name in names)


def committed(lake: Lake) -> list[dict[str, Any]]:
    """Return the indexes of the runs that have a marker, in the order of commits."""
    runs = []
    for file in (Path(lake.location) / "_circulate/acme/acme/users").glob("*.json"):
        index, marker = json.loads(file.read_text()), file.with_suffix(".committed")
        if marker.exists():
            runs.append((_time(json.loads(marker.read_text())["committed_at"]), index["run_id"], index))
    return [index for _, _, index in sorted(runs, key=lambda run: run[:2])]


def deleted_by(place: Path, index: dict[str, Any]) -> set[bytes]:
    """Return the digests of the keys that a run deleted."""
    files = (index.get("deletes") or {}).get("files", [])
    return {key for named in files for _, key in stored_keys((place / named["key"]).read_bytes())}


def objects_of(place: Path, index: dict[str, Any]) -> list[Path]:
    """Return the objects of a run, in order."""
    parts = [json.loads((place / reference["key"]).read_text()) for reference in index["parts"]]
    return [place / entry["key"] for part in parts for entry in part["objects"]]


def readers_own(lake: Lake) -> dict[str, datetime]:
    """Return who is current by a reader that shares no code with ours: run after run, by libraries of others."""
    place = Path(lake.location)
    current: dict[str, datetime] = {}
    for index in committed(lake):
        gone = deleted_by(place, index)
        current = {name: time for name, time in current.items() if key_digest(name) not in gone}
        for path in objects_of(place, index):
            current |= {row["id"]: _time(row["updated"]) for row in _rows(path)}
    return current


CURRENT = """
WITH newest AS (FROM versions QUALIFY row_number() OVER (PARTITION BY id ORDER BY run DESC, position DESC) = 1)
SELECT id, epoch_us(updated) FROM newest WHERE NOT EXISTS (
    FROM deleted WHERE deleted.run > newest.run
    AND digest = left(sha256(encode('s') || unhex(printf('%016x', strlen(id))) || encode(id)), 32)
)
"""


def duckdbs_own(lake: Lake) -> dict[str, datetime]:
    """Return the same by one statement of SQL over all versions and all deletes."""
    place = Path(lake.location)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE versions (run INT, position INT, id VARCHAR, updated TIMESTAMPTZ)")
        connection.execute("CREATE TABLE deleted (run INT, digest VARCHAR)")
        for run, index in enumerate(committed(lake)):
            for digest in deleted_by(place, index):
                connection.execute("INSERT INTO deleted VALUES (?, ?)", [run, digest.hex()])
            for number, path in enumerate(objects_of(place, index)):
                rows = f"SELECT ?, ? + row_number() OVER (), id, updated FROM {_scan(path)}"  # noqa: S608 - of a test
                if path.suffix == ".arrow":
                    connection.register("table_of_arrow", pa.ipc.open_file(path).read_all())
                connection.execute(f"INSERT INTO versions {rows}", [run, number * 1_000_000])
        found = connection.execute(CURRENT).fetchall()
    return {name: datetime.fromtimestamp(time / 1_000_000, UTC) for name, time in found}


def _scan(path: Path) -> str:
    if path.suffix == ".arrow":
        return "table_of_arrow"
    if path.suffix == ".parquet":
        return f"read_parquet('{path}')"
    shape = "newline_delimited" if ".ndjson" in path.suffixes else "array"
    return f"read_json('{path}', format = '{shape}', columns = {{id: 'VARCHAR', updated: 'VARCHAR'}})"


def _rows(path: Path) -> list[dict[str, Any]]:
    match path.suffixes:
        case [".json", ".gz"]:
            return list(json.loads(gzip.decompress(path.read_bytes())))
        case [".json"]:
            return list(json.loads(path.read_bytes()))
        case [".parquet"]:
            return list(pq.read_table(path, columns=["id", "updated"]).to_pylist())
        case [".arrow"]:
            return list(pa.ipc.open_file(path).read_all().select(["id", "updated"]).to_pylist())
        case _:
            columns = {"id": "VARCHAR", "updated": "VARCHAR"}
            found = duckdb.read_json(str(path), format="newline_delimited", columns=columns).select("id", "updated")
            return [{"id": name, "updated": time} for name, time in found.fetchall()]


def key_digest(name: str) -> bytes:
    """Return what stands for a record whose key is a text: `lake/record_key.rs` says what it is made of."""
    text = name.encode()
    return hashlib.sha256(b"s" + len(text).to_bytes(8) + text).digest()[:16]
