"""`circulate runs`: what earlier runs did."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import circulate_core
from circulate_core.cli.options import add_lake_options, lake_of_flags, positive
from circulate_core.console import say, size, span, table, took, utc

if TYPE_CHECKING:
    from circulate_core.results import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate runs`."""
    add_lake_options(parser)
    parser.add_argument("--limit", metavar="N", type=positive, default=20, help="number of runs to show (default: 20)")
    # Its name before 0.2, which goes with 0.3.
    parser.add_argument("--most", dest="limit", type=positive, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="write the runs as JSON")


def run(args: argparse.Namespace) -> int:
    """Write what earlier runs did."""
    runs = circulate_core.runs(lake_of_flags(args), limit=args.limit)
    if args.json:
        print(json.dumps([run.to_dict() for run in runs]))
        return 0
    rows = [_HEADING, *(_row(run) for run in runs)]
    if not any(run.ledger.traffic.seconds_waited for run in runs):
        rows = [[cell for cell, name in zip(row, _HEADING, strict=True) if name != "WAITED"] for row in rows]
    print(table(rows))
    for run in runs:
        if why := run.ledger.stopped_by:
            what = {"open": "is unfinished", "abandoned": "was given up"}.get(run.status)
            if what:
                say(f"{run.stream} {run.run_id} {what}: {why}")
    return 0


_HEADING = [
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
