"""Rows of a query, as commands write them: a table in the terminal, or a format for other programs."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from circulate_core import exceptions
from circulate_core.cli.options import positive
from circulate_core.cli.record_table import record_table
from circulate_core.console import counted, paint, say
from circulate_core.exceptions import CirculateError, DataError, SettingsError, StorageError

if TYPE_CHECKING:
    import argparse

    import duckdb

_FORMATS: Final = {
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json, ARRAY",
    "ndjson": "FORMAT json",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
"""How DuckDB calls what a format is."""
FEW: Final = 20
"""Rows that a table shows unless more are asked for."""


def add_row_options(parser: argparse.ArgumentParser) -> None:
    """Declare how rows are written."""
    parser.add_argument(
        "--format", choices=["table", *_FORMATS], default="table", help="how to write the rows (default: table)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="file to write to (default: stdout)")
    parser.add_argument(
        "-n", "--rows", metavar="N", type=positive, help=f"row limit (default: {FEW} in a table, all in other formats)"
    )


def check_row_options(args: argparse.Namespace) -> None:
    """Refuse options that cannot go together, before anything is read.

    Raises:
        SettingsError: They cannot.
    """
    if args.format == "table" and args.output:
        message = "a table is for the terminal, and was to be written to a file"
        raise SettingsError(message, hint="name the file's format: --format csv, json, ndjson or parquet")
    if args.format == "parquet" and not args.output and sys.stdout.isatty():
        message = "Parquet is not for a terminal"
        raise SettingsError(message, hint="name a file: --output users.parquet")


def write_rows(rows: duckdb.DuckDBPyRelation, args: argparse.Namespace) -> None:
    """Write the rows of a query.

    Raises:
        CirculateError: The lake cannot be read, or the file cannot be written.
    """
    import duckdb  # noqa: PLC0415 - it is there, since it made the rows

    try:
        _write(rows, args)
    except duckdb.Error as error:
        raise _as_ours(str(error)) from None


def _as_ours(message: str) -> CirculateError:
    """Return an error of the engine that DuckDB has made one of its own of."""
    found = re.search(r"\b([A-Z]\w+Error): (.*)", message, re.DOTALL)
    kind = getattr(exceptions, found[1], None) if found else None
    if found and isinstance(kind, type) and issubclass(kind, CirculateError):
        return kind(found[2])
    return DataError(message)


def _write(rows: duckdb.DuckDBPyRelation, args: argparse.Namespace) -> None:
    if args.format == "table":
        _write_table(rows, args.rows or FEW)
        return
    if args.rows:
        rows = rows.limit(args.rows)
    if args.output is None:
        _copy_to_stdout(rows, args.format)
        return
    try:
        # Whoever reads the file sees all of it or nothing.
        descriptor, beside = tempfile.mkstemp(prefix=f".{args.output.name}.", dir=args.output.parent)
        os.close(descriptor)
        try:
            count = _copy(rows, args.format, beside)
            Path(beside).replace(args.output)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as error:
        message = f"cannot write {args.output}: {error.strerror}"
        raise StorageError(message) from None
    say(paint(f"{counted(count, 'row')} in {args.output}", "dim"))


def _write_table(rows: duckdb.DuckDBPyRelation, limit: int) -> None:
    names = rows.columns
    found = rows.limit(limit + 1).fetchall()
    text, hidden = record_table([dict(zip(names, map(_plain, row), strict=True)) for row in found[:limit]])
    print(text or "  ".join(names))
    more = f" and more: -n {limit * 10} shows more, --format csv writes all" if len(found) > limit else ""
    columns = f", {counted(hidden, 'more column')}: --format json writes all" if hidden else ""
    say(paint(f"{counted(min(len(found), limit), 'row')}{more}{columns}", "dim"))


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value as JSON has it, for a cell."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def _copy(rows: duckdb.DuckDBPyRelation, kind: str, path: str) -> int:
    """Have rows written to a file; returns how many they were."""
    to = path.replace("'", "''")
    copied = rows.query("rows", f"COPY rows TO '{to}' ({_FORMATS[kind]})")
    return int(copied.fetchall()[0][0]) if copied else 0


def _copy_to_stdout(rows: duckdb.DuckDBPyRelation, kind: str) -> None:
    """Have rows written to stdout, through a pipe: a file that stdout is would be emptied by who opens it once more.

    Raises:
        BrokenPipeError: Nobody reads stdout any more.
    """
    ours, theirs = os.pipe()

    def hand_on() -> None:
        with open(ours, "rb") as written:  # noqa: PTH123 - a descriptor
            shutil.copyfileobj(written, sys.stdout.buffer)

    with ThreadPoolExecutor(1) as pool:
        handed_on = pool.submit(hand_on)
        try:
            _copy(rows, kind, f"/dev/fd/{theirs}")
        finally:
            os.close(theirs)
            # If nobody reads, that is what happened, and not that a pipe was closed.
            handed_on.result()
