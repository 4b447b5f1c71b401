"""`circulate record`: pull a stream, and record requests and responses, without secrets and personal data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.accounts import account_of
from circulate_core.catalogs import stream_definition, stream_names
from circulate_core.cli.options import account_arguments, add_account_options, gather_settings, positive
from circulate_core.cli.streams import matching
from circulate_core.console import counted, paint, say
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate record`."""
    parser.add_argument("stream", metavar="STREAM", help="stream, such as acme.users")
    parser.add_argument(
        "--to",
        metavar="FILE",
        type=Path,
        required=True,
        help="the cassette to write, such as tests/cassettes/acme.users.jsonl",
    )
    parser.add_argument("--requests", metavar="N", type=positive, help="record so many requests at the most")
    parser.add_argument("--since", metavar="TIME", help="inclusive lower bound, such as 2026-01-31 or 7d")
    parser.add_argument("--until", metavar="TIME", help="exclusive upper bound")
    parser.add_argument(
        "--keep", metavar="MEMBER", action="append", default=[], help="a member whose values are not replaced"
    )
    parser.add_argument(
        "--scrub", metavar="MEMBER", action="append", default=[], help="one more member whose values are replaced"
    )
    parser.add_argument("--force", action="store_true", help="replace a cassette that is there")
    add_account_options(parser)


def run(args: argparse.Namespace) -> int:
    """Record, and say what was replaced."""
    from circulate_core.authoring.cassettes.recording import record, save  # noqa: PLC0415 - for this command only

    names = matching([args.stream], stream_names(catalog=args.catalog))
    if len(names) > 1:
        message = f"`{args.stream}` is {len(names)} streams: name one"
        raise SettingsError(message, hint=f"such as {names[0]}")
    if args.to.exists() and not (args.force and args.to.is_file()):
        message = f"there is already {args.to}"
        raise SettingsError(message, hint="name another file, or give `--force` to replace it")
    definition = stream_definition(names[0], catalog=args.catalog)
    known = account_arguments(args, gather_settings(args, definition["source"]))
    catalog = known["catalog"]
    account = account_of(
        None,
        known["settings"],
        catalog=catalog,
        secret=known["secret"],
        account=known["account"],
        headroom=known["headroom"],
    )
    recorded = record(
        names[0],
        account,
        catalog=catalog,
        requests=args.requests,
        keep=args.keep,
        scrub=args.scrub,
        since=args.since,
        until=args.until,
    )
    cassette = recorded.cassette
    save(cassette, args.to, replaced=args.force)
    asked = sum(each.response is not None for each in cassette.exchanges)
    records = len(cassette.ending.records)
    end = "; the list goes on behind them" if cassette.is_cut else f", {cassette.ending.status}"
    say(f"{paint('✓', 'green')} {args.to}: {counted(asked, 'request')}, {counted(records, 'record')}{end}")
    if cassette.replaced:
        kinds = ", ".join(_kind(number, kind) for kind, number in sorted(cassette.replaced.items()))
        say(f"replaced {kinds}, in {counted(recorded.places, 'place')}; sign-in headers and cookies are not recorded")
    else:
        say("nothing to replace was found; sign-in headers and cookies are not recorded")
    say("read it before you commit it: what is personal in texts of your API, only you can know")
    say(f"next: circulate replay {args.to} --faults all")
    return 0


def _kind(number: int, kind: str) -> str:
    plural = kind.replace("address", "addresse") if kind.endswith("address") else kind
    return f"{number:,} {kind if number == 1 else f'{plural}s'}"
