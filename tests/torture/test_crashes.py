"""Kill the worker with SIGKILL at every point of the protocol while the org keeps changing, and count what is lost.

`make test` kills at each point once or twice; `make torture` at least 20 times. Seeds are 0, 1, 2, ...; a failure names
its seed, and the file `points` beside the lake has every point that was reached.
"""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.commands import PATIENCE
from support.oracle import check_quiet, missed_versions
from support.places import Bucket

from circulate_practice import PracticeOrg

POINTS = [
    f"{when}-{what}"
    for what in (
        "open",
        "head",
        "address",
        "claim",
        "paginators",
        "attempt",
        "object",
        "keys",
        "part",
        "checkpoint",
        "renewal",
        "dedup-set",
        "cursor",
        "index",
        "lease-freed",
        "commit",
        "head-freed",
        "marker",
        "marked",
    )
    for when in ("before", "after")
]
WRITTEN_ONCE = ("address", "paginators")
"""What the first run of an account writes, and no later one."""
REPEATS = int(os.environ.get("TORTURE", "1"))
USERS = 900


def options(cli: Cli) -> tuple[str, ...]:
    """Return the options of a pull that writes many objects and whose lease soon lapses."""
    return ("--lease", cli.place.lease, "--batch-records", "10")


def pull_until_complete(cli: Cli, org: PracticeOrg, crashes: list[str], chance: random.Random) -> int:
    """Pull with one crash after the other, then without; returns how many workers were killed."""
    killed = 0
    for crash in crashes:
        done = cli.pull(*options(cli), CIRCULATE_CRASH=crash, CIRCULATE_CRASH_LOG=str(cli.folder / "points"))
        killed += done.code == -signal.SIGKILL
        org.change(chance.randrange(1, 8))
    while (done := cli.pull(*options(cli))).code == 4:
        pass  # the lease of the last one killed has not lapsed yet
    assert done.code == 0, done.err
    return killed


@contextmanager
def changing(org: PracticeOrg) -> Iterator[None]:
    """Change a user with every request the org gets, so that pages move while they are read."""
    at_rest = threading.Event()

    def change() -> None:
        while not at_rest.is_set():
            wait_for_more_requests(org, org.request_count + 1, timeout=0.1)
            org.change(1)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        yield
    finally:
        at_rest.set()
        changer.join()


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_loses_and_repeats_nothing(
    start_org: StartOrg, cli_for_place: CliFor, point: str
) -> None:
    killed = 0
    for seed in range(REPEATS):
        chance = random.Random(f"{point}-{seed}")  # noqa: S311 - a test's choice
        org = start_org(users=USERS, seed=seed)
        cli = cli_for_place(org, f"seed-{seed}")
        if chance.random() < 0.5 and not point.endswith(WRITTEN_ONCE):
            assert cli.pull(*options(cli)).code == 0
        valid = {entry["id"]: entry["sha256"] for entry in org.truth()}
        org.change(chance.randrange(1, 30))
        still_valid = {entry["id"] for entry in org.truth() if valid.get(entry["id"]) == entry["sha256"]}
        crash = f"{point}#{chance.randrange(1, 4)}"
        crashes = [f"{point}#1", crash]
        if REPEATS == 1 and isinstance(cli.place, Bucket):
            crashes.pop()  # for speed: its leases take up to a second to lapse
        with changing(org):
            killed += pull_until_complete(cli, org, crashes, chance)
        unchanged = {entry["id"]: entry["sha256"] for entry in org.truth() if entry["id"] in still_valid}
        unchanged = {key: digest for key, digest in unchanged.items() if valid[key] == digest}
        assert missed_versions(cli, unchanged) == set(), f"seed {seed}"
        check_quiet(cli, org, *options(cli))
        org.stop()
    print(f"{point}: {killed} workers killed")  # noqa: T201 - shown by pytest -rP
    assert killed >= REPEATS


def test_workers_killed_at_random_times_lose_and_repeat_nothing(start_org: StartOrg, cli_for_place: CliFor) -> None:
    for seed in range(REPEATS):
        chance = random.Random(seed)  # noqa: S311 - a test's choice
        org = start_org(users=USERS, seed=seed, latency=0.01)
        cli = cli_for_place(org, f"seed-{seed}")
        for _ in range(3):
            before = org.request_count
            with cli.start_pull(*options(cli)) as pull:
                wait_for_more_requests(org, before + chance.randrange(1, 6))
                org.change(chance.randrange(1, 20))
                pull.kill()
                pull.communicate(timeout=PATIENCE)
        pull_until_complete(cli, org, [], chance)
        check_quiet(cli, org, *options(cli))
        org.stop()


def wait_for_more_requests(org: PracticeOrg, count: int, timeout: float = 2.0) -> None:
    """Wait until the org got so many requests, or long enough for a pull that needed fewer."""
    try:
        org.wait_for_requests(count, timeout=timeout)
    except TimeoutError:
        return


def test_a_worker_that_sleeps_past_its_lease_changes_nothing(start_org: StartOrg, cli_for_place: CliFor) -> None:
    for point in ("before-checkpoint", "before-index", "before-commit", "before-cursor", "before-part"):
        org = start_org(users=USERS)
        cli = cli_for_place(org, point)
        cli.environment["CIRCULATE_PAUSE"] = f"{point}#1"
        pull = cli.start_pull(*options(cli))
        with pull as sleeper, killed_after(sleeper):
            os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED)
            del cli.environment["CIRCULATE_PAUSE"]
            while cli.pull(*options(cli)).code == 4:
                pass  # until the sleeper's lease lapses
            org.change(10)
            assert cli.pull(*options(cli)).code == 0
            before = digests(cli)
            sleeper.send_signal(signal.SIGCONT)
            _, err = sleeper.communicate(timeout=PATIENCE)
        assert sleeper.returncode == 1, f"{point}: {err}"
        assert "another worker has taken over" in err
        after = digests(cli)
        assert {key: after.get(key) for key in before} == before, point
        check_quiet(cli, org, *options(cli))
        org.stop()


@contextmanager
def killed_after(process: subprocess.Popen[str]) -> Iterator[None]:
    """A stopped process would be waited for for ever if the test fails."""
    try:
        yield
    finally:
        process.kill()


def digests(cli: Cli) -> dict[Path, str]:
    """Return the digests of all finished objects."""
    lake = cli.place.lake()
    finished = (path for path in lake.rglob("*") if path.is_file() and not path.name.startswith(".writing-"))
    return {
        path.relative_to(lake): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in finished
        if ".circulate" not in path.parts
    }


@pytest.mark.parametrize("starters", [2, 8])
def test_of_many_starters_one_runs_and_the_others_say_who(
    start_org: StartOrg, cli_for_place: CliFor, starters: int
) -> None:
    others_have_ended = threading.Event()
    org = start_org(users=USERS, faults=["stall:60@2"], wait=others_have_ended.wait)
    cli = cli_for_place(org)
    started = [cli.start_pull() for _ in range(starters)]
    with ThreadPoolExecutor(starters) as pool:
        waiting = [pool.submit(process.communicate, timeout=PATIENCE) for process in started]
        for _ in islice(as_completed(waiting), starters - 1):
            pass
        others_have_ended.set()
        ended = [future.result() for future in waiting]
    codes = sorted(process.returncode for process in started)
    assert codes == [0, *[4] * (starters - 1)]
    worker = next(process.pid for process in started if process.returncode == 0)
    for process, (out, err) in zip(started, ended, strict=True):
        if process.returncode == 4:
            assert json.loads(out)["status"] == "busy"
            assert re.search(rf"process {worker} on .* is pulling it", err)
    check_quiet(cli, org, *options(cli))
    assert len(org.log) <= USERS / 200 + 2, "only one of them sent requests to the org"
