"""`circulate list`: the streams that there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from circulate_core.catalogs import stream_definition, stream_names
from circulate_core.cli.options import add_catalog_option
from circulate_core.cli.streams import STREAMS, matching
from circulate_core.console import table

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate list`."""
    parser.add_argument("streams", metavar="STREAM", nargs="*", help=f"{STREAMS} (default: all)")
    parser.add_argument("--json", action="store_true", help="write the definitions as JSON")
    parser.add_argument("--names", action="store_true", help="write names alone, a line each")
    add_catalog_option(parser)


def run(args: argparse.Namespace) -> int:
    """Write the streams there are."""
    names = stream_names(catalog=args.catalog)
    if args.streams:
        names = matching(args.streams, names)
    if args.names:
        print("\n".join(names))
        return 0
    definitions = [stream_definition(name, catalog=args.catalog) for name in names]
    if args.json:
        print(json.dumps(definitions))
        return 0
    rows = [["STREAM", "PULLS", "WHAT"]]
    for name, definition in zip(names, definitions, strict=True):
        listed = definition["endpoint"]["list"]
        selected = listed.get("incremental") or listed.get("parent", {}).get("incremental")
        how = "incremental" if selected else "full"
        rows.append([name, how, definition["endpoint"]["about"]])
    print(table(rows))
    return 0
