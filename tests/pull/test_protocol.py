"""The commit protocol around a single pull: dedup, pending, forgotten pages, gc, state."""

import json
import shutil
import time
from pathlib import Path

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.commands import PATIENCE

import circulate_core
from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_practice.compare import objects, records


def ids(manifest: Path) -> list[str]:
    return [json.loads(record)["id"] for record in records(manifest)]


def test_what_comes_again_is_left_out_and_what_changed_is_not(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=400)
    cli = cli_for(org)
    cli.pull()
    changed = set(org.change(30))
    second = cli.pull()
    assert set(ids(cli.manifest(second))) == changed
    third = cli.pull()
    assert (third.report["records"], third.report["repeats"]) == (0, 30)
    assert "30 records left out: delivered before, byte for byte" in third.err
    changed_again = set(org.change(5))
    assert set(ids(cli.manifest(cli.pull()))) == changed_again


def test_a_full_refresh_leaves_nothing_out(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=300))
    cli.pull()
    assert cli.pull("--full").report["records"] == 300


def test_cursors_that_expired_begin_the_run_anew(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=700, faults=["stall:60@3"])
    cli = cli_for(org)
    stopped = cli.pull_until(org, 3).report
    org.expire_cursors()
    done = cli.pull()
    assert (done.code, done.report["records"], done.report["resumed"]) == (0, 700, False)
    assert done.report["run_id"] != stopped["run_id"]
    assert "no longer knows the page" in done.err
    states = {run["run_id"]: run["status"] for run in json.loads(cli("runs", "--to", "lake", "--json").out)}
    assert states[stopped["run_id"]] == "abandoned"


def test_a_pending_run_counts_once_it_is_committed(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=250)
    cli = cli_for(org)
    pending = cli.pull("--pending", "1h").report
    assert pending["status"] == "complete"
    waiting = cli.pull()
    assert (waiting.code, f"circulate state commit {pending['run_id']}" in waiting.err) == (4, True)
    assert "waits to be committed or abandoned until" in cli("state", "show", "--to", "lake").out
    assert cli("state", "commit", pending["run_id"], "--to", "lake").code == 0
    assert cli("state", "commit", pending["run_id"], "--to", "lake").code == 0
    assert cli.pull().report["window"]["since"] == pending["next_since"]


def test_an_abandoned_pending_run_leaves_the_cursor(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=250))
    pending = cli.pull("--pending", "1h").report
    assert cli("state", "abandon", pending["run_id"], "--to", "lake").code == 0
    refused = cli("state", "commit", pending["run_id"], "--to", "lake")
    assert (refused.code, "is abandoned, not pending" in refused.err) == (1, True)
    assert "was abandoned" in cli("verify", cli.folder / "lake" / pending["manifest"]).err
    again = cli.pull().report
    assert (again["records"], again["window"]["since"]) == (250, "1970-01-01T00:00:00Z")


def test_a_definition_that_changed_needs_a_full_pull(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=60))
    cli.pull()
    shutil.copytree(SHIPPED_CATALOG, cli.folder / "catalog")
    file = cli.folder / "catalog/okta/users.yaml"
    file.write_text(file.read_text().replace("overlap: 5m", "overlap: 10m"))
    refused = cli.pull("--catalog", "catalog")
    assert (refused.code, "definition has changed" in refused.err, "--full" in refused.err) == (1, True, True)
    assert cli.pull("--catalog", "catalog", "--full").code == 0
    assert cli.pull("--catalog", "catalog").code == 0


def test_a_wait_that_is_too_long_is_left_to_others(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=900, rate_limit=4, window=60.0)
    cli = cli_for(org)
    began = time.time()
    done = cli.pull("--max-wait", "30s")
    headroom = "wait: waiting to leave 50 % of the quota to others (headroom)"
    assert (done.code, done.report["status"], done.report["stopped_by"]) == (3, "partial", headroom)
    assert done.report["records"] == 400
    assert began + 50 <= done.report["resume_after"] <= time.time() + 65
    assert f"stopped by: {headroom}" in done.err
    assert "the API asked" not in done.err


def test_gc_removes_what_no_manifest_names(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1_200, faults=["stall:60@4"])
    cli = cli_for(org)
    cli.pull_until(org, 4)
    open_run = cli("gc", "--to", "lake", "--older-than", "0s", "--json").out
    assert json.loads(open_run)["removed"] == 0, "an open run keeps what it has"
    done = cli.pull("--restart")
    foreign = cli.folder / "lake/notes.txt"
    foreign.write_text("mine")
    assert json.loads(cli("gc", "--to", "lake", "--json").out)["removed"] == 0, "it is young"
    dry = json.loads(cli("gc", "--to", "lake", "--older-than", "0s", "--dry-run", "--json").out)
    removed = json.loads(cli("gc", "--to", "lake", "--older-than", "0s", "--json").out)
    assert dry == removed
    assert removed["removed"] == 3, "the object, its keys and the part of the run that was given up"
    assert foreign.exists()
    assert cli("verify", cli.manifest(done)).code == 0
    named = set(objects(cli.manifest(done)))
    assert named == set((cli.folder / "lake/okta").rglob("*.gz"))


def test_state_shows_where_a_stream_stands_and_resets_it(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=450, faults=["stall:60@2"])
    cli = cli_for(org)
    cli.pull_until(org, 2)
    shown = cli("state", "show", "--to", "lake").out
    assert "free: the next pull resumes it (interrupted)" in shown
    cli.pull()
    shown = cli("state", "show", "--to", "lake").out
    assert "next run       from 20" in shown
    assert "committed  incremental  450 records" in shown
    assert cli("state", "reset", "okta.users", "--to", "lake").code == 0
    assert "takes everything" in cli("state", "show", "--to", "lake").out
    assert cli.pull().report["records"] == 450


def test_state_is_not_reset_under_a_worker(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=450, faults=["stall:60@2"])
    cli = cli_for(org)
    with cli.start("pull", "okta.users", "--to", "lake", "--account", "practice") as pull:
        org.wait_for_requests(2, timeout=PATIENCE)
        assert f"held by process {pull.pid}" in cli("state", "show", "--to", "lake").out
        refused = cli("state", "reset", "okta.users", "--to", "lake")
        assert (refused.code, f"process {pull.pid}" in refused.err) == (1, True)
        pull.terminate()
        pull.communicate(timeout=PATIENCE)


def test_a_record_from_the_future_does_not_silence_the_stream(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=50)
    cli = cli_for(org)
    cli.pull()
    org.change(1, at=4_070_908_800.0)
    assert cli.pull().report["records"] == 1
    changed = set(org.change(3))
    assert changed <= set(ids(cli.manifest(cli.pull())))


@pytest.mark.parametrize("hours", [-30, 30])
def test_the_clients_clock_changes_nothing_in_what_is_collected(
    start_org: StartOrg, cli_for: CliFor, hours: int
) -> None:
    org = start_org(users=200, clock=lambda: 1_795_325_400.0 + hours * 3600)
    cli = cli_for(org)
    assert cli.pull().report["records"] == 200
    changed = set(org.change(7))
    assert set(ids(cli.manifest(cli.pull()))) == changed


def test_the_api_lists_state(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=20)
    settings = {"org_url": org.url, "api_token": org.token}
    circulate_core.pull("okta.users", to=tmp_path, settings=settings)
    assert circulate_core.gc(tmp_path, older_than=0).removed == 0


def test_a_foreign_state_is_not_used_for_gc(cli: Cli) -> None:
    done = cli("gc", "--to", "nowhere")
    assert (done.code, "no state file" in done.err) == (1, True)
