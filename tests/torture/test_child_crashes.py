"""Child streams under the same torture: workers that are killed, parents that come and go, extremes of sizes."""

import json
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from support.cli import Cli, CliFor, Done, StartOrg

from circulate_practice import PracticeOrg
from circulate_practice.compare import compare, key_of, records

POINTS = [
    f"{when}-{what}"
    for what in ("open", "claim", "object", "part", "checkpoint", "index", "lease-freed", "commit", "marker")
    for when in ("before", "after")
]
REPEATS = int(os.environ.get("TORTURE", "1"))


CHILDREN = ("okta.application_users",)


def pull(cli: Cli, *arguments: str, streams: tuple[str, ...] = CHILDREN, **environment: str) -> Done:
    options = ("--account", "practice", "--json", "--lease", cli.place.lease, "--batch-records", "10")
    return cli("pull", *streams, *cli.place.arguments, *options, *arguments, **environment)


def pull_to_the_end(cli: Cli) -> Path:
    """Pull once the lease of the last worker killed has lapsed, and return the manifest."""
    while (done := pull(cli)).code == 4:
        pass
    assert done.code == 0, done.err
    return cli.manifest(done)


def assert_exact(manifest: Path, org: PracticeOrg) -> None:
    """What the run delivered is what the org has."""
    comparison = compare(manifest, [key_of(entry) for entry in org.truth("app_users")])
    assert (comparison.missing, comparison.extra) == (0, 0)


def change(org: PracticeOrg, chance: random.Random) -> None:
    """Let an app come, one go, and the users of others change."""
    apps = [entry["id"] for entry in org.truth("apps")]
    org.add_app(users=chance.randrange(3))
    org.delete(apps.pop(chance.randrange(len(apps))))
    org.change_children("app_users", chance.choice(apps), add=2)


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_loses_and_repeats_no_child(
    start_org: StartOrg, cli_for_place: CliFor, point: str
) -> None:
    killed = 0
    for seed in range(REPEATS):
        chance = random.Random(f"{point}-{seed}")  # noqa: S311 - a test's choice
        org = start_org(users=50, apps=230, app_users=(0, 3), seed=seed)
        cli = cli_for_place(org, f"seed-{seed}")
        killed += pull(cli, CIRCULATE_CRASH=f"{point}#{chance.randrange(1, 3)}").code == -signal.SIGKILL
        change(org, chance)
        again = pull_to_the_end(cli)
        delivered = Counter(records(again))
        assert [count for count in delivered.values() if count > 1] == [], f"seed {seed}"
        change(org, chance)
        assert_exact(pull_to_the_end(cli), org)
        org.stop()
    print(f"{point}: {killed} workers killed")  # noqa: T201 - shown by pytest -rP


def test_thousands_of_applications_with_a_few_users_each(start_org: StartOrg, cli_for: CliFor) -> None:
    apps = 5_000 if REPEATS > 1 else 1_000
    org = start_org(users=100, apps=apps, app_users=(0, 3), app_groups=(0, 1))
    cli = cli_for(org)
    done = pull(cli, streams=(*CHILDREN, "okta.applications", "okta.application_groups"))
    assert done.code == 0, done.err
    reports = {report["stream"]: report for report in map(json.loads, done.out.splitlines())}
    assert_exact(cli.folder / "lake" / reports["okta.application_users"]["manifest"], org)
    assert reports["okta.application_users"]["partitions"]["complete"] == apps
    assert reports["okta.application_groups"]["requests"] == apps, "the list of applications was read once"


def test_a_few_applications_with_thousands_of_users_each(start_org: StartOrg, cli_for: CliFor) -> None:
    apps, users = (50, 20_000) if REPEATS > 1 else (5, 5_000)
    org = start_org(apps=apps, app_users=users, keep_log=False)
    cli = cli_for(org)
    done = pull(cli, "--batch-records", "1000")
    assert done.code == 0, done.err
    assert done.report["records"] == apps * users
    assert_exact(cli.manifest(done), org)
