"""`circulate list`, `check`, `runs` and `verify`: look at things, change nothing."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import circulate_core
from circulate_core import _core, api
from circulate_core.cli import lambdas
from circulate_core.cli.local import LAMBDAS
from circulate_core.cli.options import (
    account_arguments,
    add_account_options,
    add_catalog_option,
    add_s3_options,
    gather_settings,
    s3_options,
)
from circulate_core.cli.pull import EXIT_CODES, add_state_option, lake_state
from circulate_core.console import counted, paint, say, size, span, table, took, utc
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circulate_core.results import Checked, Run
    from circulate_core.settings import Configured
    from circulate_core.types import SourceDefinition


def add_list_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate list`."""
    parser.add_argument("--json", action="store_true", help="write the definitions as JSON")
    add_catalog_option(parser)


def run_list(args: argparse.Namespace) -> int:
    """Write the streams there are."""
    definitions = circulate_core.streams(catalog=args.catalog)
    if args.json:
        print(json.dumps(definitions))
        return 0
    rows = [["STREAM", "PULLS", "WHAT"]]
    for definition in definitions:
        name = f"{definition['source']['source']}.{definition['endpoint']['endpoint']}"
        listed = definition["endpoint"]["list"]
        parent = listed.get("parent")
        how = "incremental" if (parent or listed).get("incremental") else "full"
        rows.append([name, how, definition["endpoint"]["about"]])
    print(table(rows))
    return 0


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate check`."""
    parser.add_argument(
        "names",
        metavar="SOURCE|STREAM",
        nargs="+",
        help="what to check, such as okta, or okta.users okta.groups; `lambdas` checks Lambda functions instead",
    )
    parser.add_argument(
        "--lambdas", metavar="DIR", type=Path, default=LAMBDAS, help=f"where functions are (default: {LAMBDAS})"
    )
    add_account_options(parser)


def run_check(args: argparse.Namespace) -> int:
    """Show the settings of a source, and ask it whether they are right; or check functions."""
    if args.names == ["lambdas"]:
        return lambdas.check(args)
    name, streams = _source_and_streams(args.names)
    source = api.source_definition(name, catalog=args.catalog)
    settings = gather_settings(args, source)
    _say_settings(source, settings)
    checked = circulate_core.check(name, streams=streams, **account_arguments(args, settings))
    _say_checked(checked)
    if streams or checked.oauth:
        _say_scopes(checked, source)
    if not _say_lists(checked):
        say(f"{paint('✗', 'red')} some of these lists would not be read to their end: correct their definitions first")
        return EXIT_CODES["partial"]
    pulled = " ".join(streams) or f"{name}.<stream>"
    say(f"{paint('✓', 'green')} {source['title']} is ready: circulate pull {pulled} --to ./lake")
    return 0


def _source_and_streams(names: Sequence[str]) -> tuple[str, list[str]]:
    sources = {name.partition(".")[0]: None for name in names}
    if len(sources) > 1:
        message = f"one source at a time: these are {' and '.join(sources)}"
        raise SettingsError(message)
    return next(iter(sources)), [name for name in names if "." in name]


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
            _say_fact(name, "has no parent to ask for its records")
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


def add_runs_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate runs`."""
    parser.add_argument("--to", metavar="PLACE", help="folder or bucket that was pulled to (default: this folder)")
    add_state_option(parser)
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="number of runs to show (default: 20)")
    # Its name before 0.2, which goes with 0.3.
    parser.add_argument("--most", dest="limit", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="write the runs as JSON")


def run_runs(args: argparse.Namespace) -> int:
    """Write what earlier runs did."""
    runs = circulate_core.runs(lake_state(args), limit=args.limit)
    if args.json:
        print(json.dumps([run.to_dict() for run in runs]))
        return 0
    heading = [
        "STARTED",
        "STREAM",
        "ACCOUNT",
        "MODE",
        "STATUS",
        "RECORDS",
        "OBJECTS",
        "STORED",
        "REQUESTS",
        "WAITED",
        "TOOK",
    ]
    print(table([heading, *(_row(run) for run in runs)]))
    for run in runs:
        if why := run.ledger.stopped_by:
            what = {"open": "is unfinished", "abandoned": "was given up"}.get(run.status)
            if what:
                say(f"{run.stream} {run.run_id} {what}: {why}")
    return 0


def _row(run: Run) -> list[str]:
    totals, traffic = run.ledger.totals, run.ledger.traffic
    return [
        utc(run.started_at),
        run.stream,
        run.account,
        run.mode,
        run.status,
        f"{totals.records:,}",
        f"{totals.objects:,}",
        size(totals.bytes),
        f"{traffic.requests:,}",
        span(traffic.seconds_waited),
        took(run),
    ]


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate verify`."""
    parser.add_argument("manifest", metavar="MANIFEST", help="a manifest's index: LAKE/_circulate/....json")
    parser.add_argument(
        "--state", metavar="PLACE", help="state that must agree (default: .circulate/state.db, if the lake is a folder)"
    )
    add_s3_options(parser)
    parser.add_argument("--json", action="store_true", help="write what was found as JSON")


def run_verify(args: argparse.Namespace) -> int:
    """Read back everything a manifest names."""
    verified = circulate_core.verify(args.manifest, state=args.state, s3=s3_options(args))
    if args.json:
        print(json.dumps(verified.to_dict()))
    problems = verified.problems
    for problem in problems:
        say(f"{paint('✗', 'red')} {problem}")
    what = f"{verified.stream} of {verified.account}, run {verified.run_id}"
    if problems:
        say(f"{paint('✗', 'red')} {what}: {counted(len(problems), 'problem')}")
        return 1
    say(
        f"{paint('✓', 'green')} {what}: {counted(verified.objects, 'object')} read back, digests and counts right,"
        f" {counted(verified.records, 'record')}, {size(verified.bytes)}"
    )
    return 0
