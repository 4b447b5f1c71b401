"""`circulate sql`: a query over the tables of a lake."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from circulate_core.cli.lake_reading import add_reading_options, lake_to_read, note_future
from circulate_core.cli.rows import add_row_options, check_row_options, write_rows

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate sql`."""
    parser.add_argument(
        "query",
        metavar="QUERY",
        help="a SELECT in DuckDB's dialect; okta.users is what is current of a stream, history.okta.users every"
        " version of it; `-` reads the query from stdin",
    )
    add_reading_options(parser)
    add_row_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the rows of a query."""
    connection = check_row_options(args)
    note_future(args, "at")
    query = sys.stdin.read() if args.query == "-" else args.query
    rows = lake_to_read(args).sql(query, at=args.at, catalog=args.catalog, connection=connection)
    write_rows(rows, args, connection)
    return 0
