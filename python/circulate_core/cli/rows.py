"""Rows of a query, as commands write them: a table in the terminal, or a format for other programs."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

from circulate_core import exceptions
from circulate_core.cli.options import positive
from circulate_core.cli.record_table import record_table
from circulate_core.console import counted, paint, say, shows_data
from circulate_core.exceptions import CirculateError, DataError, SettingsError, StorageError
from circulate_core.tables import library

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    import duckdb

_TIMES: Final = "TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'"
"""RFC 3339; the connection has UTC."""
_FORMATS: Final = {
    "csv": f"FORMAT csv, HEADER, {_TIMES}",
    "json": f"FORMAT json, ARRAY, {_TIMES}",
    "ndjson": f"FORMAT json, {_TIMES}",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
"""How DuckDB calls what a format is."""
T = TypeVar("T")
_PATIENCE: Final = 0.1
"""Seconds that a query has to end before it is interrupted once more."""
FEW: Final = 20
"""Rows that a table shows unless more are asked for."""


def add_row_options(parser: argparse.ArgumentParser) -> None:
    """Declare how rows are written."""
    parser.add_argument(
        "--format", choices=["table", *_FORMATS], default="table", help="how to write the rows (default: table)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write to (default: stdout)")
    parser.add_argument(
        "-n", "--rows", metavar="N", type=positive, help=f"row limit (default: {FEW} in a table, all in other formats)"
    )


def check_row_options(args: argparse.Namespace) -> duckdb.DuckDBPyConnection:
    """Refuse options that cannot go together, before anything is read; return what makes the rows.

    Raises:
        SettingsError: They cannot, or DuckDB is not installed.
    """
    args.output = None if args.output in {None, "-"} else _file_to_write(args.output)
    if args.format == "table" and args.output:
        message = "a table is for the terminal, and was to be written to a file"
        raise SettingsError(message, hint="name the file's format: --format csv, json, ndjson or parquet")
    if args.format == "parquet" and not args.output and shows_data():
        message = "Parquet is not for a terminal"
        raise SettingsError(message, hint="name a file: --output users.parquet")
    extra = "circulate-core[duckdb]"
    try:
        made_by = library("duckdb", f'"{extra}"')
        library("pytz", f'"{extra}"')
    except ModuleNotFoundError as error:
        message = f"rows of a lake are read with {error.name}, which is not installed"
        raise SettingsError(message, hint=f"pip install '{extra}'") from None
    connection: duckdb.DuckDBPyConnection = made_by.connect(config={"autoinstall_known_extensions": "false"})
    # Not that of this machine.
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _file_to_write(name: str) -> Path:
    """Return a file that can be written, as far as that can be known before.

    Raises:
        SettingsError: It cannot.
    """
    file = Path(name)
    if not name or file.is_dir():
        message = f"invalid `--output`: {name!r} is {'a folder' if name else 'no file'}"
        raise SettingsError(message, hint="name a file, such as users.csv")
    if not file.parent.is_dir():
        message = f"invalid `--output`: there is no folder {file.parent}"
        raise SettingsError(message, hint="make it, or name another file")
    return file


def write_rows(rows: duckdb.DuckDBPyRelation, args: argparse.Namespace, connection: duckdb.DuckDBPyConnection) -> None:
    """Write the rows of a query, whose connection it is.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
        CirculateError: The lake cannot be read, or the file cannot be written.
    """
    import duckdb  # noqa: PLC0415 - it is there, since it made the rows

    try:
        _write(rows, args, connection)
    except duckdb.Error as error:
        raise _as_ours(str(error)) from None


def _as_ours(message: str) -> CirculateError:
    """Return an error of the engine that DuckDB has made one of its own of."""
    found = re.search(r"\b([A-Z]\w+Error): (.*)", message, re.DOTALL)
    kind = getattr(exceptions, found[1], None) if found else None
    if found and isinstance(kind, type) and issubclass(kind, CirculateError):
        return kind(found[2])
    return DataError(message)


def _write(rows: duckdb.DuckDBPyRelation, args: argparse.Namespace, connection: duckdb.DuckDBPyConnection) -> None:
    if args.format == "table":
        _write_table(rows, args.rows or FEW, connection)
        return
    if args.rows:
        rows = rows.limit(args.rows)
    if args.output is None:
        _copy_to_stdout(rows, args.format, connection)
        return
    try:
        # Whoever reads the file sees all of it or nothing.
        descriptor, beside = tempfile.mkstemp(prefix=f".{args.output.name}.", dir=args.output.parent)
        os.close(descriptor)
        try:
            with _working(connection, partial(_copy, rows, args.format, beside)) as made:
                count = made.result()
            Path(beside).replace(args.output)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as error:
        message = f"cannot write {args.output}: {error.strerror}"
        raise StorageError(message) from None
    say(paint(f"{counted(count, 'row')} in {args.output}", "dim"))


def _write_table(rows: duckdb.DuckDBPyRelation, limit: int, connection: duckdb.DuckDBPyConnection) -> None:
    names = rows.columns
    with _working(connection, rows.limit(limit + 1).fetchall) as made:
        found = made.result()
    if names == _OF_EXPLAIN:
        print("\n".join(plan for _, plan in found))
        return
    names = _told_apart(names)
    text, hidden = record_table([dict(zip(names, map(_plain, row), strict=True)) for row in found[:limit]], names)
    print(text)
    more = f" and more: -n {limit * 10} shows more, --format csv writes all" if len(found) > limit else ""
    columns = f", {counted(hidden, 'more column')}: --format json writes all" if hidden else ""
    say(paint(f"{counted(min(len(found), limit), 'row')}{more}{columns}", "dim"))


_OF_EXPLAIN: Final = ["explain_key", "explain_value"]
"""The columns of a query plan, which is a text of many lines."""


def _told_apart(names: list[str]) -> list[str]:
    """Number names that a query has given more than once, as DuckDB does in files."""
    taken: dict[str, None] = {}
    for name in names:
        free = (f"{name}_{number}" if number else name for number in range(len(names) + 1))
        taken[next(each for each in free if each not in taken)] = None
    return list(taken)


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value as JSON has it, for a cell."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime) and value.tzinfo:
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="auto" if utc.microsecond % 1000 else "milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def _copy(rows: duckdb.DuckDBPyRelation, kind: str, path: str) -> int:
    """Have rows written to a file; returns how many they were."""
    to = path.replace("'", "''")
    if kind != "parquet":
        rows = rows.project(", ".join(map(_as_text, rows.columns, map(str, rows.types), [kind] * len(rows.columns))))
    copied = rows.query("rows", f"COPY rows TO '{to}' ({_FORMATS[kind]})")
    return int(copied.fetchall()[0][0]) if copied else 0


def _as_text(name: str, of_type: str, kind: str) -> str:
    """Return the expression that has a column written as other programs read it."""
    column = f'"{name.replace(chr(34), chr(34) * 2)}"'
    if of_type == "TIMESTAMP":
        # It has no zone, so it must not get one.
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%f') AS {column}"
    is_nested = of_type.startswith(("STRUCT", "MAP", "UNION")) or of_type.endswith("]")
    return f"to_json({column})::VARCHAR AS {column}" if kind == "csv" and is_nested else column


def _copy_to_stdout(rows: duckdb.DuckDBPyRelation, kind: str, connection: duckdb.DuckDBPyConnection) -> None:
    """Have rows written to stdout, through a pipe: a file that stdout is would be emptied by who opens it once more.

    Raises:
        BrokenPipeError: Nobody reads stdout any more.
        OSError: It cannot be written.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "stdout is closed")
    ours, theirs = os.pipe()

    def make() -> None:
        try:
            _copy(rows, kind, f"/dev/fd/{theirs}")
        finally:
            os.close(theirs)

    with _working(connection, make) as made, open(ours, "rb") as written:  # noqa: PTH123 - a descriptor
        shutil.copyfileobj(written, sys.stdout.buffer)
        made.result()


@contextmanager
def _working(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> Iterator[Future[T]]:
    """Have a query at work beside this thread, which can be interrupted; what ends the block early ends the query."""
    made: Future[T] = Future()

    def run() -> None:
        try:
            made.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is taken
            made.set_exception(error)

    worker = Thread(target=run)
    try:
        worker.start()
        yield made
    except BaseException:
        # Such as by Ctrl-C, or since nobody reads any more. A query that is about to begin does not hear it at once.
        while worker.is_alive():
            connection.interrupt()
            worker.join(_PATIENCE)
        raise
    worker.join()
