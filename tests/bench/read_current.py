"""Read what is current in a lake, and hold none of it. Usage: `read_current.py WAY LAKE FORMAT COLUMNS`.

The rows come as Arrow batches, of which each contender gives the number and the sum of `score`. What it took is printed
as JSON: seconds of wall and of CPU without imports, KB of memory before the first byte was read and at the most.
"""
# ruff: noqa: PLC0415 - a process imports nothing but the library that it measures

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

STREAM = "bench.users"
ENDS = {"parquet": "*.parquet", "json": "*.json.gz"}
# Of all versions of a user the one of the newest run, by the time that begins the id of a run.
NEWEST = """
select {columns} from (select *, {run} as run from {files})
qualify row_number() over (partition by id order by run desc) = 1
"""
RUN = r"regexp_extract(filename, '(\d{8}T\d+Z)', 1)"


def ours(lake: str, _: str, columns: list[str]) -> Iterable[Any]:
    """Read the table of the lake."""
    import pyarrow as pa

    import circulate_core

    started()
    table = circulate_core.lake(lake).table(STREAM, columns=columns or None)
    batches: Iterable[Any] = pa.RecordBatchReader.from_stream(table)
    return batches


def duckdb(lake: str, format_: str, columns: list[str], memory_limit: str | None = None) -> Iterable[Any]:
    """Have DuckDB find the newest version in the files of all runs."""
    import duckdb
    import pyarrow as pa  # noqa: F401 - otherwise its import would be timed

    started()
    paths = [str(path) for path in sorted(Path(lake).rglob(ENDS[format_])) if "_circulate" not in path.parts]
    # Of JSON it has a buffer for each file, by default of twice 16 MB: a thousand files would not fit in memory.
    read, more = {
        "parquet": ("read_parquet", ""),
        "json": ("read_json", ", format = 'array', maximum_object_size = 1000000"),
    }[format_]
    connection = duckdb.connect(config={"memory_limit": memory_limit} if memory_limit else {})
    query = NEWEST.format(
        columns=", ".join(columns) or "* exclude (filename, run)",
        run=RUN,
        files=f"{read}({paths!r}, filename = true, hive_partitioning = false{more})",
    )
    batches: Iterable[Any] = connection.sql(query).to_arrow_reader(65_536)
    return batches


WAYS: dict[str, Callable[[str, str, list[str]], Iterable[Any]]] = {
    "ours": ours,
    "duckdb": duckdb,
    "duckdb-256MB": partial(duckdb, memory_limit="256MB"),
}


def memory(*names: str) -> list[int]:
    """Return values of this process in KB, less what the files of its programs take: these can be dropped any time."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    status = {line[0].rstrip(":"): line[1] for line in lines if len(line) > 1}
    return [int(status[name]) - int(status["RssFile"]) for name in names]


before: dict[str, Any] = {}


def started() -> None:
    """Say that imports are done."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    before.update(wall=time.perf_counter(), cpu=usage.ru_utime + usage.ru_stime, memory=memory("VmRSS")[0])


def main(way: str, lake: str, format_: str, columns: str) -> None:
    """Read it, and print what it took."""
    rows = total = 0
    for batch in WAYS[way](lake, format_, [name for name in columns.split(",") if name]):
        rows += batch.num_rows
        total += batch.column(batch.schema.get_field_index("score")).to_numpy().sum(dtype="int64")
    wall = time.perf_counter() - before["wall"]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime - before["cpu"]
    peak = memory("VmHWM")[0]
    took = {"wall": wall, "cpu": cpu, "before": before["memory"], "peak": peak}
    json.dump({**took, "rows": rows, "sum": int(total)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
