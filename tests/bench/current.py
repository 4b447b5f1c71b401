"""Compare ways to read what is current in a lake of two runs, all users and those that changed; print Markdown.

- `ours`: the table of the lake, within its budget of 256 MB.
- `duckdb`: the newest version of each user by `row_number()` over the same files. It knows neither which runs count nor
  what was deleted, and checks no digests.
- `duckdb, 256 MB`: the same with that limit of memory.

All of them give the rows as Arrow batches that nobody keeps, and must agree on how many there are and on a sum over
them. Every run is a fresh process, and the contenders take turns. The lake is made by pulls from a server on loopback
(`users_api.py`, `make_lake.py`). `make bench-current` builds what is measured and calls this.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench import MEGABYTE, complain, cores, positive, processor, release_build, say

HERE = Path(__file__).resolve().parent
OURS = "ours"
WAYS = {OURS: "ours", "duckdb": "duckdb", "duckdb, 256 MB": "duckdb-256MB"}
COLUMNS = {"all columns": "", "two columns": "id,score"}
FORMATS = ("parquet", "json")
CHANGED = 10
SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """A lake that was made."""

    folder: Path
    format_: str
    keys: int

    def size(self) -> int:
        """Return the bytes of its objects."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if "_circulate" not in path.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run took: seconds, and KB of memory before it read anything and at the most; and what it found."""

    wall: float
    cpu: float
    before: int
    peak: int
    rows: int
    sum: int


def main() -> int:
    """Run the benchmark; return the exit code."""
    options = arguments().parse_args()
    if not release_build():
        complain("the extension looks like a debug build; `make bench-current` makes a release build")
        return 2
    load = os.getloadavg()[0]
    for format_ in options.format:
        with tempfile.TemporaryDirectory(prefix="circulate-bench-") as name:
            lake = made(Path(name) / "lake", format_, options.keys)
            what = f"{options.keys:,} users and {options.keys // CHANGED:,} of them again as {format_}"
            say(f"{what}, {lake.size() / MEGABYTE:.0f} MB:\n")
            say(result_table({what: compare(options.runs, lake, columns) for what, columns in COLUMNS.items()}) + "\n")
    say(facts(options, load_before=load))
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="current.py", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--keys", type=positive, default=1_000_000, help="users (default: %(default)s)")
    add("--runs", type=positive, default=3, help="runs of each contender (default: %(default)s)")
    add("--format", nargs="+", choices=FORMATS, default=FORMATS, help="what the lake's objects are (default: both)")
    return parser


@contextmanager
def users_api(keys: int) -> Iterator[str]:
    """Serve so many users in a process of its own; gives the address."""
    command = [sys.executable, str(HERE / "users_api.py"), str(keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout.readline() if process.stdout else "").strip()
        finally:
            process.terminate()


def made(folder: Path, format_: str, keys: int) -> Lake:
    """Make a lake by two pulls, in another process so that this one stays small."""
    with users_api(keys) as url:
        command = [sys.executable, str(HERE / "make_lake.py"), url, format_, str(folder)]
        pulled = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if pulled != [keys, -(-keys // CHANGED)]:
        message = f"the pulls had {pulled} records"
        raise SystemExit(message)
    complain(f"made a lake of {keys:,} users as {format_}")
    return Lake(folder=folder, format_=format_, keys=keys)


def compare(rounds: int, lake: Lake, columns: str) -> dict[str, list[Run]]:
    """Run all contenders in turn, as often as requested, until one fails; check that they found the same."""
    runs: dict[str, list[Run]] = {name: [] for name in WAYS}
    found = None
    for number in range(1, rounds + 1):
        for name, own in runs.items():
            run = measure(lake, name, columns)
            if run is None:
                continue
            found = found or (lake.keys, run.sum)
            if (run.rows, run.sum) != found:
                message = f"{name} found {run.rows:,} rows with the sum {run.sum}, expected {found}"
                raise SystemExit(message)
            complain(f"run {number} of {rounds}, {name}: {run.wall:.2f} s")
            own.append(run)
    return runs


def measure(lake: Lake, name: str, columns: str) -> Run | None:
    """Read the lake in a fresh process; returns what it took, or None if it failed."""
    command = [sys.executable, str(HERE / "read_current.py"), WAYS[name], str(lake.folder), lake.format_, columns]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return Run(**json.loads(done.stdout))
    said = done.stderr.strip().rpartition("\n")[2][:SHOWN]
    if name == OURS:
        message = f"{name} failed: {said}"
        raise SystemExit(message)
    complain(f"{name} failed: {said}")
    return None


def result_table(compared: Mapping[str, Mapping[str, Sequence[Run]]]) -> str:
    """Return the comparison as a table."""
    head = "what | contender | wall s, median (min to max) | CPU s | peak MB | before reading MB | ours is faster by"
    rows = [head, "--- | --- |" + " ---: |" * 5]
    for what, runs in compared.items():
        for name, own in runs.items():
            rows.append(" | ".join([what, name, *(cells(own, runs[OURS]) if own else ["fails", *"----"])]))
    return "\n".join(f"| {row.removesuffix(' |')} |" for row in rows)


def cells(own: Sequence[Run], ours: Sequence[Run]) -> list[str]:
    """Return the figures of a contender."""
    walls = [run.wall for run in own]
    ratio = median(run.wall / our.wall for run, our in zip(own, ours, strict=True))
    return [
        f"{median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f})",
        f"{median(run.cpu for run in own):.2f}",
        f"{median(run.peak for run in own) / 1000:.0f}",
        f"{median(run.before for run in own) / 1000:.0f}",
        f"{ratio:.2f}",
    ]


def facts(options: argparse.Namespace, *, load_before: float) -> str:
    """Return what the figures depend on, and how to get them again."""
    requested = f"--keys {options.keys} --runs {options.runs} --format {' '.join(options.format)}"
    lines = [
        f"{options.runs} runs each, taking turns, over files that were just written. All had the same rows.",
        f"duckdb {version('duckdb')}, as many threads as cores; Python {sys.version.split()[0]}.",
        f"{cores()} cores, {processor()}.",
        f"Load average of the last minute: {load_before:.2f} before, {os.getloadavg()[0]:.2f} after the runs.",
        "Times are without imports. Memory is without pages of program files.",
        f'Repeat: `make bench-current BENCH_CURRENT="{requested}"`.',
    ]
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
