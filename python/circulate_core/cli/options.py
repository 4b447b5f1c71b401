"""Options that several commands share, and flags for the options that the engine declares."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from circulate_core import _core
from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_core.config import catalog_in, catalog_of_environment, configured_catalog
from circulate_core.console import is_terminal, paint, say
from circulate_core.exceptions import SettingsError
from circulate_core.lakes import Lake
from circulate_core.settings import Configured, configured

if TYPE_CHECKING:
    from circulate_core._core import DeclaredOption, Settings
    from circulate_core.types import Headroom, S3Options, SourceDefinition


class AccountArguments(TypedDict):
    """What the functions of the package take to know an account."""

    settings: Settings
    secret: str | None
    account: str | None
    headroom: Headroom | None
    catalog: list[str | Path] | list[str]


def add_options(parser: argparse.ArgumentParser, function: str, *, but: frozenset[str] = frozenset()) -> None:
    """Declare a flag for each option that the engine declares for a function, in groups.

    Args:
        parser: Where to.
        function: `pull`, `promote`, `register`, `gc`, `s3` or `account`.
        but: Options that are left out.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in _core.declared_options(function):
        if option.name in but:
            continue
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group[0].lower() + option.group[1:])
        flag, about = f"--{option.name.replace('_', '-')}", flag_help(option)
        if option.kind == "FLAG":
            groups[option.group].add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=about)
        else:
            # What is not given is left to the engine, which has the defaults.
            choices = option.choices or None
            metavar = None if choices else option.kind
            groups[option.group].add_argument(
                flag, metavar=metavar, choices=choices, default=argparse.SUPPRESS, help=about
            )


def flag_help(option: DeclaredOption) -> str:
    """Return the first sentence of what an option does, and its default."""
    sentence = option.about.partition(". ")[0].rstrip(".")
    if sentence[1].islower():
        sentence = sentence[0].lower() + sentence[1:]
    default = option.default or option.left_out
    # `argparse` formats it.
    return (f"{sentence} (default: {default})" if default else sentence).replace("%", "%%").replace("`", "")


def given_options(args: argparse.Namespace, function: str) -> dict[str, Any]:
    """Return the options of a function that were given by flags, as text.

    Raises:
        SettingsError: A value is none of its kind. All of them are named.
    """
    names = (option.name for option in _core.declared_options(function))
    given = {name: getattr(args, name) for name in names if hasattr(args, name)}
    _core.check_options(function, given)
    return given


def add_lake_options(parser: argparse.ArgumentParser, *, to: str = "folder or bucket that was pulled to") -> None:
    """Declare the options that say which lake is meant."""
    parser.add_argument("--to", metavar="PLACE", help=f"{to} (default: this folder, or the one lake in it)")
    add_state_option(parser)


def add_state_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--state`."""
    parser.add_argument(
        "--state",
        metavar="PLACE",
        help="state file or dynamodb://table (default: .circulate/state.db in the folder; needed for a bucket)",
    )


def lake_of_flags(args: argparse.Namespace) -> Lake:
    """Return the lake that `--to` and `--state` name; without them that of this folder, or the only one in it."""
    if args.to is not None or args.state is not None:
        return Lake(args.to if args.to is not None else ".", state=args.state, s3=s3_options(args))
    here = Lake(".", s3=s3_options(args))
    # What cannot be looked into is reported when it is opened.
    if os.path.lexists(os.path.dirname(here.state or "")):  # noqa: PTH120 - as `Path` raises what this does not
        return here
    found = sorted(path.parent.parent for path in Path(here.location).glob("*/.circulate/state.db"))
    if len(found) > 1:
        message = f"there are {len(found)} lakes in this folder"
        raise SettingsError(message, hint=f"name one with --to: {', '.join(path.name for path in found)}")
    if found:
        say(paint(f"using the lake ./{found[0].name}", "dim"))
    return Lake(found[0], s3=s3_options(args)) if found else here


def add_catalog_option(parser: argparse._ActionsContainer) -> None:
    """Declare `--catalog`."""
    parser.add_argument(
        "--catalog",
        metavar="DIR",
        action="append",
        default=[],
        help="folder of your own definitions; may be repeated (default: as CIRCULATE_CATALOG or the config file says)",
    )


def add_account_options(parser: argparse.ArgumentParser, *, with_catalog: bool = True) -> None:
    """Declare the options that say which account to ask, and how; where the source is defined, if that is not known."""
    group = parser.add_argument_group("account")
    group.add_argument("--account", metavar="NAME", help="name of the account in keys (default: its host)")
    group.add_argument("--profile", metavar="NAME", help="profile of the source in the config file to take settings of")
    group.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="a setting of the source; never a secret"
    )
    group.add_argument(
        "--secret", metavar="NAME", help="secret in AWS Secrets Manager that holds the settings that are not given"
    )
    group.add_argument(
        "--config", metavar="FILE", type=Path, help="settings in TOML (default: ./circulate.toml, else the user's)"
    )
    if with_catalog:
        add_catalog_option(group)
    add_options(parser, "account")


def add_bucket_owner_option(parser: argparse.ArgumentParser) -> None:
    """Declare the option of buckets that are only read."""
    add_options(parser, "s3", but=frozenset({"sse", "sse_kms_key_id"}))


def s3_options(args: argparse.Namespace) -> S3Options:
    """Return what flags say about how a bucket is used."""
    return cast("S3Options", given_options(args, "s3"))


def account_arguments(args: argparse.Namespace, settings: Configured) -> AccountArguments:
    """Return what the functions of the package take to know an account.

    Settings are gathered by now, and whether they may go where a definition leads was judged with them.
    """
    return {
        "settings": settings.settings,
        "secret": settings.secret,
        "account": settings.account,
        "headroom": settings.headroom,
        "catalog": args.catalog or configured_catalog(),
    }


def gather_settings(args: argparse.Namespace, source: SourceDefinition) -> Configured:
    """Return what flags, environment and config file say about a source."""

    def warn(text: str) -> None:
        say(f"{paint('warning:', 'yellow')} {text}")

    return configured(
        source,
        warn=warn,
        flags=args.set,
        config=args.config,
        profile=args.profile,
        secret=args.secret,
        account=args.account,
        catalog=args.catalog,
        headroom=given_options(args, "account").get("headroom"),
        ask=_ask if sys.stdin is not None and sys.stdin.isatty() and is_terminal() else None,
        trust=getattr(args, "trust", False),
    )


def _ask(what: str) -> bool:
    """Ask the person at the terminal whether a definition may have what it wants."""
    sys.stderr.write(f"{paint('warning:', 'yellow')} {what}\nLet it have that? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def named_catalog(args: argparse.Namespace) -> list[str | Path]:
    """Return the catalogs that flags name: by `--catalog`, or by a config file that is given by `--config`."""
    if args.catalog or catalog_of_environment(os.environ) or not getattr(args, "config", None):
        return list(args.catalog)
    # Without one in that file, none: what another file says is not looked for.
    return [*catalog_in(str(args.config))] or [SHIPPED_CATALOG]


def positive(text: str) -> int:
    """Return a number of 1 or more."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        message = f"expected a whole number of 1 or more, given '{text}'"
        raise argparse.ArgumentTypeError(message)
    return number
