"""`circulate practice-list`: a list on loopback, in any style of paging, with the traps of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate practice-list`, if the practice servers are installed."""
    try:
        from circulate_practice.paging.kit import command  # noqa: PLC0415 - not part of the Lambda layer
    except ModuleNotFoundError:
        return
    command.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the server until it is stopped."""
    try:
        from circulate_practice.paging.kit import command  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        message = "this installation comes without the practice servers"
        raise SettingsError(message) from None
    return command.run(args)
