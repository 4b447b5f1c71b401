"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from circulate_core.console import paint, say
from circulate_core.settings import Configured, configured

if TYPE_CHECKING:
    import argparse

    from circulate_core._core import Settings
    from circulate_core.types import S3Options, SourceDefinition


class AccountArguments(TypedDict):
    """What the functions of the package take to know an account."""

    settings: Settings
    secret: str | None
    account: str | None
    catalog: list[str]


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
        "--secret", metavar="NAME", help="secret in AWS Secrets Manager that holds the settings that are not given"
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="settings in TOML (default: ./circulate.toml, else the user's)"
    )
    add_catalog_option(parser)


def add_s3_options(parser: argparse.ArgumentParser, *, writes: bool = False) -> None:
    """Declare the options that say how a bucket is used; they are named as in the AWS command line."""
    if writes:
        parser.add_argument("--sse", choices=["AES256", "aws:kms"], help="encryption in S3 (default: the bucket's)")
        parser.add_argument("--sse-kms-key-id", metavar="KEY", help="KMS key (default: the account's own for S3)")
    parser.add_argument("--expected-bucket-owner", metavar="ACCOUNT", help="AWS account that must own the bucket")


def s3_options(args: argparse.Namespace) -> S3Options:
    """Return what flags say about how a bucket is used."""
    names = ("sse", "sse_kms_key_id", "expected_bucket_owner")
    given = {name: value for name in names if (value := getattr(args, name, None))}
    return cast("S3Options", given)


def account_arguments(args: argparse.Namespace, settings: Configured) -> AccountArguments:
    """Return what the functions of the package take to know an account."""
    return {
        "settings": settings.settings,
        "secret": settings.secret,
        "account": settings.account,
        "catalog": args.catalog,
    }


def gather_settings(args: argparse.Namespace, source: SourceDefinition) -> Configured:
    """Return what flags, environment and config file say about a source."""

    def warn(text: str) -> None:
        say(f"{paint('warning:', 'yellow')} {text}")

    return configured(source, warn=warn, flags=args.set, config=args.config, secret=args.secret, account=args.account)
