"""Time promotions of many tiny objects: folder to folder, bucket to bucket, and to a bucket far away; print Markdown.

- `folder`: objects are read, checked and written.
- `S3`: s3s-fs, an S3 written in Rust, copies by itself.
- `S3, far away`: the same with round trips that take their time (`far.py`).
- `..., compact`: all objects in one of lines.

What is promoted is pulled before, and not timed: a user an object, which is the worst that a manifest can hold. Every
promotion is a fresh process to a fresh place. `make bench-promote` builds what is measured and calls this below
`tests/support/stand_ins.py`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import RSS_UNIT, complain, cores, memory, positive, practice_org, processor, release_build, say
from lake import BUCKET, CLI, FAR, FOLDER, MAKE_BUCKET, REGION, S3, S3S, far

COMPACT = ", compact"


@dataclass(frozen=True, slots=True)
class Source:
    """A run to promote."""

    manifest: str
    state: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """What a promotion took: seconds, and bytes of memory at the most."""

    wall: float
    cpu: float
    rss: int


def pulled(place: str, state: str, environment: Mapping[str, str]) -> Source:
    """Pull all users, each in an object of its own."""
    options = ("--batch-records", "1", "--account", "bench", "--json")
    command = [*CLI, "pull", "okta.users", "--to", place, "--state", state, *options]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    report = json.loads(done.stdout)
    return Source(f"{place}/{report['manifest']}", state, report["objects"], report["bytes"])


def measure(source: Source, to: str, environment: Mapping[str, str], *options: str) -> Run:
    """Promote a run to a fresh place, and take time and memory."""
    command = [*CLI, "promote", source.manifest, "--to", to, "--state", source.state, *options]
    os.sync()  # Nobody writes back what another one left in the page cache.
    started = time.perf_counter()
    child = os.posix_spawn(command[0], command, environment)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - started
    if status:
        message = f"the promotion to {to} ended with exit code {os.waitstatus_to_exitcode(status)}"
        raise SystemExit(message)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * RSS_UNIT)


def main() -> int:
    """Run the benchmark; return the exit code."""
    options = arguments().parse_args()
    s3 = os.environ.get(S3S)
    if not s3:
        complain("run it below the stand-ins for AWS: `make bench-promote`")
        return 2
    if not release_build():
        complain("the extension looks like a debug build; `make bench-promote` makes a release build")
        return 2
    with tempfile.TemporaryDirectory(prefix="circulate-bench-") as folder, far(s3, options.s3) as far_s3:
        environment = {**os.environ, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL_S3": s3}
        subprocess.run([sys.executable, "-c", MAKE_BUCKET, BUCKET], check=True, env=environment)
        places = {FOLDER: folder, S3: f"s3://{BUCKET}"}
        sources = {}
        with practice_org(options.objects, "0s") as org:
            pulling = {**environment, "OKTA_ORG_URL": org.url, "OKTA_API_TOKEN": org.token}
            for name, place in places.items():
                complain(f"pulling {options.objects:,} objects: {name}")
                sources[name] = pulled(f"{place}/raw", str(Path(folder, f"{name}.db")), pulling)
        runs: dict[str, Run] = {}
        for name, mode in [(FOLDER, ()), (FOLDER, ("--compact",)), (S3, ()), (S3, ("--compact",)), (FAR, ())]:
            at = {**environment, "AWS_ENDPOINT_URL_S3": far_s3} if name == FAR else environment
            known = FOLDER if name == FOLDER else S3
            title = name + COMPACT * bool(mode)
            runs[title] = measure(sources[known], f"{places[known]}/data-{len(runs)}", at, *mode)
    say(table(sources[S3], runs))
    say(facts(options, sources[S3]))
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="promote.py", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--objects", type=positive, default=100_000, help="objects of the run (default: %(default)s)")
    add("--s3", type=positive, default=30, metavar="MS", help="round trip to the far S3 (default: %(default)s)")
    return parser


def table(source: Source, runs: Mapping[str, Run]) -> str:
    """Return what was measured as a table."""
    rows = ["place | wall s | CPU s | peak RSS MB | objects/s | MB/s", "--- |" + " ---: |" * 5]
    for name, run in runs.items():
        speed = f"{source.objects / run.wall:,.0f} | {source.bytes / run.wall / 1e6:.1f}"
        rows.append(f"{name} | {run.wall:.1f} | {run.cpu:.1f} | {memory(run.rss)} | {speed}")
    return "\n".join(f"| {row.removesuffix(' |')} |" for row in rows)


def facts(options: argparse.Namespace, source: Source) -> str:
    """Return what the figures depend on, and how to get them again."""
    lines = [
        f"{source.objects:,} objects of {source.bytes / source.objects:,.0f} bytes; one promotion each.",
        f"Far away: round trips of {options.s3} ms, at any bandwidth.",
        f"{cores()} cores, {processor()}, shared with S3 and the delays.",
        f'Repeat: `make bench-promote BENCH_PROMOTE="--objects {options.objects} --s3 {options.s3}"`.',
    ]
    return "".join(f"\n- {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
