"""Time what a fresh process pays before its first page: import, first DynamoDB call, first S3 call; print Markdown.

- `ours`: `circulate_core`: list the runs of a table, then read all back that the manifest of a small pull names.
- `boto3`: the same requests, with nothing done to the responses but reading them.
- `bare`: an interpreter that does nothing; what every Python process costs.

Every run is a fresh process, and the contenders take turns. The server is ministack on loopback, over plain HTTP: the
clients are timed, not AWS. `make bench-aws` builds what is measured and calls this below `tests/support/stand_ins.py`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import boto3  # type: ignore[import-untyped]
from bench import MEGABYTE, complain, cores, positive, practice_org, processor, release_build, say

HERE = Path(__file__).resolve().parent
OURS, BOTO3, BARE = "ours", "boto3", "bare"
REGION = "us-east-1"  # Where S3 makes a bucket without further words.
TABLE, BUCKET, PREFIX = "cold-start-state", "cold-start-lake", "lake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a process took: milliseconds, and bytes of memory at the most."""

    imported: float
    dynamodb: float
    s3: float
    wall: float
    cpu: float
    rss: float


COLUMNS = {
    "import ms": "imported",
    "first DynamoDB call ms": "dynamodb",
    "first S3 call ms": "s3",
    "process, wall ms": "wall",
    "process, CPU ms": "cpu",
}


def main() -> int:
    """Run the benchmark; return the exit code."""
    options = arguments().parse_args()
    server = os.environ.get("CIRCULATE_TEST_MINISTACK")
    if not server or sys.platform != "linux":
        complain("on Linux, run it below the stand-ins for AWS: `make bench-aws`")
        return 2
    if not release_build():
        complain("the extension looks like a debug build; `make bench-aws` makes a release build")
        return 2
    load = os.getloadavg()[0]
    runs = compare(server, options.runs)
    say(table(runs))
    say(facts(options.runs, load_before=load))
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="cold_start.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=positive, default=15, help="runs of each contender (default: %(default)s)")
    return parser


def compare(server: str, rounds: int) -> dict[str, list[Run]]:
    """Run all contenders in turn, after one round that compiles their modules and warms the server."""
    # Nobody's profile changes what is measured.
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": server,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,  # The only one that boto3 reads.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    manifest = prepare(environment)
    runs: dict[str, list[Run]] = {name: [] for name in (OURS, BOTO3, BARE)}
    for number in range(rounds + 1):
        for name, own in runs.items():
            run = measure(name, manifest, environment)
            if number:
                own.append(run)
        complain(f"round {number} of {rounds}")
    return runs


def prepare(environment: Mapping[str, str]) -> str:
    """Pull a few users into a bucket; return the key of the manifest."""
    s3 = boto3.client("s3", REGION, endpoint_url=environment["AWS_ENDPOINT_URL"])
    s3.create_bucket(Bucket=BUCKET)
    circulate = [sys.executable, "-m", "circulate_core.cli.main"]
    state = f"dynamodb://{TABLE}"
    subprocess.run(
        [*circulate, "state", "init", "--state", state], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    with practice_org(20, "0s") as org:
        secrets = {"OKTA_ORG_URL": org.url, "OKTA_API_TOKEN": org.token}
        pull = [*circulate, "pull", "okta.users", "--to", f"s3://{BUCKET}/{PREFIX}", "--state", state, "--json"]
        done = subprocess.run(
            [*pull, "--account", "practice"], check=True, env={**environment, **secrets}, capture_output=True
        )
    manifest: str = json.loads(done.stdout)["manifest"]
    return manifest


def measure(name: str, manifest: str, environment: Mapping[str, str]) -> Run:
    """Run one contender in a fresh process."""
    command = [sys.executable, str(HERE / "first_calls.py"), name, TABLE, BUCKET, PREFIX, manifest]
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        child = os.posix_spawn(
            command[0], command, environment, file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1)]
        )
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - started
        if status:
            message = f"{name} ended with exit code {os.waitstatus_to_exitcode(status)}"
            raise SystemExit(message)
        output.seek(0)
        imported, dynamodb, s3, rss = map(float, output.read().split())
    cpu = usage.ru_utime + usage.ru_stime
    return Run(imported=imported, dynamodb=dynamodb, s3=s3, wall=wall * 1000, cpu=cpu * 1000, rss=rss)


def table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return the medians as a table, and how many times as much boto3 takes."""
    middle = {
        name: [*(median(getattr(run, field) for run in own) for field in COLUMNS.values()), *memory(own, runs[BARE])]
        for name, own in runs.items()
    }
    rows = ["contender | " + " | ".join(COLUMNS) + " | peak RSS MB | above bare MB", "--- |" + " ---: |" * 7]
    for name, figures in middle.items():
        # Its steps are empty.
        steps = ["-"] * 3 if name == BARE else [f"{figure:.1f}" for figure in figures[:3]]
        rows.append(" | ".join([name, *steps, *(f"{figure:.1f}" for figure in figures[3:])]))
    ratios = (theirs / mine for mine, theirs in zip(middle[OURS], middle[BOTO3], strict=True))
    rows.append(" | ".join(["boto3 takes, ours = 1", *(f"{ratio:.1f}" for ratio in ratios)]))
    return "\n".join(f"| {row.removesuffix(' |')} |" for row in rows)


def memory(own: Sequence[Run], bare: Sequence[Run]) -> tuple[float, float]:
    """Return the peak in MB, and how much of it is more than the interpreter's."""
    peak, floor = (median(run.rss for run in of) / MEGABYTE for of in (own, bare))
    return peak, peak - floor


def facts(rounds: int, *, load_before: float) -> str:
    """Return what the figures depend on, and how to get them again."""
    lines = [
        f"Medians of {rounds} fresh processes each, taking turns, server on the same machine, files in the page cache.",
        "First DynamoDB call: client, then Query, GetItem, Query. First S3 call: client, then GetObject three times.",
        f"Plain HTTP to ministack on loopback; boto3 {boto3.__version__}, Python {sys.version.split()[0]}.",
        f"{cores()} cores, {processor()}. Load average: {load_before:.2f} before, {os.getloadavg()[0]:.2f} after.",
        f'Repeat: `make bench-aws BENCH_COLD="--runs {rounds}"`.',
    ]
    return "".join(f"\n- {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
