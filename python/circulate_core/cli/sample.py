"""`circulate sample` and `circulate schema`: a first look at a stream, which is stored nowhere."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import circulate_core
from circulate_core.catalogs import stream_definition, stream_names
from circulate_core.cli.options import account_arguments, add_account_options, gather_settings, positive
from circulate_core.cli.record_table import record_table
from circulate_core.cli.streams import matching
from circulate_core.console import counted, paint, say, table
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from circulate_core.reading import Stream


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
    records = batch.records()
    text, hidden = record_table(records)
    print(text)
    more = f", {counted(hidden, 'more column')}: --json writes all" if hidden else ""
    say(paint(f"{counted(len(records), 'record')}{more}", "dim"))
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
