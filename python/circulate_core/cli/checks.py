"""`circulate check`: are settings, credentials and lists of a source right?"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core import _core
from circulate_core.catalogs import source_definition, stream_names
from circulate_core.cli import lambdas
from circulate_core.cli.exit_codes import EXIT_CODES
from circulate_core.cli.local import LAMBDAS
from circulate_core.cli.options import account_arguments, add_account_options, gather_settings
from circulate_core.cli.streams import matching
from circulate_core.console import counted, paint, say, span, utc
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from circulate_core.authoring.list_checks import ListFinding
    from circulate_core.reading import Source
    from circulate_core.results import Checked
    from circulate_core.settings import Configured
    from circulate_core.types import Catalog, SourceDefinition


_COLOURS = {"right": "green", "wrong": "red", "unknown": "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate check`."""
    parser.add_argument(
        "names",
        metavar="SOURCE|STREAM",
        nargs="+",
        help="what to check: a source (okta), or streams of it (okta.users, 'okta.*'); `lambdas` checks Lambda"
        " functions instead",
    )
    parser.add_argument(
        "--lambdas", metavar="DIR", type=Path, default=LAMBDAS, help=f"where functions are (default: {LAMBDAS})"
    )
    parser.add_argument(
        "--deep",
        action="store_true",
        help="read the first pages of the streams, too, and compare them with what their definitions say",
    )
    parser.add_argument("--json", action="store_true", help="write what was found to stdout as a line of JSON")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="let the definition have the secrets that it names, also those of other sources, from now on",
    )
    add_account_options(parser)


def run(args: argparse.Namespace) -> int:
    """Show the settings of a source, and ask it whether they are right; or check functions."""
    if args.names == ["lambdas"]:
        if args.json:
            message = "`--json` writes what a source shows, and `lambdas` are functions"
            raise SettingsError(message, hint="leave it out")
        return lambdas.check(args)
    name, streams = _source_and_streams(args.names, args.catalog)
    if args.deep and not streams:
        message = f"`--deep` reads streams, and {name} is a source"
        raise SettingsError(message, hint=f"name streams of it, or all: '{name}.*'")
    source = source_definition(name, catalog=args.catalog)
    settings = gather_settings(args, source)
    _say_settings(source, settings)
    checked = circulate_core.check(name, streams=streams, **account_arguments(args, settings))
    _say_checked(checked)
    if streams or checked.oauth:
        _say_scopes(checked, source)
    is_whole = _say_lists(checked)
    known = account_arguments(args, settings)
    looked_at = streams if args.deep else []
    findings = {stream: _findings(circulate_core.source(name, **known), stream) for stream in looked_at}
    is_right = all(each.status != "wrong" for found in findings.values() for each in found)
    if args.json:
        print(json.dumps(_document(settings, source, checked, findings, is_right=is_whole and is_right)))
    if not is_whole or not is_right:
        what = "some of these lists would not be read to their end" if not is_whole else "some of this is wrong"
        say(f"{paint('✗', 'red')} {what}: correct the definitions first")
        return EXIT_CODES["partial"]
    _ready(args, name, source, streams)
    return 0


def _ready(args: argparse.Namespace, name: str, source: SourceDefinition, streams: Sequence[str]) -> None:
    pulled = " ".join([" ".join(streams) or f"{name}.<stream>", *map(shlex.quote, _flags_of_definition(args))])
    say(f"{paint('✓', 'green')} {source['title']} is ready: circulate pull {pulled} --to ./lake")


def _document(
    settings: Configured,
    source: SourceDefinition,
    checked: Checked,
    findings: Mapping[str, Sequence[ListFinding]],
    *,
    is_right: bool,
) -> dict[str, Any]:
    """Return what is shown, for programs."""
    configured = {
        name: {"value": None if setting["secret"] else _public(settings.public[name]), "origin": settings.origins[name]}
        for name, setting in source["settings"].items()
        if name in settings.origins
    }
    found = [{"stream": stream, **asdict(each)} for stream, listed in findings.items() for each in listed]
    return {
        "source": source["source"],
        "settings": configured,
        **checked.to_dict(),
        "findings": [{**each, "evidence": _core.shown(each["evidence"], limit=500)} for each in found],
        "right": is_right,
    }


def _findings(source: Source, stream: str) -> list[ListFinding]:
    """Show what the first pages of a list show of its definition, and return it."""
    from circulate_core.authoring.list_checks import check_list  # noqa: PLC0415 - for streams only

    findings = check_list(source.stream(stream.partition(".")[2]))
    say(f"  {stream.partition('.')[2]}")
    for finding in findings:
        evidence = _core.shown(finding.evidence, limit=500)
        say(f"    {paint(finding.status, _COLOURS[finding.status]):<8} {finding.key}: {evidence}")
    return findings


def _flags_of_definition(args: argparse.Namespace) -> list[str]:
    """Return the flags by which the definition was found."""
    if args.config:
        return ["--config", str(args.config)]
    return [word for folder in args.catalog for word in ("--catalog", str(folder))]


def _source_and_streams(names: Sequence[str], catalog: Catalog) -> tuple[str, list[str]]:
    sources = {name.partition(".")[0]: None for name in names}
    if len(sources) > 1:
        message = f"one source at a time: these are {' and '.join(sources)}"
        raise SettingsError(message)
    source = next(iter(sources))
    # A source alone is checked without its streams, which may need rights that nobody wants to give.
    return source, [] if names == [source] else matching(names, stream_names(catalog=catalog))


def _say_settings(source: SourceDefinition, settings: Configured) -> None:
    say(paint(source["title"], "bold"))
    for name, setting in source["settings"].items():
        if origin := settings.origins.get(name):
            _say_fact(name, f"{'set' if setting['secret'] else _public(settings.public[name])}, {origin}")
    if settings.secret:
        _say_fact("the rest", f"in the secret {settings.secret}, {settings.origins['secret']}")


def _public(value: str) -> str:
    """Return a value as it may be shown: an address without what somebody wrote before an `@` in it."""
    return _core.shown(re.sub(r"//[^/?#]*@", "//***@", value), limit=200)


def _say_fact(name: str, fact: str) -> None:
    say(f"  {name:<13} {fact}")


def _say_scopes(checked: Checked, source: SourceDefinition) -> None:
    granted = f"granted by {source['title']}" if checked.oauth else "what an OAuth app would need"
    if scopes := checked.scopes:
        _say_fact("scopes", f"{' '.join(scopes)} ({granted})")


def _say_lists(checked: Checked) -> bool:
    """Show what the first pages hold; return whether no list would end early."""
    for checked_list in checked.lists:
        name, records = checked_list.stream.partition(".")[2], checked_list.records
        if records is None:
            _say_fact(name, "was not requested: it has no parent, or a job makes it")
            continue
        page = f"{counted(records, 'record')} on the first page"
        if why := checked_list.contradicted:
            _say_fact(name, paint(f"{page}, and the list goes on: {why}", "yellow"))
        elif end := checked_list.end:
            _say_fact(name, f"{page}, which is the last ({end})")
        else:
            _say_fact(name, f"{page}, which leads to a next one")
    return not any(checked_list.contradicted for checked_list in checked.lists)


def _say_checked(checked: Checked) -> None:
    how = "signed in to" if checked.oauth and not checked.requested else "reached"
    _say_fact(how, f"{checked.account} in {span(checked.seconds)}")
    if quota := checked.quota:
        left_to_others = (checked.headroom or 0) * 100
        _say_fact(
            "quota",
            f"{quota.remaining:,} of {quota.limit:,} requests left in this window;"
            f" pulls leave {left_to_others:.0f} % to others",
        )
    if date := checked.server_date:
        _say_fact("its clock", utc(date))
