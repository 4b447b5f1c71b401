"""Compare pulls of the same users to a folder, to stand-ins for S3 and DynamoDB, and to these far away; print Markdown.

- `folder`: objects in a folder, state in SQLite.
- `S3`: objects in s3s-fs, an S3 written in Rust; state in ministack's DynamoDB.
- `S3, far away`: the same with round trips that take their time (`far.py`). It shows how many objects are on their way
  at the same time.

Every run is a fresh process with a fresh place, and the contenders take turns. All servers share the machine with what
is measured. `make bench-aws` builds what is measured and calls this below `tests/support/stand_ins.py`.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from bench import (
    RSS_UNIT,
    Org,
    complain,
    cores,
    memory,
    positive,
    practice_org,
    processor,
    release_build,
    say,
)

HERE = Path(__file__).resolve().parent
CLI = [sys.executable, "-m", "circulate_core.cli.main"]
MINISTACK, S3S = "CIRCULATE_TEST_MINISTACK", "CIRCULATE_TEST_S3S"
FOLDER, S3, FAR = "folder", "S3", "S3, far away"
BUCKET = "bench-lake"
REGION = "us-east-1"  # Where S3 makes a bucket without further words.
MAKE_BUCKET = "import sys, boto3; boto3.client('s3').create_bucket(Bucket=sys.argv[1])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a pull took: seconds, and bytes of memory at the most; and what it did."""

    wall: float
    cpu: float
    rss: int
    records: int
    objects: int


@contextmanager
def far(url: str, milliseconds: int) -> Iterator[str]:
    """Put a server so many milliseconds away."""
    command = [sys.executable, str(HERE / "far.py"), str(urlsplit(url).port), str(milliseconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


class Bench:
    """Servers, and a folder to work in."""

    def __init__(self, org: Org, endpoints: Mapping[str, Mapping[str, str]], folder: Path) -> None:
        """Make a bucket where the near S3 is."""
        self.endpoints, self.folder = endpoints, folder
        self.numbers = itertools.count()
        self.environment = {
            **os.environ,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,  # The only one that boto3 reads.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "OKTA_ORG_URL": org.url,
            "OKTA_API_TOKEN": org.token,
        }
        # In another process, so that this one stays small: see `bench.count`.
        environment = {**self.environment, **endpoints[S3]}
        subprocess.run([sys.executable, "-c", MAKE_BUCKET, BUCKET], check=True, env=environment)

    def measure(self, name: str) -> Run:
        """Run a pull to a fresh place, and take its time and memory."""
        number = next(self.numbers)
        local = self.folder / str(number)
        place, state = str(local), f"{local}/.circulate/state.db"
        environment = {**self.environment, **self.endpoints[name]}
        if name != FOLDER:
            place, state = f"s3://{BUCKET}/{number}", f"dynamodb://bench-{number}"
            subprocess.run([*CLI, "state", "init", "--state", state], check=True, env=environment, capture_output=True)
        command = [sys.executable, str(HERE / "ours.py"), place, state]
        os.sync()  # Nobody writes back what another one left in the page cache.
        started = time.perf_counter()
        child = os.posix_spawn(command[0], command, environment)
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - started
        if status:
            message = f"{name} ended with exit code {os.waitstatus_to_exitcode(status)}"
            raise SystemExit(message)
        totals = self.ledger(state, environment)
        shutil.rmtree(local, ignore_errors=True)
        return Run(
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime,
            rss=usage.ru_maxrss * RSS_UNIT,
            records=totals["records"],
            objects=totals["objects"],
        )

    def ledger(self, state: str, environment: Mapping[str, str]) -> dict[str, int]:
        """Return what the pull's own ledger says it wrote."""
        command = [*CLI, "runs", "--state", state, "--json"]
        done = subprocess.run(command, check=True, env=environment, capture_output=True)
        run: dict[str, Any] = json.loads(done.stdout)[0]
        if run["status"] != "committed":
            message = f"the run is {run['status']}"
            raise SystemExit(message)
        totals: dict[str, int] = run["ledger"]["totals"]
        return totals


def main() -> int:
    """Run the benchmark; return the exit code."""
    options = arguments().parse_args()
    dynamodb, s3 = os.environ.get(MINISTACK), os.environ.get(S3S)
    if not dynamodb or not s3:
        complain("run it below the stand-ins for AWS: `make bench-aws`")
        return 2
    if not release_build():
        complain("the extension looks like a debug build; `make bench-aws` makes a release build")
        return 2
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="circulate-bench-") as folder,
        practice_org(options.users, "0s") as org,
        far(s3, options.s3) as far_s3,
        far(dynamodb, options.dynamodb) as far_dynamodb,
    ):
        endpoints = {
            FOLDER: {},
            S3: {"AWS_ENDPOINT_URL_S3": s3, "AWS_ENDPOINT_URL_DYNAMODB": dynamodb},
            FAR: {"AWS_ENDPOINT_URL_S3": far_s3, "AWS_ENDPOINT_URL_DYNAMODB": far_dynamodb},
        }
        runs = compare(Bench(org, endpoints, Path(folder)), options.runs)
    say(table(runs))
    say(facts(options, runs, load_before=load))
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="lake.py", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--users", type=positive, default=100_000, help="users of the practice org (default: %(default)s)")
    add("--runs", type=positive, default=5, help="runs of each contender (default: %(default)s)")
    add("--s3", type=positive, default=30, metavar="MS", help="round trip to the far S3 (default: %(default)s)")
    add("--dynamodb", type=positive, default=5, metavar="MS", help="and to the far DynamoDB (default: %(default)s)")
    return parser


def compare(bench: Bench, rounds: int) -> dict[str, list[Run]]:
    """Run all contenders in turn, after one round that lets the org render its pages and warms the servers."""
    runs: dict[str, list[Run]] = {name: [] for name in (FOLDER, S3, FAR)}
    expected = bench.measure(FOLDER).records
    for number in range(rounds + 1):
        for name, own in runs.items():
            run = bench.measure(name)
            if run.records != expected:
                message = f"{name} has {run.records} records instead of {expected}"
                raise SystemExit(message)
            complain(f"round {number} of {rounds}, {name}: {run.wall:.2f} s")
            if number:
                own.append(run)
    return runs


def table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return the comparison as a table."""
    head = "place | wall s, median (min to max) | CPU s | peak RSS MB | records/s"
    rows = [head, "--- |" + " ---: |" * 4]
    for name, own in runs.items():
        walls = [run.wall for run in own]
        cells = [
            name,
            f"{median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f})",
            f"{median(run.cpu for run in own):.2f}",
            memory(median(run.rss for run in own)),
            f"{median(run.records / run.wall for run in own):,.0f}",
        ]
        rows.append(" | ".join(cells))
    return "\n".join(f"| {row.removesuffix(' |')} |" for row in rows)


def facts(options: argparse.Namespace, runs: Mapping[str, Sequence[Run]], *, load_before: float) -> str:
    """Return what the figures depend on, and how to get them again."""
    first = runs[FOLDER][0]
    took = median(far.wall - near.wall for near, far in zip(runs[S3], runs[FAR], strict=True))
    serial = first.objects * options.s3 / 1000
    requested = f"--users {options.users} --runs {options.runs} --s3 {options.s3} --dynamodb {options.dynamodb}"
    lines = [
        f"{first.records:,} users in {first.objects:,} objects; {options.runs} runs each, taking turns; medians.",
        f"Far away: round trips of {options.s3} ms to S3 and {options.dynamodb} ms to DynamoDB, at any bandwidth.",
        f"That took {took:.2f} s longer; the objects alone would have taken {serial:.2f} s one after another.",
        f"{cores()} cores, {processor()}, shared with org, S3, DynamoDB and the delays.",
        f"Load average: {load_before:.2f} before, {os.getloadavg()[0]:.2f} after.",
        f'Repeat: `make bench-aws BENCH_LAKE="{requested}"`.',
    ]
    return "".join(f"\n- {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
