"""Compare three ways to pull all users of one practice org into gzip files, and print the results as Markdown.

- `ours`: `circulate_core.pull`, with everything it promises (state, checkpoints, digests, fsync).
- `plain script`: requests, json and gzip from the standard library, no promises (`plain.py`).
- `floor`: the same bytes with the same compression library and nothing else (`rust/circulate-core/examples/floor.rs`).

Every run is a fresh process with a fresh folder, and the contenders take turns, so that a machine that gets slower or
faster does so for all. `make bench` builds what is measured and calls this.
"""

import argparse
import json
import os
import platform
import resource
import shlex
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
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
RELATIVE = Path("tests/bench/bench.py")
OURS, PLAIN, FLOOR = "ours", "plain script", "floor"
MEMORY_USERS = (10_000, 400_000)
MEGABYTE = 1_000_000
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
RELEASE_SIZE = 60 * MEGABYTE
# What `ours` asks for on its first run, so that all three get the same records off the same rendered pages.
FIRST_PAGE = "/api/v1/users?filter=lastUpdated%20ge%20%221970-01-01T00%3A00%3A00.000Z%22&limit=200"


class Org(NamedTuple):
    """A running practice org."""

    url: str
    token: str


class Output(NamedTuple):
    """What a run left behind."""

    records: int
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run took: seconds, and bytes of memory at the most."""

    wall: float
    cpu: float
    rss: int
    output: Output


def main() -> int:
    """Run the benchmark; return the exit code."""
    options = arguments().parse_args()
    if not fit_to_measure(options.floor, must_be_release=options.release_check):
        return 2
    with tempfile.TemporaryDirectory(prefix="circulate-bench-") as folder:
        load = os.getloadavg()[0]
        runs = compare(options, Path(folder))
        say(result_table(runs))
        say(facts(options, runs, load_before=load))
        if options.memory:
            say(memory_table(options.latency, Path(folder)))
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog=str(RELATIVE), description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--users", type=positive, default=100_000, help="users of the practice org (default: %(default)s)")
    add("--runs", type=positive, default=5, help="runs of each contender (default: %(default)s)")
    add("--latency", default="0s", metavar="TIME", help="hold every response back, such as 50ms (default: %(default)s)")
    add("--floor", type=Path, default=default_floor(), metavar="FILE", help="the built example `floor`")
    add("--memory", action="store_true", help="also measure the memory of ours by number of users")
    add("--release-check", action="store_true", help="refuse a debug build instead of warning of it")
    return parser


def positive(text: str) -> int:
    """Return the number in `text`, which must be 1 or more."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def default_floor() -> Path:
    """Return where cargo puts the release build of the example."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target"))
    return target / "release" / "examples" / "floor"


def fit_to_measure(floor: Path, *, must_be_release: bool) -> bool:
    """Say whether what is to be measured is there and was built to be fast; complain if not."""
    if not floor.is_file():
        complain("the example `floor` is not built: run `make bench`, or give its place with --floor")
        return False
    if not release_build():
        complain("the extension looks like a debug build; `make bench` makes a release build")
        return not must_be_release
    return True


def release_build() -> bool:
    """Say whether the extension is small and has no symbols, as the release profile makes it and the others do not."""
    code = r"import circulate_core._core as m; b = open(m.__file__, 'rb').read(); print(len(b), b'\0.symtab\0' in b)"
    look = [sys.executable, "-c", code]  # In another process: see `count`.
    size, unstripped = subprocess.run(look, check=True, capture_output=True, text=True).stdout.split()
    return int(size) <= RELEASE_SIZE and unstripped == "False"


@contextmanager
def practice_org(users: int, latency: str) -> Iterator[Org]:
    """Run a practice org in a process of its own."""
    command = [sys.executable, "-m", "circulate_practice", "--users", str(users), "--latency", latency]
    # The default pacing leaves half of the quota to others; with this one there is never a wait.
    command += ["--rate-limit", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            # practice org: URL  token: TOKEN  users: N
            words = (process.stdout.readline() if process.stdout else "").split()
            yield Org(words[2], words[4])
        finally:
            process.terminate()


def contenders(org: Org, floor: Path) -> dict[str, list[str]]:
    """Return the command of each contender but for the folder, which comes last."""
    return {
        OURS: [sys.executable, str(HERE / "ours.py")],
        PLAIN: [sys.executable, str(HERE / "plain.py"), org.url + FIRST_PAGE],
        FLOOR: [str(floor), org.url + FIRST_PAGE],
    }


def compare(options: argparse.Namespace, folder: Path) -> dict[str, list[Run]]:
    """Run all contenders in turn, as often as requested, after one run that lets the org render its pages."""
    with practice_org(options.users, options.latency) as org:
        commands = contenders(org, options.floor)
        warm_up = measure(commands[OURS], org, folder)
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for number in range(1, options.runs + 1):
            for name, command in commands.items():
                run = measure(command, org, folder)
                if run.output.records != warm_up.output.records:
                    message = f"{name} has {run.output.records} records instead of {warm_up.output.records}"
                    raise SystemExit(message)
                complain(f"run {number} of {options.runs}, {name}: {run.wall:.2f} s")
                runs[name].append(run)
    return runs


def measure(command: Sequence[str], org: Org, folder: Path) -> Run:
    """Run `command` with a fresh folder and take its time and memory; the folder is gone afterwards."""
    target = folder / "out"
    environment = {**os.environ, "OKTA_ORG_URL": org.url, "OKTA_API_TOKEN": org.token}
    os.sync()  # Nobody writes back what another one left in the page cache.
    started = time.perf_counter()
    child = os.posix_spawn(command[0], [*command, str(target)], environment)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - started
    if status:
        message = f"{Path(command[1]).name} ended with exit code {os.waitstatus_to_exitcode(status)}"
        raise SystemExit(message)
    output = count(target)
    shutil.rmtree(target)
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall=wall, cpu=cpu, rss=usage.ru_maxrss * RSS_UNIT, output=output)


def count(folder: Path) -> Output:
    """Return what is in `folder`.

    Another process looks, because the peak memory of a child begins with that of the process that started it: this one
    must stay small if the figures are to be those of the children.
    """
    command = [sys.executable, str(HERE / "count.py"), str(folder)]
    return Output(*json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def result_table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return the comparison as a table."""
    head = "contender | wall s, median (min to max) | CPU s | peak RSS MB | output MB | records/s"
    rows = [head + " | speed, plain = 1 | speed, floor = 1", "--- |" + " ---: |" * 7]
    for name, own in runs.items():
        walls = [run.wall for run in own]
        cells = [
            name,
            f"{median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f})",
            f"{median(run.cpu for run in own):.2f}",
            memory(median(run.rss for run in own)),
            f"{median(run.output.size for run in own) / MEGABYTE:.1f}",
            f"{median(run.output.records / run.wall for run in own):,.0f}",
            *(f"{speed(own, runs[other]):.2f}" for other in (PLAIN, FLOOR)),
        ]
        rows.append(" | ".join(cells))
    return "\n".join(f"| {row.removesuffix(' |')} |" for row in rows)


def memory(size: float) -> str:
    """Return `size` in MB, with a sign where it may in truth be less."""
    return f"{'≤ ' if size <= own_rss() else ''}{size / MEGABYTE:.1f}"


def speed(own: Sequence[Run], other: Sequence[Run]) -> float:
    """Return how many times as fast as `other` a contender is: the median over the rounds."""
    return median(theirs.wall / mine.wall for mine, theirs in zip(own, other, strict=True))


def facts(options: argparse.Namespace, runs: Mapping[str, Sequence[Run]], *, load_before: float) -> str:
    """Return what the figures depend on, and how to get them again."""
    output = runs[OURS][0].output
    command = ["--users", str(options.users), "--runs", str(options.runs), "--latency", options.latency]
    python = platform.python_version()
    lines = [
        f"{options.users:,} users in pages of 200, latency {options.latency}; every contender got {output.records:,}.",
        f"{options.runs} runs each, taking turns, on the machine of the practice org.",
        f"{cores()} cores, {processor()}; {platform.system()} {platform.machine()}, Python {python}.",
        f"Load average of the last minute: {load_before:.2f} before, {os.getloadavg()[0]:.2f} after the runs.",
        "Memory below that of the measuring process cannot be told apart from it (`≤`).",
        f"Repeat: `make bench`, or `python {RELATIVE} {shlex.join(command)}`.",
    ]
    return "".join(f"\n- {line}" for line in lines)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def own_rss() -> int:
    """Return the peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def memory_table(latency: str, folder: Path) -> str:
    """Return a table of how much memory ours takes for few and for many users, as JSON and as tables."""
    rows = ["users | format | peak RSS of ours MB | wall s | output MB", "---: | --- | ---: | ---: | ---:"]
    for users in MEMORY_USERS:
        with practice_org(users, latency) as org:
            command = [sys.executable, str(HERE / "ours.py"), "--format"]
            measure([*command, "json"], org, folder)  # Renders the pages: a slow server would hide how much piles up.
            for format_ in ("json", "parquet"):
                run = measure([*command, format_], org, folder)
                complain(f"memory for {users:,} users as {format_}: {run.rss / MEGABYTE:.1f} MB")
                size = run.output.size / MEGABYTE
                rows.append(f"{users:,} | {format_} | {run.rss / MEGABYTE:.1f} | {run.wall:.2f} | {size:.1f}")
    return "\n" + "\n".join(f"| {row} |" for row in rows)


def say(text: str) -> None:
    """Write results to stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write to stderr what is not a result."""
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
