"""What security teams read besides users, applications and groups: each list whole, by its own ways of paging."""

import json
from typing import Any

import pytest
from support.cli import Cli, CliFor, Done, StartOrg

from circulate_practice import PracticeOrg
from circulate_practice.compare import compare, key_of

STREAMS = {
    "okta.devices": "devices",
    "okta.policies": "policies",
    "okta.user_factors": "user_factors",
    "okta.role_assignees": "role_assignees",
    "okta.user_roles": "user_roles",
    "okta.api_tokens": "api_tokens",
    "okta.network_zones": "zones",
    "okta.authorization_servers": "authorization_servers",
}


def pull(cli: Cli, *arguments: str) -> Done:
    return cli("pull", *arguments, "--to", "lake", "--account", "practice", "--json")


def report(done: Done) -> dict[str, Any]:
    """The last report of a pull."""
    parsed: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return parsed


def assert_exact(cli: Cli, org: PracticeOrg, done: Done) -> None:
    """What was delivered is what the org has, each record once."""
    pulled = report(done)
    truth = [key_of(entry) for entry in org.truth(STREAMS[pulled["stream"]])]
    comparison = compare(cli.folder / "lake" / pulled["manifest"], truth)
    assert (comparison.missing, comparison.extra, comparison.same) == (0, 0, len(truth))


@pytest.mark.parametrize("stream", STREAMS)
def test_every_list_is_delivered_whole(start_org: StartOrg, cli_for: CliFor, stream: str) -> None:
    org = start_org(
        users=300, devices=450, policies=25, role_assignees=230, api_tokens=30, zones=430, authorization_servers=210
    )
    cli = cli_for(org)
    done = pull(cli, stream)
    assert done.code == 0, done.err
    assert report(done)["records"] > 0
    assert_exact(cli, org, done)


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ("okta.devices", "503@2"),
        ("okta.policies", "truncate@1*3"),
        ("okta.user_factors", "reset@1*4"),
        ("okta.role_assignees", "429-concurrency@2"),
        ("okta.user_roles", "503@1*3"),
        ("okta.network_zones", "empty-page@2"),
        ("okta.authorization_servers", "truncate-json@1"),
    ],
)
def test_faults_lose_and_repeat_nothing(start_org: StartOrg, cli_for: CliFor, stream: str, kind: str) -> None:
    org = start_org(
        users=60,
        devices=450,
        role_assignees=50,
        zones=430,
        authorization_servers=210,
        faults=[f"{STREAMS[stream]}/{kind}"],
        window=1.0,
    )
    cli = cli_for(org)
    done = pull(cli, stream)
    assert done.code == 0, done.err
    assert_exact(cli, org, done)


@pytest.mark.parametrize("unavailable", ["devices", "devices:404"])
def test_an_unavailable_feature_is_reported_and_not_a_failure(
    start_org: StartOrg, cli_for: CliFor, unavailable: str
) -> None:
    org = start_org(users=1, unavailable=[unavailable])
    done = pull(cli_for(org), "okta.devices")
    assert done.code == 0, done.err
    assert report(done)["records"] == 0
    assert report(done)["unavailable"]
    assert "this account lacks the feature" in done.err


def test_an_unavailable_type_of_policies_is_counted(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1, unavailable=["policies/ENTITY_RISK", "policies/CLIENT_UPDATE"])
    cli = cli_for(org)
    done = pull(cli, "okta.policies")
    assert done.code == 0, done.err
    assert report(done)["partitions"] == {"complete": 10, "gone": 0, "refused": 0, "unavailable": 2}
    assert "10 partitions, 2 that this account lacks" in done.err
    assert_exact(cli, org, done)


def test_changed_devices_are_asked_for_alone(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(devices=300)
    cli = cli_for(org)
    assert pull(cli, "okta.devices").code == 0
    done = pull(cli, "okta.devices")
    assert done.code == 0
    assert report(done)["records"] < 10


def test_roles_take_who_has_them_from_the_list_that_was_just_pulled(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=300, role_assignees=230)
    cli = cli_for(org)
    done = pull(cli, "okta.user_roles", "okta.role_assignees")
    assert done.code == 0, done.err
    assert_exact(cli, org, done)
    assert sum(entry["collection"] == "role_assignees" for entry in org.log) == 3
