"""`circulate demo`: the main job, for real, against a practice org on this machine."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request

import circulate_core
from circulate_core import loopback
from circulate_core.cli.options import positive
from circulate_core.console import paint, say, size

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

CHANGED = 25
EXCERPT = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate demo`."""
    parser.add_argument("--users", metavar="N", type=positive, default=10_000, help="users of the org (default: 10000)")
    parser.add_argument("--to", metavar="DIR", type=Path, help="folder for the lake (default: a new temporary one)")


@dataclass(frozen=True)
class Org:
    """The practice org, in a process of its own."""

    url: str
    token: str
    log: Path


def run(args: argparse.Namespace) -> int:
    """Pull, look at what came, compare it with what was sent, and pull again after a change."""
    lake = Path(args.to or tempfile.mkdtemp(prefix="circulate-demo-")).resolve()
    with tempfile.TemporaryDirectory() as scratch, practice_org(args.users, Path(scratch, "log.jsonl")) as org:
        environment = {"OKTA_ORG_URL": org.url, "OKTA_API_TOKEN": org.token}
        # Named after its host: each org is an account of its own, so that a demo may go to the folder of another one.
        pull = ["pull", "okta.users", "--to", str(lake)]
        _step("An Okta-shaped org is running on this machine. Can we reach it?")
        _circulate(["check", "okta"], environment)
        seen = len(org.log.read_bytes().splitlines())
        _step("Pull all its users. Pages come over HTTP; gzip JSON arrays and a manifest go to a folder.")
        _circulate(pull, environment)
        manifest = _newest_manifest(lake)
        _step("What is in the folder now?")
        _show_folder(lake, manifest)
        _step("Read everything back: is it what the manifest says?")
        _circulate(["verify", str(manifest)], {})
        _step("Is it what the org sent? Compare with the digests that it logged.")
        identical = _compare(manifest, org, seen)
        _step(f"{CHANGED} users change. Pull again: only what changed is requested.")
        _change(org)
        _circulate(pull, environment)
        _step("What did we do?")
        _circulate(["runs", "--to", str(lake)], {})
    say()
    say(f"The lake is still there: {lake}")
    return 0 if identical else 1


@contextmanager
def practice_org(users: int, log: Path) -> Iterator[Org]:
    """Run a practice org until the block ends."""
    command = [sys.executable, "-m", "circulate_practice", "--users", str(users), "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - our own command
        try:
            words = (process.stdout.readline() if process.stdout else "").split()
            yield Org(url=words[2], token=words[4], log=log)
        finally:
            process.terminate()


def _step(text: str) -> None:
    say()
    say(paint(f"— {text}", "bold"))


def _circulate(arguments: list[str], environment: dict[str, str]) -> None:
    shown = " ".join(f"{name}={value}" for name, value in environment.items() if name == "OKTA_ORG_URL")
    say(paint(f"$ {shown}{' ' if shown else ''}circulate {shlex.join(arguments)}", "dim"))
    command = [sys.executable, "-m", "circulate_core.cli.main", *arguments]
    done = subprocess.run(command, check=False, env={**os.environ, **environment})  # noqa: S603 - our own command
    if done.returncode:
        raise SystemExit(done.returncode)


def _newest_manifest(lake: Path) -> Path:
    runs = circulate_core.runs(lake / ".circulate" / "state.db")
    return lake / next(run.manifest for run in runs if run.manifest)


def _show_folder(lake: Path, manifest: Path) -> None:
    from circulate_practice.compare import objects, records  # noqa: PLC0415 - not part of the Lambda layer

    for path in [*objects(manifest), manifest]:
        say(f"  {size(path.stat().st_size):>9}  {path.relative_to(lake)}")
    first = next(records(manifest)).decode()
    say(f"  the first record: {first[:EXCERPT]}...")


def _compare(manifest: Path, org: Org, seen: int) -> bool:
    from circulate_practice.compare import compare, sent_by  # noqa: PLC0415 - not part of the Lambda layer

    comparison = compare(manifest, sent_by(org.log, after=seen))
    mark = paint("✓", "green") if comparison.identical else paint("✗", "red")
    say(
        f"{mark} {comparison.same:,} records byte-identical to what was sent,"
        f" {comparison.missing:,} missing, {comparison.extra:,} that were not sent"
    )
    return comparison.identical


def _change(org: Org) -> None:
    request = Request(f"{org.url}/_practice/change?count={CHANGED}", method="POST")  # noqa: S310 - loopback
    loopback.ask(request, 10)
