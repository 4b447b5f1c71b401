"""What people get wrong with the lake, and what they read then: what failed, and what to do."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.commands import PATIENCE

import circulate_core
from circulate_core import Lake, MismatchError, SettingsError
from circulate_core.console import display_width


@pytest.fixture
def cli(start_org: StartOrg, cli_for: CliFor) -> Cli:
    """A lake of 40 users and their groups."""
    made = cli_for(start_org(users=40, groups=3, seed=2))
    assert made("pull", "okta.users", "okta.groups", "--to", "lake").code == 0
    (made.folder / "file").touch()
    (made.folder / "notes").mkdir()
    (made.folder / "notes/mine.json").write_text("{}")
    return made


@pytest.fixture
def lake(cli: Cli) -> Lake:
    """The same for Python."""
    return circulate_core.lake(cli.folder / "lake")


THERE = "the tables there: okta.groups, okta.users"


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        ("show --to nowhere", "there is no such folder — folder ", "name the folder that was pulled or promoted to"),
        ("runs --coverage --to nowhere", "there is no such folder", "name the folder that was pulled or promoted to"),
        ("register nowhere --to s3://tables/t --database d", "there is no such folder", "name the folder"),
        ("show okta.users --to file", "it is a file, not a folder", "name the folder that was pulled or promoted to"),
        (
            "show okta.users --to notes",
            "no committed run of okta.users",
            "nothing was pulled or promoted to this place",
        ),
        ("register notes --to s3://tables/t --database d", "there are no runs in ", "nothing was pulled or promoted"),
        ("show okta.usrs", "no committed run of okta.usrs", f"did you mean `okta.users`? {THERE}"),
        ("show users", "invalid stream `users`", f"did you mean `okta.users`? {THERE}"),
        ("show OKTA.USERS", "no committed run of OKTA.USERS", f"did you mean `okta.users`? {THERE}"),
        ("show acme.things", "no committed run of acme.things", THERE),
        ("register lake --stream okta.usrs --to s3://tables/t --database d", "no runs of okta.usrs", "`okta.users`?"),
        ("show okta.users --account acme", "account `acme`", "it has the accounts: 127.0.0.1-"),
        (
            "show okta.users --columns ID,profile.login",
            "no column `ID`, `profile.login`",
            "mean `id`, `profile`? it has",
        ),
        ("show okta.users --columns id,id", "the column `id` is requested twice", ""),
        ("show okta.users --columns=", "invalid `--columns`", ""),
        ("show okta.users --at never", "invalid `--at`: `never` is not a time", ""),
        ("show okta.users --at=", "invalid `--at`: `` is not a time", ""),
        ("show okta.users --changes never", "invalid `--changes`: `never` is not a time", ""),
        ("show okta.users --changes=", "invalid `--changes`: `` is not a time", ""),
        ("show okta.users --at 2001-01-01", "no run of okta.users was committed until", "the first one was committed"),
        ("show --history --at 3d -n 2", "--history, --at, --rows without a STREAM", "name a stream"),
        ("show --format csv", "the list of tables is not written as csv", "--format json"),
        ("show okta.users --format csv -o notes", "'notes' is a folder", "name a file"),
        ("show okta.users --format csv --output=", "'' is no file", "name a file"),
        ("show okta.users --format csv -o none/x.csv", "there is no folder none", "make it, or name another file"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(cli: Cli, words: str, what: str, hint: str) -> None:
    given = words.split() if "--to" in words else [*words.split(), "--to", "lake"]
    done = cli(*given)
    assert done.code in {1, 2}
    assert done.out == ""
    first, *hints = done.err.splitlines()
    assert what in first
    assert any(line.startswith("hint: ") and hint in line for line in hints) if hint else not hints
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["show", "okta.users", "--at", "9999-01-01"], "--at"),
        (["show", "okta.users", "--changes", "9999-01-01"], "--changes"),
        (["sql", "SELECT id FROM okta.users", "--at", "9999-01-01"], "--at"),
    ],
)
def test_a_time_in_the_future_is_noted(cli: Cli, words: list[str], flag: str) -> None:
    done = cli(*words, "--to", "lake")
    assert done.code == 0
    assert f"note: {flag} 9999-01-01 is in the future" in done.err


@pytest.mark.parametrize(
    ("query", "what", "hint"),
    [
        ("SELECT * FROM users", "Table with name users does not exist", f"did you mean `okta.users`? {THERE}"),
        ("SELECT * FROM okta.usrs", 'name "okta.usrs" does not exist', f"did you mean `okta.users`? {THERE}"),
        ("SHOW TABLES", "DuckDB knows only the tables that a query names", THERE),
        ("SELEC 1", "syntax error", None),
        ("SELECT nope FROM okta.users", 'column "nope" not found', None),
    ],
)
def test_a_hint_of_sql_names_tables_only_where_one_is_missing(
    lake: Lake, query: str, what: str, hint: str | None
) -> None:
    with pytest.raises(SettingsError, match=what) as refused:
        lake.sql(query)
    assert refused.value.hint == hint
    assert "sqlite_master" not in str(refused.value)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (lambda lake: lake[3], "invalid `stream`"),
        (lambda lake: lake.sql(None), "invalid `query`"),
        (lambda lake: lake.sql("SELECT 1", at="never"), "invalid `at`"),
        (lambda lake: lake["okta.users"].at(None), "invalid `at`"),
        (lambda lake: lake["okta.users"].changes(None), "invalid `since`"),
        (lambda lake: lake["okta.users"].select(), "invalid `columns`"),
        (lambda lake: lake["okta.users"].select(["id"]), "invalid `columns`"),
        (lambda lake: lake.table("okta.users", columns="id"), "invalid `columns`"),
        (lambda lake: lake.table("okta.users", primary_key="/id"), "invalid `primary_key`"),
        (lambda lake: lake.table("okta.users", primary_key=["id"]), "'id' is not a JSON Pointer"),
    ],
)
def test_a_wrong_argument_is_named_when_it_is_given(lake: Lake, code: Any, what: str) -> None:  # noqa: ANN401 - a call
    with pytest.raises(SettingsError, match=what):
        code(lake)


def test_a_backfill_needs_a_place() -> None:
    with pytest.raises(TypeError, match="'to'"):
        circulate_core.backfill("okta.users")  # type: ignore[call-arg]


def test_a_table_in_a_notebook_is_named_and_not_read(lake: Lake) -> None:
    assert not hasattr(lake["okta.nothing"], "_repr_html_")
    assert repr(lake["okta.nothing"]).startswith("<LakeTable okta.nothing of ")


def test_a_history_whose_first_run_asked_for_all_time_is_whole(lake: Lake) -> None:
    """A full pull of users asks for what changed since 1970, as Okta needs a time."""
    table = lake["okta.users"]
    assert table.polars().height == 40
    assert table.report.history_starts_at is None


def test_a_tampered_object_is_what_sql_says_too(cli: Cli, lake: Lake) -> None:
    (file,) = (cli.folder / "lake/okta").glob("*/users/**/*.json.gz")
    file.chmod(0o600)
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(MismatchError, match="differs from what was written"):
        lake.sql("SELECT * FROM okta.users")


@pytest.mark.parametrize("missing", ["duckdb", "pytz"])
def test_a_missing_library_is_an_error_that_names_the_extra(cli: Cli, tmp_path: Path, missing: str) -> None:
    # A module that is none: who imports it finds nothing.
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules[{missing!r}] = None")
    for words in (["show", "okta.users"], ["sql", "SELECT 1"]):
        done = cli.process(*words, "--to", "lake", PYTHONPATH=str(tmp_path))
        assert (done.code, done.out) == (2, "")
        assert done.err.splitlines() == [
            f"error: rows of a lake are read with {missing}, which is not installed",
            "hint: pip install 'circulate-core[duckdb]'",
        ]


def test_times_are_in_utc_wherever_they_are_read(cli: Cli) -> None:
    query = [
        "sql",
        "SELECT created, created::TIMESTAMP naive FROM okta.users ORDER BY id",
        "--to",
        "lake",
        "-n",
        "1",
    ]
    here = {kind: cli(*query, "--format", kind).out for kind in ("table", "csv", "json")}
    there = {kind: cli(*query, "--format", kind, TZ="America/New_York").out for kind in here}
    assert here == there
    [row] = json.loads(here["json"])
    assert row["created"] == f"{row['naive']}Z"
    assert here["csv"].splitlines()[1] == f"{row['created']},{row['naive']}"
    assert here["table"].splitlines()[1].startswith(f"{row['created'].removesuffix('000Z')}Z")


def test_what_is_nested_is_json_in_csv(cli: Cli) -> None:
    query = "SELECT {'a': [1, 2], 'b': 'x\"y'} AS struct, ['p', NULL] AS list, MAP {'k': 1} AS map"
    _, line = cli("sql", query, "--to", "lake", "--format", "csv").out.splitlines()
    assert line == '"{""a"":[1,2],""b"":""x\\""y""}","[""p"",null]","{""k"":1}"'


def test_columns_of_one_name_are_all_shown(cli: Cli) -> None:
    query = "SELECT 1 AS a, 2 AS a, 3 AS a_1"
    assert cli("sql", query, "--to", "lake").out.splitlines()[1].split() == ["1", "2", "3"]


def test_columns_stand_below_each_other_whatever_their_letters(cli: Cli) -> None:
    query = (
        "SELECT unnest(['日本語', 'abc', repeat('日', 60), 'e' || chr(769), chr(27) || '[31m']) AS name, 'x' AS last"
    )
    lines = cli("sql", query, "--to", "lake").out.splitlines()
    assert {display_width(line) for line in lines[1:]} == {display_width(lines[1])}
    assert all(line.endswith("  x") for line in lines[1:])
    assert "…" in lines[3]
    assert "\x1b" not in "".join(lines)


def test_a_table_without_rows_fits_the_terminal_and_names_its_columns(cli: Cli) -> None:
    done = cli("sql", "SELECT id, status FROM okta.users WHERE false", "--to", "lake")
    assert (done.out, done.err) == ("id  status\n", "0 rows\n")


def test_a_query_plan_is_shown_whole(cli: Cli) -> None:
    done = cli("sql", "EXPLAIN SELECT count(*) FROM okta.users", "--to", "lake")
    assert "…" not in done.out
    assert len(done.out.splitlines()) > 3


def test_a_dash_is_stdout(cli: Cli) -> None:
    done = cli("sql", "SELECT 1 AS a", "--to", "lake", "--format", "csv", "-o", "-")
    assert done.out == "a\n1\n"
    assert not (cli.folder / "-").exists()


@pytest.mark.parametrize("options", [[], ["--format", "csv"], ["--format", "csv", "-o", "all.csv"]])
def test_ctrl_c_ends_a_query(cli: Cli, options: list[str]) -> None:
    endless = "SELECT sum(i) FROM range(100_000_000_000) t(i) WHERE i % 7 = 3"
    begun = cli.folder / "begun"
    os.mkfifo(begun)
    # Says when the query begins.
    (cli.folder / "sitecustomize.py").write_text(
        "import threading\n"
        "start = threading.Thread.start\n"
        "def noting(self):\n"
        "    threading.Thread.start = start\n"
        "    start(self)\n"
        f"    open({str(begun)!r}, 'w').close()\n"
        "threading.Thread.start = noting\n"
    )
    watched = replace(cli, environment=cli.environment | {"PYTHONPATH": str(cli.folder)})
    process = watched.start("sql", endless, "--to", "lake", *options)
    begun.read_bytes()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (130, "", "")
    assert not [file for file in cli.folder.iterdir() if "all.csv" in file.name]


def test_a_reader_that_has_seen_enough_ends_a_query(cli: Cli) -> None:
    with cli.start("sql", "SELECT i FROM range(100_000_000_000) t(i)", "--to", "lake", "--format", "csv") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "i\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 1


def test_a_closed_stdout_is_no_traceback(cli: Cli) -> None:
    code = (
        "import sys; sys.stdout = None; from circulate_core.cli.main import main;"
        "sys.exit(main(['sql', 'SELECT 1', '--to', 'lake', '--format', 'csv']))"
    )
    done = cli.python(code)
    assert (done.code, done.err) == (1, "error: cannot write: stdout is closed\n")
