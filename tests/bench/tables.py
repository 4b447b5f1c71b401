"""Compare ways to make tables of the same file of JSON lines: to Parquet, and to Arrow in memory; print Markdown.

- `ours`: the engine, with one thread that validates and cuts records and one that makes tables of them, as a pull has
  them (`rust/circulate-core/examples/tables.rs`); and from Python.
- pyarrow, polars and duckdb, each in the ways that it has (`libraries.py`).

Every run is a fresh process, and the contenders take turns. The file holds the users of a practice org: the plain
ones with their empty objects taken out, since not all contenders write these; as Okta sends them; and with attributes
that are valid JSON and rare. `make bench-tables` builds what is measured and calls this.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import MEGABYTE, RSS_UNIT, complain, cores, own_rss, positive, processor, release_build, say

HERE = Path(__file__).resolve().parent
RUST = "rust"
LIBRARIES = ("pyarrow", "polars", "duckdb")
OURS = "ours"
TO_PARQUET = {
    OURS: RUST,
    "pyarrow": "pyarrow-parquet",
    "pyarrow, one thread": "pyarrow-1-parquet",
    "pyarrow, streaming": "pyarrow-streaming-parquet",
    "polars": "polars-parquet",
    "polars, streaming": "polars-streaming-parquet",
    "duckdb": "duckdb-parquet",
}
IN_MEMORY = {
    OURS: RUST,
    "ours, from Python": "ours",
    "pyarrow": "pyarrow",
    "pyarrow, one thread": "pyarrow-1",
    "polars": "polars",
    "duckdb": "duckdb",
}
TRIMMED, PLAIN, EDGE_CASES = "trimmed", "plain", "edge-cases"
EMPTY, INSTEAD = b'"password":{}', b'"password":null'
SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run took: seconds, and bytes of memory at the most; and what it made."""

    wall: float
    cpu: float
    rss: int
    rss_before: int
    rows: int
    columns: int
    size: int


class Failure(NamedTuple):
    """What a run said when it failed."""

    text: str


class Contender(NamedTuple):
    """A way to make tables."""

    name: str
    command: list[str]
    in_process: bool
    """Whether it measures itself, so that imports are left out."""


def main() -> int:
    """Run the benchmark; return the exit code."""
    options = arguments().parse_args()
    if not options.tables.is_file():
        complain("the example `tables` is not built: run `make bench-tables`, or give its place with --tables")
        return 2
    if not release_build():
        complain("the extension looks like a debug build; `make bench-tables` makes a release build")
        return 2
    with tempfile.TemporaryDirectory(prefix="circulate-bench-") as name:
        folder, load = Path(name), os.getloadavg()[0]
        files = {kind: records(folder, options.users, kind) for kind in (PLAIN, EDGE_CASES)}
        files[TRIMMED] = trimmed(files[PLAIN])
        size = files[TRIMMED].stat().st_size
        say(f"JSON to Parquet (zstd 3), {options.users:,} users, {size / MEGABYTE:.0f} MB of lines:\n")
        say(result_table(compare(options, files[TRIMMED], TO_PARQUET, folder), size))
        say("\nThe same to Arrow in memory:\n")
        say(result_table(compare(options, files[TRIMMED], IN_MEMORY, folder), size))
        say("\nThe same users with what was taken out, to Parquet:\n")
        say(failure_table(options, files, folder))
        say(facts(options, load_before=load))
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="tables.py", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--users", type=positive, default=200_000, help="users in the file (default: %(default)s)")
    add("--runs", type=positive, default=5, help="runs of each contender (default: %(default)s)")
    add("--tables", type=Path, default=default_tables(), metavar="FILE", help="the built example `tables`")
    return parser


def default_tables() -> Path:
    """Return where cargo puts the release build of the example."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target"))
    return target / "release" / "examples" / "tables"


def records(folder: Path, users: int, kind: str) -> Path:
    """Write the users of an org into a file, in another process: see `records.py`."""
    file = folder / f"{kind}.ndjson"
    subprocess.run([sys.executable, str(HERE / "records.py"), str(file), str(users), kind], check=True)
    return file


def trimmed(file: Path) -> Path:
    """Copy lines without the empty objects in them."""
    copy = file.with_stem(TRIMMED)
    with file.open("rb") as lines, copy.open("wb") as out:
        out.writelines(line.replace(EMPTY, INSTEAD) for line in lines)
    return copy


def contender(options: argparse.Namespace, name: str, way: str, file: Path, target: Path) -> Contender:
    """Return a contender that makes a table of `file`."""
    if way == RUST:
        form = "parquet" if target.suffix else "memory"
        return Contender(name, [str(options.tables), str(file), form, str(target.parent)], in_process=False)
    command = [sys.executable, str(HERE / "libraries.py"), way, str(file), str(target)]
    return Contender(name, command, in_process=True)


def compare(options: argparse.Namespace, file: Path, ways: Mapping[str, str], folder: Path) -> dict[str, list[Run]]:
    """Run all contenders in turn, as often as requested."""
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for number in range(1, options.runs + 1):
        for name, way in ways.items():
            out = folder / "out"
            target = out / ("0.parquet" if ways is TO_PARQUET else "memory")
            run = measure(contender(options, name, way, file, target), out)
            if isinstance(run, Failure) or run.rows != options.users:
                message = f"{name} made no table of {options.users} rows: {run}"
                raise SystemExit(message)
            complain(f"run {number} of {options.runs}, {name}: {run.wall:.2f} s")
            runs[name].append(run)
    return runs


def measure(contender: Contender, out: Path) -> Run | Failure:
    """Run a contender with a fresh folder and take its time and memory; the folder is gone afterwards."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    measured, said = out.with_name("measured"), out.with_name("said")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    output = [(os.POSIX_SPAWN_OPEN, at, path, flags, 0o600) for at, path in ((1, measured), (2, said))]
    os.sync()  # Nobody writes back what another one left in the page cache.
    started = time.perf_counter()
    child = os.posix_spawn(contender.command[0], contender.command, os.environ, file_actions=output)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - started
    if status:
        return Failure(short(said.read_text(errors="replace")))
    took = json.loads(measured.read_text())
    rows, columns, size = took["held"] or parquet(out)
    shutil.rmtree(out)
    return Run(
        wall=took["wall"] if contender.in_process else wall,
        cpu=took["cpu"] if contender.in_process else usage.ru_utime + usage.ru_stime,
        rss=usage.ru_maxrss * RSS_UNIT,
        rss_before=took["rss_before"] * RSS_UNIT,
        rows=rows,
        columns=columns,
        size=size,
    )


def parquet(folder: Path) -> tuple[int, int, int]:
    """Return rows, columns and bytes of the files in a folder. Another process looks, to keep this one small."""
    look = [sys.executable, str(HERE / "count_tables.py"), str(folder)]
    rows, columns, size = json.loads(subprocess.run(look, check=True, capture_output=True).stdout)
    return rows, columns, size


def short(text: str) -> str:
    """Return the first line of an error: the one after a traceback, if there is one."""
    lines = text.splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith("  File ")]
    after = lines[frames[-1] + 1 :] if frames else lines
    said = next((line for line in after if line and not line[0].isspace()), "it said nothing")
    said = re.sub(r""" in file "[^"]*"|Invalid Input Error: """, "", said.partition(": ")[2] or said)
    return said if len(said) <= SHOWN else f"{said[:SHOWN].rstrip()}…"


def result_table(runs: Mapping[str, Sequence[Run]], size: int) -> str:
    """Return the comparison as a table."""
    head = "contender | wall s, median (min to max) | CPU s | MB of JSON/s | peak RSS MB | before reading MB"
    rows = [head + " | table MB | columns | ours is faster by", "--- |" + " ---: |" * 8]
    for name, own in runs.items():
        walls = [run.wall for run in own]
        ratio = median(mine.wall / ours.wall for mine, ours in zip(own, runs[OURS], strict=True))
        cells = [
            name,
            f"{median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f})",
            f"{median(run.cpu for run in own):.2f}",
            f"{size / MEGABYTE / median(walls):.0f}",
            f"{median(run.rss for run in own) / MEGABYTE:.0f}",
            f"{own[0].rss_before / MEGABYTE:.0f}" if own[0].rss_before else "-",
            f"{own[0].size / MEGABYTE:.1f}",
            f"{own[0].columns}",
            f"{ratio:.2f}",
        ]
        rows.append(" | ".join(cells))
    return "\n".join(f"| {row.removesuffix(' |')} |" for row in rows)


def failure_table(options: argparse.Namespace, files: Mapping[str, Path], folder: Path) -> str:
    """Return what becomes of records that not everybody takes."""
    rows = ["contender | as Okta sends them | and with rare attributes", "--- | --- | ---"]
    for name, way in TO_PARQUET.items():
        out = folder / "out"
        ends = [
            measure(contender(options, name, way, files[kind], out / "0.parquet"), out) for kind in (PLAIN, EDGE_CASES)
        ]
        rows.append(" | ".join([name, *map(shown_end, ends)]))
        complain(f"what not everybody takes, {name}: {ends}")
    return "\n".join(f"| {row} |" for row in rows)


def shown_end(end: Run | Failure) -> str:
    """Return how a run ended, as a cell."""
    if isinstance(end, Failure):
        return f"fails: `{end.text.replace('|', '/').replace('`', chr(39))}`"
    return f"{end.rows:,} rows, {end.columns} columns, {end.size / MEGABYTE:.1f} MB, {end.wall:.2f} s"


def facts(options: argparse.Namespace, *, load_before: float) -> str:
    """Return what the figures depend on, and how to get them again."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    lines = [
        f"{options.runs} runs each, taking turns. {versions}; Python {sys.version.split()[0]}.",
        f"{cores()} cores, {processor()}.",
        f"Load average of the last minute: {load_before:.2f} before, {os.getloadavg()[0]:.2f} after the runs.",
        "Wall and CPU time are without the imports of Python, `before reading` is the memory that they take.",
        f"Memory below {own_rss() / MEGABYTE:.0f} MB cannot be told apart from that of the measuring process.",
        f'Repeat: `make bench-tables BENCH_TABLES="--users {options.users} --runs {options.runs}"`.',
    ]
    return "".join(f"\n- {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
