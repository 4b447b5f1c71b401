"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.cli.settings import Configured, configured

if TYPE_CHECKING:
    import argparse

    from circulate_core.types import SourceDefinition


def add_catalog_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--catalog`."""
    parser.add_argument(
        "--catalog", metavar="DIR", action="append", default=[], help="folder of your own definitions; may be repeated"
    )


def add_account_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say which account to ask, and how."""
    parser.add_argument("--account", metavar="NAME", help="name of the account in keys (default: its host)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="a setting of the source; never a secret"
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="settings in TOML (default: ./circulate.toml, else the user's)"
    )
    add_catalog_option(parser)


def gather_settings(args: argparse.Namespace, source: SourceDefinition) -> Configured:
    """Return what flags, environment and config file say about a source."""
    return configured(source, flags=args.set, config=args.config, account=args.account)
