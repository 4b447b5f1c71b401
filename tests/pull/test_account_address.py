"""An account's name stands for one account: another one under it is refused before any request."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.cli import PLENTY, Cli, CliFor, Done, StartOrg
from support.handlers import Context
from support.places import Bucket

import circulate_core
from circulate_core import _core
from circulate_core.aws import puller
from circulate_core.exceptions import StateError
from circulate_practice import PracticeOrg
from circulate_practice.compare import compare, key_of

STREAMS = ["users", "groups", "system_log", "network_zones", "application_users", "group_members"]


@pytest.fixture
def orgs(start_org: StartOrg) -> tuple[PracticeOrg, PracticeOrg]:
    """Start two orgs with other records; all of the second's are older."""
    sizes = {"apps": 3, "app_users": 2, "groups": 4, "group_members": 2, "events": 5, "rate_limit": PLENTY}
    return start_org(users=30, seed=1, **sizes), start_org(users=40, seed=2, **sizes)


def pull(cli: Cli, org: PracticeOrg, stream: str = "users", *arguments: str) -> Done:
    command = ("pull", f"okta.{stream}", *cli.place.arguments, "--account", "acme", "--json", *arguments)
    return cli(*command, OKTA_ORG_URL=org.url, OKTA_API_TOKEN=org.token)


def assert_refused(done: Done, known: PracticeOrg, other: PracticeOrg) -> None:
    """Both are named and the ways out too, and the other one got no request."""
    assert done.code == 1, done.err
    for part in (known.url, other.url, "--account", "circulate state moved okta --account acme"):
        assert part in done.err
    assert other.request_count == 0
    assert other.token not in done.err


@pytest.mark.parametrize("stream", STREAMS)
def test_another_org_under_the_same_account_is_refused(
    cli_for_place: CliFor, orgs: tuple[PracticeOrg, PracticeOrg], stream: str
) -> None:
    first, second = orgs
    cli = cli_for_place(first)
    assert pull(cli, first, stream).code == 0
    ways: list[tuple[str, ...]] = [(), ("--full",), ("--restart",)]
    if stream in {"users", "groups", "system_log"}:
        ways.append(("--since", "2026-11-20"))
    for arguments in ways:
        assert_refused(pull(cli, second, stream, *arguments), first, second)
    # Nor do other streams of the account mix with it.
    assert_refused(pull(cli, second, "devices"), first, second)
    assert pull(cli, first, stream).code == 0
    own = ("pull", f"okta.{stream}", *cli.place.arguments, "--account", "other", "--json")
    assert cli(*own, OKTA_ORG_URL=second.url, OKTA_API_TOKEN=second.token).code == 0


def test_an_unfinished_and_a_pending_run_are_of_their_org(
    cli_for_place: CliFor, start_org: StartOrg, orgs: tuple[PracticeOrg, PracticeOrg]
) -> None:
    slow, (_, second) = start_org(users=600, faults=["stall:60@3*1"]), orgs
    cli = cli_for_place(slow)
    cli.pull_until(slow, 3, "--account", "acme")
    for arguments in ((), ("--restart",), ("--full",)):
        assert_refused(pull(cli, second, "users", *arguments), slow, second)
    pending = pull(cli, slow, "groups", "--pending", "1h")
    assert_refused(pull(cli, second, "groups"), slow, second)
    assert cli("state", "commit", pending.report["run_id"], *cli.place.arguments).code == 0
    assert_refused(pull(cli, second, "groups"), slow, second)
    resumed = pull(cli, slow)
    assert (resumed.code, resumed.report["resumed"], resumed.report["records"]) == (0, True, 600)


def test_an_org_that_has_moved_is_accepted_by_hand(
    cli_for_place: CliFor, start_org: StartOrg, orgs: tuple[PracticeOrg, PracticeOrg]
) -> None:
    """The same seed at another port is the same org at another address."""
    first, other = orgs
    cli = cli_for_place(first)
    for stream in ("users", "system_log"):
        assert pull(cli, first, stream).code == 0
    state = cli.place.arguments
    assert first.url in cli("state", "show", *state).out
    moved = start_org(users=30, seed=1, events=5)
    assert_refused(pull(cli, moved), first, moved)
    assert cli("state", "moved", "acme", *state).code == 2, "there is no such source in this state"
    done = cli("state", "moved", "okta", *state)
    assert (done.code, first.url in done.err) == (0, True)
    report = pull(cli, moved).report
    assert report["window"]["since"] != "1970-01-01T00:00:00Z", "it goes on from its cursor"
    # The log's cursor was an address of the old place: it is requested by time.
    requested = len(first.log)
    polled = pull(cli, moved, "system_log")
    assert polled.code == 0, polled.err
    assert len(first.log) == requested
    assert_refused(pull(cli, other), moved, other)
    stranded = first.request_count
    refused = pull(cli, first)
    assert (refused.code, first.request_count - stranded) == (1, 0)


def test_an_unfinished_run_of_an_org_that_has_moved_is_begun_anew(cli_for: CliFor, start_org: StartOrg) -> None:
    org, moved = start_org(users=600, faults=["stall:60@3*1"]), start_org(users=600)
    cli = cli_for(org)
    stopped = cli.pull_until(org, 3, "--account", "acme").report
    assert stopped["records"] == 400
    assert cli("state", "moved", "okta", *cli.place.arguments).code == 0
    requested = org.request_count
    report = pull(cli, moved).report
    assert (report["run_id"] == stopped["run_id"], report["records"]) == (False, 600)
    assert compare(cli.place.lake() / report["manifest"], map(key_of, moved.truth())).identical
    assert org.request_count == requested


def test_forgotten_state_takes_another_org(cli_for_place: CliFor, orgs: tuple[PracticeOrg, PracticeOrg]) -> None:
    first, second = orgs
    cli = cli_for_place(first)
    assert pull(cli, first).code == 0
    assert cli("state", "reset", "okta.users", *cli.place.arguments).code == 0
    assert pull(cli, second).report["records"] == 40


def test_a_mistyped_address_where_nothing_listens_does_not_count(
    cli: Cli, orgs: tuple[PracticeOrg, PracticeOrg]
) -> None:
    first, second = orgs
    wrong = cli(
        "pull",
        "okta.policies",
        "--to",
        "lake",
        "--account",
        "acme",
        OKTA_ORG_URL="http://127.0.0.1:9",
        OKTA_API_TOKEN="t",
    )
    assert wrong.code == 1
    assert pull(cli, first, "policies").code == 0
    assert_refused(pull(cli, second, "policies"), first, second)


def test_python_and_functions_refuse_it_too(
    aws: str, orgs: tuple[PracticeOrg, PracticeOrg], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = orgs

    def by_hand(org: PracticeOrg, **options: Any) -> Any:  # noqa: ANN401 - a report
        settings = {"org_url": org.url, "api_token": org.token}
        return circulate_core.pull("okta.users", to=tmp_path / "lake", settings=settings, account="acme", **options)

    by_hand(first)
    for options in ({}, {"mode": "full"}, {"unattended": True}, {"idempotency_key": "again"}):
        with pytest.raises(StateError, match=second.url):
            by_hand(second, **options)
    # How an address is written makes no other account of it.
    assert by_hand(first).status == "complete"
    settings = {"org_url": f" {first.url.upper().replace('HTTP', 'http')}// ", "api_token": first.token}
    circulate_core.pull("okta.users", to=tmp_path / "lake", settings=settings, account="acme")
    place = Bucket.new(aws, tmp_path, "raw")
    variables = {
        "AWS_ENDPOINT_URL": aws,
        "CIRCULATE_TO": place.uri,
        "CIRCULATE_STATE": place.state[1],
        "OKTA_ACCOUNT": "acme",
        "OKTA_API_TOKEN": first.token,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    _core.state_init(place.state[1])
    handle: Any = puller("okta.users")
    monkeypatch.setenv("OKTA_ORG_URL", first.url)
    run = handle({}, Context("a"))
    monkeypatch.setenv("OKTA_ORG_URL", second.url)
    events: tuple[dict[str, str], ...] = (
        {},
        {"mode": "full"},
        {"continuation": run["run_id"]},
        {"since": "2026-11-01T00:00:00Z"},
    )
    for number, event in enumerate(events):
        with pytest.raises(StateError, match=second.url):
            handle(event, Context(f"b{number}"))
    assert second.request_count == 0


def test_force_breaks_a_lease_that_a_wrong_clock_keeps_alive(cli_for: CliFor, start_org: StartOrg) -> None:
    """A lease of 30 days is what a clock that was so far ahead leaves behind."""
    org = start_org(users=900)
    cli = cli_for(org)
    assert cli.pull("--lease", "30d", CIRCULATE_CRASH="before-checkpoint#1").code < 0
    busy = cli.pull()
    run = busy.report["run_id"]
    assert (busy.code, f"circulate state abandon {run} --force" in busy.err) == (4, True)
    assert cli("state", "abandon", run, "--to", "lake").code == 1
    assert cli("state", "abandon", run, "--to", "lake", "--force").code == 0
    assert cli.pull().report["records"] == 900
    # One whose list was read to its end is not given up, but free.
    assert cli.pull("--full", "--lease", "30d", CIRCULATE_CRASH="before-index#1").code < 0
    refused = cli("state", "abandon", cli.pull().report["run_id"], "--to", "lake", "--force")
    assert (refused.code, "the next pull commits it" in refused.err) == (1, True)
    assert cli.pull("--full").report["records"] == 900
    assert cli.pull("--full", "--lease", "30d", CIRCULATE_CRASH="after-claim#1").code < 0
    assert cli("state", "reset", "okta.users", "--to", "lake").code == 1
    assert cli("state", "reset", "okta.users", "--to", "lake", "--force").code == 0
    assert cli.pull().report["records"] == 900
    assert {run["status"] for run in json.loads(cli("runs", "--to", "lake", "--json").out)} == {
        "abandoned",
        "committed",
    }
