"""SQL over a lake: what a query names is read, what is not there is named, and nothing is written."""

import json

import pytest
from support.cli import Cli, CliFor, StartOrg

import circulate_core
from circulate_core import Lake, SettingsError
from circulate_core.lake_tables import LakeTable


@pytest.fixture
def cli(start_org: StartOrg, cli_for: CliFor) -> Cli:
    """A lake of 40 users and their groups."""
    made = cli_for(start_org(users=40, groups=3, seed=2))
    assert made("pull", "okta.users", "okta.groups", "--to", "lake").code == 0
    return made


@pytest.fixture
def lake(cli: Cli) -> Lake:
    """The same for Python."""
    return circulate_core.lake(cli.folder / "lake")


def test_only_columns_that_a_query_names_are_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, ...]] = []
    select = LakeTable.select

    def noting(self: LakeTable, *columns: str) -> LakeTable:
        read.append(columns)
        return select(self, *columns)

    monkeypatch.setattr(LakeTable, "select", noting)
    assert lake.sql("SELECT count(*) FROM okta.users WHERE status = 'ACTIVE'").fetchall()
    assert lake.sql('SELECT u.profile.login FROM "okta"."users" AS u').fetchall()
    assert read == [("status",), ("profile",)]
    for query in ("SELECT * FROM okta.users", "SELECT u FROM okta.users u", "FROM okta.users", "SUMMARIZE okta.users"):
        assert lake.sql(query).fetchall(), query
    assert len(read) == 2


def test_history_stands_beside_what_is_current(lake: Lake) -> None:
    [(current, versions)] = lake.sql(
        "SELECT (SELECT count(*) FROM okta.users), (SELECT count(*) FROM history.okta.users WHERE _change = 'upsert')"
    ).fetchall()
    assert (current, versions) == (40, 40)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM users", "Table with name users does not exist"),
        ("SELECT nope FROM okta.users", 'column "nope" not found'),
        ("SELEC 1", "syntax error"),
        ("DROP TABLE okta.users", "expected one statement that reads, found DROP"),
        ("CREATE TABLE x (a INT)", "expected one statement that reads, found CREATE"),
        ("SELECT 1; SELECT 2", "expected one statement that reads, found SELECT, SELECT"),
        ("", "expected one statement that reads, found none"),
    ],
)
def test_what_is_not_there_or_would_write_is_refused(lake: Lake, query: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        lake.sql(query)


def test_rows_are_written_in_each_format(cli: Cli) -> None:
    query = ("sql", "SELECT id, status FROM okta.users ORDER BY id", "--to", "lake", "-n", "3")
    rows = json.loads(cli(*query, "--format", "json").out)
    lines = cli(*query, "--format", "ndjson").out.splitlines()
    assert [json.loads(line) for line in lines] == rows
    table = cli(*query, "--format", "csv").out.splitlines()
    assert table == ["id,status", *(f"{row['id']},{row['status']}" for row in rows)]
    assert cli(*query, "--format", "parquet", "-o", "users.parquet").err.endswith("3 rows in users.parquet\n")
    assert (cli.folder / "users.parquet").read_bytes()[:4] == b"PAR1"
    assert not [file for file in cli.folder.iterdir() if file.name.startswith(".users")]


def test_a_tampered_object_is_an_error_and_no_row(cli: Cli) -> None:
    (file,) = (cli.folder / "lake/okta").glob("*/users/**/*.json.gz")
    file.chmod(0o600)
    file.write_bytes(file.read_bytes() + b" ")
    done = cli("show", "okta.users", "--to", "lake")
    assert (done.code, done.out) == (1, "")
    assert file.name in done.err
    assert "Traceback" not in done.err
