"""What the commands that read lakes share: which lake, as of when, and what a reading says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from circulate_core import _core
from circulate_core.cli.options import (
    add_bucket_owner_option,
    add_catalog_option,
    add_lake_options,
    lake_of_flags,
)
from circulate_core.console import paint, say

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


def note_future(args: argparse.Namespace, *names: str) -> None:
    """Check times that flags give; a note says of one that is still to come that it makes no difference.

    Raises:
        SettingsError: It is not a time.
    """
    for name in names:
        given = getattr(args, name)
        if given is not None and datetime.fromisoformat(_core.timestamp(name, given)) > datetime.now(UTC):
            say(f"{paint('note:', 'cyan')} --{name} {given} is in the future: no run was committed after now")


def lake_to_read(args: argparse.Namespace) -> Lake:
    """Return the lake that flags name."""
    return lake_of_flags(args)
