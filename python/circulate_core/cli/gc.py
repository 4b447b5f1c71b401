"""`circulate gc`: remove what no manifest names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import circulate_core
from circulate_core.cli.options import (
    add_bucket_owner_option,
    add_lake_options,
    add_options,
    given_options,
    lake_of_flags,
)
from circulate_core.console import counted, paint, say, size

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate gc`."""
    add_lake_options(parser)
    add_options(parser, "gc")
    add_bucket_owner_option(parser)
    parser.add_argument("--json", action="store_true", help="write what was found as JSON")


def run(args: argparse.Namespace) -> int:
    """Remove what no manifest names."""
    options = given_options(args, "gc")
    collected = circulate_core.gc(lake_of_flags(args), **options)
    if args.json:
        print(json.dumps(collected.to_dict()))
    for key in collected.removed_keys:
        say(paint(f"  {key}", "dim"))
    verb = "would be removed" if options.get("dry_run") else "removed"
    say(
        f"{paint('✓', 'green')} {counted(collected.removed, 'object')} {verb} ({size(collected.removed_bytes)}),"
        f" {collected.kept:,} kept, {collected.young:,} too young"
    )
    return 0
