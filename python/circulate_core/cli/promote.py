"""`circulate promote`: copy a run into a place for readers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import circulate_core
from circulate_core.cli.exit_codes import EXIT_CODES, INTERRUPTED
from circulate_core.cli.options import add_options, add_state_option, given_options, s3_options
from circulate_core.cli.signals import stopping_on_signals
from circulate_core.console import counted, paint, say, size, span
from circulate_core.progress import ALWAYS, Fact, TerminalProgress, amount

if TYPE_CHECKING:
    import argparse

    from circulate_core.results import Promoted, Snapshot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate promote`."""
    parser.add_argument("manifest", metavar="MANIFEST", help="the run's manifest: LAKE/_circulate/....json")
    parser.add_argument("--to", metavar="PLACE", required=True, help="folder or s3://bucket/prefix for readers")
    add_state_option(parser)
    parser.add_argument("--json", action="store_true", help="write the report to stdout as a line of JSON")
    add_options(parser, "promote")
    add_options(parser, "s3")


class PromotionProgress(TerminalProgress):
    """Shows snapshots of a promotion."""

    def _facts(self, snapshot: Snapshot, left: str | None) -> list[Fact]:
        done = amount(snapshot) or counted(snapshot.objects, "object")
        facts = [Fact(self.title, ALWAYS), Fact(done, ALWAYS), Fact(counted(snapshot.records, "record"), 3)]
        facts.append(Fact(size(snapshot.bytes_stored), 2))
        facts.append(Fact(left, 4) if left else Fact(f"{snapshot.objects / self.seconds:,.0f} objects/s", 1))
        return facts


def run(args: argparse.Namespace) -> int:
    """Promote a run, show its progress and its summary."""
    options, began = given_options(args, "promote"), time.monotonic()
    stop = circulate_core.Stop()
    with stopping_on_signals(stop), PromotionProgress("promote") as progress:
        promoted = circulate_core.promote(
            args.manifest,
            to=args.to,
            state=args.state,
            s3=s3_options(args),
            on_progress=progress.show,
            stop=stop,
            **options,
        )
    _show(promoted, time.monotonic() - began)
    if args.json:
        print(json.dumps(promoted.to_dict()))
    return INTERRUPTED if promoted.stopped_by == "interrupted" else EXIT_CODES[promoted.status]


def _show(promoted: Promoted, seconds: float) -> None:
    """Write the closing summary to stderr."""
    complete = promoted.status == "complete"
    mark, colour = ("✓", "green") if complete else ("◐", "yellow")
    what = f"{paint(promoted.stream, 'bold')} of {promoted.account}, run {promoted.run_id}"
    say(f"{paint(mark, colour)} {what}: {'promoted' if complete else 'partly promoted'}")
    say(
        f"  {counted(promoted.objects, 'object')} with {counted(promoted.records, 'record')},"
        f" {size(promoted.bytes)}: {promoted.copied:,} copied in {span(seconds)},"
        f" {promoted.skipped:,} there already"
    )
    if complete:
        say(f"  manifest  {promoted.destination}/{promoted.manifest}")
        return
    say(f"  stopped by: {promoted.stopped_by}")
    say("  nothing is lost: the same command resumes")
