"""Ctrl-C at any time, and at any point of the protocol: it always arrives, and the next pull completes the run.

`make test` does a few rounds; `make torture` hundreds. Seeds are 0, 1, 2, ...; a failure names its seed.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.commands import PATIENCE
from support.oracle import check_quiet

from circulate_practice import PracticeOrg

REPEATS = int(os.environ.get("TORTURE", "1"))
ROUNDS = 10 * REPEATS
USERS = 1_100
HELD_PAGE = 5
"""The page that is held back until Ctrl-C was sent, so that no pull can end before."""

PULLS = """
import sys, circulate_core

class Litter:
    # Ctrl-C may come while this runs, and what is raised here reaches nobody.
    def __del__(self):
        sum(range(200_000))

def show(snapshot):
    for _ in range(5):
        Litter()

settings = {"org_url": sys.argv[1], "api_token": sys.argv[2]}
for line in sys.stdin:
    try:
        circulate_core.pull("okta.users", to=line.strip(), settings=settings, account="practice", on_progress=show)
    except KeyboardInterrupt:
        print("raised", flush=True)
    else:
        print("lost", flush=True)
"""


@dataclass
class Script:
    """A script that pulls into one folder after the other."""

    process: subprocess.Popen[str]

    def begin(self, lake: Path) -> None:
        """Let it begin the next pull."""
        assert self.process.stdin
        print(lake, file=self.process.stdin, flush=True)

    def interrupt(self) -> None:
        """Send Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def outcome(self) -> str:
        """Return what became of Ctrl-C."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@contextmanager
def script(org: PracticeOrg) -> Iterator[Script]:
    """Start the script."""
    command = [sys.executable, "-c", PULLS, org.url, org.token]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Script(process)
        finally:
            process.kill()


def test_ctrl_c_at_any_time_is_raised_and_the_next_pull_completes_the_run(start_org: StartOrg, cli_for: CliFor) -> None:
    sent = threading.Event()
    faults = [f"stall:60@{HELD_PAGE}*1000"]
    org = start_org(users=USERS, faults=faults, wait=lambda _: sent.wait(PATIENCE))
    with script(org) as pulls:
        for seed in range(ROUNDS):
            chance = random.Random(seed)  # noqa: S311 - a test's choice
            cli = cli_for(org, f"seed-{seed}")
            before = org.request_count
            sent.clear()
            pulls.begin(cli.place.lake())
            org.wait_for_requests(before + chance.randint(1, HELD_PAGE), timeout=PATIENCE)
            pulls.interrupt()
            sent.set()
            assert pulls.outcome() == "raised", f"seed {seed}"
            check_quiet(cli, org)


POINTS = [
    f"{when}-{what}"
    for what in ("open", "claim", "object", "part", "checkpoint", "index", "commit", "marker")
    for when in ("before", "after")
]


@pytest.mark.parametrize("point", POINTS)
def test_ctrl_c_at_any_point_stops_a_command_there(start_org: StartOrg, cli_for: CliFor, point: str) -> None:
    for seed in range(REPEATS):
        chance = random.Random(f"{point}-{seed}")  # noqa: S311 - a test's choice
        org = start_org(users=USERS, seed=seed)
        cli = cli_for(org, f"seed-{seed}")
        number = chance.randint(1, 3) if point.endswith("object") else 1
        code, report = interrupted(cli, f"{point}#{number}")
        assert code == 130, f"seed {seed}"
        assert report["status"] in {"partial", "complete"}
        check_quiet(cli, org)
        org.stop()


def interrupted(cli: Cli, point: str) -> tuple[int, dict[str, object]]:
    """Pull, and send Ctrl-C at a point; returns the exit code and the report."""
    cli.environment["CIRCULATE_PAUSE"] = point
    with cli.start_pull("--batch-records", "10") as pulling:
        try:
            os.waitid(os.P_PID, pulling.pid, os.WSTOPPED)
            pulling.send_signal(signal.SIGINT)
            pulling.send_signal(signal.SIGCONT)
            out, _ = pulling.communicate(timeout=PATIENCE)
        finally:
            pulling.kill()
    del cli.environment["CIRCULATE_PAUSE"]
    return pulling.returncode, json.loads(out)
