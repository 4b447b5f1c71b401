"""Applications with their users and groups, groups with their members: against an org that changes."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, CliFor, Done, StartOrg

from circulate_practice import PracticeOrg
from circulate_practice.compare import compare, key_of, records

APPLICATIONS = ("okta.applications", "okta.application_users", "okta.application_groups")
LISTS = {
    "okta.users": "users",
    "okta.applications": "apps",
    "okta.application_users": "app_users",
    "okta.application_groups": "app_groups",
    "okta.groups": "groups",
    "okta.group_members": "group_members",
}


def pull(cli: Cli, *arguments: str, **environment: str) -> Done:
    return cli("pull", "--to", "lake", "--account", "practice", "--json", *arguments, **environment)


def reports(done: Done) -> dict[str, Any]:
    """The reports of a pull by stream, in the order they came."""
    return {report["stream"]: report for report in map(json.loads, done.out.splitlines())}


def assert_exact(cli: Cli, org: PracticeOrg, report: dict[str, Any]) -> None:
    """What a run delivered is what the org has, each record once."""
    truth = [key_of(entry) for entry in org.truth(LISTS[report["stream"]])]
    comparison = compare(cli.folder / "lake" / report["manifest"], truth)
    assert (comparison.missing, comparison.extra) == (0, 0), report["stream"]
    assert comparison.same == len(truth) == report["records"]


def requested(org: PracticeOrg, collection: str, *, after: int = 0) -> int:
    """How often the org got requests for pages of a list."""
    return sum(entry["collection"] == collection for entry in org.log[after:])


def test_applications_with_their_users_and_groups_are_pulled_and_listed_once(
    start_org: StartOrg, cli_for: CliFor
) -> None:
    org = start_org(users=100, apps=450, app_users=(0, 3), app_groups=(0, 2))
    cli = cli_for(org)
    # Children are named first: their parents are pulled first all the same.
    done = pull(cli, *reversed(APPLICATIONS))
    assert done.code == 0, done.err
    pulled = reports(done)
    assert next(iter(pulled)) == "okta.applications"
    for report in pulled.values():
        assert_exact(cli, org, report)
        assert cli("verify", cli.folder / "lake" / report["manifest"]).code == 0
    assert pulled["okta.application_users"]["partitions"] == {
        "complete": 450,
        "gone": 0,
        "refused": 0,
        "unavailable": 0,
    }
    assert requested(org, "apps") == 3, "three pages of 200"
    assert "✓ okta.application_users   complete  " in done.err
    assert "450 partitions" in pull(cli, "okta.application_users", "--full").err


def test_children_alone_list_their_parents_themselves(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(apps=30)
    cli = cli_for(org)
    done = pull(cli, "okta.application_groups", "--format", "json")
    assert done.code == 0, done.err
    assert_exact(cli, org, reports(done)["okta.application_groups"])


def test_an_application_with_many_pages_of_users_is_whole(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(apps=3, app_users=1700, faults=["app_users/empty-page@2*2"])
    cli = cli_for(org)
    done = pull(cli, "okta.application_users")
    assert done.code == 0, done.err
    assert_exact(cli, org, reports(done)["okta.application_users"])


def test_records_name_their_parent(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(apps=2, app_users=2)
    cli = cli_for(org)
    report = reports(pull(cli, "okta.application_users"))["okta.application_users"]
    apps = {entry["id"] for entry in org.truth("apps")}
    found = [json.loads(record) for record in records(cli.folder / "lake" / report["manifest"])]
    assert {record["_circulate"]["parent"]["id"] for record in found} == apps


def test_group_members_are_requested_again_only_where_they_changed(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=300, groups=40, group_members=(1, 30))
    cli = cli_for(org)
    both = ("okta.groups", "okta.group_members")
    first = reports(pull(cli, *both))
    for report in first.values():
        assert_exact(cli, org, report)
    changed = [entry["id"] for entry in org.truth("groups")][:3]
    for group in changed:
        org.change_children("group_members", group, add=1, remove=1)
    org.rename([entry["id"] for entry in org.truth("groups")][10])
    before = len(org.log)
    second = reports(pull(cli, *both))
    assert second["okta.groups"]["records"] >= 4, "three with other members, one renamed"
    members = second["okta.group_members"]
    manifest = cli.folder / "lake" / members["manifest"]
    truth = [key_of(entry) for entry in org.truth("group_members") if entry["parent"] in changed]
    comparison = compare(manifest, truth)
    assert comparison.missing == 0
    assert requested(org, "group_members", after=before) == members["partitions"]["complete"] < 40


def test_what_becomes_of_parents_meanwhile_is_reported(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(apps=12, app_users=2)
    cli = cli_for(org)
    apps = [entry["id"] for entry in org.truth("apps")]
    org.forbid(apps[5])
    done = pull(cli, "okta.application_users")
    assert done.code == 3
    report = reports(done)["okta.application_users"]
    assert (report["status"], report["gaps"]) == ("partial", [f"id {apps[5]}"])
    assert report["partitions"] == {"complete": 11, "gone": 0, "refused": 1, "unavailable": 0}
    assert f"missing: id {apps[5]}" in done.err
    org.allow(apps[5])
    org.delete(apps[0])
    org.add_app(users=3)
    done = pull(cli, "okta.application_users")
    assert done.code == 0, done.err
    assert_exact(cli, org, reports(done)["okta.application_users"])


def test_a_parent_that_goes_between_the_list_and_its_turn_no_longer_exists(
    start_org: StartOrg, cli_for: CliFor
) -> None:
    org = start_org(apps=40, app_users=2)
    cli = cli_for(org)
    apps = [entry["id"] for entry in org.truth("apps")]
    # The plan is made and the run stopped at the first child.
    stopped = pull(cli, "okta.application_users", "--lease", "200ms", CIRCULATE_CRASH="after-checkpoint#1")
    assert stopped.code < 0
    org.delete(apps[7])
    while (done := pull(cli, "okta.application_users", "--lease", "200ms")).code == 4:
        pass
    report = reports(done)["okta.application_users"]
    assert done.code == 0
    assert (report["partitions"]["complete"], report["partitions"]["gone"]) == (39, 1)
    assert_exact(cli, org, report)


def test_a_deadline_leaves_the_rest_to_the_next_pull(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(apps=100, app_users=(0, 3), app_groups=1, latency=0.02)
    cli = cli_for(org)
    done = pull(cli, *APPLICATIONS, "--deadline", "400ms")
    assert done.code == 3
    pulls = 1
    while (done := pull(cli, *APPLICATIONS[1:], "--deadline", "1500ms")).code == 3:
        pulls += 1
        assert pulls < 50
    assert done.code == 0, done.err
    for report in reports(done).values():
        assert_exact(cli, org, report)


def test_all_lists_below_apps_share_one_quota_and_half_of_it_is_left_to_others(
    start_org: StartOrg, cli_for: CliFor
) -> None:
    org = start_org(apps=40, app_users=1, app_groups=1, rate_limits={"/api/v1/apps": 50}, window=1.0)
    cli = cli_for(org)
    done = pull(cli, *APPLICATIONS)
    assert done.code == 0, done.err
    windows = org.windows_of("/api/v1/apps")
    # Each list once, and the first page of apps in a smaller size, to see that it would name a next one, and once more.
    assert sum(window.count for window in windows) == 83
    assert max(window.count for window in windows) <= 25, "one request more would be one too many"
    assert all(report["throttled"] == 0 for report in reports(done).values())


def test_one_stream_that_fails_does_not_keep_the_others(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=5, apps=3, faults=["users/html@1*9"])
    done = pull(cli_for(org), "okta.users", "okta.applications")
    assert done.code == 1
    assert {name: report["status"] for name, report in reports(done).items()} == {
        "okta.users": "failed",
        "okta.applications": "complete",
    }


@pytest.mark.parametrize("kind", ["503", "reset", "truncate", "429", "429-concurrency", "empty-page"])
def test_faults_on_lists_of_children_lose_and_repeat_nothing(start_org: StartOrg, cli_for: CliFor, kind: str) -> None:
    faults = [f"{name}/{kind}@{page}" for name in ("apps", "app_users", "app_groups") for page in (1, 2)]
    org = start_org(apps=250, app_users=(0, 3), app_groups=(0, 30), faults=faults, window=1.0)
    cli = cli_for(org)
    done = pull(cli, *APPLICATIONS)
    assert done.code == 0, done.err
    for report in reports(done).values():
        assert_exact(cli, org, report)


def test_streams_may_stand_behind_options(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    done = cli("pull", "okta.users", "--to", "lake", "okta.groups", "--json")
    assert [json.loads(line)["stream"] for line in done.out.splitlines()] == ["okta.users", "okta.groups"]


def test_a_definition_with_a_wrong_parent_is_explained(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "definitions/okta"
    folder.mkdir(parents=True)
    shipped = Path(__file__).resolve().parents[2] / "python/circulate_core/catalog/okta"
    for name in ("source", "application_users"):
        (folder / f"{name}.yaml").write_text((shipped / f"{name}.yaml").read_text())
    done = cli("list", "--catalog", "definitions")
    assert done.code == 2
    assert "the parent `applications` of `application_users` is not an endpoint of this source" in done.err
