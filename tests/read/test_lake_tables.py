"""Lakes as tables: what the engine says is current, judged by the org."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pytest
from support.changing import serving
from support.cli import Cli, CliFor, StartOrg
from support.members import Members
from support.places import Bucket
from support.promotions import Promoting, root

from circulate_core import _core
from circulate_core.exceptions import CirculateError, SettingsError, StateError
from circulate_practice import PracticeOrg


def table(cli: Cli, stream: str = "okta.users", **options: Any) -> _core.LakeTable:  # noqa: ANN401 - passed on
    state = options.pop("state", None)
    return _core.LakeTable(by_markers(root(cli.place), state), stream, **options)


def by_markers(place: Path | str, state: str | None = None) -> Any:  # noqa: ANN401 - what the engine takes as a lake
    """Return a lake of which only markers say which runs count, unless its state is given."""
    return SimpleNamespace(location=str(place), state=state, s3={})


def current(cli: Cli, **options: Any) -> pa.Table:  # noqa: ANN401 - passed on
    return pa.table(table(cli, **options))


def shown(read: pa.Table) -> list[tuple[str, str]]:
    """Return who is in a table of users, and when each was updated."""
    ids, times = read.column("id").to_pylist(), read.column("lastUpdated").to_pylist()
    return sorted((user, at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z") for user, at in zip(ids, times, strict=True))


def truth(org: PracticeOrg) -> list[tuple[str, str]]:
    """Return the same, as the org has it."""
    return sorted((entry["id"], entry["lastUpdated"]) for entry in org.truth())


LOOKS = [
    ("--format", "json", "--batch-records", "50"),
    ("--format", "parquet"),
    ("--format", "ndjson", "--compression", "zstd", "--batch-records", "50"),
    ("--format", "arrow"),
]


def test_current_is_the_org_whatever_formats_the_runs_have(
    start_org: StartOrg, cli_for_place: CliFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(users=400, seed=3)
    cli = cli_for_place(org)
    for name, value in cli.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    looks = LOOKS[:2] if isinstance(cli.place, Bucket) else LOOKS
    for look in looks:
        assert cli.pull(*look).code == 0
        org.change(40)
    assert cli.pull().code == 0
    table_read = table(cli)
    read = pa.table(table_read)
    assert shown(read) == truth(org)
    assert set(read.column("_account").to_pylist()) == {"practice"}
    report = table_read.report()
    assert (report["rows"], report["runs"], report["uncounted"]) == (len(truth(org)), len(looks) + 1, [])
    assert read.schema.equals(pa.schema(table(cli).schema))


def test_wanted_columns_come_in_their_order(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=50, seed=3)
    cli = cli_for(org)
    assert cli.pull().code == 0
    read = current(cli, columns=["status", "id", "_account"])
    assert read.column_names == ["status", "id", "_account"]
    whole = current(cli).select(["status", "id", "_account"])
    assert read.sort_by("id").equals(whole.sort_by("id"))
    with pytest.raises(SettingsError, match="no column `nope`") as refused:
        current(cli, columns=["nope"])
    assert any("status" in note for note in refused.value.__notes__)


def test_a_target_reads_as_what_was_promoted(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=100, seed=3)
    promoting = Promoting.of(cli_for(org))
    for arguments in ([], ["--compact"]):
        assert promoting(promoting.pull(), *arguments).code == 0
        org.change(20)
    target = _core.LakeTable(by_markers(root(promoting.data)), "okta.users")
    assert shown(pa.table(target)) == shown(current(promoting.cli))


def test_pending_and_abandoned_runs_do_not_count(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=60, seed=3)
    cli = cli_for(org)
    assert cli.pull().code == 0
    before = truth(org)
    org.change(30)
    pending = cli.pull("--pending", "1h").report["run_id"]
    read = table(cli)
    assert shown(pa.table(read)) == before
    assert [run["run_id"] for run in read.report()["uncounted"]] == [pending]
    state = str(cli.place.lake() / ".circulate/state.db")
    assert [run["why"] for run in table(cli, state=state).report()["uncounted"]] == ["state says that it is pending"]
    assert cli("state", "commit", pending, "--to", "lake").code == 0
    assert shown(current(cli)) == truth(org)


def test_a_lake_of_an_older_version_is_marked_by_its_state(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=20, seed=3))
    assert cli.pull().code == 0
    lake = cli.place.lake()
    for index in lake.glob("_circulate/okta/practice/users/*.json"):
        as_before = {key: value for key, value in json.loads(index.read_bytes()).items() if key != "identity"}
        index.chmod(0o600)
        index.write_text(json.dumps(as_before))
        index.with_suffix(".committed").unlink()
    identity = {"kind": "entity", "primary_key": ["/id"]}
    with pytest.raises(StateError, match=r"which runs of okta\.users count: 1 run") as refused:
        table(cli, identity=identity).report()
    assert any("verify --mark" in note for note in refused.value.__notes__)
    state = str(lake / ".circulate/state.db")
    assert current(cli, identity=identity, state=state).num_rows == 20
    marked = cli("verify", "--mark", "--json")
    assert (marked.code, json.loads(marked.out)) == (0, {"created": 1, "there": 0, "elsewhere": 0})
    assert current(cli, identity=identity).num_rows == 20
    with pytest.raises(SettingsError, match="what identifies a record"):
        current(cli)


def test_a_tampered_object_is_an_error_that_names_it(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=20, seed=3))
    assert cli.pull().code == 0
    (changed,) = cli.place.lake().glob("okta/**/*.json.gz")
    changed.chmod(0o600)
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    with pytest.raises(CirculateError, match="differs from what was written") as refused:
        current(cli)
    assert changed.name in str(refused.value)


def test_a_folder_that_is_no_lake_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert _core.lake_streams(by_markers(tmp_path)) == []
    with pytest.raises(SettingsError, match=r"no committed run of okta\.users"):
        _core.LakeTable(by_markers(tmp_path), "okta.users").report()
    with pytest.raises(SettingsError, match="invalid stream `users`"):
        _core.LakeTable(by_markers(tmp_path), "users").report()


def test_streams_of_a_lake_are_listed(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=20, seed=3))
    assert cli.pull().code == 0
    (stream,) = _core.lake_streams(by_markers(cli.place.lake()))
    assert (stream["stream"], stream["accounts"], stream["kind"]) == ("okta.users", ["practice"], "entity")
    assert (stream["runs"], stream["records"], stream["primary_key"]) == (1, 20, ["/id"])


def test_history_changes_and_the_table_as_of_a_time(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=60, seed=3)
    cli = cli_for(org)
    looks = [("--format", "json"), ("--format", "parquet"), ("--format", "json")]
    known: list[tuple[str, list[tuple[str, str]]]] = []
    for look in looks:
        assert cli.pull("--full", *look).code == 0
        known.append((cli.runs()[0]["ended_at"], truth(org)))
        org.change(25)
    for at, then in known:
        assert shown(current(cli, at=at)) == then
    history = current(cli, view="history")
    assert history.column_names[:4] == ["_account", "_run_id", "_committed_at", "_change"]
    versions = sorted({user for _, then in known for user in then})
    upserts = history.filter(pa.compute.equal(history.column("_change"), "upsert"))
    assert shown(upserts) == versions
    changes = current(cli, view="changes", since=known[0][0])
    assert set(changes.column("_run_id").to_pylist()) == {run["run_id"] for run in cli.runs()[:2]}
    assert changes.num_rows == history.num_rows - len(known[0][1])
    with pytest.raises(SettingsError, match="was committed until 2020") as refused:
        current(cli, at="2020-01-01T00:00:00Z")
    assert any(known[0][0][:10] in note for note in refused.value.__notes__)
    with pytest.raises(SettingsError, match="changes since when"):
        current(cli, view="changes")
    with pytest.raises(SettingsError, match="invalid `view`: latest"):
        current(cli, view="latest")


@pytest.mark.parametrize("look", [("--format", "json", "--batch-records", "20"), ("--format", "parquet")])
def test_events_are_there_once_and_are_selected_by_their_time(
    start_org: StartOrg, cli_for: CliFor, look: tuple[str, ...]
) -> None:
    org = start_org(users=60, seed=3)
    cli = cli_for(org)
    for _ in range(3):
        assert cli("pull", "okta.system_log", "--to", "lake", "--json", *look).code == 0
        org.change(40)
    events = pa.table(table(cli, "okta.system_log", columns=["uuid", "published"]))
    ids = events.column("uuid").to_pylist()
    assert len(ids) == len(set(ids)) > 80
    times = sorted(events.column("published").to_pylist())
    middle = times[len(times) // 2]
    since = table(cli, "okta.system_log", columns=["uuid"], since=middle.isoformat())
    assert pa.table(since).num_rows == sum(time >= middle for time in times)
    report = since.report()
    assert report["objects_skipped"] > 0 or report["objects_read"] == 1
    refused = table(cli, "okta.system_log", since="2026-01-02T00:00:00Z", until="2026-01-01T00:00:00Z")
    with pytest.raises(SettingsError, match="`since` is not before `until`"):
        refused.report()


def members_of(lake: Path, **options: Any) -> _core.LakeTable:  # noqa: ANN401 - passed on
    (stream,) = _core.lake_streams(by_markers(lake))
    return _core.LakeTable(by_markers(lake), stream["stream"], **options)


def test_who_left_is_gone_from_current_and_in_the_history(tmp_path: Path) -> None:
    members = Members(set(range(60)), page=10)
    with serving(members, tmp_path, {}) as lake:
        for look in ("json", "parquet", "json"):
            report = lake.pull(mode="full", format=look)
            members.ids.remove(min(members.ids))
    read = pa.table(members_of(tmp_path))
    assert sorted(read.column("id").to_pylist()) == sorted(f"m{number}" for number in range(2, 60))
    history = pa.table(members_of(tmp_path, view="history", columns=["_change", "id", "name", "_run_id"])).to_pylist()
    deleted = {row["id"]: (row["name"], row["_run_id"]) for row in history if row["_change"] == "delete"}
    assert deleted.keys() == {"m0", "m1"}
    assert deleted["m1"] == (None, report.run_id)
    assert len(history) == 60 + 2, "who stayed as they were have one version"


@pytest.mark.parametrize("nested", ["struct", "flatten", "json"])
def test_an_event_is_there_once_whatever_formats_it_was_pulled_in(tmp_path: Path, nested: str) -> None:
    members = Members(set(range(60)), page=10)
    with serving(members, tmp_path, {"kind": "event"}) as lake:
        for form in ("json", "parquet", "ndjson", "arrow"):
            layout: dict[str, Any] = {"nested": nested} if form in {"parquet", "arrow"} else {}
            lake.pull(mode="full", format=form, **layout)
    read = members_of(tmp_path)
    assert sorted(pa.table(read).column("id").to_pylist()) == sorted(f"m{number}" for number in range(60))
    assert read.report()["runs"] == 4


def test_what_a_run_lacks_and_may_not_delete_is_current_and_reported(tmp_path: Path) -> None:
    members = Members(set(range(150)), page=10)
    with serving(members, tmp_path, {}) as lake:
        lake.pull(mode="full")
        members.ids = set(range(15))
        report = lake.pull(mode="full")
        read = members_of(tmp_path)
        assert pa.table(read).num_rows == 150
        (withheld,) = read.report()["withheld"]
        assert (withheld["count"], withheld["run_id"]) == (135, report.run_id)
        lake.pull(mode="full", accept_deletes=True)
    assert pa.table(members_of(tmp_path)).num_rows == 15
