"""Streams as tables: in memory for an analyst, and in a lake for everybody else."""

import _thread
import json
import re
import subprocess
import sys
import threading
import tomllib
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from support.cli import CliFor, StartOrg
from support.commands import PATIENCE
from support.http_server import Handler, Reply, Server
from support.promotions import Promoting

import circulate_core
from circulate_core.exceptions import DataError, DefinitionError, SettingsError, StateError
from circulate_practice import PracticeOrg

Rows = list[dict[str, Any]]


def okta(org: PracticeOrg) -> circulate_core.Source:
    return circulate_core.source("okta", settings={"org_url": org.url, "api_token": org.token})


@contextmanager
def api(*pages: str) -> Iterator[circulate_core.Source]:
    """Serve pages of an unknown API, which lead from one to the next."""

    def respond(request: Handler) -> Reply:
        number = int(request.path.rpartition("=")[2] or 0)
        following = f'<http://{request.headers["Host"]}/things?page={number + 1}>; rel="next"'
        return Reply(pages[number], [("Link", following)] if number + 1 < len(pages) else [])

    with Server(respond) as server:
        yield circulate_core.source("acme", base_url=server.url)


def things(source: circulate_core.Source, **options: Any) -> circulate_core.Stream:  # noqa: ANN401 - passed on
    return source.stream(
        "things", path="/things", query={"page": "0"}, paginator="link_header", single="certain", **options
    )


def missing(value: object, column: object, path: str, rescued: dict[str, list[object]]) -> Iterator[str]:
    """Give the places of a record whose values are neither in the columns nor rescued."""
    if value is None and column is None:
        return
    if isinstance(value, dict) and isinstance(column, dict):
        for name, member in value.items():
            step = name.replace("~", "~0").replace("/", "~1")
            yield from missing(member, column.get(name), f"{path}/{step}", rescued)
        return
    if isinstance(value, list) and isinstance(column, list) and len(value) == len(column):
        for number, (element, there) in enumerate(zip(value, column, strict=True)):
            yield from missing(element, there, f"{path}/{number}", rescued)
        return
    if not holds(column, value) and value not in rescued.get(path, []):
        yield f"{path}: {value!r} is not {column!r}"


def holds(column: object, value: object) -> bool:
    """Whether a column's value is that of the record, or its JSON text."""
    if isinstance(column, datetime) and isinstance(value, str):
        return datetime.fromisoformat(value) == column
    if type(column) is type(value) and column == value:
        return True
    if isinstance(column, float) and isinstance(value, int):
        return column == value
    return isinstance(column, str) and is_json_of(column, value)


def is_json_of(text: str, value: object) -> bool:
    try:
        return bool(json.loads(text) == value)
    except ValueError:
        return False


class Pairs(list[tuple[str, object]]):
    """The members of an object, all of them."""


def plain(value: object) -> object:
    if isinstance(value, Pairs):
        return {name: plain(member) for name, member in value}
    return [plain(element) for element in value] if isinstance(value, list) else value


def assert_nothing_is_missing(records: Rows, rows: Rows) -> None:
    assert len(records) == len(rows)
    for record, row in zip(sorted(records, key=identity), sorted(rows, key=identity), strict=True):
        rescued: dict[str, list[object]] = {}
        for path, value in json.loads(row["_rescued"] or "{}", object_pairs_hook=Pairs):
            rescued.setdefault(path, []).append(plain(value))
        received = {name: member for name, member in record.items() if name != "_circulate"}
        assert list(missing(received, row, "", rescued)) == []


def identity(record: dict[str, Any]) -> tuple[str, str]:
    """Tell a record or row from others; those of several parents come in no order."""
    parent = record.get("_parent_id") or record.get("_circulate", {}).get("parent", {}).get("id")
    return str(parent), str(record.get("id") or record.get("uuid"))


@pytest.mark.parametrize("name", ["users", "applications", "groups", "application_users", "system_log", "policies"])
def test_a_table_holds_what_the_records_hold(start_org: StartOrg, name: str) -> None:
    org = start_org(users=900, apps=40, app_users=(0, 3), groups=30, events=500)
    stream = okta(org).stream(name)
    assert_nothing_is_missing(list(stream.records()), stream.arrow().to_pylist())
    assert_nothing_is_missing(list(stream.records()), pa.table(stream).to_pylist())


def test_a_pull_of_a_stream_makes_tables_that_look_as_the_stream_says(tmp_path: Path) -> None:
    with api('[{"id": "1", "p": {"x": 1}}]') as source:
        stream = things(source, nested="flatten", raw=True)
        stream.pull(to=tmp_path / "lake", format="parquet")
        (file,) = (tmp_path / "lake").rglob("*.parquet")
        assert pq.read_schema(file).names == ["id", "p__x", "_rescued", "_raw"]
        stream.pull(to=tmp_path / "other", format="parquet", nested="json")
        (file,) = (tmp_path / "other").rglob("*.parquet")
        assert pq.read_schema(file).names == ["id", "p", "_rescued", "_raw"]


def test_libraries_take_a_stream_as_it_is(start_org: StartOrg) -> None:
    org = start_org(users=1_500)
    users = okta(org).stream("users")
    assert pa.table(users).num_rows == 1_500
    assert pa.RecordBatchReader.from_stream(users).read_all().num_rows == 1_500
    assert pl.DataFrame(users).height == 1_500
    counted = duckdb.connect().sql("SELECT count(*) FROM users")
    assert counted is not None
    assert counted.fetchall() == [(1_500,)]
    assert pd.DataFrame.from_arrow(users).shape[0] == 1_500  # type: ignore[attr-defined]  # newer than its types
    assert users.report is not None
    assert users.report.records == 1_500


def read_and_go_on(read: Callable[[object], object], stream: circulate_core.Stream) -> None:
    """Read it; after an error, call something: that is when the interpreter looks for signals."""
    try:
        read(stream)
    except Exception as error:
        sys.stderr.write(str(error))
        raise


@pytest.mark.parametrize("read", [pa.table, pl.DataFrame, circulate_core.Stream.arrow])
def test_ctrl_c_ends_the_making_of_a_table_at_once(start_org: StartOrg, read: Callable[[object], object]) -> None:
    org = start_org(users=7_000, faults=["stall:60@20"])

    def interrupt() -> None:
        org.wait_for_requests(20, timeout=PATIENCE)
        _thread.interrupt_main()

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        read_and_go_on(read, okta(org).stream("users"))
    interrupter.join()


@pytest.mark.parametrize(("read", "error"), [(pa.table, Exception), (circulate_core.Stream.polars, DataError)])
def test_an_error_in_the_middle_of_a_table_is_reported(
    start_org: StartOrg, read: Callable[[object], object], error: type[Exception]
) -> None:
    org = start_org(users=7_000, faults=["html@20"])
    with pytest.raises(error, match="the page is HTML"):
        read(okta(org).stream("users"))


def test_a_table_comes_in_the_library_of_ones_choice(start_org: StartOrg) -> None:
    org = start_org(users=600)
    users = okta(org).stream("users")
    truth = sorted(entry["id"] for entry in org.truth())
    frame = users.pandas()
    assert sorted(frame["id"]) == truth
    assert str(frame["created"].dtype) == "datetime64[us, UTC]"
    assert users.polars()["id"].sort().to_list() == truth
    assert users.polars().schema["created"] == pl.Datetime("us", "UTC")
    active = users.duckdb().filter("status = 'ACTIVE'").project("id").fetchall()
    assert len(active) == sum(frame["status"] == "ACTIVE")
    assert len(users.duckdb(duckdb.connect()).project("id").fetchall()) == 600
    assert users.arrow().column_names[0] == "id"


def test_batches_and_samples_are_tables_too(start_org: StartOrg) -> None:
    org = start_org(users=1_200)
    users = okta(org).stream("users")
    first, second = users
    assert (first.arrow().num_rows, second.arrow().num_rows) == (1_000, 200)
    assert first.arrow().schema == second.arrow().schema
    sample = users.sample(3)
    assert sample.pandas()["id"].tolist() == [record["id"] for record in sample]
    assert pa.table(sample).num_rows == 3


def test_whole_numbers_and_truth_values_stay_what_they_are_beside_nulls() -> None:
    with api('[{"id":1,"n":9007199254740993,"b":true},{"id":2}]') as source:
        frame = things(source).pandas()
    assert [str(frame[name].dtype) for name in ("n", "b")] == ["Int64", "boolean"]
    assert frame["n"][0] == 9_007_199_254_740_993


def test_a_schema_shows_what_is_declared_and_what_was_seen(start_org: StartOrg) -> None:
    org = start_org(users=300)
    schema = okta(org).stream("users").schema(50)
    columns = {column.name: column for column in schema}
    assert columns["created"] == ("created", "timestamp", True)
    assert columns["_links"].declared is False
    assert columns["profile"].type.startswith("struct<login: string, ")
    assert pa.schema(schema).field("created").type == pa.timestamp("us", "UTC")
    assert pa.schema(schema).names[-1] == "_rescued"
    assert "created" in repr(schema)
    flat = okta(org).stream("users", nested="flatten").schema(50)
    assert "profile__login" in [column.name for column in flat]
    assert {column.type for column in okta(org).stream("users", nested="json").schema(50)} >= {"json", "timestamp"}


def test_a_schema_names_each_column_once_where_flattened_names_meet() -> None:
    with api('[{"id":1,"a__b":"first","a":{"b":2}},{"id":2,"c":{"d":{"e":3}},"c__d":{"e":4},"":{"x":5}}]') as source:
        schema = things(source, nested="flatten").schema()
        table = things(source, nested="flatten").arrow()
    assert [column.name for column in schema] == ["id", "a__b", "c__d__e"]
    assert [column.type for column in schema] == ["integer", "string", "integer"]
    assert table.schema.names == ["id", "a__b", "c__d__e", "_rescued"]
    assert table["_rescued"].to_pylist() == ['{"/a/b":2}', '{"/c__d/e":4,"/":{"x":5}}']


def test_columns_may_be_declared_in_code(start_org: StartOrg) -> None:
    with api('[{"id":1,"at":"2026-01-01T00:00:00Z","size":1},{"id":2,"size":2.5}]') as source:
        table = things(source, columns={"id": "string", "size": "number", "at": "string"}).arrow()
        assert table.schema.field("at").type == pa.string()
        assert table["size"].to_pylist() == [1.0, 2.5]
        assert table["_rescued"].to_pylist() == ['{"/id":1}', '{"/id":2}']
        with pytest.raises(DefinitionError, match="timestmap"):
            things(source, columns={"at": "timestmap"})
    org = start_org(users=3)
    users = okta(org).stream("users", columns={"activated": "string"})
    assert users.schema()[0].name == "id"
    assert users.arrow().schema.field("activated").type == pa.string()
    assert okta(org).stream("users").arrow().schema.field("activated").type == pa.timestamp("us", "UTC")


def test_layouts(start_org: StartOrg) -> None:
    org = start_org(users=200)
    records = {record["id"]: record for record in okta(org).stream("users").records()}
    flat = okta(org).stream("users", nested="flatten").arrow().to_pylist()
    assert all(row["profile__login"] == records[row["id"]]["profile"]["login"] for row in flat)
    text = okta(org).stream("users", nested="json", raw=True).arrow().to_pylist()
    assert all(json.loads(row["profile"]) == records[row["id"]]["profile"] for row in text)
    assert all(json.loads(row["_raw"]) == records[row["id"]] for row in text)
    with pytest.raises(SettingsError, match="flat"):
        okta(org).stream("users", nested="flat").arrow()  # type: ignore[arg-type]


def test_the_raw_column_has_the_bytes_as_received() -> None:
    odd = '{ "id":1,"x" : 1.0,"x":2e0, "s":"\\ud800" }'
    with api(f"[{odd}]") as source:
        assert things(source, raw=True).arrow()["_raw"].to_pylist() == [odd]


DRIFTING = (
    '[{"id":1,"age":41,"tags":["a"],"at":"2026-01-01T00:00:00Z","deep":{"x":1}}]',
    '[{"id":2,"age":"unknown","tags":[{"k":1}],"at":"never","deep":{"x":{"y":2}},"new":true}]',
    '[{"id":3,"age":18446744073709551616,"tags":"a","at":null,"deep":7,"new":false}]',
)


def test_drift_in_the_middle_of_a_stream_is_rescued_and_reported() -> None:
    records = [record for page in DRIFTING for record in json.loads(page)]
    with api(*DRIFTING) as source:
        stream = things(source, columns={"id": "integer", "age": "integer", "tags": ["string"], "at": "timestamp"})
        rows = stream.arrow().to_pylist()
    assert_nothing_is_missing(records, rows)
    assert [row["age"] for row in rows] == [41, None, None]
    drifted = {(place.path, place.kind): place for place in stream.drift}
    assert drifted["/age", "type"].found == "string"
    assert drifted["/age", "number out of range"].example == "18446744073709551616"
    assert drifted["/at", "not a time"].example == '"never"'
    assert drifted["/tags/*", "type"].count == 1


def test_an_arrow_stream_keeps_the_columns_that_it_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circulate_core.reading._PLENTY", 1)
    records = [record for page in DRIFTING for record in json.loads(page)]
    with api(*DRIFTING) as source:
        stream = things(source)
        table = pa.table(stream)
        assert_nothing_is_missing(records, table.to_pylist())
        assert "new" not in table.column_names
        assert {place.path for place in stream.drift if place.kind == "new member"} == {"/new"}
        whole = stream.arrow()
        assert_nothing_is_missing(records, whole.to_pylist())
        assert whole["new"].to_pylist() == [None, True, False]


def test_a_frozen_contract_refuses_drift_and_says_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circulate_core.reading._PLENTY", 1)
    with api(*DRIFTING) as source:
        with pytest.raises(DataError, match=r"`/age`: expected integer, found string") as caught:
            things(source, contract="freeze").arrow()
        assert "`rescue`" in str(caught.value.hint)
        with pytest.raises(Exception, match=r"`/age`: expected integer, found string"):
            pa.table(things(source, contract="freeze"))


def test_what_breaks_other_readers_is_in_the_table() -> None:
    deep: object = "end"
    for _ in range(500):
        deep = {"d": deep}
    records: Rows = [
        {"id": 1, "empty": {}, "none": None, "list": [], "deep": deep, "n": 10**30, "f": 1.5},
        {"id": 2, "empty": {}, "none": None, "list": [], "deep": {"d": 1}, "n": 5, "f": 2},
    ]
    with api(json.dumps(records)) as source:
        stream = things(source)
        table = stream.arrow()
    assert_nothing_is_missing(records, table.to_pylist())


def test_a_large_record_is_in_a_table_of_its_own_without_copies_in_statistics(tmp_path: Path) -> None:
    pages = [
        json.dumps([{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]),
        json.dumps([{"id": 3, "text": "c" * 9_000_000}, {"id": 4, "text": "d"}]),
    ]
    with api(*pages) as source:
        report = things(source).pull(to=tmp_path / "lake", format="parquet", progress=False)
    assert report.status == "complete"
    tables = [pq.ParquetFile(path) for path in sorted(tmp_path.rglob("*.parquet"))]
    assert [table.read().column("id").to_pylist() for table in tables] == [[1, 2], [3], [4]]
    assert tables[1].read().column("text").to_pylist() == ["c" * 9_000_000]
    column = [table.metadata.row_group(0).column(1) for table in tables]
    assert [part.is_stats_set for part in column] == [True, False, True]
    assert not column[1].has_dictionary_page


def test_an_empty_stream_has_its_declared_columns(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=0)
    users = okta(org).stream("users")
    for table in (users.arrow(), pa.table(users)):
        assert table.num_rows == 0
        assert table.schema.field("created").type == pa.timestamp("us", "UTC")
    assert users.polars().height == users.pandas().shape[0] == 0
    report = users.pull(to=tmp_path, format="parquet")
    index = json.loads((tmp_path / str(report.manifest)).read_text())
    assert index["tables"]["columns"]["columns"][0] == {"name": "id", "type": "string", "declared": True}


def test_what_is_missing_to_make_a_table_is_reported(start_org: StartOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    org = start_org(users=1)
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(ModuleNotFoundError, match="pip install polars"):
        okta(org).stream("users").polars()


def test_children_have_columns_of_their_parents(start_org: StartOrg) -> None:
    org = start_org(apps=5, app_users=(1, 2))
    table = okta(org).stream("application_users").arrow()
    assert table.column_names[0] == "_parent_id"
    assert set(table["_parent_id"].to_pylist()) == {entry["id"] for entry in org.truth("apps")}


def test_parquet_in_a_lake_is_read_by_everybody_and_equal_to_the_records(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=2_500)
    cli = cli_for(org)
    done = cli.pull("--format", "parquet", "--json")
    report = done.report
    assert (done.code, report["status"], report["records"], report["objects"]) == (0, "complete", 2_500, 1)
    (file,) = cli.folder.glob("lake/okta/**/*.parquet")
    assert cli("verify", cli.folder / "lake" / report["manifest"]).code == 0
    records = list(okta(org).stream("users").records())
    assert_nothing_is_missing(records, pq.read_table(file).to_pylist())
    assert_nothing_is_missing(records, pl.read_parquet(file).to_dicts())
    rows = duckdb.connect().read_parquet(str(file)).to_arrow_table()
    assert_nothing_is_missing(records, rows.to_pylist())
    facts = pq.ParquetFile(file).metadata.row_group(0)
    login = next(facts.column(n) for n in range(facts.num_columns) if facts.column(n).path_in_schema == "profile.login")
    assert login.compression == "ZSTD"
    assert login.statistics.min < login.statistics.max


def test_a_pull_has_the_layout_of_its_stream(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=30)
    flat = okta(org).stream("users", nested="flatten", raw=True)
    flat.pull(to=tmp_path, format="parquet")
    (file,) = tmp_path.glob("okta/**/*.parquet")
    assert {"profile__login", "_raw"} <= set(pq.read_schema(file).names)
    with pytest.raises(SettingsError, match="were laid out as `flatten`, not as `struct`"):
        okta(org).stream("users").pull(to=tmp_path, format="parquet")
    assert okta(org).stream("users").pull(to=tmp_path, format="parquet", nested="flatten").status == "complete"


def test_another_place_is_refused_as_ever(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=30)
    users = okta(org).stream("users")
    users.pull(to=tmp_path / "one", format="parquet", state=tmp_path / "state.db")
    with pytest.raises(StateError, match="another"):
        users.pull(to=tmp_path / "other", format="parquet", state=tmp_path / "state.db")


def test_arrow_files_in_a_lake_are_read(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700)
    report = okta(org).stream("users").pull(to=tmp_path, format="arrow")
    assert circulate_core.verify(tmp_path / str(report.manifest)).problems == ()
    (file,) = tmp_path.glob("okta/**/*.arrow")
    assert pyarrow.ipc.open_file(file).read_all().num_rows == pl.read_ipc(file).height == 700


def test_damaged_tables_are_found(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700)
    report = okta(org).stream("users").pull(to=tmp_path, format="parquet")
    (file,) = tmp_path.glob("okta/**/*.parquet")
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-9] + b"123456789")
    assert circulate_core.verify(tmp_path / str(report.manifest)).problems


def test_drift_in_a_lake_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api(*DRIFTING) as source:
        stream = things(source, columns={"age": "integer"})
        report = stream.pull(to=tmp_path, format="parquet")
        assert report.drift is not None
        assert [(place.path, place.count) for place in report.drift.places] == [("/age", 1), ("/age", 1)]
        with pytest.raises(DataError, match="/age"):
            stream.pull(to=tmp_path, format="parquet", contract="freeze")
        assert stream.pull(to=tmp_path, format="parquet").status == "complete"
    assert capsys.readouterr().err == ""


def test_options_that_do_not_go_with_tables_are_refused(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=3)
    cli = cli_for(org)
    for wrong in (("--compression", "gzip"), ("--batch-records", "10"), ("--memory", "1000")):
        done = cli.pull("--format", "parquet", *wrong)
        assert done.code == 2
        assert org.request_count == 0
        assert f"({wrong[0]}" in done.err or wrong[0] in done.err


def test_a_promotion_copies_tables_as_they_are(start_org: StartOrg, cli_for_place: CliFor) -> None:
    cli = cli_for_place(start_org(users=300))
    promoting = Promoting.of(cli)
    report = cli.pull("--format", "parquet", "--json").report
    done = promoting(report["manifest"], "--compact")
    assert (done.code, done.report["objects"]) == (0, 1), done.err
    assert promoting.verify(report["manifest"]).code == 0
    lake = promoting.data.lake()
    (file,) = lake.glob("okta/**/*.parquet")
    assert pq.read_table(file).num_rows == 300
    tables = json.loads((lake / report["manifest"]).read_bytes())["tables"]
    assert tables == json.loads((cli.place.lake() / report["manifest"]).read_bytes())["tables"]


def test_a_killed_pull_goes_on_and_no_record_is_there_twice(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=4_000, faults=["stall:60@12"])
    cli = cli_for(org)
    checkpoints = ("--format", "parquet", "--lease", "1s")
    pulling = cli.start_pull(*checkpoints, "--deadline", "1h")
    org.wait_for_requests(12, timeout=PATIENCE)
    pulling.kill()
    pulling.communicate()
    done = cli.pull(*checkpoints)
    while done.code == 4:
        done = cli.pull(*checkpoints)
    assert done.code == 0, done.err
    files = [str(file) for file in cli.folder.glob("lake/okta/**/*.parquet")]
    ids = pl.read_parquet(files)["id"]
    assert (ids.len(), ids.n_unique()) == (4_000, 4_000)
    assert cli("verify", cli.folder / "lake" / done.report["manifest"]).code == 0


ROOT = Path(__file__).parents[2]


def venv_with(folder: Path, extra: str) -> Path:
    """Make an environment of the package and what an extra of it installs, out of ours; returns its Python."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed, found = list(project["optional-dependencies"][extra]), set()
    while needed:
        requirement = needed.pop()
        if "extra ==" in requirement:
            continue
        (name,) = re.findall(r"^[A-Za-z0-9._-]+", requirement)
        if name not in found:
            found.add(name)
            installed = metadata.distribution(name)
            needed += installed.requires or []
            for top in {file.parts[0] for file in installed.files or () if ".." not in file.parts}:
                (packages / top).symlink_to(Path(str(installed.locate_file(top))))
    (packages / "circulate_core").symlink_to(ROOT / "python" / "circulate_core")
    return folder / "bin" / "python"


TIMES = """
import sys, circulate_core
source = circulate_core.source("acme", base_url=sys.argv[1])
columns = {"seen": "timestamp"}
stream = source.stream("things", path="/things", query={"page": "0"}, paginator="link_header", columns=columns)
print([time.isoformat() for time, in stream.duckdb().order("seen").project("seen").fetchall()])
"""


def test_times_become_python_values_with_what_the_extra_for_duckdb_installs(tmp_path: Path) -> None:
    python = venv_with(tmp_path / "venv", "duckdb")
    page = '[{"seen":"2026-11-22T05:30:00Z"},{"seen":"2026-11-22 06:30:00.5+0000"}]'
    with api(page) as source:
        environment = {"HOME": str(tmp_path), "TZ": "UTC"}
        address = str(source.definition["base_url"])
        done = subprocess.run(
            [python, "-c", TIMES, address], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['2026-11-22T05:30:00+00:00', '2026-11-22T06:30:00.500000+00:00']"


def test_a_declared_time_is_one_for_the_column_and_the_cursor_in_every_form(tmp_path: Path) -> None:
    forms = [
        "2016-12-31T23:59:57Z",
        "2016-12-31t23:59:57.5z",
        "2016-12-31 23:59:58+0000",
        "2017-01-01T00:59:59,25+01",
        "2016-12-31T23:59:59.500000000000-00:00",
        "2016-12-31T23:59:60Z",
    ]
    page = json.dumps([{"id": str(number), "at": form} for number, form in enumerate(forms)])
    rule = {"cursor": "/at", "param": "since", "since": "{since}", "until": "{until}", "overlap": "0s"}
    with api(page) as source:
        stream = things(source, columns={"at": "timestamp"}, incremental=rule)
        table = stream.arrow()
        report = stream.pull(to=tmp_path / "lake", format="parquet")
    assert table["_rescued"].null_count == len(forms)
    seconds = [time.timestamp() for time in table["at"].to_pylist()]
    midnight = datetime.fromisoformat("2017-01-01T00:00:00+00:00").timestamp()
    assert [time - midnight for time in seconds] == [-3, -2.5, -2, -0.75, -0.5, 0]
    assert (report.records_without_time, report.next_since) == (0, datetime(2017, 1, 1, tzinfo=UTC))
