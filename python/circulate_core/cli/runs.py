"""`circulate runs`: what earlier runs did."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import circulate_core
from circulate_core.cli.options import add_bucket_owner_option, add_lake_options, lake_of_flags, positive
from circulate_core.console import counted, say, size, span, table, took, utc
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from circulate_core.coverages import Coverage, Span
    from circulate_core.results import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate runs`."""
    add_lake_options(parser)
    parser.add_argument("--limit", metavar="N", type=positive, default=20, help="number of runs to show (default: 20)")
    # Its name before 0.2, which goes with 0.3.
    parser.add_argument("--most", dest="limit", type=positive, help=argparse.SUPPRESS)
    parser.add_argument(
        "--coverage", action="store_true", help="show which time the lake holds of each stream, and what is missing"
    )
    add_bucket_owner_option(parser)
    parser.add_argument("--json", action="store_true", help="write the runs, or the coverage, as JSON")


def run(args: argparse.Namespace) -> int:
    """Write what earlier runs did, or what they left out."""
    if args.coverage:
        _show_coverage(args)
        return 0
    runs = circulate_core.runs(lake_of_flags(args), limit=args.limit)
    if args.json:
        print(json.dumps([run.to_dict() for run in runs]))
        return 0
    rows = [_HEADING, *(_row(run) for run in runs)]
    if not any(run.ledger.traffic.seconds_waited for run in runs):
        rows = _without("WAITED", rows)
    if not any(_deletes(run) for run in runs):
        rows = _without("DELETED", rows)
    print(table(rows))
    for run in runs:
        if why := run.ledger.stopped_by:
            what = {"open": "is unfinished", "abandoned": "was given up"}.get(run.status)
            if what:
                say(f"{run.stream} {run.run_id} {what}: {why}")
        if (deletes := run.ledger.deletes) and (withheld := deletes.withheld):
            what = f"{counted(withheld.count, 'record')} missing" if withheld.count else "what may be missing"
            say(f"{run.stream} {run.run_id} did not delete {what}: {withheld.reason}")
    return 0


def _show_coverage(args: argparse.Namespace) -> None:
    lake = lake_of_flags(args)
    found = circulate_core.coverage(lake)
    if args.json:
        print(json.dumps([each.to_dict() for each in found]))
        return
    if not found:
        message = f"no run in {lake.location} is committed"
        raise SettingsError(message, hint="pull a stream there, or name another place with --to")
    rows = [_span_row(each, span) for each in found for span in each.spans]
    print(table([["STREAM", "ACCOUNT", "FROM", "UNTIL", "WHAT", "RUNS"], *rows]))
    for stream in dict.fromkeys(each.stream for each in found if each.gaps):
        say(f"to fill the gaps of {stream}: circulate pull {stream} --backfill --to {lake.location}")


def _span_row(each: Coverage, covered: Span) -> list[str]:
    since = utc(covered.since) if covered.since else "the beginning"
    runs = f"{len(covered.runs):,}" if covered.runs else ""
    return [each.stream, each.account, since, utc(covered.until), covered.kind, runs]


def _without(column: str, rows: list[list[str]]) -> list[list[str]]:
    at = rows[0].index(column)
    return [row[:at] + row[at + 1 :] for row in rows]


def _deletes(run: Run) -> int:
    return run.ledger.deletes.count if run.ledger.deletes else 0


_HEADING = [
    "STARTED",
    "STREAM",
    "ACCOUNT",
    "MODE",
    "STATUS",
    "RECORDS",
    "DELETED",
    "OBJECTS",
    "STORED",
    "REQUESTS",
    "WAITED",
    "TOOK",
]


def _row(run: Run) -> list[str]:
    totals, traffic = run.ledger.totals, run.ledger.traffic
    return [
        utc(run.started_at),
        run.stream,
        run.account,
        run.mode,
        run.status,
        f"{totals.records:,}",
        f"{_deletes(run):,}",
        f"{totals.objects:,}",
        size(totals.bytes),
        f"{traffic.requests:,}",
        span(traffic.seconds_waited),
        took(run),
    ]
