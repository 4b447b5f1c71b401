"""`circulate promote`: copy a run into a place for readers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import circulate_core
from circulate_core.cli.options import add_s3_options, s3_options
from circulate_core.cli.pull import EXIT_CODES, INTERRUPTED, positive, read_span, stopping_on_signals
from circulate_core.console import counted, paint, say, size, span
from circulate_core.progress import TerminalProgress

if TYPE_CHECKING:
    import argparse

    from circulate_core.results import Promoted, Snapshot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate promote`."""
    parser.add_argument("manifest", metavar="MANIFEST", help="the run's manifest: LAKE/_circulate/....json")
    parser.add_argument("--to", metavar="PLACE", required=True, help="folder or s3://bucket/prefix for readers")
    parser.add_argument(
        "--state",
        metavar="PLACE",
        help="state that the run was pulled with (default: .circulate/state.db in the lake; needed for a bucket)",
    )
    parser.add_argument("--compact", action="store_true", help="put objects together in NDJSON objects of 64 to 128 MB")
    parser.add_argument(
        "--deadline", metavar="SPAN", type=read_span, help="start no more copies after this time, such as 10m"
    )
    parser.add_argument(
        "--memory",
        metavar="N",
        type=positive,
        default=64_000_000,
        help="memory budget in bytes (default: 64000000)",
    )
    parser.add_argument("--json", action="store_true", help="write the report to stdout as a line of JSON")
    add_s3_options(parser, writes=True)


class PromotionProgress(TerminalProgress):
    """Shows snapshots of a promotion."""

    def _line(self, snapshot: Snapshot) -> str:
        objects, seconds = snapshot.objects, self.seconds
        parts = [self.title, counted(objects, "object"), counted(snapshot.records, "record")]
        return "  ".join([*parts, size(snapshot.bytes_stored), f"{objects / seconds:,.0f} objects/s"])


def run(args: argparse.Namespace) -> int:
    """Promote a run, show its progress and its summary."""
    began = time.monotonic()
    stop = circulate_core.Stop()
    with stopping_on_signals(stop), PromotionProgress("promote") as progress:
        promoted = circulate_core.promote(
            args.manifest,
            to=args.to,
            state=args.state,
            compact=args.compact,
            memory=args.memory,
            deadline=args.deadline,
            s3=s3_options(args),
            on_progress=progress.show,
            stop=stop,
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
