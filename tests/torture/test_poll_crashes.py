"""Kill a poll with SIGKILL at every point, where addresses are so long that state holds them in objects apart."""

import hashlib
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from support.cli import Cli, CliFor, Done, StartOrg
from support.oracle import committed_manifests
from support.places import Bucket

from circulate_practice import PracticeOrg
from circulate_practice.compare import records
from circulate_practice.paging import cursors

REPEATS = int(os.environ.get("TORTURE", "1"))
WRITES = ["position", "poll"]
if REPEATS > 1:
    WRITES += ["claim", "object", "checkpoint", "part", "cursor", "index", "commit", "marker"]
POINTS = [f"{when}-{what}" for what in WRITES for when in ("before", "after")]
LONG = 33_000
"""Characters of a cursor. State holds a position of 32,000 bytes, and an address of 8,000."""


def pull(cli: Cli, **environment: str) -> Done:
    options = ("--account", "practice", "--json", "--lease", cli.place.lease, "--batch-records", "50")
    return cli("pull", "okta.system_log", *cli.place.arguments, *options, **environment)


def pull_to_the_end(cli: Cli) -> None:
    """Pull once the lease of the last worker killed has lapsed."""
    while (done := pull(cli)).code == 4:
        pass
    assert done.code == 0, done.err


def delivered(cli: Cli, lake: Path) -> Counter[str]:
    """Count each event that a committed manifest holds, by its digest."""
    held = (record for manifest in committed_manifests(cli, lake) for record in records(manifest))
    return Counter(hashlib.sha256(record).hexdigest() for record in held)


def events(org: PracticeOrg) -> Counter[str]:
    return Counter(entry["sha256"] for entry in org.truth("logs"))


@pytest.mark.parametrize("point", POINTS)
def test_a_poll_killed_at_any_point_loses_and_repeats_no_event(
    start_org: StartOrg, cli_for_place: CliFor, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr(cursors, "_TAIL", "%2D" + "z" * LONG)
    killed = 0
    for seed in range(REPEATS):
        chance = random.Random(f"{point}-{seed}")  # noqa: S311 - a test's choice
        org = start_org(events=2_500, seed=seed)
        cli = cli_for_place(org, f"seed-{seed}")
        if chance.random() < 0.5:
            pull_to_the_end(cli)
            org.add_events(chance.randrange(1_000, 2_000))
        for number in (1, 2)[: 1 if REPEATS == 1 and isinstance(cli.place, Bucket) else 2]:
            killed += pull(cli, CIRCULATE_CRASH=f"{point}#{number}").code == -signal.SIGKILL
            org.add_events(chance.randrange(50))
        pull_to_the_end(cli)
        pull_to_the_end(cli)
        assert delivered(cli, cli.place.lake()) == events(org), f"seed {seed}"
        org.stop()
    print(f"{point}: {killed} workers killed")  # noqa: T201 - shown by pytest -rP
    assert killed >= REPEATS
