"""`circulate sample` and `circulate schema`: a first look at a stream, which is stored nowhere."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core import _core
from circulate_core.catalogs import stream_definition, stream_names
from circulate_core.cli.options import account_arguments, add_account_options, gather_settings, positive
from circulate_core.cli.streams import matching
from circulate_core.console import counted, paint, say, table
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from circulate_core.reading import Stream

MAX_CELL = 40
"""Characters of a value in a table; `--json` writes all of it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate sample`."""
    _add_stream(parser)
    parser.add_argument("-n", "--records", metavar="N", type=positive, default=10, help="record limit (default: 10)")
    parser.add_argument("--json", action="store_true", help="write the records as received, as a JSON array")


def add_schema_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate schema`."""
    _add_stream(parser)
    parser.add_argument("--json", action="store_true", help="write the columns as JSON")


def _add_stream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", metavar="STREAM", help="stream, such as okta.users")
    parser.add_argument("--since", metavar="TIME", help="inclusive lower bound, such as 2026-01-31 or 7d")
    parser.add_argument("--until", metavar="TIME", help="exclusive upper bound")
    add_account_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the first records of a stream."""
    batch = _stream(args).sample(args.records)
    if args.json:
        sys.stdout.buffer.write(batch.json + b"\n")
        return 0
    rows = [_flat(record) for record in batch.records()]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    shown = _fitting(columns, rows, width)
    print(table([shown, *([row.get(name, "") for name in shown] for row in rows)]) if rows else "")
    hidden = len(columns) - len(shown)
    more = f", {hidden} more {'column' if hidden == 1 else 'columns'}: --json writes all" if hidden else ""
    say(paint(f"{counted(len(rows), 'record')}{more}", "dim"))
    return 0


def run_schema(args: argparse.Namespace) -> int:
    """Write the columns that the table of a stream has."""
    columns = list(_stream(args).schema())
    if args.json:
        print(json.dumps([{"name": each.name, "type": each.type, "declared": each.declared} for each in columns]))
        return 0
    rows = [[each.name, each.type, "" if each.declared else "inferred"] for each in columns]
    print(table([["COLUMN", "TYPE", ""], *rows]))
    return 0


def _stream(args: argparse.Namespace) -> Stream:
    names = matching([args.stream], stream_names(catalog=args.catalog))
    if len(names) > 1:
        message = f"`{args.stream}` is {len(names)} streams: name one"
        raise SettingsError(message, hint=f"such as {names[0]}")
    source, _, endpoint = names[0].partition(".")
    definition = stream_definition(names[0], catalog=args.catalog)
    known = account_arguments(args, gather_settings(args, definition["source"]))
    return circulate_core.source(source, **known).stream(endpoint, since=args.since, until=args.until)


def _flat(record: dict[str, Any], before: str = "") -> dict[str, str]:
    """Return the members of a record, those of objects in it too, as they are shown in a table."""
    cells: dict[str, str] = {}
    for name, value in record.items():
        if isinstance(value, dict) and value:
            cells |= _flat(value, f"{before}{name}.")
        else:
            cells[f"{before}{name}"] = _cell(value)
    return cells


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # JSON can hold halves of characters, which no string outside of Python can.
    text = _core.shown(text.encode(errors="backslashreplace").decode(), limit=MAX_CELL + 1)
    return text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"


def _fitting(columns: list[str], rows: list[dict[str, str]], width: int) -> list[str]:
    """Return the first columns that fit on a line; at least one."""
    used = 0
    shown: list[str] = []
    for name in columns:
        used += max(len(name), *(len(row.get(name, "")) for row in rows)) + 2
        if shown and used - 2 > width:
            break
        shown.append(name)
    return shown
