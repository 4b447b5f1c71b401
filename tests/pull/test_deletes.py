"""What is no longer there: what a pull says of it, deletes, and withholds until somebody agrees."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.changing import serving
from support.cli import Cli
from support.http_server import Server
from support.members import Members
from support.packages import write

import circulate_core
from circulate_core.aws.events import Event

FULL: dict[str, Any] = {"mode": "full"}


def test_who_left_is_deleted_and_the_report_the_ledger_and_the_manifest_say_so(tmp_path: Path) -> None:
    members = Members(set(range(120)))
    with serving(members, tmp_path, {}) as lake:
        first = lake.pull(**FULL)
        assert first.deletes == circulate_core.Deletes.from_dict({"count": 0})
        members.ids -= {3, 17}
        report = lake.pull(**FULL)
    assert report.deletes is not None
    assert (report.deletes.count, report.deletes.withheld) == (2, None)
    manifest = circulate_core.manifest(report)
    assert manifest.deletes is not None
    assert manifest.deletes.count == 2
    [run, _] = circulate_core.runs(tmp_path)
    assert run.ledger.deletes == report.deletes
    assert circulate_core.verify(f"{tmp_path}/{report.manifest}").problems == ()


def test_ninety_percent_gone_in_one_pull_are_withheld_until_somebody_agrees(tmp_path: Path) -> None:
    members = Members(set(range(1000)))
    with serving(members, tmp_path, {}) as lake:
        lake.pull(**FULL)
        members.ids = set(range(900, 1000))
        withheld = lake.pull(**FULL).deletes
        assert withheld is not None
        assert withheld.withheld is not None
        assert (withheld.count, withheld.withheld.count) == (0, 900)
        assert withheld.withheld.reason == "900 of 1000 would be deleted, more than 20 %"
        accepted = lake.pull(accept_deletes=True, **FULL).deletes
        assert accepted is not None
        assert (accepted.count, accepted.withheld) == (900, None)


def test_tables_have_the_keys_of_json_and_a_pull_of_another_format_goes_on(tmp_path: Path) -> None:
    members = Members(set(range(60)))
    with serving(members, tmp_path, {}) as lake:
        for number, format in enumerate(("json", "parquet", "ndjson", "arrow", "json")):  # noqa: A001 - the field's term
            report = lake.pull(format=format, **FULL)
            assert report.deletes is not None
            assert (report.deletes.count, report.deletes.withheld) == (min(number, 1), None), format
            members.ids.remove(number)


def test_promotion_carries_deletes_and_a_changed_file_of_keys_is_found(tmp_path: Path) -> None:
    members = Members(set(range(120)))
    with serving(members, tmp_path / "raw", {}) as lake:
        lake.pull(**FULL)
        members.ids -= {3, 17}
        report = lake.pull(**FULL)
    for compact in (False, True):
        target = tmp_path / f"data-{compact}"
        state = tmp_path / "raw/.circulate/state.db"
        circulate_core.promote(f"{tmp_path}/raw/{report.manifest}", to=target, state=state, compact=compact)
        index = target / str(report.manifest)
        assert circulate_core.manifest(index).deletes == circulate_core.manifest(report).deletes
        assert circulate_core.verify(index).problems == ()
        named = json.loads(index.read_text())["deletes"]["files"][0]["key"]
        (target / named).write_bytes((target / named).read_bytes()[:-1] + b"?")
        [problem] = circulate_core.verify(index).problems
        assert "the file of keys was changed after it was written" in problem
        assert named in problem


SOURCE = """\
source: club
title: Club
settings:
  url: {env: CLUB_URL, about: Address of the API}
base_url: "{url}"
auth: [none]
"""
ITEMS = """\
endpoint: items
about: Items.
list:
  path: /items
  records: /items
  primary_key: [/id]
  paginator: {next_url: {body: /next}}
"""


@pytest.fixture
def club(cli: Cli) -> Iterator[tuple[Cli, Members]]:
    """A catalog of one's own, and the API that it is of."""
    write(cli.folder / "definitions/club/source.yaml", SOURCE)
    write(cli.folder / "definitions/club/items.yaml", ITEMS)
    members = Members(set(range(200)))
    with Server(members.respond) as server:
        yield Cli(cli.folder, cli.environment | {"CLUB_URL": server.url}, cli.place), members


def test_the_command_line_says_what_was_deleted_and_what_was_not(club: tuple[Cli, Members]) -> None:
    cli, members = club

    def pull(*more: str) -> str:
        done = cli("pull", "club.items", "--catalog", "definitions", "--to", "lake", "--full", *more)
        assert done.code == 0, done.err
        return str(done.err)

    assert "deleted" not in pull()
    members.ids -= {1, 2}
    assert "  2 records deleted: no longer there\n" in pull()
    members.ids -= set(range(100))
    said = pull()
    assert "  not deleted: 98 records missing: 98 of 198 would be deleted, more than 20 %\n" in said
    assert "`--full --accept-deletes`" in said
    runs = cli("runs", "--state", "lake/.circulate/state.db")
    assert "DELETED" in runs.out
    assert "did not delete 98 records missing: 98 of 198 would be deleted, more than 20 %" in runs.err
    assert "  98 records deleted: no longer there\n" in pull("--accept-deletes")


def test_an_event_of_a_function_may_agree() -> None:
    assert Event.read({"mode": "full", "accept_deletes": True}).accept_deletes
    assert not Event.read({}).accept_deletes
    with pytest.raises(circulate_core.SettingsError, match="`accept_deletes` of the event must be true or false"):
        Event.read({"accept_deletes": "yes"})
