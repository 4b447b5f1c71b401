"""`circulate show`: the tables of a lake, or the rows of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from circulate_core.cli.lake_reading import add_reading_options, lake_to_read, note_future
from circulate_core.cli.rows import add_row_options, check_row_options, write_rows
from circulate_core.console import size, table, utc
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from circulate_core.results import LakeStream


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate show`."""
    parser.add_argument(
        "stream", metavar="STREAM", nargs="?", help="a stream, such as okta.users (default: lists the tables)"
    )
    versions = parser.add_mutually_exclusive_group()
    versions.add_argument("--history", action="store_true", help="every version of each record, and what was deleted")
    versions.add_argument(
        "--changes", metavar="TIME", help="the part of the history since a time: 2026-01-31, or 7d for a week"
    )
    parser.add_argument("--account", metavar="NAME", help="one account only (default: all)")
    parser.add_argument("--columns", metavar="A,B", type=_names, help="these columns only")
    add_reading_options(parser)
    add_row_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the tables of a lake, or the rows of one."""
    if args.stream is None:
        _list(args)
        return 0
    if args.at is not None and (args.history or args.changes is not None):
        message = "--at is a time, and a history has all of them"
        raise SettingsError(message, hint="leave one of the flags out")
    connection = check_row_options(args)
    note_future(args, "at", "changes")
    shown = lake_to_read(args).table(args.stream, account=args.account, columns=args.columns, catalog=args.catalog)
    if args.at is not None:
        shown = shown.at(args.at)
    if args.history:
        shown = shown.history()
    if args.changes is not None:
        shown = shown.changes(args.changes)
    write_rows(shown.duckdb(connection), args, connection)
    return 0


def _list(args: argparse.Namespace) -> None:
    given = [flag for name, flag in _OF_ROWS.items() if getattr(args, name) not in {None, False}]
    if given:
        message = f"{', '.join(given)} without a STREAM: the list of tables has no rows to choose from"
        raise SettingsError(message, hint="name a stream, such as okta.users")
    if args.format not in {"table", "json"}:
        message = f"the list of tables is not written as {args.format}"
        raise SettingsError(message, hint="--format json writes it for other programs")
    lake = lake_to_read(args)
    tables = lake.tables()
    if args.format == "json":
        print(json.dumps([each.to_dict() for each in tables]))
        return
    if not tables:
        message = f"no committed run is in {lake.location}"
        raise SettingsError(message, hint="pull a stream there, or name another place with --to")
    print(table([_HEADING, *map(_row, tables)]))


_OF_ROWS = {
    "history": "--history",
    "changes": "--changes",
    "account": "--account",
    "columns": "--columns",
    "at": "--at",
    "output": "--output",
    "rows": "--rows",
}
"""Options that only rows have."""
_HEADING = ["TABLE", "ACCOUNTS", "KIND", "KEY", "RUNS", "RECORDS", "STORED", "LAST"]


def _row(stream: LakeStream) -> list[str]:
    return [
        stream.stream,
        ", ".join(stream.accounts),
        stream.kind or "",
        ", ".join(stream.primary_key) or "none",
        f"{stream.runs:,}",
        f"{stream.records:,}",
        size(stream.bytes),
        utc(stream.last_committed_at) if stream.last_committed_at else "",
    ]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
