"""Tables under the same torture: a run that is stopped at a checkpoint, then killed at any point, then finished."""

import hashlib
import json
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.cli import Cli, CliFor, Done, StartOrg
from support.commands import PATIENCE

from circulate_practice import PracticeOrg

POINTS = [
    f"{when}-{what}"
    for what in ("claim", "object", "tables", "part", "checkpoint", "index", "commit", "marker")
    for when in ("before", "after")
]
REPEATS = int(os.environ.get("TORTURE", "1"))
STALLS_AT = 7


def options(cli: Cli) -> tuple[str, ...]:
    """Return the options of a pull into many small tables, with records as received beside their columns."""
    small = ("--memory", "16000000", "--batch-bytes", "1000")
    return ("--format", "parquet", "--raw", "--full", "--lease", cli.place.lease, *small)


def pull_to_the_end(cli: Cli) -> Done:
    """Pull once the lease of the last worker killed has lapsed."""
    while (done := cli.pull(*options(cli))).code == 4:
        pass
    assert done.code == 0, done.err
    return done


def stop_at_a_checkpoint(cli: Cli, org: PracticeOrg) -> None:
    """Begin a run and interrupt it in the middle of the list."""
    with cli.start_pull(*options(cli)) as pulling:
        org.wait_for_requests(STALLS_AT, timeout=PATIENCE)
        pulling.send_signal(signal.SIGINT)
        pulling.communicate(timeout=PATIENCE)
    assert pulling.returncode == 130


def delivered(lake: Path, index: Path) -> Counter[str]:
    """Digests of the records that a manifest's tables hold."""
    parts = [json.loads((lake / part["key"]).read_bytes()) for part in json.loads(index.read_bytes())["parts"]]
    tables = [pq.read_table(lake / entry["key"]) for part in parts for entry in part["objects"]]
    raw = [text for table in tables for text in table["_raw"].to_pylist()]
    return Counter(hashlib.sha256(text.encode()).hexdigest() for text in raw)


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_loses_and_repeats_no_row(
    start_org: StartOrg, cli_for_place: CliFor, point: str
) -> None:
    killed = 0
    for seed in range(REPEATS):
        chance = random.Random(f"{point}-{seed}")  # noqa: S311 - a test's choice
        org = start_org(users=3_000, seed=seed, faults=[f"stall:60@{STALLS_AT}"])
        cli = cli_for_place(org, f"seed-{seed}")
        stop_at_a_checkpoint(cli, org)
        crash = f"{point}#{chance.randrange(1, 3) if 'object' in point else 1}"
        killed += cli.pull(*options(cli), CIRCULATE_CRASH=crash).code == -signal.SIGKILL
        done = pull_to_the_end(cli)
        lake = cli.place.lake()
        index = lake / done.report["manifest"]
        assert delivered(lake, index) == Counter(entry["sha256"] for entry in org.truth()), f"seed {seed}"
        assert cli("verify", *cli.place.verify(done.report["manifest"])).code == 0
        columns = json.loads(index.read_bytes())["tables"]["columns"]["columns"]
        assert {"id", "profile", "_links"} <= {column["name"] for column in columns}
        org.stop()
    assert killed >= REPEATS
