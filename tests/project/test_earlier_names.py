"""Names of the version before still work, and say what they are called now."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import CliFor, StartOrg
from support.practice_client import Client

import circulate_core


@pytest.mark.parametrize(
    ("earlier", "now"),
    [("circulate_core.practice", "circulate_practice"), ("circulate_core.aws.local", "circulate_local")],
)
def test_an_earlier_name_of_a_package_has_what_the_package_has(earlier: str, now: str) -> None:
    sys.modules.pop(earlier, None)
    with pytest.warns(DeprecationWarning, match=f"{earlier} is now {now}") as reported:
        old = importlib.import_module(earlier)
    assert len(reported) == 1
    new = importlib.import_module(now)
    assert old.__all__ == new.__all__
    assert all(getattr(old, name) is getattr(new, name) for name in new.__all__)


def test_the_practice_org_runs_by_its_earlier_name_and_names_the_new_one() -> None:
    command = [sys.executable, "-m", "circulate_core.practice", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "usage: circulate practice-org" in done.stdout
    assert "python -m circulate_practice" in done.stderr


@pytest.mark.parametrize("member", ["gaps", "holes"])
def test_the_gaps_of_a_manifest_are_read_by_both_names(tmp_path: Path, member: str) -> None:
    path = tmp_path / "_circulate/acme/a/people/r.json"
    path.parent.mkdir(parents=True)
    index = {
        "schema": 1,
        "run_id": "r",
        "source": "acme",
        "account": "a",
        "endpoint": "people",
        "verdict": "partial",
        "mode": "full",
        "window": {"since": None, "until": None},
        "started_at": "2026-11-22T05:30:00Z",
        "parts": [],
        "totals": {"pages": 1, "records": 0, "objects": 0, "bytes": 0, "body_bytes": 0},
        "cursors": {},
        "repeats": 0,
        member: ["id 1"],
    }
    path.write_text(json.dumps(index))
    manifest = circulate_core.manifest(path)
    assert (manifest.gaps, manifest.ends) == (("id 1",), None)
    with pytest.warns(DeprecationWarning, match=r"use `Manifest\.gaps`") as warned:
        assert manifest.holes == ("id 1",)
    assert warned[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"use `Manifest\.to_dict\(\)`"):
        assert manifest.index == index


def test_runs_are_bound_by_the_earlier_name_of_the_limit(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=3)
    settings = {"org_url": org.url, "api_token": org.token}
    reports = [circulate_core.pull("okta.users", to=tmp_path / "lake", settings=settings, mode="full") for _ in "ab"]
    state = tmp_path / "lake/.circulate/state.db"
    with pytest.warns(DeprecationWarning, match="use `limit`"):
        runs = circulate_core.runs(state, most=1)
    assert [run.run_id for run in runs] == [reports[1].run_id]
    with pytest.warns(DeprecationWarning, match="use `run`"):
        manifest = circulate_core.manifest(of=reports[0])
    assert manifest.run_id == reports[0].run_id


def test_the_earlier_flag_of_the_limit_works(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    for _ in "ab":
        cli.pull("--full")
    listed = cli("runs", *cli.place.arguments, "--most", "1", "--json")
    assert len(json.loads(listed.out)) == 1


def test_control_routes_take_a_list_by_the_earlier_name(start_org: StartOrg) -> None:
    client = Client(start_org(users=3, devices=2))
    truth = [client.get(f"/_practice/truth?{name}=devices").body for name in ("list", "of")]
    assert truth[0] == truth[1]
    assert len(truth[0].splitlines()) == 2
    client.close()


def test_a_pull_takes_its_idempotency_key_by_the_earlier_name(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=3)
    settings = {"org_url": org.url, "api_token": org.token}
    with pytest.warns(DeprecationWarning, match="use `idempotency_key`"):
        first = circulate_core.pull("okta.users", to=tmp_path / "lake", settings=settings, request="a")
    again = circulate_core.pull("okta.users", to=tmp_path / "lake", settings=settings, idempotency_key="a")
    assert (again.run_id, first.records) == (first.run_id, 3)
