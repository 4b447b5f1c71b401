"""Make a table of a file of JSON lines with a library. Usage: `libraries.py WAY FILE TARGET`.

Ways that end in `parquet` write to the target, the others leave the table in memory. Each does it as its library's
documentation shows, with nothing set but what makes the files comparable: zstd 3 and row groups of the same size.

What it took is printed as JSON: seconds of wall and of CPU without imports, the memory at the most before the first
byte was read, and what the table in memory is.
"""
# ruff: noqa: PLC0415 - a process imports nothing but the library that it measures

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROWS = 122_880
PIECE = 4_000_000


class Held(NamedTuple):
    """A table in memory."""

    rows: int
    columns: int
    size: int


Work = Callable[[str, str], Held | None]


def pyarrow_in_memory(*, threads: bool) -> Work:
    """Read all of it."""
    from pyarrow.json import ReadOptions, read_json

    def work(file: str, _: str) -> Held:
        table = read_json(file, read_options=ReadOptions(use_threads=threads))
        return Held(table.num_rows, leaves(table.schema), table.nbytes)

    return work


def pyarrow_to_parquet(*, threads: bool) -> Work:
    """Read all of it, then write."""
    from pyarrow.json import ReadOptions, read_json
    from pyarrow.parquet import write_table

    def work(file: str, target: str) -> None:
        table = read_json(file, read_options=ReadOptions(use_threads=threads))
        write_table(table, target, compression="zstd", compression_level=3, row_group_size=ROWS)

    return work


def pyarrow_streaming_to_parquet() -> Work:
    """Read and write batch by batch."""
    from pyarrow import Table
    from pyarrow.json import open_json
    from pyarrow.parquet import ParquetWriter

    def work(file: str, target: str) -> None:
        reader = open_json(file)
        with ParquetWriter(target, reader.schema, compression="zstd", compression_level=3) as writer:
            batches: list[Any] = []
            rows = 0
            for batch in reader:
                # A row group for each batch of a megabyte would be slower to write and larger.
                if rows + batch.num_rows > ROWS:
                    writer.write_table(Table.from_batches(batches))
                    batches, rows = [], 0
                batches.append(batch)
                rows += batch.num_rows
            writer.write_table(Table.from_batches(batches, reader.schema))

    return work


def polars_in_memory() -> Work:
    """Read all of it."""
    import polars as pl

    def work(file: str, _: str) -> Held:
        table = pl.read_ndjson(file).to_arrow()
        return Held(table.num_rows, leaves(table.schema), table.nbytes)

    return work


def polars_to_parquet() -> Work:
    """Read all of it, then write."""
    import polars as pl

    def work(file: str, target: str) -> None:
        frame = pl.read_ndjson(file)
        frame.write_parquet(target, compression="zstd", compression_level=3, row_group_size=ROWS)

    return work


def polars_streaming_to_parquet() -> Work:
    """Read and write piece by piece."""
    import polars as pl

    def work(file: str, target: str) -> None:
        frame = pl.scan_ndjson(file)
        frame.sink_parquet(target, compression="zstd", compression_level=3, row_group_size=ROWS)

    return work


def duckdb_in_memory() -> Work:
    """Read all of it."""
    import duckdb
    import pyarrow as pa  # noqa: F401 - otherwise its import would be timed

    def work(file: str, _: str) -> Held:
        table = duckdb.read_json(file).to_arrow_table()
        return Held(table.num_rows, leaves(table.schema), table.nbytes)

    return work


def duckdb_to_parquet() -> Work:
    """Read and write in one statement."""
    import duckdb

    options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3"

    def work(file: str, target: str) -> None:
        duckdb.sql(f"COPY (SELECT * FROM read_json('{file}')) TO '{target}' ({options})")  # noqa: S608 - our own paths

    return work


def pandas_to_parquet() -> Work:
    """Read all of it, then write."""
    import pandas as pd

    def work(file: str, target: str) -> None:
        pd.read_json(file, lines=True).to_parquet(target, compression="zstd", compression_level=3)

    return work


def ours_in_memory() -> Work:
    """Read arrays of 4 MB, as a stream gives them, and make one table of theirs."""
    import pyarrow as pa

    import circulate_core

    def work(file: str, _: str) -> Held:
        stream = circulate_core.source("bench", base_url="http://127.0.0.1").stream("users", path="/users")
        tables = stream._tables()  # noqa: SLF001 - what a stream makes tables with, without the stream
        table = pa.concat_tables([pa.table(tables.convert(array)) for array in arrays(file)])
        return Held(table.num_rows, leaves(table.schema), table.nbytes)

    return work


def arrays(file: str) -> Iterator[bytes]:
    """Give the lines of a file as JSON arrays."""
    with Path(file).open("rb") as lines:
        while piece := lines.read(PIECE):
            yield b"[" + (piece + lines.readline()).rstrip().replace(b"\n", b",") + b"]"


def leaves(schema: Any) -> int:  # noqa: ANN401 - pyarrow has no types
    """Return how many columns without parts a schema or type has."""
    types = [getattr(field, "type", field) for field in schema]
    return sum(leaves(kind) if kind.num_fields else 1 for kind in types)


WAYS: dict[str, Callable[[], Work]] = {
    "ours": ours_in_memory,
    "pyarrow": partial(pyarrow_in_memory, threads=True),
    "pyarrow-1": partial(pyarrow_in_memory, threads=False),
    "polars": polars_in_memory,
    "duckdb": duckdb_in_memory,
    "pyarrow-parquet": partial(pyarrow_to_parquet, threads=True),
    "pyarrow-1-parquet": partial(pyarrow_to_parquet, threads=False),
    "pyarrow-streaming-parquet": pyarrow_streaming_to_parquet,
    "polars-parquet": polars_to_parquet,
    "polars-streaming-parquet": polars_streaming_to_parquet,
    "duckdb-parquet": duckdb_to_parquet,
    "pandas-parquet": pandas_to_parquet,
}


def main(way: str, file: str, target: str) -> None:
    """Do it, and print what it took."""
    work = WAYS[way]()
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    held = work(file, target)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    json.dump({"wall": wall, "cpu": cpu, "rss_before": before.ru_maxrss, "held": held}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
