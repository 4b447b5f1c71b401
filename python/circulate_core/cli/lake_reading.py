"""What the commands that read lakes share: which lake, as of when, and what a reading says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core.cli.options import (
    add_bucket_owner_option,
    add_catalog_option,
    add_lake_options,
    lake_of_flags,
)

if TYPE_CHECKING:
    import argparse

    from circulate_core.lakes import Lake


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say what is read."""
    parser.add_argument(
        "--at", metavar="TIME", help="tables as of a time: 2026-01-31, 2026-01-31T12:00Z, or 7d for a week ago"
    )
    add_lake_options(parser, to="folder or bucket that was pulled or promoted to")
    add_bucket_owner_option(parser)
    add_catalog_option(parser)


def lake_to_read(args: argparse.Namespace) -> Lake:
    """Return the lake that flags name."""
    return lake_of_flags(args)
