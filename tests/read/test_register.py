"""`circulate register`: runs as partitions of tables in the Glue Data Catalog, read back by programs of others."""

import hashlib
import json
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.athena import Athena
from support.cli import Cli, CliFor, StartOrg
from support.http_server import Handler, Reply, Server
from support.places import Bucket, client
from support.promotions import Promoting
from support.proxy import Fate, proxy
from support.stand_ins import moto

import circulate_core
from circulate_practice import PracticeOrg

TABLE = "okta_users_history"
DRIFTING: list[list[dict[str, Any]]] = [
    [{"id": 1, "age": 30, "profile": {"name": "a"}, "tags": ["x"]}, {"id": 2, "age": 31, "profile": {"name": "b"}}],
    [{"id": 1, "age": 30, "profile": {"name": "a", "Team": {"no": 7}}, "tags": [], "late": True}],
    [{"id": 3, "age": "unknown", "profile": "none", "tags": [1]}],
]
"""What a list has, run by run: members that come, and members whose type changes."""


def guide_queries() -> list[str]:
    """Return the queries of the guide."""
    guide = Path(__file__).resolve().parents[2] / "python/docs/athena.md"
    return re.findall(r"```sql\n(.*?)```", guide.read_text(encoding="utf-8"), flags=re.DOTALL)


def bucket(cli: Cli) -> Bucket:
    """Return the bucket that is pulled to."""
    assert isinstance(cli.place, Bucket)
    return cli.place


def state(cli: Cli) -> tuple[str, str]:
    """Return a state whose time is finer than whole seconds: runs of a test are committed one right after the other."""
    return ("--state", str(cli.folder / "state.db"))


def command(cli: Cli, manifest: str) -> tuple[str, ...]:
    """Return the arguments of a registration."""
    return ("register", manifest, "--to", f"{bucket(cli).uri}/tables", "--database", "lake", "--json")


def register(cli: Cli, manifest: str, *more: str, **environment: str) -> dict[str, Any]:
    """Register a run."""
    done = cli(*command(cli, manifest), *more, **environment)
    assert done.code == 0, done.err
    return done.report


@dataclass
class Lake:
    """An org, where it is pulled to, and the database that its runs are registered in."""

    org: PracticeOrg
    cli: Cli
    athena: Athena

    def pull(self, *arguments: str) -> str:
        """Pull okta.users in small objects; returns the manifest's URI."""
        done = self.cli.pull("--batch-records", "10", *state(self.cli), *arguments)
        assert done.code == 0, done.err
        return f"{bucket(self.cli).uri}/{done.report['manifest']}"

    def register(self, manifest: str) -> dict[str, Any]:
        """Register a run."""
        return register(self.cli, manifest)

    def current(self) -> list[tuple[str, datetime]]:
        """Return the ids of all users that are current by the view, and when they changed."""
        rows = self.athena.query("SELECT id, lastUpdated FROM okta_users ORDER BY id")
        return [(row["id"], row["lastupdated"].astimezone(UTC)) for row in rows]

    def truth(self) -> list[tuple[str, datetime]]:
        """Return what the org has."""
        entries = self.org.truth()
        return sorted((entry["id"], datetime.fromisoformat(entry["lastUpdated"])) for entry in entries)


@dataclass
class Things:
    """A list whose records a test chooses, and a command line that pulls it from a definition of its own."""

    cli: Cli
    athena: Athena
    records: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def respond(self, _: Handler) -> Reply:
        """Respond with all records."""
        return Reply(self.records)

    def define(self, **definition: Any) -> None:  # noqa: ANN401 - what a definition holds
        """Write the definition of the list."""
        source = circulate_core.source("acme", base_url=self.url)
        given = {"primary_key": ["/id"], "single": "certain", **definition}
        source.stream("things", path="/things", paginator="none", **given)
        source.save(self.cli.folder / "catalog", overwrite=True)

    def pull(self, *records: dict[str, Any], account: str = "one", code: int = 0, form: str = "json") -> str:
        """Pull what the list has by now; returns the manifest's URI."""
        self.records = list(records)
        arguments = ("pull", "acme.things", *self.cli.place.arguments, *state(self.cli), "--account", account)
        done = self.cli(*arguments, "--full", "--json", "--format", form)
        assert done.code == code, done.err
        return f"{bucket(self.cli).uri}/{done.report['manifest']}"

    def register(self, manifest: str) -> dict[str, Any]:
        """Register a run."""
        return register(self.cli, manifest)

    def current(self) -> list[tuple[str, int]]:
        """Return account and id of what is current by the view."""
        rows = self.athena.query("SELECT _account, id FROM acme_things ORDER BY 1, 2")
        return [(row["_account"], row["id"]) for row in rows]

    def by_our_reader(self) -> list[tuple[str, int]]:
        """Return the same by our own reader of lakes."""
        environment = {"AWS_ENDPOINT_URL": bucket(self.cli).endpoint}
        code = (
            "import json, polars; from circulate_core import Lake, _core;"
            f"table = polars.DataFrame(_core.LakeTable(Lake({bucket(self.cli).uri!r}), 'acme.things'));"
            "print(json.dumps(sorted(table.select('_account', 'id').rows())))"
        )
        done = self.cli.python(code, **environment)
        assert done.code == 0, done.err
        return [(account, number) for account, number in json.loads(done.out)]


@pytest.fixture
def lake(start_org: StartOrg, aws_cli_for: CliFor, aws: str, tmp_path: Path) -> Lake:
    org = start_org(users=250)
    return Lake(org, aws_cli_for(org), Athena(aws, tmp_path / "athena").make())


@pytest.fixture
def things(start_org: StartOrg, aws_cli_for: CliFor, aws: str, tmp_path: Path) -> Iterator[Things]:
    cli = aws_cli_for(start_org(users=1))
    cli.environment["CIRCULATE_CATALOG"] = str(cli.folder / "catalog")
    made = Things(cli, Athena(aws, tmp_path / "athena").make())
    with Server(made.respond) as server:
        made.url = server.url
        made.define()
        yield made


def test_a_run_is_a_partition_and_the_view_has_what_is_current(lake: Lake) -> None:
    first = lake.register(lake.pull())
    assert (first["records"], first["found"], first["status"]) == (250, False, "complete")
    assert lake.current() == lake.truth()
    lake.org.change(40)
    second = lake.register(lake.pull())
    assert second["records"] >= 40
    assert lake.current() == lake.truth()
    (count,) = lake.athena.query("SELECT count(*) AS n, count(DISTINCT _record_key) AS keys FROM okta_users_history")
    assert (count["n"], count["keys"]) == (250 + second["records"], len(lake.truth()))
    assert len(lake.athena.partitions(TABLE)) == 2


def test_another_reader_reads_files_by_the_names_of_their_folders(lake: Lake) -> None:
    registered = lake.register(lake.pull())
    files = lake.athena.files(TABLE)
    ((account, run), paths) = next(iter(files.items()))
    columns = ["_account", "_run_id", "id"]
    table = pl.concat([pl.read_parquet(path, columns=columns, hive_partitioning=True) for path in paths])
    assert set(table["_account"]) == {account} == {"practice"}
    assert set(table["_run_id"]) == {run} == {registered["run_id"]}
    assert set(table["id"]) == {entry["id"] for entry in lake.org.truth()}


def test_a_run_that_is_registered_is_not_registered_again(lake: Lake) -> None:
    manifest = lake.pull()
    first = lake.register(manifest)
    stored = bucket(lake.cli).stored()
    assert lake.register(manifest) == {**first, "found": True}
    assert (bucket(lake.cli).stored(), len(lake.athena.partitions(TABLE))) == (stored, 1)


def test_a_catalog_by_others_says_the_same(start_org: StartOrg, cli_for: CliFor, tmp_path: Path) -> None:
    org = start_org(users=30)
    with moto() as url:
        environment = {**cli_for(org).environment, "AWS_ENDPOINT_URL": url}
        cli = Cli(tmp_path, environment, Bucket.new(url, tmp_path))
        lake = Lake(org, cli, Athena(url, tmp_path / "athena").make())
        manifest = lake.pull()
        first = lake.register(manifest)
        assert lake.register(manifest) == {**first, "found": True}
        org.change(10)
        lake.register(lake.pull("--full"))
        assert lake.current() == lake.truth()
        error = refused(cli, *command(cli, manifest), "--database", "elsewhere")
        assert "there is no database `elsewhere` in us-east-1" in error


@pytest.mark.parametrize("mode", [(), ("--compact",)], ids=["copied", "compacted"])
@pytest.mark.parametrize("form", ["json", "ndjson", "parquet", "arrow"])
def test_a_promoted_run_is_registered_whatever_its_format(lake: Lake, form: str, mode: tuple[str, ...]) -> None:
    pulled = lake.cli.pull("--format", form)
    promoting = Promoting.of(lake.cli)
    assert promoting(pulled.report["manifest"], *mode).code == 0
    lake.register(promoting.manifest(pulled.report["manifest"], promoting.data))
    assert lake.current() == lake.truth()


def test_runs_of_one_format_after_the_other_are_one_table(lake: Lake) -> None:
    for form in ("json", "parquet", "ndjson", "arrow"):
        pulled = lake.cli.pull("--full", "--format", form, *state(lake.cli))
        registered = lake.register(f"{bucket(lake.cli).uri}/{pulled.report['manifest']}")
        assert registered["records"] == len(lake.truth())
        lake.org.change(10)
    keys = lake.athena.query("SELECT _record_key, count(*) AS n FROM okta_users_history GROUP BY 1")
    # Those that were there from the beginning are the same record in each format.
    assert sum(row["n"] == 4 for row in keys) >= 250
    columns = lake.athena.columns(TABLE)
    assert [name for name in columns if name.endswith(("_string", "_struct", "_bigint"))] == []


def test_runs_are_registered_in_any_order(lake: Lake) -> None:
    manifests = [lake.pull()]
    for _ in range(2):
        lake.org.change(30)
        manifests.append(lake.pull())
    for manifest in reversed(manifests):
        lake.register(manifest)
    assert lake.current() == lake.truth()


def test_columns_grow_and_never_change(things: Things) -> None:
    types = []
    for records in DRIFTING:
        things.register(things.pull(*records))
        types.append(things.athena.columns("acme_things_history"))
        assert list(types[-1])[: len(types[0])] == list(types[0])
    first, second, _ = types
    assert (first["age"], first["profile"], first["tags"]) == ("bigint", "struct<name:string>", "array<string>")
    assert (second["profile"], second["late"]) == ("struct<name:string,team:struct<no:bigint>>", "boolean")
    (row,) = things.athena.query("SELECT age, profile, tags, _rescued FROM acme_things WHERE id = 3")
    # What has no place in the columns is where all tables have it.
    assert (row["age"], row["profile"]) == (None, None)
    assert json.loads(row["_rescued"]).items() >= {"/age": "unknown", "/profile": "none"}.items()
    (row,) = things.athena.query("SELECT profile.team.no AS no, late FROM acme_things_history WHERE late")
    assert row == {"no": 7, "late": True}


def test_a_column_of_another_type_stands_beside_the_first_one(things: Things) -> None:
    # Tables whose columns were inferred anew, as after a reset of the state.
    things.register(things.pull({"id": 1, "age": 30, "at": {"x": 1}}))
    things.register(things.pull({"id": 2, "age": "x", "at": {"x": "y"}}, form="parquet"))
    columns = things.athena.columns("acme_things_history")
    assert (columns["age"], columns["age_string"]) == ("bigint", "string")
    assert columns["at"] == "struct<x:bigint,x_string:string>"
    sql = "SELECT id, age, age_string, at.x, at.x_string FROM acme_things_history WHERE id > 0 ORDER BY id"
    rows = things.athena.query(sql)
    assert [tuple(row.values()) for row in rows] == [(1, 30, None, 1, None), (2, None, "x", None, "y")]


def test_names_are_those_that_need_no_quotes(things: Things) -> None:
    record = {"id": 1, "First Name": "a", "a.b": {"c-d": 1}, "_account": "x", "_rank": 2, "é": True}
    things.register(things.pull(record))
    (row,) = things.athena.query("SELECT first_name, a_b.c_d AS d, _account_2, _rank_2, _ FROM acme_things")
    assert row == {"first_name": "a", "d": 1, "_account_2": "x", "_rank_2": 2, "_": True}


def test_accounts_stand_side_by_side(things: Things) -> None:
    things.register(things.pull({"id": 1, "name": "a"}, account="one"))
    things.register(things.pull({"id": 1, "name": "b"}, {"id": 2}, account="two"))
    rows = things.athena.query("SELECT _account, id, name FROM acme_things ORDER BY _account, id")
    assert [tuple(row.values()) for row in rows] == [("one", 1, "a"), ("two", 1, "b"), ("two", 2, None)]


def test_a_run_without_rows_leaves_the_catalog_alone(things: Things) -> None:
    nothing = things.register(things.pull())
    assert (nothing["status"], nothing["records"], nothing["files"]) == ("complete", 0, 0)
    assert things.athena.tables() == set()
    things.register(things.pull({"id": 1}))
    assert things.athena.query("SELECT id FROM acme_things") == [{"id": 1}]


def test_records_without_a_key_are_all_shown_and_counted(things: Things) -> None:
    registered = things.register(things.pull({"id": None, "n": 1}, {"id": None, "n": 2}, {"id": 5, "n": 3}))
    assert registered["without_key"] == 2
    assert [row["n"] for row in things.athena.query("SELECT n FROM acme_things ORDER BY n")] == [1, 2, 3]


def test_without_a_key_the_last_complete_full_run_is_current(things: Things) -> None:
    things.define(primary_key="none")
    things.register(things.pull({"n": 1}, {"n": 2}))
    things.register(things.pull({"n": 2}, {"n": 2}, account="two"))
    things.register(things.pull({"n": 3}))
    rows = things.athena.query("SELECT _account, n FROM acme_things ORDER BY 1, 2")
    assert [tuple(row.values()) for row in rows] == [("one", 3), ("two", 2), ("two", 2)]
    things.register(things.pull())
    assert {row["_account"] for row in things.athena.query("SELECT _account FROM acme_things")} == {"two"}


def test_an_event_is_shown_once_however_often_it_was_pulled(things: Things) -> None:
    things.define(kind="event")
    for form in ("json", "json", "parquet", "parquet"):
        things.register(things.pull({"id": 1, "n": 1}, {"id": 1, "n": 2}, {"id": 1, "n": 2}, form=form))
    rows = things.athena.query("SELECT id, n FROM acme_things ORDER BY n")
    assert [tuple(row.values()) for row in rows] == [(1, 1), (1, 2)]


def test_the_greater_version_of_a_run_is_current_wherever_it_stands(things: Things) -> None:
    things.define(version="/v")
    versions = ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00+05:00", "2026-01-01T00:00:00Z"]
    things.register(things.pull(*({"id": 1, "n": n, "v": v} for n, v in enumerate(versions))))
    assert [row["n"] for row in things.athena.query("SELECT n FROM acme_things")] == [1]
    things.register(things.pull({"id": 1, "n": 9, "v": "2020-01-01T00:00:00Z"}))
    assert [row["n"] for row in things.athena.query("SELECT n FROM acme_things")] == [9]


def test_what_a_run_deleted_is_no_longer_current(things: Things) -> None:
    things.register(things.pull({"id": 1}, {"id": 2}, {"id": 3}))
    registered = things.register(things.pull({"id": 1}, {"id": 3}))
    assert (registered["records"], registered["deletes"]) == (2, 1)
    assert things.current() == things.by_our_reader() == [("one", 1), ("one", 3)]
    things.register(things.pull({"id": 2}))
    assert things.current() == things.by_our_reader() == [("one", 2)]
    sql = "SELECT _change, count(*) AS n FROM acme_things_history GROUP BY 1 ORDER BY 1"
    assert [tuple(row.values()) for row in things.athena.query(sql)] == [("delete", 3), ("upsert", 6)]


def test_a_deleted_record_is_found_in_the_history(things: Things) -> None:
    things.register(things.pull({"id": 1, "name": "a"}, {"id": 2, "name": "b"}))
    things.register(things.pull({"id": 1, "name": "a"}))
    (guide,) = [block for block in guide_queries() if "'delete'" in block]
    rows = things.athena.query(guide.replace("okta_users", "acme_things"))
    assert [(row["id"], row["name"]) for row in rows] == [(2, "b")]


def kind_of(request: Handler) -> str | None:
    """Return what a request writes, if it writes anything: a file, or a part of the catalog."""
    if request.command == "PUT":
        return "file"
    match request.headers.get("X-Amz-Target", "").removeprefix("AWSGlue."):
        case "CreateTable" | "UpdateTable":
            name = json.loads(request.body)["TableInput"]["Name"]
            return "table" if name.endswith("_history") else "view"
        case "CreatePartition":
            return "partition"
        case _:
            return None


def counts(things: Things) -> list[tuple[Any, ...]]:
    """Return how often each run has each record and each deletion."""
    sql = "SELECT _run_id, _record_key, _change, count(*) AS n FROM acme_things_history GROUP BY 1, 2, 3"
    return [tuple(row.values()) for row in things.athena.query(sql)]


def test_a_registration_killed_at_any_write_is_done_by_the_next_one_once(things: Things, aws: str) -> None:
    expected = 0
    # The records of the last run bring no column, so the table and its view are left alone.
    all_kinds = ("file", "table", "view", "partition")
    for records, kinds in zip(DRIFTING, (all_kinds, all_kinds, ("file", "partition")), strict=True):
        manifest = things.pull(*records)
        for kind in kinds:
            assert killed_before(things.cli, manifest, aws, kind)
            assert all(partition["Values"][1] not in manifest for partition in partitions(things)), "seen too early"
        assert not killed_before(things.cli, manifest, aws, "anything else")
        assert not killed_before(things.cli, manifest, aws, "file"), "it is registered"
        expected += len(records)
        found = counts(things)
        assert [n for *_, n in found] == [1] * len(found)
        assert sum(change == "upsert" for _, _, change, _ in found) == expected
    assert things.current() == things.by_our_reader() == [("one", 3)]


def partitions(things: Things) -> list[dict[str, Any]]:
    """Return the partitions of the table, if there is one."""
    is_there = "acme_things_history" in things.athena.tables()
    return things.athena.partitions("acme_things_history") if is_there else []


def killed_before(cli: Cli, manifest: str, aws: str, kind: str) -> bool:
    """Register a run in a process that is killed before its first write of this kind; returns whether it was."""
    started = threading.Event()
    process: list[Any] = []

    def rule(request: Handler) -> Fate:
        if kind_of(request) != kind:
            return Fate.PASSED_ON
        started.wait()
        process[0].kill()
        return Fate.UNHEARD

    with proxy(aws, rule) as server:
        environment = {**cli.environment, "AWS_ENDPOINT_URL": server.url}
        process.append(Cli(cli.folder, environment, cli.place).start(*command(cli, manifest)))
        started.set()
        _, err = process[0].communicate()
    assert process[0].returncode in {0, -signal.SIGKILL}, err
    return bool(process[0].returncode)


def test_lost_responses_register_nothing_twice(things: Things, aws: str) -> None:
    number = 0
    for records in DRIFTING:
        manifest = things.pull(*records)
        lost: set[str] = set()

        def rule(request: Handler, lost: set[str] = lost) -> Fate:
            digest = hashlib.sha256(request.body).hexdigest()
            what = f"{request.path} {request.headers.get('X-Amz-Target')} {digest}"
            if kind_of(request) is None or what in lost:
                return Fate.PASSED_ON
            lost.add(what)
            return Fate.RESPONSE_LOST

        with proxy(aws, rule) as server:
            registered = register(things.cli, manifest, AWS_ENDPOINT_URL=server.url)
        assert (registered["records"], registered["found"]) == (len(records), False)
        assert len(lost) >= 2
        number += len(records)
    found = counts(things)
    assert [n for *_, n in found] == [1] * len(found)
    assert sum(change == "upsert" for _, _, change, _ in found) == number


def test_two_at_once_register_a_run_once(things: Things, aws: str) -> None:
    meet = threading.Barrier(2)
    manifest = things.pull(*DRIFTING[0])

    def rule(request: Handler) -> Fate:
        if kind_of(request) == "partition":
            meet.wait(60)
        return Fate.PASSED_ON

    with proxy(aws, rule) as server, ThreadPoolExecutor() as pool:
        both = [pool.submit(register, things.cli, manifest, AWS_ENDPOINT_URL=server.url) for _ in range(2)]
        reports = [each.result() for each in both]
    assert sorted(report["found"] for report in reports) == [False, True]
    assert reports[0]["location"] == reports[1]["location"]
    assert [n for *_, n in counts(things)] == [1, 1]


@pytest.mark.parametrize("before", [(), ("zero",)], ids=["new", "known"])
def test_accounts_that_grow_a_table_at_once_lose_nothing(things: Things, aws: str, before: tuple[str, ...]) -> None:
    for account in before:
        things.register(things.pull({"id": 0}, account=account))
    one = things.pull({"id": 1, "a": 1, "both": "x"}, account="one")
    two = things.pull({"id": 1, "b": 1, "both": 7}, account="two")
    meet, writes = threading.Barrier(2), []

    def rule(request: Handler) -> Fate:
        if kind_of(request) == "table":
            writes.append(request)
            if len(writes) <= 2:
                meet.wait(60)
        return Fate.PASSED_ON

    with proxy(aws, rule) as server, ThreadPoolExecutor() as pool:
        both = [pool.submit(register, things.cli, each, AWS_ENDPOINT_URL=server.url) for each in (one, two)]
        assert [each.result()["records"] for each in both] == [1, 1]
    columns = things.athena.columns("acme_things_history")
    assert {columns["a"], columns["b"]} == {"bigint"}
    rows = things.athena.query("SELECT _account, * FROM acme_things WHERE id = 1 ORDER BY 1")
    held = [{name: row[name] for name in row if name in {"a", "b"} or name.startswith("both")} for row in rows]
    assert [(row["a"], row["b"]) for row in held] == [(1, None), (None, 1)]
    # The type that came first is the column's. The other one has a column beside it, or is rescued.
    found = [[value for name, value in row.items() if name.startswith("both") and value is not None] for row in held]
    rescued = [json.loads(row["_rescued"] or "{}").get("/both") for row in rows]
    assert [(values or [kept])[0] for values, kept in zip(found, rescued, strict=True)] == ["x", 7]


def refused(cli: Cli, *arguments: str) -> str:
    """Return what a registration that is refused says."""
    done = cli(*arguments)
    assert done.code != 0, done.out
    return done.err


def test_a_run_that_is_not_committed_is_refused(lake: Lake) -> None:
    manifest = lake.pull("--pending", "1h")
    error = refused(lake.cli, *command(lake.cli, manifest))
    assert "nothing says that the run is committed" in error
    assert "a pending run counts once it is promoted" in error
    assert lake.athena.tables() == set()


@pytest.mark.parametrize("name", ["okta_users", "okta_users_history"])
def test_a_table_of_others_is_left_alone(lake: Lake, name: str) -> None:
    given = {"Name": name, "TableType": "EXTERNAL_TABLE", "Parameters": {}, "StorageDescriptor": {"Columns": []}}
    lake.athena.glue.create_table(DatabaseName="lake", TableInput=given)
    before = lake.athena.table(name)
    error = refused(lake.cli, *command(lake.cli, lake.pull()))
    assert "there is a table of this name that was not made for okta.users" in error
    assert f"lake.{name}" in error
    assert lake.athena.table(name) == before


def test_what_others_put_into_a_table_stays(things: Things) -> None:
    things.register(things.pull({"id": 1}))
    table = things.athena.table("acme_things_history")
    kept = {name: table[name] for name in ("Name", "TableType", "PartitionKeys", "StorageDescriptor", "Parameters")}
    kept |= {"Description": "ours", "Owner": "eve", "Parameters": {**table["Parameters"], "team": "blue"}}
    things.athena.glue.update_table(DatabaseName="lake", TableInput=kept)
    things.register(things.pull({"id": 1, "more": 1}))
    table = things.athena.table("acme_things_history")
    assert (table["Description"], table["Owner"], table["Parameters"]["team"]) == ("ours", "eve", "blue")
    assert "more" in things.athena.columns("acme_things_history")


def test_another_identity_of_records_needs_another_table(things: Things) -> None:
    things.register(things.pull({"id": 1, "name": "a"}))
    things.define(primary_key=["/name"])
    error = refused(things.cli, *command(things.cli, things.pull({"id": 1, "name": "a"})))
    assert "what identifies the records of this stream is something else" in error
    assert "drop the table and register them again" in error
    assert len(things.athena.partitions("acme_things_history")) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--database", "Lake"), "invalid `--database`: `Lake`"),
        (("--to", "./tables"), "files of tables of Glue are in a bucket"),
        (("--database", "elsewhere"), "there is no database `elsewhere` in us-east-1"),
    ],
)
def test_where_to_register_is_checked(lake: Lake, arguments: tuple[str, ...], part: str) -> None:
    given = command(lake.cli, lake.pull())
    assert part in refused(lake.cli, *given, *arguments)
    assert lake.athena.tables() == set()


def test_a_changed_object_is_registered_by_nobody(lake: Lake) -> None:
    manifest = lake.pull()
    place = bucket(lake.cli)
    key = next(key for key in place.stored() if "/circulate_date=" in key)
    client("s3", place.endpoint).put_object(Bucket=place.bucket, Key=key, Body=place.read(key) + b" ")
    error = refused(lake.cli, *command(lake.cli, manifest))
    assert key.removeprefix(f"{place.prefix}/") in error
    assert lake.athena.tables() == set()


def test_a_registration_shows_what_it_did(lake: Lake) -> None:
    done = lake.cli(*command(lake.cli, lake.pull()))
    first, *rest = done.err.splitlines()
    assert first.startswith("✓ okta.users of practice, run ")
    assert first.rpartition(": ")[2].startswith("registered in ")
    assert rest[0].startswith("  250 records in ")
    assert rest[1:] == ["  current  lake.okta_users", "  history  lake.okta_users_history"]


def test_all_runs_of_a_lake_are_registered_that_are_not(lake: Lake) -> None:
    manifests = [lake.pull()]
    lake.register(manifests[0])
    lake.org.change(10)
    manifests.append(lake.pull())
    pending = lake.pull("--full", "--pending", "1h")
    _, _, *given = command(lake.cli, "")
    done = lake.cli("register", bucket(lake.cli).uri, *given, "--stream", "okta.users")
    assert done.code == 0, done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [each["found"] for each in found] == [True, False]
    assert [each["run_id"] in manifest for each, manifest in zip(found, manifests, strict=True)] == [True, True]
    name = pending.rpartition("/")[2].removesuffix(".json")
    assert f"- not registered: {name}: nothing says that the run is committed" in done.err
    assert lake.current() == lake.truth()
    assert "there are no runs of okta.groups in s3://" in refused(
        lake.cli, "register", bucket(lake.cli).uri, *given, "--stream", "okta.groups"
    )
